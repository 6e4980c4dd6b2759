#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Files that go live together, after a checker has accepted them
version_added: 0.1.0
description:
  - Puts a set of files into one folder of the host in a single call.
  - Where anything differs, the complete new set is first written into a staging folder, and a checker such as
    C(nginx -t) judges it there as a whole. Only then the files replace the live ones, each by an atomic rename.
    A set that the checker refuses, or that cannot be written in full, leaves the live files as they are.
  - The checker does not run when only owner or mode differ, and nothing runs when nothing differs.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode:
    support: full
    details: The set is staged and checked as in a normal run, if the folder is there.
  diff_mode:
    support: full
    details: Shows changed files line by line; new ones, and those of O(shown_by_name), by name.
  platform: {platforms: posix}
options:
  path:
    description: Folder on the host. Missing folders are made, with O(directory_mode), O(owner) and O(group).
    type: path
    required: true
  files:
    description:
      - Files of the set, by their path below O(path), and the text each is to have, exactly.
      - The lookup P(ansible.builtin.template#lookup) makes such a text from a template.
    type: dict
    required: true
  stage_also:
    description:
      - Patterns, relative to O(path), of files that do not belong to the set, yet that the checker has to see
        beside it, such as certificates or settings put there by hand.
      - C(*) matches neither C(/) nor a leading dot.
    type: list
    elements: str
    default: []
  remove_others:
    description:
      - Patterns, relative to O(path), of files that are removed where they are not in the set, such as modules that a program
        no longer has. They go with the same step that brings the set, and stay if the checker refuses it.
      - C(*) matches neither C(/) nor a leading dot. Folders stay.
    type: list
    elements: str
    default: []
  validate:
    description:
      - Command that judges the set, as a list of program and arguments; no shell is involved.
      - C({staged}) in any argument stands for the staging folder, which has O(owner), O(group) and O(directory_mode).
      - The set is accepted if the command ends with 0.
    type: list
    elements: str
    default: []
  shown_by_name:
    description:
      - Patterns of files of which a difference shows the name alone, such as those of a program.
      - C(*) matches C(/) as well.
    type: list
    elements: str
    default: []
  owner:
    description: User who owns the files, by name or number. Left as it is if not given.
    type: str
  group:
    description: Group of the files, by name or number. By default the primary group of O(owner), if that is given.
    type: str
  mode:
    description: Permissions of the files, as quoted octal digits.
    type: raw
    default: '0600'
  directory_mode:
    description: Permissions of folders that are made. Folders that are there already are left alone.
    type: raw
    default: '0700'
seealso:
  - plugin: ansible.builtin.template
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: NGINX's files are live once nginx -t has accepted all of them
  wheelhouse.pypi.config_files:
    path: /home/pypi/pypi-server/nginx
    files:
      nginx.conf: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
      conf.d/pypi.conf: "{{ lookup('ansible.builtin.template', 'pypi.conf.j2') }}"
    stage_also: [tls/*]
    owner: pypi
    group: pypi
    mode: '0640'
    validate: [nginx, -t, -c, '{staged}/nginx.conf']
"""

RETURN = r"""
created:
  description: Files that were not there, sorted.
  type: list
  elements: str
  returned: success
  sample: [conf.d/pypi.conf]
updated:
  description: Files that had another content, owner or mode, sorted.
  type: list
  elements: str
  returned: success
  sample: [nginx.conf]
removed:
  description: Files that O(remove_others) has removed, sorted.
  type: list
  elements: str
  returned: success
  sample: []
content_changed:
  description: Whether more than owners and modes changed, so that programs have to read the files again.
  type: bool
  returned: success
validated:
  description: Whether the checker ran, and accepted the set.
  type: bool
  returned: success
refused:
  description: Files that differ from the live ones and are in the set that the checker refused.
  type: list
  elements: str
  returned: when the checker refused the set
stdout:
  description: What the checker wrote to its standard output.
  type: str
  returned: when the checker ran
stderr:
  description: What the checker wrote to its standard error.
  type: str
  returned: when the checker ran
"""

import contextlib
import fnmatch
import os
import shutil
import textwrap
from typing import Any, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import (
    Attributes,
    Change,
    FileSet,
    FileSetError,
    parse_mode,
)

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    # no_log keeps whole configuration files out of the host's journal; see main()
    "files": {"type": "dict", "required": True, "no_log": True},
    "stage_also": {"type": "list", "elements": "str", "default": []},
    "remove_others": {"type": "list", "elements": "str", "default": []},
    "validate": {"type": "list", "elements": "str", "default": []},
    "shown_by_name": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0600"},
    "directory_mode": {"type": "raw", "default": "0700"},
}


class Refused(FileSetError):
    """The checker did not accept the set; ``result`` holds what it said."""

    def __init__(self, message: str, **result: Any) -> None:
        super().__init__(message)
        self.result = result


def as_diff(folder: str, change: Change) -> dict[str, str]:
    """One entry of Ansible's diff: texts if the content differs, else owner and mode."""
    path = os.path.join(folder, change.name)
    diff = {"before_header": path, "after_header": path}
    if change.content_differs:
        before, after = (
            "" if content is None else content.decode("utf-8", "replace") for content in (change.before, change.after)
        )
    else:
        before, after = (
            "".join("%s: %s\n" % (key, pair[side]) for key, pair in sorted(change.attributes.items()))
            for side in (0, 1)
        )
    return dict(diff, before=before, after=after)


def as_diffs(folder: str, changes: Sequence[Change], by_name: Sequence[str]) -> list[dict[str, str]]:
    """Ansible's diff: a list of names for new files and for those that are shown by name, then one entry for each other."""
    named = [
        change
        for change in changes
        if (change.content_differs or change.after is None)
        and (change.before is None or any(fnmatch.fnmatch(change.name, pattern) for pattern in by_name))
    ]
    entries = [{"prepared": "# %s\n%s" % (folder, _names(named))}] if named else []
    return entries + [as_diff(folder, change) for change in changes if change not in named]


def _names(changes: Sequence[Change]) -> str:
    """A paragraph each for new files (+), removed ones (-) and others (~) of each folder, with their names."""
    folders: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        parent, name = os.path.split(change.name)
        sign = "-" if change.after is None else "+" if change.before is None else "~"
        folders.setdefault((sign, parent), []).append(name)
    text = ""
    for (sign, parent), names in folders.items():
        line = "%s %s%s" % (sign, parent + "/: " if parent else "", ", ".join(names))
        text += textwrap.fill(line, 110, subsequent_indent="    ", break_long_words=False) + "\n"
    return text


def check(
    module: AnsibleModule, command: Sequence[str], staging: str, folder: str, changes: Sequence[Change]
) -> dict[str, Any]:
    """Run the checker on a staged set; return what it wrote, raise Refused if it does not accept."""
    arguments = [part.replace("{staged}", staging) for part in command]
    status, stdout, stderr = module.run_command(arguments, expand_user_and_vars=False, handle_exceptions=False)
    # Readers of the message know the folder, not the staging folder, which is removed by then.
    stdout, stderr = (text.replace(staging, folder) for text in (stdout, stderr))
    if status != 0:
        refused = [change.name for change in changes if change.content_differs]
        raise Refused(
            "%s refuses the new files (%s); the live ones in %s stay as they are:\n%s"
            % (command[0], ", ".join(refused), folder, (stderr.strip() or stdout.strip())),
            refused=refused,
            rc=status,
            stdout=stdout,
            stderr=stderr,
        )
    return {"validated": True, "stdout": stdout, "stderr": stderr}


def apply(module: AnsibleModule) -> dict[str, Any]:
    """Bring the folder to what the arguments say; return the module's result, raise FileSetError if that cannot be."""
    arguments = module.params
    files = {name: str(text).encode("utf-8") for name, text in arguments["files"].items()}
    if not files:
        raise FileSetError("there is no file in the set: name at least one in files")
    file_set = FileSet(
        arguments["path"],
        Attributes(
            arguments["owner"],
            arguments["group"],
            parse_mode(arguments["mode"]),
            parse_mode(arguments["directory_mode"]),
        ),
    )
    command = arguments["validate"]

    result: dict[str, Any] = {"validated": False}
    with contextlib.ExitStack() as stack:
        made = [] if module.check_mode else file_set.make_folder()
        for folder in made:
            # Runs last-made first, and only removes what is still empty: nothing came of it.
            stack.callback(_remove_if_empty, folder)
        exists = file_set.exists
        if exists:
            stack.enter_context(file_set.locked())
            if not module.check_mode:
                file_set.remove_leftovers()
        others = dict.fromkeys(file_set.matching(arguments["remove_others"]))
        changes = file_set.plan({**others, **files})
        result.update(summary(file_set.folder, changes, arguments["shown_by_name"]))
        checking = bool(command) and result["content_changed"] and exists
        if checking and shutil.which(command[0]) is None:
            raise FileSetError("the checker %s is not on this host (PATH is %s)" % (command[0], os.environ.get("PATH")))
        if changes and (checking or not module.check_mode):
            also = file_set.matching(arguments["stage_also"])
            staging = stack.enter_context(file_set.staged(files, also))
            if checking:
                result.update(check(module, command, staging.path, file_set.folder, changes))
            if not module.check_mode:
                file_set.commit(changes, staging)
    return result


def _remove_if_empty(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def summary(folder: str, changes: Sequence[Change], by_name: Sequence[str] = ()) -> dict[str, Any]:
    """The part of the result that says what changes; ``by_name`` has patterns of files shown by name."""
    result: dict[str, Any] = {"created": [], "updated": [], "removed": []}
    for change in changes:
        kind = "removed" if change.after is None else "created" if change.before is None else "updated"
        result[kind].append(change.name)
    result["changed"] = bool(changes)
    result["content_changed"] = any(change.content_differs for change in changes)
    result["diff"] = as_diffs(folder, changes, by_name)
    return result


def main() -> None:
    """Run as an Ansible module."""
    talk_to_own_engine()
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    # The contents are no secrets: unmasked, or the diff would read "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER".
    module.no_log_values.clear()
    try:
        result = apply(module)
    except Refused as error:
        module.fail_json(msg=str(error), **error.result)
    except FileSetError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename or module.params["path"], error.strerror or error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
