"""With real processes: gunicorn's workers and replicas over one store, killed, cut off, and without room."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support import packages as made
from tests.support.index import Index, listed, projects, sha256, truth
from tests.support.index_server import Server

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
FRESH_SECONDS = 2.0
OFTEN = {"WHEELHOUSE_FRESHNESS_SECONDS": "0.5"}
T = TypeVar("T")


def named(version: str, project: str = "foo") -> str:
    return f"{project}-{version}-py3-none-any.whl"


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[Server]]:
    """Two servers over one store, each with two workers; they look often."""
    with Server(tmp_path, environment=OFTEN) as one, Server(tmp_path, environment=OFTEN) as other:
        yield [one, other]


def said(folder: Path) -> dict[str, dict[str, str]]:
    pages = folder / "index"
    return {project: found for project in projects(pages) if (found := listed(pages, project))}


def within(seconds: float, what: Callable[[], T], expected: T) -> None:
    """Wait until something is so, and say what it was if it never is."""
    until = time.monotonic() + seconds
    found: object = None
    while time.monotonic() < until:
        # Between the replacements of a page's four files they do not say the same.
        with suppress(AssertionError, OSError):
            found = what()
            if found == expected:
                return
        time.sleep(0.05)
    assert what() == expected, found


def at_once(tasks: list[Callable[[], T]]) -> list[T]:
    """Do things in threads that begin at the same moment."""
    barrier = threading.Barrier(len(tasks))

    def run(task: Callable[[], T]) -> T:
        barrier.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def _status(server: Server, name: str, content: bytes) -> int:
    return server.upload(name, content).status


def test_of_two_uploads_of_one_name_through_two_replicas_one_wins(tmp_path: Path, replicas: list[Server]) -> None:
    for number in range(25):
        name = named(f"1.{number}")
        contents = [made.file(name, bytes([share]) * 5000) for share in range(4)]
        statuses = at_once([partial(_status, replicas[at % 2], name, contents[at]) for at in range(4)])
        assert sorted(statuses) == [200, 409, 409, 409]
        winner = contents[statuses.index(200)]
        assert (tmp_path / "packages" / name).read_bytes() == winner
        assert listed(tmp_path / "index", "foo")[name] == sha256(winner)


def test_after_each_of_many_uploads_at_once_its_page_and_the_list_have_it(
    tmp_path: Path, replicas: list[Server]
) -> None:
    rounds = 200 if LONG else 25

    def publish(publisher: int) -> list[str]:
        stale = []
        for number in range(rounds):
            # Of one project, and of projects that are new.
            project = "foo" if number % 3 else f"new{publisher}-{number}"
            name = named(f"{publisher}.{number}", project.replace("-", "_"))
            content = made.file(name, f"{publisher} {number}".encode())
            answer = replicas[number % 2].upload(name, content, sha256_digest=sha256(content))
            assert answer.status == 200, answer
            page = tmp_path.joinpath("index/simple", project, "index.html").read_text()
            names = tmp_path.joinpath("index/simple/index.html").read_text()
            if f">{name}</a>" not in page or sha256(content) not in page or f">{project}</a>" not in names:
                stale.append(name)
        return stale

    assert at_once([partial(publish, publisher) for publisher in range(4)]) == [[]] * 4
    assert said(tmp_path) == truth(tmp_path / "packages")
    count = sum(map(len, truth(tmp_path / "packages").values()))
    assert f"{count:,} distribution files" in tmp_path.joinpath("index/index.html").read_text()


def test_pages_are_whole_and_right_whatever_is_killed_when(tmp_path: Path) -> None:
    chance = random.Random(5)
    answered: dict[str, str] = {}
    stop = threading.Event()
    server = Server(tmp_path)

    def publish(publisher: int, number: int) -> None:
        while not stop.is_set():
            number += 1
            name = named(f"{publisher}.{number}", f"project{number % 3}")
            content = sent(name, chance.choice(SIZES))
            with suppress(Exception):
                if server.upload(name, content).status == 200:
                    answered[name] = sha256(content)

    for killed in range(60 if LONG else 8):
        server.start()
        assert not list((tmp_path / "packages/.incoming").iterdir()), "left by an upload that was killed"
        index = Index(tmp_path)
        within(10.0, lambda: said(tmp_path), truth(tmp_path / "packages"))
        stop.clear()
        threads = [threading.Thread(target=publish, args=(one, 1000 * killed)) for one in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 0.8))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        files = {path.name: sha256(path.read_bytes()) for path in index.packages.glob("*.whl")}
        # What was answered is there, and nothing is there that is not whole.
        assert answered.items() <= files.items()
        assert all(_was_sent(name, digest) for name, digest in files.items())
    index = Index(tmp_path)
    index.keeper.step()
    assert index.said() == index.truth()
    assert len(answered) > 10, server.log.read_text()
    assert not list((tmp_path / "index/.staging").iterdir())


SIZES = (100, 50_000, 3_000_000)


def sent(name: str, size: int) -> bytes:
    return made.file(name, random.Random(name).randbytes(size))


def _was_sent(name: str, digest: str) -> bool:
    return any(sha256(sent(name, size)) == digest for size in SIZES)


def test_nothing_is_kept_of_uploads_that_are_cut_off(tmp_path: Path) -> None:
    contents = {named(version): made.file(named(version), b"x" * 2_000_000) for version in ("1.0", "2.0")}
    with Server(tmp_path) as server:
        for name, content in contents.items():
            for kept in (0.2, 0.99) * 5:
                server.cut_off(name, content, kept, **_digest_of(name, content))
        time.sleep(0.5)
        within(10.0, lambda: any((server.packages / ".incoming").iterdir()), False)
        assert not list(server.packages.glob("*.whl"))
        for name, content in contents.items():
            assert server.upload(name, content, None, **_digest_of(name, content)).status == 200
        assert listed(server.pages, "foo") == {name: sha256(content) for name, content in contents.items()}


def _digest_of(name: str, content: bytes) -> dict[str, str]:
    """Return the form's digest, which not all clients send."""
    return {"sha256_digest": sha256(content)} if name == named("2.0") else {}


def test_an_upload_that_is_not_what_the_client_says_is_refused_and_not_kept(tmp_path: Path) -> None:
    this, that = made.file(named("1.0"), b"this"), made.file(named("1.0"), b"that")
    with Server(tmp_path) as server:
        answer = server.upload(named("1.0"), this, sha256_digest=sha256(that))
        assert answer.status == 400
        assert sha256(this) in answer.text and sha256(that) in answer.text
        assert not list(server.packages.glob("*.whl"))
        assert not list((server.packages / ".incoming").iterdir())
        assert server.upload(named("1.0"), this, sha256_digest=sha256(this).upper()).status == 200


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a file system of this size, where that is allowed."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_uploads_and_keeps_nothing_of_them(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "24m"), Server(disk) as server:
        assert server.upload(named("1.0"), made.file(named("1.0"))).status == 200
        # Less and less room, down to none: each step of an upload meets its end once.
        statuses = []
        for number in range(80):
            size = max(int(shutil.disk_usage(disk).free * 0.4), 5_000)
            name = named(f"2.{number}", f"p{number}")
            statuses.append(server.upload(name, made.file(name, os.urandom(size))).status)
            if statuses[-5:] == [507] * 5:
                break
        assert set(statuses) == {200, 507}, server.log.read_text()
        assert statuses[-1] == 507
        filled = disk / "filled"
        with suppress(OSError), filled.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
        late = made.file(named("3.0", "late"))
        assert server.upload(named("3.0", "late"), late).status == 507, server.log.read_text()
        assert not list((server.packages / ".incoming").iterdir())
        assert not (server.pages / "simple/late").exists()
        assert said(disk) == truth(server.packages)
        assert len(list(server.packages.glob("*.whl"))) == 1 + statuses.count(200)
        # With no room at all, a restart serves on; with room again, all goes on.
        server.kill()
        server.start()
        assert said(disk) == truth(server.packages)
        filled.unlink()
        (server.packages / named("2.0", "p0")).unlink()
        assert server.upload(named("3.0", "late"), late).status == 200, server.log.read_text()
        within(10.0, lambda: said(disk), truth(server.packages))


def test_files_that_are_copied_in_or_written_to_show_within_the_freshness(tmp_path: Path) -> None:
    packages, pages = tmp_path / "packages", tmp_path / "index"
    late = []
    with Server(tmp_path), Server(tmp_path):
        for number in range(2):
            name = named(f"1.{number}")
            packages.joinpath("nested").mkdir(exist_ok=True)
            for path, content in ((packages / name, b"root"), (packages / "nested" / named(f"2.{number}"), b"nested")):
                path.write_bytes(made.file(path.name, content))
            began = time.monotonic()
            within(FRESH_SECONDS + 1.0, lambda: listed(pages, "foo"), truth(packages)["foo"])
            late.append(time.monotonic() - began)
            with (packages / name).open("ab") as file:
                file.write(b", and more")
            # That takes a look at every file, which a busy machine takes more seldom.
            within(5 * FRESH_SECONDS, lambda: listed(pages, "foo"), truth(packages)["foo"])
            (packages / name).unlink()
            within(FRESH_SECONDS + 1.0, lambda: listed(pages, "foo"), truth(packages)["foo"])
    assert max(late) < FRESH_SECONDS, late


def empty(folder: Path) -> None:
    """Remove what is in a folder, also where servers write into it meanwhile."""
    for path in list(folder.iterdir()):
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise


def test_an_index_that_is_emptied_while_servers_run_comes_back(tmp_path: Path, replicas: list[Server]) -> None:
    for number in range(20):
        name = named("1.0", f"project{number}")
        assert replicas[0].upload(name, made.file(name)).status == 200
    for emptied in ("index", "index/simple", "index/packages"):
        empty(tmp_path / emptied)
        within(20.0, lambda: said(tmp_path), truth(tmp_path / "packages"))
        name = named("1.0", emptied.replace("/", "_"))
        assert replicas[1].upload(name, made.file(name)).status == 200
        assert replicas[0].get("/simple/project1/").status == 200
    assert said(tmp_path) == truth(tmp_path / "packages")


def test_the_keeper_of_a_killed_replica_is_followed_by_another(tmp_path: Path, replicas: list[Server]) -> None:
    for server in replicas:
        name = named("1.0", f"project{server.number}")
        (tmp_path / "packages" / name).write_bytes(made.file(name))
        within(6.0, lambda: said(tmp_path), truth(tmp_path / "packages"))
        server.kill()
        server.start()


def test_a_restart_reads_no_file_that_has_not_changed(tmp_path: Path) -> None:
    with Server(tmp_path, environment=OFTEN) as server:
        for number in range(10):
            made.wheel(server.packages, "foo", f"1.{number}")
        within(6.0, lambda: said(tmp_path), truth(server.packages))
        pages = {path: path.stat() for path in server.pages.rglob("index.*")}
        server.kill()
        # Who reads a file now, would find it changed.
        for path in server.packages.glob("*.whl"):
            before = path.stat()
            with path.open("r+b") as file:
                file.write(b"never read")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        server.start()
        # Several looks.
        time.sleep(1.5)
        assert server.upload(named("2.0", "other"), made.file(named("2.0", "other"))).status == 200
        assert server.get("/simple/foo/").status == 200
        unchanged = {path: status for path, status in pages.items() if "simple/foo" in str(path)}
        assert {path: path.stat().st_mtime_ns for path in unchanged} == {
            path: status.st_mtime_ns for path, status in unchanged.items()
        }
