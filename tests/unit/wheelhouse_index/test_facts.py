"""The store of facts: what lasts of a file and of a name, and what happens where the store cannot be used."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from wheelhouse_index import rebuild
from wheelhouse_index.common import disk
from wheelhouse_index.common.times import nanoseconds, time_text
from wheelhouse_index.fact_store import facts, recording, records
from wheelhouse_index.files import reading
from wheelhouse_index.server import health

from tests.support import packages as made
from tests.support.index import Index, in_a_child, sha256

ONE, TWO = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl"
CONTENT, OTHER = made.file(ONE, b"one"), made.file(ONE, b"other")
LONG_AGO = 1_500_000_000


def copied(index: Index, name: str = ONE, content: bytes = CONTENT, seconds: int = LONG_AGO) -> Path:
    """Put a file in place as rsync does, with a time of its own, and have the keeper look."""
    place = index.packages / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    os.utime(place, (seconds, seconds))
    index.look()
    return place


def wheelhouse(index: Index) -> Path:
    return index.packages / ".wheelhouse"


def test_an_upload_is_claimed_and_recorded(index: Index) -> None:
    before = time.time_ns()
    assert index.upload(ONE, CONTENT).status == 200
    record = index.record("foo", ONE)
    print(record)
    assert before // 1000 <= nanoseconds(record.pop("upload-time")) // 1000 <= time.time_ns() // 1000
    assert record == {"sha256": sha256(CONTENT), "size": len(CONTENT), "source": "upload", "login": "publisher"}
    assert (wheelhouse(index) / "names/foo").read_bytes() == b""
    assert json.loads((wheelhouse(index) / "format").read_text())["format"] == 1


def test_a_copied_file_is_recorded_with_its_own_time_once(index: Index) -> None:
    copied(index)
    assert index.record("foo", ONE) == {
        **{"sha256": sha256(CONTENT), "size": len(CONTENT), "upload-time": "2017-07-14T02:40:00.000000Z"},
        **{"source": "copied", "login": ""},
    }
    os.utime(index.packages / ONE, (LONG_AGO + 10**8,) * 2)
    index.look()
    assert index.times("foo") == {ONE: "2017-07-14T02:40:00.000000Z"}


def test_a_copy_from_the_future_is_of_now(index: Index) -> None:
    copied(index, seconds=int(time.time()) + 10**7)
    assert nanoseconds(index.times("foo")[ONE]) <= time.time_ns()


def cp(index: Index) -> None:
    """As ``cp * elsewhere`` and back: all times are those of now, and hidden folders stay behind."""
    for path in list(index.packages.glob("*.whl")):
        shutil.copyfile(path, path.with_suffix(".copy"))
        path.with_suffix(".copy").replace(path)


def cp_a(index: Index) -> None:
    """To another place, with all that is hidden, and without index/."""
    copy = index.packages.with_name("copy")
    subprocess.run(["cp", "-a", index.packages, copy], check=True)
    shutil.rmtree(index.packages)
    copy.rename(index.packages)
    index.lose_pages()


def touch(index: Index) -> None:
    for path in index.packages.glob("*.whl"):
        path.touch()
        path.chmod(0o640)


def forget(index: Index) -> None:
    touch(index)
    index.store.forget()


def remove_by_hand_and_restore(index: Index) -> None:
    (index.packages / ONE).unlink()
    index.look()
    assert index.projects() == set()
    (index.packages / ONE).write_bytes(CONTENT)


def remove_and_upload_again(index: Index) -> None:
    assert index.remove("foo", "1.0").status == 200
    assert index.upload(ONE, CONTENT).status == 200


@pytest.mark.parametrize("how", [cp, cp_a, touch, forget, remove_by_hand_and_restore, remove_and_upload_again])
@pytest.mark.parametrize("published", ["uploaded", "copied"])
def test_an_upload_time_lasts(index: Index, how: Callable[[Index], None], published: str) -> None:
    if published == "copied":
        copied(index)
    else:
        assert index.upload(ONE, CONTENT).status == 200
    before = index.times("foo"), index.record("foo", ONE)
    time.sleep(0.01)
    how(index)
    again = Index(index.folder)
    again.keeper.step()
    assert (again.times("foo"), again.record("foo", ONE)) == before
    legacy = json.loads((index.pages / "json/foo.json").read_text())
    assert legacy["urls"][0]["upload_time_iso_8601"] == before[0][ONE]


@pytest.mark.parametrize("removed", ["by the index", "by hand"])
@pytest.mark.parametrize("agent", ["twine/7.0.0", "uv/0.13.9"])
def test_a_removed_name_never_gets_other_content(index: Index, removed: str, agent: str) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    if removed == "by hand":
        (index.packages / ONE).unlink()
        index.look()
    else:
        assert index.remove("foo", "1.0").status == 200
    answer = index.upload(ONE, OTHER, {"User-Agent": agent})
    print(answer.text)
    assert answer.status == (400 if "twine" in agent else 409)
    assert f"{ONE} was published before with other content" in answer.text and "already exists" in answer.text
    assert (wheelhouse(index) / "names/foo").exists()
    assert index.stored() == {}
    # The same bytes may come back.
    assert index.upload(ONE, CONTENT, {"User-Agent": agent}).status == 200
    assert index.listed("foo") == {ONE: sha256(CONTENT)}


def test_a_copy_with_other_content_is_on_no_page_and_the_log_says_so(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    copied(index, content=OTHER)
    copied(index, "nested/" + ONE, OTHER)
    assert index.said() == {}
    assert f"{ONE} is on no page: another content was published by this name" in caplog.text
    assert not list((index.pages / "packages").rglob("*.metadata"))
    # An upload is not put in its place.
    assert index.upload(ONE, CONTENT).status == 409
    (index.packages / "nested" / ONE).unlink()
    copied(index)
    assert index.listed("foo") == {ONE: sha256(CONTENT)}
    assert index.store.write_pending() == 0


def test_where_files_may_be_replaced_their_records_are(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    assert index.upload(ONE, CONTENT).status == 200
    before = index.times("foo")
    time.sleep(0.01)
    assert index.upload(ONE, OTHER).status == 200
    assert index.record("foo", ONE)["sha256"] == sha256(OTHER)
    assert index.times("foo")[ONE] > before[ONE]
    copied(index)
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)
    assert index.listed("foo") == {ONE: sha256(CONTENT)}


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_upload_that_fails_leaves_no_record(
    in_memory: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(in_memory, overwrite)
    if overwrite:
        assert index.upload(ONE, CONTENT).status == 200
        before = index.record("foo", ONE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("wheelhouse_index.index.store.Store._stage", full)
        assert index.upload(ONE, OTHER).status == 507
    if overwrite:
        assert index.record("foo", ONE) == before
    else:
        assert not list((wheelhouse(index) / "files").rglob("*.json"))
        assert index.upload(ONE, CONTENT).status == 200


def test_an_imported_file_keeps_its_time(index: Index) -> None:
    name = "bar-1.0.zip"
    place = index.folder / name
    place.write_bytes(made.file(name))
    os.utime(place, (LONG_AGO, LONG_AGO))
    from wheelhouse_index.fact_store.recording import Origin
    from wheelhouse_index.fact_store.records import IMPORT
    from wheelhouse_index.files import incoming
    from wheelhouse_index.requests.changes import uploaded
    from wheelhouse_index.requests.forms import File, Form

    with incoming.arriving(index.store.incoming) as arriving:
        arriving.write(place.read_bytes())
        os.utime(arriving.file.fileno(), (LONG_AGO, LONG_AGO))
        index.store.add([uploaded(File(name, arriving), Form())], False, Origin(IMPORT))
    record = index.record("bar", name)
    assert (record["source"], record["upload-time"]) == ("import", time_text(LONG_AGO * 10**9))


def removed(index: Index) -> None:
    shutil.rmtree(wheelhouse(index))


def without_format(index: Index) -> None:
    (wheelhouse(index) / "format").unlink()


def half_copied(index: Index) -> None:
    shutil.rmtree(wheelhouse(index) / "files")


def of_the_future(index: Index) -> None:
    (wheelhouse(index) / "format").write_text('{"format": 2, "id": "x", "more": []}')


def another(index: Index) -> None:
    (wheelhouse(index) / "format").write_text('{"format": 1, "id": "another"}')


def damaged(index: Index) -> None:
    (wheelhouse(index) / "format").write_text('{"format": ')


def a_link(index: Index) -> None:
    wheelhouse(index).rename(index.folder / "elsewhere")
    wheelhouse(index).symlink_to(index.folder / "elsewhere")


def a_linked_part(index: Index) -> None:
    (wheelhouse(index) / "names").rename(index.folder / "elsewhere")
    (wheelhouse(index) / "names").symlink_to(index.folder / "elsewhere")


def a_linked_format(index: Index) -> None:
    (wheelhouse(index) / "format").rename(index.packages.parent / "elsewhere")
    (wheelhouse(index) / "format").symlink_to(index.packages.parent / "elsewhere")


def a_linked_quarantine(index: Index) -> None:
    """To where files are served."""
    (index.packages / "visible").mkdir()
    (wheelhouse(index) / "quarantine").symlink_to(index.packages / "visible")


def a_file_for_quarantine(index: Index) -> None:
    (wheelhouse(index) / "quarantine").write_text("in its place")


def a_file(index: Index) -> None:
    removed(index)
    wheelhouse(index).write_text("in its place")


@pytest.mark.parametrize(
    ("accident", "words"),
    [
        (removed, "packages/.wheelhouse/format is missing: restore"),
        (without_format, "packages/.wheelhouse/format is missing: restore"),
        (half_copied, "packages/.wheelhouse/ has no folder files/: restore"),
        (of_the_future, "has format 2, and this release of wheelhouse.pypi knows formats up to 1: install"),
        (another, "packages/.wheelhouse/ is the store another, and this index was made from"),
        (damaged, "packages/.wheelhouse/format cannot be used"),
        (a_link, "packages/.wheelhouse is a link"),
        (a_linked_part, "packages/.wheelhouse/names is a link"),
        (a_file, "packages/.wheelhouse is not a folder"),
        (a_linked_format, "packages/.wheelhouse/format cannot be used ([Errno 40] it is a link"),
        (a_linked_quarantine, "packages/.wheelhouse/quarantine is a link: put the folder itself there"),
        (a_file_for_quarantine, "packages/.wheelhouse/quarantine is not a folder: move it aside"),
    ],
)
def test_without_its_facts_an_index_changes_nothing_and_says_why(
    index: Index, accident: Callable[[Index], None], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    assert index.ask("yank", filename=ONE, reason="broken").status == 200
    before, times, kept = index.said(), index.times("foo"), index.folder / "kept"
    shutil.copytree(wheelhouse(index), kept)
    accident(index)
    for again in (index, Index(index.folder)):
        (index.packages / TWO).write_bytes(made.file(TWO))
        with pytest.raises(facts.FactsError, match=r"packages/\.wheelhouse"):
            again.look()
        asked = again.upload("bar-1.0.zip", made.file("bar-1.0.zip")), again.remove("foo", "1.0")
        for answer in (
            *asked,
            again.ask("unyank", filename=ONE),
            again.ask("set_status", name="foo", status="archived"),
        ):
            assert answer.status == 503 and "the log of pypi-server names the reason" in answer.text
        assert words in caplog.text
        assert words in "\n".join(health.problems(again.store))
        assert (again.said(), again.times("foo")) == (before, times)
        assert '"yanked":"broken"' in (index.pages / "simple/foo/index.json").read_text()
        assert again.get("/simple/foo/").status in (200, 503)
        with pytest.raises(facts.FactsError):
            rebuild.rebuilt(again.store)
    (index.packages / TWO).unlink()
    # As the remedy says.
    if wheelhouse(index).is_symlink() or wheelhouse(index).is_file():
        wheelhouse(index).unlink()
    else:
        shutil.rmtree(wheelhouse(index), ignore_errors=True)
    shutil.move(kept, wheelhouse(index))
    index.look()
    assert health.problems(index.store) == []
    assert index.upload("bar-1.0.zip", made.file("bar-1.0.zip")).status == 200
    assert (index.listed("foo"), index.times("foo")) == (before["foo"], times)


@pytest.mark.parametrize("listed", ["nothing ever", "nothing now", "decisions only"])
def test_a_missing_store_is_not_replaced_whatever_is_listed(index: Index, listed: str) -> None:
    if listed != "nothing ever":
        assert index.upload(ONE, CONTENT).status == 200
        if listed == "decisions only":
            assert index.ask("set_status", name="foo", status="quarantined").status == 200
        else:
            assert index.remove("foo", "1.0").status == 200
        index.look()
    wheelhouse(index).rename(index.packages.parent / "away")
    for again in (index, Index(index.packages.parent)):
        assert again.upload(ONE, OTHER).status == 503
        assert again.ask("set_status", name="foo", status="active").status == 503
        with pytest.raises(facts.FactsError):
            again.look()
        assert "packages/.wheelhouse/format is missing" in " ".join(health.problems(again.store))
        assert not wheelhouse(index).exists()
    # Nor is it mistaken for that of another index.
    if listed != "nothing ever":
        wheelhouse(index).mkdir()
        for folder in ("names", "files", "projects"):
            (wheelhouse(index) / folder).mkdir()
        (wheelhouse(index) / "format").write_text('{"format": 1, "id": "another"}')
        assert index.upload(ONE, OTHER).status == 503
        shutil.rmtree(wheelhouse(index))
    (index.packages.parent / "away").rename(wheelhouse(index))
    index.look()
    assert health.problems(index.store) == []
    answer = index.upload(ONE, OTHER)
    assert answer.status == {"nothing ever": 200, "nothing now": 409, "decisions only": 403}[listed]


def test_a_store_that_is_lost_for_good_is_made_from_what_the_index_knows(index: Index) -> None:
    copied(index)
    assert index.upload(TWO, made.file(TWO)).status == 200
    times = index.times("foo")
    shutil.rmtree(wheelhouse(index))
    (index.pages / ".facts").unlink()
    touch(index)
    index.look()
    assert index.times("foo") == times == {name: index.record("foo", name)["upload-time"] for name in times}
    assert health.problems(index.store) == []


def test_a_backup_is_put_in_place_of_the_empty_store_of_a_new_index(index: Index, tmp_path: Path) -> None:
    copied(index)
    assert index.upload("bar-1.0.zip", made.file("bar-1.0.zip")).status == 200
    assert index.remove("bar", "1.0").status == 200
    times = index.times("foo")
    new = Index(tmp_path)
    new.keeper.step()
    # The facts first, as the page on backups says.
    shutil.copytree(wheelhouse(index), wheelhouse(new), dirs_exist_ok=True)
    new.look()
    shutil.copy(index.packages / ONE, new.packages)
    new.look()
    assert new.times("foo") == times
    assert health.problems(new.store) == []
    assert new.upload("bar-1.0.zip", made.file("bar-1.0.zip", b"other")).status == 409


def test_a_damaged_record_keeps_its_file_off_pages_and_its_name_from_uploads(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (ONE, TWO):
        assert index.upload(name, made.file(name, b"one")).status == 200
    before, place = index.said(), wheelhouse(index) / "files/foo" / f"{ONE}.json"
    place.write_text(place.read_text()[:50])
    index.look()
    # What is known stays.
    assert index.said() == before
    index.store.forget()
    index.look()
    assert set(index.listed("foo")) == {TWO}
    assert f"{ONE} is on no page" in caplog.text and f"{place} cannot be used" in caplog.text
    (index.packages / ONE).unlink()
    index.look()
    assert index.upload(ONE, CONTENT).status == 503
    assert index.upload("foo-3.0.tar.gz", made.file("foo-3.0.tar.gz")).status == 200


def test_a_rebuild_forgets_no_time_that_the_store_has_lost(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    (index.packages / TWO).write_bytes(made.file(TWO))
    os.utime(index.packages / TWO, (10**9, 10**9))
    index.look()
    before = index.times("foo")
    for name in (ONE, TWO):
        (index.packages / name).touch()
    shutil.rmtree(wheelhouse(index) / "files/foo")
    # Before the keeper looks.
    rebuild.rebuilt(index.store)
    index.look()
    assert index.times("foo") == before
    assert {name: index.record("foo", name)["upload-time"] for name in before} == before


@pytest.mark.parametrize("fault", ["an empty record", "a claim that is a link", "a folder that is a link"])
@pytest.mark.parametrize("removed", [False, True])
def test_a_rebuild_forgets_nothing_that_it_cannot_put_back(index: Index, fault: str, removed: bool) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    times = index.times("foo")
    if removed:
        assert index.remove("foo", "1.0").status == 200
    else:
        (index.packages / ONE).touch()
        os.utime(index.packages / ONE, (LONG_AGO, LONG_AGO))
    index.look()
    folder, claim = wheelhouse(index) / "files/foo", wheelhouse(index) / "names/foo"
    if fault == "an empty record":
        (folder / f"{ONE}.json").write_bytes(b"")
    else:
        shutil.rmtree(folder)
        fault_at = claim if "claim" in fault else folder
        claim.unlink()
        fault_at.symlink_to("nowhere")
    index.store.forget()
    index.keeper.step()
    if fault != "an empty record":
        assert index.upload(ONE, OTHER).status == (503 if removed else 409)
        # As the log says.
        fault_at.unlink()
    index.keeper._retry_at = 0.0
    index.look()
    index.look()
    print(index.record("foo", ONE), index.listed("foo"))
    assert index.record("foo", ONE)["upload-time"] == times[ONE]
    assert index.upload(ONE, OTHER).status == 409
    assert index.upload(ONE, CONTENT).status == 200
    assert index.times("foo") == times


@pytest.mark.parametrize("removed", [False, True])
def test_a_look_makes_an_emptied_record_again(index: Index, removed: bool) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    times = index.times("foo")
    if removed:
        assert index.remove("foo", "1.0").status == 200
    (wheelhouse(index) / f"files/foo/{ONE}.json").write_bytes(b"")
    # After a loss of power.
    Index(index.packages.parent).look()
    assert index.record("foo", ONE)["upload-time"] == times[ONE]


def test_a_record_that_a_loss_of_power_has_left_empty_is_made_again(index: Index) -> None:
    folder = wheelhouse(index) / "files/foo"
    folder.mkdir()
    (folder / f"{ONE}.json").touch()
    assert index.upload(ONE, CONTENT).status == 200
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)


def test_what_a_later_release_has_added_to_a_record_is_no_harm(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    place = wheelhouse(index) / "files/foo" / f"{ONE}.json"
    place.write_text(json.dumps({**index.record("foo", ONE), "attestations": []}))
    times = index.times("foo")
    index.store.forget()
    index.look()
    assert index.times("foo") == times


def test_two_processes_that_start_at_once_make_one_store(in_memory: Path) -> None:
    (in_memory / "packages").mkdir()
    (in_memory / "index").mkdir()
    read, write = os.pipe()

    def start() -> int:
        os.close(write)
        os.read(read, 1)
        return len(health.problems(Index(in_memory).store))

    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os._exit(start())
        children.append(child)
    os.close(write)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    os.close(read)
    assert not list((in_memory / "packages/.incoming").iterdir())


def test_pypiserver_and_the_scan_see_nothing_of_it(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    shutil.copy(index.packages / ONE, wheelhouse(index) / "names/bar-1.0-py3-none-any.whl")
    index.look()
    assert set(index.backend.get_projects()) == {"foo"}
    assert index.backend.package_count() == 1
    assert not index.backend.exists("bar-1.0-py3-none-any.whl")


def test_times_are_read_as_they_are_written() -> None:
    for moment in (0, 1, 999, 1_500_000_000_123_456_789, 253_402_300_799_999_999_999, -5, 10**21):
        text = time_text(moment)
        assert time_text(nanoseconds(text)) == text
    for text in ("", "2026-11-28", "2026-11-28T00:00:00Z", "x"):
        with pytest.raises(ValueError):
            nanoseconds(text)


def in_folder(path: os.PathLike[str] | str) -> Path:
    """Return a path, also of one in a folder that is open (``disk.opened``)."""
    return Path(path).parent.resolve() / Path(path).name


def test_a_folder_that_cannot_be_looked_at_is_a_503(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    lstat = os.lstat

    def refusing(path: os.PathLike[str] | str) -> os.stat_result:
        if in_folder(path) == wheelhouse(index) / "names":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return lstat(path)

    monkeypatch.setattr(os, "lstat", refusing)
    assert index.upload(ONE, CONTENT).status == 503


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


@pytest.mark.parametrize("when", ["at a start", "after a failure"])
def test_records_that_an_older_copy_of_the_store_lacks_are_made_again(index: Index, tmp_path: Path, when: str) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    shutil.copytree(wheelhouse(index), tmp_path / "backup")
    bar = "bar-1.0-py3-none-any.whl"
    assert index.upload(TWO, made.file(TWO)).status == 200
    assert index.upload(bar, made.file(bar)).status == 200
    before = {**index.times("foo"), **index.times("bar")}
    shutil.rmtree(wheelhouse(index))
    if when == "after a failure":
        with pytest.raises(facts.FactsError):
            index.look()
    shutil.copytree(tmp_path / "backup", wheelhouse(index))
    if when == "at a start":
        index = Index(index.folder)
    index.look()
    assert (wheelhouse(index) / "names/bar").exists()
    for project, name in (("foo", ONE), ("foo", TWO), ("bar", bar)):
        assert index.record(project, name)["upload-time"] == before[name]
    assert index.record("foo", ONE)["login"] == "publisher"
    assert {**index.times("foo"), **index.times("bar")} == before


def older_copy(index: Index, copy: Path) -> None:
    """Put an older copy of the store in place, as ``rsync -a --delete`` does."""
    shutil.rmtree(wheelhouse(index))
    shutil.copytree(copy, wheelhouse(index))


@pytest.mark.parametrize("removed", ["by the index", "by hand", "before it was recorded"])
@pytest.mark.parametrize("then", ["uploaded", "uploaded after a look", "uploaded after a restart", "copied"])
def test_a_removed_name_outlasts_an_older_copy_of_the_store(
    index: Index, tmp_path: Path, removed: str, then: str
) -> None:
    assert index.upload("bar-1.0.zip", made.file("bar-1.0.zip")).status == 200
    index.look()
    shutil.copytree(wheelhouse(index), tmp_path / "older")
    if removed == "before it was recorded":
        (index.packages / ONE).write_bytes(CONTENT)
        index.look()
        assert not (wheelhouse(index) / f"files/foo/{ONE}.json").exists()
    else:
        assert index.upload(ONE, CONTENT).status == 200
    times = index.times("foo")
    if removed == "by hand":
        (index.packages / ONE).unlink()
    else:
        assert index.remove("foo", "1.0").status == 200
    index.look()
    before = index.record("foo", ONE)
    older_copy(index, tmp_path / "older")
    if then == "copied":
        # Between two looks at everything.
        (index.packages / ONE).write_bytes(OTHER)
        os.utime(index.packages / ONE, (LONG_AGO, LONG_AGO))
        index.keeper._thorough_at = time.monotonic() + 60
        index.keeper.step()
        assert index.listed("foo") == {}
        (index.packages / ONE).unlink()
    elif then == "uploaded after a restart":
        index = Index(index.packages.parent)
    if then != "uploaded":
        index.look()
        assert (wheelhouse(index) / "names/foo").exists()
    answer = index.upload(ONE, OTHER)
    assert answer.status == 409 and "was published before with other content" in answer.text
    assert index.record("foo", ONE) == {**before, "source": "copied", "login": ""}
    assert index.upload(ONE, CONTENT).status == 200
    assert index.times("foo") == times and (wheelhouse(index) / "names/foo").exists()


@pytest.mark.parametrize("removed", [False, True])
def test_a_look_makes_lost_claims_again(index: Index, removed: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    if removed:
        assert index.remove("foo", "1.0").status == 200
    index.look()
    time.sleep(0.1)
    index.look()
    (wheelhouse(index) / "names/foo").unlink()
    index.look()
    assert (wheelhouse(index) / "names/foo").exists()
    assert "The store of facts lacks claims of foo" in caplog.text


def test_a_file_that_has_no_record_yet_makes_a_lost_claim_again(index: Index) -> None:
    (index.packages / ONE).write_bytes(CONTENT)
    (index.packages / "bar-1.0-py3-none-any.whl").write_bytes(b"half of it")
    index.look()
    assert set(index.listed("foo")) == {ONE} and not (wheelhouse(index) / "files/foo" / f"{ONE}.json").exists()
    (wheelhouse(index) / "names/foo").unlink()
    index.look()
    # A file that cannot be opened makes no name private.
    assert os.listdir(wheelhouse(index) / "names") == ["foo"]


def test_records_alone_make_a_lost_claim_again(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    assert index.remove("foo", "1.0").status == 200
    (wheelhouse(index) / "names/foo").unlink()
    index.lose_pages()
    Index(index.packages.parent).look()
    assert (wheelhouse(index) / "names/foo").exists()


@pytest.mark.parametrize("part", ["files/foo", "files/foo and names/foo"])
def test_records_that_are_removed_under_a_running_server_are_made_again(
    index: Index, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    three = "foo-3.0-py3-none-any.whl"
    for name in (ONE, TWO):
        assert index.upload(name, made.file(name, b"one")).status == 200
    times = index.times("foo")
    assert index.remove("foo", "1.0").status == 200
    index.look()
    time.sleep(0.1)
    index.look()
    for one in part.split(" and "):
        place = wheelhouse(index) / one
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    # At once, and without the look.
    assert index.upload(ONE, OTHER).status == 409
    shutil.rmtree(wheelhouse(index) / "files/foo")
    assert index.upload(three, made.file(three)).status == 200
    index.look()
    assert (wheelhouse(index) / "names/foo").exists()
    assert {name: index.record("foo", name)["upload-time"] for name in (ONE, TWO)} == times
    assert f"The store of facts lacks records of {TWO}, {ONE}: they are made again" in caplog.text
    caplog.clear()
    index.look()
    assert "lacks" not in caplog.text


@pytest.mark.parametrize("how", ["a rebuild", "another catalogue"])
def test_an_index_learns_removed_names_from_the_store(index: Index, tmp_path: Path, how: str) -> None:
    shutil.copytree(wheelhouse(index), tmp_path / "older")
    assert index.upload(ONE, CONTENT).status == 200
    assert index.remove("foo", "1.0").status == 200
    index.look()
    time.sleep(0.1)
    index.look()
    if how == "a rebuild":
        again = index
        again.store.forget()
    else:
        index.lose_pages()
        again = Index(index.packages.parent)
    again.look()
    older_copy(again, tmp_path / "older")
    again.look()
    assert again.upload(ONE, OTHER).status == 409
    # What is damaged there is passed over.
    (wheelhouse(index) / f"files/foo/{TWO}.json").write_text("{")
    again.look()


def test_a_record_that_a_failing_disk_has_emptied_is_made_again(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    before = index.record("foo", ONE)
    assert index.remove("foo", "1.0").status == 200
    (wheelhouse(index) / f"files/foo/{ONE}.json").write_text("")
    assert index.upload(ONE, OTHER).status == 409
    assert index.record("foo", ONE)["upload-time"] == before["upload-time"]


def test_a_refused_file_is_on_its_page_once_its_record_is_restored(index: Index, tmp_path: Path) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    record = wheelhouse(index) / f"files/foo/{ONE}.json"
    (index.packages / ONE).unlink()
    copied(index, content=OTHER)
    assert index.listed("foo") == {}
    found = json.loads(record.read_text())
    record.write_text(json.dumps({**found, "sha256": sha256(OTHER)}))
    index.keeper._retry_at = 0.0
    index.look()
    assert index.listed("foo") == {ONE: sha256(OTHER)}


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


@pytest.mark.parametrize("folder", ["", "names", "files", "projects"])
def test_a_part_that_cannot_be_written_to_is_said(index: Index, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    place = wheelhouse(index) / folder
    # Root may write anywhere: what access(2) says to other accounts.
    monkeypatch.setattr(os, "access", lambda path, *_, **__: Path(path) != place)
    assert f"{place.parent.name}/{place.name}/ cannot be written to by uid" in " ".join(health.problems(index.store))


def test_a_store_that_another_account_owns_stops_no_start(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_facts: facts.FactStore) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "names")

    monkeypatch.setattr(facts.FactStore, "_make", refusing)
    index = Index(in_memory)
    assert "packages/.wheelhouse/format is missing" in " ".join(health.problems(index.store))
    assert index.upload(ONE, CONTENT).status == 503
    monkeypatch.undo()
    assert index.upload(ONE, CONTENT).status == 200


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


def test_a_project_whose_records_cannot_be_listed_keeps_no_other_from_its_pages(index: Index) -> None:
    for project in ("foo", "bar", "zoo"):
        name = f"{project}-1.0-py3-none-any.whl"
        assert index.upload(name, made.file(name)).status == 200
    shutil.rmtree(wheelhouse(index) / "files/foo")
    (wheelhouse(index) / "files/foo").write_text("not a folder")
    index.lose_pages()
    again = Index(index.folder)
    again.look()
    assert again.projects() >= {"bar", "zoo"}
    assert again.listed("bar") and again.listed("zoo")


@pytest.mark.parametrize("number", ["0", "-1", "1.9", "true", '"1"', "1e999", "NaN", "null"])
def test_a_format_is_a_whole_number_from_1_on(index: Index, number: str) -> None:
    place = wheelhouse(index) / "format"
    own = json.loads(place.read_text())["id"]
    place.write_text(f'{{"format": {number}, "id": "{own}"}}')
    assert index.upload(ONE, CONTENT).status == 503
    assert "packages/.wheelhouse/format cannot be used" in " ".join(health.problems(index.store))
    with pytest.raises(facts.FactsError):
        index.look()
    place.write_text(json.dumps({"format": 1, "id": own}))
    assert index.upload(ONE, CONTENT).status == 200


@pytest.mark.parametrize("own", ['""', "null", "1", '"\\ud800"'])
def test_a_store_has_an_id_that_can_be_kept(in_memory: Path, own: str) -> None:
    for folder in ("", "names", "files", "projects"):
        (in_memory / "packages/.wheelhouse" / folder).mkdir(parents=True, exist_ok=True)
    (in_memory / "packages/.wheelhouse/format").write_text(f'{{"format": 1, "id": {own}}}')
    (in_memory / "index").mkdir()
    new = Index(in_memory)
    assert "packages/.wheelhouse/format cannot be used" in " ".join(health.problems(new.store))
    assert new.upload(ONE, CONTENT).status == 503


BAD_RECORDS: dict[str, list[object]] = {
    "size": [-1, 1.5, True, None, "1", 10**30, float("inf")],
    "sha256": [None, 1, "", "x", sha256(CONTENT).upper(), "\ud800"],
    "upload-time": [None, 1, "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "\ud800"],
    "source": [None, ["upload"], "\ud800"],
    "login": [None, ["publisher"], "\ud800"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD_RECORDS.items() for value in values])
def test_a_damaged_record_stops_its_file_alone(
    index: Index, key: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    place = wheelhouse(index) / f"files/foo/{ONE}.json"
    place.write_text(json.dumps({**index.record("foo", ONE), key: value}).replace("Infinity", "1e999"))
    (index.packages / ONE).touch()
    for number, again in enumerate((index, Index(index.packages.parent))):
        bar = f"bar-{number}.0.zip"
        copied(again, bar, made.file(bar))
        assert bar in again.listed("bar") and again.listed("foo") == {}
    assert f"{place} cannot be used" in caplog.text and f"{ONE} is on no page" in caplog.text
    (index.packages / ONE).unlink()
    index.look()
    assert index.upload(ONE, CONTENT).status == 503
    assert index.upload(TWO, made.file(TWO)).status == 200


@pytest.mark.parametrize("what", ["link", "dangling link", "folder"])
def test_a_claim_is_a_file(index: Index, what: str, caplog: pytest.LogCaptureFixture) -> None:
    claim, target = wheelhouse(index) / "names/foo", index.packages.parent / "target"
    claim.mkdir() if what == "folder" else claim.symlink_to(target)
    if what == "link":
        target.touch()
    for again in (index, Index(index.packages.parent)):
        assert again.upload(ONE, CONTENT).status == 503
        assert again.ask("set_status", name="foo", status="archived").status == 503
        (again.packages / TWO).write_bytes(made.file(TWO))
        copied(again, "bar-1.0.zip", made.file("bar-1.0.zip"))
        assert set(again.listed("bar")) == {"bar-1.0.zip"}
    assert f"{claim} is a link or no file: remove it" in caplog.text
    assert target.exists() == (what == "link") and set(index.stored()) == {TWO, "bar-1.0.zip"}
    claim.rmdir() if what == "folder" else claim.unlink()
    index.look()
    assert index.upload(ONE, CONTENT).status == 200 and claim.is_file() and ONE in index.listed("foo")


def test_a_folder_of_records_that_is_a_link_stops_its_project_alone(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    place, elsewhere = wheelhouse(index) / "files/foo", index.packages.parent / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = {path.name for path in elsewhere.iterdir()}
    for again in (index, Index(index.packages.parent)):
        assert again.upload(TWO, made.file(TWO)).status == 503
        copied(again, "bar-1.0.zip", made.file("bar-1.0.zip"))
        assert set(again.listed("bar")) == {"bar-1.0.zip"}
    assert f"{place} cannot be used: [Errno 20] it is a link" in caplog.text
    assert {path.name for path in elsewhere.iterdir()} == before
    place.unlink()
    elsewhere.rename(place)
    assert index.upload(TWO, made.file(TWO)).status == 200


@pytest.mark.parametrize("what", ["a link", "not a folder"])
def test_a_folder_of_records_that_is_none_stops_no_project_of_a_longer_name(
    index: Index, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    place, elsewhere = wheelhouse(index) / "files/foo", index.packages.parent / "elsewhere"
    place.rename(elsewhere)
    sdist, other = "foo-bar-1.0.tar.gz", "foo-baz-1.0.tar.gz"
    if what == "a link":
        place.symlink_to(elsewhere)
        # What is behind a link tells nothing.
        (elsewhere / f"{sdist}.json").write_text((elsewhere / f"{ONE}.json").read_text())
    else:
        place.write_text("in its place")
    copied(index, sdist, made.file(sdist))
    assert set(index.listed("foo-bar")) == {sdist}
    answer = index.upload(other, made.file(other, b"", ("foo-baz", "1.0")))
    print(answer)
    assert answer.status == 200 and set(index.listed("foo-baz")) == {other}
    assert f"{place} cannot be used: [Errno 20] it is {what}" in caplog.text
    assert index.upload(TWO, made.file(TWO)).status == 503


def test_a_record_that_is_a_link_is_damaged(index: Index) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    assert index.remove("foo", "1.0").status == 200
    place = wheelhouse(index) / f"files/foo/{ONE}.json"
    place.unlink()
    place.symlink_to(index.packages.parent / "nowhere")
    assert index.upload(ONE, CONTENT).status == 503
    index.look()
    assert not (index.packages.parent / "nowhere").exists()


@pytest.mark.parametrize("place", ["projects/bar.json", "files/bar/bar-1.0-py3-none-any.whl.json"])
def test_a_pipe_in_the_place_of_a_fact_is_not_waited_for(index: Index, place: str) -> None:
    (wheelhouse(index) / place).parent.mkdir(exist_ok=True)
    os.mkfifo(wheelhouse(index) / place)

    def look() -> int:
        # A look that waits for it would never end.
        signal.alarm(20)
        copied(index)
        return int(ONE not in index.listed("foo"))

    assert in_a_child(look) == 0


def test_a_fact_that_is_too_long_is_damaged(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    assert index.remove("foo", "1.0").status == 200
    monkeypatch.setattr(disk, "LONGEST_BYTES", 1000)
    place = wheelhouse(index) / f"files/foo/{ONE}.json"
    place.write_text(place.read_text() + " " * 1000)
    answer = index.upload(ONE, CONTENT)
    print(answer)
    assert answer.status == 503 and index.stored() == {}


def test_a_part_on_another_mount_is_said(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    lstat, place = os.lstat, wheelhouse(index) / "quarantine"
    place.mkdir()

    def elsewhere(path: os.PathLike[str] | str) -> os.stat_result:
        found = list(lstat(path))
        # Its device.
        found[2] += in_folder(path) == place
        return os.stat_result(found)

    monkeypatch.setattr(os, "lstat", elsewhere)
    assert index.upload(ONE, CONTENT).status == 503
    assert "packages/.wheelhouse/quarantine/ is a mount of its own" in " ".join(health.problems(index.store))


def test_facts_are_synced_before_anything_counts(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync, link = os.fsync, os.link

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(f"{index.packages}/"))

    def published(source: str | Path, target: str | Path, **how: bool) -> None:
        link(source, target, **how)
        if Path(target).name == ONE:
            synced.append("published")

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "link", published)
    assert index.upload(ONE, CONTENT).status == 200
    print(synced)
    before = synced[: synced.index("published")]
    facts_of_it = {f".wheelhouse/{part}" for part in ("names", "files", "files/foo", f"files/foo/{ONE}.json")}
    assert facts_of_it <= set(before)
    synced.clear()
    assert index.ask("yank", filename=ONE).status == 200
    print(synced)
    # The document before it gets its name, and then the name.
    assert synced[0].startswith(".incoming/") and synced[1] == ".wheelhouse/projects"
    synced.clear()
    (wheelhouse(index) / "names/foo").unlink()
    index.look()
    assert ".wheelhouse/names" in synced


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


def test_records_that_cannot_be_made_again_stop_their_project_alone(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    assert index.upload(ONE, CONTENT).status == 200
    assert index.remove("foo", "1.0").status == 200
    index.look()
    claim = wheelhouse(index) / "names/foo"
    claim.unlink()
    claim.symlink_to("nowhere")
    shutil.rmtree(wheelhouse(index) / "files/foo")
    copied(index, "bar-1.0.zip", made.file("bar-1.0.zip"))
    assert set(index.listed("bar")) == {"bar-1.0.zip"}
    assert f"{claim} is a link or no file" in caplog.text
    assert index.upload(ONE, OTHER).status == 503
    claim.unlink()
    assert index.upload(ONE, OTHER).status == 409


@pytest.mark.parametrize("when", ["while it runs", "before a rebuild"])
def test_an_older_copy_of_the_store_does_not_outlast_what_replaced_its_files(
    in_memory: Path, tmp_path: Path, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    index = Index(in_memory, overwrite=True)
    index.keeper.step()
    assert index.upload(ONE, OTHER).status == index.upload(TWO, made.file(TWO)).status == 200
    shutil.copytree(wheelhouse(index), tmp_path / "older")
    assert index.upload(ONE, CONTENT).status == 200
    # Two of a name: the record is that of one.
    for number in (1, 2):
        copied(index, f"{number}/foo-3.0.zip", made.file("foo-3.0.zip", str(number).encode()))
    times = index.times("foo")
    older_copy(index, tmp_path / "older")
    if when == "before a rebuild":
        index.store.forget()
    for _ in range(3):
        index.look()
    assert index.record("foo", ONE)["sha256"] == sha256(CONTENT)
    assert index.record("foo", ONE)["upload-time"] == times[ONE] == index.times("foo")[ONE]
    assert index.record("foo", TWO)["login"] == "publisher"
    assert any("lacks records of" in line and ONE in line for line in caplog.messages)
    caplog.clear()
    index.look()
    assert "lacks" not in caplog.text


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
