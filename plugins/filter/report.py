# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has made of a host: see report.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.utils.display import Display
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import reporting
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.certificates import now
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


def report(run: Mapping[str, Any]) -> list[str]:
    """Return the sentences about a run; warn of a certificate that ends soon."""
    sentences, warnings = reporting.report(plain(run), now())
    for text in warnings:
        Display().warning(text)
    return sentences


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"report": report}
