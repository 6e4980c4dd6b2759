"""An index behind a small HTTP server: pages and files are found as NGINX finds them. It notes what is asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from wheelhouse_index.index.output import BESIDE

from tests.support.index import Index

JSON = "application/vnd.pypi.simple.v1+json"
# Below this prefix every page is HTML, whatever is asked for.
HTML_ONLY = "/html"


class Files(SimpleHTTPRequestHandler):
    """Serves index/ and packages/ as NGINX does, and notes what is asked for."""

    asked: list[str]

    def __init__(self, index: Index, asked: list[str], *rest: object) -> None:
        self.index = index
        self.asked = asked
        super().__init__(*rest)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """Find the file of an address."""
        path = unquote(path.partition("?")[0])
        html = path.startswith(f"{HTML_ONLY}/")
        path = path.removeprefix(HTML_ONLY).lstrip("/")
        if path.startswith("simple/"):
            kind = "json" if JSON in self.headers.get("Accept", "") and not html else "html"
            return str(self.index.pages / path / f"index.{kind}")
        folder = self.index.pages if path.endswith(BESIDE) else self.index.packages.parent
        return str(folder / path)

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        """Return a page's content type."""
        name = str(path)
        return JSON if name.endswith(".json") else "text/html" if name.endswith(".html") else "application/octet-stream"

    def do_POST(self) -> None:
        """Have the index take a form, as of a login that may do everything."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.index.send(body, self.headers["Content-Type"])
        content = answer.text.encode()
        self.send_response(answer.status, answer.reason)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, _format: str, *_values: object) -> None:
        """Note a request."""
        self.asked.append(f"{self.command} {self.path.partition('#')[0]}")


@contextmanager
def serving(index: Index) -> Iterator[tuple[str, list[str]]]:
    """Serve an index; give its base address without a slash at the end, and the requests that it has had."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, index, asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
