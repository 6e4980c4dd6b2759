"""Public projects come from each host, and none serves one under a name that is private on any: also not one that is cut off."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.long import only_long
from tests.support.nodes import EVERYTHING, WEB, Node, sha256
from tests.support.one_url import path_of
from tests.support.public_index import PublicIndex
from tests.support.stack import eventually

pytestmark = only_long

# What a public release has, and no private one.
PUBLIC = "9.0"


class Public:
    """The stand-ins of the hosts, which say the same."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.at = {node.name: PublicIndex(node.address) for node in nodes}

    def publish(self, name: str) -> str:
        for one in self.at.values():
            one.publish(name, PUBLIC)
        return name

    def asked(self, node: Node, name: str) -> list[str]:
        """Return what a host has asked about a project since the last call of ``begin``."""
        return self.at[node.name].asked(name)

    def begin(self) -> None:
        for one in self.at.values():
            one.begin()


@pytest.fixture
def public(nodes: list[Node]) -> Public:
    """The stand-ins; the hosts serve what they have."""
    made = Public(nodes)
    warm = made.publish(f"warm-{uuid4().hex[:10]}")
    for node in nodes:
        eventually(partial(_is_public, node, warm), f"{node.name} serves public projects", 60)
    made.begin()
    return made


def shown(node: Node, name: str) -> str:
    """Return what a host says of a name: whether it is public or private there, or the status."""
    try:
        answer = node.get(f"/simple/{name}/")
    except (OSError, HTTPException) as error:
        return type(error).__name__
    if answer.status != 200:
        return str(answer.status)
    versions = json.loads(answer.body)["versions"]
    assert len(versions) > 0, answer
    return "public" if PUBLIC in versions else "private"


def _is_public(node: Node, name: str) -> bool:
    return shown(node, name) == "public"


def _is_decided(node: Node, name: str) -> bool:
    return shown(node, name) != "503"


def served(node: Node, path: str) -> bytes:
    """Return what is public at an address. On a busy machine a host may be late to look at the others: then it is 503."""
    eventually(lambda: node.get(path).status in (200, 404), f"{node.name} decides on {path}", 10)
    answer = node.get(path)
    assert answer.status == 200, (node, path, answer)
    return answer.body


def file_of(node: Node, name: str) -> str:
    """Return the address of a public project's file, once a host has served it."""
    entry = json.loads(served(node, f"/simple/{name}/"))["files"][0]
    path = path_of(name, entry)
    assert sha256(served(node, path)) == entry["hashes"]["sha256"], (node, path)
    return path


def private(folder: Path, name: str) -> Path:
    made = folder / uuid4().hex
    made.mkdir()
    return packages.wheel(made, name, "1.0")


@pytest.fixture
def name(nodes: list[Node], public: Public) -> str:
    """A public project that an upload may take, and that none has taken yet."""
    for number in range(1, 25):
        found = public.publish(f"shadow-{number:02}")
        eventually(partial(_is_decided, nodes[0], found), f"it is known whose {found} is", 10)
        if shown(nodes[0], found) == "public":
            return found
    raise AssertionError("molecule.yml has no more such names")


@contextmanager
def watched(nodes: Sequence[Node], name: str, path: str) -> Iterator[tuple[list[float], list[str]]]:
    """Have all hosts asked for a page and a file all the time; what was served as public is noted with when it was asked for."""
    accepted: list[float] = []
    wrong: list[str] = []
    seen: list[str] = []
    stop = threading.Event()

    def ask(node: Node) -> None:
        while not stop.is_set():
            began, known = time.monotonic(), list(accepted)
            said = shown(node, name)
            try:
                file = node.get(path).status
            except (OSError, HTTPException):
                file = 0
            seen.append(said)
            if known and (said == "public" or file == 200):
                wrong.append(
                    f"{node.name} served {name} ({said}, file {file}) {began - known[0]:.2f} s after the answer"
                )
            time.sleep(0.02)

    threads = [threading.Thread(target=ask, args=(node,), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()
    try:
        yield accepted, wrong
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert "public" in seen, seen[:5]


def test_public_packages_come_from_each_host(nodes: list[Node], public: Public) -> None:
    name = public.publish(f"fresh-{uuid4().hex[:10]}")
    for node in nodes:
        file_of(node, name)
        assert shown(node, name) in ("public", "503")
        assert public.asked(node, name), "each host asks by itself"
        assert node.get(f"/simple/none-{uuid4().hex}/").status in (404, 503)


@pytest.mark.parametrize("publisher", range(3))
def test_a_name_that_turns_private_on_one_host_is_private_on_all(
    nodes: list[Node], public: Public, name: str, tmp_path: Path, publisher: int
) -> None:
    for node in nodes:
        path = file_of(node, name)
    with watched(nodes, name, path) as (accepted, wrong):
        time.sleep(0.5)
        assert nodes[publisher].upload(private(tmp_path, name)) == 200
        accepted.append(time.monotonic())
        assert [shown(node, name) for node in nodes] == ["private"] * 3
        assert [node.get(path).status for node in nodes] == [404] * 3
    assert not wrong, wrong
    # Also when nothing is left of it.
    assert nodes[(publisher + 1) % 3].ask("remove_pkg", name=name, version="1.0") == 200
    assert [shown(node, name) for node in nodes] == ["404"] * 3


def cut_from_all(node: Node, others: Sequence[Node]) -> Any:
    return node.cut_off(others, EVERYTHING)


def without_server(node: Node, _others: Sequence[Node]) -> Any:
    return node.without("pypi-server")


@contextmanager
def paused(node: Node, _others: Sequence[Node]) -> Iterator[None]:
    """Its pypi-server stands still, and goes on where it was."""
    found = node.containers("pypi-server")
    node.host.check_output(f"docker pause {found}")
    try:
        yield
    finally:
        node.host.check_output(f"docker unpause {found}")


@pytest.mark.parametrize("fault", [cut_from_all, without_server, paused])
def test_a_host_that_is_cut_off_serves_nothing_public_from_its_cache(
    nodes: list[Node], public: Public, name: str, tmp_path: Path, figures: dict[str, str], fault: Any
) -> None:
    first, second, third = nodes
    other = public.publish(f"other-{uuid4().hex[:10]}")
    for node in nodes:
        path, other_path = file_of(node, name), file_of(node, other)
    file = private(tmp_path, name)
    with ExitStack() as stack:
        accepted, wrong = stack.enter_context(watched(nodes, name, path))
        with fault(third, (first, second)):
            began = time.monotonic()
            status = first.upload(file)
            # As a client does: without a quorum for a moment, it is to come again.
            while status == 503 and time.monotonic() - began < 30:
                status = first.upload(file)
            assert status == 200, status
            accepted.append(time.monotonic())
            public.begin()
            took = time.monotonic() - began
            assert [shown(third, one) for one in (name, other)] == ["503"] * 2
            assert [third.get(one).status for one in (path, other_path)] == [503] * 2
            assert [shown(node, name) for node in (first, second)] == ["private"] * 2
            for node in (first, second):
                served(node, f"/simple/{other}/")
            assert third.health() in (0, 503)
            time.sleep(1)
            assert [shown(third, one) for one in (name, other)] == ["503"] * 2
            assert not public.asked(third, name) + public.asked(third, other)
        third.wait_until_well(90)
        assert shown(third, name) == "private"
        eventually(lambda: shown(third, other) == "public", "it serves public projects again", 30)
        back = time.monotonic() - began - took
    assert not wrong, wrong
    assert not public.asked(third, name)
    figures[f"upstreams, {fault.__name__}"] = (
        f"the upload of a new name took {took:.1f} s; public projects on that host again {back:.1f} s later"
    )


def test_a_host_that_reaches_the_shared_folder_alone_goes_on_with_public_projects(
    nodes: list[Node], public: Public, name: str, tmp_path: Path
) -> None:
    first, second, third = nodes
    other = public.publish(f"other-{uuid4().hex[:10]}")
    for node in nodes:
        path = file_of(node, name)
    with watched(nodes, name, path) as (accepted, wrong), third.cut_off((first, second), WEB):
        assert first.upload(private(tmp_path, name)) == 200
        accepted.append(time.monotonic())
        assert [shown(node, name) for node in nodes] == ["private"] * 3
        served(third, f"/simple/{other}/")
    assert not wrong, wrong


def test_a_name_that_is_given_back_is_public_on_all_hosts(nodes: list[Node], name: str, tmp_path: Path) -> None:
    assert nodes[0].upload(private(tmp_path, name)) == 200
    assert nodes[1].ask("remove_pkg", name=name, version="1.0") == 200
    assert [shown(node, name) for node in nodes] == ["404"] * 3
    container = nodes[2].containers("pypi-server").split()[0]
    line = json.dumps({"pypi_project": name, "pypi_give_back_confirm": name})
    said = nodes[2].host.run(
        f"echo {shlex.quote(line)} | docker exec --interactive {container} python3 -m wheelhouse_index give-back"
    )
    assert said.rc == 0, (said.stdout, said.stderr)
    for node in nodes:
        served(node, f"/simple/{name}/")
