"""The first start of a release with another format of pages, on a tree whose store of facts is lost: it serves meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest
from wheelhouse_index.index import taking_in, writing
from wheelhouse_index.rendering import pages
from wheelhouse_index.server import health

from tests.support import packages as made
from tests.support.index import Index, in_a_child
from tests.unit.wheelhouse_index.test_crashes import STEPS, steps

# Of pages of the release before.
API_BEFORE = "1.1"
LONG_AGO = 1_500_000_000
TIMES = {f"2017-07-14T02:40:{number:02}.000000Z" for number in range(12)}


def named(number: int) -> str:
    return f"p{number % 4}-1.{number}-py3-none-any.whl"


def look(index: Index) -> None:
    """Look until there is no more to do."""
    index.keeper._thorough_at = 0.0
    while index.keeper.step():
        pass


def api_versions(index: Index) -> dict[str, str]:
    found = {page.parent.name: json.loads(page.read_bytes()) for page in index.pages.glob("simple/*/index.json")}
    return {project: page["meta"]["api-version"] for project, page in sorted(found.items())}


RENEWED = dict.fromkeys(("p0", "p1", "p2", "p3"), pages.API_VERSION)


@pytest.fixture
def tree(in_memory: Path) -> Path:
    """A tree with twelve files."""
    index = Index(in_memory)
    for number in range(12):
        (index.packages / named(number)).write_bytes(made.file(named(number)))
        os.utime(index.packages / named(number), (LONG_AGO + number,) * 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FORMAT", pages.FORMAT - 1)
        patch.setattr(pages, "API_VERSION", API_BEFORE)
        look(index)
    (index.pages / ".facts").unlink()
    shutil.rmtree(index.packages / ".wheelhouse")
    return in_memory


def recorded(index: Index) -> int:
    return len(list((index.packages / ".wheelhouse/files").rglob("*.json")))


def test_files_are_recorded_before_pages_are_renewed_and_those_of_before_serve(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "_RECORDED", 5)
    monkeypatch.setattr(writing, "BATCH", 1)
    index = Index(tree)
    assert index.store.output.is_complete()
    seen = []
    while index.keeper.step():
        assert index.store.output.is_complete() and index.said() == index.truth()
        seen.append((recorded(index), list(api_versions(index).values()).count(API_BEFORE)))
    print(seen)
    assert seen == [(5, 4), (10, 4), (12, 4), (12, 3), (12, 2), (12, 1), (12, 0)]
    assert api_versions(index) == RENEWED


def test_it_keeps_what_is_changed_meanwhile(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "_RECORDED", 2)
    index = Index(tree)
    assert index.keeper.step()
    assert 0 < recorded(index) < 12
    new = "p1-2.0-py3-none-any.whl"
    assert index.upload(new, made.file(new)).status == 200
    assert api_versions(index) == {**dict.fromkeys(RENEWED, API_BEFORE), "p1": pages.API_VERSION}
    assert index.remove("p3", "1.11").status == 200
    (index.packages / named(9)).unlink()
    look(index)
    assert recorded(index) == 13 and api_versions(index) == RENEWED
    # By hand, over HTTP: the names stay theirs.
    for name in (named(11), named(9)):
        assert index.upload(name, made.file(name, b"other")).status == 409, name
    assert index.said() == index.truth()


def test_it_goes_on_where_it_was_killed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "_RECORDED", 3)

    def started(number: int) -> int:
        steps(number, STEPS, lambda: os.kill(os.getpid(), signal.SIGKILL))
        look(Index(tree))
        return 0

    codes = [in_a_child(partial(started, number)) for number in range(5, 200, 13)]
    print(codes)
    assert -signal.SIGKILL in codes[:2] and codes[-1] == 0
    index = Index(tree)
    look(index)
    assert recorded(index) == 12 and api_versions(index) == RENEWED
    assert index.said() == index.truth()
    assert {index.record(f"p{number % 4}", named(number))["upload-time"] for number in range(12)} == TIMES
    assert health.problems(index.store) == []
