"""Small files that outlast a loss of power: each is there whole, or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import secrets
import stat
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .beside import Beside

# From so many on, one call for the whole file system costs less than one for each.
_MANY = 16
# No file that the index writes comes near it.
LONGEST_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
# The system call renameat2 by its number, as musl has no function for it, and what it needs to exchange two names (linux/fs.h).
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}.get(platform.machine())
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_LIBC = ctypes.CDLL(None)


def write(descriptor: int, content: bytes) -> None:
    """Write all of a content to an open file."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def read(place: Path | str) -> bytes:
    """Return what a file holds.

    Raises:
        OSError: if that cannot be read, is a link or no file, or is longer than any that the index writes.
    """
    try:
        # A pipe that none writes to would be waited for.
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", str(place)) from error
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(place))
        if status.st_size > LONGEST_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {LONGEST_BYTES} bytes", str(place))
        return to_the_end(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def to_the_end(descriptor: int, size: int) -> bytes:
    """Return what an open file holds from here on: so many bytes, if nothing has changed it. A file object costs more."""
    content = os.read(descriptor, size + 1)
    while more := os.read(descriptor, _PIECE_BYTES) if len(content) != size else b"":
        content += more
    return content


def check_folder(place: Path | str) -> bool:
    """Tell whether a folder is there; raise OSError where something else is, or a link to one."""
    try:
        mode = os.lstat(place).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        is_what = "it is a link" if stat.S_ISLNK(mode) else "it is not a folder"
        raise OSError(errno.ENOTDIR, is_what, str(place))
    return True


@contextmanager
def opened(folder: Path | str) -> Iterator[str]:
    """Yield another path of a folder, by which its own is not looked up again; not for longer than one change takes.

    A mount that caches nothing asks its servers for each part of a path, with each call. For as long as it is held, a mount that
    is detached stays, and so do files that are written there: they are never written below the mount point.

    Raises:
        OSError: if it is not there, or is a link or no folder.
    """
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError:
        # Say what it is.
        check_folder(folder)
        raise
    own = f"/proc/self/fd/{descriptor}"
    try:
        with _named(folder, own):
            yield own
    finally:
        os.close(descriptor)


@contextmanager
def _named(folder: Path | str, own: str) -> Iterator[None]:
    """Have errors name a folder as people know it, which is open as another path."""
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str) and error.filename.startswith(f"{own}/"):
            error.filename = f"{folder}{error.filename.removeprefix(own)}"
        raise


def entered(folder: Path, stack: ExitStack) -> str:
    """Open a folder for uploads, as ``opened`` does, until a stack is closed; where it was removed meanwhile, make it."""
    while True:
        try:
            return stack.enter_context(opened(folder))
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def written_aside(folder: Path, content: bytes, synced: bool = False) -> Iterator[tuple[str, int]]:
    """Write a file without a name of its own, for who links it to one; it is removed.

    Args:
        folder: where.
        content: what it holds.
        synced: whether that outlasts a loss of power.

    Yields:
        Where it is, and its inode.
    """
    with opened(folder) as own:
        path, inode = _written(own, content, synced)
        try:
            yield path, inode
        finally:
            _removed(path)


def _written(folder: str, content: bytes, synced: bool) -> tuple[str, int]:
    """Write a file without a name of its own; return where it is, and its inode. What fails leaves nothing."""
    path = f"{folder}/{secrets.token_hex(8)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            # Of a shared folder, this is known for a moment from the answer that it was made.
            inode = os.fstat(descriptor).st_ino
            write(descriptor, content)
            if synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        _removed(path)
        raise
    return path, inode


def _is(path: Path | str, inode: int) -> bool:
    """Tell whether a file is the one with this inode."""
    with suppress(OSError):
        return os.lstat(path).st_ino == inode
    return False


def _removed(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


class Aside:
    """Where a change writes files before they get their names, all of them synced. What is known ahead is written meanwhile.

    Args:
        folder: where.
        beside: does calls at once.

    Attributes:
        left: removes the names that they have there, and closes the folder: that may be done later.
    """

    def __init__(self, folder: Path, beside: Beside) -> None:
        self.left = ExitStack()
        self._folder = folder
        self._beside = beside
        self._lock = threading.Lock()
        self._own = ""
        # By what they hold.
        self._begun: dict[bytes, Future[tuple[str, int]]] = {}

    def begin(self, content: bytes) -> None:
        """Begin to write a file that is wanted later."""
        if content not in self._begun:
            self._begun[content] = self._beside.begin(self._write, content)

    def wait(self) -> None:
        """Wait until what has begun is written; raises OSError if it cannot be."""
        for one in self._begun.values():
            one.result()

    def give_name(self, target: Path | str, content: bytes) -> int:
        """Give a file its name, as ``put_new`` does."""
        begun = self._begun.pop(content, None)
        path, inode = begun.result() if begun else self._write(content)
        with _named(self._folder, self._own):
            try:
                return _linked(path, inode, target)
            except FileNotFoundError:
                if os.path.lexists(path):
                    raise
                # A process that starts has taken it for what a killed one has left: it is not locked.
                return _linked(*self._write(content), target)

    def close(self) -> None:
        """Remove what is left, once nothing is written any more; what cannot be removed now, the next start removes."""
        for one in self._begun.values():
            one.exception()
        with suppress(OSError):
            self.left.close()

    def _write(self, content: bytes) -> tuple[str, int]:
        with self._lock:
            self._own = self._own or entered(self._folder, self.left)
        with _named(self._folder, self._own):
            path, inode = _written(self._own, content, synced=True)
        self.left.callback(_removed, path)
        return path, inode


def put_new(folder: Path, target: Path | str, content: bytes, synced: bool = False, aside: Aside | None = None) -> int:
    """Give a file its name in one step, unless there is one of that name; return its inode, or 0 where there was one.

    Its name outlasts a loss of power once its folder is synced. A file that is not synced itself may then be there and empty.

    Args:
        folder: of the same mount, where it is written first.
        target: its name.
        content: what it holds.
        synced: whether it is.
        aside: the same folder, if it is open: what it has there is removed with that.
    """
    if aside:
        return aside.give_name(target, content)
    with opened(folder) as own:
        path, inode = _written(own, content, synced)
        try:
            return _linked(path, inode, target)
        finally:
            # If it has its name, what cannot be removed now, the next start removes.
            with suppress(OSError):
                _removed(path)


def _linked(path: str, inode: int, target: Path | str) -> int:
    """Give a file another name, unless there is one of that name; return as ``put_new`` does."""
    try:
        os.link(path, target)
    except OSError as error:
        # A mount may have done it, and lost the answer.
        if not _is(target, inode):
            if isinstance(error, FileExistsError):
                return 0
            raise
    return inode


def put(folder: Path, target: Path | str, content: bytes) -> None:
    """Replace a file in one step, by one that is synced; arguments as for ``put_new``."""
    put_unsynced(folder, target, content, synced=True)


def put_unsynced(folder: Path, target: Path | str, content: bytes, synced: bool = False) -> None:
    """Replace a file in one step, by one that is empty after a loss of power, unless it is synced."""
    with opened(folder) as own:
        aside, _inode = _written(own, content, synced)
        try:
            os.replace(aside, target)
        except BaseException:
            _removed(aside)
            raise


def replace(aside: Path | str, target: Path | str) -> None:
    """Replace a file in one step, by one that need not outlast a loss of power; until it is synced it may then be empty.

    The two are exchanged, then the old one is removed: ext4 at once begins to write what is renamed onto another file to disk
    (``auto_da_alloc`` in ext4(5)), which takes six times as long.
    """
    if not _exchanged(aside, target):
        os.replace(aside, target)
        return
    try:
        os.unlink(aside)
    except IsADirectoryError:
        # Other hands have put a folder there, which no file replaces.
        _exchanged(aside, target)
        raise


def _exchanged(one: Path | str, other: Path | str) -> bool:
    """Exchange two files, if both are there, and this system and file system can; return whether that was done."""
    if _RENAMEAT2 is None:
        return False
    places = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    return bool(_LIBC.syscall(_RENAMEAT2, *places, _RENAME_EXCHANGE) == 0)


def sync(paths: Collection[Path | str], one_by_one: bool = False) -> None:
    """Have files, and the names in folders, outlast a loss of power. All are of one file system.

    Args:
        paths: of them.
        one_by_one: whether to wait for nothing else that is being written there, however many they are.
    """
    if not one_by_one and len(paths) >= _MANY and _sync_file_system(next(iter(paths))):
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(path: Path | str) -> bool:
    """Sync all of the file system that a path is in; return whether this system can."""
    sync_all = getattr(_LIBC, "syncfs", None)
    if sync_all is None:
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bool(sync_all(descriptor) == 0)
    finally:
        os.close(descriptor)
