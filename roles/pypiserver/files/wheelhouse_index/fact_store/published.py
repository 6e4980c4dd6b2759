"""Who published what when, by what the store of facts has of each file that was ever published, and who attested it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..files import names
from .attestations import SUFFIX as ATTESTATIONS
from .attestations import Attested
from .records import Record

_RECORD = ".json"
_Kept = TypeVar("_Kept", Record, Attested)
_DAY = re.compile(r"\d{4}-\d\d-\d\dT", re.ASCII)


@dataclass(frozen=True)
class Published:
    """A distribution file that was published; it may have been removed since.

    Attributes:
        project: its normalised name.
        file: the file's name.
        record: what is known of it.
    """

    project: str
    file: str
    record: Record


def published(
    folder: Path, damaged: list[str], login: str | None = None, project: str = "", day: str = ""
) -> Iterator[Published]:
    """Yield the distribution files that were published, without their signatures.

    Args:
        folder: the records.
        damaged: gets the paths of records that cannot be read.
        login: whose; None for all, empty for files that no login published.
        project: of which, by its normalised name; empty for all.
        day: from which on, such as 2026-11-20 (UTC); empty for all.
    """
    for own, file, record in _found(folder, _RECORD, Record.of_text, damaged, login, project, day):
        yield Published(own, file, record)


def attested(
    folder: Path, damaged: list[str], login: str | None = None, project: str = "", day: str = ""
) -> Iterator[tuple[str, str, Attested]]:
    """Yield what is kept of attestations, with project and file; arguments as for ``published``."""
    return _found(folder, ATTESTATIONS, Attested.of_text, damaged, login, project, day)


def _found(
    folder: Path,
    suffix: str,
    of_text: Callable[[str], _Kept],
    damaged: list[str],
    login: str | None,
    project: str,
    day: str,
) -> Iterator[tuple[str, str, _Kept]]:
    """Yield what is kept of files by names with a suffix; other arguments as for ``published``."""
    for own in [project] if project else sorted(os.listdir(folder)):
        for file in _files(folder / own, suffix):
            place = f"{folder}/{own}/{file}{suffix}"
            try:
                found = _read(place, of_text, login, day)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                damaged.append(place)
                continue
            if found:
                yield own, file, found


def _files(folder: Path, suffix: str) -> list[str]:
    """Return the names of the distribution files of which something is kept by a suffix."""
    try:
        found = [name.removesuffix(suffix) for name in os.listdir(folder) if name.endswith(suffix)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in found if names.suffix(name))


def _read(place: str, of_text: Callable[[str], _Kept], login: str | None, day: str) -> _Kept | None:
    """Return what a file holds; None where it is another login's, of an earlier day, or empty.

    Empty: the power failed before it was synced, so nothing was published by this name.
    """
    with open(place, "rb", buffering=0) as file:
        text = file.read().decode()
    if not text:
        return None
    # Most are not wanted, and to take a time apart costs more than all else.
    found = json.loads(text)
    is_early = bool(_DAY.match(found["upload-time"])) and found["upload-time"] < day
    return None if is_early or (login is not None and found["login"] != login) else of_text(text)
