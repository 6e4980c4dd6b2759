"""Packages come from other indexes by their pages: pypiserver, and an index of this collection with a yanked file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login, form
from tests.support.hosts import untouched
from tests.support.playbook import Run, applied, refused, says
from tests.support.stack import eventually

testinfra_hosts = ["ansible://pypi-import"]

IMPORT = "wheelhouse.pypi.import"
OLD = "/home/deploy/pypi-server"
LOGIN, RELEASER = Login("pypi-user", "sha-password"), Login("publisher", "release-password")
PAGES = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture(scope="module")
def home() -> str:
    return "/home/pypi/internal"


@pytest.fixture(scope="module")
def pypiserver(host: Any, index: Index) -> Iterator[Index]:
    """pypiserver itself of the tutorial, which was replaced."""
    host.check_output(f"cd {OLD} && docker compose --ansi never up --detach --pull never pypi-server")
    old = Index(f"{index.url}:8080")
    eventually(lambda: old.request("/simple/", LOGIN).status == 200, "pypiserver answers", 60)
    yield old
    host.check_output(f"cd {OLD} && docker compose --ansi never down")


def arguments(port: int, login: Login, *projects: str) -> dict[str, Any]:
    return {
        "pypi_import_from": f"http://127.0.0.1:{port}/simple",
        "pypi_import_username": login.name,
        "pypi_import_password": login.password,
        "pypi_import_projects": projects,
    }


def counted(done: Run, which: str) -> list[int]:
    """Return the numbers that a report says."""
    match = re.search(rf"{which} \d+ files\.(?: [A-Z][^:.]+: \d+\.)+", done.message())
    assert match, done.output
    return [int(number) for number in re.findall(r"\d+", match[0])]


def files(index: Index, login: Login, project: str) -> dict[str, dict[str, Any]]:
    """Return what a page says of each file: what an import keeps."""
    page = index.request(f"/simple/{project}/", login, headers=PAGES)
    assert page.status == 200, page
    kept = ("hashes", "size", "upload-time", "yanked")
    return {one["filename"]: {key: one.get(key) for key in kept} for one in json.loads(page.body)["files"]}


def test_an_index_that_cannot_be_read_is_refused(host: Any, pypiserver: Index) -> None:
    wrong = Login("pypi-user", "not-the-password")
    with untouched(host):
        message = refused(playbook=IMPORT, **arguments(8080, wrong))
        says(message, "pypi_import_from: http://127.0.0.1:8080/simple/ answers 403; give pypi_import_username and")
    assert wrong.password not in message


def test_pypiserver_has_files_that_are_new_there_already_other_and_broken(
    host: Any, pypiserver: Index, index: Index, publisher: Login, home: str, tmp_path: Any
) -> None:
    (tmp_path / "other").mkdir()
    new, same = (packages.wheel(tmp_path, name) for name in ("afresh", "same-there"))
    ours, theirs = (
        packages.wheel(folder, "differs", "1.0", folder.name.encode()) for folder in (tmp_path, tmp_path / "other")
    )
    broken = tmp_path / "harmed-1.0.tar.gz"
    broken.write_bytes(packages.sdist(tmp_path, "harmless").read_bytes()[:200])
    for file in (new, same, theirs, broken):
        assert pypiserver.upload(LOGIN, file).status == 200
    for file in (same, ours):
        assert index.upload(publisher, file).status == 200
    host.check_output(f"touch --date=@1500000000 {OLD}/packages/{new.name}")
    # With a pattern, the list of projects is read.
    given = arguments(8080, LOGIN, "afresh*", "same-there", "differs", "harmed")
    with untouched(host):
        done = applied(IMPORT, "--check", "--diff", **given)
    assert counted(done, "Would fetch") == [2, 1, 1, 0, 0, 0]
    says(done.message(), f"+ {new.name}", f"- {ours.name}: the index has a file of this name with other content")
    done = applied(IMPORT, **given)
    assert (counted(done, "Fetched"), counted(done, "Imported")) == ([2, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0])
    says(done.message(), f"- {broken.name}: {broken.name} cannot be opened as a compressed tar")
    assert files(index, publisher, "afresh")[new.name]["upload-time"] == "2017-07-14T02:40:00.000000Z"
    assert not host.file(f"{home}/.import").exists
    assert LOGIN.password not in done.output
    again = applied(IMPORT, **given)
    assert (counted(again, "Fetched")[:2], again.changed) == ([1, 2], 0)


def test_an_index_of_this_collection_hands_over_times_and_yanks(index: Index, publisher: Login, tmp_path: Any) -> None:
    release = Index(f"{index.url}:8083")
    for version in ("1.0", "2.0"):
        assert release.upload(RELEASER, packages.wheel(tmp_path, "handed", version)).status == 200
    body, headers = form({":action": "yank", "name": "handed", "version": "2.0", "reason": "breaks on Mondays"})
    assert release.request("/", RELEASER, "POST", body, headers).status == 200
    given = arguments(8083, RELEASER)
    there = files(release, RELEASER, "handed")
    assert [there[name]["yanked"] for name in sorted(there)] == [None, "breaks on Mondays"]
    done = applied(IMPORT, **given)
    says(done.message(), "Files yanked: 1.", "handed-2.0-py3-none-any.whl")
    assert files(index, publisher, "handed") == there
    again = applied(IMPORT, **given)
    assert (counted(again, "Fetched")[0], again.changed) == (0, 0)
    says(again.message(), "Files yanked: 0.")
