"""What distribution files in packages/ tell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from . import incoming, installable, metadata, names
from .entry import Entry, Facts, Stamp, guessed


@dataclass(frozen=True)
class Told:
    """What a file tells.

    Attributes:
        entry: the file, by the stamp that it had when it was opened; without facts where it cannot be read.
        metadata: its core metadata; empty where they are not served.
        opens: whether it is an archive that can be opened.
        objection: why no client can install it; empty where one can.
        error: why it cannot be read; empty where it can.
    """

    entry: Entry
    metadata: bytes = b""
    opens: bool = True
    objection: str = ""
    error: str = ""


def read_files(packages: Path, entries: Iterable[Entry]) -> Iterator[Told]:
    """Read files; yield what each tells."""
    return (_read(packages, entry) for entry in entries)


def _read(packages: Path, entry: Entry) -> Told:
    try:
        with open(os.open(packages / entry.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            stamp = Stamp.of(os.fstat(file.fileno()))
            facts, content, opens, objection = read_file(entry.name, file)
    except OSError as error:
        return Told(replace(entry, facts=None), error=str(error))
    return Told(Entry(entry.path, stamp, facts), content, opens, objection)


def read_file(name: str, file: BinaryIO) -> tuple[Facts, bytes, bool, str]:
    """Return what a file of packages/ tells, its core metadata, whether it can be opened, and why no client can install it.

    What contradicts its name counts for nothing: then the name alone tells.
    """
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
