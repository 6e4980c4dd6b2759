"""Small files, each there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from wheelhouse_index.common import disk
from wheelhouse_index.common.beside import Beside


@pytest.mark.parametrize("number", [disk._RENAMEAT2, None, 9999], ids=["exchange", "another machine", "refused"])
@pytest.mark.parametrize("is_there", [True, False], ids=["replaced", "new"])
def test_a_file_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None, is_there: bool
) -> None:
    monkeypatch.setattr(disk, "_RENAMEAT2", number)
    aside, target = tmp_path / "aside", tmp_path / "target"
    aside.write_text("new")
    if is_there:
        target.write_text("old")
    disk.replace(aside, target)
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_what_is_not_there_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    with pytest.raises(FileNotFoundError):
        disk.replace(tmp_path / "aside", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "old"


def test_two_files_are_exchanged_here(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("one")
    other.write_text("other")
    assert disk._exchanged(one, other)
    assert (one.read_text(), other.read_text()) == ("other", "one")


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path: Path) -> None:
    aside, target = tmp_path / "aside", tmp_path / "target"
    aside.write_text("new")
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        disk.replace(aside, target)
    assert target.is_dir()
    assert aside.read_text() == "new"


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_a_file_is_read_to_its_end_whatever_its_size_was(tmp_path: Path, size: int) -> None:
    content = bytes(range(250)) * 4
    (tmp_path / "file").write_bytes(content)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    assert disk.to_the_end(descriptor, size) == content
    os.close(descriptor)


@pytest.mark.parametrize("content", [b"", b"some"])
def test_what_is_read_is_a_file_of_its_own_name(tmp_path: Path, content: bytes) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    file.write_bytes(content)
    link.symlink_to(file)
    os.mkfifo(pipe)
    assert disk.read(file) == content
    for place, reason in ((link, "it is a link"), (pipe, "it is not a file"), (tmp_path, "it is not a file")):
        with pytest.raises(OSError, match=reason) as raised:
            disk.read(place)
        assert raised.value.filename == str(place)
    with pytest.raises(FileNotFoundError):
        disk.read(tmp_path / "none")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("lost", ["nothing", "file", "folder"])
def test_what_is_written_ahead_gets_its_name_and_nothing_is_left(tmp_path: Path, waits: bool, lost: str) -> None:
    folder, target = tmp_path / ".incoming", tmp_path / "target"
    if lost != "folder":
        folder.mkdir()
    aside = disk.Aside(folder, Beside(waits))
    for content in (b"wanted", b"never wanted"):
        aside.begin(content)
    if lost == "file":
        # By a process that starts meanwhile.
        aside.wait()
        assert len(list(folder.iterdir())) == 2
        for left in folder.iterdir():
            left.unlink()
    inode = disk.put_new(folder, target, b"wanted", aside=aside)
    assert inode == target.stat().st_ino
    # The name stays with the first.
    assert disk.put_new(folder, target, b"other", aside=aside) == 0
    aside.close()
    assert (target.read_bytes(), list(folder.iterdir())) == (b"wanted", [])
    with pytest.raises(FileNotFoundError):
        disk.put_new(folder, tmp_path / "none/target", b"x")


def test_what_cannot_be_written_ahead_is_raised_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    aside = disk.Aside(tmp_path, Beside(waits=True))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        aside.begin(b"content")
        with pytest.raises(OSError, match="No space left"):
            aside.wait()
        with pytest.raises(OSError, match="No space left"):
            disk.put_new(tmp_path, tmp_path / "target", b"content", aside=aside)
    # Once more, where there is room.
    assert disk.put_new(tmp_path, tmp_path / "target", b"content", aside=aside)
    aside.close()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_error_names_the_folder_that_people_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system", path)
        return opened(path, flags, mode)

    opened = os.open
    monkeypatch.setattr(os, "open", read_only)
    aside = disk.Aside(tmp_path, Beside(waits=True))
    aside.begin(b"content")
    with pytest.raises(OSError, match=f"Read-only file system: '{tmp_path}/"):
        aside.wait()
    aside.close()
