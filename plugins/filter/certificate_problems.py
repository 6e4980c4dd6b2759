# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a certificate from being used: see certificate_problems.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


def certificate_problems(chain: Any, name: Any = "", key: Any = None, renewal: bool = False) -> list[str]:
    """Return the problems of a chain of certificates at this time, a clause each."""
    return certificates.problems(plain(list(chain)), str(name), certificates.now(), plain(key), renewal)


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"certificate_problems": certificate_problems}
