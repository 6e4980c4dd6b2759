"""NGINX's socket by which the extension asks upstream, as tests see it: pages, files and every fault by a switch."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

JSON, HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
URL, HOST, FILES_HOST = "https://public.example.org/simple/", "public.example.org", "files.example.org"
OLD = "2020-01-01T00:00:00Z"


@dataclass
class Said:
    """What the outlet says: of a page, or of a file."""

    body: bytes = b""
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    # Seconds before the answer, and the part of the body after which it breaks off: half, reset.
    wait: float = 0.0
    fault: str = ""


def listed(name: str, path: str = "", host: str = FILES_HOST, **more: Any) -> dict[str, Any]:
    """Return a file as a JSON page lists it; ``more`` in place of what it would say, by its key with _ for -."""
    file: dict[str, Any] = {
        "filename": name,
        "url": f"https://{host}/{path or f'packages/{name}'}",
        "hashes": {"sha256": hashlib.sha256(name.encode()).hexdigest()},
        "size": len(name),
        "upload-time": OLD,
    }
    for key, value in more.items():
        file[key.replace("_", "-")] = value
    return {key: value for key, value in file.items() if value is not ...}


def page(project: str, *files: Mapping[str, Any], version: str = "1.1", **more: Any) -> Said:
    """Return a JSON page."""
    document = {"meta": {"api-version": version}, "name": project, "files": list(files), **more}
    return Said(json.dumps(document).encode())


def html(*links: str, head: str = "") -> Said:
    """Return an HTML page of these links."""
    text = f"<!DOCTYPE html><html><head>{head}</head><body>{''.join(f'{link}<br>' for link in links)}</body></html>"
    return Said(text.encode(), content_type=HTML)


class Outlet:
    """A server on a socket.

    Attributes:
        place: the socket.
        asked: the paths of all requests, in order.
        pages: what is said by way (``kept``, ``last``, ``unkept``) and project; what is not there is a 404.
        files: what is said of files, by host and path; with ``!`` before it, of what is fetched once more.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.asked: list[str] = []
        self.numbers: list[int] = []
        self.pages: dict[tuple[str, str], Said] = {}
        self.files: dict[str, Said] = {}
        # Called with each path before it is answered.
        self.before: Callable[[str], object] = lambda _path: None

    def serve(self, project: str, *files: Mapping[str, Any], **more: Any) -> None:
        """Have a project served, whichever way it is asked for."""
        for way in ("kept", "last", "unkept"):
            self.pages[way, project] = page(project, *files, **more)

    def say(self, project: str, said: Said, *ways: str) -> None:
        """Have something said of a project."""
        for way in ways or ("kept", "last", "unkept"):
            self.pages[way, project] = said

    def projects(self) -> set[str]:
        """Return the projects that were asked for, by their pages or files."""
        return {path.split("/")[3] if path.startswith("/file/") else path.rpartition("/")[2] for path in self.asked}

    def said(self, path: str, fresh: bool) -> Said:
        """Return what is said to a request."""
        if path.startswith("/file/"):
            place = path.removeprefix("/file/")
            missing = Said(status=404, headers={"X-Upstream": "404"})
            return self.files.get(f"!{place}" if fresh else place, self.files.get(place, missing))
        way, number, project = re.fullmatch(r"/(kept|last|unkept)/([0-9]+)/(.+)", path).groups()  # type: ignore[union-attr]
        self.numbers.append(int(number))
        missing = Said(status=502) if way == "last" else Said(status=404, headers={"X-Upstream": "404"})
        return self.pages.get((way, project), missing)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    outlet: Outlet

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients hang up here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer as the outlet says."""
        outlet = self.server.outlet
        outlet.asked.append(self.path)
        outlet.before(self.path)
        said = outlet.said(self.path, self.headers.get("X-Fresh") == "1")
        time.sleep(said.wait)
        self.send_response(said.status)
        for name, value in {"Content-Type": said.content_type, "X-Cache": "MISS", **said.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if not said.fault:
            self.wfile.write(said.body)
            return
        self.wfile.write(said.body[: len(said.body) // 2])
        if said.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


@contextmanager
def outlet() -> Iterator[Outlet]:
    """Yield an outlet that runs."""
    # A short path: that of a socket has 107 letters at most.
    with tempfile.TemporaryDirectory(prefix="out-") as folder:
        place = Path(folder, "out.sock")
        own = Outlet(place)
        with _Server(str(place), _Handler) as server:
            server.outlet = own
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            try:
                yield own
            finally:
                server.shutdown()
