"""Files that arrive: what is large is hashed and written to disk while the rest of it arrives."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from wheelhouse_index.files import incoming

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
        place.write(b"12345")
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
