"""The tree of an index, made and corrected by root while its account may be moving things about in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import Attributes, FileSet, FileSetError
from ansible_collections.wheelhouse.pypi.plugins.modules import folders

Run = Callable[..., dict[str, Any]]
ACCOUNT = "nobody"
UID = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="folders of several accounts take root")


def tree(home: Path, **arguments: Any) -> dict[str, Any]:
    return {
        "path": str(home),
        "folders": [{"name": "nginx"}, {"name": "packages", "owner": ACCOUNT, "mode": "0700", "link": True}],
        "owner": "root",
        "group": str(UID),
        "mode": "0750",
        **arguments,
    }


def state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, status.st_mode & 0o7777


@contextmanager
def swapping(home: Path, foreign: Path) -> Iterator[None]:
    """The account puts a link to a foreign folder in the place of its own and back, again and again, meanwhile."""
    process = os.fork()
    if not process:
        os.chdir(home)
        os.setgroups([])
        os.setgid(UID)
        os.setuid(UID)
        while os.getppid() != 1:
            # Root may make the folder where there is none at that moment.
            for function, names in (
                (os.rename, ("packages", "real")),
                (os.symlink, (str(foreign), "packages")),
                (os.unlink, ("packages",)),
                (os.rename, ("real", "packages")),
            ):
                with suppress(OSError):
                    function(*names)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A tree that an administrator gave to the account as a whole."""
    top = tmp_path / "home"
    for folder in (top, top / "nginx", top / "packages"):
        folder.mkdir(mode=0o700)
        os.chown(folder, UID, UID)
    for name in ("nginx/own.conf", "packages/file.whl"):
        (top / name).touch(0o600)
        os.chown(top / name, UID, UID)
    return top


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "foreign"
    folder.mkdir(mode=0o755)
    return folder


def test_a_folder_that_is_swapped_for_a_link_meanwhile_gives_nothing_away(
    run_module: Run, home: Path, foreign: Path
) -> None:
    """The top stays the account's here, so that it can go on; 200 runs, each with something to correct."""
    before = state(foreign)
    real = os.open(home / "packages", os.O_RDONLY)
    arguments = tree(home, owner=ACCOUNT, mode="0700")
    corrected = 0
    with swapping(home, foreign):
        for _ in range(200):
            os.fchmod(real, 0o755)
            corrected += run_module(folders, **arguments).get("changed", False)
            assert state(foreign) == before
    os.close(real)
    print(f"{corrected} of 200 runs found the folder and corrected it")
    assert corrected > 0


def test_files_that_are_written_meanwhile_land_in_no_foreign_folder(home: Path, foreign: Path) -> None:
    before = state(foreign)
    written = 0
    with swapping(home, foreign):
        for number in range(200):
            files = {"packages/x.conf": str(number).encode()}
            file_set = FileSet(str(home), Attributes(ACCOUNT))
            # Where the account has just moved its folder, a run says so.
            with suppress(FileSetError, OSError):
                with file_set.staged(files) as staging:
                    file_set.commit(file_set.plan(files), staging)
                written += 1
            assert list(foreign.iterdir()) == []
    assert state(foreign) == before
    assert written > 0


def test_a_tree_that_is_all_the_accounts_becomes_roots_but_for_its_data(run_module: Run, home: Path) -> None:
    wanted = {
        home: (0, UID, 0o750),
        home / "nginx": (0, UID, 0o750),
        home / "nginx/own.conf": (UID, UID, 0o600),
        home / "packages": (UID, UID, 0o700),
        home / "packages/file.whl": (UID, UID, 0o600),
    }
    predicted = run_module(folders, check=True, **tree(home))
    assert state(home) == (UID, UID, 0o700)
    result = run_module(folders, **tree(home))
    assert result["corrected"] == predicted["corrected"] == [str(home), str(home / "nginx")]
    assert f"{home}/nginx owner=root:" in result["diff"]["after"]
    assert {path: state(path) for path in wanted} == wanted
    assert not run_module(folders, **tree(home))["changed"]


def test_the_account_can_read_what_changes_hands_at_every_moment(
    run_module: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its containers serve meanwhile: after each call of the system, owner or group still reads."""
    watched = [home, home / "nginx"]
    seen = []

    def watching(function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            function(*arguments)
            for path in watched:
                uid, gid, mode = state(path)
                seen.append((uid == UID and bool(mode & 0o400)) or (gid == UID and bool(mode & 0o040)))
                assert not mode & 0o007, "others get to it"

        return call

    for name in ("fchown", "fchmod"):
        monkeypatch.setattr(os, name, watching(getattr(os, name)))
    assert run_module(folders, **tree(home))["changed"]
    assert seen and all(seen)


@pytest.mark.parametrize(("whose", "followed"), [(0, True), (UID, False)])
def test_a_link_to_a_larger_disk_is_followed_if_it_is_roots(
    run_module: Run, home: Path, foreign: Path, whose: int, followed: bool
) -> None:
    (home / "packages/file.whl").unlink()
    (home / "packages").rmdir()
    (home / "packages").symlink_to(foreign)
    os.chown(home / "packages", whose, whose, follow_symlinks=False)
    before, top = state(foreign), state(home)
    result = run_module(folders, **tree(home))
    assert state(foreign) == before
    assert bool(result.get("failed")) == (not followed)
    if not followed:
        assert f"{home}/packages is a link of nobody to {foreign}, and root follows none but its own" in result["msg"]
        assert state(home) == top, "something was changed before"


def test_a_link_in_the_place_of_a_folder_of_roots_is_refused(run_module: Run, home: Path, foreign: Path) -> None:
    (home / "nginx/own.conf").unlink()
    (home / "nginx").rmdir()
    (home / "nginx").symlink_to(foreign)
    result = run_module(folders, **tree(home))
    assert f"{home}/nginx is a symbolic link, and only a folder that containers write to may be one" in result["msg"]
