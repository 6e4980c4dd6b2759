"""A store to measure with: as many small wheels as are asked for, the same ones each time."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.packages import wheel

from .hosts import WORK

PROJECTS, FILES = 2000, 6502
# The project whose page is measured has some files, as one that lives has.
MEASURED, MEASURED_FILES = "project-00000", 10
# A project that is not there.
MISSING = "project-none"
LARGE, LARGE_BYTES = "large", 50_000_000
# A wheel of usual size: the newest of each of the first projects.
KILO_PROJECTS, KILO_BYTES = 300, 20_000


@dataclass(frozen=True)
class Release:
    """One wheel.

    Attributes:
        project: its name.
        version: its version.
        padding: bytes beside its module.
    """

    project: str
    version: str
    padding: int = 0

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"


def releases(projects: int = PROJECTS, files: int = FILES) -> Iterator[Release]:
    """Return what is in a store: one large wheel, and the others spread over the projects.

    Args:
        projects: how many, the one with the large wheel among them.
        files: how many; at least three for each project, and some for the one that is measured.
    """
    yield Release(LARGE, "1.0", LARGE_BYTES)
    others = projects - 2
    each, more = divmod(files - 1 - MEASURED_FILES, others)
    for number in range(projects - 1):
        count = MEASURED_FILES if number == 0 else each + (number <= more)
        for version in range(count):
            newest = version == count - 1
            padding = KILO_BYTES if newest and number < KILO_PROJECTS else 0
            yield Release(f"project-{number:05d}", f"1.{version}", padding)


def kilos(count: int) -> list[Release]:
    """Return wheels of 20 kB, each of another project."""
    return [release for release in releases() if release.padding == KILO_BYTES][:count]


def build(projects: int = PROJECTS, files: int = FILES) -> Path:
    """Write a store's wheels into a folder, where they are not there yet, and return it."""
    return built(f"store-{files}", releases(projects, files))


def built(name: str, wanted: Iterable[Release]) -> Path:
    """Write wheels into a folder of this name, where it is not there yet, and return it."""
    folder = WORK / name
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for release in wanted:
            written(unfinished, release)
        unfinished.replace(folder)
    return folder


def written(folder: Path, release: Release) -> Path:
    """Write one wheel; its padding depends on its size alone, and cannot be compressed."""
    padding = random.Random(release.padding).randbytes(release.padding)
    return wheel(folder, release.project, release.version, padding)


def measured(folder: Path) -> set[str]:
    """Return the SHA-256 of the measured project's files."""
    return {digest(folder / one.file) for one in releases() if one.project == MEASURED}


def digest(file: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
