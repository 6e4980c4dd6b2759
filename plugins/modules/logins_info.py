#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: logins_info
short_description: Logins and tokens of a package index, with rights, expiry and last use
version_added: 0.1.0
description:
  - Reads what is in force on the host, not what an inventory wants. The last use comes from the access log.
  - Returns no password, no hash and no token.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  path:
    description: Folder of the index, with C(authentication/) and C(logs/). What is missing there has no logins and no uses.
    type: path
    required: true
  logins:
    description: Whether the logins of C(authentication/.htpasswd) count. Tokens always do.
    type: bool
    default: true
  expires:
    description: The last valid day of logins by name, which the host does not know.
    type: dict
    default: {}
seealso:
  - module: wheelhouse.pypi.htpasswd
"""

EXAMPLES = r"""
- name: Look up who may what
  wheelhouse.pypi.logins_info:
    path: /home/pypi/pypi-server
  register: known
"""

RETURN = r"""
logins:
  description:
    - Each login, then each token, sorted by name. C(last_used) is a time (ISO 8601), and empty where the log has no use of it.
  type: list
  elements: dict
  returned: success
  sample:
    - {name: ci-acme, kind: token, rights: [read], expires: "2027-03-31", last_used: "2026-11-28T14:03:10+00:00"}
log_begins:
  description: Time of the first line of the access log. Empty without one, and where all logins were found.
  type: str
  returned: success
  sample: "2026-08-30T00:00:01+00:00"
lines:
  description: The same as lines for people.
  type: list
  elements: str
  returned: success
  sample: ["token ci-acme (may read, publish acme-*, until 2027-03-31): last used 2026-11-28 14:03 UTC"]
"""

import datetime
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd, tokens
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import Attributes, FileSet, FileSetError
from ansible_collections.wheelhouse.pypi.plugins.module_utils.last_use import last_use

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "logins": {"type": "bool", "default": True},
    "expires": {"type": "dict", "default": {}},
}


def known(file_set: FileSet, with_logins: bool, expires: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Logins and tokens of the folder of password files, without their last use."""
    hashes = htpasswd.hashes(htpasswd.parse(file_set.read(htpasswd.ALL_USERS))) if with_logins else {}
    rights = htpasswd.rights_before(file_set.read(htpasswd.CREDENTIALS), hashes)
    found = [
        {
            "name": htpasswd.shown(name),
            "kind": "login",
            "rights": ["read", *rights.get(name, ())],
            "expires": str(expires.get(name) or ""),
        }
        for name in hashes
    ]
    found += [
        {
            "name": one.id,
            "kind": "token",
            "rights": [*(["read"] if one.reads else []), *one.rights],
            "expires": "" if one.end is None else tokens.last_day(one.end),
        }
        for one in tokens.parse(file_set.read(tokens.TOKENS))
    ]
    return sorted(found, key=lambda entry: (entry["kind"], entry["name"]))


def line(entry: Mapping[str, Any], log_begins: str) -> str:
    """What there is to say of a login or token, for people."""
    until = "until %s" % entry["expires"] if entry["expires"] else "does not expire"
    if entry["last_used"]:
        used = "last used %s" % _minute(entry["last_used"])
    elif log_begins:
        used = "not used since %s, when the log begins" % _minute(log_begins)
    else:
        used = "there is no access log"
    return "%s %s (%s, %s): %s" % (entry["kind"], entry["name"], htpasswd.may(entry["rights"]), until, used)


def _minute(time: str) -> str:
    """A time of the log in UTC, without seconds; as it is where it cannot be read."""
    try:
        return datetime.datetime.fromisoformat(time).astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return time


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    home = module.params["path"]
    try:
        file_set = FileSet(home + "/authentication", Attributes())
        found = known(file_set, module.params["logins"], module.params["expires"])
    except FileSetError as error:
        module.fail_json(msg=str(error))
    used: dict[str, str] = {}
    begins = ""
    try:
        used, begins = last_use(home + "/logs", [entry["name"] for entry in found])
    except FileNotFoundError:
        pass  # an index that has not been started yet
    except OSError as error:
        module.fail_json(msg="%s/logs cannot be read: %s" % (home, error.strerror or error))
    for entry in found:
        entry["last_used"] = used.get(entry["name"], "")
    module.exit_json(changed=False, logins=found, log_begins=begins, lines=[line(entry, begins) for entry in found])


if __name__ == "__main__":
    main()
