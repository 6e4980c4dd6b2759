"""Records: what is known of a file that was ever published, and that its bytes do not tell.

A record is made before the file gets its name, never changes, and stays when the file is removed.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..common import disk
from ..common.times import time_text
from ..files import names
from . import strict

log = logging.getLogger(__name__)
UPLOAD, IMPORT, COPIED = "upload", "import", "copied"
SUFFIX = ".json"
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
        found = strict.parsed(text)
        uploaded_ns, source, login = strict.moment(found), strict.text(found, "source"), strict.text(found, "login")
        return cls(strict.sha256(found), strict.whole(found, "size"), uploaded_ns, source, login)


def read_fact(place: str, of_text: Callable[[str], T]) -> T | None:
    """Return what a file of the store of facts holds; None where there is none.

    Args:
        place: the file.
        of_text: makes a fact of its text; raises ValueError if it is none.

    Raises:
        FactsError: if it cannot be read.
    """
    try:
        text = disk.read(place).decode()
        # Empty: the power failed before it was synced, so nothing was published by this name. What was published before is
        # made again from the catalogue.
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
        for other in sorted(filter(names.is_project, others)):
            try:
                disk.check_folder(f"{self.folder}/{other}")
            except NotADirectoryError as error:
                # It stops its own project, and none of those whose names begin as it does.
                log.error("%s/%s cannot be used: %s", self.folder, other, error)
                continue
            if record := self.at(other, name):
                return record
        return None

    def names(self, project: str) -> set[str]:
        """Return the names of the files of a project that have records."""
        return {name.removesuffix(SUFFIX) for name in self.listed(project) if name.endswith(SUFFIX)}

    def folders(self) -> dict[str, tuple[int, int]]:
        """Return the projects that have records, each with what is another where names in its folder have changed."""
        found: dict[str, tuple[int, int]] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if names.is_project(entry.name):
                        status = entry.stat(follow_symlinks=False)
                        found[entry.name] = status.st_ino, status.st_ctime_ns
        return found

    def has(self, project: str, name: str) -> bool:
        """Tell whether a file has a record that says something, or may: who asks for it learns whether it can be read."""
        try:
            disk.check_folder(f"{self.folder}/{project}")
            return os.lstat(self._place(project, name)).st_size > 0
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def listed(self, project: str) -> dict[str, int]:
        """Return the names of the facts on files of a project, each with its inode.

        Raises:
            FactsError: if they cannot be looked at.
        """
        try:
            disk.check_folder(f"{self.folder}/{project}")
            with os.scandir(f"{self.folder}/{project}") as found:
                return {entry.name: entry.inode() for entry in found}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise FactsError(f"{self.folder}/{project} cannot be used: {error}") from error

    def make(
        self, project: str, records: Mapping[str, Record], made: dict[str, int], aside: disk.Aside | None = None
    ) -> list[str]:
        """Make records, by the names of the files; a name that has one keeps it.

        Args:
            project: of the files.
            records: what is known of them.
            made: gets the inodes of those that were made, also where a later one fails.
            aside: has each synced at once, but for its name: for few of them, where each call takes long.

        Returns:
            What has to be synced before they count.

        Raises:
            FactsError: if their folder is none.
        """
        folder = f"{self.folder}/{project}"
        folders = [folder]
        with ExitStack() as stack:
            own = self._opened(folder, stack)
            if own is None:
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o700)
                    folders.append(str(self.folder))
                own = stack.enter_context(disk.opened(folder))
            for name, record in records.items():
                if inode := self._put(f"{own}/{name}{SUFFIX}", record.text().encode(), aside):
                    made[name] = inode
            if aside:
                # Open until it is synced.
                folders[0] = own
                aside.left.push(stack.pop_all())
        unsynced = [] if aside else [self._place(project, name) for name in made]
        return [*unsynced, *folders] if made or folders[1:] else []

    def replace(self, project: str, name: str, record: Record) -> None:
        """Put a record in another's place: only where files may be replaced."""
        disk.put(self._aside, self._place(project, name), record.text().encode())

    def take_back(self, project: str, name: str) -> None:
        """Remove the record of a file that was not published after all."""
        with suppress(FileNotFoundError):
            os.unlink(self._place(project, name))

    def look(self) -> Look:
        """Return a look at what is there now."""
        return Look(self)

    def _opened(self, folder: str, stack: ExitStack) -> str | None:
        """Open the folder of a project, as ``disk.opened`` does; return None where there is none."""
        try:
            return stack.enter_context(disk.opened(folder))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FactsError(f"{folder} cannot be used: {error}") from error

    def _put(self, place: str, content: bytes, aside: disk.Aside | None) -> int:
        """Make a file; return its inode, or 0 where there is one already that says something."""
        while True:
            if inode := disk.put_new(self._aside, place, content, aside=aside):
                return inode
            # Another node may have taken its own back meanwhile.
            with suppress(FileNotFoundError):
                if os.lstat(place).st_size:
                    return 0
                disk.put(self._aside, place, content)
                return os.lstat(place).st_ino

    def _place(self, project: str, name: str) -> str:
        return f"{self.folder}/{project}/{name}{SUFFIX}"


class Look:
    """What there is on the files of some projects at a moment: each of their folders is listed once, and each record read once.

    Args:
        records: all of them.
        read: records that were read before, by project and name, each with the inode of its file.
    """

    def __init__(self, records: Records, read: dict[tuple[str, str], tuple[int, Record | None]] | None = None) -> None:
        self._records = records
        self._read = {} if read is None else read
        self._listed: dict[str, dict[str, int]] = {}

    def again(self) -> Look:
        """Return a look at what is there now. A record never changes: one whose inode is as it was is not read again."""
        return Look(self._records, self._read)

    def has(self, project: str, fact: str) -> bool:
        """Tell whether there is, or may be, a fact on a file of a project, given by its own name.

        Where that cannot be found out, who asks for the fact itself learns why; the files of other projects go on.
        """
        try:
            return fact in self._of(project)
        except FactsError:
            return True

    def at(self, project: str, name: str) -> Record | None:
        """Return the record of a file, as ``Records.at`` does."""
        inode = self._of(project).get(name + SUFFIX)
        if inode is None:
            return None
        before = self._read.get((project, name))
        if not before or before[0] != inode:
            before = self._read[project, name] = inode, self._records.at(project, name)
        return before[1]

    def has_read(self, project: str, name: str) -> bool:
        """Tell whether this look has read, or made, the record of a file."""
        return (project, name) in self._read

    def make(self, project: str, records: Mapping[str, Record], aside: disk.Aside | None = None) -> list[str]:
        """Make records, as ``Records.make`` does; those that others have made meanwhile are found by another look."""
        made: dict[str, int] = {}
        try:
            return self._records.make(project, records, made, aside)
        finally:
            for name, inode in made.items():
                # What nothing has asked for is not listed for this.
                if project in self._listed:
                    self._listed[project][name + SUFFIX] = inode
                self._read[project, name] = inode, records[name]

    def _of(self, project: str) -> dict[str, int]:
        if project not in self._listed:
            self._listed[project] = self._records.listed(project)
        return self._listed[project]
