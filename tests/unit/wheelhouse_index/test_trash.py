"""What is removed lies in the trash for a while, and comes back as it was."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.commands import trash

from tests.support import index_server
from tests.support import packages as made
from tests.support.attestations import attestation
from tests.support.index import Index
from tests.support.index_server import Server
from tests.unit.wheelhouse_index.test_change_log import noted

WHEEL, SDIST, TWO = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-2.0-py3-none-any.whl"
OTHER = "bar-1.0-py3-none-any.whl"
RESTORE = {"pypi_trash_do": "restore"}
DAY = 24 * 3600


@pytest.fixture
def index(index: Index) -> Index:
    """An index with two projects, of which a release has attestations and is yanked."""
    field = json.dumps([attestation(WHEEL, made.file(WHEEL))])
    assert index.upload(WHEEL, made.file(WHEEL), attestations=field).status == 200
    for name in (SDIST, TWO, OTHER):
        assert index.upload(name, made.file(name)).status == 200
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    return index


def trashed(index: Index) -> set[str]:
    return {file.path for file in index.store.facts.trash.files()}


def page(index: Index) -> dict[str, Any]:
    return dict(json.loads((index.pages / "simple/foo/index.json").read_text()))


def asked(index: Index, *options: str, **variables: Any) -> dict[str, Any]:
    """Return what the playbook gets."""
    code, answer = index_server.asked(trash.main, index.folder, variables, check="--check" in options)
    assert code == 0, answer
    return answer


def refused(index: Index, **variables: Any) -> dict[str, Any]:
    """Return what it gets with an error."""
    code, answer = index_server.asked(trash.main, index.folder, variables)
    assert code == 1, answer
    return answer


def signed(index: Index, name: str, text: bytes) -> None:
    """Put a signature beside a file."""
    (index.packages / f"{name}.asc").write_bytes(text)
    index.look()


def removed_days_ago(index: Index, days: float) -> None:
    """Have all that was removed now be removed earlier."""
    for folder in index.store.facts.trash.folder.iterdir():
        moment = time.gmtime(time.time() - days * DAY)
        folder.rename(folder.with_name(time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", moment)))


def test_a_removed_release_comes_back_with_its_time_its_yank_and_its_attestations(index: Index) -> None:
    before, stored = page(index), index.stored()
    assert index.remove("foo", "1.0").status == 200
    assert set(index.stored()) == {TWO, OTHER}
    assert trashed(index) == {WHEEL, SDIST}
    shown = asked(index)
    assert shown["changed"] == [] and [line.split(":")[0] for line in shown["found"]] == [WHEEL, SDIST]
    selected = {**RESTORE, "pypi_project": "Foo", "pypi_version": "1"}
    assert asked(index, "--check", **selected)["changed"] == [SDIST, WHEEL]
    assert trashed(index) == {WHEEL, SDIST}
    assert asked(index, **selected)["changed"] == [SDIST, WHEEL]
    assert (page(index), index.stored()) == (before, stored)
    assert (index.pages / f"packages/{WHEEL}.provenance").exists()
    assert index.said() == index.truth()
    # Its folders are removed with the last file.
    assert not list(index.store.facts.trash.folder.iterdir())
    assert "the trash has none of these files; it is empty" in refused(index, **selected)["stop"]
    assert [line["action"] for line in noted(index)][-3:] == ["remove_pkg", "restore", "restore"]
    # The server's keeper finds it so.
    index.look()
    assert page(index) == before


def test_the_name_of_what_lies_there_still_stands_for_one_content(index: Index) -> None:
    assert index.remove(filename=TWO).status == 200
    answer = index.upload(TWO, made.file(TWO, b"other"))
    assert (answer.status, "was published before with other content" in answer.text) == (409, True)
    assert index.upload(TWO, made.file(TWO)).status == 200
    # It is back by an upload: there is nothing to bring back.
    assert asked(index, **RESTORE, pypi_file=TWO)["changed"] == []
    assert index.stored()[TWO] == made.file(TWO)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"pypi_project": "foo"}, {WHEEL, SDIST, TWO}),
        ({"pypi_project": "foo", "pypi_version": "2.0"}, {TWO}),
        ({"pypi_file": SDIST}, {SDIST}),
        ({"pypi_since": "2026-01-01"}, {WHEEL, SDIST, TWO, OTHER}),
        ({"pypi_since": "2026-01-01", "pypi_project": "bar"}, {OTHER}),
    ],
)
def test_what_is_named_comes_back_and_nothing_else(index: Index, variables: dict[str, str], found: set[str]) -> None:
    for project, version in (("foo", "1.0"), ("foo", "2.0"), ("bar", "1.0")):
        assert index.remove(project, version).status == 200
    assert set(asked(index, **RESTORE, **variables)["changed"]) == found == set(index.stored())
    assert index.said() == index.truth()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (RESTORE, "pypi_project, pypi_file, pypi_since: missing; name what is to come back"),
        (
            {"pypi_trash_do": "empty"},
            "pypi_project, pypi_file, pypi_since: missing; name what is to come back or to be",
        ),
        *(
            ({"pypi_trash_do": "empty", "pypi_file": WHEEL, name: " "}, f"{name}: empty; give a value, or leave it out")
            for name in ("pypi_project", "pypi_version", "pypi_file", "pypi_since")
        ),
        ({"pypi_trash_do": "restor"}, "pypi_trash_do: 'restor' is unknown; give one of show, restore, empty"),
        ({"pypi_version": "1.0"}, "pypi_project: missing beside pypi_version ('1.0')"),
        ({**RESTORE, "pypi_since": "tomorrow"}, "pypi_since: 'tomorrow' is not a day or a time"),
        ({**RESTORE, "pypi_project": 7}, "pypi_project: 7 is not a text"),
        ({**RESTORE, "pypi_project": "fooo"}, "the trash has none of these files; it has files of foo"),
        ({"pypi_trash_do": "empty", "pypi_file": OTHER}, "the trash has none of these files; it has files of foo"),
        ({"pypi_later": "x"}, "pypi_later: unknown to the index that runs; run wheelhouse.pypi.site first"),
    ],
)
def test_bad_input_changes_nothing(index: Index, variables: dict[str, Any], said: str) -> None:
    assert index.remove("foo", "1.0").status == 200
    answer = refused(index, **variables)
    assert answer["stop"].startswith(said) and answer["changed"] == []
    assert trashed(index) == {WHEEL, SDIST}


def test_what_cannot_come_back_stays_and_the_rest_comes(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    index.keeper.step()
    for name in (WHEEL, TWO, OTHER):
        assert index.upload(name, made.file(name)).status == 200
    for project, version in (("foo", "1.0"), ("foo", "2.0"), ("bar", "1.0")):
        assert index.remove(project, version).status == 200
    # Where files may be replaced, another one may have the name by now.
    assert index.upload(WHEEL, made.file(WHEEL, b"other")).status == 200
    assert index.ask("set_status", name="bar", status="quarantined").status == 200
    answer = refused(index, **RESTORE, pypi_since="2026-01-01")
    assert answer["changed"] == [TWO] and index.stored()[WHEEL] == made.file(WHEEL, b"other")
    assert f"{WHEEL} exists with other content" in answer["stop"]
    assert f"{OTHER}: bar is in quarantine. Set its status to active first" in answer["stop"]
    assert index.remove(filename=WHEEL).status == 200
    (older,) = [file for file in index.store.facts.trash.files() if file.place.read_bytes() == made.file(WHEEL)]
    assert asked(index, **RESTORE, pypi_file=WHEEL)["changed"] == [WHEEL]
    # The one that was removed last.
    assert index.stored()[WHEEL] == made.file(WHEEL, b"other") and older.place.exists()


@pytest.mark.parametrize("selected", [{"pypi_project": "foo", "pypi_version": "2.0"}, {"pypi_file": TWO}])
def test_a_signature_comes_back_with_its_file(index: Index, selected: dict[str, str]) -> None:
    signed(index, TWO, b"other")
    stored = index.stored()
    assert index.remove(filename=TWO).status == 200
    assert trashed(index) == {TWO, f"{TWO}.asc"}
    assert set(asked(index, "--check", **RESTORE, **selected)["changed"]) == {TWO, f"{TWO}.asc"}
    assert set(asked(index, **RESTORE, **selected)["changed"]) == {TWO, f"{TWO}.asc"}
    assert index.stored() == stored and trashed(index) == set()
    assert [set(line["files"]) for line in noted(index)][-2:] == [{f"{TWO}.asc"}, {TWO}]
    assert index.said() == index.truth()


def test_a_signature_does_not_come_back_beside_other_content(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    index.keeper.step()
    assert index.upload(TWO, made.file(TWO)).status == 200
    signed(index, TWO, b"other")
    assert index.remove(filename=TWO).status == 200
    assert index.upload(TWO, made.file(TWO, b"other")).status == 200
    answer = refused(index, **RESTORE, pypi_project="foo")
    assert answer["changed"] == [] and f"{TWO} exists with other content" in answer["stop"]
    assert f"{TWO}.asc comes back with its file alone, or to the same content" in answer["stop"]
    assert set(index.stored()) == {TWO}
    # To the same content it does.
    assert index.upload(TWO, made.file(TWO)).status == 200
    assert asked(index, **RESTORE, pypi_project="foo")["changed"] == [f"{TWO}.asc"]


def test_a_file_that_lay_in_two_folders_comes_back_to_both(index: Index) -> None:
    three = "foo-3.0-py3-none-any.whl"
    for folder in ("one", "two"):
        (index.packages / folder).mkdir()
        (index.packages / folder / three).write_bytes(made.file(three))
    index.look()
    assert index.remove("foo", "3.0").status == 200
    both = [f"two/{three}", f"one/{three}"]
    assert trashed(index) == {*both}
    assert asked(index, **RESTORE, pypi_project="foo", pypi_version="3.0")["changed"] == both
    assert {*both} < set(index.stored()) and index.said() == index.truth()


def test_a_name_that_was_given_back_is_not_taken_by_what_comes_back(index: Index) -> None:
    assert index.remove("bar", "1.0").status == 200
    index.store.facts.marks.open(index.store.facts.marks.closing())
    index.store.give_back("bar")
    answer = refused(index, **RESTORE, pypi_project="bar")
    assert f"{OTHER}: the name bar was given back. Publish the file again to take it" in answer["stop"]
    assert not index.store.facts.claims.has("bar") and trashed(index) == {OTHER}


def test_what_was_yanked_before_its_name_was_given_back_does_not_come_back_without_its_yank(index: Index) -> None:
    assert index.ask("yank", name="bar", version="1.0", reason="broken").status == 200
    assert index.remove("bar", "1.0").status == 200
    index.store.facts.marks.open(index.store.facts.marks.closing())
    index.store.give_back("bar")
    # The name is taken again.
    newer = OTHER.replace("1.0", "2.0")
    assert index.upload(newer, made.file(newer)).status == 200
    answer = refused(index, **RESTORE, pypi_project="bar")
    assert f"{OTHER}: when it was published is not known any more, as bar was given back since" in answer["stop"]
    assert set(index.listed("bar")) == {newer} and trashed(index) == {OTHER}


def test_it_is_emptied_of_what_is_old_enough(index: Index) -> None:
    store = index.store.facts.trash
    assert index.remove("foo", "1.0").status == 200
    removed_days_ago(index, 3)
    assert index.remove("foo", "2.0").status == 200
    (store.folder / "of-another-tool").mkdir()
    store.empty(4 * DAY)
    assert trashed(index) == {WHEEL, SDIST, TWO}
    store.empty(2 * DAY)
    assert trashed(index) == {TWO} and (store.folder / "of-another-tool").exists()
    assert index.record("foo", WHEEL)["sha256"]
    store.empty(0)
    assert trashed(index) == set()


def test_it_is_not_emptied_for_a_day_after_the_clock_has_jumped(
    index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = time.time()

    def emptied(days: float) -> bool:
        monkeypatch.setattr(time, "time", lambda: now + days * DAY)
        monkeypatch.setattr(time, "time_ns", lambda: int((now + days * DAY) * 1e9))
        index.store.empty_trash()
        return not trashed(index)

    assert index.remove("foo", "1.0").status == 200
    assert not emptied(0)
    # More than the 14 days, and back.
    assert not emptied(365) and "the trash is not emptied for a day" in caplog.text
    assert not emptied(365.01)
    assert not emptied(0.1)
    # As it should be, from look to look.
    assert not any(emptied(half / 2) for half in range(1, 28))
    assert emptied(14.1)


def test_after_a_day_a_jump_counts(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    assert index.remove("foo", "1.0").status == 200
    found = []
    for days in (0, 20, 20.5, 20.9, 21.1):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * DAY)
        monkeypatch.setattr(time, "time_ns", lambda days=days: int((now + days * DAY) * 1e9))
        index.store.empty_trash()
        found.append(bool(trashed(index)))
    assert found == [True, True, True, True, False]


def test_the_keeper_of_a_server_empties_it(index: Index) -> None:
    assert index.remove("foo", "1.0").status == 200
    removed_days_ago(index, 3)
    assert index.remove("foo", "2.0").status == 200
    with Server(index.folder, environment={"WHEELHOUSE_TRASH_SECONDS": str(2 * DAY)}):
        until = time.monotonic() + 20
        while trashed(index) != {TWO} and time.monotonic() < until:
            time.sleep(0.05)
    assert trashed(index) == {TWO}


def test_it_is_emptied_before_its_time_where_that_is_asked_for(index: Index) -> None:
    for version in ("1.0", "2.0"):
        assert index.remove("foo", version).status == 200
    empty = {"pypi_trash_do": "empty", "pypi_since": "2000-01-01"}
    assert set(asked(index, "--check", **empty)["changed"]) == trashed(index) == {WHEEL, SDIST, TWO}
    assert asked(index, **empty, pypi_project="foo", pypi_version="2.0")["changed"] == [TWO]
    assert trashed(index) == {WHEEL, SDIST}
    assert set(asked(index, **empty)["changed"]) == {WHEEL, SDIST}
    assert trashed(index) == set() and noted(index)[-1]["action"] == "empty_trash"


def test_without_a_trash_a_removal_is_one(in_memory: Path) -> None:
    index = Index(in_memory, trash=0)
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    assert index.remove("foo", "1.0").status == 200
    assert trashed(index) == set() and index.stored() == {}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSPC])
def test_what_cannot_be_moved_there_is_removed_for_good(
    index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def fails(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rename", fails)
    assert index.remove(filename=TWO).status == 200
    assert TWO not in index.stored() and trashed(index) == set()
    assert f"{TWO} is removed for good, as it cannot be moved to the trash" in caplog.text


def test_a_file_gets_there_also_when_its_new_folder_is_removed(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename
    removed: list[Path] = []

    def late(source: Path, target: Path) -> None:
        if not removed:
            removed.append(target.parent)
            shutil.rmtree(index.store.facts.trash.folder)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert index.remove(filename=TWO).status == 200
    assert removed and TWO not in index.stored() and trashed(index) == {TWO}


def test_a_file_that_cannot_get_there_is_not_said_to_be_removed(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(FileNotFoundError):
        index.store.remove("foo", [TWO])
    assert index.stored()[TWO] == made.file(TWO)


def test_it_is_emptied_while_nothing_else_changes_anything(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.store.empty_trash()
    assert index.remove("foo", "1.0").status == 200
    locked = []

    def looks(*_arguments: object, **_options: object) -> None:
        with open(index.pages / ".lock", "rb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked.append(True)

    monkeypatch.setattr(shutil, "rmtree", looks)
    monkeypatch.setattr(os, "unlink", looks)
    removed_days_ago(index, 15)
    index.store.empty_trash()
    (one, *_others) = index.store.facts.trash.files()
    index.store.remove_trashed(one)
    assert len(locked) == 2


def test_a_link_in_its_place_stops_removals(index: Index, tmp_path: Path) -> None:
    index.store.facts.trash.folder.symlink_to(tmp_path)
    assert index.remove("foo", "1.0").status == 503
    assert WHEEL in index.stored() and not list(tmp_path.iterdir())


def test_what_was_removed_by_hand_is_not_there(index: Index) -> None:
    (index.packages / TWO).unlink()
    assert index.remove(filename=TWO).status in (200, 404)
    assert trashed(index) == set()
