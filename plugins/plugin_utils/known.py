# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the survey of a host already tells about its files, so that nobody has to go there to find nothing to do.

A survey costs one remote call and a module another one each. Where the fact ``pypi_host`` shows that all is as wanted,
an action answers by itself; in any other case, doubt included, the module looks and acts.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from typing import Any

STAGING_PREFIX = ".staged-"


def below_home(known: Mapping[str, Any], path: str) -> str | None:
    """The path of a folder as the survey names it, relative to the home of the index; None where it is elsewhere."""
    relative = posixpath.relpath(posixpath.normpath(path), known["home"])
    return None if relative.startswith("..") else relative


def files_are(
    known: Mapping[str, Any], path: str, files: Mapping[str, bytes], owner: str, mode: str, group: str | None = None
) -> bool:
    """Whether all files of a set are there with these contents, owner and mode, and no killed run left anything.

    Args:
        known: the fact ``pypi_host``; one that is not current proves nothing.
        path: folder of the set.
        files: contents by name, relative to the folder.
        owner: name of the account, or root.
        mode: octal, such as 0600.
        group: number of the group in text; by default the owner's own.
    """
    whose = owner_of(known, owner, group)
    folder = below_home(known, path) if whose else None
    if folder is None or any(_name(found).startswith(STAGING_PREFIX) for found in known["files"]):
        return False
    return all(
        _is(known, posixpath.normpath(posixpath.join(folder, name)), "f", whose, mode)
        and known["files"][posixpath.normpath(posixpath.join(folder, name))].get("sha256")
        == hashlib.sha256(content).hexdigest()
        for name, content in files.items()
    )


def folders_are(known: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Whether a tree is as the module folders is to make it: real folders, each with its owner and mode.

    Args:
        known: the fact ``pypi_host``.
        arguments: of the module.
    """
    top = below_home(known, str(arguments["path"]))
    if not known.get("current") or top is None:
        return False
    folders = [{"name": "."}, *(arguments.get("folders") or [])]
    return all(
        _is(
            known,
            posixpath.normpath(posixpath.join(top, one["name"])),
            "d",
            owner_of(known, one.get("owner") or arguments["owner"], arguments.get("group")),
            str(one.get("mode") or arguments["mode"]),
        )
        for one in folders
    ) and not any(
        _unsealed(known, posixpath.normpath(posixpath.join(top, name)), arguments)
        for name in arguments.get("sealed") or []
    )


def _unsealed(known: Mapping[str, Any], folder: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a sealed folder has something of the account's, or of root's that others may get to."""
    whose = owner_of(known, str(arguments["owner"]), arguments.get("group"))
    givers = {"0", known["account"].partition(":")[0]}
    return any(
        path.startswith(folder + "/")
        and found["type"] in ("f", "d")
        and found["owner"].partition(":")[0] in givers
        and (found["owner"] != whose or found["mode"] not in ("0640", "0750"))
        for path, found in known["files"].items()
    )


def owner_of(known: Mapping[str, Any], owner: str, group: str | None = None) -> str:
    """Owner and group as the survey tells them, ``uid:gid``; empty where it is not known, or proves nothing."""
    account = str(known.get("account") or "") if known else ""
    if not account or known.get("current") is not True or owner not in ("root", known.get("user")):
        return ""
    uid, _colon, gid = account.partition(":")
    mine = f"{uid}:{gid}" if owner == known.get("user") else "0:0"
    return mine if group is None else f"{mine.partition(':')[0]}:{group}" if str(group).isdigit() else ""


def belongs_to_root(known: Mapping[str, Any], path: str, mode: str) -> bool:
    """Whether a file, named relative to the home of the index, is root's and the account's group's, with this mode."""
    found = known.get("files", {}).get(path, {})
    group = str(known.get("account")).partition(":")[2]
    return known.get("current") is True and (found.get("type"), found.get("owner"), found.get("mode")) == (
        *("f", f"0:{group}", mode),
    )


def _is(known: Mapping[str, Any], path: str, kind: str, whose: str, mode: str) -> bool:
    found = known["files"].get(path, {})
    return (
        bool(whose) and (found.get("type"), found.get("owner")) == (kind, whose) and found["mode"] == mode.rjust(4, "0")
    )


def _name(path: str) -> str:
    return posixpath.basename(path)


def changed(known: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Return a module's result; one that changed something says that the survey is not current any more."""
    if known and result.get("changed"):
        result["ansible_facts"] = {"pypi_host": {**known, "current": False}}
    return result
