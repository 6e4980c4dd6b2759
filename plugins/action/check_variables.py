# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks public variables against their argument spec and ``plugin_utils/rules``; reports every problem in one message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import hashing, in_clear, rules, specs
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins, names, nodes
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain

# What a token that is yet to be made is checked with.
_OF_TOKENS = ("pypi_users", "pypi_tokens", "pypi_tokens_max_days")


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.check_variables; never opens a connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the variables; fail with one message that lists all problems."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        variables, found = self._variables(task_vars)
        found += names.misspelt(task_vars, specs.public(), self._of_play(task_vars))
        # An index that is to be removed may be one of an earlier release: only what names it is checked.
        removing = plain(task_vars.get("__pypi_removing", False))
        found += [one for one in names.removed(task_vars) if not removing or one.variable == "pypi_user"]
        found += names.unknown_tags(plain(task_vars.get("pypi_unknown_tags")))
        if "pypi_serial" in task_vars:
            size = plain(self._templar.template(task_vars["pypi_serial"]))
            # The play that tries what nodes share has no batches.
            batch = () if "__pypi_tries_nodes" in task_vars else task_vars["ansible_play_batch"]
            found += names.serial(size, len(batch), len(task_vars["ansible_play_hosts_all"]))
        found += self._of_nodes(task_vars, variables.get("pypi_nodes"), removing)
        problems = [str(problem) for problem in found + rules.problems(variables)]
        if any(user.get("password") for user in logins.present_users(variables)):
            try:
                hashing.load_bcrypt()
            except hashing.HashingError as error:
                problems.append(str(error))
        if problems:
            raise AnsibleActionFail(
                "Invalid variables; nothing was changed:\n" + "\n".join(f"- {text}" for text in problems)
            )
        result.update(changed=False, warnings=rules.warnings(variables))
        # The files of the inventory are the same for all hosts: one reads them.
        if task_vars.get("inventory_hostname") in list(task_vars.get("ansible_play_hosts_all") or [])[:1]:
            result["warnings"] += in_clear.warnings(task_vars)
        return result

    def _of_play(self, task_vars: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the variables that the playbook that runs takes beside the roles'."""
        if "__pypi_yanks" in task_vars:
            return names.OF_YANK
        if "__pypi_gives_back" in task_vars:
            return names.OF_GIVE_BACK
        if "__pypi_trashes" in task_vars:
            return names.OF_TRASH
        if "__pypi_diagnoses" in task_vars:
            return names.OF_DOCTOR
        if "__pypi_restores" in task_vars:
            return names.OF_RESTORE
        return names.OF_TOKEN if self._task.args.get("token") else ()

    def _of_nodes(self, task_vars: Mapping[str, Any], group: Any, removing: bool) -> list[rules.Problem]:
        """Return the problems of a host that is a node: what only the inventory of all of them says."""
        if removing:
            given = (task_vars.get(name) for name in ("pypi_nodes", "pypi_remove_data"))
            return list(nodes.emptied(*(plain(self._templar.template(one)) if one else "" for one in given)))
        if not isinstance(group, str) or not group:
            return []
        hostvars = task_vars["hostvars"]

        def value(host: str, name: str) -> Any:
            try:
                return plain(hostvars[host][name])
            except (AnsibleError, KeyError):
                # Not set; or not to be rendered, which that host says of itself.
                return nodes.MISSING

        return list(nodes.problems(group, task_vars["inventory_hostname"], task_vars["groups"], value))

    def _variables(self, task_vars: Mapping[str, Any]) -> tuple[dict[str, Any], list[rules.Problem]]:
        """Return the variables to check, and a problem for each that refers to something undefined."""
        given = plain(self._task.args.get("variables"))
        if given is not None:
            if not isinstance(given, dict):
                raise AnsibleActionFail("variables must be a mapping of names to values")
            return given, []
        variables, found = {}, []
        without = plain(self._task.args.get("without") or [])
        token = plain(self._task.args.get("token"))
        for name in _OF_TOKENS if token else specs.public():
            if name in task_vars and name not in without:
                try:
                    variables[name] = plain(self._templar.template(task_vars[name]))
                except AnsibleUndefinedVariable as error:
                    found.append(names.undefined(name, error.message))
        if token:
            # Here, because a template would make text of dates on ansible-core 2.18.
            there = variables.get("pypi_tokens") or []
            variables["pypi_tokens"] = [*there, token] if isinstance(there, list) else there
        return variables, found
