"""Who published what when, by the records in the store of facts: one for each file that was ever published."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import names
from .records import Record

_SUFFIX = ".json"


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


def published(folder: Path, damaged: list[str], login: str | None = None, project: str = "") -> Iterator[Published]:
    """Yield the distribution files that were published, without their signatures.

    Args:
        folder: the records.
        damaged: gets the paths of records that cannot be read.
        login: whose; None for all, empty for files that no login published.
        project: of which, by its normalised name; empty for all.
    """
    for own in [project] if project else sorted(os.listdir(folder)):
        for file in _files(folder / own):
            place = f"{folder}/{own}/{file}{_SUFFIX}"
            try:
                record = _record(place, login)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError, AttributeError):
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


def _record(place: str, login: str | None) -> Record | None:
    """Return a record; None where it is another login's, or empty: the power failed before anything was published."""
    with open(place, "rb", buffering=0) as file:
        text = file.read().decode()
    if not text or (login is not None and json.loads(text).get("login") != login):
        return None
    return Record.of_text(text)
