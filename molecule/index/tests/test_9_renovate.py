"""Renovate, by its own code from npm, sees since when a release is there and that it is yanked. For `make test-long`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients import renovate
from tests.support import packages
from tests.support.clients import Index, Login, form
from tests.support.long import only_long

# It takes a tool of several hundred megabytes.
pytestmark = only_long

Page = Callable[[str], dict[str, Any]]
Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    renovate.install()


@pytest.fixture
def release_times(index: Index, publisher: Login, tmp_path: Path, project: str, page: Page) -> dict[str, datetime]:
    """Publish three releases, two of them with a yanked file; return the times of their first files."""
    sent = [packages.wheel(tmp_path, project, version) for version in ("1.0", "1.1", "2.0")]
    sdist = packages.sdist(tmp_path, project, "1.1")
    for file in (*sent, sdist):
        assert index.upload(publisher, file).status == 200
    for fields in ({"filename": sdist.name}, {"name": project, "version": "2.0", "reason": "breaks on Mondays"}):
        body, headers = form({":action": "yank", **fields})
        assert index.request("/", publisher, "POST", body, headers).status == 200
    listed = {file["filename"]: file for file in page(f"/simple/{project}/")["files"]}
    times = {path.name.split("-")[1]: datetime.fromisoformat(listed[path.name]["upload-time"]) for path in sent}
    assert times["1.1"] < datetime.fromisoformat(listed[sdist.name]["upload-time"])
    return times


@pytest.fixture
def without_json(index: Index) -> Iterator[Index]:
    """What lies before the index and forgets what clients accept: they get pages in HTML."""

    class Forgetful(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            login = {"Authorization": self.headers["Authorization"]} if "Authorization" in self.headers else {}
            answer = index.request(self.path, headers=login)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Index(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def looked_up(folder: Path, project: str, registry: str, login: Login) -> Found:
    """Return what Renovate knows of each release."""
    found = renovate.look_up(folder, project, registry, login)
    print(registry, found)
    assert found is not None
    # What came with a login is not put into a cache that others share.
    assert found["isPrivate"] is True
    return {release["version"]: release for release in found["releases"]}


def yanked(found: Found) -> set[str]:
    return {version for version, release in found.items() if release.get("isDeprecated")}


@pytest.mark.parametrize("path", ["/simple/", "/pypi/"])
def test_it_sees_dates_and_yanks(
    index: Index, reader: Login, project: str, tmp_path: Path, release_times: dict[str, datetime], path: str
) -> None:
    found = looked_up(tmp_path, project.upper(), f"{index.url}{path}", reader)
    seen = {version: datetime.fromisoformat(release["releaseTimestamp"]) for version, release in found.items()}
    # It counts in milliseconds; the document of `/pypi/` may have whole seconds.
    late = {version: (seen[version] - time).total_seconds() for version, time in release_times.items()}
    print(late)
    assert seen.keys() == release_times.keys() and all(-1 < seconds <= 0 for seconds in late.values())
    # One yanked file is enough.
    assert yanked(found) == {"1.1", "2.0"}


def test_pages_in_html_have_yanks_and_no_dates(
    without_json: Index, reader: Login, project: str, tmp_path: Path, release_times: dict[str, datetime]
) -> None:
    found = looked_up(tmp_path, project, f"{without_json.url}/simple/", reader)
    assert found.keys() == release_times.keys()
    assert yanked(found) == {"1.1", "2.0"}
    assert not any("releaseTimestamp" in release for release in found.values())


def test_it_shows_no_status_and_finds_nothing_that_is_quarantined_or_needs_a_login(
    index: Index, reader: Login, publisher: Login, project: str, tmp_path: Path, uploaded: Path
) -> None:
    def found(login: Login) -> dict[str, Any] | None:
        return renovate.look_up(tmp_path, project, f"{index.url}/simple/", login)

    def become(status: str) -> None:
        body, headers = form({":action": "set_status", "name": project, "status": status, "reason": "a reason"})
        assert index.request("/", publisher, "POST", body, headers).status == 200

    assert found(Login(reader.name, "not-the-password")) is None
    before = found(reader)
    assert before and [release["version"] for release in before["releases"]] == ["1.0"], uploaded
    become("deprecated")
    assert found(reader) == before
    become("quarantined")
    assert found(reader) == {"releases": [], "isPrivate": True}
