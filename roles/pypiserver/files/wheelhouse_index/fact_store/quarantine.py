"""The files of quarantined projects: they lie where nothing is served, and come back to where they were."""

from __future__ import annotations

import errno
import filecmp
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..common import disk
from ..files import incoming, names
from .records import FactsError

# Second copies, which do not come back.
_OTHERS = ".others"
_ANOTHER_MOUNT = "packages/.wheelhouse/quarantine/ is on another mount than the file"
log = logging.getLogger(__name__)


class StayedError(Exception):
    """Files of quarantined projects are still where they are served. Names them."""


class Quarantine:
    """The folder quarantine/ of the store of facts, with a folder per project.

    Args:
        packages: where files are served.
        folder: where they are not. Both are of one mount.
    """

    def __init__(self, packages: Path, folder: Path) -> None:
        self._packages = packages
        self.folder = folder
        # Why files could not be moved back: it is said once.
        self._stay: dict[Path, str] = {}

    def projects(self) -> list[str]:
        """Return the projects that have files here."""
        with suppress(FileNotFoundError):
            # Not second copies, nor what a file system or a tool has put here.
            return [name for name in os.listdir(self.folder) if names.is_project(name) and self.has(name)]
        return []

    def has(self, project: str) -> bool:
        """Tell whether a project has files here, or may."""
        place = self.folder / project
        return place.is_dir() or place.is_symlink()

    def check(self, project: str) -> None:
        """Raise FactsError where the folder of a project is none, or a link."""
        try:
            disk.check_folder(self.folder / project)
        except OSError as error:
            raise FactsError(f"{self.folder / project} cannot be used: {error}") from error

    def take(self, project: str, paths: Iterable[str]) -> dict[str, str]:
        """Move files of a project here, given by their paths below packages/.

        Returns:
            Those that stay where they are, each with the reason.

        Raises:
            FactsError: as ``check``.
        """
        self.check(project)
        stayed = {}
        for path in paths:
            try:
                self._move(project, path)
            except OSError as error:
                if os.path.lexists(self._packages / path):
                    log.error("%s of the quarantined project %s is still served: %s", path, project, error)
                    stayed[path] = _ANOTHER_MOUNT if error.errno == errno.EXDEV else error.strerror or str(error)
        return stayed

    def give_back(self, project: str) -> list[str]:
        """Move the files of a project back; return the paths of those that are back. Raises FactsError as ``check``."""
        self.check(project)
        folder = self.folder / project
        back = []
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            path = file.relative_to(folder)
            target = self._packages / path
            try:
                if os.path.lexists(target) and not _is_same(file, target):
                    raise FileExistsError("there is another file in its place")
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(file, target)
                # Two names of one file stay as they are.
                file.unlink(missing_ok=True)
            except OSError as error:
                if self._stay.get(file) != str(error):
                    log.error("%s stays in %s: %s", path, folder, error)
                    self._stay[file] = str(error)
            else:
                self._stay.pop(file, None)
                back.append(str(path))
        for emptied in (*sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True), folder):
            with suppress(OSError):
                emptied.rmdir()
        return back

    def _move(self, project: str, path: str) -> None:
        """Move a file to its own place; where there is one, it is removed if it is the same, else it is a second copy."""
        source, target = self._packages / path, self.folder / project / path
        if os.path.lexists(target):
            if _is_same(source, target):
                source.unlink()
                return
            # One of each content: a copy that comes again takes no further room.
            target = self.folder / _OTHERS / project / _digest(source) / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.rename(source, target)


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether both are files, and of the same content."""
    # What it remembers goes by size and time: those a copy may share with a file of other content.
    filecmp.clear_cache()
    return not (one.is_symlink() or other.is_symlink()) and filecmp.cmp(one, other, shallow=False)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return incoming.sha256(file)
