"""Small files that outlast a loss of power: each is there whole, or not at all."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# From so many on, one call for the whole file system costs less than one for each.
_MANY = 16


@contextmanager
def written_aside(folder: Path, content: bytes) -> Iterator[Path]:
    """Write a file without a name of its own, for who gives it one; what is left of it is removed."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield path
    finally:
        path.unlink(missing_ok=True)


def put_new(folder: Path, target: Path, content: bytes) -> bool:
    """Give a file its name in one step, unless there is one of that name; return whether there was none.

    It outlasts a loss of power once it is synced; until then it may be there and empty.

    Args:
        folder: of the same mount, where it is written first.
        target: its name.
        content: what it holds.
    """
    with written_aside(folder, content) as aside, suppress(FileExistsError):
        os.link(aside, target)
        return True
    return False


def put(folder: Path, target: Path, content: bytes) -> None:
    """Replace a file in one step, by one that is synced; arguments as for ``put_new``."""
    with written_aside(folder, content) as aside:
        sync([aside])
        os.replace(aside, target)


def sync(paths: Collection[Path]) -> None:
    """Have files, and the names in folders, outlast a loss of power. All are of one file system."""
    if len(paths) >= _MANY and _sync_file_system(next(iter(paths))):
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(path: Path) -> bool:
    """Sync all of the file system that a path is in; return whether this system can."""
    sync_all = getattr(ctypes.CDLL(None), "syncfs", None)
    if sync_all is None:
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bool(sync_all(descriptor) == 0)
    finally:
        os.close(descriptor)
