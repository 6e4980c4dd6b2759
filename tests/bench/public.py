"""An index with a stand-in of a public one as upstream, and what it sends of public projects as open files."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.ground.paths import ROOT
from tests.ground.public_index import FILES, JSON, PAGES
from tests.ground.public_projects import COMPILED, PINNED
from tests.ground.shell import step
from tests.support.clients import Answer
from tests.support.public_index import PublicIndex

from . import start, store
from .hosts import SERVING, WORK, BenchError, address, ask, send
from .sides import Side

# What each answer of upstream takes, in seconds.
_LATENCY = 0.030
# What installers send.
_ASKS = {"Accept": JSON, "Accept-Encoding": "gzip"}
# The real projects, of which one has a wheel of some 20 kB.
REAL = tuple(dict.fromkeys(pin.partition("==")[0] for pin in (*PINNED, *COMPILED)))
SMALL = "pluggy"
# The stand-in makes up a project with so many files, and one with a wheel of 500 MB.
SIZED, LARGE = "sized-{}", "big"
# What the open reference has in front of the index's paths.
OPEN = "/open"
# A private store is beside it: few files, of which the measured project has ten.
_PROJECTS, _FILES = 20, 100
# On the host that it runs on.
AUTHORITY = "/srv/public/tls/authority.pem"
UPSTREAM = f"https://{PAGES}/simple/"
_FOLDER = f"{start.BENCH}/static/open"


@dataclass(frozen=True)
class Sides:
    """What is compared.

    Attributes:
        ours: the index with an upstream, and a login.
        static: what it sends of public projects, as files that are open.
        direct: upstream itself, whose name only the host resolves.
    """

    ours: Side
    static: Side
    direct: Side


def started() -> Sides:
    """Start upstream and the index, ask the index for all that is measured, and lay it beside as files."""
    public = stand_in(SERVING)
    public.latency(_LATENCY)
    # It makes the large file when it is asked for it.
    public.page(LARGE)
    folder = store.build(_PROJECTS, _FILES)
    variables = upstream_of(SERVING)
    ours = start.ours(variables)
    ours = Side(ours.name, ours.url, ours.login, headers=_ASKS)
    start.fill(folder)
    start.listed(ours, _PROJECTS)
    static = start.static()
    static = Side(static.name, static.url, simple=f"{OPEN}/simple/", headers=_ASKS)
    with step("public projects, cached, and the same as open files"):
        _mirror(ours)
    return Sides(ours, static, Side("direct", f"https://{PAGES}", authority=variables["pypi_upstream_ca_file"]))


def stand_in(host: str) -> PublicIndex:
    """Start upstream on a host, whose names it answers for."""
    with step("the stand-in of a public index"):
        folder = WORK / "public"
        folder.mkdir(parents=True, exist_ok=True)
        package = ROOT / "tests" / "ground" / "public_index"
        bytecode = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, folder / package.name, ignore=bytecode, dirs_exist_ok=True)
        send(host, folder, "/srv/public")
        install = ["install", "/srv/public", "--projects", "/srv/ground/public"]
        ask(host, "env", "PYTHONPATH=/srv/public", "python3", "-m", "public_index", *install)
    return PublicIndex(address(host))


def upstream_of(host: str) -> dict[str, Any]:
    """Return the variables by which the index on a host has the stand-in there as its upstream."""
    authority = WORK / f"{host}-public.pem"
    authority.write_text(ask(host, "cat", AUTHORITY), encoding="ascii")
    return {
        "pypi_upstreams": [{"url": UPSTREAM, "file_hosts": [FILES]}],
        "pypi_upstream_ca_file": str(authority),
        "pypi_private_names": ["acme-*"],
    }


def _mirror(ours: Side) -> None:
    """Write what the index sends of public projects into the open reference's folder."""
    folder = WORK / "open"
    shutil.rmtree(folder, ignore_errors=True)
    for project in (*REAL, *map(SIZED.format, (10, 500)), LARGE):
        packed = got(ours, ours.page(project)).body
        page = folder / "simple" / project / "index.json"
        page.parent.mkdir(parents=True)
        page.with_suffix(".json.gz").write_bytes(packed)
        page.write_bytes(gzip.decompress(packed))
    for path in [path for project in REAL for path in paths_of(ours, project)]:
        for each in (path, f"{path}.metadata"):
            file = folder / each.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(got(ours, each).body)
    send(SERVING, folder, _FOLDER)
    # Not through this machine.
    (large,) = paths_of(ours, LARGE)
    ask(SERVING, "install", "-D", f"/srv/public/{Path(large).name}", _FOLDER + large)
    ask(SERVING, "chmod", "-R", "a+rX", _FOLDER)


def got(side: Side, path: str) -> Answer:
    """Return what a side answers to an installer.

    Raises:
        BenchError: if it is not 200.
    """
    answer = side.index.request(path, side.login, headers=side.headers)
    if answer.status != 200:
        raise BenchError(f"{side.name}: {path} is answered with {answer.status}: {answer.body[:200]!r}")
    return answer


def files_of(side: Side, project: str) -> list[dict[str, Any]]:
    """Return what a project's page says of its files."""
    answer = got(side, side.page(project))
    packed = answer.headers.get("content-encoding") == "gzip"
    return list(json.loads(gzip.decompress(answer.body) if packed else answer.body)["files"])


def paths_of(side: Side, project: str) -> list[str]:
    """Return the paths of the files on a project's page."""
    return [urljoin(side.page(project), file["url"]) for file in files_of(side, project)]
