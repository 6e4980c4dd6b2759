#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_host
short_description: Look at a host before anything on it changes
version_added: 0.1.0
description:
  - Fails, naming the cause and the mend, where the host has no Python that this ansible-core can use, where the
    service account is root by another name, where its home is the folder of the index, and where somebody
    else holds the port that the index is to answer on.
  - Fails where another index has the name or the folder of this one, and where another run is at work on it.
  - Fails where the tree belongs to another account than O(user), where other accounts are in the group of O(user), and where
    others than root and O(user) can write to a folder above O(home).
  - Fails where the tree is of an earlier version, and this run does not do all that it needs (see O(whole)).
  - Fails where another server is in the folder of the index, or has its name elsewhere.
  - Otherwise returns what later roles want to know, gathered by one remote call.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  instance:
    description: The Compose project whose own hold on the port is no obstacle.
    type: str
    required: true
  bind_address:
    description: The address that the index is to answer on.
    type: str
    default: "0.0.0.0"
  port:
    description:
      - The TCP port that the index is to answer on; not looked at when it is not given.
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
  replicas:
    description: How many containers pypiserver is to have.
    type: int
    default: 1
  begin:
    description: Keeps what is found as C(pypi_host_before), too, for M(wheelhouse.pypi.report).
    type: bool
    default: false
  whole:
    description:
      - This playbook brings the tree of an earlier version to this one. A run of it with C(--tags) or C(--skip-tags) does not.
      - Only looked at with O(begin).
    type: bool
    default: false
  removing:
    description: The index is to be removed; another server in O(home) is not.
    type: bool
    default: false
  lock:
    description:
      - The index is taken for this run until M(wheelhouse.pypi.release) ends that, and a second run is refused meanwhile.
        Without it, and outside check mode, a run is refused while another one has the index.
      - A run whose process has ended is replaced; one of another controller after an hour without a sign of it.
    type: bool
    default: false
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
"""

EXAMPLES = r"""
- name: The host has what a run needs, and port 80 is free
  wheelhouse.pypi.check_host:
    instance: pypi-server
    port: 80
    user: pypi
    home: /home/pypi/pypi-server
"""

RETURN = r"""
ansible_facts:
  description: Facts that are added to the host's.
  returned: success
  type: dict
  contains:
    pypi_host:
      description: What the host has.
      type: dict
      contains:
        distribution:
          description: The distribution and its release, such as V(debian-13), V(ubuntu-24.04) or V(rocky-9).
          type: str
        architecture:
          description: The processor, as C(uname -m) says it.
          type: str
        account:
          description: Numeric user and group of the service account, as uid:gid; empty where there is none.
          type: str
        group:
          description: The number of that group; the name of the account, and of the group that a run makes, where there is none.
          type: str
        daemon:
          description: Path of the engine's program, running or not; empty where none is installed.
          type: str
        engine:
          description: Version of the running Docker Engine; empty where none answers.
          type: str
        compose:
          description: Version of the Compose plugin; empty where there is none.
          type: str
        source:
          description: Whose packages the engine is from, V(docker_ce) or V(distro); empty where it is from none.
          type: str
        unfinished:
          description: Packages of the engine whose installation by dpkg was interrupted.
          type: list
          elements: str
        tree:
          description: Whether an earlier run has made folders and password files of the index.
          type: bool
        rotation:
          description:
            - Digest of what rotates the access log, with C( stopped) behind it where systemd does not run its timer now and
              after a boot; empty where there is nothing.
          type: str
        images:
          description: Those of O(images) that the engine has.
          type: list
          elements: str
        files:
          description:
            - Files and folders below O(home), by relative path, but for what is in C(packages), C(index) and the cache,
              each with C(type) (V(f), V(d), V(l)), C(mode), C(owner) (uid:gid), and the C(sha256) of configuration.
          type: dict
        containers:
          description:
            - Containers of O(instance), by service, with C(id), C(image) (its name) and C(healthy). Where a service has
              several, C(id) has all of theirs.
          type: dict
        settled:
          description: Whether all containers are what the Compose file says, of the images that are there, and healthy.
          type: bool
        revision:
          description: Digest of the configuration that NGINX has loaded; empty where it does not run.
          type: str
        answer:
          description: HTTP status of the index's front page without a login; empty where nothing answers.
          type: str
    pypi_host_before:
      description: The same, at the beginning of the run.
      type: dict
"""
