"""What is known of a distribution file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property, lru_cache

from . import names
from .names import Build, Release

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
        release: whose it is, by its metadata or, for an upload without any, by the form.
        requires_python: its specifier of Python versions; empty where it has none.
        metadata_sha256: of its core metadata, where they are served beside it; else empty.
    """

    sha256: str
    release: Release
    requires_python: str = ""
    metadata_sha256: str = ""


@dataclass(frozen=True)
class Entry:
    """A distribution file of the store.

    Attributes:
        path: below packages/, with slashes.
        stamp: what ``stat`` said when it was last looked at.
        facts: what it holds; None while it has not been read.
        unreadable: whether reading it was tried, and failed, or it is not what was published by its name.
        uploaded_ns: when it was published, in ns since 1970; None where only the file's own time tells.
        recorded: whether the store of facts has it.
        refused: the digest of a file that was read and is on no page, until its stamp is another; empty for others.
        attested: whether its provenance is served beside it.
    """

    path: str
    stamp: Stamp
    facts: Facts | None = None
    unreadable: bool = False
    uploaded_ns: int | None = None
    recorded: bool = False
    refused: str = ""
    attested: bool = False

    @cached_property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    @property
    def is_signature(self) -> bool:
        """Whether it is the signature of the file beside it."""
        return self.name.endswith(names.SIGNATURE)

    @property
    def release(self) -> Release:
        """Project and version: what the file says, or what its name says until it has been read."""
        return self.facts.release if self.facts else guessed(self.name)

    @property
    def project(self) -> str:
        """The project's normalised name (PEP 503)."""
        return self.release.project

    @property
    def time_ns(self) -> int:
        """When it was published, in ns since 1970."""
        return self.stamp.mtime_ns if self.uploaded_ns is None else self.uploaded_ns

    @cached_property
    def version(self) -> str:
        """The release, as pages show it."""
        return names.shown_version(self.release.version)

    @cached_property
    def build(self) -> Build:
        """Which build of a wheel it is."""
        return names.build(self.name)

    @cached_property
    def order(self) -> tuple[tuple[str, ...], str, str]:
        """Pypiserver's order of the files of a project, from old to new; builds of one wheel are equal."""
        return _version_order(self.version), self.path.removesuffix(self.name), self.build.wheel


# A page has the same versions again and again.
@lru_cache(maxsize=4096)
def _version_order(version: str) -> tuple[str, ...]:
    # Commands that order nothing would wait for the import longer than for much of what they do.
    from pypiserver.pkg_helpers import parse_version

    return parse_version(version)


def guessed(name: str) -> Release:
    """Return the release that the name of a distribution file, or of its signature, speaks of."""
    return names.of_file(name.removesuffix(names.SIGNATURE)) or Release("", "")
