# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations of public variables, such as ``10m``: a whole number and its unit, which NGINX reads as it is."""

from __future__ import annotations

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(rf"([0-9]+)([{''.join(UNITS)}])")


def seconds(duration: str) -> int:
    """Return a duration in seconds.

    Raises:
        ValueError: it is not a whole number with one of the units behind it.
    """
    match = _DURATION.fullmatch(duration)
    if not match:
        raise ValueError(f"{duration!r} is not a duration")
    return int(match[1]) * UNITS[match[2]]
