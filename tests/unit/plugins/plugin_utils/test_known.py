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
    assert known.folders_are(facts, HOME, ["nginx"], "pypi", "0700") is are


def test_a_folder_that_is_missing_is_missed() -> None:
    assert not known.folders_are(KNOWN, HOME, ["nginx", "packages"], "pypi", "0700")


def test_a_change_ends_what_is_known() -> None:
    result = known.changed(KNOWN, {"changed": True})
    assert result["ansible_facts"]["pypi_host"] == {**KNOWN, "current": False}
    assert known.changed(KNOWN, {"changed": False}) == {"changed": False}
    assert known.changed({}, {"changed": True}) == {"changed": True}
