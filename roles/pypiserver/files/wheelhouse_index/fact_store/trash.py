"""Removed files: for a while they lie where nothing is served, and can come back. What is known of them stays where it is."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.times import nanoseconds, time_text
from ..files import names

log = logging.getLogger(__name__)
# Then a file that is to be removed is removed at once: it is on another mount, or the disk is so full that no folder can be made.
_NO_WAY = {errno.EXDEV, errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Trashed:
    """A file in the trash.

    Attributes:
        place: where it lies.
        project: its project's normalised name.
        path: where it was below packages/.
        removed: when it was removed, as text (``times``).
        size: in bytes.
    """

    place: Path
    project: str
    path: str
    removed: str
    size: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.place.name


class Trash:
    """The folder trash/ of the store of facts: <time of the removal>/<project>/<path below packages/>.

    Args:
        packages: where files are served.
        folder: where they are not. Both are of one mount.
    """

    def __init__(self, packages: Path, folder: Path) -> None:
        self._packages = packages
        self.folder = folder

    def take(self, project: str, paths: Iterable[str]) -> None:
        """Move files of a project here, given by their paths below packages/; those that are not there any more are none."""
        own = self.folder / time_text(time.time_ns()) / project
        for path in paths:
            source, target = self._packages / path, own / path
            if not _is_there(source):
                continue
            try:
                _move(source, target)
            except OSError as error:
                if error.errno in _NO_WAY:
                    log.warning("%s is removed for good, as it cannot be moved to the trash: %s", path, error)
                    source.unlink(missing_ok=True)
                elif _is_there(source):
                    raise

    def files(self) -> Iterator[Trashed]:
        """Yield what is here, the first removed first."""
        for removed in self._times():
            for place in sorted((self.folder / removed).rglob("*")):
                with suppress(FileNotFoundError):
                    if place.is_file() and not place.is_symlink():
                        project, *path = place.relative_to(self.folder / removed).parts
                        yield Trashed(place, project, "/".join(path), removed, place.stat().st_size)

    def give_back(self, file: Trashed) -> None:
        """Move a file back to where it was, where there must be none."""
        target = self._packages / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(file.place, target)
        self._tidy(file)

    def signature(self, file: Trashed) -> Trashed | None:
        """Return the signature of a file, if it was removed together with it."""
        place = file.place.with_name(file.name + names.SIGNATURE)
        if not place.is_file() or file.name.endswith(names.SIGNATURE):
            return None
        return replace(file, place=place, path=file.path + names.SIGNATURE, size=place.stat().st_size)

    def remove(self, file: Trashed) -> None:
        """Remove a file for good."""
        with suppress(FileNotFoundError):
            os.unlink(file.place)
        self._tidy(file)

    def empty(self, seconds: int) -> None:
        """Remove for good what was removed as long ago."""
        for removed in self._times():
            if nanoseconds(removed) <= time.time_ns() - seconds * 10**9:
                shutil.rmtree(self.folder / removed, ignore_errors=True)
                if os.path.lexists(self.folder / removed):
                    log.error("%s cannot be removed; that is tried again", self.folder / removed)

    def _times(self) -> list[str]:
        """Return the names of the folders here; not what a file system or a tool has put beside them."""
        found = []
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.folder)):
                with suppress(ValueError):
                    nanoseconds(name)
                    found.append(name)
        return found

    def _tidy(self, file: Trashed) -> None:
        """Remove the folders that a file has left empty."""
        for folder in file.place.parents:
            if folder == self.folder:
                return
            try:
                folder.rmdir()
            except OSError:
                return


def _is_there(path: Path) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _move(source: Path, target: Path) -> None:
    for is_last in (False, True):
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(source, target)
            return
        except FileNotFoundError:
            # Who tidies up may have removed the folder, as it was empty.
            if is_last:
                raise
