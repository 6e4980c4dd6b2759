"""Which releases rules let go: the entries of pypi_keep. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from packaging.version import InvalidVersion, Version

from ..files import names
from .variables import BadInputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(rf"([0-9]+)([{''.join(_UNITS)}])")
_KEYS = {"names", "kinds", "newest", "older_than"}


@dataclass(frozen=True)
class Release:
    """A release of a project.

    Attributes:
        version: in its normal form.
        time_ns: when the last of its files was published, in ns since 1970.
        yanked: whether all its files are.
    """

    version: str
    time_ns: int
    yanked: bool


@dataclass(frozen=True)
class Rule:
    """An entry of pypi_keep.

    Attributes:
        names: patterns of projects; the first entry that matches a project counts.
        kinds: which releases it may let go: dev, pre, local or all.
        newest: how many of each series stay.
        seconds: what was published since as long stays.
    """

    names: tuple[str, ...]
    kinds: frozenset[str]
    newest: int
    seconds: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Rule:
        """Return the rule that an entry is. The controller has judged it; another release of the collection may know more.

        Raises:
            BadInputError: if it is none.
        """
        if unknown := sorted({*found} - _KEYS):
            raise BadInputError(
                f"pypi_keep: {unknown[0]} is unknown to the index that runs; run wheelhouse.pypi.site first"
            )
        duration = _DURATION.fullmatch(str(found.get("older_than", "0s")))
        newest = int(found.get("newest", 0))
        if not duration or not (newest or int(duration[1])):
            raise BadInputError("pypi_keep: an entry has neither newest nor older_than, so nothing would stay")
        seconds = int(duration[1]) * _UNITS[duration[2]]
        return cls(tuple(found["names"]), frozenset(found["kinds"]), newest, seconds)

    def matches(self, project: str) -> bool:
        """Tell whether it is about a project."""
        return any(fnmatchcase(project, pattern) for pattern in self.names)

    def lets_go(self, releases: Iterable[Release], now_ns: int) -> list[Release]:
        """Return those of a project's releases that may go, the newest first."""
        own = [(version, one) for one in releases if (version := _parsed(one.version)) and self._is_meant(version)]
        kept: dict[tuple[int, ...], int] = {}
        found = []
        for version, one in sorted(own, key=lambda pair: pair[0], reverse=True):
            series = _series(version)
            if kept.get(series, 0) >= self.newest and one.time_ns <= now_ns - self.seconds * 10**9:
                found.append(one)
            elif not one.yanked:
                # A yanked one is none that is installed instead of what goes.
                kept[series] = kept.get(series, 0) + 1
        return found

    def _is_meant(self, version: Version) -> bool:
        kinds = {"all"}
        if version.is_devrelease:
            kinds.add("dev")
        elif version.is_prerelease:
            kinds.add("pre")
        if version.local:
            kinds.add("local")
        return bool(kinds & self.kinds)


def first(rules: Sequence[Rule], project: str) -> Rule | None:
    """Return the rule that counts for a project."""
    return next((rule for rule in rules if rule.matches(project)), None)


def check_patterns(rules: Iterable[Rule], projects: Collection[str]) -> None:
    """Raise BadInputError where a pattern matches no project: it may be a slip."""
    for rule in rules:
        for pattern in rule.names:
            if not any(fnmatchcase(project, pattern) for project in projects):
                raise BadInputError(f"pypi_keep: {pattern!r} matches no project of this index; correct or remove it")


def is_pinned(version: str, pins: Collection[str]) -> bool:
    """Tell whether a lock file means a release: pip takes a local version for its public one, too."""
    parsed = _parsed(version)
    return version in pins or (parsed is not None and names.normal_version(parsed.public) in pins)


def _series(version: Version) -> tuple[int, ...]:
    """Return what is the same for all releases of a series, as 1.4 is for 1.4.0.dev3 and 1.4.2."""
    return version.epoch, *(*version.release, 0)[:2]


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None
