#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Let the next run work on an index
version_added: 0.1.0
description:
  - Ends what M(wheelhouse.pypi.preflight) has begun with O(ignore:lock), at the end of a run, whatever came of it.
  - The hold of another run is left alone.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  instance:
    description: The index.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: In check mode nothing is held.
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: It changes nothing that lasts.
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
  action:
    description: Runs on the controller, as an action plugin.
    support: full
"""

EXAMPLES = r"""
- name: Release the host
  wheelhouse.pypi.release:
    instance: pypi-server
"""

RETURN = r"""# """
