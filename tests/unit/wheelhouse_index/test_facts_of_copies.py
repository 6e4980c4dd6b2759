"""The store of facts and files that were copied in: whose time, whose name, and which content counts."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from wheelhouse_index.common import disk
from wheelhouse_index.fact_store import recording, records
from wheelhouse_index.files import reading

from tests.support import packages as made
from tests.support.facts import CONTENT, LONG_AGO, ONE, OTHER, TWO, copied, older_copy, wheelhouse
from tests.support.index import Index, in_a_child, sha256


def test_a_process_that_is_killed_while_it_records_leaves_no_name_taken_for_the_same_bytes(index: Index) -> None:
    def killed() -> int:
        def end(*_: object) -> None:
            os._exit(9)

        index.store._published = end  # type: ignore[assignment,method-assign]
        index.upload(ONE, CONTENT)
        return 0

    assert in_a_child(killed) == 9
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)
    again = Index(index.folder)
    assert again.projects() == set()
    assert again.upload(ONE, CONTENT).status == 200


def test_a_half_copied_file_takes_no_name_from_the_whole_one(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SETTLED_SECONDS", 60.0)
    whole = made.file(ONE, b"x" * 1000)
    place = index.packages / ONE
    place.write_bytes(whole[: len(whole) // 2])
    # As a copy that has stalled for longer than the keeper waits: by its time, it is finished.
    os.utime(place, (LONG_AGO, LONG_AGO))
    index.look()
    assert index.listed("foo") == {}
    assert not (wheelhouse(index) / f"files/foo/{ONE}.json").exists()
    place.write_bytes(whole)
    index.look()
    assert index.listed("foo") == {ONE: sha256(whole)}


@pytest.mark.parametrize("then", ["copied", "uploaded"])
def test_a_copy_is_recorded_when_it_has_not_changed_for_a_minute(
    index: Index, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(recording, "SETTLED_SECONDS", 60.0)
    # Its archive opens: an sdist's metadata are at the beginning.
    place = index.packages / ONE
    place.write_bytes(OTHER)
    index.look()
    record = wheelhouse(index) / f"files/foo/{ONE}.json"
    assert index.listed("foo") == {ONE: sha256(OTHER)} and not record.exists()
    assert (wheelhouse(index) / "names/foo").exists()
    if then == "copied":
        place.write_bytes(CONTENT)
        index.look()
    else:
        place.unlink()
        assert index.upload(ONE, CONTENT).status == 200
    assert index.listed("foo") == {ONE: sha256(CONTENT)}
    assert record.exists() == (then == "uploaded")
    before = time.time() - 61
    os.utime(place, (before, before))
    index.look()
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)


def test_a_refused_file_is_read_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    (index.packages / ONE).unlink()
    copied(index, content=OTHER)
    assert index.listed("foo") == {}
    names: list[str] = []
    read = reading.read_file

    def noting(name: str, file: BinaryIO) -> object:
        names.append(name)
        return read(name, file)

    monkeypatch.setattr(reading, "read_file", noting)
    index.keeper._retry_at = 0.0
    index.look()
    assert index.upload(TWO, made.file(TWO)).status == 200
    assert index.get("/simple/foo/").status == 200
    assert names == []
    copied(index, content=CONTENT)
    assert set(index.listed("foo")) == {ONE, TWO} and names == [ONE]


@pytest.mark.parametrize("witness", ["other files", "the store"])
def test_a_clock_that_is_behind_freezes_no_wrong_time(
    index: Index, monkeypatch: pytest.MonkeyPatch, witness: str
) -> None:
    files = [ONE, TWO, "foo-3.0-py3-none-any.whl"]
    if witness == "the store":
        files = files[:1]
        os.utime(wheelhouse(index) / "format", (LONG_AGO + 20, LONG_AGO + 20))
    else:
        os.utime(wheelhouse(index) / "format", (LONG_AGO - 10**8, LONG_AGO - 10**8))
    monkeypatch.setattr(recording.time, "time_ns", lambda: (LONG_AGO - 10**8) * 10**9)
    for name in files:
        (index.packages / name).write_bytes(made.file(name))
        os.utime(index.packages / name, (LONG_AGO, LONG_AGO))
    index.look()
    assert set(index.times("foo").values()) == {"2017-07-14T02:40:00.000000Z"}


def test_the_lock_is_free_while_copies_are_synced(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    sync = disk.sync

    def watched(paths: list[Path]) -> None:
        if paths:
            with (index.pages / ".lock").open("wb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    held.append(False)
                except BlockingIOError:
                    held.append(True)
        sync(paths)

    monkeypatch.setattr(recording.disk, "sync", watched)
    copied(index)
    # As in a migration.
    with index.store.catalogue.writing() as known:
        known.note_lost([("foo", ONE)])
    shutil.rmtree(wheelhouse(index) / "files/foo")
    index.look()
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)
    assert len(held) > 1 and not any(held)


def test_an_upload_that_meets_a_copys_record_is_refused(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    make = records.Records.make

    def late(
        own: records.Records,
        project: str,
        new: dict[str, records.Record],
        made: dict[str, int],
        aside: disk.Aside | None,
    ) -> list[str]:
        make(own, project, {name: records.Record(sha256(OTHER), 1, 1, records.COPIED) for name in new}, {})
        return make(own, project, new, made, aside)

    monkeypatch.setattr(records.Records, "make", late)
    assert index.upload(ONE, CONTENT).status == 409
    assert index.record("foo", ONE)["sha256"] == sha256(OTHER)
    assert index.stored() == {}


@pytest.mark.parametrize("again", ["uploaded", "copied"])
def test_a_name_that_two_projects_may_have_gets_one_content(index: Index, again: str) -> None:
    name = "a-1-1.tar.gz"
    first, second = made.file(name, b"", ("a", "1-1")), made.file(name, b"", ("a-1", "1"))
    assert index.upload(name, first).status == 200
    assert index.remove(filename=name).status == 200
    if again == "uploaded":
        assert index.upload(name, second).status == 409
    else:
        copied(index, name, second)
    assert index.listed("a-1") == {}
    assert not (wheelhouse(index) / f"files/a-1/{name}.json").exists()
    (index.packages / name).unlink(missing_ok=True)
    index.look()
    assert index.upload(name, first).status == 200


def test_what_a_replaced_file_was_before_is_forgotten(in_memory: Path, tmp_path: Path) -> None:
    index = Index(in_memory, overwrite=True)
    shutil.copytree(wheelhouse(index), tmp_path / "older")
    assert index.upload(ONE, OTHER).status == 200
    assert index.remove("foo", "1.0").status == 200
    assert index.upload(ONE, CONTENT).status == 200
    times = index.times("foo")
    older_copy(index, tmp_path / "older")
    again = Index(in_memory)
    again.look()
    again.look()
    assert again.listed("foo") == {ONE: sha256(CONTENT)} and again.times("foo") == times
    assert again.record("foo", ONE)["sha256"] == sha256(CONTENT)


def test_a_young_copy_is_recorded_before_it_is_quarantined(index: Index) -> None:
    (index.packages / ONE).write_bytes(CONTENT)
    index.look()
    times = index.times("foo")
    assert not (wheelhouse(index) / f"files/foo/{ONE}.json").exists()
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert index.times("foo") == times


def test_a_replaced_file_that_is_restored_with_its_record_keeps_it(in_memory: Path, tmp_path: Path) -> None:
    index = Index(in_memory, overwrite=True)
    index.keeper.step()
    assert index.upload(ONE, OTHER).status == 200
    before = index.record("foo", ONE)
    subprocess.run(["cp", "-a", f"{index.packages}/.", tmp_path], check=True)
    assert index.upload(ONE, CONTENT).status == 200
    older_copy(index, tmp_path / ".wheelhouse")
    # As rsync does.
    subprocess.run(["cp", "-a", "--remove-destination", tmp_path / ONE, index.packages], check=True)
    index.store.forget()
    index.look()
    assert index.record("foo", ONE) == before and index.listed("foo") == {ONE: sha256(OTHER)}
    assert index.times("foo") == {ONE: before["upload-time"]}
