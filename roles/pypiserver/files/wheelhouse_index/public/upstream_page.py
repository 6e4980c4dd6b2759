"""A project's page as an upstream serves it, in JSON (PEP 691) or HTML (PEP 503), read into one model. Pure functions.

What is wrong with a page as a whole makes it unusable; what is wrong with a file leaves that file out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin

from ..common.times import moment, time_text
from ..fact_store import strict
from ..files import names
from .policy import Upstream, parsed_version

JSON, HTML, TEXT = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html", "text/html"
_JSON_TYPES = {JSON, "application/vnd.pypi.simple.latest+json"}
_HTML_TYPES = {HTML, "application/vnd.pypi.simple.latest+html", TEXT}
# With names, digests and addresses as the public index has them, 5,000 files are 3.4 MB of JSON, or 2.2 MB of HTML. Indexes that
# have HTML alone have fewer, and HTML can be made to take far more memory.
LARGEST_BYTES, LARGEST_HTML_BYTES = 16 * 1024 * 1024, 4 * 1024 * 1024
# What is larger is read in a process of its own (reading.py).
LARGE_BYTES, LARGE_HTML_BYTES = 1024 * 1024, 128 * 1024
# Of files on a page, and of attributes in a tag.
_MOST_FILES, _MOST_ATTRIBUTES = 50_000, 200
QUARANTINED = "quarantined"

# NGINX has the same in its configuration.
FILE_PATH = re.compile(
    r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._+!-]*(?:"
    + "|".join(map(re.escape, names.SUFFIXES))
    + ")"
)
_PATH_LETTERS, _SEGMENT_LETTERS = 1000, 240
_ADDRESS = re.compile(r"https://([A-Za-z0-9.-]+(?::[0-9]{1,5})?)/([^?#\s]*)(?:#(.*))?")
_API_VERSION = re.compile(r"1\.[0-9]{1,4}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STATUS = re.compile(r"[a-z][a-z-]{0,30}")
# The year 2262, with which whole numbers of 64 bits end.
_LATEST_NS = 2**63


class UnusableError(Exception):
    """A page cannot be used. Says why."""


class File(NamedTuple):
    """A file on a page.

    Attributes:
        name: of the file.
        version: that its name speaks of, as it is spelt there; may be none of PEP 440.
        host: where it is.
        path: below that host, decoded.
        sha256: its digest.
        size: in bytes, where that is known.
        upload_time: as this index writes times; empty where upstream says none.
        uploaded: the same in seconds since 1970.
        requires_python: a specifier, or empty.
        yanked: the reason, which may be empty; None for a file that is not yanked.
        metadata: the digest of its core metadata; empty if there are some without one, None if there are none.
        provenance: the address of its attestations, or empty.
    """

    name: str
    version: str
    host: str
    path: str
    sha256: str
    size: int | None
    upload_time: str
    uploaded: float | None
    requires_python: str
    yanked: str | None
    metadata: str | None
    provenance: str


class Page(NamedTuple):
    """A project's page.

    Attributes:
        project: its normalised name.
        files: in upstream's order.
        status: of the project (PEP 792); empty for one that is active.
        status_reason: of that.
        left_out: files that cannot be offered, by name, and why.
    """

    project: str
    files: tuple[File, ...]
    status: str
    status_reason: str
    left_out: Mapping[str, str]


def read(project: str, upstream: Upstream, body: bytes | bytearray, content_type: str) -> Page:
    """Return upstream's page of a project.

    Args:
        project: its normalised name.
        upstream: which serves it.
        body: what it serves.
        content_type: as it says.

    Raises:
        UnusableError: if it is no page of that project.
    """
    kind = _kind(content_type)
    largest = LARGEST_HTML_BYTES if kind in _HTML_TYPES else LARGEST_BYTES
    if len(body) > largest:
        raise UnusableError(f"it has more than {largest // 1024 // 1024} MB")
    reader = _Reader(project, upstream)
    try:
        if kind in _JSON_TYPES:
            return _of_json(reader, body)
        if kind in _HTML_TYPES:
            return _of_html(reader, body)
    except (ValueError, RecursionError) as error:
        raise UnusableError(str(error) or "it cannot be parsed") from error
    raise UnusableError(f"its content type, {kind[:80] or 'missing'}, is not that of a simple page")


def is_large(body: bytes | bytearray, content_type: str) -> bool:
    """Tell whether reading a page may take much memory."""
    return len(body) > (LARGE_HTML_BYTES if _kind(content_type) in _HTML_TYPES else LARGE_BYTES)


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class _Reader:
    """Reads files of one page.

    Args:
        project: its normalised name.
        upstream: which serves it.
    """

    def __init__(self, project: str, upstream: Upstream) -> None:
        self.project = project
        self._hosts = upstream.hosts
        self.base = f"{upstream.url}{project}/"
        self._folders: dict[str, str] = {}
        spelt = "[-_.]+".join(map(re.escape, project.split("-")))
        self._name = re.compile(rf"{spelt}-(.+)", re.IGNORECASE | re.ASCII)
        self.files: dict[tuple[str, str], File] = {}
        self.left_out: dict[str, str] = {}
        # Files that are called as those of this project are, and others.
        self._own, self._others = 0, 0
        self._count = 0

    def add(self, name: object, url: object, rest: Callable[[str], Mapping[str, Any]]) -> None:
        """Add a file, or note why not.

        Args:
            name: as the page says it.
            url: of the file.
            rest: returns all but name, version and place, given the address's fragment; raises ValueError.
        """
        self._count += 1
        if self._count > _MOST_FILES:
            raise UnusableError(f"it has more than {_MOST_FILES:,} files")
        try:
            if not isinstance(name, str) or not isinstance(url, str):
                raise ValueError("it has no name or address")
            version = self._version(name)
            self._own += 1
            host, path, fragment = self._place(url)
            if path.rpartition("/")[2] != name:
                raise ValueError("its name is not the one in its address")
            file = File(name=name, version=version, host=host, path=path, **rest(fragment))
        except ValueError as error:
            self.left_out[str(name)[:_SEGMENT_LETTERS]] = str(error)
        else:
            self.files.setdefault((host, path), file)

    def page(self, status: object = "", reason: object = "") -> Page:
        """Return the page with what was added."""
        if self._others and not self._own:
            raise ValueError(f"its files are not of {self.project}")
        status = status if isinstance(status, str) and _STATUS.fullmatch(status) and status != "active" else ""
        said = _clean(reason) if status else ""
        # None is to be installed (PEP 792).
        files = () if status == QUARANTINED else tuple(self.files.values())
        return Page(self.project, files, status, said, self.left_out)

    def _version(self, name: str) -> str:
        """Return the version that a file's name speaks of; raise ValueError for one that is not of the project."""
        suffix = names.suffix(name)
        if not suffix:
            raise ValueError(f"it ends with none of {', '.join(names.SUFFIXES)}")
        found = self._name.fullmatch(name, 0, len(name) - len(suffix))
        if found:
            version = found[1].partition("-")[0] if suffix in (names.WHEEL, names.EGG) else found[1]
            if parsed_version(version):
                return version
            # `NAME-OTHER-1.0` may be a file of `NAME-OTHER`.
            release = names.of_file(name)
            if release and release.project == self.project:
                return version
        self._others += 1
        raise ValueError(f"it is not a file of {self.project}")

    def _place(self, url: str) -> tuple[str, str, str]:
        """Return host, path and fragment of an address, which may be relative."""
        found = _ADDRESS.fullmatch(url) or _ADDRESS.fullmatch(self._absolute(url))
        if not found:
            raise ValueError("its address is not https, or has a login or a query")
        host = found[1].lower().removesuffix(":443")
        if host not in self._hosts:
            raise ValueError(f"it is on {host[:100]}, which is not among the upstream's file_hosts")
        path = found[2]
        if "%" in path:
            if "%2f" in path.lower():
                raise ValueError("its address has an encoded slash")
            path = unquote(path, errors="replace")
        if not FILE_PATH.fullmatch(path) or len(path) > _PATH_LETTERS:
            raise ValueError("its address has characters that this index does not serve")
        if max(map(len, path.split("/"))) > _SEGMENT_LETTERS:
            raise ValueError(f"its address has a part with more than {_SEGMENT_LETTERS} letters")
        return host, path, found[3] or ""

    def _absolute(self, url: str) -> str:
        # Nearly all of a page are in the same folder.
        folder, slash, _name = url.partition("#")[0].rpartition("/")
        if "?" in url or not slash or not folder:
            return urljoin(self.base, url)
        if folder not in self._folders:
            self._folders[folder] = urljoin(self.base, f"{folder}/")
        return self._folders[folder] + url[len(folder) + 1 :]

    def provenance(self, url: object) -> str:
        """Return the address of a file's attestations, if clients may be sent there."""
        found = _ADDRESS.fullmatch(url) if isinstance(url, str) else None
        return url if found and isinstance(url, str) and found[1].lower() in self._hosts else ""


def _of_json(reader: _Reader, body: bytes | bytearray) -> Page:
    document = strict.parsed(body.decode())
    version = strict.text(strict.at(document, "meta"), "api-version")
    if not _API_VERSION.fullmatch(version):
        raise ValueError(f"its API version is {version[:20]}, and this index knows 1.x")
    name, files = strict.text(document, "name"), strict.at(document, "files")
    if names.normalised(name) != reader.project:
        raise ValueError(f"it is a page of {name[:100]}")
    if not isinstance(files, list):
        raise ValueError("files is not a list")
    for file in files:
        if not isinstance(file, dict):
            raise ValueError("files has an entry that is no object")
        reader.add(file.get("filename"), file.get("url"), partial(_rest_of_json, reader, file))
    status = document.get("project-status")
    said = status if isinstance(status, dict) else {}
    return reader.page(said.get("status"), said.get("reason"))


def _rest_of_json(reader: _Reader, file: Mapping[str, Any], _fragment: str) -> dict[str, Any]:
    hashes, size = file.get("hashes"), file.get("size")
    upload_time, uploaded = _moment(file.get("upload-time"))
    yanked = file.get("yanked")
    return {
        "sha256": _digest(hashes.get("sha256") if isinstance(hashes, dict) else None),
        "size": size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 53 else None,
        "upload_time": upload_time,
        "uploaded": uploaded,
        "requires_python": _clean(file.get("requires-python")),
        "yanked": None if yanked is False or yanked is None else _clean(yanked),
        "metadata": _metadata(file.get("core-metadata", file.get("dist-info-metadata"))),
        "provenance": reader.provenance(file.get("provenance")),
    }


def _metadata(said: object) -> str | None:
    if isinstance(said, dict):
        digest = said.get("sha256")
        return digest.lower() if isinstance(digest, str) and _SHA256.fullmatch(digest.lower()) else ""
    return "" if said is True else None


class _Anchors(HTMLParser):
    """Reads what a simple page has: links with their texts, and what its head says."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[dict[str, str], str]] = []
        self.meta: dict[str, str] = {}
        self.base = ""
        self._link: dict[str, str] | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len(attrs) > _MOST_ATTRIBUTES:
            raise ValueError(f"it has a tag with more than {_MOST_ATTRIBUTES} attributes")
        said = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._end()
            if len(self.links) >= _MOST_FILES:
                raise ValueError(f"it has more than {_MOST_FILES:,} links")
            self._link, self._text = said, []
        elif tag == "meta" and "name" in said:
            self.meta.setdefault(said["name"].lower(), said.get("content", ""))
        elif tag == "base":
            self.base = self.base or said.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end()

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._text.append(data)

    def _end(self) -> None:
        if self._link is not None:
            self.links.append((self._link, "".join(self._text).strip()))
        self._link = None


def _of_html(reader: _Reader, body: bytes | bytearray) -> Page:
    parser = _Anchors()
    parser.feed(body.decode("utf-8", "replace"))
    parser.close()
    version = parser.meta.get("pypi:repository-version", "1.0")
    if not _API_VERSION.fullmatch(version):
        raise ValueError(f"its API version is {version[:20]}, and this index knows 1.x")
    if not parser.links and "pypi:repository-version" not in parser.meta:
        raise ValueError("it is HTML without links, and no simple page")
    reader.base = urljoin(reader.base, parser.base)
    for link, text in _links(parser.links):
        reader.add(text, link.get("href"), partial(_rest_of_html, reader, link))
    return reader.page(parser.meta.get("pypi:project-status"), parser.meta.get("pypi:project-status-reason"))


def _links(links: Iterable[tuple[dict[str, str], str]]) -> Iterable[tuple[dict[str, str], str]]:
    """Return the links that are to be of files: with a digest, or called like one. Others lead elsewhere."""
    return [(link, text) for link, text in links if names.suffix(text) or "#sha256=" in link.get("href", "")]


def _rest_of_html(reader: _Reader, link: Mapping[str, str], fragment: str) -> dict[str, Any]:
    said = dict(part.partition("=")[::2] for part in fragment.split("&"))
    metadata = link.get("data-core-metadata", link.get("data-dist-info-metadata"))
    digest = dict([(metadata or "").partition("=")[::2]]).get("sha256", "")
    return {
        "sha256": _digest(said.get("sha256")),
        "size": None,
        "upload_time": "",
        "uploaded": None,
        "requires_python": _clean(link.get("data-requires-python", "")),
        "yanked": _clean(link["data-yanked"]) if "data-yanked" in link else None,
        "metadata": None if metadata in (None, "", "false") else _metadata({"sha256": digest}),
        "provenance": reader.provenance(link.get("data-provenance")),
    }


def _digest(said: object) -> str:
    digest = said.lower() if isinstance(said, str) else ""
    if not _SHA256.fullmatch(digest):
        raise ValueError("upstream gives no sha256 of it")
    return digest


def _moment(said: object) -> tuple[str, float | None]:
    """Return a time as this index writes it, and in seconds since 1970; nothing for what is none."""
    if not isinstance(said, str):
        return "", None
    try:
        time_ns = moment(said)
        # What is earlier or later cannot be written as it is.
        return (time_text(time_ns), time_ns / 1e9) if 0 <= time_ns < _LATEST_NS else ("", None)
    except (ValueError, OverflowError):
        return "", None


def _clean(said: object) -> str:
    """Return a text that can be written anywhere, on one line; empty for what is none."""
    if not isinstance(said, str) or not said:
        return ""
    return " ".join(said.encode("utf-8", "replace").decode().split())[:2000]
