# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host before anything on it changes: see DOCUMENTATION in plugins/modules/preflight.py."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils import basic
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import host, other_servers, ownership, run_lock

# What the collection's own modules are written for; newer releases of ansible-core want more.
_PYTHON = (3, 8)
# What the files of a run take, the old ones and the new ones.
_NEEDED_KILOBYTES = 2048
# As FORMAT of the extension's fact_store.
_STORE_FORMAT = 1


class ActionModule(ActionBase):
    """One remote call in plain shell, because a host without Python must get a clear error too."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Look at the host; fail with cause and remedy, or return what it has."""
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
                "removing": {"type": "bool", "default": False},
                "lock": {"type": "bool", "default": False},
                "diagnosing": {"type": "bool", "default": False},
                "nodes": {"type": "str", "default": ""},
            }
        )
        pythons = self._pythons(task_vars)
        mine = run_lock.this_run(task_vars.get("inventory_hostname", ""))
        found = self._locked(args, pythons, mine)
        release = run_lock.release(args["instance"], mine) if self._takes(args) else ""
        problem = python_problem(found, pythons, *target_pythons()) or problem_of(found, args)
        if problem:
            if release:
                self._low_level_execute_command(release)
            raise AnsibleActionFail(problem)
        result.update(found.result(), changed=False, release=release)
        if args["port"] is not None:
            result["warnings"] = ownership.replaceable(found, args["user"], args["home"])
        return result

    def _takes(self, args: dict[str, t.Any]) -> bool:
        """Whether this run is to hold the index."""
        return bool(args["lock"]) and not self._task.check_mode

    def _locked(self, args: dict[str, t.Any], pythons: list[str], mine: run_lock.Holder) -> host.Host:
        """Look at the host, and take the index for this run if it is to be held; fail where another run holds it."""
        takes = self._takes(args)
        found = self._look(args, pythons, run_lock.take(args["instance"], mine if takes else None))
        for attempt in range(2):
            if takes and found.lock is None:
                raise AnsibleActionFail(run_lock.not_held(args["instance"], found.lock_refused))
            age, line = found.lock or (0, str(mine))
            holder = run_lock.Holder.parse(line)
            if (holder and holder.identity == mine.identity) or self._task.check_mode or bundling(args):
                break
            ended = run_lock.has_ended(holder, age)
            if not ended or (takes and attempt):
                raise AnsibleActionFail(run_lock.problem(args["instance"], holder, mine))
            if not takes:
                break
            found = self._look(args, pythons, run_lock.take(args["instance"], mine, dead=line))
        return found

    def _look(self, args: dict[str, t.Any], pythons: list[str], lock: str) -> host.Host:
        answer = self._low_level_execute_command(
            host.command(pythons, args["user"], args["home"], args["images"], lock, args["diagnosing"])
        )
        if answer["rc"] != 0:
            raise AnsibleActionFail(f"Cannot look at the host: {answer['stderr'] or answer['stdout']}".strip())
        return host.Host.parse(answer["stdout"])

    def _pythons(self, task_vars: dict[str, t.Any]) -> list[str]:
        """Return what Ansible would run its modules with: the interpreter that is set, or those it looks for."""
        setting = C.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        # Variables of a connection reach an action as they were written.
        wanted = str(self._templar.template(setting) or "auto")
        if not wanted.startswith("auto"):
            return [wanted]
        return [str(name) for name in C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=task_vars)]


def target_pythons() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the oldest and the newest Python on which the modules of this ansible-core run, as it says itself.

    Its support matrix is in no machine's reach; but its modules refuse an older one than their ``_PY_MIN``, and the
    newest is among those that it looks for on a host. Empty where it does not say.
    """
    oldest = max(_PYTHON, tuple(getattr(basic, "_PY_MIN", ())))
    setting = C.config.get_configuration_definitions().get("INTERPRETER_PYTHON_FALLBACK", {})
    named = [re.fullmatch(r"python3\.(\d+)", str(name)) for name in setting.get("default", ())]
    return oldest, max(((3, int(match[1])) for match in named if match), default=())


def python_problem(found: host.Host, pythons: list[str], oldest: tuple[int, ...], newest: tuple[int, ...]) -> str:
    """Say why the modules of this ansible-core cannot run on the host, and the remedy; nothing where they can.

    Args:
        found: the host.
        pythons: the interpreters that were looked for.
        oldest: the first Python that is good enough.
        newest: the last one; empty where that is not known.
    """
    name = found.system or "This host"
    needs = f"and modules of ansible-core {ansible_version} need Python {_dotted(oldest)} or newer there."
    if not found.python:
        return (
            f"{name} has no {pythons[-1]}, {needs} Install it (Debian, Ubuntu: apt-get install python3; RHEL family: "
            "dnf install python3), or name another one in ansible_python_interpreter."
        )
    has = f"{name} has Python {_dotted(found.python_version)} as {found.python}"
    if found.python_version < oldest:
        older = "an older ansible-core on the controller, or " if found.python_version >= _PYTHON else ""
        return (
            f"{has}, {needs} Take {older}a newer Python on the host: install one beside it, and name it in "
            "ansible_python_interpreter."
        )
    if newest and found.python_version > newest:
        return (
            f"{has}, and modules of ansible-core {ansible_version} run on Python {_dotted(oldest)} to "
            f"{_dotted(newest)}. Take a newer ansible-core on the controller, or install an older Python on the host, "
            "and name it in ansible_python_interpreter."
        )
    return ""


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def bundling(args: dict[str, t.Any]) -> bool:
    """Whether a bundle is made on the machine, so that an index or a server there is none of this run's business."""
    return args["port"] is None and not args.get("removing")


def problem_of(found: host.Host, args: dict[str, t.Any]) -> str:
    """Say what stands in the way of a run, and the remedy; nothing where all is well.

    Args:
        found: the host.
        args: of the task.
    """
    if found.account.startswith("0:"):
        return f"pypi_system_user: {args['user']} is root by another name (uid 0), which containers never run as. Name another."
    home = posixpath.normpath(args["home"])
    if found.account_home and home == posixpath.normpath(found.account_home):
        return (
            f"pypi_home: {home} is the home of the account {args['user']} itself, and the index needs a folder of its "
            f"own. Give one below it, such as {home}/{args['instance']}."
        )
    problem = ""
    if not bundling(args):
        problem = other_servers.elsewhere(found, args["instance"], home)
        problem = problem or other_servers.here(found, args["instance"], home, bool(args.get("removing")))
    if problem or not args["port"]:
        return problem
    return (
        ownership.shared_group(found, args["user"])
        or ownership.foreign_parents(found, home)
        or ownership.linked(found, home)
        or ownership.another_owner(found, args["user"], home)
        or other_servers.obeyed_by_hand(found, home)
        or newer_store(found, home)
        or shared_by_nodes(found, home, args.get("nodes") or "")
        or no_space(found, home)
        or other_servers.port_taken(
            found,
            args["instance"],
            args["bind_address"],
            {"pypi_http_port": args["port"], "pypi_https_port": args.get("tls_port")},
        )
    )


def newer_store(found: host.Host, home: str) -> str:
    """Refuse packages whose facts a later release has written."""
    if found.store <= _STORE_FORMAT:
        return ""
    return (
        f"{home}/packages/.wheelhouse/ has format {found.store}, and this release of wheelhouse.pypi knows formats up to "
        f"{_STORE_FORMAT}. Nothing was changed. Install the release that wrote it, or a later one."
    )


def shared_by_nodes(found: host.Host, home: str, group: str) -> str:
    """Refuse packages that other hosts share, where this one would be an index of its own."""
    if group or not found.nodes:
        return ""
    nodes = [name for name in found.nodes if name != "key" and not name.startswith(".")]
    return (
        f"pypi_nodes: {home}/packages is shared by several hosts ({', '.join(nodes) or 'none is known'}), and this host has no "
        "pypi_nodes. Nothing was changed. Set pypi_nodes to their group, and have this host in it. If it is the only host "
        f"from now on, stop the others, then remove {home}/packages/.wheelhouse/nodes."
    )


def no_space(found: host.Host, home: str) -> str:
    """Refuse a folder in which the files of a run would not fit."""
    if found.free is None or found.free >= _NEEDED_KILOBYTES:
        return ""
    return (
        f"pypi_home: no space left on the file system of {home} ({found.free} kB are free, and a run needs "
        f"{_NEEDED_KILOBYTES}). Nothing was changed. Free some, then run again."
    )
