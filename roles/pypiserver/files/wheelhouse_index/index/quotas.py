"""How much the index, and each of its projects, may hold.

Where an upload is published decides, within the lock of the index. What cannot be published for certain is refused before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..common.answers import Refusal
from ..files import names
from ..files.incoming import Upload
from ..files.names import Release
from .comparing import same_named
from .known import Known

# As in NGINX and Docker, these are of 1,024.
_SIZE = re.compile(r"([0-9]+)([kmgt]?)", re.IGNORECASE | re.ASCII)
_UNITS = ("", "k", "m", "g", "t")
_SHOWN = ("bytes", "KiB", "MiB", "GiB", "TiB")
_NAMED = 80


@dataclass(frozen=True)
class Quota:
    """A quota that an upload has to fit into.

    Attributes:
        of: what it is a quota of, for people.
        size: in bytes.
        used: of these.
    """

    of: str
    size: int
    used: int

    def check(self, growth: int, name: str) -> None:
        """Refuse a file, by its name, that would add so many bytes."""
        if growth > 0 and self.used + growth > self.size:
            raise Refusal(
                507,
                f"{name[:_NAMED]} does not fit into the quota of {self.of}: {shown(self.used)} of {shown(self.size)} are used."
                " Nothing was stored. Remove files that are not needed, or ask the operator of this index to raise"
                " pypi_quotas.",
            )


@dataclass(frozen=True)
class Quotas:
    """The quotas that are set.

    Attributes:
        index: of all files together, in bytes; None without one.
        projects: a pattern of projects' normalised names, and how many bytes each of them may have; the first match counts.
    """

    index: int | None = None
    projects: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of_text(cls, text: str) -> Quotas:
        """Return what is set by words such as 500g, for the index, and nightly-*:20g.

        Raises:
            ValueError: if one has no size.
        """
        words = [word.rpartition(":") for word in text.split()]
        index = [in_bytes(size) for pattern, _colon, size in words if not pattern]
        return cls(
            min(index, default=None), tuple((pattern, in_bytes(size)) for pattern, _colon, size in words if pattern)
        )

    def __bool__(self) -> bool:
        """Tell whether any is set."""
        return self.index is not None or bool(self.projects)

    def of(self, known: Known, project: str) -> Sequence[Quota]:
        """Return those that an upload to a project has to fit into, where sizes are summed up."""
        return list(self._of(known, project)) if self and known.has_sizes() else []

    def check(self, known: Known, uploads: Sequence[Upload], replaced: Collection[str]) -> None:
        """Refuse uploads to a project that do not fit.

        Args:
            known: what is there, with sizes summed up.
            uploads: those that are new, or other than what is there by their names.
            replaced: the paths of other files that they replace.
        """
        paths = {*replaced, *(upload.name for upload in uploads)}
        freed = sum(entry.stamp.size for path in paths if (entry := known.at(path)))
        growth = sum(upload.size for upload in uploads) - freed
        for quota in self.of(known, uploads[0].facts.release.project):
            quota.check(growth, uploads[0].name)

    def _of(self, known: Known, project: str) -> Iterator[Quota]:
        for pattern, size in self.projects:
            if fnmatchcase(project, pattern):
                own = "" if pattern == project else f" ({pattern})"
                yield Quota(f"the project {project[:_NAMED]}{own}", size, known.size(project))
                break
        if self.index is not None:
            yield Quota("this index", self.index, known.size())


NONE = Quotas()


def is_new(known: Known, name: str, release: Release) -> bool:
    """Tell whether it is certain that an upload of this name adds a file, and replaces none."""
    if not names.is_served(name) or not names.claimed(name.removesuffix(names.SIGNATURE), release):
        return False
    return not same_named(known, name, release) and not known.named(name + names.SIGNATURE)


def shown(size: int) -> str:
    """Return a size for people: 19.9 GiB."""
    number, unit = float(size), _SHOWN[0]
    for unit in _SHOWN:
        if number < 1024 or unit == _SHOWN[-1]:
            break
        number /= 1024
    # Not rounded up: what is not full does not read as full.
    return f"{int(number * 10) / 10:g} {unit}"


def in_bytes(text: str) -> int:
    """Return a size such as 20g; raises ValueError if it is none."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a size")
    return int(match[1]) * 1024 ** _UNITS.index(match[2].lower())
