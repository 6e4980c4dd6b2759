#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_info
short_description: What a server is that was set up by hand
version_added: 0.1.0
description:
  - Looks at the files, containers and logins of a package server that was set up by hand in the folder of an index.
  - Returns no password hash, only in which scheme weak ones are.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  path:
    description: The folder.
    type: path
    required: true
  instance:
    description: The Compose project that the index is to be.
    type: str
    required: true
  owner:
    description: The account that is to own the files, which need not exist yet.
    type: str
    required: true
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
seealso:
  - module: wheelhouse.pypi.adopt
"""

EXAMPLES = r"""
- name: What is there is known
  wheelhouse.pypi.adopt_info:
    path: /home/pypi/pypi-server
    instance: pypi-server
    owner: pypi
"""

RETURN = r"""
containers:
  description: Containers of the server, with name, image, published ports, and whether they run.
  type: list
  elements: dict
  returned: success
replaced:
  description: Files that roles write over.
  type: list
  elements: str
  returned: success
aside:
  description: Files that Compose or NGINX would read beside those of the index.
  type: list
  elements: str
  returned: success
unfinished:
  description: Whether a run has begun to take the server over, and none has finished that.
  type: bool
  returned: success
networks:
  description: Networks of the server's Compose project.
  type: list
  elements: str
  returned: success
open:
  description: Folders that others than O(owner) and root may enter so far, below O(path), which is C(.) itself.
  type: list
  elements: str
  returned: success
owners:
  description:
    - By folder, how many files and folders of whom do not belong to O(owner) or root as they are to, or cannot be read
      and written.
  type: dict
  returned: success
logins:
  description: Logins of the password file, each with what is weak about its hash, or nothing.
  type: dict
  returned: success
needs_login:
  description: Actions that need a login so far; null where no container tells.
  type: list
  elements: str
  returned: success
problems:
  description: What has to be done by hand first, because something would be lost.
  type: list
  elements: str
  returned: success
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import adoption
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import inspect_all, talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import Attributes, FileSetError


def networks(module: AnsibleModule, projects: list[str]) -> list[str]:
    """Names of the networks of some projects, without those that the index has too."""
    found = []
    for project in projects:
        label = "label=com.docker.compose.project=%s" % project
        found += module.run_command(["docker", "network", "ls", "--format", "{{.Name}}", "--filter", label])[1].split()
    return [
        name
        for name in found
        if name not in ("%(instance)s_front" % module.params, "%(instance)s_back" % module.params)
    ]


def main() -> None:
    """Run as an Ansible module."""
    talk_to_own_engine()
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "instance": {"type": "str", "required": True},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    home = module.params["path"]
    try:
        owner = Attributes(module.params["owner"]).ids()
    except FileSetError:
        owner = (-1, -1)
    try:
        containers = adoption.by_hand(inspect_all(module), module.params["instance"], home)
        servers = [one for one in containers if one.is_pypiserver]
        links = adoption.linked(home)
        told = [adoption.settings(one.arguments) for one in servers]
        module.exit_json(
            changed=False,
            containers=[
                {"name": one.name, "image": one.image, "ports": list(one.ports), "running": one.running}
                for one in containers
            ],
            replaced=adoption.replaced(home),
            aside=adoption.in_the_way_of_compose(home) + adoption.in_the_way_of_nginx(home),
            unfinished=os.path.isfile(os.path.join(home, adoption.UNFINISHED)),
            networks=networks(module, sorted({one.project for one in containers})),
            open=adoption.open_to_others(home),
            owners={} if links else adoption.strangers(home, adoption.TREES, owner),
            logins=adoption.logins(os.path.join(home, adoption.PASSWORDS)),
            needs_login=list(told[0].authenticate) if told else None,
            problems=links
            + [problem for one in containers for problem in adoption.exposed(one, home)]
            + [problem for one in servers for problem in adoption.misplaced(one, home)],
        )
    except OSError as error:
        module.fail_json(msg="%s: %s" % (error.filename or home, error.strerror or error))


if __name__ == "__main__":
    main()
