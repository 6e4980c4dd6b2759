"""What is known of a distribution file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from pypiserver.pkg_helpers import guess_pkgname_and_version, normalize_pkgname, parse_version

_BUILD_TAG = re.compile(r"-\d[^-]*$")
# How Python spells the bytes of a name that is not UTF-8.
_UNWRITABLE = re.compile("[\ud800-\udfff]")
# SQLite's whole numbers end here; times and inodes of some file systems do not.
_LARGEST = 2**63 - 1


def inode(number: int) -> int:
    """Return an inode's number as stamps have it."""
    return number & _LARGEST


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is known again without reading it: size in bytes, time of change in ns, inode."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp that ``stat`` tells."""
        return cls(status.st_size, max(min(status.st_mtime_ns, _LARGEST), -_LARGEST), inode(status.st_ino))


@dataclass(frozen=True)
class Facts:
    """What reading a file tells.

    Attributes:
        sha256: of the file, in hexadecimal digits.
        requires_python: its specifier of Python versions; empty where it has none.
        metadata_sha256: of its core metadata, where they are served beside it; else empty.
    """

    sha256: str
    requires_python: str = ""
    metadata_sha256: str = ""


@dataclass(frozen=True)
class Entry:
    """A distribution file of the store.

    Attributes:
        path: below packages/, with slashes.
        stamp: what ``stat`` said when it was last looked at.
        facts: what it holds; None while nobody has read it.
    """

    path: str
    stamp: Stamp
    facts: Facts | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    @property
    def guessed(self) -> tuple[str, str]:
        """Project and version as pypiserver reads them from the name."""
        return guess_pkgname_and_version(self.name) or ("", "")

    @property
    def project(self) -> str:
        """The project's normalized name (PEP 503)."""
        return normalize_pkgname(self.guessed[0])

    @property
    def version(self) -> str:
        """The release; without the build tag that pypiserver counts to a wheel's version."""
        version = self.guessed[1]
        return _BUILD_TAG.sub("", version) if self.name.endswith(".whl") else version

    @property
    def order(self) -> tuple[tuple[str, ...], str]:
        """Pypiserver's order of the files of a project: from old to new."""
        return parse_version(self.guessed[1]), self.path


def is_distribution(name: str) -> bool:
    """Tell whether a file's name is one that pypiserver lists."""
    return is_listed(name) and guess_pkgname_and_version(name) is not None


def is_listed(name: str) -> bool:
    """Tell whether a file or folder of this name is looked at: it is not hidden, and can be written into a page."""
    return not name.startswith(".") and not _UNWRITABLE.search(name)
