#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Look at a host before anything on it changes
version_added: 0.1.0
description:
  - Fails, naming cause and remedy, where the host has no Python that this ansible-core can use, where the service account
    is root by another name or has the folder of the index as its home, where no space is left, and where another process
    has the port that the index is to answer on.
  - Fails where another index or server has the name or the folder of this one, and where another run is at work on it.
  - Fails where the tree belongs to another account than O(user), where other accounts are in the group of O(user), and
    where others than root and O(user) can write to a folder above O(home).
  - Otherwise returns what the roles have to know before they change anything, gathered by one remote call.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  instance:
    description: The index, which is also its Compose project.
    type: str
    required: true
  bind_address:
    description: The address that the index is to answer on.
    type: str
    default: "0.0.0.0"
  port:
    description:
      - The TCP port that the index is to answer on.
      - Without it and O(removing), a bundle is made on the machine, whatever index or server is there.
    type: int
  tls_port:
    description: The TCP port that it is to answer on with TLS; without one it speaks plain HTTP on O(port) alone.
    type: int
  user:
    description: The service account.
    type: str
    required: true
  home:
    description: The folder of the index.
    type: path
    required: true
  images:
    description: Image references that are looked for in the engine.
    type: list
    elements: str
    default: []
  removing:
    description: The index is to be removed; another server in O(home) is not.
    type: bool
    default: false
  lock:
    description:
      - Takes the index for this run until RV(release) ends that; a second run is refused meanwhile.
        Without it, and outside check mode, a run is refused while another one has the index.
      - A run whose process has ended is replaced; one of another controller after six hours.
    type: bool
    default: false
  nodes:
    description: The inventory group of hosts that share O(home)/packages; empty for a host alone, which is refused a shared one.
    type: str
    default: ""
  diagnosing:
    description: Leaves a stopped Docker alone, which a question would start, with its containers. Its answers are then empty.
    type: bool
    default: false
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
"""

EXAMPLES = r"""
- name: Check the host
  wheelhouse.pypi.preflight:
    instance: pypi-server
    port: 80
    user: pypi
    home: /home/pypi/pypi-server
  register: preflight
"""

RETURN = r"""
release:
  description:
    - Shell command that ends the hold of this run, for M(ansible.builtin.raw) at the end of the run, whatever came of it.
      It leaves the hold of another run alone. Empty where this run holds nothing.
  returned: success
  type: str
distribution:
  description: The distribution and its release, such as V(debian-13), V(ubuntu-24.04) or V(rocky-9).
  returned: success
  type: str
architecture:
  description: The processor, as C(uname -m) says it.
  returned: success
  type: str
account:
  description: Numeric user and group of the service account, as uid:gid; empty where there is none.
  returned: success
  type: str
daemon:
  description: Path of the engine's program, running or not; empty where none is installed.
  returned: success
  type: str
engine:
  description: Version of the running Docker Engine; empty where none answers.
  returned: success
  type: str
compose:
  description: Version of the Compose plugin; empty where there is none.
  returned: success
  type: str
source:
  description: Whose packages the engine is from, V(docker_ce) or V(distro); empty where it is from none.
  returned: success
  type: str
unfinished:
  description: Packages of the engine whose installation by dpkg was interrupted.
  returned: success
  type: list
  elements: str
shared:
  description: Whether what is mounted later, in O(home) or on its C(packages), reaches containers that have a folder of it.
  returned: success
  type: bool
images:
  description: Those of O(images) that the engine has.
  returned: success
  type: list
  elements: str
there:
  description: Files and folders below O(home), relative to it, but for what is in C(packages), C(index) and the cache.
  returned: success
  type: list
  elements: str
"""
