"""What distribution files in packages/ tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from . import incoming, metadata, names
from .entry import Entry, Facts, Stamp, guessed


@dataclass(frozen=True)
class Told:
    """What a file tells.

    Attributes:
        entry: the file, by the stamp that it had when it was opened; without facts where it cannot be read.
        metadata: its core metadata; empty where they are not served.
        opens: whether it is an archive that can be opened.
        error: why it cannot be read; empty where it can.
    """

    entry: Entry
    metadata: bytes = b""
    opens: bool = True
    error: str = ""


def read_files(packages: Path, entries: Sequence[Entry]) -> list[Told]:
    """Return what files tell."""
    return [_read(packages, entry) for entry in entries]


def _read(packages: Path, entry: Entry) -> Told:
    try:
        with open(os.open(packages / entry.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            stamp = Stamp.of(os.fstat(file.fileno()))
            facts, content, opens = read_file(entry.name, file)
    except OSError as error:
        return Told(replace(entry, facts=None), error=str(error))
    return Told(Entry(entry.path, stamp, facts), content, opens)


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
