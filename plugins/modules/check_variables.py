#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_variables
short_description: Public variables fit together
version_added: 0.1.0
description:
  - Judges public variables of the collection by rules that argument specs cannot express, alone and together.
  - Reports every problem in one message that names the variable, the value and the mend, never a password or a hash.
  - If a user has a password, it also makes sure that the controller can hash it, and says what to install if it cannot.
  - Runs on the controller. No connection to the host is made.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
requirements:
  - On the controller, libpass and bcrypt, if a user has a password.
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
  variables:
    description:
      - The variables to judge, by name.
      - Names without a rule are ignored, and a rule whose variables are not given is not applied.
    type: dict
    required: true
  public:
    description:
      - Names of all public variables of the collection.
      - A variable of the host that begins with C(pypi_), is none of them and is almost like one is a problem.
      - Without names no spelling is judged.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Public variables fit together
  wheelhouse.pypi.check_variables:
    variables:
      pypi_authenticate: "{{ pypi_authenticate }}"
      pypi_users: "{{ pypi_users }}"
      pypi_http_port: "{{ pypi_http_port }}"
"""

RETURN = r""" # """
