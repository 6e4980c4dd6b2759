"""Facts are not served, and without them nothing is changed. That they last: tests/unit/wheelhouse_index/test_facts*.py."""

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


def test_packages_that_are_mounted_late_or_taken_away_are_out_of_reach_and_not_removed(
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
    folder, second = f"{stack.home}/packages", packages.wheel(tmp_path, project, "2.0")

    def states() -> set[str]:
        return {one["State"]["Health"]["Status"] for one in stack.inspect_all("pypi-server")}

    # To the containers, which run, it is as if what belongs there had been taken away.
    host.check_output(f"mount -t tmpfs none {folder}")
    try:
        answer = index.upload(publisher, second)
        assert answer.status == 503 and b"not mounted at the moment; nothing was changed" in answer.body, answer
        assert files(project) == [uploaded.name]
        answer = index.request(f"/packages/{uploaded.name}", reader)
        assert answer.status == 503 and b"not mounted at the moment" in answer.body, answer
        eventually(lambda: states() == {"unhealthy"}, "the containers are unhealthy", 60)
        assert any("Health: packages/ is not mounted" in line for line in stack.log("pypi-server"))
        # Longer than the keeper waits between its looks.
        assert files(project) == [uploaded.name]
        assert host.check_output(f"ls -A {folder}") == ""
    finally:
        host.check_output(f"umount {folder}")
    assert index.upload(publisher, second).status == 200
    assert sorted(files(project)) == [uploaded.name, second.name]
    assert index.request(f"/packages/{uploaded.name}", reader).status == 200
    stack.wait_until_healthy("pypi-server")
