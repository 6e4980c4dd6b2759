"""An index of pypiserver's extension as tests see it: its folders, its application, and what its pages say."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from pypi_simple import ProjectPage
from pypiserver.config import Config
from wheelhouse_index.files import names, reading
from wheelhouse_index.index.quotas import Quotas
from wheelhouse_index.server import app
from wheelhouse_index.server.backend import IndexedBackend
from wheelhouse_index.server.keeper import Keeper

# What NGINX sends with a request of a login that may do everything.
BY_NGINX = {
    "X-Wheelhouse-Login": "publisher",
    "X-Wheelhouse-Rights": "publish delete yank",
}
# In packages/, what the index itself keeps there.
KEPT = {".incoming", ".wheelhouse"}
BASE = "https://pypi.example.com/simple/{project}/"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Answer:
    """What an application has answered; the reason is that of the status line."""

    status: int
    headers: Mapping[str, str]
    text: str
    reason: str = ""


class Index:
    """An index in a folder, without a thread and without a server.

    Args:
        folder: where to make it.
        overwrite: whether an upload may replace a file.
        url: its own address.
        quotas: as Compose passes them.
        settings: others, as their attributes.
    """

    def __init__(self, folder: Path, overwrite: bool = False, url: str = "", quotas: str = "", **settings: Any) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        self.pages = folder / "index"
        self.packages.mkdir(exist_ok=True)
        self.pages.mkdir(exist_ok=True)
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        folders = self.packages.resolve(), self.pages, self.logs
        limits = Quotas.of_text(quotas)
        self.settings = app.Settings(*folders, overwrite=overwrite, url=url, quotas=limits, **settings)
        self.overwrite = overwrite
        self.store = self.settings.store()
        self.store.prepare()
        self.keeper = Keeper(self.store, 0.0)
        self.application = app.Application(self.store)
        self.changes = app.changes(self.store, self.settings)
        self.backend = IndexedBackend(Config.default_with_overrides(roots=[self.packages]), self.store)

    def look(self) -> None:
        """Do what the keeper does when it looks at every file."""
        self.keeper._thorough_at = 0.0
        self.keeper.step()

    def lose_pages(self) -> None:
        """Remove all that is in index/."""
        shutil.rmtree(self.pages)
        self.pages.mkdir()

    def get(self, path: str) -> Answer:
        """Ask for a page that disk lacks."""
        return call(self.application, path)

    def upload(self, name: str, content: bytes, headers: Mapping[str, str] | None = None, /, **fields: str) -> Answer:
        """Upload a file as clients do; ``fields`` are further ones of the form."""
        body, kind = form({":action": "file_upload", **fields}, {"content": (name, content)})
        return self.send(body, kind, headers)

    def send(self, body: bytes | io.BytesIO, kind: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a body of a content type."""
        stream = io.BytesIO(body) if isinstance(body, bytes) else body
        known = {**BY_NGINX, "Content-Type": kind, "Content-Length": str(stream.getbuffer().nbytes)}
        said = self.changes.answer({**known, **(headers or {})}, stream)
        status, own, text = said.parts()
        number, _blank, reason = status.partition(" ")
        return Answer(int(number), dict(own), text.decode(), reason)

    def ask(self, action: str, headers: Mapping[str, str] | None = None, /, **fields: str) -> Answer:
        """Send a form with an action and these fields."""
        return self.send(*form({":action": action, **fields}, {}), headers)

    def remove(self, name: str = "", version: str = "", **fields: str) -> Answer:
        """Remove a release, or by ``filename`` a file."""
        return self.ask("remove_pkg", name=name, version=version, **fields)

    def listed(self, project: str) -> dict[str, str]:
        """Return the digest of each file on a project's page; empty where there is no page."""
        return listed(self.pages, project)

    def projects(self) -> set[str]:
        """Return what is on the list of projects."""
        return projects(self.pages)

    def truth(self) -> dict[str, dict[str, str]]:
        """Return the digest of each file in packages/, by path, by project: what pages have to say."""
        return truth(self.packages, self.overwrite)

    def stored(self) -> dict[str, bytes]:
        """Return what is in packages/, by path, but for what the index itself keeps there."""
        found = {path.relative_to(self.packages): path for path in self.packages.rglob("*") if path.is_file()}
        return {str(place): path.read_bytes() for place, path in found.items() if place.parts[0] not in KEPT}

    def record(self, project: str, name: str) -> dict[str, Any]:
        """Return what the store of facts has of a file."""
        return dict(json.loads((self.packages / ".wheelhouse/files" / project / f"{name}.json").read_text()))

    def times(self, project: str) -> dict[str, str]:
        """Return the upload time of each file on a project's page."""
        page = json.loads((self.pages / "simple" / project / "index.json").read_text())
        return {file["filename"]: file["upload-time"] for file in page["files"]}

    def said(self) -> dict[str, dict[str, str]]:
        """Return what all pages say, in the same shape."""
        return {project: found for project in self.projects() if (found := self.listed(project))}


def _opens(path: Path) -> bool:
    """Tell whether an archive is one: half a copy is not served."""
    with path.open("rb") as file:
        return reading.read_file(path.name, file)[2]


def form(fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    """Return the body of a form and its content type."""
    boundary = uuid.uuid4().hex
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [
        f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        for name, (file, content) in files.items()
    ]
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def call(application: Application, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
    """Ask a WSGI application."""
    environment = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "pypi.example.com",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()},
    }
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    parts = application(environment, lambda status, found, _error=None: begun.append((status, found)))
    text = b"".join(parts).decode()
    status, found = begun[-1]
    number, _blank, reason = status.partition(" ")
    return Answer(int(number), dict(found), text, reason)


def in_a_child(what: Callable[[], int]) -> int:
    """Do something in a process of its own; return its exit code, below nothing where a signal has ended it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = what()
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def sha256(content: bytes) -> str:
    """Return a digest in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def listed(pages: Path, project: str) -> dict[str, str]:
    """Return the digest of each file on a project's page, by path below packages/; empty where there is no page.

    Raises:
        AssertionError: where the page's four forms do not say the same.
    """
    folder = pages / "simple" / project
    forms = [folder / f"index.{kind}{packed}" for kind in ("html", "json") for packed in ("", ".gz")]
    if not any(form.exists() for form in forms):
        return {}
    html, packed_html, document, packed_document = (form.read_bytes() for form in forms)
    assert gzip.decompress(packed_html) == html, f"the compressed page of {project} is another one"
    assert gzip.decompress(packed_document) == document, f"the compressed JSON of {project} is another one"
    base = BASE.format(project=project)
    by_html = ProjectPage.from_html(project, html, base_url=base)
    by_json = ProjectPage.from_json_data(json.loads(document), base_url=base)
    found = _digests(by_html)
    assert found == _digests(by_json), f"the pages of {project} do not say the same"
    return found


def _digests(page: ProjectPage) -> dict[str, str]:
    found = {_path(urljoin("https://pypi.example.com/", package.url)): package.digests for package in page.packages}
    assert len(found) == len(page.packages), "a file is listed twice"
    return {path: digests["sha256"] for path, digests in found.items()}


def _path(url: str) -> str:
    return unquote(urlsplit(url).path).removeprefix("/packages/")


def projects(pages: Path) -> set[str]:
    """Return the list of projects.

    Raises:
        AssertionError: where its forms do not say the same.
    """
    simple = pages / "simple"
    html, document = simple.joinpath("index.html").read_bytes(), simple.joinpath("index.json").read_bytes()
    assert gzip.decompress(simple.joinpath("index.html.gz").read_bytes()) == html
    assert gzip.decompress(simple.joinpath("index.json.gz").read_bytes()) == document
    found = [project["name"] for project in json.loads(document)["projects"]]
    assert html.count(b"<a href=") == len(found) == len(set(found))
    return set(found)


def truth(packages: Path, overwrite: bool = False) -> dict[str, dict[str, str]]:
    """Return the digest of each file in packages/ that can be served, by path, by project.

    By its name alone: of tests in which the name does not tell, use ``release`` of what they have made. What is not what
    was first published by its name is not served, unless it may be overwritten.
    """
    found: dict[str, dict[str, str]] = {}
    for path in packages.rglob("*"):
        place = path.relative_to(packages)
        release = names.of_file(path.name)
        served = names.is_served(path.name) and all(map(names.is_folder, place.parts[:-1])) and path.suffix != ".asc"
        if release and served and path.is_file() and not any(part.is_symlink() for part in (path, *path.parents)):
            digest = sha256(path.read_bytes())
            record = packages / ".wheelhouse/files" / release.project / f"{path.name}.json"
            recorded = json.loads(record.read_text())["sha256"] if record.exists() else ""
            if recorded == digest or ((overwrite or not recorded) and _opens(path)):
                found.setdefault(release.project, {})[place.as_posix()] = digest
    return found
