# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(serial) is to be: see batch_sizes.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import batches
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


def batch_sizes(value: Any) -> list[int | str]:
    """Return sizes for the keyword serial; of a value that cannot be, the one that lets a play begin and say so."""
    try:
        return batches.sizes(plain(value))
    except ValueError:
        return [batches.ALL]


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"batch_sizes": batch_sizes}
