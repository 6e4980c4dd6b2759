"""Answers to requests for pages and files."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from .faults import OWN_MATTERS
from .files import normalised, project_of
from .hosts import ELSEWHERE, LOGIN, PAGES, WHEELS
from .pages import HTML, JSON
from .world import World


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
