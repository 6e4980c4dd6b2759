"""Claims: an empty file per name that is private.

It is made before the first file of the name appears, and removed only where the name is given back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from ..common import disk
from .records import FactsError


class Claims:
    """The folder names/ of the store of facts.

    Args:
        folder: it.
        withdraw: has nothing of projects served as public any more, once they are claimed.
    """

    def __init__(self, folder: Path, withdraw: Callable[[Collection[str]], None] = lambda _projects: None) -> None:
        self.folder = folder
        self._withdraw = withdraw

    def make(self, projects: Iterable[str]) -> list[Path]:
        """Claim projects, given by their normalised names.

        Returns:
            What has to be synced before the claims count.

        Raises:
            FactsError: as ``has``.
        """
        projects = list(projects)
        new = [project for project in projects if not self.has(project)]
        for project in new:
            # Another process may have made it meanwhile.
            with suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(f"{self.folder}/{project}", flags, 0o600))
        # Also of those that had one: who made it may have been killed before this.
        self._withdraw(projects)
        return [self.folder] if new else []

    def give_back(self, project: str) -> None:
        """Remove the claim of a project of which nothing else is known any more: its name is free."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/{project}")
        disk.sync([self.folder])

    def names(self) -> set[str]:
        """Return the projects that are claimed."""
        return set(os.listdir(self.folder))

    def has(self, project: str) -> bool:
        """Tell whether a project is claimed.

        Raises:
            FactsError: if something else than a file is in the claim's place.
        """
        place = f"{self.folder}/{project}"
        try:
            is_file = stat.S_ISREG(os.lstat(place).st_mode)
        except FileNotFoundError:
            return False
        if not is_file:
            raise FactsError(f"{place} is a link or no file: remove it, and the claim is made again.")
        return True
