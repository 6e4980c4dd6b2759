# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many hosts are in a batch of a rollout."""

from __future__ import annotations

import re
from typing import Any

ALL = "100%"


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
