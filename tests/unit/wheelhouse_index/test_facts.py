"""The store of facts: what lasts of a file and of a name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from wheelhouse_index.common.times import nanoseconds, time_text

from tests.support import packages as made
from tests.support.facts import CONTENT, LONG_AGO, ONE, OTHER, copied, touch, wheelhouse
from tests.support.index import Index, sha256


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
