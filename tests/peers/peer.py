"""The peers: pinned releases from PyPI, each with packages of its own, configured as its documentation says.

A peer runs on a host where the stand-in of a public index runs too (tests/ground/public_index), which resolves the
stand-in's names, and where our index has been applied, which brings the image of NGINX::

    with peer.started(peer.PEERS["devpi-server"], "bench-serving") as running:
        running.pages   # the address of its simple pages
        running.put(wheel)
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.hosts import WORK, BenchError, address, ask, run, send
from tests.bench.public import AUTHORITY, UPSTREAM
from tests.ground import python_packages
from tests.ground.recipes import StandIn
from tests.ground.shell import step
from tests.support.clients import Index, Login, form
from tests.support.stack import eventually

# The hosts' Python.
_PYTHON = "3.13"
_TOP = "/srv/peers"
_PRIVATE_INDEX = Path(__file__).resolve().parent / "private_index.py"
_LOGIN = Login("root", "peers")
# A private name without a file: an empty folder, or an empty project.
RESERVED = "acme-reserved"
# In seconds: pypi_upstream_freshness is as long.
FRESH = 600


@dataclass(frozen=True)
class Server:
    """A program of a peer, or one that it needs.

    Attributes:
        command: what is run, in the peer's folder.
        port: where it answers.
        ready: the path that it answers with 200 once it serves.
        environment: beside the authority of upstream; {fresh} stands for how many seconds a page is fresh.
    """

    command: str
    port: int
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes:
        name: the distribution's.
        version: its release.
        pages: the path of its pages.
        servers: what it consists of, in the order in which they are started; the last one has the pages.
        beside: distributions that its documentation wants beside it.
        before: a shell script that is run before it is started.
        configure: configures it by its API, once it serves; gets how many seconds a page is fresh.
        uploads: the path to which twine publishes; without one, private packages are copied into a folder.
    """

    name: str
    version: str
    pages: str
    servers: tuple[Server, ...]
    beside: tuple[str, ...] = ()
    before: str = ""
    configure: Callable[[Index, int], None] | None = None
    uploads: str = ""

    @property
    def folder(self) -> str:
        """Its folder on the host, in which its servers run: python/, private/ and state/."""
        return f"{_TOP}/{self.name}"


@dataclass(frozen=True)
class Running:
    """A peer that serves.

    Attributes:
        peer: which one.
        host: the host that it runs on.
        pages: the address of its simple pages, with a slash at the end.
    """

    peer: Peer
    host: str
    pages: str

    def put(self, file: Path) -> None:
        """Publish a private package.

        Raises:
            BenchError: with what is said against it.
        """
        if self.peer.uploads:
            parts = urlsplit(self.pages)
            base = Index(f"{parts.scheme}://{parts.netloc}{self.peer.uploads.rstrip('/')}")
            done = base.twine_upload(_LOGIN, file)
            if done.returncode:
                raise BenchError(f"{self.peer.name} does not take {file.name}:\n{done.stdout}{done.stderr}")
            return
        folder = f"{self.peer.folder}/private/{file.name.partition('-')[0].replace('_', '-')}"
        ask(self.host, "install", "-d", folder)
        run(["docker", "cp", str(file), f"{self.host}:{folder}/"])


@contextmanager
def started(peer: Peer, host: str, fresh: int = FRESH) -> Iterator[Running]:
    """Have a peer serve on a host for a while, with nothing cached and no private package.

    Args:
        peer: which one.
        host: where the stand-in runs.
        fresh: for how many seconds a page is served from its cache, where that can be set.

    Raises:
        BenchError: if it cannot be started.
    """
    with step(f"{peer.name} {peer.version}"):
        _install(peer, host)
        units = [f"peer-{place}-{peer.name}" for place, _server in enumerate(peer.servers)]
        script = f"cd {peer.folder}; rm -rf private state gen-config; mkdir -p private/{RESERVED} state; {peer.before}"
        ask(host, "env", f"PYTHONPATH={peer.folder}/python", "sh", "-ec", script)
    try:
        for unit, server in zip(units, peer.servers):
            _start(unit, peer, server, host, fresh)
        base = Index(f"http://{address(host)}:{peer.servers[-1].port}")
        if peer.configure:
            peer.configure(base, fresh)
        yield Running(peer, host, f"{base.url}{peer.pages}")
    finally:
        for unit in units:
            ask(host, "sh", "-c", f"systemctl stop {unit} 2>&1 || :")


def _install(peer: Peer, host: str) -> None:
    """Put a peer's packages onto a host, where they are not yet."""
    wanted = (f"{peer.name}=={peer.version}", *peer.beside)
    folder = WORK / "peers" / peer.name / peer.version
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        recipe = StandIn(peer.name, "", "", (), {}, (), wanted, _PYTHON)
        python_packages.install(recipe, folder.with_suffix(".part")).replace(folder)
    if ask(host, "sh", "-c", f"ls {peer.folder}/python 2>/dev/null || :") == "":
        send(host, folder, f"{peer.folder}/python")
    run(["docker", "cp", str(_PRIVATE_INDEX), f"{host}:{_TOP}/"])


def _start(unit: str, peer: Peer, server: Server, host: str, fresh: int) -> None:
    """Start a server as a unit of systemd, and wait until it serves."""
    trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), AUTHORITY)
    settings = {"PYTHONPATH": f"{peer.folder}/python", **trusted, **server.environment}
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--working-directory={peer.folder}"]
    command += [f"--setenv={name}={value.format(fresh=fresh)}" for name, value in settings.items()]
    ask(host, *command, *shlex.split(server.command))
    index = Index(f"http://{address(host)}:{server.port}")

    def serves() -> bool:
        try:
            return index.request(server.ready).status == 200
        except (OSError, HTTPException):
            return False

    try:
        eventually(serves, f"{unit} serves", 180)
    except AssertionError as error:
        log = ask(host, "journalctl", "--no-pager", "--lines=30", f"--unit={unit}")
        raise BenchError(f"{error}\n{log}") from error


def _configure_devpi(server: Index, fresh: int) -> None:
    """Make a mirror of upstream, and the index that takes uploads and inherits from it."""
    mirror = {
        "type": "mirror",
        "mirror_url": UPSTREAM,
        "mirror_cache_expiry": fresh,
        "mirror_provides_core_metadata": True,
        "volatile": False,
    }
    stage = {"type": "stage", "bases": ["root/public"], "volatile": True}
    for name, wanted in (("public", mirror), ("private", stage)):
        headers = {"Content-Type": "application/json"}
        answer = server.request(f"/root/{name}", _LOGIN, "PUT", json.dumps(wanted).encode(), headers)
        if answer.status != 200:
            raise BenchError(f"devpi-server does not make the index {name}: {answer}")
    body, headers = form({":action": "submit", "name": RESERVED, "version": "0"})
    answer = server.request("/root/private/", _LOGIN, "POST", body, headers)
    if answer.status != 200:
        raise BenchError(f"devpi-server does not register {RESERVED}: {answer}")


_ALL = (
    # With what its image starts it by. It has no packages of its own: its first index is another server.
    Peer(
        "proxpi",
        "1.3.1",
        "/index/",
        (
            Server("python3 ../private_index.py private 8021", 8021, "/"),
            Server(
                "python3 -m gunicorn --preload --logger-class proxpi.server._GunicornLogger --threads 2"
                " --bind 0.0.0.0:8022 proxpi.server:app",
                8022,
                "/health",
                {
                    "PROXPI_INDEX_URL": "http://127.0.0.1:8021/",
                    "PROXPI_EXTRA_INDEX_URLS": UPSTREAM,
                    "PROXPI_INDEX_TTL": "{fresh}",
                    "PROXPI_EXTRA_INDEX_TTLS": "{fresh}",
                    "PROXPI_CACHE_DIR": "state",
                },
            ),
        ),
        beside=("gunicorn==25.3.0",),
    ),
    Peer(
        "devpi-server",
        "6.20.3",
        "/root/private/+simple/",
        (
            Server("python3 -m devpi_server --serverdir state --host 0.0.0.0 --enable-core-metadata", 3141, "/+api"),
            # By the configuration that it generates: NGINX sends the files that devpi-server has.
            Server(
                "docker run --rm --user=0:0 --network=host --volume=./gen-config:/etc/nginx/conf.d:ro"
                f" --volume=./state:{_TOP}/devpi-server/state:ro nginx:1.30",
                8023,
                "/+api",
            ),
        ),
        before=f"""
            made() {{ python3 -c "from devpi_server.$1 import $1; $1()" --serverdir state $2; }}
            made init '--no-root-pypi --root-passwd {_LOGIN.password}'
            made genconfig
            find gen-config -type f ! -name nginx-devpi.conf -delete
            sed -i 's/listen 80;/listen 8023;/' gen-config/nginx-devpi.conf""",
        configure=_configure_devpi,
        uploads="/root/private/",
    ),
    Peer(
        "simple-repository-server",
        "0.10.0",
        "/simple/",
        (
            Server(
                f"python3 -m simple_repository_server --port 8024 --stream-http-resources private {UPSTREAM}",
                8024,
                "/simple/",
            ),
        ),
    ),
)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _ALL}
