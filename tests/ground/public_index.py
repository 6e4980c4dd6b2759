"""A stand-in for public package indexes: real and made-up projects over HTTPS, with a switch for every fault.

    public_index.py serve FOLDER [--projects DIR]    serves; FOLDER keeps its certificates and the large file
    public_index.py names FOLDER                     answers for its host names on port 53, and passes on the rest
    public_index.py install FOLDER [--projects DIR]  both as systemd's units on this host, which then resolves names by it

It is one program of the standard library, because it runs where nothing else is: on hosts of Molecule, of the demo and
of the benchmark. One HTTPS port has all host names:

| host | serves |
|---|---|
| `public.example.org` | `/simple/`, `/simple/<project>/`, JSON 1.4 and HTML, and `/integrity/…/provenance` |
| `files.example.org` | the files of its pages, and their metadata |
| `wheels.example.net` | `/whl/<project>/`, HTML alone, without upload times, only with a login; its own files |
| `elsewhere.example.net` | all the same: where a redirect or a page may lure to. No index may ask it |

The control port speaks plain HTTP:

    GET  /log[?since=N]     all requests so far: time, host, method, path, headers, status and bytes of the answer
    GET  /page?name=NAME     a project's page as JSON, without a fault or an entry in the log
    GET  /file?name=FILE     a file that is not large, likewise
    POST /reset             no faults, no latency, nothing made up since the start; the log is emptied
    POST /heal                no faults, no latency
    POST /fault?scope=pages|files&mode=MODE[&project=NAME][&seconds=S]    MODE ok ends it; see MODES
    POST /latency?seconds=S                                               before each answer
    POST /publish?name=NAME&version=V[&days=AGE][&requires=NAME…][&yanked=REASON][&time=none]
    POST /withdraw?name=NAME[&version=V]
    POST /status?name=NAME&status=active|archived|quarantined|deprecated
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import html
import io
import json
import os
import random
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

PAGES, FILES = "public.example.org", "files.example.org"
WHEELS, ELSEWHERE = "wheels.example.net", "elsewhere.example.net"
HOSTS = (PAGES, FILES, WHEELS, ELSEWHERE)
# Another index on the same host: its name is known here, and all else is its own.
NEIGHBOUR = "staging.example.net"
LOGIN = ("wheels", "wheels-password")
CONTROL_PORT = 8099
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
DAY = 86400.0
# Faults of pages and of files alike; a project's own go before those of all.
BOTH = (
    "ok",
    "slow",
    "hang",
    "drip",
    "half",
    "reset",
    "401",
    "403",
    "404",
    "429",
    "500",
    "redirect",
    "stranger",
    "headers",
)
# `one-…` spoils the newest file of the page alone.
# Headers by which a server would rule over clients of another one, or over a proxy in front of it.
OWN_MATTERS = {
    "Set-Cookie": "stranger=1; Path=/",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
    "Refresh": "0; url=https://stranger.example.net/",
    "Access-Control-Allow-Origin": "*",
    "Link": "<https://stranger.example.net/>; rel=preload",
    "X-Accel-Redirect": "/index.html",
    "X-Accel-Expires": "1",
    "X-Wheelhouse-Rule": "stranger",
}
OF_PAGES = (
    "html",
    "invalid",
    "type",
    "api2",
    "name",
    "huge",
    "one-host",
    "one-dotted",
    "one-encoded",
    "one-nohash",
    "one-login",
)
OF_FILES = ("altered",)
MODES = {"pages": (*BOTH, *OF_PAGES), "files": (*BOTH, *OF_FILES)}
# What real projects have, and their files do not say.
YANKED = {
    ("click", "8.2.2"): "Unintended change in behavior of boolean options and None",
    ("urllib3", "2.0.1"): "Truncated response bodies when streaming a large compressed body.",
}
STATUS = {"docopt-ng": "archived"}
# Strangers have these, and all that begins like the second.
SQUATTED = ("internal-tools", "stranger")
SQUATTED_PREFIX = "acme-"
MANY = 5000


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def escaped(name: str) -> str:
    """Return a project's name as file names have it."""
    return normalised(name).replace("-", "_")


def project_of(filename: str) -> str:
    """Return the project of a distribution file."""
    stem = filename.split("-")[0] if filename.endswith(".whl") else filename.rsplit("-", 1)[0]
    return normalised(stem)


@dataclass(frozen=True)
class File:
    """A distribution file.

    Attributes:
        filename: its name.
        uploaded: when, in seconds since 1970.
        path: where its bytes are; without one they are made up as often as they are asked for.
        requires: what its made-up metadata require.
        timeless: its page does not say when it was uploaded.
        yanked: why, or None.
        digest: SHA-256, where it is known already.
    """

    filename: str
    uploaded: float
    path: Path | None = None
    requires: tuple[str, ...] = ()
    timeless: bool = False
    yanked: str | None = None

    @property
    def version(self) -> str:
        """The release."""
        if self.filename.endswith(".whl"):
            return self.filename.split("-")[1]
        return self.filename.removesuffix(".tar.gz").rsplit("-", 1)[1]

    @property
    def address(self) -> str:
        """The path on the host of files."""
        digest = hashlib.blake2b(self.filename.encode(), digest_size=32).hexdigest()
        return f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{quote(self.filename, safe='-_.!')}"

    def content(self) -> bytes:
        """Return the bytes of a file that is not large."""
        return self.path.read_bytes() if self.path else made(self.filename, self.requires)


@dataclass(frozen=True)
class Facts:
    """What a page says of a file's bytes."""

    size: int
    digest: str
    metadata: bytes
    requires_python: str


def core_metadata(filename: str, requires: tuple[str, ...]) -> bytes:
    """Return the core metadata of a made-up file."""
    version = File(filename, 0).version
    name = filename.split("-")[0] if filename.endswith(".whl") else filename.rsplit("-", 1)[0]
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.8"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), ""]).encode()


_BACKEND = """import os, zipfile


def build_wheel(folder, settings=None, metadata=None):
    info = "{stem}.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, "{stem}-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("{module}.py", "VERSION = '{version}'\\n")
        wheel.writestr(info + "METADATA", {metadata!r})
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "{stem}-py3-none-any.whl"
"""


def made(filename: str, requires: tuple[str, ...]) -> bytes:
    """Return a made-up file that pip installs, the same ones for the same arguments: a wheel or a source distribution."""
    info = core_metadata(filename, requires)
    version = File(filename, 0).version
    module = escaped(project_of(filename))
    target = io.BytesIO()
    if filename.endswith(".whl"):
        folder = f"{module}-{version}.dist-info"
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in (
                (f"{module}.py", f"VERSION = {version!r}\n".encode()),
                (f"{module}.bin", random.Random(filename).randbytes(1000)),
                (f"{folder}/METADATA", info),
                (
                    f"{folder}/WHEEL",
                    b"Wheel-Version: 1.0\nGenerator: made up\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                ),
                (f"{folder}/RECORD", b""),
            ):
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
        return target.getvalue()
    stem = f"{module}-{version}"
    backend = _BACKEND.format(stem=stem, module=module, version=version, metadata=info.decode())
    with tarfile.open(fileobj=target, mode="w:") as packed:
        for name, content in (
            ("pyproject.toml", b'[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'),
            ("own.py", backend.encode()),
            ("PKG-INFO", info),
        ):
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return gzip.compress(target.getvalue(), 1, mtime=0)


def make_large(target: Path, megabytes: int) -> None:
    """Write a wheel of some size, whose megabytes all differ."""
    block = random.Random(1).randbytes(1024 * 1024 - 8)
    aside = target.with_suffix(".new")
    with zipfile.ZipFile(aside, "w") as archive:
        info = f"{target.name.split('-')[0]}-1.0.dist-info"
        archive.writestr(zipfile.ZipInfo(f"{info}/METADATA", (2020, 1, 1, 0, 0, 0)), core_metadata(target.name, ()))
        tags = "Wheel-Version: 1.0\nGenerator: made up\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(zipfile.ZipInfo(f"{info}/WHEEL", (2020, 1, 1, 0, 0, 0)), tags)
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", (2020, 1, 1, 0, 0, 0)), "")
        with archive.open(zipfile.ZipInfo("big.bin", (2020, 1, 1, 0, 0, 0)), "w", force_zip64=True) as file:
            for number in range(megabytes):
                file.write(number.to_bytes(8, "big") + block)
    aside.replace(target)


@dataclass
class Fault:
    """What goes wrong, and how slowly."""

    mode: str = "ok"
    seconds: float = 10.0


@dataclass
class Catalogue:
    """All projects of the index; the real ones are the wheels of a folder.

    Attributes:
        folder: where the large file is made.
        projects: the folder of real ones, or None.
        megabytes: of the large file.
        port: of the addresses on pages.
    """

    folder: Path
    projects: Path | None = None
    megabytes: int = 500
    port: int = 443
    began: float = field(default_factory=time.time)

    @property
    def behind_host(self) -> str:
        """What follows a host's name in an address."""
        return "" if self.port == 443 else f":{self.port}"

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.reading = threading.Lock()
        self.changes = 0
        self.facts: dict[str, Facts] = {}
        self.reset()

    def reset(self) -> None:
        """Forget what was published, withdrawn and decided since the start."""
        with self.lock:
            self.files: dict[str, list[File]] = {}
            self.status = dict(STATUS)
            self.withdrawn: set[str] = set()
            self._real()
            self._made()
            self.changed()

    def changed(self) -> None:
        """Have the pages made once more."""
        with self.lock:
            self.changes += 1
            self.pages: dict[tuple[str, ...], bytes] = {}

    def _real(self) -> None:
        wheels = sorted(self.projects.glob("*.whl")) if self.projects else []
        for path in wheels:
            self.files.setdefault(project_of(path.name), []).append(File(path.name, 0, path))
        for project, files in self.files.items():
            files.sort(key=lambda file: [int(part) for part in re.findall(r"\d+", file.version)])
            versions = list(dict.fromkeys(file.version for file in files))
            for place, file in enumerate(files):
                age = 40 + 200 * (len(versions) - 1 - versions.index(file.version))
                files[place] = File(
                    file.filename, self.began - age * DAY, file.path, yanked=YANKED.get((project, file.version))
                )

    def _made(self) -> None:
        for name, version, days, requires in (
            ("young", "1.0", 100, ()),
            ("young", "1.1", 1, ()),
            ("infant", "1.0", 1, ()),
            ("taken", "1.0", 100, ()),
            ("taken", "1.1", 50, ()),
            ("evil", "1.0", 100, ()),
            ("local", "1.0+cpu", 100, ()),
            # Public, and needs what is private.
            ("plugin-for-acme", "1.0", 100, ("acme-base", "click")),
            ("torch", "2.0", 100, ()),
            ("torch-vision", "1.0", 100, ("torch",)),
        ):
            self.publish(name, version, days, requires)
        self.publish("timeless", "1.0", 100, timeless=True)
        self.publish("source-only", "1.0", 100, suffix=".tar.gz")
        self.files["big"] = [
            File("big-1.0-py3-none-any.whl", self.began - 100 * DAY, self.folder / "big-1.0-py3-none-any.whl")
        ]
        many = [f"many-1.{number}-py3-none-any.whl" for number in range(MANY)]
        self.files["many"] = [File(name, self.began - 100 * DAY - MANY + place) for place, name in enumerate(many)]
        for name in SQUATTED:
            self.publish(name, "99.0", 100)

    def publish(
        self,
        name: str,
        version: str,
        days: float,
        requires: tuple[str, ...] = (),
        timeless: bool = False,
        yanked: str | None = None,
        suffix: str = "-py3-none-any.whl",
    ) -> None:
        """Add a made-up file, or put it in place of one of its name."""
        filename = f"{escaped(name)}-{version}{suffix}"
        uploaded = time.time() - days * DAY
        with self.lock:
            files = [file for file in self.files.get(normalised(name), []) if file.filename != filename]
            files.append(File(filename, uploaded, None, requires, timeless, yanked))
            self.files[normalised(name)] = files
            self.facts.pop(filename, None)
            self.withdrawn.discard(normalised(name))
            self.changed()

    def withdraw(self, name: str, version: str = "") -> None:
        """Remove a release, or a project."""
        with self.lock:
            left = [file for file in self.of(name) if version and file.version != version]
            self.files[normalised(name)] = left
            if not left:
                self.withdrawn.add(normalised(name))
            self.changed()

    def of(self, name: str) -> list[File]:
        """Return the files of a project, the newest last; none where there is no such project."""
        project = normalised(name)
        with self.lock:
            if project not in self.files and project not in self.withdrawn:
                sized = re.fullmatch(r"sized-(\d+)", project)
                if sized:
                    for number in range(min(int(sized[1]), MANY)):
                        self.files.setdefault(project, []).append(
                            File(f"{escaped(project)}-1.{number}-py3-none-any.whl", self.began - 100 * DAY + number)
                        )
                elif project.startswith(SQUATTED_PREFIX):
                    self.publish(project, "99.0", 100)
            if self.status.get(project) == "quarantined":
                return []
            return list(self.files.get(project, []))

    def names(self, of_wheels: bool) -> list[str]:
        """Return the names of all projects that have been asked for or published."""
        with self.lock:
            found = [name for name in self.files if name not in self.withdrawn]
        return sorted(name for name in found if name.startswith("torch") == of_wheels)

    def exists(self, name: str) -> bool:
        """Say whether there is such a project, with files or without."""
        return bool(self.of(name)) or self.status.get(normalised(name)) == "quarantined"

    def facts_of(self, file: File) -> Facts:
        """Return what a page says of a file; the large one is made for it."""
        # All other projects are served meanwhile.
        with self.reading:
            if file.filename not in self.facts:
                self.facts[file.filename] = self._read(file)
            return self.facts[file.filename]

    def _read(self, file: File) -> Facts:
        if not file.path:
            content = file.content()
            metadata = core_metadata(file.filename, file.requires)
            return Facts(len(content), hashlib.sha256(content).hexdigest(), metadata, ">=3.8")
        if not file.path.exists():
            make_large(file.path, self.megabytes)
        with file.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        with zipfile.ZipFile(file.path) as archive:
            (name,) = (one for one in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", one))
            metadata = archive.read(name)
        found = re.search(rb"^Requires-Python: *(.+?) *$", metadata.split(b"\n\n")[0], re.MULTILINE)
        return Facts(file.path.stat().st_size, digest, metadata, found[1].decode() if found else "")

    def by_address(self, path: str) -> File | None:
        """Return the file at an address."""
        name = unquote(path.rpartition("/")[2])
        if not name.endswith((".whl", ".tar.gz")):
            return None
        return next((one for one in self.of(project_of(name)) if unquote(one.address) == unquote(path)), None)

    def page(self, project: str, kind: str, mode: str, host: str) -> bytes:
        """Return a page, good or spoilt."""
        key = (project, kind, mode, host)
        page, before = self.pages.get(key), self.changes
        if page is None:
            document = self._document(project, mode, host)
            page = json.dumps(document).encode() if kind == "json" else _html(document, anonymous=host == WHEELS)
            with self.lock:
                if self.changes == before:
                    self.pages[key] = page
        return page

    def _document(self, project: str, mode: str, host: str) -> dict[str, Any]:
        files = self.of(project)
        listed = [self._entry(file, project, host) for file in files]
        if mode.startswith("one-") and listed:
            _spoil(listed[-1], mode)
        return {
            "meta": {"api-version": "2.0" if mode == "api2" else "1.4", "_last-serial": 1},
            "name": "another" if mode == "name" else project,
            "project-status": {"status": self.status.get(project, "active")},
            "versions": list(dict.fromkeys(file.version for file in files)),
            "files": listed,
            **({"_padding": "x" * 45_000_000} if mode == "huge" else {}),
        }

    def _entry(self, file: File, project: str, host: str) -> dict[str, Any]:
        facts = self.facts_of(file)
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": f"https://{FILES if host == PAGES else host}{self.behind_host}{file.address}",
            "hashes": {"sha256": facts.digest},
            "size": facts.size,
            "core-metadata": {"sha256": hashlib.sha256(facts.metadata).hexdigest()}
            if file.filename.endswith(".whl")
            else False,
            "requires-python": facts.requires_python or None,
            "yanked": file.yanked or False,
            "provenance": None,
        }
        if not file.timeless:
            entry["upload-time"] = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(file.uploaded))
        if file.path and project != "big":
            place = f"{project}/{file.version}/{file.filename}"
            entry["provenance"] = f"https://{PAGES}{self.behind_host}/integrity/{place}/provenance"
        return entry


def _spoil(entry: dict[str, Any], mode: str) -> None:
    if mode == "one-host":
        entry["url"] = entry["url"].replace(FILES, ELSEWHERE)
    elif mode == "one-dotted":
        entry["url"] = entry["url"].replace("/packages/", "/packages/../packages/")
    elif mode == "one-encoded":
        entry["url"] = entry["url"].replace("/packages/", "/packages/%2e%2e/packages/")
    elif mode == "one-nohash":
        entry["hashes"] = {}
    else:
        entry["url"] = entry["url"].replace("https://", "https://user:password@")


def _html(document: dict[str, Any], anonymous: bool) -> bytes:
    """Return a page as HTML; an anonymous one has nothing but names and hashes."""
    lines = [
        "<!DOCTYPE html>",
        "<html>",
        "<head>",
        f'<meta name="pypi:repository-version" content="{document["meta"]["api-version"]}">',
    ]
    if not anonymous:
        lines.append(f'<meta name="pypi:project-status" content="{document["project-status"]["status"]}">')
    lines += [f"<title>Links for {document['name']}</title>", "</head>", "<body>"]
    for file in document["files"]:
        fragment = "".join(f"#{kind}={digest}" for kind, digest in file["hashes"].items())
        marks = {}
        if not anonymous:
            marks = {
                "data-requires-python": file["requires-python"],
                "data-yanked": file["yanked"] or None,
                "data-provenance": file["provenance"],
                "data-core-metadata": f"sha256={file['core-metadata']['sha256']}" if file["core-metadata"] else None,
            }
        given = "".join(f' {name}="{html.escape(value)}"' for name, value in marks.items() if value)
        address = urlsplit(file["url"]).path if anonymous else file["url"]
        lines.append(f'<a href="{html.escape(address + fragment)}"{given}>{file["filename"]}</a><br>')
    return "\n".join([*lines, "</body>", "</html>", ""]).encode()


class World:
    """What all requests share: projects, faults, the log."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.faults: dict[tuple[str, str], Fault] = {}
        self.latency = 0.0
        self.log: list[dict[str, Any]] = []
        self.packed: dict[bytes, bytes] = {}

    def fault(self, scope: str, project: str = "") -> Fault:
        """Return what goes wrong with a project's pages or files."""
        return self.faults.get((scope, project)) or self.faults.get((scope, "")) or Fault()

    def control(self, path: str, values: dict[str, str]) -> None:
        """Do what a request to the control port says.

        Raises:
            KeyError, ValueError: it says something unknown.
        """
        if path == "/reset":
            self.faults, self.latency, self.packed = {}, 0.0, {}
            self.catalogue.reset()
            self.log.clear()
        elif path == "/heal":
            self.faults, self.latency = {}, 0.0
        elif path == "/fault":
            scope, mode, project = values["scope"], values["mode"], normalised(values.get("project", ""))
            if mode not in MODES[scope]:
                raise ValueError(f"no fault of {scope} is called {mode}")
            self.faults[scope, project] = Fault(mode, float(values.get("seconds", "10")))
        elif path == "/latency":
            self.latency = float(values["seconds"])
        elif path == "/publish":
            requires = tuple(values["requires"].split(",")) if values.get("requires") else ()
            self.catalogue.publish(
                values["name"],
                values["version"],
                float(values.get("days", "100")),
                requires,
                values.get("time") == "none",
                values.get("yanked"),
            )
        elif path == "/withdraw":
            self.catalogue.withdraw(values["name"], values.get("version", ""))
        elif path == "/status":
            self.catalogue.status[normalised(values["name"])] = values["status"]
            self.catalogue.changed()
        else:
            raise ValueError(f"nothing is at {path}")


class Public(BaseHTTPRequestHandler):
    """Pages and files."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    world: World

    def log_message(self, *_: object) -> None:
        """The log is the world's."""

    def do_GET(self) -> None:
        """Note the request, and answer it, well or badly."""
        self.host = (self.headers.get("Host") or "").partition(":")[0].lower()
        if self.world.fault("pages" if self.host in (PAGES, WHEELS) else "files").mode == "stranger":
            # A connection from before: on a new one, the client would have seen the certificate.
            self.close_connection = True
            return
        self.entry: dict[str, Any] = {
            "time": time.time(),
            "host": self.host,
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "status": 0,
            "bytes": 0,
        }
        self.world.log.append(self.entry)
        path = urlsplit(self.path).path
        root = "/whl/" if self.host == WHEELS else "/simple/"
        of_page = path.startswith((root, "/integrity/"))
        name = (
            path.removeprefix(root).strip("/")
            if of_page
            else project_of(path.rpartition("/")[2].removesuffix(".metadata"))
        )
        self.fault = self.world.fault("pages" if of_page else "files", normalised(name))
        time.sleep(self.world.latency)
        if self._fails():
            return
        if self.host == WHEELS and not self._knows_login():
            self._say(401, b"a login, please\n", {"WWW-Authenticate": 'Basic realm="wheels"'})
        elif path.startswith("/integrity/"):
            self._provenance(path)
        elif of_page:
            self._page(path, root, name)
        else:
            self._file(path)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Nothing is ever sent here; it is logged that it was."""
        self.close_connection = True
        self.do_GET()

    def _knows_login(self) -> bool:
        expected = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
        return self.headers.get("Authorization") == expected

    def _fails(self) -> bool:
        mode = self.fault.mode
        if mode == "slow":
            time.sleep(self.fault.seconds)
        elif mode == "hang":
            fault = self.fault
            # Until the fault ends; the client does not live to see it.
            while any(one is fault for one in list(self.world.faults.values())):
                time.sleep(0.1)
            self.close_connection = True
            return True
        elif mode.isdigit():
            headers = {"Retry-After": str(int(self.fault.seconds))} if mode == "429" else {}
            self._say(int(mode), f"the public index says {mode}\n".encode(), headers)
            return True
        elif mode == "redirect":
            self._say(302, b"", {"Location": f"https://{ELSEWHERE}{self.path}"})
            return True
        return False

    def _page(self, path: str, root: str, name: str) -> None:
        if path == root:
            self._list()
            return
        project = normalised(name)
        if not self.world.catalogue.exists(name) or (self.host == WHEELS) != name.startswith("torch"):
            self._say(404, b"404 Not Found\n")
            return
        if path != f"{root}{project}/":
            self._say(301, b"", {"Location": f"{root}{project}/"})
            return
        mode = self.fault.mode
        kind = self._kind()
        body = self.world.catalogue.page(project, kind, mode, self.host)
        if mode == "invalid":
            body = body[: len(body) // 2]
        content = {"json": JSON, "html": HTML, "text": "text/html; charset=utf-8"}[kind]
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        headers = {
            "Content-Type": "text/plain" if mode == "type" else content,
            "ETag": etag,
            "Cache-Control": "max-age=600, public",
            "Vary": "Accept, Accept-Encoding",
            "X-PyPI-Last-Serial": "1",
        }
        if etag in (self.headers.get("If-None-Match") or ""):
            self._say(304, b"", headers)
            return
        if re.search(r"\bgzip\b(?!;q=0)", self.headers.get("Accept-Encoding") or ""):
            headers["Content-Encoding"] = "gzip"
            body = (
                self.world.packed.setdefault(body, gzip.compress(body, 1))
                if len(body) < 10_000_000
                else gzip.compress(body, 1)
            )
        self._say(200, body, headers)

    def _list(self) -> None:
        names = self.world.catalogue.names(of_wheels=self.host == WHEELS)
        if self._kind() == "json":
            listed = json.dumps({"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in names]})
            self._say(200, listed.encode(), {"Content-Type": JSON})
        else:
            links = "".join(f'<a href="{name}/">{name}</a>\n' for name in names)
            listed = f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n"
            self._say(200, listed.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _kind(self) -> str:
        accept = self.headers.get("Accept") or ""
        if self.host == WHEELS:
            return "text"
        if self.fault.mode == "html":
            return "html" if HTML in accept else "text"
        weights = {"json": JSON, "html": HTML, "text": "text/html"}
        best, kind = 0.0, "text"
        for name, wanted in weights.items():
            found = re.search(re.escape(wanted) + r"(?:\s*;\s*q=([\d.]+))?(?=\s*(?:,|$))", accept)
            weight = float(found[1] or 1) if found else 0.0
            if weight > best:
                best, kind = weight, name
        return kind

    def _provenance(self, path: str) -> None:
        *_, project, version, filename, _last = path.split("/") if path.count("/") > 4 else [""] * 4
        known = any(file.filename == filename and file.path for file in self.world.catalogue.of(project))
        if not known:
            self._say(404, b"404 Not Found\n")
            return
        subject = {"project": project, "version": version, "filename": filename}
        document = {"version": 1, "attestation_bundles": [], "subject": subject}
        self._say(200, json.dumps(document).encode(), {"Content-Type": "application/vnd.pypi.integrity.v1+json"})

    def _file(self, path: str) -> None:
        of_metadata = path.endswith(".metadata")
        file = self.world.catalogue.by_address(path.removesuffix(".metadata"))
        if not file or self.host == PAGES:
            self._say(404, b"404 Not Found\n")
            return
        facts = self.world.catalogue.facts_of(file)
        headers = {
            "Content-Type": "application/octet-stream",
            "ETag": f'"{hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()}"',
            "Last-Modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(file.uploaded)),
            "Cache-Control": "max-age=365000000, immutable, public",
            "Accept-Ranges": "bytes",
        }
        size = len(facts.metadata) if of_metadata else facts.size
        if headers["ETag"] in (self.headers.get("If-None-Match") or ""):
            self._say(304, b"", headers)
            return
        status, first, last = self._range(headers["ETag"], size)
        if status == 416:
            self._say(416, b"", {"Content-Range": f"bytes */{size}"})
            return
        if status == 206:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        if file.path and not of_metadata:
            with file.path.open("rb") as opened:
                opened.seek(first)
                self._send(status, headers, last + 1 - first, opened)
            return
        content = facts.metadata if of_metadata else file.content()
        self._send(status, headers, last + 1 - first, io.BytesIO(content[first : last + 1]))

    def _range(self, etag: str, size: int) -> tuple[int, int, int]:
        """Return status, first and last byte of what is asked for."""
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        if not found or not any(found.groups()) or self.headers.get("If-Range", etag) != etag:
            return 200, 0, size - 1
        if not found[1]:
            return 206, max(size - int(found[2]), 0), size - 1
        first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
        return (206, first, last) if first <= last else (416, 0, 0)

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._send(status, headers or {}, len(body), io.BytesIO(body))

    def _send(self, status: int, headers: dict[str, str], size: int, body: Any) -> None:
        mode = self.fault.mode
        self.entry["status"] = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        for name, value in OWN_MATTERS.items() if mode == "headers" else ():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        cut = mode in ("half", "reset") and status in (200, 206)
        left = size // 2 if cut else size
        altered = mode == "altered"
        pieces = 16 if mode == "drip" else 0
        while left > 0:
            piece = body.read(min(left, max(size // pieces, 1) if pieces else 1 << 18))
            if not piece:
                break
            if altered:
                # Nearly at the end, so that a wheel's directory still opens.
                place = min(len(piece) - 1, 40)
                piece, altered = piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1 :], False
            self.wfile.write(piece)
            self.entry["bytes"] += len(piece)
            left -= len(piece)
            if pieces:
                self.wfile.flush()
                time.sleep(self.fault.seconds / pieces)
        if cut:
            self._cut(mode == "reset")

    def _cut(self, reset: bool) -> None:
        self.wfile.flush()
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


class Control(BaseHTTPRequestHandler):
    """Switches and the log."""

    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, *_: object) -> None:
        """Nothing is said of it."""

    def do_GET(self) -> None:
        """Return the log, or what a page or a file should be."""
        asked = urlsplit(self.path)
        values = {name: value[0] for name, value in parse_qs(asked.query).items()}
        name = values.get("name", "")
        if asked.path == "/log":
            self._answer(200, json.dumps(self.world.log[int(values.get("since", "0")) :]).encode())
        elif asked.path == "/page":
            host = WHEELS if name.startswith("torch") else PAGES
            self._answer(200, self.world.catalogue.page(normalised(name), "json", "ok", host))
        elif asked.path == "/file":
            found = [file for file in self.world.catalogue.of(project_of(name)) if file.filename == name]
            self._answer(*((200, found[0].content()) if found else (404, b"there is no such file\n")))
        else:
            self._answer(404, b"there are /log, /page and /file\n")

    def do_POST(self) -> None:
        """Turn a switch."""
        asked = urlsplit(self.path)
        try:
            self.world.control(asked.path, {name: value[0] for name, value in parse_qs(asked.query).items()})
        except (KeyError, ValueError) as error:
            self._answer(400, f"{error!r}\n".encode())
        else:
            self._answer(200, b"ok\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 256


class TLS(Server):
    """The same over TLS; each connection shakes hands in its own thread."""

    def __init__(self, address: tuple[str, int], world: World, tls: Path) -> None:
        self.world = world
        self.good, self.strange = (_context(tls, name) for name in ("server", "stranger"))
        self.good.sni_callback = self._choose
        self.handler = type("PublicHere", (Public,), {"world": world})
        super().__init__(address, self.handler)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        scope = "pages" if name in (PAGES, WHEELS) else "files"
        if self.world.fault(scope).mode == "stranger":
            connection.context = self.strange

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then answer; a client that does not trust it is noted."""
        request.settimeout(60)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            encrypted = self.good.wrap_socket(request, server_side=True)
        except OSError as error:
            self.world.log.append({"time": time.time(), "host": "", "path": "", "headers": {}, "error": repr(error)})
            return
        try:
            self.handler(encrypted, client_address, self)
        except OSError:
            # The client has hung up.
            pass
        finally:
            encrypted.close()


def _context(tls: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / f"{name}.pem", tls / f"{name}.key")
    return context


def make_certificates(tls: Path) -> None:
    """Make an authority, a certificate for the hosts, and one for a stranger, where they are missing."""
    if (tls / "stranger.pem").exists():
        return
    tls.mkdir(parents=True, exist_ok=True)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, cwd=tls, capture_output=True)

    own = ["-keyout", "authority.key", "-out", "authority.pem", "-days", "30"]
    # Python 3.13 and later want to know what a key is for, and whose signature it is.
    own += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    openssl("req", "-x509", *new_key, *own, "-subj", "/CN=Authority of the public index")
    for name, hosts in (("server", HOSTS), ("stranger", ("stranger.example.net",))):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        names = ",".join(f"DNS:{host}" for host in hosts)
        (tls / f"{name}.ext").write_text(f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n")
        signer = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "20"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def servers(
    folder: Path,
    projects: Path | None = None,
    address: tuple[str, int] = ("127.0.0.1", 0),
    control: tuple[str, int] = ("127.0.0.1", 0),
    megabytes: int = 500,
) -> tuple[TLS, Server]:
    """Return the server of pages and files, and that of the switches; neither serves yet."""
    folder.mkdir(parents=True, exist_ok=True)
    make_certificates(folder / "tls")
    world = World(Catalogue(folder, projects, megabytes))
    index = TLS(address, world, folder / "tls")
    world.catalogue.port = index.server_port
    return index, Server(control, type("ControlHere", (Control,), {"world": world}))


def own_address() -> str:
    """Return the address of this host by which it reaches others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def answer_names(folder: Path) -> None:
    """Answer for the host names with this host's address, and have the servers of before answer for the rest."""
    address = own_address()
    kept = folder / "resolv.conf"
    before = re.findall(r"^nameserver\s+(\S+)", kept.read_text(), re.MULTILINE) if kept.exists() else []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        # Not on all addresses: the answer would come from another one than was asked.
        server.bind((address, 53))
        # Also after a loss of power, when Docker has written it again, and before containers that start take it over.
        _RESOLVER.write_text(f"nameserver {address}\n")
        while True:
            question, client = server.recvfrom(4096)
            threading.Thread(target=_answer_name, args=(server, question, client, address, before), daemon=True).start()


def _answer_name(server: socket.socket, question: bytes, client: Any, address: str, before: list[str]) -> None:
    labels, place = [], 12
    while place < len(question) and question[place]:
        labels.append(question[place + 1 : place + 1 + question[place]].decode("latin-1"))
        place += 1 + question[place]
    end = place + 5
    if ".".join(labels).lower() in (*HOSTS, NEIGHBOUR):
        of_address = question[place + 1 : place + 3] == b"\x00\x01"
        counts = struct.pack(">HHHH", 1, int(of_address), 0, 0)
        record = b"\xc0\x0c\x00\x01\x00\x01" + struct.pack(">IH", 5, 4) + socket.inet_aton(address)
        server.sendto(question[:2] + b"\x85\x80" + counts + question[12:end] + record * of_address, client)
        return
    for other in (one for one in before if one != address):
        with socket.socket(socket.AF_INET6 if ":" in other else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(2)
            try:
                asking.sendto(question, (other, 53))
                server.sendto(asking.recv(4096), client)
                return
            except OSError:
                continue
    server.sendto(question[:2] + b"\x81\x83" + struct.pack(">HHHH", 1, 0, 0, 0) + question[12:end], client)


# Written in place: Docker mounts it into hosts that are containers.
_RESOLVER = Path("/etc/resolv.conf")
_UNIT = """[Unit]
Description={what}
Before=docker.service

[Service]
ExecStart={python} {program} {words}
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def install(folder: Path, projects: Path | None) -> None:
    """Run both servers as systemd's units public-index and public-names, and have this host resolve names by the second."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "public_index.py"
    if Path(__file__).resolve() != program.resolve():
        shutil.copy(__file__, program)
    make_certificates(folder / "tls")
    mine = f"nameserver {own_address()}\n"
    if _RESOLVER.read_text() != mine:
        (folder / "resolv.conf").write_text(_RESOLVER.read_text())
    given = ["--projects", str(projects)] if projects else []
    serve = ["serve", str(folder), *given, "--address", "0.0.0.0:443", "--control", f"0.0.0.0:{CONTROL_PORT}"]
    for name, what, words in (
        ("public-index", "A stand-in for public package indexes", serve),
        ("public-names", "Names of the stand-in for public package indexes", ["names", str(folder)]),
    ):
        text = _UNIT.format(what=what, python=sys.executable, program=program, words=" ".join(words))
        Path(f"/etc/systemd/system/{name}.service").write_text(text)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    for verb in ("enable", "restart"):
        subprocess.run(["systemctl", "--quiet", verb, "public-index", "public-names"], check=True)
    _RESOLVER.write_text(mine)
    for _try in range(100):
        try:
            with socket.create_connection(("127.0.0.1", CONTROL_PORT), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the public index does not answer: journalctl --unit public-index")


def _place(text: str) -> tuple[str, int]:
    host, _colon, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("verb", choices=("serve", "names", "install"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--projects", type=Path, help="folder with wheels of real projects")
    parser.add_argument("--address", type=_place, default=("127.0.0.1", 8443), help="HOST:PORT of pages and files")
    parser.add_argument("--control", type=_place, default=("127.0.0.1", CONTROL_PORT), help="HOST:PORT of the switches")
    parser.add_argument("--megabytes", type=int, default=500, help="size of the large file")
    given = parser.parse_args()
    os.umask(0o022)
    if given.verb == "names":
        answer_names(given.folder)
    elif given.verb == "install":
        install(given.folder, given.projects)
    else:
        index, control = servers(given.folder, given.projects, given.address, given.control, given.megabytes)
        threading.Thread(target=control.serve_forever, daemon=True).start()
        index.serve_forever()


if __name__ == "__main__":
    main()
