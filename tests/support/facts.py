"""Files of an index whose facts are looked at, and where these lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support import packages as made
from tests.support.index import Index

ONE, TWO = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl"
CONTENT, OTHER = made.file(ONE, b"one"), made.file(ONE, b"other")
LONG_AGO = 1_500_000_000


def copied(index: Index, name: str = ONE, content: bytes = CONTENT, seconds: int = LONG_AGO) -> Path:
    """Put a file in place as rsync does, with a time of its own, and have the keeper look."""
    place = index.packages / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    os.utime(place, (seconds, seconds))
    index.look()
    return place


def wheelhouse(index: Index) -> Path:
    """Return the folder of the store."""
    return index.packages / ".wheelhouse"


def in_folder(path: os.PathLike[str] | str) -> Path:
    """Return a path, also of one in a folder that is open (``disk.opened``)."""
    return Path(path).parent.resolve() / Path(path).name


def older_copy(index: Index, copy: Path) -> None:
    """Put an older copy of the store in place, as ``rsync -a --delete`` does."""
    shutil.rmtree(wheelhouse(index))
    shutil.copytree(copy, wheelhouse(index))


def touch(index: Index) -> None:
    """Give all wheels the time of now and another mode, as a copy without their times does."""
    for path in index.packages.glob("*.whl"):
        path.touch()
        path.chmod(0o640)
