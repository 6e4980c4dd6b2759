"""What the scripts of this folder share: small wheels, and a plain HTTP server that notes what is asked for.

``index.py wheel FOLDER NAME VERSION [HEADER…]`` writes a wheel and prints its SHA-256. TAG=py3-none-linux_x86_64 is for
that platform.
``index.py sdist FOLDER NAME VERSION [HEADER…]`` writes a source distribution and prints its SHA-256.
``index.py serve FOLDER`` serves a folder at a free port, which it writes to FOLDER/port; requests go to FOLDER/requests.
A folder is answered by its index.json (as a simple page in JSON) or its index.html. LOGIN=NAME:PASSWORD asks everybody
for that login; MOVED=PATH answers uploads with a redirect there; CODED=1 names gzip as the content coding of files in `.gz`;
SERIAL=NUMBER is the number of the index's last change, for mirrors; CACHE=TEXT is the Cache-Control of all answers.
"""

import base64
import hashlib
import http.server
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"


def metadata(name, version, headers):
    """Return the core metadata of a release."""
    return "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *headers, ""])


def wheel(folder, name, version, *headers):
    """Write a wheel of no module."""
    stem = f"{name.replace('-', '_')}-{version}"
    tag = os.environ.get("TAG", "py3-none-any")
    pure = "true" if tag.endswith("-any") else "false"
    info = {
        "METADATA": metadata(name, version, headers),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: {pure}\nTag: {tag}\n",
    }
    record = ""
    path = Path(folder) / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in info.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{stem}.dist-info/{member},sha256={digest},{len(text)}\n"
            archive.writestr(f"{stem}.dist-info/{member}", text)
        archive.writestr(f"{stem}.dist-info/RECORD", f"{record}{stem}.dist-info/RECORD,,\n")
    return path


def sdist(folder, name, version, *headers):
    """Write a source distribution of metadata alone."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = Path(folder) / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in {
            "PKG-INFO": metadata(name, version, headers),
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "none"\n',
        }.items():
            entry = tarfile.TarInfo(f"{stem}/{member}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers, and writes a line per request: method, address, status, and whether a login came along."""

    def allowed(self):
        """Say whether the login is right; answer 401 where it is not."""
        login = os.environ.get("LOGIN", "")
        expected = "Basic " + base64.b64encode(login.encode()).decode()
        if not login or self.headers.get("Authorization") == expected:
            return True
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_GET(self):
        """Answer with a file, or with a folder's page."""
        if self.allowed():
            super().do_GET()

    def do_POST(self):
        """Take an upload, or redirect it."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.allowed():
            moved = os.environ.get("MOVED", "")
            self.send_response(301 if moved else 200)
            if moved:
                self.send_header("Location", moved)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def end_headers(self):
        """Name the content coding of a file, how long it is fresh, and the last change."""
        if os.environ.get("CODED") and self.path.endswith(".gz"):
            self.send_header("Content-Encoding", "gzip")
        if os.environ.get("CACHE"):
            self.send_header("Cache-Control", os.environ["CACHE"])
        if os.environ.get("SERIAL"):
            self.send_header("X-PyPI-Last-Serial", os.environ["SERIAL"])
        super().end_headers()

    def translate_path(self, path):
        """Find the file of an address."""
        found = super().translate_path(path)
        page = os.path.join(found, "index.json")
        return page if os.path.isfile(page) else found

    def guess_type(self, path):
        """Name the type of a page."""
        return JSON if str(path).endswith("index.json") else super().guess_type(path)

    def log_request(self, code="-", size="-"):
        """Note a request."""
        login = "with a login" if self.headers.get("Authorization") else "without a login"
        with open(os.path.join(self.directory, "requests"), "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {int(code)} {login}\n")

    def log_message(self, *_values):
        """Stay silent."""


def serve(folder):
    """Serve a folder until the end."""
    folder = os.path.realpath(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *rest: Handler(*rest, directory=folder))
    Path(folder, "port.part").write_text(str(server.server_port), encoding="utf-8")
    Path(folder, "port.part").rename(Path(folder, "port"))
    server.serve_forever()


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(*rest)
    else:
        print(hashlib.sha256((wheel if what == "wheel" else sdist)(*rest).read_bytes()).hexdigest())
