"""Reads go on whatever happens to pypiserver. What comes back under servers that run: test_healing.py, test_servers.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import site
from tests.support.stack import Stack, eventually, traffic


@pytest.fixture
def all_kinds(project: str, uploaded: Path) -> list[str]:
    """Everything that is read."""
    return [f"/simple/{project}/", "/simple/", "/", f"/packages/{uploaded.name}", f"/packages/{uploaded.name}.metadata"]


def test_no_read_fails_while_pypiserver_is_killed_upgraded_and_comes_back(
    host: Any, index: Index, reader: Login, stack: Stack, all_kinds: list[str], replicas: Callable[[], list[str]]
) -> None:
    found: list[str] = []
    for path in all_kinds:
        with traffic(index, reader, path) as answers:
            for container in replicas():
                host.check_output(f"docker kill --signal KILL {container}")
            time.sleep(0.5)
            stack.compose("up --detach")
            time.sleep(0.5)
        assert len(answers) > 50, "there was hardly any traffic"
        found += answers
    with traffic(index, reader, all_kinds[0]) as answers:
        stack.compose("up --detach --force-recreate pypi-server")
    assert set(found + answers) == {"200"}, {answer: found.count(answer) for answer in set(found)}
    stack.wait_until_healthy("pypi-server")


def test_a_replica_that_is_away_costs_nothing(
    host: Any,
    index: Index,
    publisher: Login,
    reader: Login,
    tmp_path: Path,
    project: str,
    files: Callable[[str], list[str]],
    replicas: Callable[[], list[str]],
) -> None:
    gone, stays = replicas()
    # Frozen would be worse than dead; dead is what happens.
    host.check_output(f"docker stop --time 0 {gone}")
    try:
        # Pages that pypiserver makes. The other one has to notice that it is asked now, which is no matter of seconds.
        eventually(lambda: index.request("/packages/", reader).status == 200, "the other one answers", seconds=2)
        for number in range(10):
            assert index.request(f"/packages/?{uuid4().hex}", reader).status == 200
            file = packages.wheel(tmp_path, project, f"{number}.0")
            assert index.upload(publisher, file).status in (200, 503), "an upload"
            assert index.upload(publisher, file).status in (200, 409), "the upload after it"
            assert file.name in files(project)
            time.sleep(0.3)
    finally:
        host.check_output(f"docker start {gone}")
    assert stays in replicas()


def test_pages_are_served_while_all_of_them_are_written_once_more(
    host: Any, index: Index, reader: Login, stack: Stack, uploaded: Path, project: str
) -> None:
    page = f"{stack.home}/index/simple/{project}/index.html"
    host.check_output(f"echo '<!-- old -->' >>{page}")
    with traffic(index, reader, f"/simple/{project}/") as answers:
        stack.compose("exec -T pypi-server python3 -m wheelhouse_index.rebuild")
        eventually(lambda: b"old" not in index.request(f"/simple/{project}/", reader).body, "the page is a new one", 20)
    assert set(answers) == {"200"}


def test_the_number_of_replicas_can_be_changed_while_the_others_go_on(
    index: Index, reader: Login, stack: Stack, replicas: Callable[[], list[str]], all_kinds: list[str]
) -> None:
    before = replicas()
    with traffic(index, reader, all_kinds[0]) as answers:
        site("--tags", "stack", pypi_replicas=3)
        assert len(replicas()) == 3
        assert set(before) < set(replicas())
        site("--tags", "stack")
    assert len(replicas()) == 2
    assert set(answers) == {"200"}


def test_what_cannot_come_back_makes_the_container_unhealthy_and_is_named(
    host: Any, index: Index, reader: Login, stack: Stack, uploaded: Path, project: str
) -> None:
    folder = f"{stack.home}/packages"
    mode = host.check_output(f"stat --format %a {folder}")
    host.check_output(f"chmod a-w {folder}")
    try:
        eventually(
            lambda: {one["State"]["Health"]["Status"] for one in stack.inspect_all("pypi-server")} == {"unhealthy"},
            "pypi-server is unhealthy",
            120,
        )
        logs = host.check_output(f"docker compose --project-directory {stack.home} logs pypi-server")
        assert "Health: packages/ cannot be written to by uid" in logs, logs[-2000:]
        assert index.request(f"/simple/{project}/", reader).status == 200
        assert index.request(f"/packages/{uploaded.name}", reader).status == 200
    finally:
        host.check_output(f"chmod {mode} {folder}")
    stack.wait_until_healthy("pypi-server")
