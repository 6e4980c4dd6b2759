#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: The certificate of an index, judged before it goes live
version_added: 0.1.0
description:
  - Judges a certificate and its key that somebody provides - they belong together, have not expired, and are for the
    name that clients ask for - and puts them on the host.
  - Or makes a certificate for trials, with an authority of its own that clients can trust. The authority's key is
    thrown away at once, so that it can sign nothing else.
  - Or says whether an ACME server has to be asked for one.
  - Nothing changes where the certificate cannot go live, and no key is in a result, a difference or a message.
author: The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Tells names, authority and end of the certificate before and after.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
  action:
    description: Runs on the controller, as an action plugin, which goes to the host only to change something.
    support: full
options:
  source:
    description: Where the certificate comes from.
    type: str
    choices: [provided, self_signed, acme]
    required: true
  state:
    description: With V(judged) nothing is changed.
    type: str
    choices: [judged, present]
    default: present
  path:
    description: Folder on the host for C(certificate.pem), C(key.pem) and, of one that was made here, C(authority.pem).
    type: path
    required: true
  certificate:
    description: O(source=provided). PEM file of the certificate, those that have signed it behind it.
    type: str
    default: ""
  key:
    description: O(source=provided). PEM file of the key. On the controller it may be encrypted by Ansible Vault.
    type: str
    default: ""
  files_on:
    description: Where O(certificate) and O(key) are.
    type: str
    choices: [controller, host]
    default: controller
  server_name:
    description: Name that clients ask for; V(_) is none.
    type: str
    default: _
  external_url:
    description: Address that clients use; its host counts where there is no O(server_name).
    type: str
    default: ""
  address:
    description: Name that counts where neither of the two says one.
    type: str
    default: ""
  authority_file:
    description: O(source=self_signed). File on the controller that gets the authority's certificate.
    type: path
    default: ""
  owner:
    description: Account that owns the files.
    type: str
    required: true
  group:
    description: Group that may read them, by name or number. By default the primary group of O(owner).
    type: str
  validate:
    description: Command that judges the files, as in M(wheelhouse.pypi.config_files).
    type: list
    elements: str
    default: []
  known:
    description: The fact C(pypi_host) that M(wheelhouse.pypi.check_host) has set.
    type: dict
    required: true
seealso:
  - module: wheelhouse.pypi.config_files
"""

EXAMPLES = r"""
- name: Certificate of the company's authority is there
  wheelhouse.pypi.certificate:
    source: provided
    path: /home/pypi/pypi-server/nginx/tls
    certificate: /etc/pki/pypi.example.com.pem
    key: /etc/pki/pypi.example.com.key
    files_on: host
    server_name: pypi.example.com
    owner: pypi
    known: "{{ ansible_facts['pypi_host'] }}"
"""

RETURN = r"""
needed:
  description: Whether the host has no certificate that is for the name and lasts for 30 days more.
  type: bool
  returned: always
  sample: false
"""
