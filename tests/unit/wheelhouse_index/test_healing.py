"""What running servers get over by themselves: files of index/ and packages/ that other hands remove or change."""

from __future__ import annotations

import http.client
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from wheelhouse_index import health, rebuild, store
from wheelhouse_index.health import Health, problems
from wheelhouse_index.store import Store

from tests.support import packages as made
from tests.support.index import Index, listed, projects, sha256, truth
from tests.support.index_server import EXTENSION, Server

WHEEL = "foo-1.0-py3-none-any.whl"
# For an index of this size. A large one takes longer to look through: docs/operations.md.
SECONDS = 6.0


def named(project: str, version: str = "1.0") -> str:
    return f"{project}-{version}-py3-none-any.whl"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Two servers of two processes each over one index with some projects."""
    with Server(tmp_path) as one, Server(tmp_path) as other:
        for number in range(6):
            file = made.wheel(tmp_path, f"project{number}")
            assert (one, other)[number % 2].upload(file.name, file.read_bytes()).status == 200
        yield [one, other]


@pytest.fixture
def folder(servers: list[Server]) -> Path:
    """Their folder."""
    return servers[0].folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return all that readers get, by path below index/."""
    pages = folder / "index"
    found = [*pages.glob("index.html*"), *pages.glob("simple/**/*.*"), *pages.glob("packages/**/*.*")]
    return {str(path.relative_to(pages)): path.read_bytes() for path in found}


def comes_back(folder: Path, expected: dict[str, bytes]) -> float:
    """Wait until readers get what they got; return how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + SECONDS:
        with suppress(OSError):
            if contents(folder) == expected:
                return time.monotonic() - began
        time.sleep(0.02)
    found = contents(folder)
    differ = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
    raise AssertionError(f"after {SECONDS} s not as before: {differ}")


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def older(path: Path) -> None:
    """Another page with a whole second as its time, as a backup that is restored has."""
    path.write_bytes(path.read_bytes().replace(b"1.0", b"0.9"))
    os.utime(path, (1_700_000_000, 1_700_000_000))


ACCIDENTS: dict[str, Callable[[Path], None]] = {
    "truncated": truncated,
    "emptied": lambda path: os.truncate(path, 0),
    "removed": Path.unlink,
    "another one": older,
}
FILES = [
    *("index.html", "simple/index.html", "simple/index.json.gz"),
    *("simple/project1/index.html", "simple/project2/index.json", "simple/project3/index.html.gz"),
    *("simple/project4/legacy.json", f"packages/{named('project5')}.metadata"),
]


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_page_or_metadata_that_other_hands_change_is_as_before_within_seconds(folder: Path, accident: str) -> None:
    before = contents(folder)
    for file in FILES:
        if accident == "another one" and file.endswith(".gz"):
            continue
        ACCIDENTS[accident](folder / "index" / file)
        took = comes_back(folder, before)
        print(f"{file} {accident}: as before after {took:.1f} s")


REMOVED = [
    *("index/simple", "index/packages", "index/.staging", "packages/.incoming", "index/simple/project1"),
    *("index/.lock", "index/.keeper", "index/catalogue.sqlite"),
    *("index/catalogue.sqlite-wal", "index/catalogue.sqlite-shm", "index/catalogue.sqlite*"),
]


@pytest.mark.parametrize("removed", REMOVED)
def test_what_is_removed_under_running_servers_stops_no_upload_and_comes_back(
    servers: list[Server], folder: Path, removed: str
) -> None:
    before = contents(folder)
    for path in folder.glob(removed):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # At once, through each server.
    statuses = [server.upload(named("late", f"{at}.0"), b"late").status for at, server in enumerate(servers * 2)]
    assert [status for status in statuses if status not in (200, 409)] == [], [one.log.read_text() for one in servers]
    assert statuses[:2] == [200, 200]
    for path in (folder / "packages").glob("late*"):
        path.unlink()
    took = comes_back(folder, before)
    print(f"{removed}: as before after {took:.1f} s")
    assert listed(folder / "index", "project1") == truth(folder / "packages")["project1"]
    for server in servers:
        assert server.upload(named("later", str(server.port)), b"later").status == 200, server.log.read_text()
        assert server.get("/packages/").status == 200
    assert not problems(Store(folder / "packages", folder / "index"))


@pytest.mark.parametrize("damage", ["emptied", "half", "overwritten"])
@pytest.mark.parametrize("file", ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"])
def test_a_catalogue_that_is_damaged_under_running_servers_is_replaced(
    servers: list[Server], folder: Path, file: str, damage: str
) -> None:
    before = contents(folder)
    path = folder / "index" / file
    if damage == "overwritten":
        with path.open("r+b") as written:
            written.write(b"\xff" * path.stat().st_size)
    else:
        os.truncate(path, path.stat().st_size // 2 if damage == "half" else 0)
    until, statuses = time.monotonic() + SECONDS, [0]
    while time.monotonic() < until and statuses[-4:] != [200] * 4:
        for server in servers:
            # A process whose memory was a part of a file that is shorter now is killed, and another one takes over.
            statuses.append(0)
            with suppress(OSError, http.client.HTTPException):
                statuses[-1] = server.upload(named("late", f"{len(statuses)}.0"), b"late").status
        time.sleep(0.2)
    assert statuses[-4:] == [200] * 4, (statuses, [server.log.read_text()[-3000:] for server in servers])
    for path in (folder / "packages").glob("late*"):
        path.unlink()
    comes_back(folder, before)
