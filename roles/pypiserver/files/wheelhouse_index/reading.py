"""What a distribution file in packages/ tells."""

from __future__ import annotations

from typing import BinaryIO

from . import incoming, metadata, names
from .entry import Facts, guessed


def read_file(name: str, file: BinaryIO) -> tuple[Facts, bytes, bool]:
    """Return what a file of packages/ tells, its core metadata, and whether it can be opened.

    What contradicts its name counts for nothing: then the name alone tells.
    """
    sha256 = incoming.sha256(file)
    found, opens = None, True
    try:
        found = None if name.endswith(names.SIGNATURE) else metadata.inside(name, file)
    except metadata.UnopenedError:
        opens = False
    except (metadata.BrokenArchiveError, metadata.BeyondLimitsError):
        pass
    if found and names.claimed(name, found.release) and names.is_project(found.release.project):
        return Facts(sha256, found.release, found.requires_python, found.sha256), found.content, opens
    return Facts(sha256, guessed(name)), b"", opens
