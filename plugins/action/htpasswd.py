# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps passwords and tokens on the controller: hashes them there, or takes their hashes, and hands the module nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import hashing, rules
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins, tokens
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.values import plain


class ActionModule(ActionBase):
    """Action plugin of M(wheelhouse.pypi.htpasswd)."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the users, see that each has a hash, call the module, return its result."""
        result = super().run(tmp, task_vars)
        arguments = plain(dict(self._task.args))
        cost = arguments.pop("bcrypt_cost", 10)
        given = arguments.pop("hashes", None) or {}
        if not isinstance(given, Mapping):
            raise AnsibleActionFail("hashes must be a mapping of logins to hashes")
        # The rules speak of public variables; here it is the options that are judged by them.
        wanted = {"pypi_users": arguments.get("users"), "pypi_tokens": arguments.get("tokens") or []}
        problems = rules.problems({**wanted, "pypi_bcrypt_cost": cost})
        if problems:
            options = {"pypi_users": "users", "pypi_tokens": "tokens", "pypi_bcrypt_cost": "bcrypt_cost"}
            raise AnsibleActionFail(
                "\n".join(str(problem._replace(variable=options[problem.variable])) for problem in problems)
            )

        present = logins.present_users({"pypi_users": arguments["users"]})
        hashes = {user["name"]: user["hash"] for user in present if user.get("password") is None}
        by_password = [user for user in present if user.get("password") is not None]
        hashes.update((user["name"], given[user["name"]]) for user in by_password if user["name"] in given)
        to_hash = [
            hashing.Login(user["name"], user["password"], int(cost))
            for user in by_password
            if user["name"] not in given
        ]
        if to_hash:
            there = self._execute_module(
                module_name="wheelhouse.pypi.htpasswd_info",
                module_args={"path": arguments.get("path")},
                task_vars=task_vars,
            )
            if there.get("failed"):
                return _without_secrets(there)
            try:
                done = hashing.hash_all(to_hash, [plain(there["users"])], {})
            except hashing.HashingError as error:
                raise AnsibleActionFail(str(error)) from error
            hashes.update((login.name, password_hash) for login, password_hash in done.hashes.items())

        # An expired login counts as absent.
        names = {user["name"] for user in present}
        users = [
            {
                "name": user["name"],
                "rights": logins.granted(user),
                "state": "present" if user["name"] in names else "absent",
            }
            for user in arguments["users"]
        ]
        if arguments.get("tokens") is not None:
            arguments["tokens"] = [tokens.for_host(entry) for entry in tokens.present(wanted)]
        result.update(
            _without_secrets(
                self._execute_module(
                    module_name="wheelhouse.pypi.htpasswd",
                    module_args=dict(arguments, users=users, hashes=hashes),
                    task_vars=task_vars,
                )
            )
        )
        return result


def _without_secrets(result: dict[str, Any]) -> dict[str, Any]:
    """A module's result without what it was called with, which -vvv would show."""
    return {key: value for key, value in result.items() if key not in ("invocation", "users")}
