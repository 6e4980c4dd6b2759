#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Say what a run has made of a host
version_added: 0.1.0
description:
  - Says where the index is and who gets in, what runs there, and what the run has changed.
author: The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: It only reads.
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: It changes nothing.
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
  action:
    description: Runs on the controller, as an action plugin.
    support: full
options:
  before:
    description: What M(wheelhouse.pypi.preflight) returned, of which C(engine) and C(compose) are read.
    type: dict
    required: true
  running:
    description: Lines that say what runs now, as C(roles/pypi/files/look.sh) prints them.
    type: list
    elements: str
    required: true
  changes:
    description:
      - What the modules of the run have changed. C(account) and C(images) are names, C(folders) is a number,
        C(written) has files C(created) and C(updated) by folder,
        C(logins) has lists of those C(added), C(updated) and C(removed), C(up) is what Compose has said, C(reloaded) and
        C(rotation) are booleans.
    type: dict
    required: true
  address:
    description: Address of the index, for those who use it.
    type: str
    required: true
  asked:
    description: Where on the host the index was asked for an answer.
    type: str
    required: true
  answers:
    description: Whether it gave one.
    type: bool
    required: true
  tls:
    description: Where the certificate of the index comes from, as C(pypi_tls) says it.
    type: str
    default: none
  certificate:
    description:
      - The certificate in force, as P(community.crypto.x509_certificate_info#filter) describes it; empty if there is none.
    type: dict
    default: {}
  authority_file:
    description: File on the controller with the authority of a certificate that was made for trials.
    type: path
    default: ""
  access:
    description: Sentences about who may do what.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Report
  wheelhouse.pypi.report:
    before: "{{ preflight }}"
    running: "{{ look.stdout_lines }}"
    changes: {written: {nginx/: {updated: [conf.d/pypi.conf]}}, reloaded: true}
    address: https://pypi.example.com
    asked: 127.0.0.1:8080
    answers: true
"""

RETURN = r"""
msg:
  description: The sentences.
  type: list
  elements: str
  returned: always
  sample:
    - The index answers on https://pypi.example.com (asked on the host itself, at 127.0.0.1:8080).
    - Docker 26.1.5, Compose 2.26.1, pypiserver/pypiserver:v2.4.2, nginx:1.30; all containers are healthy.
    - This run changed nothing.
"""
