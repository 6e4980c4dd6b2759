"""What a backup has comes back, what is younger holds, and a drill finds what differs."""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.commands import recovering
from wheelhouse_index.common.times import time_text
from wheelhouse_index.fact_store.facts import UnmountedError
from wheelhouse_index.index.store import Store

from tests.support import packages as made
from tests.support.index import Index

WHEEL, SDIST, OTHER = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "bar-1.0-py3-none-any.whl"


def snapshot(index: Index, folder: Path) -> Path:
    """Return what the role backup has read from a snapshot of an index."""
    shutil.copytree(index.packages, folder / "files", ignore=shutil.ignore_patterns(".wheelhouse", ".incoming"))
    shutil.copytree(index.packages / ".wheelhouse", folder / "store/.wheelhouse")
    return folder


def restored(source: Path, index: Index, **elsewhere: dict[str, Any]) -> recovering.Restored:
    """Restore a snapshot that was begun just before it was read; other nodes say what was removed there."""
    places = index.packages, index.pages, index.logs
    return recovering.restore(source, *places, int(source.stat().st_ctime), elsewhere)


@pytest.fixture
def index(index: Index) -> Index:
    for name in (WHEEL, SDIST, OTHER):
        assert index.upload(name, made.file(name)).status == 200
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    return index


@pytest.fixture
def source(index: Index, tmp_path: Path) -> Path:
    return snapshot(index, tmp_path / "snapshot")


def said(index: Index) -> dict[str, object]:
    pages = index.pages.glob("simple/*/index.json")
    return {page.parent.name: json.loads(page.read_bytes()) for page in pages}


@pytest.mark.parametrize("was_there", [False, True])
def test_an_empty_index_becomes_the_one_that_was_backed_up(
    index: Index, source: Path, tmp_path: Path, was_there: bool
) -> None:
    before = said(index)
    (tmp_path / "new").mkdir()
    if not was_there:
        for folder in ("packages", "index"):
            (tmp_path / "new" / folder).mkdir()
        found = recovering.restore(source, tmp_path / "new/packages", tmp_path / "new/index", tmp_path / "new/logs", 0)
        new = Index(tmp_path / "new")
    else:
        new = Index(tmp_path / "new")
        new.keeper.step()
        found = restored(source, new)
    assert (found.files, found.added, found.kept) == (3, 3, [])
    new.keeper.step()
    assert said(new) == before
    assert (
        new.packages.joinpath(".wheelhouse/format").read_bytes()
        == index.packages.joinpath(".wheelhouse/format").read_bytes()
    )
    assert new.upload(WHEEL, made.file(WHEEL, b"other")).status == 409


def test_what_is_there_stays_and_what_was_lost_comes_back(index: Index, source: Path) -> None:
    before = said(index)
    (index.packages / OTHER).unlink()
    found = restored(source, index)
    assert (found.files, found.added, found.kept, found.removed) == (3, 1, [], [])
    index.keeper.step()
    assert said(index) == before
    assert restored(source, index).added == 0


@pytest.mark.parametrize("emptied", [False, True])
def test_what_was_removed_since_lies_in_the_trash(index: Index, source: Path, emptied: bool) -> None:
    before = {project: index.listed(project) for project in ("foo", "bar")}
    (source / "files" / f"{SDIST}.asc").write_bytes(b"signature")
    assert index.remove("foo", "1.0").status == 200
    assert index.remove("bar", "1.0").status == 200
    held = said(index)
    if emptied:
        index.store.facts.trash.empty(0)
    found = restored(source, index)
    assert (found.files, found.added, found.kept) == (4, 0, [])
    assert sorted(found.removed) == sorted([WHEEL, SDIST, f"{SDIST}.asc", OTHER])
    index.keeper.step()
    assert said(index) == held
    lying = {(one.project, one.path): one for one in index.store.facts.trash.files()}
    assert set(lying) == {("foo", WHEEL), ("foo", SDIST), ("foo", f"{SDIST}.asc"), ("bar", OTHER)}
    for path in (WHEEL, SDIST, OTHER):
        index.store.restore_removed(lying["bar" if path == OTHER else "foo", path], False)
    index.keeper.step()
    assert {project: index.listed(project) for project in ("foo", "bar")} == before


def answer(
    source: Path, *files: tuple[str, float, bool], project: str = "foo", unread: Sequence[str] = ()
) -> dict[str, Any]:
    """What another node says of files, with the seconds after the snapshot, and whether they were removed then."""
    began = int(source.stat().st_ctime)
    rows = {name: [time_text(int((began + after) * 1e9)), project, removed] for name, after, removed in files}
    return {"files": rows, "unread": list(unread)}


def test_what_was_removed_by_another_node_lies_in_the_trash(index: Index, source: Path) -> None:
    for name in (WHEEL, SDIST, OTHER):
        (index.packages / name).unlink()
    b = answer(source, (WHEEL, 60, True), (SDIST, -60, True), unread=["changes-1.log, line 2"])
    c = answer(source, (OTHER, 5, True), project="bar")
    found = restored(source, index, b=b, c=c)
    assert (found.added, sorted(found.removed), found.unread) == (
        1,
        sorted([WHEEL, OTHER]),
        ["b: changes-1.log, line 2"],
    )
    lying = {(one.project, one.path) for one in index.store.facts.trash.files()}
    assert lying == {("foo", WHEEL), ("bar", OTHER)}


@pytest.mark.parametrize(
    ("b", "c", "comes_back"),
    [
        # Clocks are some seconds apart: in doubt it lies in the trash.
        ([(WHEEL, -4, True)], [], False),
        ([(WHEEL, 60, True)], [(WHEEL, 65, False)], False),
        ([(WHEEL, 60, True)], [(WHEEL, 90, False)], True),
        ([(WHEEL, 60, False)], [(WHEEL, 20, True)], True),
    ],
)
def test_what_came_back_on_another_node_is_restored(
    index: Index, source: Path, b: list[Any], c: list[Any], comes_back: bool
) -> None:
    (index.packages / WHEEL).unlink()
    found = restored(source, index, b=answer(source, *b), c=answer(source, *c))
    assert (found.added, found.removed) == ((1, []) if comes_back else (0, [WHEEL]))


def test_what_a_node_says_leads_nowhere_else(index: Index, source: Path) -> None:
    (index.packages / WHEEL).unlink()
    found = restored(source, index, b=answer(source, (WHEEL, 60, True), project="../../../out"))
    assert (found.added, found.removed) == (1, [])


def test_a_node_says_what_came_and_what_was_removed(index: Index, source: Path) -> None:
    assert index.remove("foo", "1.0").status == 200
    said = recovering.removed(index.logs, int(source.stat().st_ctime))
    rows = {name: row[1:] for name, row in said["files"].items()}
    assert rows == {WHEEL: ["foo", True], SDIST: ["foo", True], OTHER: ["bar", False]}
    (log,) = index.logs.glob("changes-*")
    log.write_text(log.read_text().replace('"time": "2', '"time": "x2'))
    said = recovering.removed(index.logs, 0)
    assert not said["files"] and "is no time" in said["unread"][0]


def test_what_is_removed_while_files_are_brought_in_lies_in_the_trash(
    index: Index, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "files" / f"{OTHER}.asc").write_bytes(b"signature")
    (index.packages / OTHER).unlink()
    place = recovering._place

    def late(path: Path, target: Path) -> bool:
        placed = place(path, target)
        if target == index.packages / OTHER:
            index.keeper.step()
            assert index.remove("bar", "1.0").status == 200
            assert not target.exists()
            placed = place(path, target)
        return placed

    monkeypatch.setattr(recovering, "_place", late)
    found = restored(source, index)
    assert (found.added, sorted(found.removed)) == (0, [OTHER, f"{OTHER}.asc"])
    assert not [path for path in index.packages.iterdir() if path.name.startswith("bar")]
    assert {OTHER, f"{OTHER}.asc"} <= {one.path for one in index.store.facts.trash.files()}


def test_a_store_has_its_name_once_all_of_it_is_there(
    index: Index, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages, pages, logs = folders = [tmp_path / "new" / name for name in ("packages", "index", "logs")]
    for folder in folders:
        folder.mkdir(parents=True)
    place, placed = recovering._place, []

    def cut_off(path: Path, target: Path) -> bool:
        assert not (packages / ".wheelhouse/format").exists()
        placed.append(path.name)
        if path.name == OTHER:
            raise OSError("The power failed")
        return place(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(recovering, "_place", cut_off)
        with pytest.raises(OSError, match="power"):
            recovering.restore(source, packages, pages, logs, 0)
    assert placed and not (packages / ".wheelhouse/format").exists()
    # A server that is started meanwhile makes no other store.
    with pytest.raises(UnmountedError, match="is being restored, or that was cut off"):
        Index(tmp_path / "new").keeper.step()
    shutil.copytree(source, other := tmp_path / "another")
    (other / "store/.wheelhouse/format").write_text('{"format": 1, "id": "another"}')
    with pytest.raises(recovering.CannotError, match="of another index"):
        recovering.restore(other, packages, pages, logs, 0)
    recovering.restore(source, packages, pages, logs, 0)
    new = Index(tmp_path / "new")
    new.keeper.step()
    assert said(new) == said(index)
    assert not (packages / ".wheelhouse/restoring").exists()


def test_an_upload_meanwhile_is_not_replaced_by_what_comes_from_another_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "packages" / WHEEL
    source.write_bytes(b"restored")
    link, copy = recovering.os.link, shutil.copy2

    def across(one: Path, other: Path) -> None:
        if one == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(one, other)

    def late(one: Path, other: Path) -> None:
        copy(one, other)
        target.write_bytes(b"uploaded")

    monkeypatch.setattr(recovering.os, "link", across)
    with monkeypatch.context() as patch:
        patch.setattr(recovering.shutil, "copy2", late)
        assert recovering._place(source, target) is False
    assert target.read_bytes() == b"uploaded"
    target.unlink()
    assert recovering._place(source, target) is True
    assert [(path.name, path.read_bytes()) for path in target.parent.iterdir()] == [(WHEEL, b"restored")]


def test_what_of_the_change_log_cannot_be_read_is_named(index: Index, source: Path) -> None:
    assert index.remove("foo", "1.0").status == 200
    (log,) = index.logs.glob("changes-*")
    log.write_text(log.read_text()[:-5])
    found = restored(source, index)
    assert (found.added, found.removed) == (2, [])
    assert found.unread == [f"{log.name}, line {len(log.read_text().splitlines())}"]


def test_what_was_removed_and_published_again_or_removed_before_comes_back(index: Index, tmp_path: Path) -> None:
    assert index.remove("bar", "1.0").status == 200
    shutil.copy(next(index.store.facts.trash.files()).place, index.packages / OTHER)
    assert index.remove("foo", "1.0").status == 200
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    # The time of a snapshot is in whole seconds.
    time.sleep(1.1)
    source = snapshot(index, tmp_path / "snapshot")
    for name in (WHEEL, OTHER):
        (index.packages / name).unlink()
    assert restored(source, index).added == 2


def test_what_lay_in_the_trash_lies_there_again(index: Index, tmp_path: Path) -> None:
    assert index.remove("bar", "1.0").status == 200
    source = snapshot(index, tmp_path / "snapshot")
    (there,) = index.store.facts.trash.files()
    index.store.facts.trash.empty(0)
    assert restored(source, index).files == 2
    assert list(index.store.facts.trash.files()) == [there]


def test_yanks_and_a_quarantine_that_are_younger_hold(index: Index, source: Path) -> None:
    assert index.ask("yank", name="bar", version="1.0", reason="leaks").status == 200
    assert index.ask("unyank", name="foo", version="1.0").status == 200
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    held = said(index)
    restored(source, index)
    assert not (index.packages / WHEEL).exists(), "it is served until the index has looked"
    index.keeper.step()
    assert said(index) == held
    assert sorted(path.name for path in (index.packages / ".wheelhouse/quarantine/foo").iterdir()) == [WHEEL, SDIST]


def test_decisions_of_the_newest_snapshot_hold_on_a_bare_host(index: Index, source: Path, tmp_path: Path) -> None:
    assert index.ask("yank", name="bar", version="1.0", reason="leaks").status == 200
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    held = said(index)
    shutil.copytree(index.packages / ".wheelhouse/projects", source / "newest/store/.wheelhouse/projects")
    (tmp_path / "new").mkdir()
    for folder in ("packages", "index"):
        (tmp_path / "new" / folder).mkdir()
    recovering.restore(source, tmp_path / "new/packages", tmp_path / "new/index", tmp_path / "new/logs", 0)
    assert not (tmp_path / "new/packages" / WHEEL).exists()
    new = Index(tmp_path / "new")
    new.keeper.step()
    assert said(new) == held


def test_files_that_were_in_quarantine_come_back_where_that_was_lifted(index: Index, tmp_path: Path) -> None:
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    source = snapshot(index, tmp_path / "snapshot")
    assert index.ask("set_status", name="foo", status="active").status == 200
    for name in (WHEEL, SDIST):
        (index.packages / name).unlink()
    restored(source, index)
    index.keeper.step()
    assert {WHEEL, SDIST} == set(index.listed("foo"))


@pytest.mark.parametrize("decision", ["damaged", "missing"])
def test_what_may_be_in_quarantine_is_served_to_no_one(
    index: Index, source: Path, tmp_path: Path, decision: str
) -> None:
    """Here a part of the files was moved when the snapshot was made."""
    projects, quarantine = source / "store/.wheelhouse/projects", source / "store/.wheelhouse/quarantine/foo"
    if decision == "damaged":
        (projects / "foo.json").write_text("{")
    else:
        (projects / "foo.json").unlink()
        quarantine.mkdir(parents=True)
        (source / "files" / SDIST).rename(quarantine / SDIST)
    (tmp_path / "packages").mkdir()
    recovering.restore(source, tmp_path / "packages", tmp_path / "index", tmp_path / "logs", 0)
    assert [path.name for path in (tmp_path / "packages").iterdir() if path.is_file()] == [OTHER]
    shut = tmp_path / "packages/.wheelhouse/quarantine/foo"
    assert sorted(path.name for path in shut.iterdir()) == [WHEEL, SDIST]


def test_another_content_stays_and_is_named(index: Index, source: Path) -> None:
    (source / "files" / OTHER).write_bytes(made.file(OTHER, b"other"))
    assert restored(source, index).kept == [OTHER]
    assert (index.packages / OTHER).read_bytes() == made.file(OTHER)


def test_links_of_a_snapshot_are_left_out(index: Index, source: Path, tmp_path: Path) -> None:
    (source / "files/link-1.0.tar.gz").symlink_to("/etc/hostname")
    restored(source, index)
    assert not (index.packages / "link-1.0.tar.gz").is_symlink()


def test_packages_of_another_index_are_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = Index(tmp_path / "new")
    new.keeper.step()
    assert new.upload(OTHER, made.file(OTHER, b"own")).status == 200
    with pytest.raises(recovering.CannotError, match="packages of another index"):
        restored(source, new)
    assert [path.name for path in new.packages.iterdir() if path.is_file()] == [OTHER]


def test_a_snapshot_without_facts_is_refused(index: Index, source: Path) -> None:
    (source / "store/.wheelhouse/format").unlink()
    with pytest.raises(recovering.CannotError, match="has no facts"):
        restored(source, index)


def drilled(source: Path, live: Index, monkeypatch: pytest.MonkeyPatch, began: float) -> dict[str, object]:
    monkeypatch.setattr(recovering, "LIVE", live.folder)
    for folder in ("packages", "index"):
        (source / folder).mkdir()
    recovering.restore(source, source / "packages", source / "index", source / "logs", int(began))
    found = recovering.drill(Store(source / "packages", source / "index"), int(began))
    found.pop("compare_seconds")
    return found


def test_a_drill_says_what_is_newer_and_what_differs(
    index: Index, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time() + 5
    for name in ("new-1.0.tar.gz", "late-1.0.tar.gz"):
        assert index.upload(name, made.file(name)).status == 200
    assert index.remove("bar", "1.0").status == 200
    assert index.ask("unyank", name="foo", version="1.0").status == 200
    found = drilled(source, index, monkeypatch, began)
    assert found == {
        "projects": 2,
        "files": 3,
        "same": 0,
        "changed_since": 2,
        "removed_since": 1,
        "newer": 2,
        "problems": ["late/late-1.0.tar.gz is not in the snapshot", "new/new-1.0.tar.gz is not in the snapshot"],
    }


def test_a_drill_finds_a_file_that_is_not_what_was_published(
    index: Index, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "files" / OTHER).write_bytes(made.file(OTHER, b"other"))
    found = drilled(source, index, monkeypatch, 0)
    assert found["problems"] == [f"{OTHER} is on no page: its content is not what was published"]
    assert (found["same"], found["newer"]) == (2, 1)


def test_what_is_settled_is_counted(index: Index) -> None:
    index.keeper.step()
    store = Store(index.packages, index.pages)
    assert recovering.settled(store) == {"projects": 2, "pages_files": 3, "unread": [], "refused": []}


@pytest.mark.parametrize(("command", "gives_way"), [("drill", True), ("settled", False)])
def test_a_drill_alone_gives_way_to_those_that_serve(
    index: Index, monkeypatch: pytest.MonkeyPatch, command: str, gives_way: bool
) -> None:
    monkeypatch.setenv("WHEELHOUSE_PACKAGES", str(index.packages))
    monkeypatch.setenv("WHEELHOUSE_INDEX", str(index.folder))
    monkeypatch.setenv("WHEELHOUSE_LOGS", str(index.folder))
    monkeypatch.setattr(recovering, command, lambda *_arguments: {})
    asked: list[bool] = []
    monkeypatch.setattr(recovering.priority, "give_way", lambda: asked.append(True))
    assert recovering.main([command, "0"]) == 0
    assert asked == [True] * gives_way
