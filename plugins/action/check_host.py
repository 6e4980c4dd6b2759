# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host before anything on it changes: see DOCUMENTATION in plugins/modules/check_host.py."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import (
    Survey,
    port_holder,
    survey_command,
)


class ActionModule(ActionBase):
    """One remote call in plain shell, because a host without Python must get a clear error too."""

    _requires_connection = True
    _VALID_ARGS = frozenset({"instance", "bind_address", "port", "user", "images"})

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Survey the host; fail with cause and mend, or return the facts below ``pypi_host``."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _spec, args = self.validate_argument_spec(
            argument_spec={
                "instance": {"type": "str", "required": True},
                "bind_address": {"type": "str", "default": "0.0.0.0"},
                "port": {"type": "int", "required": True},
                "user": {"type": "str", "required": True},
                "images": {"type": "list", "elements": "str", "default": []},
            }
        )
        wanted = task_vars.get("ansible_python_interpreter") or "auto"
        if str(wanted).startswith("auto"):
            wanted = "python3"
        answer = self._low_level_execute_command(survey_command(str(wanted), args["user"], args["images"]))
        if answer["rc"] != 0:
            raise AnsibleActionFail(f"The host cannot be looked at: {answer['stderr'] or answer['stdout']}".strip())
        survey = Survey.parse(answer["stdout"])
        if not survey.python:
            raise AnsibleActionFail(
                f"{survey.system or 'This host'} has no {wanted}, and Ansible's modules need Python 3.8 "
                "or newer there. Install it (Debian, Ubuntu: apt-get install python3; RHEL family: "
                "dnf install python3), or name another one in ansible_python_interpreter."
            )
        holder = port_holder(survey, args["instance"], args["bind_address"], args["port"])
        if holder:
            raise AnsibleActionFail(
                f"pypi_http_port: port {args['port']} on {args['bind_address']} is taken by {holder}. "
                "Stop that, or set pypi_http_port (or pypi_bind_address) to one that is free."
            )
        result["changed"] = False
        result["ansible_facts"] = {"pypi_host": survey.facts()}
        return result
