"""devpi-server's files reach the disk before an upload is answered, as ours do; by itself it syncs its database alone."""

from __future__ import annotations

import os

_rename = os.rename


def _synced(path: str | os.PathLike[str]) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def rename(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename a file; it and its new name are on disk."""
    _synced(source)
    _rename(source, target)
    _synced(os.path.dirname(target) or ".")


for name in ("rename", "replace"):
    setattr(os, name, rename)
