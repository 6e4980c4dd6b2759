# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as Python has them, out of values as Ansible hands them to plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def plain(value: Any) -> Any:
    """A value and all that is in it as plain dict, list and str.

    ansible-core 2.18 hands out subclasses of str that are marked unsafe, which bcrypt's compiled code refuses, and
    vaulted values that are no str at all; 2.19 hands out tagged subclasses, and containers that render what is in them
    when it is looked at.
    """
    if isinstance(value, str):
        return str.__str__(value)  # str() would return a subclass that defines __str__
    if hasattr(value, "__ENCRYPTED__"):  # a vaulted value in 2.18
        return str.__str__(str(value))
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    return value
