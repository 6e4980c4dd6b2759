"""Projects that do not exist: a 404 from disk, as soon as all projects are on disk, and never a wrong one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Answer, Index, Login
from tests.support.long import some
from tests.support.stack import Stack, eventually, traffic

JSON = "application/vnd.pypi.simple.v1+json"
MARKS = ["index/simple/.complete", "index/json/.complete"]
ADDRESSES = ["/simple/{}/", "/+simple/{}/", "/{}/json", "/pypi/{}/json"]


@pytest.fixture
def wait_until_complete(host: Any, stack: Stack) -> Callable[[], None]:
    """Wait until all projects are on disk."""

    def complete() -> bool:
        return all(host.file(f"{stack.home}/{mark}").exists for mark in MARKS)

    return lambda: eventually(complete, "all pages are written", 30)


@pytest.fixture(autouse=True)
def complete(wait_until_complete: Callable[[], None]) -> None:
    """All projects are on disk."""
    wait_until_complete()


@pytest.fixture
def unknown() -> str:
    """A name that no test has used."""
    return f"no-{uuid4().hex}"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_project_that_does_not_exist_is_a_404_that_never_reaches_pypiserver(
    index: Index, reader: Login, stack: Stack, unknown: str, address: str
) -> None:
    path = address.format(unknown)
    asked = list(itertools.product(("GET", "HEAD"), (JSON, "text/html", "")))
    for method, accept in asked:
        answer = index.request(path, reader, method, headers={"Accept": accept})
        assert (answer.status, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8"), answer
        wanted = f"There is no project {unknown} on this index.\n"
        assert answer.body.decode() == ("" if method == "HEAD" else wanted)
        assert answer.headers["content-length"] == str(len(wanted))
        assert "frame-ancestors" in answer.headers["content-security-policy"]
    eventually(lambda: len(stack.requests(path)) == len(asked), "all are in the access log", 10)
    assert {(line["status"], line["upstream_seconds"]) for line in stack.requests(path)} == {(404, "")}


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_right_to_list_nothing_tells_whether_a_project_exists(
    index: Index, unknown: str, project: str, uploaded: Path, address: str
) -> None:
    for login in (NOBODY, Login("reader", "wrong"), Login("stranger", "wrong")):
        there, missing = (index.request(address.format(name), login) for name in (project, unknown))

        def told(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
            headers = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
            return answer.status, answer.body, headers

        assert told(there) == told(missing)
        assert there.status == 401


@pytest.mark.parametrize("spelling", ["No_Such.Project", "no--such-project", "NO-SUCH-PROJECT"])
def test_another_spelling_leads_to_the_normal_one(index: Index, reader: Login, spelling: str) -> None:
    for address, wanted in (("/simple/{}/", "/simple/no-such-project/"), ("/{}/json", "/pypi/no-such-project/json")):
        answer = index.request(address.format(spelling), reader)
        assert (answer.status, answer.headers["location"]) == (301, wanted), answer
        assert index.request(wanted, reader).status == 404


def test_a_new_project_is_there_with_the_answer_to_its_upload_and_missing_with_that_to_its_removal(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, unknown: str, remove: Callable[[str, str], Answer]
) -> None:
    paths = [address.format(unknown) for address in ADDRESSES]
    for _round in range(3):
        assert {index.request(path, reader).status for path in paths} == {404}
        assert index.upload(publisher, packages.wheel(tmp_path, unknown)).status == 200
        assert {index.request(path, reader).status for path in paths} == {200}
        assert remove(unknown, "1.0").status == 200


@pytest.mark.parametrize("mark", MARKS)
def test_without_a_mark_nothing_is_said_to_be_missing_while_pypiserver_is_away(
    host: Any,
    index: Index,
    reader: Login,
    stack: Stack,
    unknown: str,
    wait_until_complete: Callable[[], None],
    mark: str,
) -> None:
    path = f"/simple/{unknown}/"
    stack.compose("stop pypi-server")
    try:
        assert index.request(path, reader).status == 404
        host.check_output(f"rm {stack.home}/{mark}")
        assert index.request(path, reader).status == 503
    finally:
        stack.compose("up --detach --wait pypi-server")
    wait_until_complete()
    assert index.request(path, reader).status == 404


REMOVED = [
    *("*", "simple/{0}", "simple/{0}/index.*"),
    *("json/{0}.json", "simple", "json"),
    *("simple/.complete", "simple/*"),
]


@pytest.mark.parametrize("removed", some(REMOVED, 3))
def test_what_is_removed_by_accident_is_never_said_to_be_missing(
    host: Any,
    index: Index,
    reader: Login,
    stack: Stack,
    uploaded: Path,
    project: str,
    wait_until_complete: Callable[[], None],
    removed: str,
) -> None:
    paths = [f"/simple/{project}/", f"/+simple/{project}/", f"/{project}/json"]
    pages = [f"{stack.home}/index/{page}" for page in (f"simple/{project}/index.json", f"json/{project}.json")]
    found: set[str] = set()
    for path in paths:
        with traffic(index, reader, path) as answers:
            # While pypiserver writes there.
            host.run(f"cd {stack.home}/index && rm -rf {removed.format(project)}")
            eventually(lambda: all(host.file(page).exists for page in pages), "the pages are there again", 30)
        found |= set(answers)
        wait_until_complete()
    # While the catalogue is made again, pypiserver may say that it cannot answer.
    assert found <= {"200", "500", "502", "503"}, found
    assert "200" in found


def test_files_that_are_copied_in_are_there_in_time_and_their_projects_too(
    host: Any, index: Index, reader: Login, stack: Stack, tmp_path: Path, unknown: str
) -> None:
    file = packages.wheel(tmp_path, unknown)
    assert index.request(f"/simple/{unknown}/", reader).status == 404
    copy, content = f"{stack.home}/packages/{file.name}", file.read_bytes().hex()
    host.check_output(f"python3 -c \"open('{copy}', 'wb').write(bytes.fromhex('{content}'))\" && chown pypi {copy}")
    # pypi_freshness is 2 here, and the machine may be busy.
    eventually(lambda: index.request(f"/simple/{unknown}/", reader).status == 200, "the project is there", 10)
    assert {index.request(address.format(unknown), reader).status for address in ADDRESSES} == {200}
