"""What running servers get over by themselves: files of index/ and packages/ that other hands remove or change."""

from __future__ import annotations

import fcntl
import gzip
import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from wheelhouse_index import rebuild
from wheelhouse_index.index import output
from wheelhouse_index.index.store import Store
from wheelhouse_index.server import health
from wheelhouse_index.server.health import Health, problems

from tests.support import packages as made
from tests.support.index import Index, in_a_child, listed, projects, sha256, truth
from tests.support.index_server import Server, environment_of, program
from tests.support.stack import eventually

OPENING = {"open", "os.scandir", "os.listdir"}
# For an index of this size. A large one takes longer to look through: docs/operations.md.
SECONDS = 6.0
MARK = "index/json/.complete"
PROJECTS = [f"project{number}" for number in range(6)]


def named(project: str, version: str = "1.0") -> str:
    return f"{project}-{version}-py3-none-any.whl"


def publish(server: Server, project: str, version: str = "1.0") -> int:
    """Upload a release through a server; return the status of the answer."""
    name = named(project, version)
    return server.upload(name, made.file(name, b"late")).status


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers of two processes each over one index, which look often."""
    folder = tmp_path_factory.mktemp("index")
    often = {"WHEELHOUSE_FRESHNESS_SECONDS": "0.5"}
    with Server(folder, environment=often) as one, Server(folder, environment=often) as other:
        yield [one, other]


@pytest.fixture
def servers(running: list[Server]) -> list[Server]:
    """The servers, with some projects, and nothing that is left from another test."""
    folder = running[0].folder
    for path in (folder / "packages").glob("late*"):
        path.unlink()
    for number, project in enumerate(PROJECTS):
        file, server = made.wheel(folder, project), running[number % 2]
        assert server.upload(file.name, file.read_bytes()).status == 200, server.log.read_text()
    eventually(lambda: is_settled(folder), "all pages are written", SECONDS)
    return running


def is_settled(folder: Path) -> bool:
    """Tell whether the index has these projects, all pages are written, and nothing is wrong."""
    return (
        (folder / MARK).exists()
        and projects(folder / "index") == set(PROJECTS)
        and not problems(Store(folder / "packages", folder / "index"))
    )


@pytest.fixture
def folder(servers: list[Server]) -> Path:
    """Their folder."""
    return servers[0].folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return all that readers get, by path below index/."""
    pages = folder / "index"
    found = [
        path for glob in ("index.html*", "simple/**/*.*", "json/*", "packages/**/*.*") for path in pages.glob(glob)
    ]
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
    *("json/project4.json", f"packages/{named('project5')}.metadata"),
]


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_a_page_or_metadata_that_other_hands_change_is_as_before_within_seconds(folder: Path, accident: str) -> None:
    before = contents(folder)
    for file in FILES:
        if accident != "another one" or not file.endswith(".gz"):
            ACCIDENTS[accident](folder / "index" / file)
    took = comes_back(folder, before)
    print(f"{accident}: as before after {took:.1f} s")


REMOVED = [
    *("index/simple", "index/json", "index/packages", "index/.staging", "packages/.incoming", "index/simple/project1"),
    *("index/simple/*", "index/simple/.complete", "index/json/.complete"),
    *("index/.lock", "index/.keeper", "index/catalogue-4.sqlite"),
    *("index/catalogue-4.sqlite-wal", "index/catalogue-4.sqlite-shm", "index/catalogue-4.sqlite*"),
]


@pytest.mark.parametrize("removed", REMOVED)
def test_what_is_removed_under_running_servers_stops_no_upload_and_comes_back(
    servers: list[Server], folder: Path, removed: str
) -> None:
    before = contents(folder)
    for number, path in enumerate(folder.glob(removed)):
        # In one step: of a folder that is emptied piece by piece, a server makes pieces again meanwhile.
        away = path.rename(folder / f"away-{number}")
        shutil.rmtree(away) if away.is_dir() else away.unlink()
    # At once, through each server.
    statuses = [publish(server, "late", f"{at}.0") for at, server in enumerate(servers * 2)]
    assert [status for status in statuses if status not in (200, 409)] == [], [one.log.read_text() for one in servers]
    assert statuses[:2] == [200, 200]
    for path in (folder / "packages").glob("late*"):
        path.unlink()
    took = comes_back(folder, before)
    print(f"{removed}: as before after {took:.1f} s")
    assert listed(folder / "index", "project1") == truth(folder / "packages")["project1"]
    for server in servers:
        assert (
            server.upload(
                named("later", str(server.number)),
                made.file(named("later", str(server.number)), b"later"),
            ).status
            == 200
        ), server.log.read_text()
        assert server.get("/packages/").status == 200
    assert not problems(Store(folder / "packages", folder / "index"))


@pytest.mark.parametrize("damage", ["emptied", "half", "overwritten"])
@pytest.mark.parametrize("file", ["catalogue-4.sqlite", "catalogue-4.sqlite-wal", "catalogue-4.sqlite-shm"])
def test_a_catalogue_that_is_damaged_under_running_servers_is_replaced(
    servers: list[Server], folder: Path, file: str, damage: str
) -> None:
    before = contents(folder)
    path = folder / "index" / file
    assert path.stat().st_size
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
                statuses[-1] = publish(server, "late", f"{len(statuses)}.0")
        time.sleep(0.05)
    assert statuses[-4:] == [200] * 4, (statuses, [server.log.read_text()[-3000:] for server in servers])
    for path in (folder / "packages").glob("late*"):
        path.unlink()
    comes_back(folder, before)


@pytest.fixture
def index(in_memory: Path) -> Index:
    """An index with a release, without a server."""
    found = Index(in_memory)
    assert found.upload(named("foo"), made.file(named("foo"), b"content")).status == 200
    found.keeper.step()
    return found


def test_an_index_that_works_is_healthy_and_says_no_more(index: Index) -> None:
    assert Health(index.store).answer() == (200, "ok")


def test_asking_for_health_reads_no_page_and_no_folder(index: Index) -> None:
    for number in range(30):
        index.upload(named(f"p{number}"), made.file(named(f"p{number}"), b"content"))

    def asked() -> int:
        # A hook cannot be taken back: only in a child.
        opened: list[tuple[str, str]] = []
        sys.addaudithook(lambda event, values: opened.append((event, str(values[0]))) if event in OPENING else None)
        found = problems(index.store)
        print(found, opened)
        # The store of facts is opened for the looks below it, and not read.
        folder = ("open", str(index.packages / ".wheelhouse"))
        files = {Path(path).name for event, path in opened if (event, path) != folder}
        return int(bool(found) or not files <= {health.TROUBLE, "format", ".facts"})

    assert in_a_child(asked) == 0


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        ("packages", "packages/ is not a folder"),
        ("index/simple", "index/simple/ is not a folder"),
        ("index/json", "index/json/ is not a folder"),
        ("index/packages", "index/packages/ is not a folder"),
        ("index/.staging", "index/.staging/ is not a folder"),
        ("packages/.incoming", "packages/.incoming/ is not a folder"),
    ],
)
def test_what_does_not_come_back_is_said(in_memory: Path, index: Index, damaged: str, words: str) -> None:
    # With a file in its place, it cannot be made.
    path = in_memory / damaged
    shutil.rmtree(path)
    path.write_text("in its place")
    status, text = Health(index.store).answer()
    assert (status, text) == (503, words)


def test_a_folder_that_is_missing_or_cannot_be_written_to_is_said(
    in_memory: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(in_memory / "index/packages")
    assert problems(index.store) == ["index/packages/ is missing"]
    index.store.mend()
    assert not problems(index.store)
    # Root may write anywhere: what access(2) says to other accounts.
    monkeypatch.setattr(os, "access", lambda path, *_, **__: not str(path).endswith("/packages"))
    assert "packages/ cannot be written to by uid" in problems(index.store)[0]


def test_a_mount_that_is_read_only_is_said(tmp_path: Path) -> None:
    Index(tmp_path)
    look = (
        "import sys; from pathlib import Path; from wheelhouse_index.index.store import Store;"
        "from wheelhouse_index.server.health import problems;"
        "print(*problems(Store(Path(sys.argv[1], 'packages'), Path(sys.argv[1], 'index'))), sep='\\n')"
    )
    script = (
        'mount --bind "$1/packages" "$1/packages" && mount -o remount,bind,ro "$1/packages" && exec "$2" -c "$3" "$1"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, look]
    done = subprocess.run(command, env=environment_of(tmp_path), capture_output=True, text=True, check=False)
    assert done.stdout == "packages/ is mounted read-only\n", done.stderr


def test_a_mount_that_was_removed_on_the_host_is_said(in_memory: Path, index: Index) -> None:
    # As the container sees it: a folder that has no name any more.
    descriptor = os.open(in_memory / "index", os.O_RDONLY)
    shutil.rmtree(in_memory / "index")
    found = problems(Store(index.packages, Path(f"/proc/self/fd/{descriptor}")))
    os.close(descriptor)
    assert found == ["index/ was removed from the host: run the playbook, then `docker compose restart`"]


def test_why_pages_are_not_brought_up_to_date_is_said_until_they_are(
    in_memory: Path, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    asked = Health(index.store)
    health.note(index.store, RuntimeError("something\nthat does not end"))
    status, text = asked.answer()
    expected = "pages are not brought up to date: RuntimeError: something that does not end"
    assert (status, text) == (503, expected)
    assert f"Health: {expected}" in caplog.text
    # Uploads say that a disk is full, and reads go on.
    health.note(index.store, OSError(28, "No space left on device"))
    assert asked.answer() == (200, "ok")
    assert "Health: ok" in caplog.text


def test_a_damaged_catalogue_is_said(in_memory: Path, index: Index) -> None:
    in_memory.joinpath("index/catalogue-4.sqlite").write_bytes(b"not a database" * 1000)
    assert problems(index.store) == ["index/catalogue-4.sqlite cannot be used: file is not a database"]
    index.keeper._is_settled = False
    index.keeper.step()
    assert not problems(index.store)


def rebuilding(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command that rebuilds."""
    return program(folder, module="wheelhouse_index.rebuild")


def pages(folder: Path) -> dict[str, bytes]:
    """Return what is in index/, without the marks that all is there: the servers look for themselves after a rebuild."""
    return {name: content for name, content in contents(folder).items() if not name.endswith(output.COMPLETE)}


@pytest.mark.parametrize(
    "removed", ["nothing", "index/catalogue-4.sqlite-*", "index/catalogue-4.sqlite", "index/simple"]
)
def test_rebuild_says_that_it_is_done_when_it_is(servers: list[Server], folder: Path, removed: str) -> None:
    before = pages(folder)
    for path in folder.glob(removed):
        # In one step: the servers write there meanwhile.
        path.rename(folder.parent / path.name) if path.is_dir() else path.unlink()
    # Neither by size nor by time can it be seen that these are other ones.
    page = folder / "index/simple/project1/index.json"
    if page.exists():
        status = page.stat()
        page.write_bytes(b"x" * status.st_size)
        os.utime(page, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = rebuilding(folder)
    assert (done.returncode, done.stdout) == (0, "All pages are written (projects: 6, files: 6).\n"), done.stderr
    assert pages(folder) == before
    for server in servers:
        assert (
            server.upload(
                named("later", str(server.number)),
                made.file(named("later", str(server.number)), b"later"),
            ).status
            == 200
        ), server.log.read_text()


def test_rebuild_works_without_a_server_and_fails_where_it_cannot(in_memory: Path, index: Index) -> None:
    shutil.rmtree(in_memory / "index/simple")
    done = rebuilding(in_memory)
    assert (done.returncode, done.stdout) == (0, "All pages are written (projects: 1, files: 1).\n"), done.stderr
    assert index.listed("foo") == {named("foo"): sha256(made.file(named("foo"), b"content"))}
    shutil.rmtree(in_memory / "packages")
    done = rebuilding(in_memory)
    assert done.returncode == 1
    assert done.stderr.startswith("The pages are not rebuilt: UnmountedError: packages/ is not mounted"), done.stderr
    # Nothing was thrown away for it.
    assert index.listed("foo") == {named("foo"): sha256(made.file(named("foo"), b"content"))}


def test_rebuild_does_not_say_that_it_is_done_where_the_keeper_hangs(
    in_memory: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_PATIENCE_SECONDS", 0.5)
    with (in_memory / "index/.keeper").open("ab") as lock:
        # A server's keeper that hangs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="1 projects wait for their pages"):
            rebuild.rebuilt(index.store)


def test_a_file_stays_on_the_page_of_its_own_project_while_its_metadata_are_written_again(index: Index) -> None:
    """Its name alone speaks of another project, until it is read."""
    name = "tool-2d-utils-1.0.tar.gz"
    plain = gzip.decompress(made.file(name, b"content", ("tool-2d-utils", "1.0")))
    # From this version on, an sdist's metadata are served.
    content = gzip.compress(plain.replace(b"Metadata-Version: 2.1", b"Metadata-Version: 2.2"), mtime=0)
    assert index.upload(name, content, name="tool-2d-utils", version="1.0").status == 200
    wheel = made.file(named("tool_2d_utils"), b"content")
    assert index.upload(named("tool_2d_utils"), wheel).status == 200
    before = index.listed("tool-2d-utils")
    assert set(before) == {name, named("tool_2d_utils")}
    metadata = list((index.pages / "packages").glob("tool*.metadata"))
    assert len(metadata) == 2
    for file in metadata:
        file.unlink()
    index.store.check_written()
    assert index.listed("tool-2d-utils") == before
    assert all(file.exists() for file in metadata)
    assert index.projects() == {"foo", "tool-2d-utils"}
    # At a start as well.
    for file in metadata:
        file.unlink()
    index.store.check_pages()
    index.store.write_pending()
    assert index.listed("tool-2d-utils") == before
    assert all(file.exists() for file in metadata)
