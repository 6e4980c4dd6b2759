# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much the index and its projects may hold: pypi_quotas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, public

KEYS: Mapping[str, Mapping[str, Any]] = public()["pypi_quotas"]["options"]
PROJECT_KEYS = tuple(KEYS["projects"]["options"])
# As pypi-server reads it. A number alone would be bytes, which is hardly meant.
_SIZE = re.compile(r"([1-9][0-9]{0,14})([kmgt])\Z", re.IGNORECASE)
_UNITS = "kmgt"
_RESERVE_MEND = (
    "give a number with k, m, g or t behind it, such as 1g, or a share of the disk such as 5%; 0 keeps nothing free"
)
_MEND = "give a number with k, m, g or t behind it, such as 20g; without a quota there is no limit"


def quotas(value: Any) -> Complaints:
    """pypi_quotas: each size and pattern, what never takes effect, and what contradicts the rest."""
    if not isinstance(value, Mapping):
        yield "is not a mapping", "give index, projects or both, or {} for no quota"
        return
    yield from logins.unknown_keys(value, tuple(KEYS))
    index = value.get("index")
    if "index" in value and _bytes(index) is None:
        yield f"index: {index!r} is not a size", _MEND
    entries = value.get("projects")
    if entries is not None and not isinstance(entries, (list, tuple)):
        yield "projects is not a list", 'give entries such as {names: ["nightly-*"], size: 20g}'
        return
    for number, entry in enumerate(entries or (), 1):
        called = f"entry {number} of projects"
        if not isinstance(entry, Mapping):
            yield f"{called} is not a mapping", 'give names and size, such as {names: ["nightly-*"], size: 20g}'
            continue
        yield from ((f"{called} {what}", mend) for what, mend in _entry(entry, index))
    yield from unreached(entries or (), "projects ")


def _entry(entry: Mapping[Any, Any], index: Any) -> Complaints:
    """Problems of one entry, beside the quota of the index."""
    yield from logins.unknown_keys(entry, PROJECT_KEYS)
    names, size = entry.get("names"), entry.get("size")
    if not isinstance(names, (list, tuple)) or not names:
        yield "has no list of names", 'give names and patterns such as names: ["nightly-*"]; "*" is every project'
    else:
        yield from logins.patterns("names", names)
    own, most = _bytes(size), _bytes(index)
    if size is None:
        yield "has no size", _MEND
    elif own is None:
        yield f"has the size {size!r}, which is none", _MEND
    elif most is not None and own > most:
        yield (
            f"has the size {size}, more than that of index, {index}, so it never takes effect",
            "give a smaller one, or raise that of index",
        )


def reserve(value: Any) -> Complaints:
    """pypi_disk_reserve: a size, or a share of the disk."""
    text = str(value)
    if text != "0" and _bytes(text) is None and not re.fullmatch(r"[1-9][0-9]?%", text):
        yield f"{value!r} is neither a size nor a share", _RESERVE_MEND


def reserved(value: Any, size: int) -> int:
    """Return how many bytes a valid pypi_disk_reserve keeps free of a disk of a size."""
    text = str(value)
    return size * int(text[:-1]) // 100 if text.endswith("%") else _bytes(text) or 0


def unreached(entries: Any, where: str) -> Iterator[tuple[str, str]]:
    """Patterns of entries, and where these are, that match nothing but what one before them matches: the first one counts."""
    before: list[str] = []
    for entry in entries:
        names = entry.get("names") if isinstance(entry, Mapping) else None
        for pattern in names if isinstance(names, (list, tuple)) else ():
            if not isinstance(pattern, str):
                continue
            if pattern in before:
                yield f"{where}has {pattern!r} twice, and the first one counts", "remove one"
            elif wider := next((one for one in before if fnmatchcase(pattern, one)), None):
                yield (
                    f"{where}has {pattern!r} behind {wider!r}, which matches the same projects, and the first one counts",
                    f"put {pattern!r} before it",
                )
            before.append(pattern)


def _bytes(size: Any) -> int | None:
    """Return a size in bytes; None for what is none."""
    match = _SIZE.match(size) if isinstance(size, str) else None
    return int(match[1]) * 1024 ** (_UNITS.index(match[2].lower()) + 1) if match else None
