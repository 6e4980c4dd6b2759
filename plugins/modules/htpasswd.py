#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: htpasswd
short_description: Readers and publishers of a package index
version_added: 0.1.0
description:
  - Makes the password files of a package index from the whole list of its users, in one go.
  - C(.htpasswd) holds all logins, C(.htpasswd-publish) those that may change something. C(credentials.conf) has two maps
    of NGINX from C($remote_user). C($pypi_credential) is the credential that a login stands for, so that what
    NGINX has cached about a login ends with the login's password or rights. C($pypi_login_rights) is what it may
    change, C(publish), C(delete) or both; a login that it does not name may change nothing.
  - C(peer/secret.conf) has the secret by which pypi-server knows NGINX, as a C(map) of NGINX too. It is made here, on the
    host, once, and again only where it is empty or malformed. No result shows it.
  - The file C(rights) of earlier releases is read once more, and left to the pypi-server of that release, which reads it with
    every upload as long as it serves.
  - Passwords are hashed on the controller (see O(hashes)). Only hashes reach the host, and neither appears in results,
    differences, messages or logs.
  - The files are written together. When that fails, the old ones stay.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
requirements:
  - On the controller, libpass and bcrypt, if passwords are given. The host needs nothing.
attributes:
  check_mode:
    description: Says exactly what would change.
    support: full
  diff_mode:
    description: Names users and what is new about them, never a hash.
    support: full
  idempotent:
    description: A hash on the host that still fits its password is kept.
    support: full
  action:
    description: Passwords stay on the controller, where the action plugin of the same name hashes them.
    support: full
options:
  path:
    description: Folder of the password files. Made with O(directory_mode) where it is missing.
    type: path
    required: true
  users:
    description: The users, each login once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The login, in printable ASCII without spaces and colons.
        type: str
        required: true
      password:
        description: The password, in printable ASCII, at most 72 characters.
        type: str
      hash:
        description: A hash instead of a password; C($2a$), C($2b$), C($2y$), C($5$), C($6$) or C($apr1$).
        type: str
      publish:
        description: Whether the user may upload.
        type: bool
        default: false
      delete:
        description: Whether the user may remove releases.
        type: bool
        default: false
      state:
        description: Whether the login exists. With V(absent), password and hash are not needed.
        type: str
        choices: [present, absent]
        default: present
  hashes:
    description:
      - Hash of each password, by login, as M(wheelhouse.pypi.htpasswd_hash) returns it for this host.
      - Passwords of logins that are not in it are hashed or verified by this task, for this host alone.
    type: dict
    default: {}
  bcrypt_cost:
    description: Cost of the hashes that this task makes. Not used for logins in O(hashes).
    type: int
    default: 10
  purge:
    description:
      - Whether everything goes that O(users) does not name, comments and malformed lines included.
      - Otherwise other logins keep their hash, their right to publish and their place, and comments stay. A malformed
        line stays in C(.htpasswd), but not in C(.htpasswd-publish), where it would make every upload fail.
    type: bool
    default: true
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
  - module: wheelhouse.pypi.htpasswd_hash
  - module: wheelhouse.pypi.htpasswd_info
"""

EXAMPLES = r"""
- name: Alice may publish, Bob may read, all others are refused
  wheelhouse.pypi.htpasswd:
    path: /home/pypi/pypi-server/authentication
    users:
      - name: alice
        password: "{{ alice_password }}"
        publish: true
      - name: bob
        hash: "{{ bob_hash }}"
    owner: pypi
    group: pypi

- name: Remove Carol, and keep all others
  wheelhouse.pypi.htpasswd:
    path: /home/pypi/pypi-server/authentication
    users:
      - name: carol
        state: absent
    purge: false
"""

RETURN = r"""
added:
  description: Logins that were not there, sorted.
  type: list
  elements: str
  returned: success
  sample: [alice]
updated:
  description: Logins whose hash or right to publish changed, sorted.
  type: list
  elements: str
  returned: success
  sample: [bob]
removed:
  description: Logins that were removed, sorted.
  type: list
  elements: str
  returned: success
  sample: [carol]
secret_changed:
  description: Whether C(peer/secret.conf) was made. Containers that have read the old one then have to read it again.
  type: bool
  returned: success
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import (
    Attributes,
    Change,
    FileSet,
    FileSetError,
    parse_mode,
)

USER = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "hash": {"type": "str", "no_log": True},
    "publish": {"type": "bool", "default": False},
    "delete": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "users": {"type": "list", "elements": "dict", "required": True, "options": USER},
    "hashes": {"type": "dict", "default": {}, "no_log": True},
    "bcrypt_cost": {"type": "int", "default": 10},
    "purge": {"type": "bool", "default": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0600"},
    "directory_mode": {"type": "raw", "default": "0700"},
}


def wanted_users(arguments: dict[str, Any]) -> list[htpasswd.User]:
    """The users as asked for, each with a hash; raise FileSetError for what would spoil the files."""
    users = []
    for entry in arguments["users"]:
        present = entry["state"] == "present"
        password_hash = arguments["hashes"].get(entry["name"]) or entry["hash"] or ""
        if not htpasswd.NAME.match(entry["name"]):
            raise FileSetError("%r cannot be a login" % entry["name"].partition(":")[0])
        if present and htpasswd.scheme_of(password_hash) is None:
            raise FileSetError("user %r: the hash is %s" % (entry["name"], htpasswd.describe(password_hash)))
        users.append(htpasswd.User(entry["name"], password_hash, entry["publish"], present, entry["delete"]))
    if len({user.name for user in users}) != len(users):
        raise FileSetError("a user is named more than once")
    return users


def apply(module: AnsibleModule) -> dict[str, Any]:
    """Bring the files to what the arguments say; return the module's result, raise FileSetError if that cannot be."""
    arguments = module.params
    users = wanted_users(arguments)
    file_set = FileSet(
        arguments["path"],
        Attributes(
            arguments["owner"],
            arguments["group"],
            parse_mode(arguments["mode"]),
            parse_mode(arguments["directory_mode"]),
        ),
    )
    secret_set = FileSet(arguments["path"], secret_attributes(arguments["owner"], arguments["group"]))
    if module.check_mode:
        return plan(module, file_set, users, plan_secret(secret_set))[0]
    file_set.make_folder()
    with file_set.locked():
        file_set.remove_leftovers()
        secret = plan_secret(secret_set)
        result, changes = plan(module, file_set, users, secret)
        # The secret last: where it is, all that NGINX is to find is there.
        for some, all_of_them in ((file_set, changes), (secret_set, secret)):
            if all_of_them:
                files = {change.name: change.after for change in all_of_them if change.after is not None}
                with some.staged(files) as staging:
                    some.commit(all_of_them, staging)
    return result


def secret_attributes(owner: str | None, group: str | None) -> Attributes:
    """Of the secret: root's, and readable for the account's group, as NGINX and pypi-server run with that."""
    if group is None and owner is not None:
        try:
            number = Attributes(owner).ids()[1]
            group = None if number == -1 else str(number)
        except FileSetError:
            pass  # an account that check mode will have made
    return Attributes("0" if os.geteuid() == 0 else None, group, 0o640, 0o750)


def plan_secret(file_set: FileSet) -> list[Change]:
    """The change that the secret needs, if any; what is there stays if it is well-formed."""
    there = file_set.read(htpasswd.SECRET)
    return file_set.plan({htpasswd.SECRET: there if htpasswd.is_secret(there) else htpasswd.new_secret()})


def plan(
    module: AnsibleModule, file_set: FileSet, users: list[htpasswd.User], secret: list[Change]
) -> tuple[dict[str, Any], list[Change]]:
    """The result in full, and the changes of files other than the secret that make it true."""
    purge = module.params["purge"]
    all_there = htpasswd.parse(file_set.read(htpasswd.ALL_USERS))
    publish_there = htpasswd.parse(file_set.read(htpasswd.PUBLISHERS))
    credentials = file_set.read(htpasswd.CREDENTIALS)
    publishers = htpasswd.hashes(publish_there)
    named = htpasswd.rights_before(credentials, publishers, file_set.read(htpasswd.RIGHTS))
    before = htpasswd.rights(htpasswd.hashes(all_there), publishers, named)
    all_lines, publish_lines = htpasswd.merge_both(all_there, publish_there, users, purge)
    for problem in htpasswd.problems({htpasswd.ALL_USERS: all_lines, htpasswd.PUBLISHERS: publish_lines}):
        module.warn("%s: %s" % (file_set.folder, problem))

    unknown = sorted(publishers.keys() - {user.name for user in users}) if credentials is None else []
    if unknown and not purge:
        module.warn(
            "%s: %s is missing, so %s may read only. Name them in pypi_users, with their rights"
            % (file_set.folder, htpasswd.CREDENTIALS, ", ".join(map(htpasswd.shown, unknown)))
        )

    all_after, publish_after = htpasswd.hashes(all_lines), htpasswd.hashes(publish_lines)
    named = htpasswd.merge_rights(named, users)
    after = htpasswd.rights(all_after, publish_after, named)
    added, updated, removed = htpasswd.what_changes(before, after)
    changes = file_set.plan(htpasswd.contents(all_lines, publish_lines, named))
    text = ["+ %s (%s)" % (name, htpasswd.called(after[name][1])) for name in added]
    text += ["~ %s: %s" % (name, what) for name, what in updated.items()]
    text += ["- %s" % name for name in removed]
    for change in [*changes, *secret]:
        if change.before is None:
            text.append("+ file %s" % change.name)
        elif change.after is None:
            text.append("- file %s" % change.name)
        elif change.name == htpasswd.SECRET and change.content_differs:
            text.append("~ file %s: made again, as it was empty or malformed" % change.name)
        elif change.attributes:
            text.append(
                "~ file %s: %s"
                % (
                    change.name,
                    ", ".join("%s %s -> %s" % (key, *pair) for key, pair in sorted(change.attributes.items())),
                )
            )
        elif change.content_differs and not (added or updated or removed):
            text.append("~ file %s: rewritten, with the same logins" % change.name)
    result: dict[str, Any] = {
        "changed": bool(changes or secret),
        "added": added,
        "updated": list(updated),
        "removed": removed,
        "secret_changed": any(change.content_differs for change in secret),
    }
    if changes or secret:
        result["diff"] = {"prepared": "".join(line + "\n" for line in ["# " + file_set.folder, *text])}
    return result, changes


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = apply(module)
    except FileSetError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename or module.params["path"], error.strerror or error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
