"""With a backend of pypiserver's own: pages come from a short cache, and from it alone while pypiserver is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login
from tests.support.playbook import site
from tests.support.stack import Stack, eventually, traffic


@pytest.fixture(scope="module", autouse=True)
def _shipped(index: Index, reader: Login) -> Iterator[None]:
    with traffic(index, reader, "/simple/", clients=1) as answers:
        said = site(
            "--tags",
            "users,pypiserver,nginx,stack",
            pypi_backend="simple-dir",
            pypi_replicas=1,
            pypi_freshness_seconds=4,
        )
    # The operator has chosen it: nothing to warn of.
    assert "does not load" not in said.message()
    # From disk until NGINX is told to ask pypiserver, which is there by then.
    assert set(answers) == {"200"}
    yield
    with traffic(index, reader, "/simple/", clients=1) as answers:
        site("--tags", "pypiserver,nginx,stack")
    assert set(answers) == {"200"}
    assert index.request("/simple/", reader).headers["x-cache"] == "DISK"


def test_a_page_comes_from_the_cache_for_as_long_as_it_is_fresh(
    host: Any, index: Index, publisher: Login, reader: Login, uploaded: Path, project: str, stack: Stack
) -> None:
    page = f"/simple/{project}/"
    first = index.request(page, reader)
    assert (first.status, first.headers["x-cache"]) == (200, "MISS")
    for login in (NOBODY, Login("reader", "wrong"), Login("stranger", "reader-password")):
        answer = index.request(page, login)
        assert (answer.status, uploaded.name.encode() in answer.body) == (401, False)
    again = index.request(page, publisher)
    assert (again.status, again.headers["x-cache"], again.body) == (200, "HIT", first.body)
    assert host.check_output(f"grep -rl {page} {stack.home}/nginx_cache/pages").count("\n") == 0
    time.sleep(5)
    assert index.request(page, reader).headers["x-cache"] == "EXPIRED"


def test_known_pages_are_served_to_readers_while_pypiserver_is_away(
    index: Index, reader: Login, uploaded: Path, project: str, stack: Stack
) -> None:
    page = index.request(f"/simple/{project}/", reader)
    stack.compose("stop pypi-server")
    try:
        # Longer than the page is fresh, and than NGINX remembers pypiserver's address.
        time.sleep(6)
        for _ in range(2):
            start = time.monotonic()
            answer = index.request(f"/simple/{project}/", reader)
            assert (answer.status, answer.body) == (200, page.body), stack.log("nginx")[-5:]
            assert answer.headers["x-cache"] == "STALE"
            assert time.monotonic() - start < 5
        assert index.request(f"/packages/{uploaded.name}", reader).body == uploaded.read_bytes()
        assert index.request(f"/simple/{project}/", NOBODY).status == 401
        assert index.request(f"/simple/{project}/", Login("reader", "wrong")).status == 401
        # What is not known is not said to be missing.
        assert index.request(f"/simple/unknown-{project}/", reader).status in (502, 504)
    finally:
        stack.compose("start pypi-server")
    eventually(lambda: index.request(f"/simple/{project}/", reader).headers["x-cache"] != "STALE", "pages are fresh")


def test_the_backend_that_is_chosen_serves(
    index: Index, reader: Login, stack: Stack, tmp_path: Path, publisher: Login, project: str
) -> None:
    assert "--backend simple-dir" in " ".join(stack.inspect("pypi-server")["Config"]["Cmd"])
    assert b"Welcome to pypiserver" in index.request("/", reader).body
    file = packages.wheel(tmp_path, f"{project}-again")
    assert [index.upload(publisher, file).status for _ in range(2)] == [200, 409]
