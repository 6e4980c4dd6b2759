# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A duration in seconds: see seconds.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import durations
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


def seconds(duration: Any) -> int:
    """Return a duration in seconds; fail where it is none."""
    try:
        return durations.seconds(str(plain(duration)))
    except ValueError as error:
        raise AnsibleFilterError(f"{error}; give a number with s, m, h or d behind it, such as 10m") from error


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"seconds": seconds}
