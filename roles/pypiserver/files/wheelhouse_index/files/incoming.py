"""Uploads, written aside and verified before they are published under their name.

They lie in a hidden folder of packages/, because only within a mount a file can be given its name in one step. Who
writes one holds a lock on it: what is not locked was left by a killed process, and is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .entry import Facts, Stamp

FOLDER = ".incoming"
# Of a large file, so much at a time is hashed and goes to disk while the rest arrives.
_STRETCH_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
# Of each thread.
_own = threading.local()
Check = Callable[[int], object]


class Upload:
    """A file that has arrived whole, and is on disk.

    Args:
        name: that it is to get.
        arrived: the file.
        facts: what it holds.
        metadata: its core metadata; empty where it has none to be served.
        objection: why no client can install it; empty where nothing is known.
    """

    def __init__(self, name: str, arrived: Arriving, facts: Facts, metadata: bytes = b"", objection: str = "") -> None:
        self.name = name
        self.objection = objection
        self.facts = facts
        self.metadata = metadata
        # Those of its form, once they are checked: as JSON, because as objects they take many times as much while they wait.
        self.attestations = b""
        self._file = arrived.file
        self._path = arrived.path
        os.fsync(self._file.fileno())
        self._stamp: Stamp | None = None

    def stamp(self) -> Stamp:
        """Return by what it is known again."""
        self._stamp = self._stamp or Stamp.of(os.fstat(self._file.fileno()))
        return self._stamp

    @contextmanager
    def published(self, target: Path, overwrite: bool) -> Iterator[None]:
        """Give the file its name, which counts once its folder is synced; take it back if what is done meanwhile fails.

        Raises:
            FileExistsError: if there is such a file, and it is not to be overwritten.
        """
        before = self._path.with_name(f"{self._path.name}.before")
        if overwrite and target.is_dir() and not target.is_symlink():
            raise FileExistsError(target)
        if overwrite:
            with suppress(FileNotFoundError):
                os.link(target, before, follow_symlinks=False)
            os.replace(self._path, target)
        else:
            try:
                os.link(self._path, target)
            except FileExistsError:
                # A mount may have sent it twice, and the first answer was lost.
                if not os.path.samestat(os.fstat(self._file.fileno()), os.lstat(target)):
                    raise
        try:
            yield
        except BaseException:
            if before.exists():
                os.replace(before, target)
            else:
                target.unlink(missing_ok=True)
            raise
        if overwrite:
            before.unlink(missing_ok=True)

    def date_after(self, other: Path) -> None:
        """Give the file a second of its own, if it is to replace one: NGINX makes the ETag of size and time in whole seconds."""
        try:
            taken = int(other.stat().st_mtime)
        except FileNotFoundError:
            return
        if int(os.fstat(self._file.fileno()).st_mtime) <= taken:
            os.utime(self._file.fileno(), (taken + 1, taken + 1))
            self._stamp = None


class Arriving:
    """A file that is written aside, and hashed on the way; it can be read like any other.

    Args:
        file: it.
        path: where it lies, without a name of its own.
        check: gets the size that it is about to have, and may raise what ends it.

    Attributes:
        path: the same.
    """

    def __init__(self, file: BinaryIO, path: Path, check: Check) -> None:
        self.path = path
        self._check = check
        self.file = file
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell
        self._size = self._handed_on = self._hashed = 0
        self._digest = hashlib.sha256()
        # Its thread begins with the first stretch: a small file needs none.
        self._beside = ThreadPoolExecutor(1, "hashing")
        self._stretches: list[Future[None]] = []

    def write(self, data: memoryview | bytes) -> None:
        """Write what comes next. Not through the file's buffer, so who reads the file begins at its beginning."""
        self._check(self._size + len(data))
        left = memoryview(data)
        while left:
            written = os.pwrite(self.file.fileno(), left, self._size)
            self._size += written
            left = left[written:]
        if self._size - self._handed_on >= _STRETCH_BYTES:
            self._stretches.append(self._beside.submit(self._hash, self._size))
            self._handed_on = self._size

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hexadecimal digits.

        Raises:
            OSError: if it cannot be read.
        """
        for one in self._stretches:
            one.result()
        self._hash(self._size)
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file, which is used no more; what has not been published is discarded."""
        self._beside.shutdown(cancel_futures=True)
        # What is published was written and synced long before; for what is not, there may be no room.
        with suppress(OSError):
            self.file.close()

    def _hash(self, end: int) -> None:
        """Hash what was written up to there."""
        begin, block = self._hashed, memoryview(bytearray(min(end - self._hashed, _BLOCK_BYTES)))
        while self._hashed < end:
            size = os.preadv(self.file.fileno(), [block[: end - self._hashed]], self._hashed)
            if not size:
                raise OSError("An upload was cut off in packages/")
            self._digest.update(block[:size])
            self._hashed += size
        if end - begin >= _STRETCH_BYTES:
            # So Linux begins to write it to disk; what is not there yet, it does not drop.
            os.posix_fadvise(self.file.fileno(), begin, end - begin, os.POSIX_FADV_DONTNEED)


@contextmanager
def arriving(folder: Path, check: Check = lambda size: None) -> Iterator[Arriving]:
    """Make a place for a file that arrives; what has not been published in the end is removed."""
    file, path = _aside(folder)
    arrived = Arriving(file, path, check)
    try:
        yield arrived
    finally:
        path.unlink(missing_ok=True)
        arrived.close()


def _aside(folder: Path) -> tuple[BinaryIO, Path]:
    """Make a file that is locked, readable for the account alone, as all in the tree is."""
    while True:
        try:
            descriptor, path = tempfile.mkstemp(dir=folder)
        except FileNotFoundError:
            # Removed while the server runs.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        file = os.fdopen(descriptor, "w+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        # A process that starts may have taken it for a leftover before it was locked.
        if os.fstat(descriptor).st_nlink:
            return file, Path(path)
        file.close()


def folder_of(packages: Path, node: str = "") -> Path:
    """Return where uploads arrive; of several nodes each has a folder of its own, as locks may not reach across hosts."""
    return packages / FOLDER / node


def prepare(folder: Path) -> None:
    """Make the folder, and empty it of what killed processes have left."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    for left in folder.iterdir():
        # A foreign file there is no reason not to serve.
        with suppress(OSError), open(left, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            left.unlink()


def sha256(file: BinaryIO) -> str:
    """Return the digest of a file, in hexadecimal digits, and go back to its beginning."""
    # A block for each file, as file_digest has it, costs a tenth of the time of small ones.
    block = getattr(_own, "block", None)
    if block is None:
        block = _own.block = memoryview(bytearray(_READ_BYTES))
    found = hashlib.sha256()
    while size := file.readinto(block):  # type: ignore[attr-defined]
        found.update(block[:size])
    file.seek(0)
    return found.hexdigest()
