# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the tree of an index is, and who else could get at it: what a run is refused for, or warns of."""

from __future__ import annotations

import posixpath
import shlex

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import Folder, Host
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.other_servers import named

_WRITE_GROUP, _WRITE_OTHERS, _STICKY = 0o020, 0o002, 0o1000


def shared_group(host: Host, user: str) -> str:
    """Refuse an account whose group has other accounts: keys and password hashes are readable for the group."""
    if not host.sharing:
        return ""
    group = host.group or user
    if not host.account:
        return (
            f"pypi_system_user: the account {user} would get the group {group}, and {named(host.sharing)} is in it already: "
            f"keys and password hashes of the index are readable for that group. Nothing was changed. Take others out of it "
            f"(gpasswd --delete NAME {group}), or set another pypi_system_user."
        )
    return (
        f"pypi_system_user: the group {group} of {user} has other accounts, {named(host.sharing)}, and keys and password "
        f"hashes of the index are readable for that group. Nothing was changed. Give {user} a group of its own (groupadd "
        f"{user}-index && usermod --gid {user}-index {user}), or take others out of it (gpasswd --delete NAME {group})."
    )


def foreign_parents(host: Host, home: str) -> str:
    """Refuse a folder of the index that others than root and the account could replace, as they can write above it."""
    for folder in host.parents:
        if folder.path == posixpath.normpath(home):
            continue
        who = _writers(host, folder)
        if who:
            return (
                f"pypi_home: {who} can write to {folder.path} (mode {folder.mode:04o}, {folder.owner}:{folder.group}), and so "
                f"could replace {home}, which root runs things from. Nothing was changed. Make it root's alone (chown root "
                f"{folder.path} && chmod go-w {folder.path}), or set pypi_home to a folder elsewhere, such as /srv/pypi."
            )
    return ""


def _writers(host: Host, folder: Folder) -> str:
    """Name who could replace what is in a folder, but for root and the account; a sticky bit keeps all but its owner off."""
    uid, _colon, gid = host.account.partition(":")
    if folder.uid not in ("0", uid):
        return folder.owner
    if folder.mode & _STICKY:
        return ""
    if folder.mode & _WRITE_OTHERS:
        return "any account"
    return f"the group {folder.group}" if folder.mode & _WRITE_GROUP and folder.gid not in ("0", gid) else ""


def replaceable(host: Host, user: str, home: str) -> list[str]:
    """Warn of what lets the account, or others, replace what root runs."""
    uid = host.account.partition(":")[0]
    text = []
    for folder in host.parents:
        if folder.path == posixpath.normpath(home):
            if folder.mode & (_WRITE_GROUP | _WRITE_OTHERS):
                text.append(
                    f"pypi_home: {home} could be written to by others (mode {folder.mode:04o}), which this run ends. Look "
                    "whether there is a file that is not yours."
                )
        elif folder.uid != "0" and folder.uid == uid:
            text.append(
                f"pypi_home: {folder.path} belongs to {user}, so who gets at that account could replace {home}, which root "
                f"runs things from. If {user} is no login, make it root's (chown root {folder.path}); else set pypi_home to a "
                "folder elsewhere, such as /srv/pypi, and move the tree there."
            )
    return text


# What root runs or NGINX trusts.
_TRUSTED = (
    "nginx",
    "nginx/conf.d",
    "nginx/tls",
    "nginx/tls/certificate.pem",
    "authentication",
    "pypiserver",
)


def linked(host: Host, home: str) -> str:
    """Refuse a link in the place of a folder of root's: modules that run as root would follow it."""
    links = [name for name in _TRUSTED if host.tree.get(name) == "l"]
    if not links:
        return ""
    return (
        f"pypi_home: {named(links)} in {home} {'is a link' if len(links) == 1 else 'are links'}, which root does not follow. "
        f"Nothing was changed. Put what belongs there in {'its' if len(links) == 1 else 'their'} place."
    )


def another_owner(host: Host, user: str, home: str) -> str:
    """Refuse a tree that containers of the account could not write to, because it belongs to another; say how to mend it."""
    uid, _colon, gid = host.account.partition(":")
    # The folders themselves; a run corrects those that are root's. In index/ nothing but containers writes.
    foreign = [one for one in host.owners if one.uid not in (uid, *(() if "/" in one.name else ("0",)))]
    if not foreign:
        return ""
    old = foreign[0]
    theirs = {one.name for one in foreign if one.uid == old.uid}
    # The folder says it for what is in it.
    names = sorted(name for name in theirs if name.partition("/")[0] not in theirs - {name})
    whose = f"uid {old.uid}" if old.owner == old.uid else f"{old.owner} (uid {old.uid})"
    begins = f"pypi_system_user: in {home}, {named(names)} {'belongs' if len(names) == 1 else 'belong'} to {whose}"
    if not host.account and old.owner == old.uid:
        return (
            f"{begins}, and there is no account {user}. Nothing was changed. If that was its number, create it with that "
            f"(groupadd --system --gid {old.gid} {user} && useradd --system --uid {old.uid} --gid {old.gid} --no-create-home "
            f"--shell /usr/sbin/nologin {user}), and run again."
        )
    if not host.account:
        return (
            f"{begins}, and there is no account {user}. Nothing was changed. Set pypi_system_user: {old.owner}, or create "
            f"{user}, and run again to see how the tree is handed over."
        )
    links = [name for name in ("packages", "index", "logs", "nginx_cache") if host.tree.get(name) == "l"]
    top = posixpath.normpath(home)
    paths = [f"{top}/index/"] if old.uid == "0" else [f"{top}/", *(f"{top}/{name}/" for name in sorted(links))]
    command = f"chown --recursive --no-dereference --from={old.uid} {uid}:{gid} {shlex.join(paths)}"
    instead = "" if old.uid == "0" or old.owner == old.uid else f" If not, set pypi_system_user: {old.owner}."
    return (
        f"{begins}, and the service account is {user} (uid {uid}), whose containers could not write there. Nothing was "
        f"changed. If {user} is right, hand the tree over on this host, and run again at once: {command}{instead}"
    )
