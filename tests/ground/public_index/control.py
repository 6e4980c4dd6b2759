"""The control port."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from .files import normalised, project_of
from .hosts import PAGES, WHEELS
from .world import World


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
