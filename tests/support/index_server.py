"""pypi-server as it runs in its container, on sockets of its own: what tests start, kill and upload to."""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from tests.support.index import BY_NGINX, Answer, form

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "roles" / "pypiserver" / "files"
READY_SECONDS = 30.0
_NUMBERS = itertools.count(1)
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


def asked(
    main: Callable[..., int], folder: Path, variables: Mapping[str, Any], check: bool = False
) -> tuple[int, dict[str, Any]]:
    """Return what a playbook gets from a command of the extension: exit code and answer. In this process, as that is quicker."""
    answers: list[str] = []
    with mock.patch.dict(os.environ, environment_of(folder)):
        code = main(check, io.StringIO(json.dumps(variables)), answers.append)
    return code, dict(json.loads(answers[0]))


class Server:
    """A gunicorn with the extension, over folders that other servers may share.

    Args:
        folder: has packages/ and index/; made where they are missing.
        workers: of gunicorn.
        sockets: the folder of its sockets, if it is to share one.
        environment: variables on top.
    """

    def __init__(
        self,
        folder: Path,
        workers: int = 2,
        environment: Mapping[str, str] | None = None,
        sockets: Path | None = None,
    ) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        self.pages = folder / "index"
        self.packages.mkdir(exist_ok=True)
        self.pages.mkdir(exist_ok=True)
        (folder / "logs").mkdir(exist_ok=True)
        # A short path: that of a socket has 107 letters at most.
        self.sockets = sockets or Path(tempfile.mkdtemp(prefix="sockets-"))
        self.number = next(_NUMBERS)
        self.name = f"replica-{self.number}"
        self.log = folder / f"{self.name}.log"
        settings = folder / f"{self.name}.conf.py"
        settings.write_text(_SETTINGS.format(workers=workers))
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(EXTENSION),
            # gunicorn keeps a socket there.
            "HOME": str(folder),
            "WHEELHOUSE_PACKAGES": str(self.packages),
            "WHEELHOUSE_INDEX": str(self.pages),
            "WHEELHOUSE_LOGS": str(folder / "logs"),
            "WHEELHOUSE_SOCKETS": str(self.sockets),
            "WHEELHOUSE_REPLICA": self.name,
            "GUNICORN_CMD_ARGS": f"--config={settings}",
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.sockets / self.name, ignore_errors=True)

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

    @property
    def pid(self) -> int:
        """The process that was started, and the group of all that it has started."""
        assert self._process
        return self._process.pid

    def get(self, path: str) -> Answer:
        """Ask for a page."""
        return self._ask("pages", "GET", path, b"", {})

    def upload(self, name: str, content: bytes, headers: Mapping[str, str] | None = None, /, **fields: str) -> Answer:
        """Upload a file as clients do; ``fields`` are further ones of the form."""
        body, kind = form({":action": "file_upload", **fields}, {"content": (name, content)})
        return self._ask("uploads", "POST", "/_upload", body, {**BY_NGINX, "Content-Type": kind, **(headers or {})})

    def cut_off(self, name: str, content: bytes, kept: float, **fields: str) -> None:
        """Upload a file, and hang up when this share of the request is sent."""
        body, kind = form({":action": "file_upload", **fields}, {"content": (name, content)})
        own = "".join(f"{name}: {value}\r\n" for name, value in BY_NGINX.items())
        head = f"POST /_upload HTTP/1.1\r\nHost: x\r\n{own}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        with self.connect("uploads") as connection:
            connection.sendall(head.encode() + body[: int(len(body) * kept)])

    def connect(self, kind: str, name: str = "") -> socket.socket:
        """Connect to one of its sockets, or to that of the replica of a name."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(self.sockets / (name or self.name) / f"{kind}.sock"))
        return connection

    def _ask(self, kind: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("localhost", timeout=60)
        with self.connect(kind) as connection.sock:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode(), answer.reason)
