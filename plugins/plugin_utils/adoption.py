# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host has a server that was set up by hand, and what a person is told about it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.module_utils import adoption as module
from ansible_collections.wheelhouse.pypi.plugins.module_utils.host_survey import Neighbour, Survey
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules

# More names than this are counted, not told.
_NAMES = 20


def homes(survey: Survey, home: str) -> set[str]:
    """The folder of the index, as it is named and as it is without links."""
    return {posixpath.normpath(home), survey.folder} - {""}


def by_hand(survey: Survey, instance: str, home: str) -> list[str]:
    """What shows that a server in the folder of the index was set up by hand: its files and containers."""
    here = homes(survey, home)
    # Indexes from before there was the label that names them.
    ours = {one.project for one in survey.neighbours if one.settings}
    return [
        *survey.foreign,
        *(
            one.name
            for one in survey.neighbours
            if not one.index
            and one.project
            and one.project not in ours
            and (one.folder in here or (one.project == instance and not one.folder))
        ),
    ]


def obeyed_by_hand(survey: Survey, home: str) -> str:
    """Refuse files in the tree of an index that a run does not read, and `docker compose` there would: none is ours."""
    found = [name for name in module.INSTEAD + module.BESIDE if name in survey.files]
    if not found:
        return ""
    return (
        f"pypi_home: {home} has {named(found)}, which no role writes and `docker compose` obeys there. Nothing was changed. "
        "Look at what it says and who wrote it: with the service account's rights it could have been put there to gain "
        "root's. Then remove it (what it set belongs into variables), and run again."
    )


def elsewhere(survey: Survey, instance: str, home: str) -> str:
    """Refuse an index whose folder or name another one has: one would lose its files, or its containers, to the other."""
    here = homes(survey, home)
    # Indexes from before there was the label that names them have their project's name.
    here_too = {
        one.index or one.project for one in survey.neighbours if one.folder in here and (one.index or one.settings)
    }
    other = next((name for name in sorted(here_too | {survey.index}) if name not in ("", instance)), "")
    if other:
        return (
            f"pypi_home: {home} is the folder of the index {other}. Give {instance} one of its own, or run with "
            f"pypi_instance: {other}. To give that index another name, remove it first (wheelhouse.pypi.remove; its "
            "packages and logins stay)."
        )
    others = [one for one in survey.neighbours if one.project == instance and one.folder and one.folder not in here]
    if not others:
        return ""
    names, folder = named(one.name for one in others), others[0].folder
    if others[0].index:
        return (
            f"pypi_instance: {instance} is the name of the index in {folder}, with the containers {names}, and pypi_home "
            f"is {home}. Give this one another pypi_instance and pypi_http_port. If it is the same index and has moved, "
            f"remove these containers first (docker rm --force)."
        )
    return (
        f"pypi_instance: {instance} is the name of the Compose project in {folder}, with the containers {names}, and "
        f"pypi_home is {home}. To take that server over, set {_where(folder, instance)} and pypi_adopt: true. To leave "
        "it alone, give the index another pypi_instance and pypi_http_port."
    )


def hint(holder: Neighbour) -> str:
    """How to take over the server that a container in the way is of; empty where it is no Compose project."""
    if not holder.project or not holder.folder:
        return ""
    if holder.index:
        return f" It is of the index in {holder.folder}."
    return (
        f" If that is a package index that was set up by hand in {holder.folder}, it can be taken over: set "
        f"{_where(holder.folder, holder.project)} and pypi_adopt: true."
    )


def _where(folder: str, project: str) -> str:
    """The variables by which a server is found where it is."""
    of_user = re.match(r"/home/([^/]+)/[^/]+\Z", folder)
    user = of_user[1] if of_user else "(an account, which is to own it)"
    values = f"pypi_user: {user}, pypi_home: {folder}"
    return values if project == "pypi-server" else f"{values}, pypi_instance: {project}"


def named(names: Iterable[str]) -> str:
    """Names for a sentence."""
    names = list(names)
    if len(names) > _NAMES:
        return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def changes(found: Mapping[str, Any], home: str, user: str, port: int, users: Any, authenticate: Any) -> list[str]:
    """What taking a server over would change, a sentence each.

    Args:
        found: what the module adopt_info returned.
        home: pypi_home.
        user: pypi_user.
        port: pypi_http_port.
        users: pypi_users.
        authenticate: pypi_authenticate.
    """
    text = ["finish what an earlier run has begun"] if found["unfinished"] else []
    containers = found["containers"]
    if containers:
        shown = [f"{one['name']} ({_container(one)})" for one in containers]
        text.append(f"stop and remove {_these(shown, 'container')}, and start new ones; their volumes stay")
        closed = sorted({number for one in containers for number in one["ports"]} - {str(port)}, key=int)
        if closed:
            text.append(
                f"close port {named(closed)}: the index answers on port {port} alone (pypi_http_port), and who uses "
                "another needs that address"
            )
    if found["networks"]:
        text.append(f"remove {_these(found['networks'], 'network')}, unless another container is in it")
    if found["replaced"]:
        text.append(f"replace {_these(found['replaced'], 'file')}")
    if found["aside"]:
        text.append(
            f"take away {_these(found['aside'], 'file')}, which Compose or NGINX would read beside the new ones"
        )
    if found["replaced"] or found["aside"]:
        text[-1] += f"; copies of all these stay in {home}/adopted"
    for tree, counts in found["owners"].items():
        whose = named(f"{count} of {owner}" for owner, count in sorted(counts.items()))
        to = f"root, readable for the group of {user}" if tree in module.OF_ROOT else f"{user} and its group"
        text.append(f"give what is in {tree}/ to {to}: {whose}")
    if found["open"]:
        folders = named(home if name == "." else f"{name}/" for name in found["open"])
        text.append(f"close {folders} to everybody but root and {user}")
    return text + _access(found, users, authenticate)


def _container(one: Mapping[str, Any]) -> str:
    ports = f", port {named(one['ports'])}" if one["ports"] else ""
    return f"{one['image']}{ports}{'' if one['running'] else ', stopped'}"


def _these(names: Sequence[str], what: str) -> str:
    return f"the {what}{'' if len(names) == 1 else 's'} {named(names)}"


def _access(found: Mapping[str, Any], users: Any, authenticate: Any) -> list[str]:
    """What changes for people: logins, rights, and what has been open so far."""
    text = []
    there: Mapping[str, str] = found["logins"]
    wanted = {str(user.get("name")): user for user in rules.present_users({"pypi_users": users})}
    gone = {str(user.get("name")) for user in users or () if user.get("state") == "absent"}
    if found["needs_login"] is not None:
        newly = [action for action in authenticate or () if action not in found["needs_login"]]
        if newly:
            text.append(f"ask for a login to {named(newly)}, which everybody may do so far (pypi_authenticate)")
        opened = [action for action in found["needs_login"] if action not in (authenticate or ())]
        if opened:
            text.append(f"let everybody {named(opened)}, for which a login is needed so far (pypi_authenticate)")
    kept = [name for name in there if name not in wanted and name not in gone]
    if kept:
        text.append(f"keep {_these(kept, 'login')}, which pypi_users does not name; they may upload as before")
    readers = [name for name in there if name in wanted and not rules.is_true(wanted[name].get("publish"))]
    if readers:
        text.append(f"make readers of {named(readers)}, who may upload so far (pypi_users)")
    dropped = [name for name in there if name in gone]
    if dropped:
        text.append(f"remove {_these(dropped, 'login')} (state: absent)")
    weak = [f"{name} ({there[name]})" for name in kept if there[name]]
    if weak:
        text.append(f"keep weak hashes, of {named(weak)}; a password in pypi_users replaces one")
    return text


def refusal(home: str, instance: str, sentences: Sequence[str]) -> str:
    """The message of a run that has not been told to take the server over."""
    return (
        f"{home} holds a server that was set up by hand. Nothing was changed. To take it over would\n"
        + "".join(f"- {sentence}\n" for sentence in sentences)
        + "To do that, set pypi_adopt: true and run again. To leave the server alone, give the index another "
        + f"pypi_instance than {instance}, and with it another pypi_home and pypi_http_port."
    )


def cannot(home: str, problems: Sequence[str], begin: bool) -> str:
    """The message where something would be lost; ``begin``: a run that finds it later has already written files."""
    so_far = "Nothing was changed" if begin else "Its containers were left alone"
    return f"The server in {home} cannot be taken over as it is. {so_far}:\n" + "".join(
        f"- {problem}\n" for problem in problems
    )
