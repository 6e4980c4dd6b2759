"""Names of distribution files: which are served, and what a name says of project, version and tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from string import digits
from typing import TypeVar

from packaging.utils import canonicalize_version
from packaging.version import Version

# The one list of what is served; NGINX's configuration is made from the same file.
SUFFIXES = tuple(Path(__file__).with_name("suffixes.txt").read_text(encoding="ascii").split())
WHEEL, EGG, SIGNATURE = ".whl", ".egg", ".asc"
# NAME-VERSION-variants.json: which variants of its wheels a release has. A draft (PEP 825) lists it beside them.
VARIANTS = "-variants.json"
# Of names; PEP 503.
_SEPARATORS = re.compile(r"[-_.]+")
# Whose names are certain: what separates the parts is in none of them.
_BUILT = (WHEEL, EGG, VARIANTS)
# What a file system takes, with room for what is put behind it.
NAME_BYTES = 240

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~-]*", re.ASCII)
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!~ -]*", re.ASCII)
# PEP 503's normal form of PEP 508's names.
_PROJECT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_BUILD_OR_PYTHON = re.compile(r"\d|[A-Za-z]+\d", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
# As clients read it: a number, and anything behind it.
_BUILD = re.compile(r"\d[^-]*", re.ASCII)
# Each may be a set; Python's is an implementation and a number.
_PYTHON, _OTHER = r"[A-Za-z]+\d\w*(?:\.[A-Za-z]+\d\w*)*", r"\w+(?:\.\w+)*"
_TAGS = re.compile(rf"{_PYTHON}-{_OTHER}-{_OTHER}", re.ASCII)
_LABEL = re.compile(r"[\w.]+", re.ASCII)
# With `-` for `.` or `_` in a tag, what is behind it looks like a variant's label: `py2-py3-none-any`, `linux-x86_64`.
_NO_ABI = re.compile(r"py\d\w*", re.ASCII)
_NO_PLATFORM = re.compile(
    r"none|win|abi\d+|(?:cp|py)\d\w*|(?:linux|manylinux|musllinux|macosx|android|ios)\d*(?:_\d+)*", re.ASCII
)
# Name, version, perhaps a build tag, three tags (PEP 427); a draft (PEP 825) puts a variant's label behind them.
_WHEEL_PARTS = range(5, 8)
T = TypeVar("T")


def _remembered(function: Callable[[str], T]) -> Callable[[str], T]:
    """Have a pure function remember what it has answered: the same names are asked about many times while a file is read."""
    cached = lru_cache(maxsize=4096)(function)

    @wraps(function)
    def asked(text: str) -> T:
        # Versions may be of any length, and so may what is kept.
        return cached(text) if len(text) <= NAME_BYTES else function(text)

    return asked


@dataclass(frozen=True)
class Release:
    """A project and a version of it.

    Attributes:
        name: the project, as it is spelt.
        version: as it is spelt.
    """

    name: str
    version: str

    @property
    def project(self) -> str:
        """The project's normalised name."""
        return normalised(self.name)

    def is_same(self, other: Release) -> bool:
        """Tell whether both are the same release, in whatever spelling."""
        return self.project == other.project and same_version(self.version, other.version)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def suffix(name: str) -> str:
    """Return the suffix of a distribution file's name; empty where it has none that is served."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    return ""


def is_served(name: str) -> bool:
    """Tell whether NGINX serves a distribution file, or a signature, of this name, and clients know what it is."""
    file = name.removesuffix(SIGNATURE)
    return bool(_FILE.fullmatch(name)) and len(name) <= NAME_BYTES and of_file(file) is not None


def is_misnamed(name: str) -> bool:
    """Tell whether a file's name ends as a distribution file's, or its signature's, and is none that is served."""
    return not name.startswith(".") and bool(suffix(name.removesuffix(SIGNATURE))) and not is_served(name)


def is_folder(name: str) -> bool:
    """Tell whether files in a folder of this name are served."""
    return bool(_FOLDER.fullmatch(name))


def is_project(name: str) -> bool:
    """Tell whether this is a project's name in its normal form."""
    return bool(_PROJECT.fullmatch(name))


@_remembered
def normalised(name: str) -> str:
    """Return a project's name in its normal form (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


@_remembered
def of_file(name: str) -> Release | None:
    """Return the release that a file's name alone speaks of; None where it speaks of none.

    What separates an old sdist's name from its version is not certain: what the file itself says is better (``claimed``).
    """
    kind = suffix(name)
    stem = name.removesuffix(kind)
    if not kind:
        return None
    parts = stem.split("-")
    if kind in _BUILT:
        enough = _is_wheel(parts) if kind == WHEEL else len(parts) == 2 if kind == VARIANTS else len(parts) > 1
        found = Release(parts[0], parts[1]) if enough and _is_version(parts[1]) else None
    else:
        found = _of_sdist(parts)
    return found if found and is_project(found.project) else None


def has_tags(name: str) -> bool:
    """Tell whether a wheel's name has tags that parse: of Python, ABI and platform, perhaps a build tag and a variant's label."""
    parts = name.removesuffix(WHEEL).split("-")[2:]
    if parts and _BUILD.fullmatch(parts[0]) and len(parts) > 3:
        parts = parts[1:]
    tags, label = parts[:3], parts[3:]
    if not _TAGS.fullmatch("-".join(tags)):
        return False
    return not label or (len(label) == 1 and bool(_LABEL.fullmatch(label[0])) and not _is_torn(tags))


@dataclass(frozen=True, slots=True)
class Build:
    """Which build of a wheel a file is.

    Attributes:
        wheel: the file's name without build tag: builds of one wheel have the same.
        order: number and what is behind it: of two, the higher is newer (PEP 427). No build tag is the lowest.
    """

    wheel: str
    order: tuple[int, str] = (-1, "")


def build(name: str) -> Build:
    """Return which build of a wheel a file is; what is no wheel has no builds."""
    parts = name.split("-")
    if not name.endswith(WHEEL) or len(parts) <= min(_WHEEL_PARTS) or not _BUILD.fullmatch(parts[2]):
        return Build(name)
    tag = parts.pop(2)
    number = tag[: len(tag) - len(tag.lstrip(digits))]
    return Build("-".join(parts), (int(number), tag.removeprefix(number)))


def _is_torn(tags: list[str]) -> bool:
    """Tell whether the tags before a label cannot be all: an ABI is the tag of a Python, or a platform half of one."""
    _python, abi, platform = (tag.lower().split(".") for tag in tags)
    return any(map(_NO_ABI.fullmatch, abi)) or any(map(_NO_PLATFORM.fullmatch, platform))


@_remembered
def is_standard_version(text: str) -> bool:
    """Tell whether this is a version of PEP 440, as it is written."""
    with suppress(ValueError):
        return len(text) <= NAME_BYTES and bool(Version(text))
    return False


def _is_wheel(parts: list[str]) -> bool:
    """Tell whether a wheel's name has its parts: behind the version a build tag, or the tag of a Python."""
    return len(parts) in _WHEEL_PARTS and bool(_BUILD_OR_PYTHON.match(parts[2]))


def _of_sdist(parts: list[str]) -> Release | None:
    """Split where what follows is a version; the earliest such place, as `1.0-1` is one, too."""
    for at in range(1, len(parts)):
        version = "-".join(parts[at:])
        if _parsed(version):
            return Release("-".join(parts[:at]), version)
    # Versions from before PEP 440. Few have one, and commands that list logs would wait for the import longer than for their own.
    from pypiserver.pkg_helpers import guess_pkgname_and_version

    name, version = guess_pkgname_and_version("-".join(parts) + ".zip") or ("", "")
    return Release(name, version) if name and version else None


def claimed(name: str, release: Release) -> bool:
    """Tell whether a file of this name may be one of a release: it begins with its project, and ends with its version."""
    kind = suffix(name)
    if max(len(release.name), len(release.version)) > NAME_BYTES:
        return False
    if kind in _BUILT:
        own = of_file(name)
        return own is not None and own.is_same(release)
    stem, length = name.removesuffix(kind), len(release.name)
    # As nearly all are written: a pattern of its own for each costs more than all the rest.
    if (
        stem[length : length + 1] == "-"
        and len(stem) > length + 1
        and is_project(release.project)
        and normalised(stem[:length]) == release.project
        and same_version(stem[length + 1 :], release.version)
    ):
        return True
    spelt = "[-_.]+".join(map(re.escape, _SEPARATORS.split(release.name)))
    match = re.fullmatch(rf"{spelt}-(?P<version>.+)", stem, re.IGNORECASE)
    return match is not None and same_version(match["version"], release.version)


def identity(name: str, release: Release) -> tuple[str, ...]:
    """Return what a file is, whatever its spelling: two files of the same identity are the same to clients.

    A wheel is known by its project, version, build tag and tags, an sdist by project and version, an egg by its name.
    """
    version = normal_version(release.version)
    kind = suffix(name)
    if kind == WHEEL:
        tags = (_normal_tag(tag) for tag in name.removesuffix(kind).lower().split("-")[2:])
        return (kind, release.project, version, *tags)
    if kind == EGG:
        return (kind, name.lower())
    if kind == VARIANTS:
        return (kind, release.project, version)
    return ("sdist", release.project, version)


def _normal_tag(tag: str) -> str:
    """Return a tag, or a set of them, or a build tag, so that equal ones read the same."""
    if tag[:1].isdigit():
        return tag.lstrip("0") or "0"
    return ".".join(sorted(set(tag.split("."))))


def same_version(one: str, other: str) -> bool:
    """Tell whether two versions are the same (PEP 440), in whatever spelling; wheels write `-` as `_`."""
    first, second = _parsed(one), _parsed(other)
    if first or second:
        return first == second
    return _before_pep_440(one) == _before_pep_440(other)


@_remembered
def normal_version(version: str) -> str:
    """Return a version so that equal ones read the same; one from before PEP 440 in lower case."""
    parsed = _parsed(version)
    return canonicalize_version(parsed) if parsed else _before_pep_440(version)


@_remembered
def shown_version(version: str) -> str:
    """Return a version as pages show it."""
    parsed = _parsed(version)
    return str(parsed) if parsed else version


def _is_version(text: str) -> bool:
    """Tell whether this may be a version, also one from before PEP 440."""
    return text[:1].isdigit() or _parsed(text) is not None


def _before_pep_440(version: str) -> str:
    return version.replace("_", "-").lower()


@_remembered
def _parsed(version: str) -> Version | None:
    if len(version) > NAME_BYTES:
        return None
    # A wheel's name has `_` for `-`.
    for spelt in dict.fromkeys((version, version.replace("_", "-"))):
        # A number of thousands of digits is another ValueError.
        with suppress(ValueError):
            return Version(spelt)
    return None
