"""Files that change together: nothing is half done, whatever goes wrong."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import file_set as module
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import (
    Attributes,
    FileSet,
    FileSetError,
    parse_mode,
)

OLD = {"a.conf": b"old a\n", "conf.d/b.conf": b"old b\n"}
NEW = {"a.conf": b"new a\n", "conf.d/b.conf": b"new b\n", "conf.d/deep/c.conf": b"new c\n"}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def apply(folder: Path, files: Mapping[str, bytes | None]) -> list[module.Change]:
    files_of = FileSet(str(folder), Attributes())
    files_of.make_folder()
    with files_of.locked():
        files_of.remove_leftovers()
        changes = files_of.plan(files)
        with files_of.staged({name: content for name, content in files.items() if content is not None}) as staging:
            files_of.commit(changes, staging)
    return changes


def test_a_missing_folder_is_made_and_filled(tmp_path: Path) -> None:
    apply(tmp_path / "x" / "y", NEW)
    assert tree(tmp_path / "x" / "y") == NEW
    assert (tmp_path / "x" / "y" / "conf.d").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "x" / "y" / "a.conf").stat().st_mode & 0o777 == 0o600


def test_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    apply(tmp_path, NEW)
    assert apply(tmp_path, NEW) == []


def test_owner_and_mode_are_repaired_and_another_name_of_the_file_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    (tmp_path / "a.conf").chmod(0o644)
    (tmp_path / "other").hardlink_to(tmp_path / "a.conf")
    changes = apply(tmp_path, OLD)
    assert [(change.name, change.content_differs, change.attributes) for change in changes] == [
        ("a.conf", False, {"mode": ("0644", "0600")})
    ]
    assert (tmp_path / "a.conf").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o644
    assert tree(tmp_path) == {**OLD, "other": OLD["a.conf"]}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("function", ["replace", "fsync", "link", "fchmod"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failure_anywhere_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, code: int
) -> None:
    """The nth call of a system call fails: old content, no leftovers, and words a person understands."""
    write(tmp_path, OLD)
    real, calls = getattr(os, function), []

    def failing(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == number + 1:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    monkeypatch.setattr(os, function, failing)
    if function == "link" and (code != errno.ENOSPC or number > 1):
        apply(tmp_path, NEW)  # a file system without hard links will do; and there are two files to link
        assert tree(tmp_path) == NEW
        return
    with pytest.raises(FileSetError) as caught:
        apply(tmp_path, NEW)
    monkeypatch.undo()
    assert tree(tmp_path) == OLD
    assert "The files there are as they were" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert ("no space left" in str(caught.value)) == (code == errno.ENOSPC)
    assert not list(tmp_path.glob(".staged-*"))
    assert not (tmp_path / "conf.d" / "deep").exists()


def test_a_failure_while_removing_brings_removed_files_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {**OLD, "stale.conf": b"stale", "z.conf": b"z"})
    real = os.unlink

    def failing(path: str, *arguments: Any, **options: Any) -> None:
        if str(path).endswith("z.conf"):
            raise OSError(errno.EIO, "broken")
        real(path, *arguments, **options)

    monkeypatch.setattr(os, "unlink", failing)
    with pytest.raises(FileSetError):
        apply(tmp_path, {"a.conf": b"new", "stale.conf": None, "z.conf": None})
    monkeypatch.undo()
    assert tree(tmp_path) == {**OLD, "stale.conf": b"stale", "z.conf": b"z"}


@pytest.mark.parametrize("after", range(1, 4))
def test_a_killed_run_is_repaired_by_the_next(tmp_path: Path, after: int) -> None:
    """A process dies at its nth rename: each file is wholly old or wholly new, and the next run completes the set."""
    write(tmp_path, OLD)
    program = f"""
        import os, signal, sys
        sys.path[:0] = {sys.path!r}
        from ansible_collections.wheelhouse.pypi.plugins.module_utils import file_set as module
        real, calls = os.replace, []
        def dying(*arguments, **options):
            calls.append(1)
            if len(calls) == {after}:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*arguments, **options)
        module.os.replace = dying
        files = module.FileSet({str(tmp_path)!r}, module.Attributes())
        with files.locked(), files.staged({NEW!r}) as staging:
            files.commit(files.plan({NEW!r}), staging)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False).returncode == -9
    assert list(tmp_path.glob(".staged-*"))
    for name, content in OLD.items():
        assert (tmp_path / name).read_bytes() in (content, NEW[name])
    apply(tmp_path, NEW)
    assert tree(tmp_path) == NEW
    assert not list(tmp_path.glob(".staged-*"))


def test_two_runs_at_once_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.2)
    files = FileSet(str(tmp_path), Attributes())
    with files.locked(), pytest.raises(FileSetError, match="another run"):
        apply(tmp_path, NEW)


def test_links_are_replaced_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.conf").symlink_to(outside)
    apply(folder, {"a.conf": b"new"})
    assert outside.read_bytes() == b"precious"
    assert not (folder / "a.conf").is_symlink()
    assert (folder / "a.conf").read_bytes() == b"new"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "conf.d").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileSetError, match="is a link"):
        apply(tmp_path / "folder", NEW)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", ".staged-x/a", "a\0b"])
def test_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileSetError, match="relative to the folder"):
        FileSet(str(tmp_path), Attributes()).plan({name: b""})


def test_things_that_are_no_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.conf").mkdir()
    with pytest.raises(FileSetError, match="is a folder, where a file is to be"):
        FileSet(str(tmp_path), Attributes()).plan(NEW)
    with pytest.raises(FileSetError, match="a file and a folder at once"):
        FileSet(str(tmp_path / "b"), Attributes()).plan({"x": b"", "x/y": b""})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileSetError, match="is not a folder"):
        apply(tmp_path / "file", NEW)


def test_a_fifo_does_not_hang_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.conf")
    apply(tmp_path, {"a.conf": b"new"})
    assert tree(tmp_path) == {"a.conf": b"new"}


def test_an_owner_that_is_missing_is_a_difference_in_a_plan_and_an_error_in_a_run(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    files = FileSet(str(tmp_path), Attributes(owner="no-such-user"))
    assert [change.attributes["owner"][1] for change in files.plan(OLD)] == ["no-such-user"] * 2
    with pytest.raises(FileSetError, match="no user 'no-such-user'"), files.staged(NEW):
        pass
    assert not list(tmp_path.glob(".staged-*"))


@pytest.mark.parametrize(
    ("given", "mode"),
    [("0640", 0o640), ("640", 0o640), ("0o640", 0o640), (0o640, 0o640), ("1777", 0o1777)],
)
def test_modes_are_read_as_ansible_reads_them(given: object, mode: int) -> None:
    assert parse_mode(given) == mode


@pytest.mark.parametrize("given", ["u=rw", "0888", "", None, True, -1, 0o20000, "99999"])
def test_other_modes_are_refused(given: object) -> None:
    with pytest.raises(FileSetError, match="mode must be octal"):
        parse_mode(given)


def test_the_group_is_the_owners_own_unless_another_is_named() -> None:
    account = pwd.getpwnam("games")
    assert Attributes(owner="games").ids() == (account.pw_uid, account.pw_gid)
    assert Attributes(owner="games", group="root").ids() == (account.pw_uid, 0)
    assert Attributes().ids() == (-1, -1)
