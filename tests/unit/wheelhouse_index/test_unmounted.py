"""What is mounted on packages/ is taken away, and comes back: what is out of reach was not removed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wheelhouse_index.commands import inspecting
from wheelhouse_index.fact_store.facts import UnmountedError
from wheelhouse_index.index.scan import Scanner
from wheelhouse_index.server import health

from tests.support import packages as made
from tests.support.index import Index

ONE, TWO = "foo-1.0.zip", "foo-2.0.zip"


def unmount(index: Index) -> None:
    index.packages.rename(index.folder / "away")
    index.packages.mkdir()


def mount(index: Index) -> None:
    """Fails where anything was put below the mount point."""
    index.packages.rmdir()
    (index.folder / "away").rename(index.packages)


@contextmanager
def unmounted(index: Index) -> Iterator[None]:
    unmount(index)
    yield
    mount(index)


@pytest.fixture
def filled(index: Index) -> Index:
    """An index with a file."""
    assert index.upload(ONE, made.file(ONE)).status == 200
    index.look()
    return index


def test_pages_stay_changes_wait_and_it_comes_back_by_itself(filled: Index, caplog: pytest.LogCaptureFixture) -> None:
    before = filled.said()
    with unmounted(filled):
        # A server that starts meanwhile does the same.
        for again in (filled, Index(filled.folder)):
            for answer in (
                again.upload(TWO, made.file(TWO)),
                again.remove("foo", "1.0"),
                again.ask("yank", filename=ONE),
            ):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
                assert "are not mounted at the moment; nothing was changed" in answer.text
            with pytest.raises(UnmountedError, match="packages/ is not mounted"):
                again.look()
            (problem,) = health.problems(again.store)
            assert problem.startswith("packages/ is not mounted") and problem in caplog.text
            assert again.said() == before
            assert again.get("/simple/foo/").status == 200
    filled.look()
    assert health.problems(filled.store) == []
    assert filled.said() == before
    assert filled.upload(TWO, made.file(TWO)).status == 200
    assert set(filled.listed("foo")) == {ONE, TWO}


def test_where_packages_cannot_be_listed_nothing_of_upstreams_is_served(
    filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = filled.store.facts.marks
    assert marks.open(marks.closing())
    listing = os.scandir

    def broken(place: object) -> object:
        if place == filled.packages:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return listing(place)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", broken)
        with pytest.raises(OSError, match="not connected"):
            filled.store.prepare()
    assert not marks.is_open()


def test_a_page_that_waits_to_be_written_stays_as_it_was(filled: Index) -> None:
    with filled.store.catalogue.writing() as known:
        known.mark_dirty(["foo"])
    with unmounted(filled):
        with pytest.raises(UnmountedError):
            filled.store.write_pending()
        assert set(filled.listed("foo")) == {ONE}
    filled.store.write_pending()
    assert set(filled.listed("foo")) == {ONE}


def test_what_is_unmounted_while_it_is_looked_at_was_not_removed(
    filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = Scanner.changes

    def late(scanner: Scanner, thorough: bool) -> tuple[dict[str, object], list[str]]:
        unmount(filled)
        return changes(scanner, thorough)  # type: ignore[return-value]

    with monkeypatch.context() as patch:
        patch.setattr(Scanner, "changes", late)
        with pytest.raises(UnmountedError):
            filled.look()
    mount(filled)
    assert set(filled.listed("foo")) == {ONE}
    filled.look()
    assert set(filled.listed("foo")) == {ONE}


def test_a_removal_during_which_it_is_unmounted_is_not_acknowledged(
    filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(filled.store.facts.trash, "take", lambda *_: unmount(filled))
        assert filled.remove("foo", "1.0").status == 503
    mount(filled)
    filled.look()
    assert set(filled.listed("foo")) == {ONE}


def test_a_mount_whose_process_has_ended_is_none(filled: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    lstat, scandir = os.lstat, os.scandir

    def ended(call: object) -> object:
        def asked(path: str | Path, *rest: object, **more: object) -> object:
            if str(path).startswith(str(filled.packages)):
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))
            return call(path, *rest, **more)  # type: ignore[operator]

        return asked

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", ended(lstat))
        patch.setattr(os, "scandir", ended(scandir))
        with pytest.raises(UnmountedError, match="Transport endpoint is not connected"):
            filled.store.facts.check()
        assert filled.upload(TWO, made.file(TWO)).status == 503
        # pypiserver does not start with such a folder.
        with pytest.raises(OSError, match="Transport endpoint is not connected"):
            Index(filled.folder)
    assert filled.upload(TWO, made.file(TWO)).status == 200


def test_an_index_that_loses_its_catalogue_meanwhile_does_not_take_the_empty_folder_for_its_own(filled: Index) -> None:
    with unmounted(filled):
        filled.store.catalogue.file.unlink()
        with pytest.raises(UnmountedError):
            Index(filled.folder)
    again = Index(filled.folder)
    again.look()
    assert set(again.listed("foo")) == {ONE}


def test_the_doctor_says_so_and_takes_no_file_for_missing(filled: Index) -> None:
    with unmounted(filled):
        problems = inspecting.inspected(filled.settings, None, wait=lambda _seconds: None)["problems"]
    assert list(problems) == ["facts unusable"]
    assert problems["facts unusable"]["some"][0].startswith("packages/ is not mounted")
