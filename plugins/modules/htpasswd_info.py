#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: htpasswd_info
short_description: Logins in the password file of a package index
version_added: 0.1.0
description:
  - Reads the file C(.htpasswd) of a folder, whatever is in it.
  - Returns password hashes. Tasks that use it should set C(no_log).
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  path:
    description: Folder of the password file. A folder or file that is not there has no logins.
    type: path
    required: true
seealso:
  - module: wheelhouse.pypi.htpasswd
  - module: wheelhouse.pypi.htpasswd_hash
"""

EXAMPLES = r"""
- name: The logins on the host are known
  wheelhouse.pypi.htpasswd_info:
    path: /home/pypi/pypi-server/authentication
  register: present
  no_log: true
"""

RETURN = r"""
users:
  description: Hash of each login in C(.htpasswd), as the servers see it; the first line of a name counts.
  type: dict
  returned: success
  sample: {alice: $2y$10$...}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import Attributes, FileSet, FileSetError

ARGUMENTS = {"path": {"type": "path", "required": True}}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        file_set = FileSet(module.params["path"], Attributes())
        lines = htpasswd.parse(file_set.read(htpasswd.ALL_USERS))
    except FileSetError as error:
        module.fail_json(msg=str(error))
    # JSON has no names that are not UTF-8. No inventory can ask for them either: logins are ASCII.
    users = {
        name: password_hash
        for name, password_hash in htpasswd.hashes(lines).items()
        if (name + password_hash).isascii()
    }
    module.exit_json(changed=False, users=users)


if __name__ == "__main__":
    main()
