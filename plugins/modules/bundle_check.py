#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_check
short_description: A bundle is whole, and has what a host lacks
version_added: 0.2.0
description:
  - Where the host lacks packages or images, verifies every byte of the bundle, once in a run and not once per host, and
    says where its parts are. They are copies of what was verified, in a folder that goes when the run ends.
  - Where the host lacks nothing, the bundle is not even opened.
  - Fails, naming the cause and the mend, where the bundle is truncated, altered, none at all or of another format,
    where it is not the one with O(sha256), and where it is for other hosts or has not what this one lacks.
  - Runs on the controller. No connection to the host is made.
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
  path:
    description: The bundle, on the controller.
    type: path
    required: true
  sha256:
    description: SHA-256 that the whole file must have, in hex.
    type: str
    default: ""
  host:
    description: The fact C(pypi_host) of M(wheelhouse.pypi.check_host).
    type: dict
    required: true
  images:
    description: Names of the images that the host is to have.
    type: list
    elements: str
    required: true
  source:
    description: Whose packages the host is to have, V(distro) or V(docker_ce). V(auto) takes those of the bundle.
    type: str
    default: auto
  version:
    description: Version that the engine is to have, or the beginning of it.
    type: str
    default: ""
seealso:
  - module: wheelhouse.pypi.bundle_pack
"""

EXAMPLES = r"""
- name: Bundle is whole, and has what the host lacks
  wheelhouse.pypi.bundle_check:
    path: /srv/bundle.tar
    host: "{{ ansible_facts['pypi_host'] }}"
    images: ["nginx:1.30"]
"""

RETURN = r"""
ansible_facts:
  description: Facts that are added to the host's.
  returned: success
  type: dict
  contains:
    pypi_bundle_parts:
      description: What of the bundle is on the controller; empty where the host lacks nothing.
      type: dict
      contains:
        packages:
          description: Path of the packages.
          type: str
        images:
          description: Path of the images.
          type: str
        compose:
          description: Path of the Compose plugin; empty where the bundle has none.
          type: str
        source:
          description: Whose packages of the engine these are, V(distro) or V(docker_ce).
          type: str
"""
