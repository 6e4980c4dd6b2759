"""Records and claims that are damaged, emptied, or something else than files: they stop what they are about, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from wheelhouse_index.common import disk

from tests.support import packages as made
from tests.support.facts import CONTENT, ONE, OTHER, TWO, copied, in_folder, wheelhouse
from tests.support.index import Index, in_a_child, sha256

BAD_RECORDS: dict[str, list[object]] = {
    "size": [-1, 1.5, True, None, "1", 10**30, float("inf")],
    "sha256": [None, 1, "", "x", sha256(CONTENT).upper(), "\ud800"],
    "upload-time": [None, 1, "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "\ud800"],
    "source": [None, ["upload"], "\ud800"],
    "login": [None, ["publisher"], "\ud800"],
}


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


def test_a_folder_that_cannot_be_looked_at_is_a_503(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    lstat = os.lstat

    def refusing(path: os.PathLike[str] | str) -> os.stat_result:
        if in_folder(path) == wheelhouse(index) / "names":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return lstat(path)

    monkeypatch.setattr(os, "lstat", refusing)
    assert index.upload(ONE, CONTENT).status == 503


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
