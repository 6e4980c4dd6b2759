"""Claims: an empty file per name that is private. It is made before the first file of the name appears, and never removed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Claims:
    """The folder names/ of the store of facts.

    Args:
        folder: it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, projects: Iterable[str]) -> list[Path]:
        """Claim projects, given by their normalised names.

        Returns:
            What has to be synced before the claims count.
        """
        new = [project for project in projects if not self.has(project)]
        for project in new:
            os.close(os.open(f"{self.folder}/{project}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return [self.folder] if new else []

    def names(self) -> set[str]:
        """Return the projects that are claimed."""
        return set(os.listdir(self.folder))

    def has(self, project: str) -> bool:
        """Tell whether a project is claimed."""
        return os.path.exists(f"{self.folder}/{project}")
