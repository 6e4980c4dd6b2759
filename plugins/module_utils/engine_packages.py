# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's packages: which version is there, which the source has, and what it takes to have the wanted one.

Pure functions on what apt and dnf write. Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, Mapping, Sequence

# Packages that hold an engine, and those of the same version that go with it where they are installed.
TOGETHER: dict[str, tuple[str, ...]] = {
    "docker-ce": ("docker-ce-cli", "docker-ce-rootless-extras"),
    "docker.io": ("docker-cli",),
    "moby-engine": ("docker-cli",),
    "docker": (),
}

_UPSTREAM = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")


class VersionError(Exception):
    """Something a person has to know, in words for that person."""


@dataclass
class Plan:
    """What it takes.

    Attributes:
        install: packages and their full versions, to be upgraded, downgraded or installed.
        before: the engine's version without its packaging, such as 26.1.4; empty where none is installed.
        after: what it is to be.
        left: packages that should go along, and of which the source has no such version.
    """

    install: dict[str, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    left: list[str] = field(default_factory=list)

    def is_patch(self) -> bool:
        """Whether only the third number changes, which is what live-restore is made for."""
        return self.before.split(".")[:2] == self.after.split(".")[:2]

    def verb(self) -> str:
        """Upgraded, downgraded or installed."""
        if not self.before:
            return "installed"
        return "upgraded" if numbers(self.before) < numbers(self.after) else "downgraded"


def upstream(version: str) -> str:
    """The engine's own version in that of a package: 26.1.5 in 5:26.1.5-1~debian.13~trixie and 26.1.5+dfsg1-9."""
    match = _UPSTREAM.match(version)
    return match[1] if match else version


def numbers(version: str) -> tuple[int, ...]:
    """For comparing."""
    return tuple(int(part) for part in upstream(version).split(".") if part.isdigit())


def fits(version: str, wanted: str) -> bool:
    """Whether a package's version is the wanted one, or begins with it: 28.5.2 with 28.5, 28.50 not."""
    return (upstream(version) + ".").startswith(wanted + ".")


def engine_of(*names: Iterable[str]) -> str:
    """The first package among these that holds an engine; empty where there is none."""
    return next((engine for some in names for engine in TOGETHER if engine in some), "")


def plan(
    installed: Mapping[str, str], available: Mapping[str, Sequence[str]], wanted: str, install: Sequence[str] = ()
) -> Plan:
    """What it takes to have the wanted version; an engine that fits is left as it is, whatever newer one there is.

    Args:
        installed: versions of the packages that are there.
        available: versions that the source has, of each package, newest first.
        wanted: such as 28.5.2 or 28.5.
        install: packages that are to be there.

    Raises:
        VersionError: the source has no such engine.
    """
    engine = engine_of(installed, install)
    group = [name for name in (engine, *TOGETHER.get(engine, ())) if name in installed or name in install]
    there = installed.get(engine, "")
    if there and fits(there, wanted):
        target = there
    else:
        choice = [version for version in available.get(engine, ()) if fits(version, wanted)]
        if not choice:
            raise VersionError(
                "pypi_docker_version: the source of %s has no version %s. It has %s"
                % (engine, wanted, _list(available.get(engine, ())))
            )
        target = max(choice, key=numbers)
    found = Plan(before=upstream(there) if there else "", after=upstream(target))
    for name in group:
        version = installed.get(name, "")
        if version and upstream(version) == upstream(target):
            continue
        same = [one for one in available.get(name, ()) if upstream(one) == upstream(target)]
        if not same:
            found.left.append(name)
        else:
            found.install[name] = target if target in same else same[0]
    return found


def _list(versions: Iterable[str]) -> str:
    """What there is, for a message."""
    seen = list(dict.fromkeys(upstream(version) for version in versions))
    return "%s. Name one of these" % ", ".join(seen) if seen else "none at all: is its repository set up on the host?"


# -- apt ---------------------------------------------------------------------------------------------------------------


def madison(text: str) -> dict[str, list[str]]:
    """Read `apt-cache madison`: versions of each package, newest first."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) == 3 and parts[2].endswith("Packages") and parts[1] not in found.setdefault(parts[0], []):
            found[parts[0]].append(parts[1])
    return found


# -- dnf ---------------------------------------------------------------------------------------------------------------

# dnf4 ends each line itself, dnf5 does not.
DNF_FORMAT = "%{name}|%{evr}\\n"


def repoquery(text: str) -> dict[str, list[str]]:
    """Read `dnf repoquery` in DNF_FORMAT: versions of each package, newest first."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, sign, version = line.strip().partition("|")
        if sign and version not in found.setdefault(name, []):
            found[name].append(version)
    return {name: sorted(versions, key=_rpm_order, reverse=True) for name, versions in found.items()}


def _rpm_order(version: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    epoch, _colon, rest = version.partition(":")
    release = tuple(int(part) for part in re.findall(r"\d+", rest.partition("-")[2]))
    return (int(epoch) if epoch.isdigit() else 0, *numbers(rest)), release


def locked(text: str, installed: Mapping[str, str]) -> set[str]:
    """Names of packages that are locked at the version that is there, and at no other.

    Args:
        text: of dnf4's versionlock.list (name-epoch:version-release.arch) or dnf5's versionlock.toml.
        installed: versions of packages, with an epoch where they have one.
    """
    found: dict[str, set[str]] = {}
    if "[[packages]]" in text:
        for block in text.split("[[packages]]")[1:]:
            name = re.search(r'^\s*name\s*=\s*"([^"]+)"', block, re.MULTILINE)
            values = re.findall(r'^\s*value\s*=\s*"([^"]+)"', block, re.MULTILINE)
            if name:
                found.setdefault(name[1], set()).update(_with_epoch(value) for value in values)
    else:
        for line in text.splitlines():
            match = re.match(
                r"(?P<name>[^#!\s]\S*?)-(?:(?P<epoch>\d+):)?(?P<version>[^-\s]+-[^-\s]+)\.[^.\s]+$", line.strip()
            )
            if match:
                found.setdefault(match["name"], set()).add("%s:%s" % (match["epoch"] or "0", match["version"]))
    return {name for name, versions in found.items() if versions == {_with_epoch(installed.get(name, ""))}}


def lock_names(text: str) -> set[str]:
    """Names of packages that are locked at any version."""
    if "[[packages]]" in text:
        return set(re.findall(r'^\s*name\s*=\s*"([^"]+)"', text, re.MULTILINE))
    matches = (re.match(r"([^#!\s]\S*?)-(?:\d+:)?\d[^-\s]*-[^-\s]+$", line.strip()) for line in text.splitlines())
    return {match[1] for match in matches if match}


def _with_epoch(version: str) -> str:
    return version if ":" in version else "0:" + version
