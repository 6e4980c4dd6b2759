"""What is known of a file lasts, whatever is done to the file; without it, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Answer, Index, Login
from tests.support.stack import Stack, eventually

Page = Callable[[str], dict[str, Any]]
Files = Callable[[str], list[str]]


def time_of(page: Page, project: str) -> str:
    """Return the upload time of a project's only file."""
    (file,) = page(f"/simple/{project}/")["files"]
    return str(file["upload-time"])


def changes(host: Any, stack: Stack, file: Path, command: str) -> None:
    """Do something to a file by hand, and wait until the index has looked at it."""
    place = f"{stack.home}/packages/{file.name}"
    host.check_output(command.format(place=place))
    # What was copied after it and is known means that it has been looked at, too: chmod leaves no other trace.
    marker = f"seen_{uuid4().hex[:8]}-1.0.tar.gz"
    host.check_output(f"install -o pypi -g pypi -m 600 /dev/null {stack.home}/packages/{marker}")
    status = host.check_output(f"stat --format %s,%.9Y {place} | tr -d .")
    query = f"SELECT size || ',' || mtime_ns FROM files WHERE path = '{file.name}' AND recorded"
    query += f" AND EXISTS (SELECT 1 FROM files WHERE path = '{marker}')"
    catalogue = f"file:{stack.home}/index/catalogue-4.sqlite?mode=ro"
    program = f"import sqlite3; print(*sqlite3.connect({catalogue!r}, uri=True).execute({query!r}).fetchone() or '')"
    eventually(lambda: host.check_output(f"python3 -c {quote(program)}") == status, "the index has seen it", 90)
    host.check_output(f"rm {stack.home}/packages/{marker}")


@pytest.mark.parametrize(
    "command",
    [
        "touch {place}",
        "chmod 640 {place}",
        "cp {place} /var/tmp/copy && cat /var/tmp/copy >{place}",
        "cp {place} /var/tmp/copy && rm {place} && sleep 3 && install -o pypi -g pypi -m 600 /var/tmp/copy {place}",
    ],
)
def test_an_upload_time_lasts_whatever_is_done_to_the_file(
    host: Any, stack: Stack, uploaded: Path, project: str, page: Page, command: str
) -> None:
    before = time_of(page, project)
    changes(host, stack, uploaded, command)
    eventually(lambda: len(page(f"/simple/{project}/")["files"]) == 1, "it is on its page", 20)
    assert time_of(page, project) == before
    record = f"{stack.home}/packages/.wheelhouse/files/{project}/{uploaded.name}.json"
    known = json.loads(host.check_output(f"cat {record}"))
    assert (known["upload-time"], known["login"], known["source"]) == (before, "publisher", "upload")


def test_a_removed_name_gets_no_other_content(
    host: Any,
    stack: Stack,
    index: Index,
    publisher: Login,
    uploaded: Path,
    project: str,
    remove: Callable[[str, str], Answer],
    files: Files,
    tmp_path: Path,
) -> None:
    assert remove(project, "1.0").status == 200
    assert files(project) == []
    assert host.file(f"{stack.home}/packages/.wheelhouse/names/{project}").exists
    (tmp_path / "other").mkdir()
    other = packages.wheel(tmp_path / "other", project, padding=b"another content")
    answer = index.upload(publisher, other)
    assert answer.status == 409 and b"was published before with other content" in answer.body, answer
    assert index.upload(publisher, uploaded).status == 200
    assert files(project) == [uploaded.name]


def test_facts_are_not_served(index: Index, reader: Login, uploaded: Path, project: str) -> None:
    for path in ("format", f"names/{project}", f"files/{project}/{uploaded.name}.json"):
        assert index.request(f"/packages/.wheelhouse/{path}", reader).status == 404


def test_without_its_facts_an_index_serves_and_changes_nothing(
    host: Any,
    stack: Stack,
    index: Index,
    publisher: Login,
    reader: Login,
    uploaded: Path,
    project: str,
    files: Files,
    tmp_path: Path,
) -> None:
    folder = f"{stack.home}/packages"
    host.check_output(f"mv {folder}/.wheelhouse /var/tmp/facts")
    try:
        answer = index.upload(publisher, packages.wheel(tmp_path, project, "2.0"))
        assert answer.status == 503 and b"cannot use its facts" in answer.body, answer
        assert files(project) == [uploaded.name]
        assert index.request(f"/packages/{uploaded.name}", reader).status == 200
        eventually(
            lambda: any("packages/.wheelhouse/format is missing" in line for line in stack.log("pypi-server")),
            "the log says why",
            20,
        )
    finally:
        host.check_output(f"mv /var/tmp/facts {folder}/.wheelhouse")
    assert index.upload(publisher, packages.wheel(tmp_path, project, "2.0")).status == 200
    stack.wait_until_healthy("pypi-server")
