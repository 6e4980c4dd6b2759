"""Reads go on whatever happens to pypiserver, and nothing is read twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
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
        # Pages that pypiserver makes, as long as NGINX may remember the address that is gone.
        for number in range(10):
            assert index.request(f"/packages/?{uuid4().hex}", reader).status == 200
            file = packages.wheel(tmp_path, project, f"{number}.0")
            assert index.upload(publisher, file).status in (200, 502), "an upload"
            assert index.upload(publisher, file).status in (200, 409), "the upload after it"
            assert file.name in files(project)
            time.sleep(0.3)
    finally:
        host.check_output(f"docker start {gone}")
    assert stays in replicas()


def test_a_restart_reads_no_file_again(host: Any, index: Index, stack: Stack, uploaded: Path, project: str) -> None:
    path = f"{stack.home}/packages/{uploaded.name}"
    # With another time of access, reading would leave a trace; relatime is told to leave one.
    host.check_output(f"touch -a -d '2 days ago' {path}")
    before = host.check_output(f"stat --format %X {path}")
    stack.compose("restart pypi-server")
    stack.wait_until_healthy("pypi-server")
    time.sleep(3)
    assert host.check_output(f"stat --format %X {path}") == before
    host.check_output(f"cat {path} >/dev/null")
    assert host.check_output(f"stat --format %X {path}") != before, "this file system does not tell who reads"


def test_pages_are_served_while_all_of_them_are_made_anew(
    host: Any, index: Index, reader: Login, stack: Stack, uploaded: Path, project: str
) -> None:
    page = f"{stack.home}/index/simple/{project}/index.html"
    host.check_output(f"echo '<!-- old -->' >>{page}")
    with traffic(index, reader, f"/simple/{project}/") as answers:
        stack.compose("exec -T pypi-server python3 -m wheelhouse_index.rebuild")
        eventually(lambda: b"old" not in index.request(f"/simple/{project}/", reader).body, "the page is a new one", 20)
    assert set(answers) == {"200"}


def test_an_index_folder_that_was_emptied_fills_again(
    host: Any, index: Index, publisher: Login, reader: Login, stack: Stack, uploaded: Path, project: str, tmp_path: Path
) -> None:
    # While pypiserver writes there.
    eventually(lambda: host.run(f"find {stack.home}/index -mindepth 1 -delete").rc == 0, "index/ is empty", 10)

    def there() -> bool:
        return index.request(f"/simple/{project}/", reader).headers.get("x-cache") == "DISK"

    eventually(there, "the page is on disk again", 20)
    assert uploaded.name.encode() in index.request(f"/simple/{project}/", reader).body
    assert index.upload(publisher, packages.wheel(tmp_path, project, "2.0")).status == 200


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


@pytest.fixture
def broken_extension(host: Any, stack: Stack) -> Iterator[None]:
    """The extension does not load, as it might not in an image of another Python."""
    file = f"{stack.home}/pypiserver/wheelhouse_index/app.py"
    host.check_output(f"cp {file} /root/app.py && echo 'raise ImportError(\"not in this image\")' >>{file}")
    stack.compose("restart pypi-server")
    yield
    host.check_output(f"cat /root/app.py >{file}")
    stack.compose("restart pypi-server")
    stack.wait_until_healthy("pypi-server")


def test_pypiservers_own_backend_serves_where_the_extension_does_not_load(
    host: Any,
    index: Index,
    publisher: Login,
    reader: Login,
    stack: Stack,
    tmp_path: Path,
    uploaded: Path,
    project: str,
    files: Callable[[str], list[str]],
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("broken_extension")
    eventually(
        lambda: index.request(f"/simple/{project}/", reader).headers["x-cache"] != "DISK", "pages are taken away"
    )
    newer = packages.wheel(tmp_path, project, "2.0")
    eventually(lambda: index.upload(publisher, newer).status in (200, 409), "uploads are taken")

    def listed() -> bool:
        return newer.name.encode() in index.request(f"/simple/{project}/", reader).body

    eventually(listed, "an upload is on its page", 10)
    assert index.request(f"/simple/{project}/", reader).headers["x-cache"] != "DISK"
    done = site("--tags", "stack", "--check")
    assert "The collection's extension does not load in this image of pypiserver" in done.message(), done.output
    assert "ImportError: not in this image" in done.message(), done.output


def test_once_it_loads_again_pages_are_on_disk_again_with_what_was_uploaded_meanwhile(
    index: Index, reader: Login, stack: Stack, files: Callable[[str], list[str]]
) -> None:
    def on_disk() -> bool:
        return index.request("/simple/", reader).headers.get("x-cache") == "DISK"

    eventually(on_disk, "pages are on disk", 20)
    projects = json.loads(
        index.request("/simple/", reader, headers={"Accept": "application/vnd.pypi.simple.v1+json"}).body
    )
    newest = [one["name"] for one in projects["projects"]]
    assert any(len(files(name)) > 1 for name in newest)
    assert "does not load" not in site("--tags", "stack", "--check").message()
