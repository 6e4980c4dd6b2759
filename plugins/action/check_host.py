# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host before anything on it changes: see DOCUMENTATION in plugins/modules/check_host.py."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils import basic
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import (
    Neighbour,
    Survey,
    port_holder,
    survey_command,
)
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import other_servers, ownership, run_lock

# What the collection's own modules are written for; newer releases of ansible-core want more.
_PYTHON = (3, 8)


class ActionModule(ActionBase):
    """One remote call in plain shell, because a host without Python must get a clear error too."""

    _requires_connection = True
    _VALID_ARGS = frozenset(
        {"instance", "bind_address", "port", "tls_port", "user", "home", "images", "replicas", "begin"}
        | {"removing", "lock", "whole"}
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Survey the host; fail with cause and mend, or return the facts below ``pypi_host``."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _spec, args = self.validate_argument_spec(
            argument_spec={
                "instance": {"type": "str", "required": True},
                "bind_address": {"type": "str", "default": "0.0.0.0"},
                "port": {"type": "int"},
                "tls_port": {"type": "int"},
                "user": {"type": "str", "required": True},
                "home": {"type": "path", "required": True},
                "images": {"type": "list", "elements": "str", "default": []},
                "replicas": {"type": "int", "default": 1},
                "begin": {"type": "bool", "default": False},
                "whole": {"type": "bool", "default": False},
                "removing": {"type": "bool", "default": False},
                "lock": {"type": "bool", "default": False},
            }
        )
        pythons = self._pythons(task_vars)
        survey = self._locked(args, pythons, run_lock.this_run(task_vars.get("inventory_hostname", "")))
        try:
            self._judge(args, survey, pythons, task_vars, result)
        except AnsibleActionFail:
            # Later in a run, its end does that.
            if args["lock"] and args["begin"] and not self._task.check_mode:
                mine = run_lock.this_run(task_vars.get("inventory_hostname", ""))
                self._low_level_execute_command(run_lock.release(args["instance"], mine))
            raise
        return result

    def _locked(self, args: dict[str, t.Any], pythons: list[str], mine: run_lock.Holder) -> Survey:
        """Survey the host, and take the index for this run if it is to be held; fail where another run holds it."""
        takes = args["lock"] and not self._task.check_mode
        survey = self._survey(args, pythons, run_lock.take(args["instance"], mine if takes else None))
        for attempt in range(2):
            if takes and survey.lock is None:
                raise AnsibleActionFail(run_lock.not_held(args["instance"], survey.lock_refused))
            age, line = survey.lock or (0, str(mine))
            holder = run_lock.Holder.parse(line)
            if (holder and holder.identity == mine.identity) or self._task.check_mode or bundling(args):
                break
            ended = run_lock.has_ended(holder, age)
            if not ended or (takes and attempt):
                raise AnsibleActionFail(run_lock.problem(args["instance"], holder, mine))
            if not takes:
                break
            survey = self._survey(args, pythons, run_lock.take(args["instance"], mine, dead=line))
        return survey

    def _survey(self, args: dict[str, t.Any], pythons: list[str], lock: str) -> Survey:
        command = survey_command(
            pythons,
            args["instance"],
            args["user"],
            args["home"],
            args["images"],
            args["bind_address"],
            args["tls_port"] or args["port"],
            tls=bool(args["tls_port"]),
            lock=lock,
        )
        answer = self._low_level_execute_command(command)
        if answer["rc"] != 0:
            raise AnsibleActionFail(f"The host cannot be looked at: {answer['stderr'] or answer['stdout']}".strip())
        return Survey.parse(answer["stdout"])

    def _judge(
        self,
        args: dict[str, t.Any],
        survey: Survey,
        pythons: list[str],
        task_vars: dict[str, t.Any],
        result: dict[str, t.Any],
    ) -> None:
        """Put the facts into the result; fail where something stands against a run."""
        problem = python_problem(survey, pythons, *target_pythons()) or problem_of(survey, args)
        if not problem and args["begin"] and args["port"] is not None and not (args["whole"] and _is_whole(task_vars)):
            problem = earlier_version(survey, args["home"])
        if problem:
            raise AnsibleActionFail(problem)
        result["changed"] = False
        facts = {
            **survey.facts(args["replicas"]),
            "user": args["user"],
            "group": survey.account.partition(":")[2] or args["user"],
            "home": posixpath.normpath(args["home"]),
        }
        result["ansible_facts"] = {"pypi_host": facts}
        if args["begin"]:
            result["ansible_facts"]["pypi_host_before"] = facts
            if args["port"] is not None:
                result["warnings"] = ownership.replaceable(survey, args["user"], args["home"])

    def _pythons(self, task_vars: dict[str, t.Any]) -> list[str]:
        """Return what Ansible would run its modules with: the interpreter that it was told, or those it looks for."""
        told = C.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        # Variables of a connection reach an action as they were written.
        wanted = str(self._templar.template(told) or "auto")
        if not wanted.startswith("auto"):
            return [wanted]
        return [str(name) for name in C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=task_vars)]


def _is_whole(task_vars: dict[str, t.Any]) -> bool:
    """Tell whether the run does all that its playbook can do."""
    return list(task_vars.get("ansible_run_tags") or ["all"]) == ["all"] and not task_vars.get("ansible_skip_tags")


def earlier_version(survey: Survey, home: str) -> str:
    """Say why a part of a run would break the tree of an earlier version; nothing where the tree is of this one.

    Its NGINX and pypi-server know no secret, and its auth names no revision. The last thing that a whole run does is to
    remove the folders that only an earlier version had, so that one that was killed is finished first.
    """
    logins, secret = (f"authentication/{name}" for name in (htpasswd.CREDENTIALS, htpasswd.SECRET))
    left = {"nginx_cache/pages", "nginx_cache/pypiserver"} & survey.files.keys()
    if logins not in survey.files or (secret in survey.files and not left):
        return ""
    return (
        f"{home} holds the tree of an earlier version: run wheelhouse.pypi.site as a whole first, without --tags and "
        "--skip-tags. Nothing was changed."
    )


def target_pythons() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the oldest and the newest Python on which the modules of this ansible-core run, as it says itself.

    Its support matrix is in no machine's reach; but its modules refuse an older one than their ``_PY_MIN``, and the
    newest is among those that it looks for on a host. Empty where it does not say.
    """
    oldest = max(_PYTHON, tuple(getattr(basic, "_PY_MIN", ())))
    setting = C.config.get_configuration_definitions().get("INTERPRETER_PYTHON_FALLBACK", {})
    named = [re.fullmatch(r"python3\.(\d+)", str(name)) for name in setting.get("default", ())]
    return oldest, max(((3, int(match[1])) for match in named if match), default=())


def python_problem(survey: Survey, pythons: list[str], oldest: tuple[int, ...], newest: tuple[int, ...]) -> str:
    """Say why the modules of this ansible-core cannot run on the host, and how to mend it; nothing where they can.

    Args:
        survey: of the host.
        pythons: the interpreters that were looked for.
        oldest: the first Python that is good enough.
        newest: the last one; empty where that is not known.
    """
    name = survey.system or "This host"
    needs = f"and modules of ansible-core {ansible_version} need Python {_dotted(oldest)} or newer there."
    if not survey.python:
        return (
            f"{name} has no {pythons[-1]}, {needs} Install it (Debian, Ubuntu: apt-get install python3; RHEL family: "
            "dnf install python3), or name another one in ansible_python_interpreter."
        )
    has = f"{name} has Python {_dotted(survey.python_version)} as {survey.python}"
    if survey.python_version < oldest:
        older = "an older ansible-core on the controller, or " if survey.python_version >= _PYTHON else ""
        return (
            f"{has}, {needs} Take {older}a newer Python on the host: install one beside it, and name it in "
            "ansible_python_interpreter."
        )
    if newest and survey.python_version > newest:
        return (
            f"{has}, and modules of ansible-core {ansible_version} run on Python {_dotted(oldest)} to "
            f"{_dotted(newest)}. Take a newer ansible-core on the controller, or install an older Python on the host, "
            "and name it in ansible_python_interpreter."
        )
    return ""


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def bundling(args: dict[str, t.Any]) -> bool:
    """Tell whether a bundle is made on the machine, so that an index there, or a server, is none of this run's business."""
    return args["port"] is None and not args.get("removing")


def problem_of(survey: Survey, args: dict[str, t.Any]) -> str:
    """Say what a run cannot do without, and how to mend it; nothing where all is well.

    Args:
        survey: the host.
        args: of the task.
    """
    if survey.account.startswith("0:"):
        return f"pypi_system_user: {args['user']} is root by another name (uid 0), which containers never run as. Name another."
    home = posixpath.normpath(args["home"])
    if survey.account_home and home == posixpath.normpath(survey.account_home):
        return (
            f"pypi_home: {home} is the home of the account {args['user']} itself, and the index needs a folder of its "
            f"own. Give one below it, such as {home}/{args['instance']}."
        )
    problem = ""
    if not bundling(args):
        problem = other_servers.elsewhere(survey, args["instance"], home)
        problem = problem or other_servers.here(survey, args["instance"], home, bool(args.get("removing")))
    if problem or not args["port"]:
        return problem
    problem = ownership.shared_group(survey, args["user"]) or ownership.foreign_parents(survey, home)
    problem = problem or ownership.another_owner(survey, args["user"], home)
    problem = problem or other_servers.obeyed_by_hand(survey, home)
    if problem:
        return problem
    for variable, port in (("pypi_http_port", args["port"]), ("pypi_https_port", args.get("tls_port"))):
        holder = port_holder(survey, args["instance"], args["bind_address"], port) if port else ""
        if holder:
            return (
                f"{variable}: port {port} on {args['bind_address']} is taken by {holder}. "
                f"Stop that, or set {variable} (or pypi_bind_address) to one that is free."
                + (other_servers.hint(holder) if isinstance(holder, Neighbour) else "")
            )
    return ""
