# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets the next run work on an index: see DOCUMENTATION in plugins/modules/release.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import run_lock


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.release: one remote call in plain shell."""

    _requires_connection = True
    _VALID_ARGS = frozenset({"instance"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Remove the file by which this run holds the index."""
        result = super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(argument_spec={"instance": {"type": "str", "required": True}})
        mine = run_lock.this_run((task_vars or {}).get("inventory_hostname", ""))
        self._low_level_execute_command(run_lock.release(arguments["instance"], mine))
        result["changed"] = False
        return result
