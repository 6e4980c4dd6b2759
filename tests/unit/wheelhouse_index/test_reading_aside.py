"""Many files, read by processes of their own: what they tell, and what is left of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from wheelhouse_index import reading_aside, writing
from wheelhouse_index.entry import Entry, Stamp
from wheelhouse_index.reading import read_files
from wheelhouse_index.reading_aside import read_aside

from tests.support import packages as made
from tests.support.index import Index

CHUNKS = 9


@pytest.fixture
def chunks(in_memory: Path) -> list[list[Entry]]:
    (in_memory / "packages").mkdir()
    files = [made.wheel(in_memory / "packages", f"project{number}", "1.0") for number in range(CHUNKS * 2)]
    files[3].write_bytes(b"no archive")
    files[4].unlink()
    (in_memory / "stat").touch()
    stamp = Stamp.of(os.stat(in_memory / "stat"))
    entries = [Entry(file.name, Stamp.of(os.stat(file)) if file.exists() else stamp) for file in files]
    return [entries[start : start + 2] for start in range(0, len(entries), 2)]


@pytest.fixture(params=[1, 2, 4])
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(reading_aside, "_processors", lambda: request.param)
    return int(request.param)


def children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as found:
        return {int(number) for number in found.read().split()}


def test_what_files_tell_is_the_same_in_the_same_order(
    in_memory: Path, chunks: list[list[Entry]], processors: int
) -> None:
    packages = in_memory / "packages"
    before = children()
    told = read_aside(packages, chunks)
    first = list(next(told))
    assert len(children() - before) == min(processors - 1, 2)
    assert [first, *map(list, told)] == [list(read_files(packages, chunk)) for chunk in chunks]
    assert children() == before


def test_a_reader_that_is_killed_is_replaced_by_this_process(
    in_memory: Path, chunks: list[list[Entry]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_aside, "_processors", lambda: 3)
    packages = in_memory / "packages"
    before = children()

    def killing() -> Iterator[list[Entry]]:
        for number, chunk in enumerate(chunks):
            if number == 4:
                for child in children() - before:
                    os.kill(child, signal.SIGKILL)
            yield chunk

    found = [list(told) for told in read_aside(packages, killing())]
    assert found == [list(read_files(packages, chunk)) for chunk in chunks]
    assert children() == before


def test_a_reader_ends_where_its_index_stops_early(
    in_memory: Path, chunks: list[list[Entry]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_aside, "_processors", lambda: 3)
    before = children()
    told = read_aside(in_memory / "packages", chunks)
    next(told)
    assert children() > before
    told.close()
    assert children() == before


def test_a_rebuild_of_many_projects_writes_what_uploads_have_written(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_aside, "_processors", lambda: 2)
    monkeypatch.setattr(writing, "_BATCH", 2)
    index = Index(in_memory)
    for number in range(12):
        for version in ("1.0", "2.0"):
            name = f"project{number}-{version}-py3-none-any.whl"
            assert index.upload(name, made.file(name)).status == 200
    before = index.said()
    children_before = children()
    index.store.forget()
    assert index.store.write_pending() == 12
    assert (index.said(), index.truth()) == (before, before)
    assert children() == children_before
