# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the survey of a host is enough to know that there is nothing to do."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import known

HOME = "/home/pypi/index"
TEXT = b"events {}\n"
FOLDER = {"type": "d", "mode": "0700", "owner": "998:997"}
KNOWN: dict[str, Any] = {
    "current": True,
    "home": HOME,
    "user": "pypi",
    "account": "998:997",
    "files": {
        ".": FOLDER,
        "nginx": FOLDER,
        "nginx/nginx.conf": {
            "type": "f", "mode": "0600", "owner": "998:997", "sha256": hashlib.sha256(TEXT).hexdigest()
        },
    },
}  # fmt: skip


# What the module folders is asked for.
TREE = {"path": HOME, "folders": [{"name": "nginx"}], "owner": "pypi", "mode": "0700"}
SEALED = {
    "path": HOME,
    "folders": [{"name": "nginx"}, {"name": "packages", "owner": "pypi", "mode": "0700"}],
    "owner": "root",
    "group": "997",
    "mode": "0750",
    "sealed": ["nginx"],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """KNOWN with one value, at keys with | between them, replaced or added."""
    facts = copy.deepcopy(KNOWN)
    *parents, last = path.split("|")
    at = facts
    for parent in parents:
        at = at[parent]
    at[last] = value
    return facts


@pytest.mark.parametrize(
    ("facts", "are"),
    [
        pytest.param(KNOWN, True, id="as they are to be"),
        pytest.param({}, False, id="nothing is known"),
        pytest.param(changed("current", False), False, id="something has changed since"),
        pytest.param(changed("user", "other"), False, id="another account"),
        pytest.param(changed("account", ""), False, id="no account yet"),
        pytest.param(changed("files", {}), False, id="not there"),
        pytest.param(changed("files|nginx/nginx.conf|sha256", "0"), False, id="another content"),
        pytest.param(changed("files|nginx/nginx.conf|mode", "0644"), False, id="another mode"),
        pytest.param(changed("files|nginx/nginx.conf|owner", "0:0"), False, id="another owner"),
        pytest.param(changed("files|nginx/nginx.conf|type", "l"), False, id="a link"),
        pytest.param(changed("files|nginx/.staged-x", FOLDER), False, id="a run was killed"),
    ],
)
def test_files(facts: dict[str, Any], are: bool) -> None:
    for path, name in ((f"{HOME}/nginx", "nginx.conf"), (f"{HOME}/", "nginx/nginx.conf")):
        assert known.files_are(facts, path, {name: TEXT}, "pypi", "0600") is are


def test_files_elsewhere_are_not_known() -> None:
    assert not known.files_are(KNOWN, "/etc/nginx", {"nginx.conf": TEXT}, "pypi", "0600")


@pytest.mark.parametrize(
    ("facts", "are"),
    [
        pytest.param(KNOWN, True, id="as they are to be"),
        pytest.param(changed("current", False), False, id="something has changed since"),
        pytest.param(changed("files|nginx", {**FOLDER, "mode": "0755"}), False, id="another mode"),
        pytest.param(changed("files|nginx", {**FOLDER, "type": "l"}), False, id="a link"),
        pytest.param(changed("files|.", {**FOLDER, "owner": "0:0"}), False, id="another owner"),
    ],
)
def test_folders(facts: dict[str, Any], are: bool) -> None:
    assert known.folders_are(facts, TREE) is are


def test_a_folder_that_is_missing_is_missed() -> None:
    assert not known.folders_are(KNOWN, {**TREE, "folders": [{"name": "nginx"}, {"name": "packages"}]})


@pytest.mark.parametrize(
    ("owner", "mode", "are"),
    [
        pytest.param("0:997", "0640", True, id="root's, for the group"),
        pytest.param("998:997", "0600", False, id="the account's"),
        pytest.param("0:0", "0640", False, id="of another group"),
        pytest.param("0:997", "0644", False, id="open to others"),
        pytest.param("1000:1000", "0644", True, id="somebody else's, which is left alone"),
    ],
)
def test_what_is_in_a_sealed_folder(owner: str, mode: str, are: bool) -> None:
    sealed = {"type": "d", "mode": "0750", "owner": "0:997"}
    facts = changed("files", {".": sealed, "nginx": sealed, "packages": FOLDER})
    facts["files"]["nginx/own.conf"] = {"type": "f", "mode": mode, "owner": owner}
    assert known.folders_are(facts, SEALED) is are


def test_a_change_ends_what_is_known() -> None:
    result = known.changed(KNOWN, {"changed": True})
    assert result["ansible_facts"]["pypi_host"] == {**KNOWN, "current": False}
    assert known.changed(KNOWN, {"changed": False}) == {"changed": False}
    assert known.changed({}, {"changed": True}) == {"changed": True}
