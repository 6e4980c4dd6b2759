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
  - What is in the folders is left alone.
  - Every change is made to an open folder, which was reached without following a link of any account but root. An account
    that may write there cannot lead root elsewhere while this runs.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  path:
    description: The top of the tree, absolute. Parents that are missing are made as root's, with mode 0755.
    type: path
    required: true
  folders:
    description: Folders below O(path), parents before their children.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Path of the folder, relative to O(path).
        type: str
        required: true
      owner:
        description: Name of the user that owns it; by default O(owner).
        type: str
      mode:
        description: Its mode, as an octal string; by default O(mode).
        type: str
      link:
        description: Whether it may be a symbolic link of root's, such as one to a larger disk, which is then left alone.
        type: bool
        default: false
  owner:
    description: Name of the user that owns O(path), and O(folders) that name no other.
    type: str
    required: true
  group:
    description: Name or number of the group of all; by default the primary group of O(owner).
    type: str
  mode:
    description: Mode of O(path), and of O(folders) that name no other, as an octal string.
    type: str
    required: true
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
  platform: {platforms: posix}
"""

EXAMPLES = r"""
- name: Make the folders of the index
  wheelhouse.pypi.folders:
    path: /home/pypi/pypi-server
    folders:
      - {name: nginx}
      - {name: nginx/conf.d}
      - {name: packages, owner: pypi, mode: "0700", link: true}
    owner: root
    group: pypi
    mode: "0750"
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
from typing import Any, Iterator, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import nofollow


class State(NamedTuple):
    """Owner, group and mode of a folder or file."""

    uid: int
    gid: int
    mode: int


class Folder(NamedTuple):
    """What a folder is to be."""

    path: str
    wanted: State
    owner: str
    link: bool = False


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "folders": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "owner": {"type": "str"},
                    "mode": {"type": "str"},
                    "link": {"type": "bool", "default": False},
                },
            },
            "owner": {"type": "str", "required": True},
            "group": {"type": "str"},
            "mode": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        created, corrected = apply(module)
    except OSError as error:
        module.fail_json(msg="%s%s" % (error.filename or module.params["path"], _in_words(error)))
    module.exit_json(
        changed=bool(created or corrected),
        created=list(created),
        corrected=list(corrected),
        diff={
            "before": "".join(before for before, _after in corrected.values()),
            "after": "".join([*(after for _before, after in corrected.values()), *created.values()]),
        },
    )


def apply(module: AnsibleModule) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Bring the tree to what the arguments say; return, by path, what was made, and what was corrected from what to what."""
    folders = list(_folders(module))
    # All are looked at before the first is touched.
    created = {}
    corrected = {}
    for folder in folders:
        before = _found(folder)
        if before is None:
            created[folder.path] = _line(folder.path, folder.wanted, folder.owner)
        # Where a link leads, others decide on owner and mode.
        elif before != folder.wanted and not (folder.link and os.path.islink(folder.path)):
            after = _line(folder.path, folder.wanted, folder.owner)
            corrected[folder.path] = (_line(folder.path, before), after)
    if not module.check_mode:
        # From the top on: what the account cannot replace any more is where the next one is looked for.
        for folder in folders:
            if folder.path in created or folder.path in corrected:
                _make(folder)
    return created, corrected


def _folders(module: AnsibleModule) -> Iterator[Folder]:
    """Yield the top and the folders below it, as they are to be; in check mode the account may not exist yet."""
    arguments = module.params
    group = arguments["group"]

    def state(owner: str, mode: str) -> State:
        try:
            account = pwd.getpwnam(owner)
            gid = account.pw_gid if group is None else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
            return State(account.pw_uid, gid, int(mode, 8))
        except KeyError as error:
            if not module.check_mode:
                module.fail_json(msg="owner or group: %s. Create the account first." % error.args[0])
            return State(-1, -1, int(mode, 8))

    owner, mode = arguments["owner"], arguments["mode"]
    yield Folder(arguments["path"], state(owner, mode), owner, link=True)
    for one in arguments["folders"]:
        owner = one["owner"] or arguments["owner"]
        path = os.path.join(arguments["path"], one["name"])
        yield Folder(path, state(owner, one["mode"] or mode), owner, one["link"])


def _found(folder: Folder) -> State | None:
    """What a folder is; None where there is none. Raise OSError where something else is in its place."""
    try:
        descriptor = _open(folder)
    except FileNotFoundError:
        if os.path.islink(folder.path):
            text = (
                "is a symbolic link to %s, and that is not there. Mount or make it, or remove the link, then run again."
                % os.readlink(folder.path)
            )
            raise OSError(0, text, folder.path) from None
        return None
    try:
        status = os.fstat(descriptor)
        return State(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    finally:
        os.close(descriptor)


def _open(folder: Folder) -> int:
    if folder.link:
        return nofollow.open_folder(folder.path)
    with nofollow.folder(os.path.dirname(folder.path)) as parent:
        try:
            return os.open(os.path.basename(folder.path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        except NotADirectoryError as error:
            raise NotADirectoryError(error.errno, error.strerror, folder.path) from error


def _make(folder: Folder) -> None:
    """Create a folder or correct it; closed to others from its first moment."""
    parent, _made = nofollow.make_folders(os.path.dirname(folder.path), 0o755)
    try:
        try:
            descriptor = nofollow.make_folder(os.path.basename(folder.path), parent)
        except FileExistsError:
            descriptor = _open(folder)
        try:
            nofollow.hand_over(descriptor, *folder.wanted)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, folder.path) from error
    finally:
        os.close(parent)


# -- words -------------------------------------------------------------------------------------------------------------


def _line(path: str, state: State, owner: str = "") -> str:
    """Say in a line of a diff what a folder is, or is to be."""
    owner = owner or _name(pwd.getpwuid, state.uid)
    # In check mode, the account's group may be one that a run would make.
    group = "" if state.gid == -1 else ":" + _name(grp.getgrgid, state.gid)
    return "%s owner=%s%s mode=%04o\n" % (path, owner, group, state.mode)


def _name(lookup: Any, number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:  # a number without a name
        return str(number)


def _in_words(error: OSError) -> str:
    if isinstance(error, nofollow.ForeignLink) or not error.errno:
        return " %s" % error.strerror
    if not isinstance(error, NotADirectoryError):
        return ": %s" % error.strerror
    if os.path.islink(error.filename):
        return (
            " is a symbolic link, and only a folder that containers write to may be one (packages, index, nginx_cache, "
            "logs). Put there what it leads to, then run again."
        )
    return " exists and is not a folder. Move it away, then run again."


if __name__ == "__main__":
    main()
