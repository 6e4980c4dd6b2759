"""Store, pages and keeper together: what readers see while something goes on, and what time and accidents do."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from wheelhouse_index.fact_store.facts import UnmountedError
from wheelhouse_index.files import metadata
from wheelhouse_index.files.entry import Entry, Stamp
from wheelhouse_index.index import catalogue, schema, taking_in, writing
from wheelhouse_index.index.scan import Scanner
from wheelhouse_index.rendering import pages
from wheelhouse_index.server.keeper import Keeper

from tests.support import packages as made
from tests.support.index import Index, in_a_child, sha256

ONE, TWO = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl"


def wheel(index: Index, name: str = "foo", version: str = "1.0") -> bytes:
    return made.wheel(index.packages.parent, name, version).read_bytes()


def test_a_signature_alone_makes_no_project_before_it_is_read_either(index: Index) -> None:
    (index.packages / "alone-1.0-py3-none-any.whl.asc").write_bytes(b"signature")
    for _ in ("read", "forgotten"):
        index.look()
        assert (set(index.backend.get_projects()), index.backend.package_count()) == (set(), 0)
        index.store.forget()
        assert (set(index.backend.get_projects()), index.backend.package_count()) == (set(), 0)


def test_an_upload_shows_the_files_that_nobody_has_read_yet(index: Index) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    index.store.forget()
    index.upload(TWO, made.file(TWO, b"two"))
    assert index.listed("foo") == {ONE: sha256(made.file(ONE, b"one")), TWO: sha256(made.file(TWO, b"two"))}


def test_old_pages_are_served_until_new_ones_are_there(index: Index) -> None:
    for number in range(5):
        index.upload(f"p{number}-1.0.tar.gz", made.file(f"p{number}-1.0.tar.gz", b"content"))
    before = index.said()
    index.store.forget()
    assert index.said() == before
    (index.pages / "catalogue-4.sqlite").unlink()
    index.store.prepare()
    assert index.said() == before
    assert index.upload("p1-2.0.tar.gz", made.file("p1-2.0.tar.gz", b"more")).status == 200
    assert index.said() == index.truth()


def test_nobody_is_told_that_a_project_does_not_exist_before_somebody_has_looked(in_memory: Path) -> None:
    (in_memory / "packages").mkdir()
    (in_memory / "packages" / ONE).write_bytes(made.file(ONE, b"one"))
    index = Index(in_memory)
    assert f"{ONE}#sha256={sha256(made.file(ONE, b'one'))}" in index.get("/simple/foo/").text.replace("</a>", "")
    (index.pages / "catalogue-4.sqlite").unlink()
    assert f"{ONE}#sha256={sha256(made.file(ONE, b'one'))}" in index.get("/simple/foo/").text.replace("</a>", "")


def test_a_new_project_is_listed_at_once_though_another_file_of_it_was_copied_in(index: Index) -> None:
    (index.packages / ONE).write_bytes(made.file(ONE, b"one"))
    index.store.note([ONE], [])
    assert index.upload(TWO, made.file(TWO, b"two")).status == 200
    assert index.projects() == {"foo"}
    assert index.listed("foo") == {ONE: sha256(made.file(ONE, b"one")), TWO: sha256(made.file(TWO, b"two"))}


def test_what_a_scan_has_seen_does_not_undo_an_upload_after_it(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    (index.packages / ONE).write_bytes(made.file(ONE, b"copied in"))
    found, gone = Scanner(index.store.packages, {}).changes(thorough=True)
    index.upload(ONE, made.file(ONE, b"uploaded"))
    index.store.note(found, gone)
    index.upload(TWO, made.file(TWO, b"two"))
    assert index.listed("foo") == {ONE: sha256(made.file(ONE, b"uploaded")), TWO: sha256(made.file(TWO, b"two"))}


def test_a_file_that_cannot_be_read_holds_nobody_up(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    # A name for which `stat` works, and reading does not, even for root.
    (index.packages / TWO).write_bytes(made.file(TWO, b"two"))
    (index.packages / "bar-1.0.zip").write_bytes(made.file("bar-1.0.zip", b"bar"))
    reading = os.open

    def refusing(path: object, *rest: object) -> int:
        if str(path).endswith(TWO):
            raise PermissionError(errno.EACCES, "Permission denied")
        return reading(path, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refusing)
        with caplog.at_level(logging.WARNING):
            index.look()
            assert index.said() == {
                "foo": {ONE: sha256(made.file(ONE, b"one"))},
                "bar": {"bar-1.0.zip": sha256(made.file("bar-1.0.zip", b"bar"))},
            }
            assert index.store.write_pending() == 0
            for _ in range(5):
                index.look()
        assert [record.message for record in caplog.records] == [f"{TWO} cannot be read: [Errno 13] Permission denied"]
        assert index.upload("foo-3.0.tar.gz", made.file("foo-3.0.tar.gz", b"three")).status == 200
    index.keeper._retry_at = 0.0
    index.look()
    assert index.said() == index.truth()


def test_a_folder_that_cannot_be_read_holds_nobody_up(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    (index.packages / "locked").mkdir()
    (index.packages / "locked" / ONE).write_bytes(b"one")
    index.look()
    listing = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (index.packages / TWO).write_bytes(made.file(TWO, b"two"))
    index.look()
    assert TWO in index.listed("foo")


@pytest.mark.parametrize("seconds", [-(10**9), 2**33, 9_300_000_000, 99_999_999_999])
def test_a_file_of_whatever_time_is_listed(index: Index, seconds: int) -> None:
    (index.packages / ONE).write_bytes(made.file(ONE, b"one"))
    try:
        os.utime(index.packages / ONE, (seconds, seconds))
    except OSError:
        pytest.skip("the file system has no such time")
    index.look()
    assert index.said() == index.truth()
    index.look()
    assert index.store.write_pending() == 0


def test_a_name_that_is_no_text_holds_nobody_up(index: Index) -> None:
    for name in (b"bad\xff-1.0.tar.gz", b"folder\xff"):
        path = os.fsencode(index.packages) + b"/" + name
        os.mkdir(path) if name.startswith(b"folder") else Path(os.fsdecode(path)).write_bytes(b"bad")
    (index.packages / ONE).write_bytes(made.file(ONE, b"one"))
    index.look()
    assert index.said() == {"foo": {ONE: sha256(made.file(ONE, b"one"))}}


def test_a_name_as_long_as_names_may_be_is_published(index: Index) -> None:
    long = f"foo-1.0-py3-none-{'a' * 219}.whl"
    assert len(long) == 240
    assert index.upload(long, wheel(index)).status == 200
    assert index.upload(f"{long[:-4]}a.whl", wheel(index)).status == 400
    assert set(index.listed("foo")) == {long}


def test_metadata_are_served_as_they_are_in_the_wheel_and_go_with_it(index: Index) -> None:
    served = index.pages / "packages" / f"{ONE}.metadata"
    assert index.upload(ONE, wheel(index)).status == 200
    assert served.read_bytes() == made.metadata("foo", "1.0")
    assert f"sha256={sha256(served.read_bytes())}" in (index.pages / "simple/foo/index.html").read_text()
    index.remove("foo", "1.0")
    assert not served.exists()
    (index.packages / "nested").mkdir()
    (index.packages / "nested" / ONE).write_bytes(wheel(index))
    index.look()
    assert (index.pages / "packages/nested" / f"{ONE}.metadata").exists()
    shutil.rmtree(index.packages / "nested")
    index.look()
    assert not list((index.pages / "packages").iterdir())


def test_metadata_that_somebody_has_removed_come_back_at_the_next_start(index: Index) -> None:
    index.upload(ONE, wheel(index))
    (index.pages / "packages" / f"{ONE}.metadata").unlink()
    (index.pages / "packages" / f"{TWO}.metadata").write_bytes(b"of a file that is gone")
    Index(index.packages.parent).keeper.step()
    assert [path.name for path in (index.pages / "packages").iterdir()] == [f"{ONE}.metadata"]


def test_each_version_of_a_page_has_a_second_of_its_own(index: Index) -> None:
    page, seen = index.pages / "simple/foo/index.html", set()
    for number in range(12):
        # Gone in between, and as long as before.
        index.upload(f"foo-{number + 10}.tar.gz", made.file(f"foo-{number + 10}.tar.gz", b"content"))
        for form in (page, page.with_suffix(".json"), page.with_name("index.html.gz")):
            seen.add((form.name, int(form.stat().st_mtime)))
        index.remove("foo", str(number + 10))
    assert len(seen) == 36


def test_a_file_that_is_overwritten_has_another_second(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    seconds = set()
    for number in range(5):
        assert index.upload(ONE, made.file(ONE, b"%d" % number)).status == 200
        seconds.add(int((index.packages / ONE).stat().st_mtime))
    assert len(seconds) == 5
    assert index.said() == index.truth()
    index.look()
    assert index.store.write_pending() == 0


def test_a_page_that_says_the_same_is_not_touched(index: Index) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    before = _versions(index)
    index.store.forget()
    index.keeper.step()
    assert _versions(index) == before


def _versions(index: Index) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in index.pages.rglob("index.*")}


def test_another_format_of_pages_has_all_of_them_written(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    monkeypatch.setattr(pages, "FORMAT", pages.FORMAT + 1)
    monkeypatch.setattr(pages, "API_VERSION", "1.0")
    Index(index.packages.parent).keeper.step()
    assert 'content="1.0"' in (index.pages / "simple/foo/index.html").read_text()


@pytest.mark.parametrize("damage", [b"", b"not a database" * 1000, None])
def test_a_damaged_catalogue_is_made_anew(index: Index, damage: bytes | None) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    file = index.pages / "catalogue-4.sqlite"
    if damage is None:
        with file.open("r+b") as damaged:
            damaged.seek(100)
            damaged.write(b"\xff" * 4000)
    else:
        file.write_bytes(damage)
    again = Index(index.packages.parent)
    again.keeper.step()
    assert again.said() == again.truth() != {}


def test_a_catalogue_that_cannot_be_looked_at_now_is_not_thrown_away(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    monkeypatch.setattr(catalogue, "_BUSY_SECONDS", 0.0)
    other = sqlite3.connect(index.pages / "catalogue-4.sqlite")
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError):
        index.store.prepare()
    other.rollback()
    other.close()
    assert index.upload(TWO, made.file(TWO, b"two")).status == 200
    assert index.said() == index.truth()


def test_an_earlier_version_of_the_catalogue_is_replaced(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    index.store.prepare()
    assert index.store.catalogue._usable() is False  # the number in the schema is the real one
    index.keeper.step()
    assert index.said() == index.truth()


def test_a_file_that_is_being_written_is_listed_when_it_rests(index: Index) -> None:
    scanner = Scanner(index.store.packages, {}, settle=0.4)
    (index.packages / ONE).write_bytes(made.file(ONE, b"the beginning"))
    assert scanner.changes(thorough=False) == ({}, [])
    time.sleep(0.5)
    assert list(scanner.changes(thorough=False)[0]) == [ONE]
    # A clock that was set back does not hide it.
    os.utime(index.packages / ONE, (time.time() + 3600,) * 2)
    assert list(scanner.changes(thorough=True)[0]) == [ONE]


def test_a_look_that_fails_loses_nothing(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    (index.packages / ONE).write_bytes(made.file(ONE, b"one"))
    for name in ("note", "check_pages", "write_pending"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index.store, name, _full)
            with pytest.raises(OSError):
                index.look()
    index.look()
    assert index.said() == index.truth()


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_store_that_is_not_there_is_not_one_without_files(index: Index) -> None:
    index.upload(ONE, made.file(ONE, b"one"))
    before = index.said()
    index.packages.rename(index.packages.with_name("away"))
    with pytest.raises(UnmountedError):
        index.look()
    assert index.said() == before


def test_much_metadata_is_not_held_in_memory_at_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "_KEPT_BYTES", 100)
    kept: list[int] = []
    keep = index.store._keep

    def counted(read: list[tuple[Entry, bytes]]) -> dict[str, Stamp]:
        kept.append(len(read))
        return keep(read)

    monkeypatch.setattr(index.store, "_keep", counted)
    monkeypatch.setitem(metadata._READERS, ".whl", lambda _file: b"Name: foo\nVersion: 1\n\n" + b"x" * 90)
    for number in range(5):
        (index.packages / f"foo-1-{number}-py3-none-any.whl").write_bytes(b"%d" % number)
    index.look()
    assert kept == [1] * 5
    assert index.said() == index.truth()


def test_a_project_stays_marked_until_its_last_change_is_on_its_page(index: Index) -> None:
    with index.store.catalogue.writing() as known:
        known.put(Entry(ONE, Stamp(1, 2, 3)))
        known.mark_dirty(["foo"])
        seen = known.pending()
        known.mark_dirty(["foo"])
        known.mark_written(seen)
        assert known.pending().keys() == seen.keys() and known.pending() != seen
        known.mark_written(known.pending())
        assert known.pending() == {}


def test_a_mark_is_no_earlier_one_after_the_pages_were_written(index: Index) -> None:
    with index.store.catalogue.writing() as known:
        known.mark_dirty(["foo"])
        seen = known.pending()
        known.mark_written(seen)
        known.mark_dirty(["foo"])
        # Of a keeper that took long.
        known.mark_written(seen)
        assert known.mark_of("foo") > 0


def test_of_two_keepers_one_works(index: Index) -> None:
    def work() -> int:
        keepers = [Keeper(index.store, 0.02) for _ in range(2)]
        for keeper in keepers:
            keeper.start()
        (index.packages / ONE).write_bytes(made.file(ONE, b"one"))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            # The list of projects comes last.
            with suppress(AssertionError, OSError):
                if index.said() == index.truth():
                    break
            time.sleep(0.05)
        assert index.said() == index.truth()
        assert sum(keeper._scanner is not None for keeper in keepers) <= 1
        return 0

    # Their threads end with their process, and write no more when the folder is removed.
    assert in_a_child(work) == 0


def test_a_long_list_of_projects_follows_after_the_answer(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def projects() -> set[str]:
        return {project["name"] for project in json.loads((index.pages / "simple/index.json").read_bytes())["projects"]}

    index.upload(ONE, made.file(ONE, b"one"))
    monkeypatch.setattr(writing, "LONG_LIST_BYTES", 1)
    other = "bar-1.0-py3-none-any.whl"
    assert index.upload(other, made.file(other, b"other")).status == 200
    assert (set(index.listed("bar")), projects()) == ({other}, {"foo"})
    assert index.store.write_pending() > 0
    assert projects() == {"foo", "bar"}
    index.store.remove("bar", [other])
    assert projects() == {"foo", "bar"}
    # Another process may be killed before it does so, or index/ lose it.
    index.keeper.step()
    assert projects() == {"foo"}
    assert index.said() == index.truth()


def test_the_list_does_not_wait_for_all_that_the_keeper_has_to_do(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LONG_LIST_BYTES", 0)
    monkeypatch.setattr(writing, "LIST_SECONDS", -1.0)
    monkeypatch.setattr(writing, "BATCH", 1)
    for number in range(3):
        made.wheel(index.packages, f"copied{number}", "1.0")
    read, listed = index.store.read_unread, list[bool]()

    def uploading(projects: Iterable[str]) -> dict[str, Stamp]:
        listed.append("new" in (index.pages / "simple/index.json").read_text())
        if len(listed) == 1:
            assert index.upload("new-1.0-py3-none-any.whl", made.file("new-1.0-py3-none-any.whl")).status == 200
        return read(projects)

    monkeypatch.setattr(index.store, "read_unread", uploading)
    index.look()
    assert listed[0] is False and listed[-1] is True
    assert index.said() == index.truth()
