"""An index under test, as its readers see it."""

from __future__ import annotations

import hashlib
import html.parser
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from tests.support.clients import Answer, Index, Login
from tests.support.one_url import HTML, JSON
from tests.support.public_index import PublicIndex

EITHER = f"{JSON}, {HTML};q=0.2, text/html;q=0.1"


@dataclass(frozen=True)
class Subject:
    """An index with the stand-in of tests/ground/public_index as its upstream.

    Attributes:
        url: of its pages, with a slash at the end.
        reader: who reads; no login where it has none.
        put: publishes a private file.
        public: its upstream.
        reserved: a private name that has no file and is reserved in its settings; empty where it has no such setting.
        fresh: for how many seconds it may answer from a cached page.
    """

    url: str
    reader: Login
    put: Callable[[Path], None]
    public: PublicIndex
    reserved: str = ""
    fresh: float = 5.0

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET", login: Login | None = None
    ) -> Answer:
        """Ask for an address below the pages' one, and follow redirects on the same host."""
        for _hop in range(4):
            parts = urlsplit(urljoin(self.url, url))
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            who = self.reader if login is None else login
            answer = Index(f"{parts.scheme}://{parts.netloc}").request(path, who, method, None, headers)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            url = urljoin(parts.geturl(), answer.headers["location"])
            assert urlsplit(url).netloc == parts.netloc, f"it redirects to {urlsplit(url).netloc}"
        return answer

    def page(self, project: str, accept: str = EITHER, login: Login | None = None) -> Answer:
        """Ask for a project's page."""
        return self.get(f"{project}/", {"Accept": accept}, login=login)

    def files(self, project: str, accept: str = EITHER) -> dict[str, Entry]:
        """Return what a project's page lists, by file name; nothing where there is no page."""
        answer = self.page(project, accept)
        if answer.status == 404:
            return {}
        assert answer.status == 200, f"the page of {project} is a {answer.status}"
        return entries(answer, urljoin(self.url, f"{project}/"))

    def download(self, entry: Entry) -> Answer:
        """Fetch a file."""
        return self.get(entry.url)


@dataclass(frozen=True)
class Entry:
    """A file on a page; attributes that HTML and JSON have are spelt as in JSON."""

    url: str
    sha256: str
    more: dict[str, Any] = field(default_factory=dict)

    def is_right(self, answer: Answer) -> bool:
        """Say whether the whole file came."""
        return answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == self.sha256


def entries(answer: Answer, base: str) -> dict[str, Entry]:
    """Read a page in either form; addresses become absolute."""
    if "json" in answer.headers.get("content-type", ""):
        return {
            file["filename"]: Entry(
                urldefrag(urljoin(base, file["url"])).url, file.get("hashes", {}).get("sha256", ""), file
            )
            for file in json.loads(answer.body)["files"]
        }
    links = _Links()
    links.feed(answer.body.decode())
    found = {}
    for attributes, text in links.found:
        url, fragment = urldefrag(urljoin(base, attributes["href"] or ""))
        digest = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        more = {name.removeprefix("data-"): value for name, value in attributes.items() if name.startswith("data-")}
        found[text.strip()] = Entry(url, digest, more)
    return found


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.inside: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link begins."""
        if tag == "a":
            self.inside = dict(attrs)

    def handle_data(self, data: str) -> None:
        """A link's text is the file's name."""
        if self.inside is not None and data.strip():
            self.found.append((self.inside, data))
            self.inside = None
