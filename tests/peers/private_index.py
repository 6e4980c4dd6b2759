"""An index of a folder's wheels, which proxpi has as its first index: ``private_index.py FOLDER PORT``.

The folder has a folder for each project. Pages are HTML with hashes, and with those of the metadata, which it serves too.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Pages of what is there now."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a page or a file."""
        here = Path(self.translate_path(self.path))
        # Without a slash at the end, a folder is redirected to itself with one.
        if here.is_dir() and self.path.endswith("/"):
            links = sorted(map(_link, here.iterdir()))
            self._answer("".join(["<!DOCTYPE html><title>index</title>", *links]).encode(), "text/html")
        elif here.suffix == ".metadata" and here.with_suffix("").is_file():
            self._answer(_metadata(here.with_suffix("")), "text/plain")
        else:
            super().do_GET()

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _link(path: Path) -> str:
    if path.is_dir():
        return f'<a href="{path.name}/">{path.name}</a>\n'
    digest, of_metadata = (hashlib.sha256(one).hexdigest() for one in (path.read_bytes(), _metadata(path)))
    return f'<a href="{path.name}#sha256={digest}" data-core-metadata="sha256={of_metadata}">{path.name}</a>\n'


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    ThreadingHTTPServer(("", int(port)), lambda *rest: Handler(*rest, directory=folder)).serve_forever()
