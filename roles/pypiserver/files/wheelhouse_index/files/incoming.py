"""Uploads, written aside and verified before they are published under their name.

They lie in a hidden folder of packages/, because only within a mount a file can be given its name in one step. Who
writes one holds a lock on it: what is not locked was left by a killed process, and is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .entry import Facts, Stamp

FOLDER = ".incoming"
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

    def stamp(self) -> Stamp:
        """Return by what it is known again."""
        return Stamp.of(os.fstat(self._file.fileno()))

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
            os.link(self._path, target)
        try:
            yield
        except BaseException:
            if before.exists():
                os.replace(before, target)
            else:
                target.unlink(missing_ok=True)
            raise
        before.unlink(missing_ok=True)

    def date_after(self, other: Path) -> None:
        """Give the file a second of its own, if it is to replace one: NGINX makes the ETag of size and time in whole seconds."""
        try:
            taken = int(other.stat().st_mtime)
        except FileNotFoundError:
            return
        if int(os.fstat(self._file.fileno()).st_mtime) <= taken:
            os.utime(self._file.fileno(), (taken + 1, taken + 1))


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
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: memoryview | bytes) -> None:
        """Write what comes next. Not through the file's buffer, so who reads the file begins at its beginning."""
        self._check(self._size + len(data))
        self._digest.update(data)
        left = memoryview(data)
        while left:
            written = os.pwrite(self.file.fileno(), left, self._size)
            self._size += written
            left = left[written:]

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hexadecimal digits."""
        return self._digest.hexdigest()


@contextmanager
def arriving(packages: Path, check: Check = lambda size: None) -> Iterator[Arriving]:
    """Make a place for a file that arrives; what has not been published in the end is removed."""
    file, path = _aside(packages / FOLDER)
    try:
        yield Arriving(file, path, check)
    finally:
        path.unlink(missing_ok=True)
        # What is published was written and synced long before; for what is not, there may be no room.
        with suppress(OSError):
            file.close()


def _aside(folder: Path) -> tuple[BinaryIO, Path]:
    """Make a file that is locked, readable for the account alone, as all in the tree is."""
    while True:
        try:
            descriptor, path = tempfile.mkstemp(dir=folder)
        except FileNotFoundError:
            # Removed while the server runs.
            folder.mkdir(mode=0o700, exist_ok=True)
            continue
        file = os.fdopen(descriptor, "w+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        # A process that starts may have taken it for a leftover before it was locked.
        if os.fstat(descriptor).st_nlink:
            return file, Path(path)
        file.close()


def prepare(packages: Path) -> None:
    """Make the folder, and empty it of what killed processes have left."""
    folder = packages / FOLDER
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
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return found
