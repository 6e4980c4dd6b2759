"""Pypiserver with our extension under a real gunicorn, on loopback: what tests start, kill and upload to."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.index import BY_NGINX, SECRET, Answer, form

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "roles" / "pypiserver" / "files"
READY_SECONDS = 30.0
# Other runs of these tests may look for ports at the same time.
_PORTS = itertools.count(18100 + os.getpid() % 700 * 20)
_SETTINGS = """
workers = {workers}
worker_class = "gthread"
threads = 4
worker_tmp_dir = "/dev/shm"
timeout = 60
graceful_timeout = 5
errorlog = "-"
"""


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment in which programs of the extension find an index."""
    return {
        **os.environ,
        "PYTHONPATH": str(EXTENSION),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WHEELHOUSE_PACKAGES": str(folder / "packages"),
        "WHEELHOUSE_INDEX": str(folder / "index"),
        "WHEELHOUSE_LOGS": str(folder / "logs"),
    }


def program(
    folder: Path, *words: str, module: str = "wheelhouse_index", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of the extension on an index, as people do in its container."""
    command = [sys.executable, "-W", "ignore", "-m", module, *words]
    own = environment_of(folder)
    return subprocess.run(command, env=own, input=stdin, capture_output=True, text=True, timeout=60, check=False)


class Server:
    """A gunicorn with the extension, over folders that other servers may share.

    Args:
        folder: has packages/ and index/; made where they are missing.
        workers: of gunicorn.
        environment: variables on top.
    """

    def __init__(self, folder: Path, workers: int = 2, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        self.pages = folder / "index"
        self.packages.mkdir(exist_ok=True)
        self.pages.mkdir(exist_ok=True)
        (folder / "logs").mkdir(exist_ok=True)
        self.port = _free_port()
        self.log = folder / f"server-{self.port}.log"
        settings = folder / f"gunicorn-{self.port}.conf.py"
        settings.write_text(_SETTINGS.format(workers=workers))
        secret = folder / "secret.conf"
        secret.write_text(f'map "" $pypi_peer {{ default "{SECRET}"; }}\n')
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(EXTENSION),
            # gunicorn keeps a socket there.
            "HOME": str(folder),
            "WHEELHOUSE_PACKAGES": str(self.packages),
            "WHEELHOUSE_INDEX": str(self.pages),
            "WHEELHOUSE_PEER": str(secret),
            "WHEELHOUSE_LOGS": str(folder / "logs"),
            "WHEELHOUSE_BIND": f"127.0.0.1:{self.port}",
            "GUNICORN_CMD_ARGS": f"--config={settings}",
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            AssertionError: where it does not; with its log.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wheelhouse_index", "serve"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/health").status == 200:
                    return
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"no answer from the server:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def get(self, path: str) -> Answer:
        """Ask for a page."""
        return self._ask("GET", path, b"", BY_NGINX)

    def upload(self, name: str, content: bytes, headers: Mapping[str, str] | None = None, /, **fields: str) -> Answer:
        """Upload a file as clients do; ``fields`` are further ones of the form."""
        body, kind = form({":action": "file_upload", **fields}, {"content": (name, content)})
        return self._ask("POST", "/", body, {**BY_NGINX, "Content-Type": kind, **(headers or {})})

    def cut_off(self, name: str, content: bytes, kept: float, **fields: str) -> None:
        """Upload a file, and hang up when this share of the request is sent."""
        body, kind = form({":action": "file_upload", **fields}, {"content": (name, content)})
        own = "".join(f"{name}: {value}\r\n" for name, value in BY_NGINX.items())
        head = f"POST / HTTP/1.1\r\nHost: x\r\n{own}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(head.encode() + body[: int(len(body) * kept)])

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode(), answer.reason)
        finally:
            connection.close()


def _free_port() -> int:
    """Return a port that nobody listens on."""
    for port in _PORTS:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                tried.bind(("127.0.0.1", port))
                return port
    raise AssertionError("unreachable")
