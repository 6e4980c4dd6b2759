"""What distribution files in packages/ tell."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from . import incoming, installable, metadata, names
from .entry import Facts, guessed

# What is not larger is read once, and looked into in memory.
_SMALL_BYTES = 1024 * 1024


def read_file(name: str, file: BinaryIO) -> tuple[Facts, bytes, bool, str]:
    """Return what a file of packages/ tells, its core metadata, whether it can be opened, and why no client can install it.

    What contradicts its name counts for nothing: then the name alone tells.
    """
    file = _small(file)
    sha256 = incoming.sha256(file)
    if name.endswith(names.SIGNATURE):
        return Facts(sha256, guessed(name)), b"", True, ""
    found, opens, is_all, broken = None, True, True, ""
    try:
        found = metadata.inside(name, file)
    except metadata.BrokenArchiveError as error:
        opens, broken = not isinstance(error, metadata.UnopenedError), str(error)
    except metadata.BeyondLimitsError:
        is_all = False
    if found and names.claimed(name, found.release) and names.is_project(found.release.project):
        why = installable.objection(name, found.release, found)
        return Facts(sha256, found.release, found.requires_python, found.sha256), found.content, opens, why
    if found:
        broken = f"{name} holds {str(found.release)[:200]}: file name and metadata differ."
    return Facts(sha256, guessed(name)), b"", opens, broken or installable.objection(name, guessed(name), None, is_all)


def _small(file: BinaryIO) -> BinaryIO:
    """Return a file, in memory where it is small."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return io.BytesIO(file.read(size)) if size <= _SMALL_BYTES else file
