# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hashes the passwords of all hosts at once, on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import hashing, rules
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


class ActionModule(ActionBase):
    """Action plugin wheelhouse.pypi.htpasswd_hash; never opens a connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Collect what the hosts want and have, hash what has to be, give each host its hashes."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        names = {}
        for option in ("wanted", "present"):
            names[option] = self._task.args.get(option)
            if not isinstance(names[option], str) or not names[option].isidentifier():
                raise AnsibleActionFail(f"{option} must be the name of a variable of each host")
        earlier = self._task.args.get("earlier")
        if earlier is not None and (not isinstance(earlier, str) or not earlier.isidentifier()):
            raise AnsibleActionFail("earlier must be the name of the variable that the task registers")
        hostvars = task_vars["hostvars"]
        play = list(task_vars.get("ansible_play_batch") or task_vars["ansible_play_hosts"])

        wanted: dict[str, Wanted] = {}
        present = []
        for host in play:
            variables = hostvars[host]
            if names["wanted"] in variables:
                wanted[host] = Wanted(host, plain(variables[names["wanted"]]))
            if names["present"] in variables:
                present.append(hashes_on_host(plain(variables[names["present"]])))
        if not wanted:
            raise AnsibleActionFail(f"no host of the play has a variable {names['wanted']}")
        try:
            done = hashing.hash_all(
                (login for host in wanted.values() for login in host.logins.values()),
                present,
                known_before(task_vars, earlier),
            )
        except hashing.HashingError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(
            changed=False,
            hosts={
                name: {**host.given, **{login: done.hashes[job] for login, job in host.logins.items()}}
                for name, host in wanted.items()
            },
            hashed=done.fresh,
            verified=done.verified,
            known=done.known,
        )
        return result


class Wanted:
    """What one host is to have, by login: ``logins`` with passwords to hash, ``given`` with hashes as they are."""

    def __init__(self, host: str, value: Any) -> None:
        """Take a host's variable; raise AnsibleActionFail, naming host and user, if it is not as it should be."""
        if not isinstance(value, Mapping) or "users" not in value:
            raise AnsibleActionFail(f"{host}: the variable must be a mapping of users and bcrypt_cost")
        cost = value.get("bcrypt_cost", 10)
        problems = rules.problems({"pypi_users": value["users"], "pypi_bcrypt_cost": cost})
        if problems:
            raise AnsibleActionFail("\n".join(f"{host}: {problem}" for problem in problems))
        self.logins: dict[str, hashing.Login] = {}
        self.given: dict[str, str] = {}
        for user in logins.present_users({"pypi_users": value["users"]}):
            if user.get("password") is not None:
                self.logins[user["name"]] = hashing.Login(user["name"], user["password"], int(cost))
            else:
                self.given[user["name"]] = user["hash"]


def hashes_on_host(registered: Any) -> dict[str, str]:
    """Login -> hash out of a registered result of htpasswd_info; nothing if the task was skipped or failed."""
    return registered.get("users") or {} if isinstance(registered, Mapping) else {}


def known_before(task_vars: Mapping[str, Any], earlier: str | None) -> dict[str, str]:
    """What earlier batches of a rolling play found out: the results that their hosts have registered as ``earlier``."""
    known: dict[str, str] = {}
    for host in (task_vars.get("ansible_play_hosts_all") or ()) if earlier else ():
        registered = task_vars["hostvars"][host].get(earlier)
        if isinstance(registered, Mapping):
            known.update(plain(registered.get("known") or {}))
    return known
