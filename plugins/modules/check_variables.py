#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_variables
short_description: Check public variables
version_added: 0.1.0
description:
  - Checks public variables of the collection by the argument spec of role C(pypi), and by rules that it cannot express.
  - A variable of the host that begins with C(pypi_), is not public and is spelt almost like one that is, is a problem.
  - Reports every problem in one message that names the variable, the value and the remedy, never a password or a hash.
  - Warns of passwords that are in the inventory in clear.
  - If a user has a password, it also makes sure that the controller can hash it, and says what to install if it cannot.
  - Runs on the controller. No connection to the host is made.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
requirements:
  - On the controller, libpass and bcrypt, if a user has a password.
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  variables:
    description:
      - The variables to check, by name. By default all public variables, as the host has them.
      - Names that are not of a public variable are ignored, and a rule whose variables are missing is not applied.
    type: dict
  without:
    description:
      - Names of public variables that are not checked.
    type: list
    elements: str
    default: []
  token:
    description:
      - An entry that is to be added to C(pypi_tokens). Then this is checked alone, with the logins and tokens that there are.
    type: dict
"""

EXAMPLES = r"""
- name: Check some variables
  wheelhouse.pypi.check_variables:
    variables:
      pypi_authenticate: "{{ pypi_authenticate }}"
      pypi_users: "{{ pypi_users }}"
      pypi_http_port: "{{ pypi_http_port }}"
"""

RETURN = r""" # """
