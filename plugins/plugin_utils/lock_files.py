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

# A requirement for one version, perhaps with extras, and hashes or a marker behind it.
_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*(?P<version>[^\s;,*]+)(?:\s*;.*|\s+--hash.*)?\s*"
)


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
        # What is built from a folder may have no version.
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("version"), str):
            yield one["name"], one["version"]


def _of_requirements(text: str) -> Iterator[tuple[str, str]]:
    lines = re.sub(r"\\\n", " ", re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE)).splitlines()
    for line in map(str.strip, lines):
        if not line or (line.startswith("-") and not re.match(r"-r|--requirement", line)):
            continue
        match = _PIN.fullmatch(line)
        if not match:
            raise ValueError(f"{line[:80]!r} is not NAME==VERSION")
        yield match["name"], match["version"]
