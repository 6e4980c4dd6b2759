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
from collections.abc import Iterable, Mapping
from typing import Any

STAGING_PREFIX = ".staged-"


def below_home(known: Mapping[str, Any], path: str) -> str | None:
    """The path of a folder as the survey names it, relative to the home of the index; None where it is elsewhere."""
    relative = posixpath.relpath(posixpath.normpath(path), known["home"])
    return None if relative.startswith("..") else relative


def files_are(known: Mapping[str, Any], path: str, files: Mapping[str, bytes], owner: str, mode: str) -> bool:
    """Whether all files of a set are there with these contents, owner and mode, and no killed run left anything.

    Args:
        known: the fact ``pypi_host``; one that is not current proves nothing.
        path: folder of the set.
        files: contents by name, relative to the folder.
        owner: name of the account.
        mode: octal, such as 0600.
    """
    folder = below_home(known, path) if _usable(known, owner) else None
    if folder is None or any(_name(found).startswith(STAGING_PREFIX) for found in known["files"]):
        return False
    return all(
        _is(known, posixpath.normpath(posixpath.join(folder, name)), "f", mode)
        and known["files"][posixpath.normpath(posixpath.join(folder, name))].get("sha256")
        == hashlib.sha256(content).hexdigest()
        for name, content in files.items()
    )


def folders_are(known: Mapping[str, Any], path: str, folders: Iterable[str], owner: str, mode: str) -> bool:
    """Whether a folder and those below it are there, real ones, with this owner and mode."""
    top = below_home(known, path) if _usable(known, owner) else None
    return top is not None and all(
        _is(known, posixpath.normpath(posixpath.join(top, name)), "d", mode) for name in (".", *folders)
    )


def belongs_to_root(known: Mapping[str, Any], path: str, mode: str) -> bool:
    """Whether a file, named relative to the home of the index, is root's and the account's group's, with this mode."""
    found = known.get("files", {}).get(path, {})
    group = str(known.get("account")).partition(":")[2]
    return known.get("current") is True and (found.get("type"), found.get("owner"), found.get("mode")) == (
        *("f", f"0:{group}", mode),
    )


def _usable(known: Mapping[str, Any], owner: str) -> bool:
    return bool(known) and known.get("current") is True and known.get("user") == owner and bool(known.get("account"))


def _is(known: Mapping[str, Any], path: str, kind: str, mode: str) -> bool:
    found = known["files"].get(path, {})
    return (found.get("type"), found.get("owner")) == (kind, known["account"]) and found["mode"] == mode.rjust(4, "0")


def _name(path: str) -> str:
    return posixpath.basename(path)


def changed(known: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Return a module's result; one that changed something says that the survey is not current any more."""
    if known and result.get("changed"):
        result["ansible_facts"] = {"pypi_host": {**known, "current": False}}
    return result
