# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(hosts) of a play is: see hosts_in.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleFilterError
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain

_OF_PATTERNS = frozenset(":,!&*?~[")
# These look at the playbook alone, often without an inventory.
_LISTINGS = ("syntax", "listtags", "listtasks", "listhosts")


def hosts_in(pattern: Any, groups: Mapping[str, Sequence[str]]) -> Any:
    """Return the pattern; fail where it is the name of a group that is missing or empty."""
    name, known = plain(pattern), plain(groups)
    if not isinstance(name, str) or _OF_PATTERNS & set(name) or any(context.CLIARGS.get(one) for one in _LISTINGS):
        return pattern
    if known.get(name) or name in known.get("all", ()) or name in C.LOCALHOST:
        return pattern
    others = sorted(set(known) - {"all", "ungrouped", name})
    there = (
        f"The inventory has the groups {', '.join(others)}."
        if others
        else "The inventory has no hosts: check --inventory."
    )
    raise AnsibleFilterError(
        f"There is no host to work on: the group {name} {'is empty' if name in known else 'is not in the inventory'}. {there} "
        f"Put hosts into {name}, or name another group: --extra-vars pypi_hosts=GROUP"
    )


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"hosts_in": hosts_in}
