# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says whose turn it is in a rollout, and whether it goes on: see DOCUMENTATION in plugins/modules/batch.py."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import batches
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.batch; never opens a connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at the hosts that Ansible still counts on."""
        result = super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(
            argument_spec={"hosts": {"type": "list", "elements": "str", "default": []}}
        )
        task_vars = task_vars or {}
        every, well = plain(task_vars["ansible_play_hosts_all"]), plain(task_vars["ansible_play_hosts"])
        began_with = plain(arguments["hosts"])
        hosts = began_with or plain(task_vars["ansible_play_batch"])
        later = [host for host in batches.waiting(every, hosts) if host in well]
        failed = [host for host in every if host not in well]
        message = ""
        if failed and later:
            message = batches.stopped(failed, later)
            if not began_with:
                # Hosts of an earlier play: as after a batch that fails, Ansible is to stop altogether.
                raise AnsibleActionFail(message)
        elif not began_with:
            message = batches.beginning(hosts, later)
        # If no host of the batch is well, Ansible stops by itself, later plays included.
        stop = bool(failed and later) and any(host in well for host in hosts)
        result.update(changed=False, hosts=hosts, stop=stop)
        if message:
            # As debug does it: shown without -v.
            result.update(msg=message, _ansible_verbose_always=True)
        return result
