"""The policy for public projects (upstreams.json): which upstream answers for a project, and which of its files pass."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ..fact_store import strict

# Why something is refused, as the access log has it.
MINIMUM_AGE, UNKNOWN_AGE, DENIED, NOT_ALLOWED = "minimum-age", "unknown-age", "denied", "not-allowed"

_DIGEST = re.compile(r"[0-9a-f]{12}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")
_URL = re.compile(rf"https://({_HOST.pattern})/(?:[^\s?#]*/)?")
# Normalised; * stands for any letters.
_PATTERN = re.compile(r"[a-z0-9*]+(?:-[a-z0-9*]+)*")
_REQUIREMENT = re.compile(rf"(?P<name>{_PATTERN.pattern})\s*(?P<specifiers>[=<>!~].*)?")
_VERSION_LETTERS = 240


class PolicyError(ValueError):
    """The policy cannot be used. Says what is wrong with it."""


class Patterns:
    """Names of projects, and patterns of them, in which ``*`` alone is special.

    Args:
        texts: normalised names and patterns.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        self._compiled = [(text, _compiled(text)) for text in self.texts]

    def match(self, project: str) -> str:
        """Return the pattern that a project matches; empty where it matches none."""
        return next((text for text, pattern in self._compiled if pattern.fullmatch(project)), "")


class Requirement:
    """A name or pattern, perhaps with version specifiers.

    Args:
        text: it, as in the inventory.
    """

    def __init__(self, text: str) -> None:
        found = _REQUIREMENT.fullmatch(text)
        if not found:
            raise PolicyError(f"{text!r} is not a name, a pattern, or a name with version specifiers")
        self.text = text
        self._name = _compiled(found["name"])
        try:
            self.specifiers = SpecifierSet(found["specifiers"]) if found["specifiers"] else None
        except InvalidSpecifier as error:
            raise PolicyError(f"{text!r} has invalid version specifiers") from error

    def is_of(self, project: str) -> bool:
        """Tell whether it speaks of a project."""
        return bool(self._name.fullmatch(project))

    def is_met(self, version: str, in_doubt: bool) -> bool:
        """Tell whether it speaks of a version; ``in_doubt`` if that cannot be parsed."""
        if self.specifiers is None:
            return True
        parsed = parsed_version(version)
        return self.specifiers.contains(parsed, prereleases=True) if parsed else in_doubt


class Upstream(NamedTuple):
    """Another index.

    Attributes:
        url: where its simple pages are, with a slash at the end.
        names: of the projects that it answers for; empty for all.
        hosts: where its files may be.
        allows_unknown_age: whether a minimum age lets files through that have no upload time.
    """

    url: str
    names: Patterns
    hosts: frozenset[str]
    allows_unknown_age: bool


class Held(NamedTuple):
    """Why something is held back.

    Attributes:
        rule: which kind of rule does.
        reason: for people, with the remedy.
    """

    rule: str
    reason: str


class Judged(Protocol):
    """What a file is judged by: its version, and when it was uploaded, in seconds since 1970."""

    @property
    def version(self) -> str:
        """Return the version, as the file's name has it."""

    @property
    def uploaded(self) -> float | None:
        """Return when it was uploaded; None where upstream does not say."""


@dataclass(frozen=True)
class Policy:
    """A policy.

    Attributes:
        digest: by which NGINX names it.
        upstreams: in order.
        private: names that never go upstream.
        shadowed: names that upstream has, and that may be published here all the same.
        minimum_age: in seconds.
        denied: what is never let through.
        allowed: what is; without any pattern, all.
        exempt: what needs no minimum age.
        freshness: seconds for which a page may be served from the cache.
    """

    digest: str
    upstreams: tuple[Upstream, ...]
    private: Patterns
    shadowed: Patterns
    minimum_age: int
    denied: tuple[Requirement, ...]
    allowed: Patterns
    exempt: tuple[Requirement, ...]
    freshness: int

    @classmethod
    def of_text(cls, text: str) -> Policy:
        """Return the policy that a file holds.

        Raises:
            PolicyError: if it holds none.
        """
        try:
            return _policy(strict.parsed(text))
        except PolicyError:
            raise
        except ValueError as error:
            raise PolicyError(str(error)) from error

    def upstream_of(self, project: str) -> int | None:
        """Return the number of the upstream that answers for a project; None where none does.

        One with names comes before one for all others.
        """
        numbered = list(enumerate(self.upstreams))
        named = (number for number, upstream in numbered if upstream.names.match(project))
        others = (number for number, upstream in numbered if not upstream.names.texts)
        return next(named, next(others, None))

    def held(self, project: str) -> Held | None:
        """Return why a project as a whole is held back."""
        for entry in self.denied:
            if entry.specifiers is None and entry.is_of(project):
                return Held(DENIED, f"{project} is denied on this index. {_denied_by(entry)}")
        if self.allowed.texts and not self.allowed.match(project):
            remedy = f"To have it, ask the operator to add to pypi_upstream_allowed: {project}"
            return Held(NOT_ALLOWED, f"{project} is not among the public projects that this index allows. {remedy}")
        return None


class Judge:
    """What a policy makes of the files of one project, at one moment.

    Args:
        policy: it.
        project: whose files.
        number: of the upstream that they come from.
        now: the moment, in seconds since 1970.
    """

    def __init__(self, policy: Policy, project: str, number: int, now: float) -> None:
        self._project = project
        self._age = policy.minimum_age
        self._latest = now - policy.minimum_age
        self._allows_unknown = policy.upstreams[number].allows_unknown_age
        self._whole = policy.held(project)
        self._denied = [entry for entry in policy.denied if entry.is_of(project)]
        self._exempt = [entry for entry in policy.exempt if entry.is_of(project)]

    def held(self, file: Judged) -> Held | None:
        """Return why a file is held back; None where it passes."""
        if self._whole:
            return self._whole
        for entry in self._denied:
            if entry.is_met(file.version, in_doubt=True):
                return Held(DENIED, f"denied on this index. {_denied_by(entry)}")
        if not self._age or any(entry.is_met(file.version, in_doubt=False) for entry in self._exempt):
            return None
        if file.uploaded is None:
            if self._allows_unknown:
                return None
            return Held(UNKNOWN_AGE, f"its age is unknown: upstream has no upload time. {self._remedy(file)}")
        if file.uploaded <= self._latest:
            return None
        when = time_text(file.uploaded + self._age)
        return Held(MINIMUM_AGE, f"too young, available from {when}. {self._remedy(file)}")

    def _remedy(self, file: Judged) -> str:
        version = f"=={file.version}" if parsed_version(file.version) else ""
        return f"To have it now, ask the operator to add to pypi_upstream_exempt: {self._project}{version}"


def time_text(seconds: float) -> str:
    """Return a moment for people, to the minute at which it has certainly come."""
    minutes = min(math.ceil(seconds / 60), 4_223_371_679)
    return f"{datetime.fromtimestamp(minutes * 60, UTC):%Y-%m-%d %H:%M} UTC"


@lru_cache(maxsize=4096)
def parsed_version(text: str) -> Version | None:
    """Return a version; None for one that is none of PEP 440. In a file's name ``_`` may stand for ``-``."""
    if len(text) > _VERSION_LETTERS:
        return None
    for spelt in dict.fromkeys((text, text.replace("_", "-"))):
        try:
            return Version(spelt)
        except (InvalidVersion, ValueError):
            continue
    return None


def _denied_by(entry: Requirement) -> str:
    return f"Ask its operator if you need it (pypi_upstream_denied: {entry.text})."


def _compiled(text: str) -> re.Pattern[str]:
    if not _PATTERN.fullmatch(text):
        raise PolicyError(f"{text!r} is not a normalised name or pattern")
    return re.compile("[a-z0-9-]*".join(map(re.escape, text.split("*"))))


def _policy(found: Any) -> Policy:
    digest = strict.text(found, "digest")
    if not _DIGEST.fullmatch(digest):
        raise PolicyError("digest is not 12 hexadecimal digits")
    upstreams = strict.at(found, "upstreams")
    if not isinstance(upstreams, list) or not upstreams:
        raise PolicyError("upstreams is not a list with an entry")
    return Policy(
        digest=digest,
        upstreams=tuple(_upstream(one, f"upstreams[{number}]") for number, one in enumerate(upstreams)),
        private=_patterns(found, "private"),
        shadowed=_patterns(found, "shadowed"),
        minimum_age=strict.whole(found, "minimum_age"),
        denied=_requirements(found, "denied"),
        allowed=_patterns(found, "allowed"),
        exempt=_requirements(found, "exempt"),
        freshness=strict.whole(found, "freshness"),
    )


def _upstream(found: Any, where: str) -> Upstream:
    try:
        url, unknown = strict.text(found, "url"), strict.text(found, "no_upload_time")
        at = _URL.fullmatch(url)
        if not at:
            raise PolicyError("url is not an https address with a slash at its end, without login, query or fragment")
        if unknown not in ("refuse", "allow"):
            raise PolicyError("no_upload_time is neither refuse nor allow")
        hosts = _texts(found, "hosts")
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise PolicyError(f"hosts has {host!r}, which is not a host name")
        return Upstream(url, _patterns(found, "names"), frozenset((*hosts, at[1])), unknown == "allow")
    except ValueError as error:
        raise PolicyError(f"{where}: {error}") from error


def _texts(found: Any, key: str) -> Sequence[str]:
    values = strict.at(found, key)
    if not isinstance(values, list):
        raise PolicyError(f"{key} is not a list")
    return [strict.written(value, f"an entry of {key}") for value in values]


def _patterns(found: Any, key: str) -> Patterns:
    try:
        return Patterns(_texts(found, key))
    except PolicyError as error:
        raise PolicyError(f"{key}: {error}") from error


def _requirements(found: Any, key: str) -> tuple[Requirement, ...]:
    try:
        return tuple(map(Requirement, _texts(found, key)))
    except PolicyError as error:
        raise PolicyError(f"{key}: {error}") from error
