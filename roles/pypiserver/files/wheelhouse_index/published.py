"""Who published what when, by the records in the store of facts: one for each file that was ever published."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import names
from .records import Record

_SUFFIX = ".json"
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
    for own in [project] if project else sorted(os.listdir(folder)):
        for file in _files(folder / own):
            place = f"{folder}/{own}/{file}{_SUFFIX}"
            try:
                record = _record(place, login, day)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                damaged.append(place)
                continue
            if record:
                yield Published(own, file, record)


def _files(folder: Path) -> list[str]:
    """Return the names of the distribution files that have records."""
    try:
        found = [name.removesuffix(_SUFFIX) for name in os.listdir(folder) if name.endswith(_SUFFIX)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in found if names.suffix(name))


def _record(place: str, login: str | None, day: str) -> Record | None:
    """Return a record; None where it is another login's, of an earlier day, or empty.

    Empty: the power failed before it was synced, so nothing was published by this name.
    """
    with open(place, "rb", buffering=0) as file:
        text = file.read().decode()
    if not text:
        return None
    # Most are not wanted, and to take a time apart costs more than all else.
    found = json.loads(text)
    is_early = bool(_DAY.match(found["upload-time"])) and found["upload-time"] < day
    return None if is_early or (login is not None and found["login"] != login) else Record.of_text(text)
