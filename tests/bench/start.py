"""Starting the sides on the host of the serving figures."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt

from tests.ground import python_packages
from tests.ground.paths import ROOT
from tests.ground.recipes import PYPISERVER, StandIn
from tests.ground.shell import step
from tests.support.clients import NOBODY, Index, Login
from tests.support.stack import eventually

from . import store
from .hosts import COLLECTIONS, SERVING, WORK, BenchError, address, ask, play, send
from .rollout import HOME, INDEX, SITE
from .sides import PUBLISHER, PUBLISHERS, READER, TOKENS, Side

_HERE = Path(__file__).resolve().parent
# What the tutorial tells its reader to write, as the scenario has it.
_TUTORIAL = ROOT / "molecule" / "import" / "tutorial"
# Below it, what is not ours: the other sides.
BENCH = "/home/bench"
# Whom pypiserver's image becomes.
_PYPISERVER_UID = "9898:9898"
# Ten users, with bcrypt-10 passwords.
VARIABLES = {
    **INDEX,
    "pypi_users": [
        {"name": one.name, "password": one.password, "publish": one is not READER}
        for one in (READER, PUBLISHER, *PUBLISHERS)
    ],
}
DEVPI = StandIn("devpi", "", "", (), {}, (), ("devpi-server",), PYPISERVER.python_version)


def ours(variables: Mapping[str, Any] | None = None) -> Side:
    """Apply site.yml, with bcrypt-10 logins and tokens."""
    tokens = [{"id": f"token-{number}", "secret": one.password, "publish": True} for number, one in enumerate(TOKENS)]
    return applied("ours", SERVING, {"pypi_tokens": tokens, **(variables or {})})


def filled(folder: Path) -> Side:
    """Return our index with a store's files, all of them listed."""
    side = ours()
    fill(folder)
    listed(side)
    return side


def applied(name: str, host: str, variables: Mapping[str, Any], collections: Path = COLLECTIONS) -> Side:
    """Apply site.yml of the collection in a folder to a host, with bcrypt-10 logins."""
    with step(f"{name}, by site.yml"):
        play(SITE, "--limit", host, variables={**VARIABLES, **variables}, collections=collections)
    return Side(name, f"http://{address(host)}", READER, host=host)


def fill(folder: Path, host: str = SERVING) -> None:
    """Put a store's files into the index, as rsync would."""
    owner = ask(host, "stat", "-c", "%u:%g", f"{HOME}/packages").strip()
    with step(f"{folder.name}: to the host"):
        send(host, folder, f"{HOME}/packages", owner=owner)


def listed(side: Side, projects: int = store.PROJECTS, seconds: float = 120) -> None:
    """Wait until the index lists all projects, and all their pages are files."""
    count = f"find {HOME}/index/simple -mindepth 2 -name index.html | wc -l"

    def whole() -> bool:
        found = side.index.request(side.simple, side.login).body.count(b"<a ")
        return found >= projects and int(ask(side.host, "sh", "-c", count)) >= projects

    with step("the index lists what it was given"):
        eventually(whole, f"{projects} projects are listed", seconds)


def encrypted() -> tuple[Side, Side]:
    """Change our stack and the open reference to TLS, with the same certificate and settings; return both."""
    settings = tls(SERVING)
    secure = over_tls(ours(settings), settings)
    static()
    return secure, Side("static, TLS", f"{secure.url}:8441", authority=secure.authority)


def tls(host: str) -> dict[str, str]:
    """Return the variables by which a host's index speaks TLS."""
    return {"pypi_tls": "self_signed", "pypi_tls_authority_file": str(WORK / f"{host}.pem")}


def over_tls(side: Side, settings: Mapping[str, str]) -> Side:
    """Return an index that has these variables, as clients reach it."""
    url = side.url.replace("http://", "https://")
    return replace(side, name=f"{side.name}, TLS", url=url, authority=settings["pypi_tls_authority_file"])


@dataclass(frozen=True)
class Other:
    """A side that is slower by far.

    Attributes:
        name: the end of its figures' names, and its folder's.
        start: starts it.
    """

    name: str
    start: Callable[[], Side]

    @property
    def folder(self) -> str:
        """Its Compose project's."""
        return f"{BENCH}/{self.name}"

    @contextmanager
    def started(self) -> Iterator[Side]:
        """Have it there for a while: it would take the others' time afterwards."""
        file = f"{self.folder}/docker-compose.yml"
        try:
            yield self.start()
        finally:
            ask(
                SERVING,
                "sh",
                "-c",
                f"[ ! -e {file} ] || docker compose --progress quiet --file {file} down --timeout 1",
            )


def others(folder: Path) -> list[Other]:
    """Return the sides that have the files of a folder."""
    return [
        Other("tutorial_sha", partial(tutorial, "sha", 0)),
        Other("tutorial_bcrypt", partial(tutorial, "bcrypt", 1)),
        Other("devpi", partial(devpi, folder)),
    ]


def static() -> Side:
    """Start the open reference, with what the index's NGINX has as main file."""
    where = f"{BENCH}/static"
    account = ask(SERVING, "stat", "-c", "%u:%g", f"{HOME}/packages").strip()
    with step("the open static reference"):
        send(SERVING, _HERE / "static", where, owner=account)
        script = f"""set -e; cd {where}
            mkdir -p nginx/conf.d nginx/tls cache logs open
            cp static.conf nginx/conf.d/
            cp {HOME}/nginx/nginx.conf nginx/
            grep -rhE '^ *(ssl_|http2 )' {HOME}/nginx --include=*.conf | sort -u >nginx/tls.conf
            if [ -s nginx/tls.conf ]; then echo 'listen 8443 ssl;' >>nginx/tls.conf; else rm nginx/tls.conf; fi
            chown -R {account} .
            printf '%s\\n' ACCOUNT={account} ACCOUNT_UID={account.partition(":")[0]} INDEX_HOME={HOME} \\
                INDEX_ADDRESS={address(SERVING)} >.env
            docker compose --progress quiet up --detach --pull never --force-recreate"""
        ask(SERVING, "sh", "-c", script)
    return Side("static", f"http://{address(SERVING)}:8001")


def tutorial(scheme: str, number: int) -> Side:
    """Start the tutorial's stack, with a copy of the packages of its own: pypiserver watches them."""
    where = f"{BENCH}/tutorial_{scheme}"
    port = 8100 + number
    with step(f"the tutorial's stack, {scheme}"):
        folder = WORK / f"tutorial_{scheme}"
        shutil.copytree(_TUTORIAL, folder, dirs_exist_ok=True)
        # It runs beside the stack that it is compared with.
        compose = (_TUTORIAL / "docker-compose.yml").read_text(encoding="utf-8")
        compose = compose.replace('"80:80"', f'"{port}:80"').replace('"8080:8080"', f'"{port + 100}:8080"')
        (folder / "docker-compose.yml").write_text(compose, encoding="utf-8")
        (folder / "authentication" / ".htpasswd").write_text(f"{READER.name}:{_HASHES[scheme]()}\n", encoding="utf-8")
        send(SERVING, folder, where)
        script = f"""set -e; cd {where}
            docker tag pypiserver/pypiserver:v2.4.2 pypiserver/pypiserver
            docker tag nginx:1.30 nginx
            mkdir -p nginx_cache
            docker compose --progress quiet down --timeout 1
            rm -rf packages && cp -r {HOME}/packages packages && rm -rf packages/.incoming
            chown -R {_PYPISERVER_UID} packages
            docker compose --progress quiet up --detach --pull never"""
        ask(SERVING, "sh", "-c", script)
        side = Side(f"tutorial, {scheme}", f"http://{address(SERVING)}:{port}", READER)
        eventually(lambda: side.index.request(side.page(), READER).status == 200, f"{side.name} has the packages", 120)
    return side


def devpi(folder: Path) -> Side:
    """Start devpi-server with an index that has the measured project; devpi's indexes are open to read.

    Publishers have the token of a session, as devpi's own client does: no password is verified.
    """
    where = f"{BENCH}/devpi"
    login = Login("root", "bench")
    with step("devpi-server, behind its own NGINX configuration") as now:
        program = WORK / "devpi"
        if not program.exists():
            python_packages.install(DEVPI, program.with_suffix(".part")).replace(program)
        now.result = next(found.name.removesuffix(".dist-info") for found in program.glob("devpi_server-*.dist-info"))
        send(SERVING, program, f"{where}/python")
        send(SERVING, _HERE / "devpi", where)
        ask(SERVING, "sh", f"{where}/start.sh", where)
        base = f"http://{address(SERVING)}:8004"
        server = Index(base)
        # Not through its NGINX: that would take it for dead during ten seconds after each request that it does not answer yet.
        asked = f"cd {where}; docker compose exec -T nginx curl -s -o /dev/null -w '%{{http_code}}' localhost:3141/+api || :"
        eventually(lambda: ask(SERVING, "sh", "-c", asked) == "200", "devpi-server answers", 120)
        wanted = json.dumps({"type": "stage", "bases": [], "volatile": True}).encode()
        made = server.request("/root/bench", login, "PUT", wanted, {"Content-Type": "application/json"})
        uploaded = [folder / release.file for release in store.releases() if release.project == store.MEASURED]
        done = Index(f"{base}/root/bench").twine_upload(login, *uploaded)
        if done.returncode:
            raise BenchError(f"devpi-server does not take the packages:\n{made}\n{done.stdout}{done.stderr}")
        session = json.dumps({"user": login.name, "password": login.password}).encode()
        answer = server.request("/+login", NOBODY, "POST", session, {"Content-Type": "application/json"})
        publishers = (Login(login.name, json.loads(answer.body)["result"]["password"]),) * len(PUBLISHERS)
    return Side("devpi", base, simple="/root/bench/+simple/", uploads="/root/bench/", publishers=publishers)


def _sha() -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(READER.password.encode()).digest()).decode()


def _bcrypt() -> str:
    return bcrypt.hashpw(READER.password.encode(), bcrypt.gensalt(10, b"2b")).decode().replace("$2b$", "$2y$", 1)


_HASHES: dict[str, Callable[[], str]] = {"sha": _sha, "bcrypt": _bcrypt}
