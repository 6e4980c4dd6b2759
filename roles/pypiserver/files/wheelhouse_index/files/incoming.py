"""Uploads, written aside and verified before they are published under their name.

They lie in a hidden folder of packages/, because only within a mount a file can be given its name in one step. Who
writes one holds a lock on it: what is not locked was left by a killed process, and is removed. Small files that ``common.disk``
writes there are not locked, as they get their names at once; one that waits for its name is written once more.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..common import disk
from ..common.beside import Beside
from .entry import Facts, Stamp

FOLDER = ".incoming"
# Of a large file, so much at a time is hashed and goes to disk while the rest arrives.
_STRETCH_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024
# What is not larger is written once it is verified: before that, it would be read from a mount that caches nothing.
SMALL_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
# Of each thread.
_own = threading.local()
Check = Callable[[int], object]


class Upload:
    """A file that has arrived whole.

    Args:
        name: that it is to get.
        arrived: the file.
        facts: what it holds.
        metadata: its core metadata; empty where it has none to be served.
        objection: why no client can install it; empty where nothing is known.

    Attributes:
        size: in bytes.
    """

    def __init__(self, name: str, arrived: Arriving, facts: Facts, metadata: bytes = b"", objection: str = "") -> None:
        self.name = name
        self.objection = objection
        self.facts = facts
        self.metadata = metadata
        self.size = arrived.size
        # Those of its form, once they are checked: as JSON, because as objects they take many times as much while they wait.
        self.attestations = b""
        self._arrived = arrived
        self._stamp: Stamp | None = None

    def save(self, beside: Beside) -> None:
        """Begin to have it outlast a loss of power, unless that was done."""
        self._arrived.save(beside)

    def saved(self) -> None:
        """Wait until it does; raises OSError if it cannot be saved."""
        self._arrived.saved()

    def stamp(self) -> Stamp:
        """Return by what it is known again; raises OSError if it cannot be saved."""
        self.saved()
        self._stamp = self._stamp or Stamp.of(self._arrived.status())
        return self._stamp

    @contextmanager
    def published(self, target: Path, overwrite: bool) -> Iterator[None]:
        """Give the file its name, which counts once its folder is synced; take it back if what is done meanwhile fails.

        Raises:
            FileExistsError: if there is such a file, and it is not to be overwritten.
            OSError: if it cannot be saved.
        """
        self.saved()
        file, path = self._arrived.file, self._arrived.path
        before = path.with_name(f"{path.name}.before")
        if overwrite and target.is_dir() and not target.is_symlink():
            raise FileExistsError(target)
        if overwrite:
            with suppress(FileNotFoundError):
                os.link(target, before, follow_symlinks=False)
            os.replace(path, target)
        else:
            try:
                os.link(path, target)
            except FileExistsError:
                # A mount may have sent it twice, and the first answer was lost.
                if not os.path.samestat(os.fstat(file.fileno()), os.lstat(target)):
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

    def discard(self) -> None:
        """Take the name away that it had before it got its own."""
        self._arrived.discard()

    def date_after(self, other: Path) -> None:
        """Give the file a second of its own, if it is to replace one: NGINX makes the ETag of size and time in whole seconds."""
        try:
            taken = int(other.stat().st_mtime)
        except FileNotFoundError:
            return
        self.saved()
        file = self._arrived.file
        if int(os.fstat(file.fileno()).st_mtime) <= taken:
            os.utime(file.fileno(), (taken + 1, taken + 1))
            self._stamp = Stamp.of(os.fstat(file.fileno()))


class Arriving:
    """A file that arrives, and is hashed on the way. One that is small is in memory until it is verified, then saved at once.

    Args:
        folder: where it is written, without a name of its own.
        check: gets the size that it is about to have, and may raise what ends it.

    Attributes:
        size: how many bytes have arrived.
    """

    def __init__(self, folder: Path, check: Check) -> None:
        self._folder = folder
        self._check = check
        # What has arrived of a small one.
        self._small = io.BytesIO()
        self._file: BinaryIO | None = None
        self._path = folder
        self._opened = ExitStack()
        self._is_discarded = False
        self.size = self._handed_on = self._hashed = 0
        self._digest = hashlib.sha256()
        # Its thread begins with the first stretch: a small file needs none.
        self._hashing = ThreadPoolExecutor(1, "hashing")
        self._stretches: list[Future[None]] = []
        self._saving: Future[os.stat_result] | None = None

    def write(self, data: memoryview | bytes) -> None:
        """Take what comes next. Not through the file's buffer, so who reads the file begins at its beginning."""
        self._check(self.size + len(data))
        if self._file is None:
            if self.size + len(data) <= SMALL_BYTES:
                self.size += self._small.write(data)
                return
            self._make()
        _put(self.file, data, self.size)
        self.size += len(data)
        if self.size - self._handed_on >= _STRETCH_BYTES:
            # While the process ends there is no other thread: what is not hashed yet is so in the end.
            with suppress(RuntimeError):
                self._stretches.append(self._hashing.submit(self._hash, self.size))
            self._handed_on = self.size

    @property
    def file(self) -> BinaryIO:
        """The file on disk, with what has arrived."""
        if self._file is None:
            self._make()
            assert self._file
        return self._file

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._path

    def opened(self) -> BinaryIO:
        """Return what has arrived, to be read from its beginning."""
        file = self._small if self._file is None else self._file
        file.seek(0)
        return file

    @property
    def sha256(self) -> str:
        """The digest of what has arrived, in hexadecimal digits.

        Raises:
            OSError: if it cannot be read.
        """
        for one in self._stretches:
            one.result()
        if self._file is None and self._hashed < self.size:
            self._digest.update(self._small.getbuffer()[self._hashed :])
            self._hashed = self.size
        self._hash(self.size)
        return self._digest.hexdigest()

    def save(self, beside: Beside) -> None:
        """Begin to have all of it outlast a loss of power; once more, if it could not be made."""
        # What failed to be synced may be taken for written by the next try, and be lost.
        has_failed = self._saving and self._saving.done() and self._saving.exception() and not self._file
        if self._saving is None or has_failed:
            self._saving = beside.begin(self._save)

    def saved(self) -> None:
        """Wait until that is done, now where it has not begun; raises OSError if it cannot be."""
        self.status()

    def status(self) -> os.stat_result:
        """Return what the file was once it was saved; waits and raises as ``saved`` does."""
        if self._saving is None:
            self.save(Beside(waits=False))
        assert self._saving
        return self._saving.result()

    def _save(self) -> os.stat_result:
        os.fsync(self.file.fileno())
        # A mount that caches nothing is asked here, while other things are done, and not within the lock of the index.
        return os.fstat(self.file.fileno())

    def discard(self) -> None:
        """Remove it; before it is saved, there is nothing to remove."""
        if self._file and not self._is_discarded:
            self._path.unlink(missing_ok=True)
            self._is_discarded = True

    def close(self) -> None:
        """Close the file, which is used no more; what has not been published is discarded."""
        self._hashing.shutdown(cancel_futures=True)
        if self._saving:
            # What is not published is removed once it is there.
            self._saving.exception()
        with self._opened:
            if self._file is None:
                return
            try:
                self.discard()
            finally:
                # What is published was written and synced long before; for what is not, there may be no room.
                with suppress(OSError):
                    self._file.close()

    def _make(self) -> None:
        """Make the file, with what has arrived so far; what fails leaves none, and is tried again by who asks for it again."""
        file, path = _aside(self._folder, self._opened)
        try:
            _put(file, self._small.getbuffer(), 0)
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            file.close()
            raise
        self._file, self._path, self._small = file, path, io.BytesIO()

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


def _put(file: BinaryIO, data: memoryview | bytes, at: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file.fileno(), left, at)
        at += written
        left = left[written:]


@contextmanager
def arriving(folder: Path, check: Check = lambda size: None) -> Iterator[Arriving]:
    """Make a place for a file that arrives; what has not been published in the end is removed. Arguments as for ``Arriving``."""
    arrived = Arriving(folder, check)
    try:
        yield arrived
    finally:
        arrived.close()


def _aside(folder: Path, stack: ExitStack) -> tuple[BinaryIO, Path]:
    """Make a file that is locked, readable for the account alone, as all in the tree is.

    Args:
        folder: where.
        stack: keeps it open.
    """
    while True:
        try:
            descriptor, path = tempfile.mkstemp(dir=disk.entered(folder, stack))
        except FileNotFoundError:
            # Removed since it was opened.
            continue
        # With a size of its buffer, it does not ask whether that is a terminal.
        file = os.fdopen(descriptor, "w+b", io.DEFAULT_BUFFER_SIZE)
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
