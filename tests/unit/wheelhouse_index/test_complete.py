"""The marks by which NGINX knows that a project which is not on disk does not exist."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from wheelhouse_index import rebuild
from wheelhouse_index.index.output import COMPLETE
from wheelhouse_index.index.store import Store
from wheelhouse_index.server import keeper

from tests.support import packages as made
from tests.support.index import Index

WHEEL = "foo-1.0-py3-none-any.whl"


@pytest.fixture
def index(in_memory: Path) -> Index:
    """An index with a release, all of whose pages are written."""
    found = Index(in_memory)
    assert found.upload(WHEEL, made.file(WHEEL, b"content")).status == 200
    found.keeper.step()
    assert complete(found)
    return found


def complete(index: Index) -> bool:
    """Tell whether NGINX says by itself that a project does not exist."""
    return all((index.pages / folder / COMPLETE).exists() for folder in ("simple", "json"))


def copied(index: Index, name: str) -> Path:
    """Put a file into packages/ as rsync does."""
    file = index.packages / name
    file.write_bytes(made.file(name, b"content"))
    return file


def test_a_first_start_is_not_complete_until_all_pages_are_written(in_memory: Path) -> None:
    (in_memory / "packages").mkdir()
    (in_memory / "packages" / WHEEL).write_bytes(made.file(WHEEL, b"content"))
    found = Index(in_memory)
    assert not complete(found)
    found.keeper.step()
    assert complete(found)
    assert (found.pages / "simple/foo/index.json").exists()


def test_an_index_without_projects_is_complete(in_memory: Path) -> None:
    found = Index(in_memory)
    found.keeper.step()
    assert complete(found)


def test_a_restart_stays_complete(index: Index) -> None:
    Store(index.packages, index.pages).prepare()
    assert complete(index)


def unfinished(index: Index) -> None:
    with index.store.catalogue.writing() as known:
        known.mark_dirty(["foo"])


DOUBTS: dict[str, Callable[[Index], object]] = {
    "an upload that a killed process has not finished": unfinished,
    "no catalogue": lambda index: (index.pages / "catalogue-4.sqlite").unlink(),
    "a damaged catalogue": lambda index: (index.pages / "catalogue-4.sqlite").write_bytes(b"no database" * 1000),
    "no simple/": lambda index: shutil.rmtree(index.pages / "simple"),
    "no json/": lambda index: shutil.rmtree(index.pages / "json"),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_start_that_finds_something_in_doubt_is_not_complete_until_it_is_settled(index: Index, doubt: str) -> None:
    DOUBTS[doubt](index)
    later = Store(index.packages, index.pages)
    later.prepare()
    assert not complete(index)
    keeper.Keeper(later, 0.0).step()
    assert complete(index)
    assert (index.pages / "simple/foo/index.json").exists()
    assert (index.pages / "json/foo.json").exists()


def test_forgetting_is_not_complete_until_all_pages_are_written(index: Index) -> None:
    index.store.forget()
    assert not complete(index)
    index.store.write_pending()
    assert complete(index)
    rebuild.rebuilt(index.store)
    assert complete(index)


def test_a_file_that_is_copied_in_takes_the_mark_away_before_it_is_known(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[bool] = []
    monkeypatch.setattr(index.store, "write_pending", lambda: marks.append(complete(index)))
    copied(index, "new-1.0-py3-none-any.whl")
    index.keeper.step()
    assert marks == [False]
    monkeypatch.undo()
    # pypi-server answers for it meanwhile.
    assert index.get("/simple/new/").status == 200
    index.keeper.step()
    assert complete(index)
    assert (index.pages / "simple/new/index.html").exists()


def test_uploads_and_removals_leave_it_complete(index: Index) -> None:
    name = "new-1.0-py3-none-any.whl"
    assert index.upload(name, made.file(name, b"content")).status == 200
    assert complete(index)
    assert (index.pages / "json/new.json").exists()
    assert index.remove("new", "1.0").status == 200
    assert complete(index)
    assert not (index.pages / "json/new.json").exists()
    assert not (index.pages / "simple/new").exists()


def test_what_cannot_be_marked_as_incomplete_does_not_become_known(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(index.store.output, "mark_incomplete", refused)
    copied(index, "new-1.0-py3-none-any.whl")
    with pytest.raises(OSError, match="Read-only"):
        index.keeper.step()
    with index.store.catalogue.reading() as known:
        assert known.all_projects() == ["foo"]


@pytest.mark.parametrize(
    "removed", [["simple/foo", "json/foo.json"], ["simple/index.html", "simple/foo", "json/foo.json"]]
)
def test_pages_that_other_hands_remove_are_written_again_and_asked_for_meanwhile(
    index: Index, removed: list[str]
) -> None:
    for path in removed:
        where = index.pages / path
        shutil.rmtree(where) if where.is_dir() else where.unlink()
    index.store.check_written()
    assert not complete(index)
    index.keeper.step()
    assert complete(index)
    assert (index.pages / "simple/foo/index.json").exists()


def test_a_project_whose_remaining_file_has_changed_is_no_404_from_disk(index: Index) -> None:
    other = "foo-2.0-py3-none-any.whl"
    assert index.upload(other, made.file(other)).status == 200
    os.utime(index.packages / WHEEL, (1, 1))
    assert index.remove("foo", "2.0").status == 200
    assert not complete(index)


def test_marks_that_were_removed_with_pages_do_not_come_back_before_these(index: Index) -> None:
    index.store.output.mark_incomplete()
    shutil.rmtree(index.pages / "simple/foo")
    (index.pages / "json/foo.json").unlink()
    index.store.write_pending()
    assert not complete(index)
    index.look()
    assert complete(index) and index.listed("foo")
