# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What prune.yml may remove: pypi_keep, and the lock files whose releases stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins, quotas
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import lasting
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, as_integer, instead, public

KEYS: Mapping[str, Mapping[str, Any]] = public()["pypi_keep"]["options"]
KINDS: tuple[str, ...] = tuple(KEYS["kinds"]["choices"])
_EXAMPLE = 'such as {names: ["nightly-*"], kinds: [dev], newest: 5}'
_OLDER_THAN = lasting("1s", "36500d")


def keep(value: Any) -> Complaints:
    """pypi_keep: each entry, and what never takes effect."""
    if not isinstance(value, (list, tuple)):
        yield "is not a list", f"give entries {_EXAMPLE}"
        return
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, Mapping):
            yield f"entry {number} is not a mapping", f"give entries {_EXAMPLE}"
            continue
        yield from ((f"entry {number} {what}", mend) for what, mend in _entry(entry))
    yield from quotas.unreached(value, "")


def files(value: Any) -> Complaints:
    """pypi_keep_files: files of the controller, which prune.yml alone reads."""
    for path in value if isinstance(value, (list, tuple)) else ():
        if not str(path).startswith("/"):
            yield f"{path!r} is not absolute", "give one that begins with /, such as {{ inventory_dir }}/../uv.lock"


def _entry(entry: Mapping[Any, Any]) -> Complaints:
    yield from logins.unknown_keys(entry, tuple(KEYS))
    names, kinds = entry.get("names"), entry.get("kinds")
    if not isinstance(names, (list, tuple)) or not names:
        yield "has no list of names", 'give names and patterns such as names: ["nightly-*"]; "*" is every project'
    else:
        yield from logins.patterns("names", names)
    if not isinstance(kinds, (list, tuple)) or not kinds:
        yield "has no list of kinds", f"give some of {', '.join(KINDS)}"
    else:
        yield from (
            (f"has the kind {kind!r}, which is none", instead(kind, KINDS)) for kind in kinds if kind not in KINDS
        )
    newest = as_integer(entry.get("newest", 0))
    if newest is None or not 0 <= newest <= 100_000:
        yield f"has {entry.get('newest')!r} as newest, which is no number of releases", "give one, such as newest: 5"
    if "older_than" in entry:
        yield from ((f"has older_than: {what}", mend) for what, mend in _OLDER_THAN(entry["older_than"]))
    elif not newest:
        yield "has neither newest nor older_than, so nothing would stay", "give one of them, or both"
