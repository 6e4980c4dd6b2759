"""Module import_packages against the index itself, which a program in the place of docker starts on this machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import index_import
from ansible_collections.wheelhouse.pypi.plugins.modules import import_packages

from tests.support import packages as made

pytestmark = pytest.mark.one_core

PROJECT = Path(__file__).parents[4]
SUFFIXES = (PROJECT / "roles/pypiserver/files/wheelhouse_index/files/suffixes.txt").read_text().split()
# The environment with pypiserver in it.
PYTHON = sys.executable
DOCKER = """#!/bin/sh
if [ "$1" = ps ]; then cat {home}/containers; exit; fi
shift 4
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={extension}
export WHEELHOUSE_PACKAGES={home}/packages WHEELHOUSE_INDEX={home}/index
exec {python} "$@"
"""
PREPARE = "import sys; from pathlib import Path; from wheelhouse_index.index.store import Store; "
PREPARE += "Store(*map(Path, sys.argv[1:])).prepare()"
Import = Callable[..., dict[str, Any]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an index that runs."""
    home, bin_folder = tmp_path / "home", tmp_path / "bin"
    for folder in (home / "packages", home / "index", bin_folder):
        folder.mkdir(parents=True)
    (home / "containers").write_text("0123456789ab\n")
    extension = PROJECT / "roles/pypiserver/files"
    (bin_folder / "docker").write_text(DOCKER.format(home=home, extension=extension, python=PYTHON))
    (bin_folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    environment = {"PYTHONPATH": str(extension), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([PYTHON, "-c", PREPARE, home / "packages", home / "index"], env=environment, check=True)
    return home


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as an older server has it, with some of everything."""
    source = tmp_path / "source"
    (source / "team").mkdir(parents=True)
    (source / ".hidden").mkdir()
    for name in ("foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "team/bar-1.0.zip", ".hidden/baz-1.0.zip"):
        (source / name).write_bytes(made.file(name.rpartition("/")[2]))
        os.utime(source / name, (1_500_000_000, 1_500_000_000))
    (source / "foo-1.0.tar.gz.asc").write_text("signature")
    (source / "notes.txt").write_text("not for the index")
    return source


@pytest.fixture
def imported(run_module: Callable[..., dict[str, Any]], home: Path, source: Path) -> Import:
    def run(check: bool = False, **arguments: Any) -> dict[str, Any]:
        given = {"path": str(source), "instance": "x", "home": str(home), "suffixes": SUFFIXES, **arguments}
        return run_module(import_packages, check=check, **given)

    return run


def on_index(home: Path) -> dict[str, str]:
    files = [path for path in (home / "packages").iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_files_come_in_once_and_the_folder_is_only_read(imported: Import, home: Path, source: Path) -> None:
    before = {path: path.lstat() for path in source.rglob("*")}
    new = ["foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-1.0.tar.gz.asc", "team/bar-1.0.zip"]
    would = imported(check=True)
    assert (would["imported"], would["changed"], on_index(home)) == (new, True, {})
    result = imported()
    assert (result["imported"], result["changed"], result["warnings"]) == (new, True, [])
    assert (result["present"], result["ignored"]) == (0, 2)
    assert result["diff"]["prepared"] == "".join(f"+ {name}\n" for name in new)
    assert sorted(on_index(home)) == sorted(name.rpartition("/")[2] for name in new)
    assert (home / "packages/bar-1.0.zip").stat().st_mtime == 1_500_000_000
    assert (home / "index/simple/bar/index.html").exists()
    (source / "new-1.0.zip").write_bytes(made.file("new-1.0.zip"))
    again = imported()
    assert (again["imported"], again["present"]) == (["new-1.0.zip"], 4)
    assert not imported()["changed"]
    for path, status in before.items():
        now = path.lstat()
        assert (now.st_mode, now.st_uid, now.st_mtime_ns) == (status.st_mode, status.st_uid, status.st_mtime_ns), path


def test_what_cannot_come_in_is_named_and_the_rest_comes(imported: Import, home: Path, source: Path) -> None:
    (home / "packages/foo-1.0.tar.gz").write_bytes(made.file("foo-1.0.tar.gz", b"other"))
    before = on_index(home)
    (source / "broken-1.0.zip").write_text("no zip")
    (source / "linked-1.0.zip").symlink_to("/etc/passwd")
    (source / "folder-link").symlink_to("team")
    (source / "bad\n\x1b[2Jname-1.0.zip").write_text("no zip")
    os.mkfifo(source / "pipe-1.0.zip")
    result = imported()
    assert result["imported"] == ["foo-1.0-py3-none-any.whl", "team/bar-1.0.zip"]
    # Copied in a moment ago, it has not been read by the index yet: that is no excuse.
    assert [line.partition(":")[0] for line in result["conflicts"]] == ["foo-1.0.tar.gz"]
    assert [line.partition(":")[0] for line in result["refused"]] == [
        "bad??[2Jname-1.0.zip", "broken-1.0.zip", "folder-link", "foo-1.0.tar.gz.asc", "linked-1.0.zip", "pipe-1.0.zip"
    ]  # fmt: skip
    assert "linked-1.0.zip: a symbolic link, which is not followed" in result["warnings"][1]
    assert "Conflicts, not imported: the index keeps what it has.\n- foo-1.0.tar.gz" in result["warnings"][0]
    assert before.items() <= on_index(home).items()
    assert not result.get("failed")


def test_what_no_client_can_install_comes_in_and_is_named(imported: Import, home: Path, source: Path) -> None:
    (source / "foo-trunk.zip").write_bytes(made.file("foo-trunk.zip"))
    for check in (True, False):
        result = imported(check=check)
        assert "foo-trunk.zip" in result["imported"]
        (line,) = result["doubtful"]
        assert line.startswith("foo-trunk.zip: foo-trunk.zip: 'trunk' is not a valid version (PEP 440)")
        assert result["warnings"] == [f"Imported, though no client can install them:\n- {line}"]
    assert "foo-trunk.zip" in on_index(home)
    assert (imported()["doubtful"], imported()["warnings"]) == ([], [])


def test_a_warning_names_some_of_thousands(imported: Import, source: Path) -> None:
    for number in range(30):
        (source / f"broken-{number}.zip").write_text("no zip")
    result = imported()
    assert len(result["refused"]) == 30
    assert result["warnings"][0].endswith("\n- and 10 more")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "missing; name the folder with the packages: -e pypi_import_from=/"),
        ("packages", "'packages' is not an absolute path"),
        ("{tmp}/nowhere", "{tmp}/nowhere does not exist on this host"),
        ("{tmp}/source/notes.txt", "{tmp}/source/notes.txt is not a folder"),
        ("{tmp}/home/packages", "{tmp}/home/packages and {tmp}/home/packages are in each other"),
        ("{tmp}/home", "{tmp}/home and {tmp}/home/packages are in each other"),
        ("{tmp}/home/packages/.incoming", "are in each other; name a folder outside of the index"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_refused(
    imported: Import, home: Path, tmp_path: Path, path: str, said: str
) -> None:
    result = imported(path=path.format(tmp=tmp_path))
    assert result["failed"]
    assert result["msg"].startswith("pypi_import_from: ")
    assert said.format(tmp=tmp_path) in result["msg"]
    assert on_index(home) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link of another account")
def test_a_link_of_another_account_on_the_way_is_not_followed(imported: Import, home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("source")
    os.lchown(tmp_path / "link", 65534, 65534)
    result = imported(path=f"{tmp_path}/link")
    assert result["failed"] and "and root follows none but its own" in result["msg"]
    os.lchown(tmp_path / "link", 0, 0)
    assert imported(path=f"{tmp_path}/link")["changed"]


def test_an_index_that_does_not_run_is_named(imported: Import, home: Path) -> None:
    (home / "containers").write_text("")
    result = imported()
    assert result["failed"]
    assert "the index x does not run on this host; run wheelhouse.pypi.site first" in result["msg"]


def test_an_index_that_takes_nothing_fails_the_run(imported: Import, tmp_path: Path) -> None:
    docker = tmp_path / "bin/docker"
    docker.write_text(docker.read_text().replace("exec ", "echo 'No such container' >&2; exit 1; exec "))
    result = imported()
    assert result["failed"]
    assert result["msg"] == "pypi_import_from: pypi-server ended it: No such container"


def test_a_file_that_is_being_written_is_left_for_the_next_import(
    imported: Import, home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written to while the import waits for it to settle, and looks whole each time."""
    target = source / "live-1.0.zip"
    target.write_bytes(made.file("live-1.0.zip"))
    with monkeypatch.context() as patched:
        # However long it takes until the file's turn.
        patched.setattr(index_import, "_SETTLED_SECONDS", 3600.0)
        patched.setattr(index_import.time, "sleep", lambda _seconds: os.utime(target))
        result = imported()
    assert result["refused"] == ["live-1.0.zip: it is being written; import it once it is complete"]
    assert "live-1.0.zip" not in on_index(home)
    assert imported()["imported"] == ["live-1.0.zip"]


def test_files_that_change_all_the_time_never_come_in_broken(imported: Import, home: Path, source: Path) -> None:
    """Another server goes on writing: a file in place, and one that gets shorter."""
    contents = [made.file("live-1.0.zip", bytes([n]) * 400_000 * n) for n in (1, 2)]
    target, done = source / "live-1.0.zip", threading.Event()

    def write() -> None:
        while not done.is_set():
            for content in contents:
                with target.open("r+b" if target.exists() else "wb") as file:
                    file.write(content[:1000])
                    file.truncate(1000)
                    file.write(content[1000:])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            imported()
    finally:
        done.set()
        writer.join()
    good = {hashlib.sha256(content).hexdigest() for content in contents}
    assert on_index(home).get("live-1.0.zip") in {None, *good}
