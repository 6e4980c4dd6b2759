#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: batch
short_description: Say whose turn it is in a rollout, and whether it goes on
version_added: 0.1.0
description:
  - For plays with C(serial). Ansible by itself goes on with the next batch unless all hosts of the last one have failed.
  - At the beginning of a batch it says which hosts are its own, and which come later. It fails if hosts of an earlier
    play have failed.
  - At the end of a batch, given the hosts that it began with, it says which of them have failed, and whether the
    rollout is to stop.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
  diff_mode:
    description: There is never anything to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
  action:
    description: Runs on the controller, as an action plugin.
    support: full
options:
  hosts:
    description: At the end of a batch, what RV(hosts) was at its beginning.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Set up private Python package indexes
  hosts: pypi
  serial: 1
  tasks:
    - name: Begin the batch
      wheelhouse.pypi.batch:
      run_once: true
      register: begun

    - name: Work
      block:
        - name: Index is there
          ansible.builtin.import_role:
            name: wheelhouse.pypi.stack
      always:
        - name: End the batch
          wheelhouse.pypi.batch:
            hosts: "{{ begun.hosts }}"
          run_once: true
          register: ended

        - name: Begin no further batch after a failure
          ansible.builtin.meta: end_play
          when: ended.stop
"""

RETURN = r"""
hosts:
  description: The hosts of the batch.
  type: list
  elements: str
  returned: always
  sample: [pypi-2.example.com]
stop:
  description:
    - Whether the play is to end, because a host of the batch has failed while others wait.
    - Ansible ends it by itself where all of the batch have failed.
  type: bool
  returned: always
msg:
  description: What to tell people.
  type: str
  returned: at the beginning of a batch, and where the rollout is to stop
"""
