#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: folders
short_description: Make a tree of folders in one call
version_added: 0.1.0
description:
  - Creates what is missing of a tree of folders, and corrects owner, group and mode of what is there.
  - What is in the folders is left alone, and so is a folder that is a symbolic link, such as one to a larger disk.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  path:
    description: The top of the tree, absolute. Parents that are missing are made with the system's defaults.
    type: path
    required: true
  folders:
    description: Folders below O(path), relative to it, parents before their children.
    type: list
    elements: str
    default: []
  owner:
    description: Name of the user that owns O(path) and O(folders).
    type: str
    required: true
  group:
    description: Name of the group; by default the primary group of O(owner).
    type: str
  mode:
    description: Mode of O(path) and O(folders), as an octal string.
    type: str
    required: true
  known:
    description:
      - The fact C(pypi_host) that M(wheelhouse.pypi.check_host) has set. Where it shows that nothing is to change, the
        action answers by itself, and no remote call is made.
    type: dict
  modes:
    description:
      - Other modes of some of O(folders), by their name there. An empty one leaves the folder alone, owner included, if
        it is there already.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
"""

EXAMPLES = r"""
- name: Folders of the index exist
  wheelhouse.pypi.folders:
    path: /home/pypi/pypi-server
    folders: [nginx, nginx/conf.d, packages]
    owner: pypi
    mode: "0700"
"""

RETURN = r"""
created:
  description: Folders that were made, or would be.
  returned: always
  type: list
  elements: str
corrected:
  description: Folders whose owner, group or mode was changed, or would be.
  returned: always
  type: list
  elements: str
"""

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "folders": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str", "required": True},
            "group": {"type": "str"},
            "mode": {"type": "str", "required": True},
            # For the action of the same name.
            "known": {"type": "dict"},
            "modes": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    top = module.params["path"]
    wanted = {path: _wanted(module, path) for path in _paths(module)}
    # All are looked at before the first is touched.
    found = {path: _found(module, path) for path in wanted}
    left = {os.path.join(top, name) for name, mode in module.params["modes"].items() if not mode}
    created = [path for path, before in found.items() if not before]
    corrected = [
        path
        for path, before in found.items()
        if before not in ({}, wanted[path]) and path not in left and not os.path.islink(path)
    ]
    if not module.check_mode:
        for path in found:
            if path in created or path in corrected:
                _make(module, path, wanted[path], exists=path in corrected)
    module.exit_json(
        changed=bool(created or corrected),
        created=created,
        corrected=corrected,
        diff={
            "before": "".join(_line(path, found[path]) for path in corrected),
            "after": "".join(_line(path, wanted[path], module.params["owner"]) for path in [*corrected, *created]),
        },
    )


def _line(path: str, state: dict[str, int], owner: str = "") -> str:
    """Say in a line of a diff what a folder is, or is to be."""
    try:
        owner = owner or pwd.getpwuid(state["owner"]).pw_name
    except KeyError:  # a number without a name
        owner = str(state["owner"])
    return f"{path} owner={owner} mode={state['mode']:04o}\n"


def _paths(module: AnsibleModule) -> list[str]:
    """Return the top and the folders below it, parents first."""
    top = module.params["path"]
    return [top, *(os.path.join(top, name) for name in module.params["folders"])]


def _wanted(module: AnsibleModule, path: str) -> dict[str, int]:
    """Return uid, gid and mode to be; in check mode the account may not exist yet."""
    mode = module.params["modes"].get(os.path.relpath(path, module.params["path"])) or module.params["mode"]
    owner, group = module.params["owner"], module.params["group"]
    try:
        account = pwd.getpwnam(owner)
        gid = grp.getgrnam(group).gr_gid if group else account.pw_gid
        uid = account.pw_uid
    except KeyError as error:
        if not module.check_mode:
            module.fail_json(msg=f"owner or group: {error.args[0]}. Create the account first.")
        uid = gid = -1
    return {"owner": uid, "group": gid, "mode": int(mode, 8)}


def _found(module: AnsibleModule, path: str) -> dict[str, int]:
    """Return uid, gid and mode of a folder; empty where there is none."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(path):
            module.fail_json(
                msg=f"{path} is a symbolic link to {os.readlink(path)}, and that is not there. "
                "Mount or make it, or remove the link, then run again."
            )
        return {}
    if not stat.S_ISDIR(status.st_mode):
        module.fail_json(msg=f"{path} is there and is no folder. Move it away, then run again.")
    return {
        "owner": status.st_uid,
        "group": status.st_gid,
        "mode": stat.S_IMODE(status.st_mode),
    }


def _make(module: AnsibleModule, path: str, wanted: dict[str, int], exists: bool) -> None:
    """Create a folder or correct it; closed to others from its first moment."""
    try:
        if not exists:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkdir(path, 0o700)
        os.chown(path, wanted["owner"], wanted["group"])
        os.chmod(path, wanted["mode"])
    except OSError as error:
        module.fail_json(msg=f"{path}: {error.strerror}")


if __name__ == "__main__":
    main()
