"""Facts are not served, and without them nothing is changed. That they last: tests/unit/wheelhouse_index/test_facts.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.stack import Stack, eventually


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
    files: Callable[[str], list[str]],
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
