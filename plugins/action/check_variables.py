# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks public variables against ``plugin_utils/rules.py`` and reports every problem in one message."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import hashing, rules
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.check_variables; never opens a connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge the variables; fail with one message that lists all problems."""
        result = super().run(tmp, task_vars)
        variables = plain(self._task.args.get("variables"))
        if not isinstance(variables, dict):
            raise AnsibleActionFail("variables must be a mapping of names to values")
        task_vars = task_vars or {}
        found = rules.misspelt(task_vars, plain(self._task.args.get("public") or []))
        # An index that is to be removed may be one of an earlier release: only what names it is judged.
        if not plain(task_vars.get("__pypi_removing", False)):
            found += rules.removed(task_vars)
        found += rules.unknown_tags(plain(task_vars.get("pypi_unknown_tags")))
        if "pypi_serial" in task_vars:
            size = plain(self._templar.template(task_vars["pypi_serial"]))
            batch, every = task_vars["ansible_play_batch"], task_vars["ansible_play_hosts_all"]
            found += rules.serial(size, len(batch), len(every))
        problems = [str(problem) for problem in found + rules.problems(variables)]
        if any(user.get("password") for user in rules.present_users(variables)):
            try:
                hashing.load_bcrypt()
            except hashing.HashingError as error:
                problems.append(str(error))
        if problems:
            raise AnsibleActionFail(
                "Invalid variables; nothing was changed:\n" + "\n".join(f"- {text}" for text in problems)
            )
        result.update(changed=False, warnings=rules.warnings(variables))
        return result
