"""The store of facts where it is missing, another one, of another release, or an older copy of itself."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from wheelhouse_index import rebuild
from wheelhouse_index.fact_store import facts
from wheelhouse_index.server import health

from tests.support import packages as made
from tests.support.facts import CONTENT, LONG_AGO, ONE, OTHER, TWO, copied, in_folder, older_copy, touch, wheelhouse
from tests.support.index import Index, sha256


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
