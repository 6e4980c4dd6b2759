# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says what a run has made of a host: see DOCUMENTATION in plugins/modules/report.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.certificates import now
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.reporting import Running, about_certificate, report
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.report; never opens a connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Put sentences together."""
        result = super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(
            argument_spec={
                "before": {"type": "dict", "required": True},
                "running": {"type": "list", "elements": "str", "required": True},
                "changes": {"type": "dict", "required": True},
                "address": {"type": "str", "required": True},
                "asked": {"type": "str", "required": True},
                "answers": {"type": "bool", "required": True},
                "tls": {"type": "str", "default": "none"},
                "certificate": {"type": "dict", "default": {}},
                "authority_file": {"type": "path", "default": ""},
                "access": {"type": "list", "elements": "str", "default": []},
            }
        )
        arguments = plain(dict(arguments))
        tls, authority_file = arguments.pop("tls"), arguments.pop("authority_file")
        certificate, warnings = about_certificate(arguments.pop("certificate"), tls, authority_file, now())
        running = Running.parse(arguments.pop("running"))
        check = self._task.check_mode
        result["msg"] = report(running=running, certificate=certificate, check=check, **arguments)
        result["changed"] = False
        result["warnings"] = warnings
        # As debug does it: shown without -v.
        result["_ansible_verbose_always"] = True
        return result
