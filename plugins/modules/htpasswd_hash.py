#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: htpasswd_hash
short_description: Each password hashed once, for all hosts of a play
version_added: 0.1.0
description:
  - Looks at the users that the hosts of the play are to have, and at the hashes that are there, and gives each login
    one hash for all hosts.
  - A bcrypt hash on any of the hosts that has the wanted cost and belongs to the password is kept. A password whose
    hash is in another scheme, of another cost, or of another password is hashed afresh, as C($2y$).
  - However many hosts there are, a password is hashed or verified once. This uses all cores of the controller.
  - Runs on the controller. No connection to a host is made.
  - Returns password hashes. Tasks that use it should set C(no_log) and C(run_once).
author:
  - The wheelhouse.pypi developers (@wheelhouse)
requirements:
  - On the controller, libpass and bcrypt, if passwords are given.
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
  diff_mode:
    description: There is never anything to show.
    support: none
  idempotent:
    description: Returns the same hashes once they are on the hosts.
    support: full
  action:
    description: Runs on the controller, as an action plugin.
    support: full
options:
  wanted:
    description:
      - Name of a variable that each host has, a mapping of C(users), as M(wheelhouse.pypi.htpasswd) takes them, and
        C(bcrypt_cost), 10 if it is missing.
      - It has to be a fact or a registered result. Other hosts do not see variables of a play or defaults of a role.
      - Hosts that do not have it are left out.
    type: str
    required: true
  present:
    description: Name of a variable that each host has, the registered result of M(wheelhouse.pypi.htpasswd_info).
    type: str
    required: true
  earlier:
    description:
      - Name of the variable that this task registers. In a rolling play, later batches then take over what earlier ones
        have hashed and verified. Without it each batch does all the work.
    type: str
seealso:
  - module: wheelhouse.pypi.htpasswd
  - module: wheelhouse.pypi.htpasswd_info
"""

EXAMPLES = r"""
- name: The logins on the host are known
  wheelhouse.pypi.htpasswd_info:
    path: /home/pypi/pypi-server/authentication
  register: present
  no_log: true

- name: The logins that this host is to have are known to all hosts
  ansible.builtin.set_fact:
    wanted:
      users: "{{ pypi_users }}"
      bcrypt_cost: "{{ pypi_bcrypt_cost }}"
  no_log: true

- name: Each password is hashed once
  wheelhouse.pypi.htpasswd_hash:
    wanted: wanted
    present: present
    earlier: hashed
  run_once: true
  register: hashed
  no_log: true

- name: The logins are as wanted
  wheelhouse.pypi.htpasswd:
    path: /home/pypi/pypi-server/authentication
    users: "{{ pypi_users }}"
    hashes: "{{ hashed.hosts[inventory_hostname] }}"
"""

RETURN = r"""
hosts:
  description: For each host, the hash of each login that is to be there, those that were given as hashes included.
  type: dict
  returned: success
  sample: {pypi1.example.com: {alice: $2y$10$...}}
hashed:
  description: Number of passwords that were hashed afresh.
  type: int
  returned: success
  sample: 1
verified:
  description: Number of passwords whose hash on some host was verified and kept.
  type: int
  returned: success
  sample: 9
known:
  description: What a later batch of the same rolling play need not find out again; means nothing outside this run.
  type: dict
  returned: success
"""
