"""An index with private and public projects, as a reader sees it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.support.clients import Answer, Index, Login, form

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
# In seconds: longer than pypi_upstream_freshness of the scenario, and when at the latest a page follows upstream.
EXPIRED = 6
FOLLOWS = 40


@dataclasses.dataclass(frozen=True)
class OneUrl:
    """An index and a login that reads there."""

    index: Index
    reader: Login

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Ask for an address exactly as given."""
        return self.index.request(path, self.reader, method, headers=headers)

    def page(self, project: str) -> Answer:
        """Ask for a project's page as JSON."""
        return self.get(f"/simple/{project}/", {"Accept": JSON})

    def files(self, project: str) -> list[dict[str, Any]]:
        """Return what a project's page says of its files."""
        answer = self.page(project)
        assert answer.status == 200, (project, answer)
        return list(json.loads(answer.body)["files"])

    def names(self, project: str) -> list[str]:
        """Return the names of the files on a project's page; none where there is no page."""
        answer = self.page(project)
        assert answer.status in (200, 404), (project, answer)
        return [file["filename"] for file in json.loads(answer.body)["files"]] if answer.status == 200 else []

    def address(self, project: str, place: int = -1) -> str:
        """Return the path of a file on a project's page."""
        return path_of(project, self.files(project)[place])

    def why(self, project: str) -> str:
        """Return what the index says of what is held back."""
        answer = self.get(f"/why/{project}/")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain"), answer
        return answer.body.decode()


def path_of(project: str, entry: Mapping[str, Any]) -> str:
    """Return the path of a file that a project's page lists, as a client makes it of the page's own address."""
    return urljoin(f"/simple/{project}/", entry["url"]).partition("#")[0]


def is_right(answer: Answer, entry: Mapping[str, Any]) -> bool:
    """Say whether the whole file came that a page's entry is of."""
    return answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == entry["hashes"]["sha256"]


def remove(index: Index, login: Login, name: str, version: str) -> Answer:
    """Remove a release by pypiserver's form."""
    body, headers = form({":action": "remove_pkg", "name": name, "version": version})
    return index.request("/", login, "POST", body, headers)


def together(jobs: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Send requests at once, and return their answers in order."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(lambda job: job(), jobs))


def timed(job: Callable[[], Answer]) -> tuple[Answer, float]:
    """Return an answer, and how many seconds it took."""
    began = time.monotonic()
    return job(), time.monotonic() - began


def installed(folder: Path) -> set[str]:
    """Return the releases that an installer has put below a folder, as ``name-version``."""
    return {path.name.removesuffix(".dist-info").lower() for path in folder.rglob("*.dist-info")}
