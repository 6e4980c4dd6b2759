#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: htpasswd
short_description: Logins and tokens of a package index, with their rights
version_added: 0.1.0
description:
  - Makes the password file of a package index from the whole list of its users, in one go.
  - C(.htpasswd) holds all logins. C(credentials.conf) has two maps of NGINX from C($remote_user). C($pypi_credential) is the
    credential that a login stands for, so that what NGINX has cached about a login ends with the login's password.
    C($pypi_login_rights) is what it may change, such as C(publish:acme-* delete); a login that it does not name may change
    nothing.
  - C(tokens.conf) has the entries of another map, from the SHA-256 of a token to its end, its id and its rights.
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
    description: Folder of the password file. Made with O(directory_mode) where it is missing.
    type: path
    required: true
  users:
    description:
      - The users, each login once, with the keys of an entry of C(pypi_users), such as name, password or hash, publish, expires
        and state. docs/variables.md describes them.
    type: list
    elements: dict
    required: true
  hashes:
    description:
      - Hash of each password, by login, as M(wheelhouse.pypi.htpasswd_hash) returns it for this host.
      - Passwords of logins that are not in it are hashed or verified by this task, for this host alone.
    type: dict
    default: {}
  tokens:
    description:
      - All tokens, with the keys of an entry of C(pypi_tokens). One that is not named is revoked.
      - Without this option, all tokens stay as they are.
    type: list
    elements: dict
  bcrypt_cost:
    description: Cost of the hashes that this task makes. Not used for logins in O(hashes).
    type: int
    default: 10
  purge:
    description:
      - Whether everything goes that O(users) does not name, comments and malformed lines included.
      - Otherwise other logins keep their hash, their rights and their place, and comments and malformed lines stay.
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
  description: Logins whose hash or rights changed, sorted.
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
tokens:
  description:
    - Ids of tokens, as C(added), C(updated) and C(removed), sorted; and as C(valid) each token with what it may, and until when.
  type: dict
  returned: success
  sample: {added: [ci-acme], updated: [], removed: [], valid: ["ci-acme (may read, publish acme-*, until 2027-03-31)"]}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd, tokens
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import (
    Attributes,
    Change,
    FileSet,
    FileSetError,
    parse_mode,
)
from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import describe, scheme_of

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    # From the action plugin: name, rights, state.
    "users": {"type": "list", "elements": "dict", "required": True},
    "hashes": {"type": "dict", "default": {}, "no_log": True},
    # From the action plugin: id, sha256, rights, reads, end.
    "tokens": {"type": "list", "elements": "dict", "no_log": False},
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
        name, rights, present = str(entry["name"]), tuple(entry["rights"]), entry["state"] == "present"
        password_hash = str(arguments["hashes"].get(name) or "")
        if not htpasswd.NAME.match(name):
            raise FileSetError("%r cannot be a login" % name.partition(":")[0])
        if present and scheme_of(password_hash) is None:
            raise FileSetError("user %r: the hash is %s" % (name, describe(password_hash)))
        if not all(htpasswd.RIGHT.match(right) for right in rights):
            raise FileSetError(
                "user %r: a right is a word in lower case, perhaps with a pattern of projects behind a colon" % name
            )
        users.append(htpasswd.User(name, password_hash, rights, present))
    if len({user.name for user in users}) != len(users):
        raise FileSetError("a user is named more than once")
    return users


def wanted_tokens(entries: list[dict[str, Any]]) -> list[tokens.Token]:
    """The tokens as asked for; raise FileSetError for what would spoil the file."""
    try:
        wanted = [tokens.token(entry) for entry in entries]
    except ValueError as error:
        raise FileSetError(str(error)) from error
    for what in ("id", "sha256"):
        if len({getattr(token, what) for token in wanted}) != len(wanted):
            raise FileSetError("two tokens have the same %s" % what)
    return wanted


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
    if module.check_mode:
        return plan(module, file_set, users)[0]
    file_set.make_folder()
    with file_set.locked():
        file_set.remove_leftovers()
        result, changes = plan(module, file_set, users)
        if changes:
            files = {change.name: change.after for change in changes if change.after is not None}
            with file_set.staged(files) as staging:
                file_set.commit(changes, staging)
    return result


def plan(module: AnsibleModule, file_set: FileSet, users: list[htpasswd.User]) -> tuple[dict[str, Any], list[Change]]:
    """The result in full, and the changes of files that make it true."""
    purge = module.params["purge"]
    there = htpasswd.parse(file_set.read(htpasswd.ALL_USERS))
    credentials = file_set.read(htpasswd.CREDENTIALS)
    hashes = htpasswd.hashes(there)
    rights = htpasswd.rights_before(credentials, hashes)
    before = htpasswd.logins(hashes, rights)
    lines = htpasswd.merge(there, users, purge)
    for problem in htpasswd.problems(htpasswd.ALL_USERS, lines):
        module.warn("%s: %s" % (file_set.folder, problem))

    unknown = sorted(hashes.keys() - {user.name for user in users}) if not htpasswd.is_whole(credentials) else []
    if unknown and not purge:
        module.warn(
            "%s: %s is missing, so %s may read only. Name them in pypi_users, with their rights"
            % (file_set.folder, htpasswd.CREDENTIALS, ", ".join(map(htpasswd.shown, unknown)))
        )

    hashes = htpasswd.hashes(lines)
    rights = {**rights, **{user.name: user.rights for user in users}}
    rights = {name: words for name, words in rights.items() if name in hashes}
    after = htpasswd.logins(hashes, rights)
    added, updated, removed = htpasswd.what_changes(before, after)
    present = tokens.parse(file_set.read(tokens.TOKENS))
    entries = module.params["tokens"]
    wanted = present if entries is None else wanted_tokens(entries)
    # A login that something else has added on the host; the rules have compared those of the inventory.
    both = [token.id for token in wanted if token.id in after]
    if both:
        raise FileSetError("a login of the host has the name of token %r: give the token another id" % both[0])
    if entries and not users and hashes:
        module.warn(
            "%s: pypi_users is empty, so %d login%s of the host remain%s valid beside the tokens. To remove logins, list them in "
            "pypi_users with state: absent; wheelhouse.pypi.logins names them"
            % (file_set.folder, len(hashes), *(("", "s") if len(hashes) == 1 else ("s", "")))
        )
    token_changes = tokens.what_changes(present, wanted)
    changes = file_set.plan(
        {
            htpasswd.ALL_USERS: htpasswd.as_bytes(lines),
            htpasswd.CREDENTIALS: htpasswd.credentials(hashes, rights),
            **({} if entries is None else {tokens.TOKENS: tokens.as_bytes(wanted)}),
        }
    )
    text = ["+ %s (%s)" % (name, htpasswd.called(after[name][1])) for name in added]
    text += ["~ %s: %s" % (name, what) for name, what in updated.items()]
    text += ["- %s" % name for name in removed]
    text += tokens.as_lines(*token_changes)
    for change in changes:
        if change.before is None:
            text.append("+ file %s" % change.name)
        elif change.after is None:
            text.append("- file %s" % change.name)
        elif change.attributes:
            text.append(
                "~ file %s: %s"
                % (
                    change.name,
                    ", ".join("%s %s -> %s" % (key, *pair) for key, pair in sorted(change.attributes.items())),
                )
            )
        elif change.content_differs and not any(
            token_changes if change.name == tokens.TOKENS else (added, updated, removed)
        ):
            what = "tokens" if change.name == tokens.TOKENS else "logins"
            text.append("~ file %s: rewritten, with the same %s" % (change.name, what))
    result: dict[str, Any] = {
        "changed": bool(changes),
        "added": added,
        "updated": list(updated),
        "removed": removed,
        "tokens": {
            "added": sorted(token_changes[0]),
            "updated": sorted(token_changes[1]),
            "removed": token_changes[2],
            "valid": ["%s (%s)" % (token.id, tokens.called(token)) for token in sorted(wanted, key=lambda one: one.id)],
        },
    }
    if changes:
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
