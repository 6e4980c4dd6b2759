"""Files that arrive: what is large is hashed and written to disk while the rest of it arrives."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from wheelhouse_index.common.beside import Beside
from wheelhouse_index.files import incoming
from wheelhouse_index.files.entry import Facts
from wheelhouse_index.files.names import Release

# Three stretches and a rest.
SIZE = 3 * 8 * 1024 * 1024 + 12_345


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = incoming.folder_of(tmp_path)
    incoming.prepare(made)
    return made


@pytest.mark.parametrize("piece", [262_144, 1_000_003, SIZE])
def test_a_large_file_has_its_digest(folder: Path, piece: int) -> None:
    content = os.urandom(SIZE)
    with incoming.arriving(folder) as place:
        for begin in range(0, SIZE, piece):
            place.write(content[begin : begin + piece])
        assert place.sha256 == hashlib.sha256(content).hexdigest()
        assert place.path.read_bytes() == content


@pytest.mark.parametrize("size", [0, 1, incoming.SMALL_BYTES, incoming.SMALL_BYTES + 1])
def test_a_small_file_is_written_once_it_is_verified(folder: Path, size: int) -> None:
    content = os.urandom(size)
    is_small = size <= incoming.SMALL_BYTES
    with incoming.arriving(folder) as place:
        for begin in range(0, size, 100_000):
            place.write(content[begin : begin + 100_000])
        assert place.sha256 == hashlib.sha256(content).hexdigest()
        assert place.opened().read() == content
        assert len(list(folder.iterdir())) == (0 if is_small else 1)
        upload = incoming.Upload("a-1.tar.gz", place, Facts(place.sha256, Release("a", "1")))
        assert (upload.size, upload.stamp().size) == (size, size)
        assert [path.read_bytes() for path in folder.iterdir()] == [content]
        assert place.sha256 == hashlib.sha256(content).hexdigest()
    assert list(folder.iterdir()) == []


def test_a_small_file_that_cannot_be_written_whole_is_no_upload(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, full = os.pwrite, OSError(errno.ENOSPC, "No space left on device")

    def half(descriptor: int, data: memoryview, at: int) -> int:
        if at:
            raise full
        return write(descriptor, data[:3], at)

    with incoming.arriving(folder) as place:
        place.write(b"12345")
        upload = incoming.Upload("a-1.tar.gz", place, Facts(place.sha256, Release("a", "1")))
        monkeypatch.setattr(os, "pwrite", half)
        for waits in (False, True):
            upload.save(Beside(waits))
            with pytest.raises(OSError, match="No space left"):
                upload.saved()
            assert list(folder.iterdir()) == []
        monkeypatch.undo()
        # Once there is room, all of it is there.
        upload.save(Beside(waits=True))
        assert upload.stamp().size == 5
        assert place.path.read_bytes() == b"12345"


def test_a_file_is_saved_while_something_else_is_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, begun, synced, sync = threading.Event(), threading.Event(), [], os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        assert may_end.wait(10)
        sync(descriptor)
        synced.append(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    with incoming.arriving(folder) as place:
        place.write(b"12345")
        upload = incoming.Upload("a-1.tar.gz", place, Facts(place.sha256, Release("a", "1")))
        # There is nothing to discard yet.
        upload.discard()
        upload.save(Beside(waits=True))
        assert begun.wait(10) and not synced
        threading.Timer(0.1, may_end.set).start()
    # What is not published is not left by the thread that writes it.
    assert len(synced) == 1 and list(folder.iterdir()) == []


def test_a_saved_file_is_not_looked_at_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with incoming.arriving(folder) as place:
        place.write(b"12345")
        upload = incoming.Upload("a-1.tar.gz", place, Facts(place.sha256, Release("a", "1")))
        upload.save(Beside(waits=True))
        upload.saved()
        now = place.path.stat()
        # On a shared folder that takes long, and the lock of the index is held then.
        monkeypatch.setattr(os, "fstat", lambda descriptor: pytest.fail(f"{descriptor} is looked at"))
        assert (upload.stamp().size, upload.stamp().mtime_ns) == (5, now.st_mtime_ns)
        monkeypatch.undo()


def test_what_could_not_be_synced_is_not_taken_for_synced_by_another_try(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with incoming.arriving(folder) as place:
        place.write(b"12345")
        upload = incoming.Upload("a-1.tar.gz", place, Facts(place.sha256, Release("a", "1")))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            upload.save(Beside(waits=False))
        upload.save(Beside(waits=False))
        with pytest.raises(OSError, match="Input/output error"):
            upload.saved()


def test_while_the_process_ends_a_large_file_is_hashed_in_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    content = os.urandom(SIZE)
    with incoming.arriving(folder) as place:
        for begin in range(0, SIZE, 262_144):
            place.write(content[begin : begin + 262_144])
        assert place.sha256 == hashlib.sha256(content).hexdigest()


def test_what_is_refused_in_the_middle_leaves_no_thread_and_no_file(folder: Path) -> None:
    class RefusedError(Exception):
        pass

    def check(size: int) -> None:
        if size > SIZE - 100_000:
            raise RefusedError

    def upload() -> None:
        with incoming.arriving(folder, check) as place:
            for _ in range(100):
                place.write(bytes(262_144))

    before = threading.active_count()
    with pytest.raises(RefusedError):
        upload()
    assert threading.active_count() == before
    assert list(folder.iterdir()) == []


def test_a_file_that_is_cut_off_on_disk_has_no_digest(folder: Path) -> None:
    with incoming.arriving(folder) as place:
        place.write(bytes(2 * 1024 * 1024))
        os.truncate(place.path, 2)
        with pytest.raises(OSError, match="cut off"):
            _ = place.sha256


@pytest.mark.parametrize("size", [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 300_000])
def test_a_digest_is_that_of_the_whole_file_and_the_file_can_be_read_again(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    for buffering in (0, -1):
        with open(tmp_path / "file", "rb", buffering=buffering) as file:
            file.read(10)
            file.seek(0)
            assert incoming.sha256(file) == hashlib.sha256(content).hexdigest()
            assert file.read() == content
