"""Records: what is known of a file that was ever published, and that its bytes do not tell.

A record is made before the file gets its name, never changes, and stays when the file is removed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import disk, names
from .times import nanoseconds, time_text

UPLOAD, IMPORT, COPIED = "upload", "import", "copied"
T = TypeVar("T")


class FactsError(Exception):
    """The store of facts, or a file of it, cannot be used. Says why, and where there is one, the remedy."""


@dataclass(frozen=True)
class Record:
    """What is known of a file.

    Attributes:
        sha256: of the file that has this name, in hexadecimal digits.
        size: of that file, in bytes.
        uploaded_ns: when it was published, in ns since 1970.
        source: how it came: upload, import or copied.
        login: who published it; empty where none is known.
    """

    sha256: str
    size: int
    uploaded_ns: int
    source: str
    login: str = ""

    def text(self) -> str:
        """Return it as a line of JSON."""
        document = {
            "sha256": self.sha256,
            "size": self.size,
            "upload-time": time_text(self.uploaded_ns),
            "source": self.source,
            "login": self.login,
        }
        return json.dumps(document) + "\n"

    @classmethod
    def of_text(cls, text: str) -> Record:
        """Return the record that a text holds; what a later release has added to it is left out.

        Raises:
            ValueError: if it holds none.
        """
        try:
            found = json.loads(text)
            uploaded_ns = nanoseconds(found["upload-time"])
            return cls(str(found["sha256"]), int(found["size"]), uploaded_ns, found["source"], found["login"])
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"it is no record: {error}") from error


def read_fact(place: Path, of_text: Callable[[str], T]) -> T | None:
    """Return what a file of the store of facts holds; None where there is none.

    Args:
        place: the file.
        of_text: makes a fact of its text; raises ValueError if it is none.

    Raises:
        FactsError: if it cannot be read.
    """
    try:
        text = place.read_text(encoding="utf-8")
        # Empty: the power failed before it was synced, so nothing was published by this name.
        return of_text(text) if text else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FactsError(f"{place} cannot be used: {error}") from error


class Records:
    """The folder files/ of the store of facts.

    Args:
        folder: it.
        aside: a folder of the same mount, where files are written before they get their names.
    """

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder = folder
        self._aside = aside

    def at(self, project: str, name: str) -> Record | None:
        """Return the record of a file, given by its project's normalised name and its own; None where there is none.

        Raises:
            FactsError: if there is one that cannot be read.
        """
        return read_fact(self._place(project, name), Record.of_text)

    def elsewhere(self, project: str, name: str) -> Record | None:
        """Return the record that a file's name has as that of another project: a-1-1.tar.gz may be of a, and of a-1.

        Raises:
            FactsError: if it cannot be read.
        """
        if name.endswith((names.WHEEL, names.VARIANTS)):
            return None
        parts = name.removesuffix(names.suffix(name)).split("-")
        others = {names.normalised("-".join(parts[:number])) for number in range(1, len(parts))} - {project}
        found = (self.at(other, name) for other in sorted(others) if names.is_project(other))
        return next((record for record in found if record), None)

    def names(self, project: str) -> set[str]:
        """Return the names of the files of a project that have records."""
        try:
            found = os.listdir(self.folder / project)
        except FileNotFoundError:
            return set()
        return {name.removesuffix(".json") for name in found if name.endswith(".json")}

    def make(self, project: str, records: Mapping[str, Record]) -> list[Path]:
        """Make records, by the names of the files; a name that has one keeps it.

        Returns:
            What has to be synced before they count.
        """
        folder = self.folder / project
        made = [] if folder.exists() else [self.folder]
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, record in records.items():
            place = self._place(project, name)
            if self._put(place, record.text().encode()):
                made.append(place)
        return [*made, folder] if made else []

    def replace(self, project: str, name: str, record: Record) -> None:
        """Put a record in another's place: only where files may be replaced."""
        disk.put(self._aside, self._place(project, name), record.text().encode())

    def take_back(self, project: str, name: str) -> None:
        """Remove the record of a file that was not published after all."""
        self._place(project, name).unlink(missing_ok=True)

    def _put(self, place: Path, content: bytes) -> bool:
        if disk.put_new(self._aside, place, content):
            return True
        if place.stat().st_size:
            return False
        disk.put(self._aside, place, content)
        return True

    def _place(self, project: str, name: str) -> Path:
        return self.folder / project / f"{name}.json"
