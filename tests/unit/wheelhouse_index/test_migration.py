"""The first start on a tree that an earlier release has left: its catalogue is taken over, and each file is recorded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from wheelhouse_index.files import reading
from wheelhouse_index.index import catalogue, taking_in, writing
from wheelhouse_index.rendering import pages
from wheelhouse_index.server import health

from tests.support import packages as made
from tests.support.index import Index, in_a_child, sha256
from tests.unit.wheelhouse_index.test_crashes import STEPS, steps

# As the releases before made them.
SCHEMA_1 = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, name TEXT NOT NULL, project TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT,
    requires_python TEXT NOT NULL DEFAULT '', metadata_sha256 TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE projects (project TEXT PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pending (project TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pages_format (number INTEGER NOT NULL);
PRAGMA user_version = 1;
"""
SCHEMA_2 = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, name TEXT NOT NULL, project TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT, unreadable INTEGER NOT NULL,
    own_name TEXT NOT NULL DEFAULT '', own_version TEXT NOT NULL DEFAULT '', requires_python TEXT NOT NULL DEFAULT '',
    metadata_sha256 TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE projects (project TEXT PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pending (project TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pages_format (number INTEGER NOT NULL);
CREATE TABLE written (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX files_by_project ON files (project);
CREATE INDEX files_by_name ON files (name);
CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    INSERT INTO projects VALUES (new.project, 1) ON CONFLICT (project) DO UPDATE SET files = files + 1;
END;
PRAGMA user_version = 2;
"""
# Of its pages; else they were the same.
FORMAT_2, API_2 = 3, "1.1"
FILES = "path, name, project, size, mtime_ns, inode, sha256, unreadable, own_name, own_version, requires_python"
LONG_AGO = 1_500_000_000


def named(number: int) -> str:
    return f"p{number % 4}-1.{number}-py3-none-any.whl"


def look(index: Index) -> None:
    """Look until there is no more to do."""
    index.keeper._thorough_at = 0.0
    while index.keeper.step():
        pass


def api_of_projects(index: Index) -> dict[str, str]:
    found = {page.parent.name: json.loads(page.read_bytes()) for page in index.pages.glob("simple/*/index.json")}
    return {project: page["meta"]["api-version"] for project, page in sorted(found.items())}


@pytest.fixture
def tree(in_memory: Path) -> Path:
    """A tree with twelve files, as the release before has left it."""
    index = Index(in_memory)
    for number in range(12):
        (index.packages / named(number)).write_bytes(made.file(named(number)))
        os.utime(index.packages / named(number), (LONG_AGO + number,) * 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FORMAT", FORMAT_2)
        patch.setattr(pages, "API_VERSION", API_2)
        look(index)
    with sqlite3.connect(index.pages / "catalogue.sqlite") as before:
        before.executescript(SCHEMA_2)
        before.execute("ATTACH ? AS now", (str(index.pages / catalogue.NAME),))
        before.execute(f"INSERT INTO files ({FILES}, metadata_sha256) SELECT {FILES}, metadata_sha256 FROM now.files")
        for table in ("pages_format", "written"):
            before.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")
    for path in index.pages.glob(f"{catalogue.NAME}*"):
        path.unlink()
    (index.pages / ".facts").unlink()
    shutil.rmtree(index.packages / ".wheelhouse")
    return in_memory


def recorded(index: Index) -> int:
    return len(list((index.packages / ".wheelhouse/files").rglob("*.json")))


def written(index: Index) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in index.pages.joinpath("simple").rglob("index.*")}


def api_versions(index: Index) -> set[str]:
    found = (json.loads(page.read_bytes()) for page in index.pages.joinpath("simple").rglob("index.json"))
    return {page["meta"]["api-version"] for page in found}


def test_all_files_are_recorded_with_the_times_that_pages_had_and_none_is_read(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(reading, "read_file", lambda name, _file: read.append(name))
    index = Index(tree)
    before = index.said(), index.times("p1")
    assert api_versions(index) == {API_2}
    look(index)
    assert not read
    assert (index.said(), index.times("p1"), api_versions(index)) == (*before, {pages.API_VERSION})
    once = written(index)
    look(index)
    assert written(index) == once
    assert recorded(index) == 12
    assert {path.name for path in (index.packages / ".wheelhouse/names").iterdir()} == {"p0", "p1", "p2", "p3"}
    assert index.times("p1") == {name: index.record("p1", name)["upload-time"] for name in index.times("p1")}
    assert index.record("p1", named(1)) == {
        **{"sha256": sha256(made.file(named(1))), "size": len(made.file(named(1))), "source": "copied", "login": ""},
        "upload-time": "2017-07-14T02:40:01.000000Z",
    }
    assert health.problems(index.store) == []
    # The release before finds its own.
    with sqlite3.connect(index.pages / "catalogue.sqlite") as left:
        assert left.execute("SELECT count(*) FROM files").fetchone() == (12,)
        assert left.execute("PRAGMA user_version").fetchone() == (2,)


def test_it_serves_meanwhile_and_keeps_what_is_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "_RECORDED", 2)
    # While no server ran.
    (tree / "packages" / named(0)).touch()
    (tree / "packages" / named(4)).unlink()
    index = Index(tree)
    assert index.keeper.step()
    assert 0 < recorded(index) < 12
    new = "p1-2.0-py3-none-any.whl"
    assert index.upload(new, made.file(new)).status == 200
    assert index.remove("p3", "1.11").status == 200
    (index.packages / named(10)).touch()
    (index.packages / named(9)).unlink()
    look(index)
    assert recorded(index) == 13
    # By hand, over HTTP, while no server ran: the names stay theirs.
    for name in (named(11), named(9), named(4)):
        assert index.upload(name, made.file(name, b"other")).status == 409, name
    assert index.times("p0")[named(0)] == "2017-07-14T02:40:00.000000Z"
    assert index.times("p2")[named(10)] == "2017-07-14T02:40:10.000000Z"
    assert index.said() == index.truth()


def test_files_are_recorded_before_pages_are_renewed_and_those_of_before_serve(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "_RECORDED", 5)
    monkeypatch.setattr(writing, "_BATCH", 1)
    index = Index(tree)
    assert index.store.output.is_complete()
    seen = []
    while index.keeper.step():
        assert index.store.output.is_complete() and index.said() == index.truth()
        seen.append((recorded(index), list(api_of_projects(index).values()).count(API_2)))
    print(seen)
    assert seen == [(5, 4), (10, 4), (12, 4), (12, 3), (12, 2), (12, 1), (12, 0)]
    assert api_versions(index) == {pages.API_VERSION}


def test_a_page_of_before_that_changes_is_renewed_at_once(tree: Path) -> None:
    index = Index(tree)
    index.keeper._pause = -1.0
    index.keeper.step()
    new = "p1-2.0-py3-none-any.whl"
    assert index.upload(new, made.file(new)).status == 200
    assert api_of_projects(index) == {"p0": API_2, "p1": pages.API_VERSION, "p2": API_2, "p3": API_2}
    assert new in index.listed("p1")
    look(index)
    assert index.said() == index.truth() and api_versions(index) == {pages.API_VERSION}


def test_it_goes_on_where_it_was_killed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "_RECORDED", 3)

    def started(number: int) -> int:
        steps(number, STEPS, lambda: os.kill(os.getpid(), signal.SIGKILL))
        look(Index(tree))
        return 0

    codes = [in_a_child(partial(started, number)) for number in range(5, 200, 13)]
    print(codes)
    assert -signal.SIGKILL in codes[:2] and codes[-1] == 0
    index = Index(tree)
    look(index)
    assert recorded(index) == 12
    assert api_versions(index) == {pages.API_VERSION}
    assert index.said() == index.truth()
    assert {index.record(f"p{n % 4}", named(n))["upload-time"] for n in range(12)} == {
        f"2017-07-14T02:40:{n:02}.000000Z" for n in range(12)
    }
    assert health.problems(index.store) == []


@pytest.mark.parametrize("damage", ["truncated", "no database", "another number"])
def test_a_catalogue_that_cannot_be_taken_over_is_made_from_the_files(tree: Path, damage: str) -> None:
    before = tree / "index/catalogue.sqlite"
    if damage == "truncated":
        os.truncate(before, before.stat().st_size // 2)
    elif damage == "no database":
        before.write_bytes(b"no database" * 1000)
    else:
        with sqlite3.connect(before) as connection:
            connection.execute("PRAGMA user_version = 1")
    index = Index(tree)
    look(index)
    assert recorded(index) == 12
    assert index.times("p1")[named(1)] == "2017-07-14T02:40:01.000000Z"


def test_a_tree_of_the_first_release_is_read_once_and_stays_its_own(tree: Path) -> None:
    """What that release left: no json/, no note of what was written, another catalogue under the same name."""
    before = tree / "index/catalogue.sqlite"
    with sqlite3.connect(tree / "index/first.sqlite") as first:
        first.executescript(SCHEMA_1)
        first.execute("ATTACH ? AS second", (str(before),))
        columns = "path, name, project, size, mtime_ns, inode, sha256, requires_python, metadata_sha256"
        first.execute(f"INSERT INTO files ({columns}) SELECT {columns} FROM second.files")
        first.execute("INSERT INTO projects SELECT * FROM second.projects")
        first.execute("INSERT INTO pages_format VALUES (1)")
    first.close()
    (tree / "index/first.sqlite").replace(before)
    shutil.rmtree(tree / "index/json")
    (tree / "index/.removed").unlink()
    content, index = before.read_bytes(), Index(tree)
    look(index)
    assert recorded(index) == 12
    assert index.said() == index.truth() and api_versions(index) == {pages.API_VERSION}
    assert {index.times(f"p{n % 4}")[named(n)] for n in range(12)} == {
        f"2017-07-14T02:40:{n:02}.000000Z" for n in range(12)
    }
    assert before.read_bytes() == content
    assert health.problems(index.store) == []


def test_two_files_of_one_name_are_not_both_served(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    nested = tree / "packages/nested"
    nested.mkdir()
    (nested / named(1)).write_bytes(made.file(named(1), b"other"))
    index = Index(tree)
    for _ in range(2):
        look(index)
    assert index.listed("p1")[named(1)] == sha256(made.file(named(1)))
    assert f"nested/{named(1)}" not in index.listed("p1")
    assert f"nested/{named(1)} is on no page" in caplog.text


def test_an_older_catalogue_changes_no_record_where_files_may_be_replaced(tree: Path) -> None:
    index = Index(tree, overwrite=True)
    look(index)
    assert index.upload(named(1), made.file(named(1), b"second")).status == 200
    times, record = index.times("p1"), index.record("p1", named(1))
    # It is made from that of the release before once more.
    for path in index.pages.glob(f"{catalogue.NAME}*"):
        path.unlink()
    again = Index(tree, overwrite=True)
    assert again.record("p1", named(1)) == record
    look(again)
    assert again.record("p1", named(1)) == record
    assert again.times("p1") == times and again.said() == again.truth()
