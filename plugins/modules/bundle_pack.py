#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_pack
short_description: A bundle for hosts that reach no network
version_added: 0.2.0
description:
  - Writes packages, images and perhaps a Compose plugin into one file on the controller, with what they are and with
    their checksums. The file appears whole or not at all.
  - Fails where an image is not in the file of the images, or is for another processor.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
attributes:
  check_mode:
    description: Says that it would write.
    support: full
  diff_mode:
    description: There is never anything to show.
    support: none
  idempotent:
    description: Writes anew each time, with the time in it.
    support: none
  action:
    description: Runs on the controller, as an action plugin, and fetches the files from the host.
    support: full
options:
  path:
    description: The bundle.
    type: path
    required: true
  distribution:
    description: Whose hosts it is for, such as V(debian-13).
    type: str
    required: true
  architecture:
    description: Their processor, as C(uname -m) says it.
    type: str
    required: true
  source:
    description: Whose packages of the engine these are, V(distro) or V(docker_ce).
    type: str
    required: true
  engine:
    description: Names of the packages that are asked for.
    type: list
    elements: str
    required: true
  packages:
    description: Versions of all packages, by their names.
    type: dict
    required: true
  images:
    description: Names of the images.
    type: list
    elements: str
    required: true
  packages_file:
    description: What M(wheelhouse.pypi.bundle_download) wrote, on the host. The user who logs in must be able to read it.
    type: path
    required: true
  images_file:
    description: What C(docker save) wrote.
    type: path
    required: true
  images_on:
    description: Where O(images_file) is.
    type: str
    choices: [controller, host]
    default: host
  compose_file:
    description: A Compose plugin on the host; none where it is empty.
    type: path
    default: ""
seealso:
  - module: wheelhouse.pypi.bundle_download
  - module: wheelhouse.pypi.bundle_check
"""

EXAMPLES = r"""
- name: Bundle is written
  wheelhouse.pypi.bundle_pack:
    path: /srv/bundle.tar
    distribution: debian-13
    architecture: x86_64
    source: distro
    engine: [docker.io]
    packages: {docker.io: 26.1.5, libc6: 2.41-12}
    images: ["nginx:1.30"]
    packages_file: /var/tmp/packages.tar
    images_file: /var/tmp/images.tar
"""

RETURN = r"""
path:
  description: The bundle.
  type: str
  returned: success
sha256:
  description: SHA-256 of the whole file, in hex.
  type: str
  returned: success
size:
  description: Bytes of the file.
  type: int
  returned: success
summary:
  description: What is in it, in lines for a person.
  type: list
  elements: str
  returned: success
"""
