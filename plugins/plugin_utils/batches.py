# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout in batches: how many hosts are in one, which wait, and what is said when it stops."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

ALL = "100%"
# More names than these make no message that is read.
_NAMES = 20


def sizes(value: Any) -> list[int | str]:
    """Return sizes of batches as Ansible's keyword ``serial`` wants them: numbers of hosts, and shares such as 25%.

    Args:
        value: of pypi_serial: a size, or a list of them for the first, the second and so on.

    Raises:
        ValueError: with the size that Ansible would crash on, or take for "all at once".
    """
    given = list(value) if isinstance(value, (list, tuple)) else [value]
    if not given:
        raise ValueError(value)
    return [_size(one) for one in given]


def _size(value: Any) -> int | str:
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(value, int) and value > 0:
        return int(value)
    text = str(value).strip()
    if re.fullmatch(r"[0-9]+", text) and int(text) > 0:
        return int(text)
    if re.fullmatch(r"[0-9]+%", text) and 0 < int(text[:-1]) <= 100:
        return text
    raise ValueError(value)


def largest(value: Any, hosts: int) -> int:
    """Return how many hosts the largest batch may have.

    Args:
        value: of pypi_serial, a good one.
        hosts: how many there are in all.
    """
    return max(max(1, hosts * int(one[:-1]) // 100) if isinstance(one, str) else one for one in sizes(value))


def waiting(every: Sequence[str], batch: Collection[str]) -> list[str]:
    """Return the hosts whose turn comes after a batch: batches follow the order of the play's hosts.

    Args:
        every: the hosts of the play, in its order.
        batch: those whose turn it is.
    """
    last = max((number for number, host in enumerate(every) if host in batch), default=len(every))
    return list(every[last + 1 :])


def beginning(batch: Sequence[str], later: Sequence[str]) -> str:
    """Name the hosts of the batch, and what to do if none of them can report, as when the whole batch is unreachable."""
    if not later:
        return f"This batch, the last: {names(batch)}."
    return (
        f"This batch: {names(batch)}. After it: {names(later)}. If a host fails, the others of its batch are finished, "
        f"and those after it are left as they are; {go_on([*batch, *later])} goes on."
    )


def stopped(failed: Sequence[str], later: Sequence[str]) -> str:
    """Say why no further batch is begun, and how to go on."""
    return (
        f"Failed: {names(failed)}. The rollout stops here; not begun, and left as they are: {names(later)}. "
        f"Mend what failed, then {go_on([*failed, *later])} goes on. Hosts that are done may run again: "
        "where nothing is to change, nothing changes."
    )


def go_on(hosts: Sequence[str]) -> str:
    """Return how to run for some hosts."""
    if len(hosts) > _NAMES:
        return "the same run"
    return f"the same run with --limit {','.join(hosts)}"


def names(hosts: Sequence[str]) -> str:
    """Return the names of hosts for a message."""
    if len(hosts) <= _NAMES:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:_NAMES])} and {len(hosts) - _NAMES} more"
