# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases that lock files name: pip's requirements with pins, uv.lock, poetry.lock, pdm.lock, pylock.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# Of entries that name no release of an index, in lock files of uv, pdm and PEP 751: a folder, or a repository of sources.
_NO_RELEASE = frozenset({"virtual", "editable", "directory", "path", "git", "vcs"})


def pins(path: str) -> list[tuple[str, str]]:
    """Return name and version of each release that a lock file names.

    Raises:
        ValueError: if it cannot be read, or names none, or something that is no single release. Says so.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        found = list(_of_toml(tomllib.loads(text)) if path.endswith((".toml", ".lock")) else _of_requirements(text))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not found:
        raise ValueError(f"{path} names no release")
    return found


def by_name(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the versions that lock files name, by project; raises ValueError as ``pins`` does."""
    found: dict[str, list[str]] = {}
    for path in paths:
        for name, version in pins(path):
            found.setdefault(name, []).append(version)
    return found


def _of_toml(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    packages = document.get("packages", document.get("package"))
    if not isinstance(packages, list):
        raise ValueError("it has neither [[package]] nor [[packages]], as lock files have")
    for one in packages:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise ValueError("it has a package without a name")
        if "version" in one:
            yield one["name"], _version(str(one["version"]))
        elif not _NO_RELEASE & {*one, *dict(one.get("source", {}))}:
            raise ValueError(f"it has no version of {one['name']}")


def _of_requirements(text: str) -> Iterator[tuple[str, str]]:
    # As pip reads them: a line of comment alone ends what was continued.
    bare = "\n".join(re.sub(r"(^|\s+)#.*", "", line) for line in text.splitlines())
    for line in map(str.strip, bare.replace("\\\n", " ").splitlines()):
        if line and (not line.startswith("-") or re.match(r"-r|--requirement", line)):
            yield _pin(line)


def _pin(line: str) -> tuple[str, str]:
    # Sanity tests import modules without packaging.
    from packaging.requirements import Requirement

    try:
        requirement = Requirement(re.sub(r"(\s+--hash[= ]\S+)+$", "", line))
        ((operator, version),) = ((one.operator, one.version) for one in requirement.specifier)
        if operator in ("==", "==="):
            return requirement.name, _version(version)
    except ValueError:
        pass
    # Logins of URLs are not shown.
    shown = re.sub(r"://\S*@", "://…@", line)[:80]
    raise ValueError(f"{shown!r} is not NAME==VERSION")


def _version(text: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion as error:
        raise ValueError(f"{text!r} is not a version") from error
    return text
