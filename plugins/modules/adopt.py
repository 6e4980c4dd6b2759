#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt
short_description: Take over a server that was set up by hand
version_added: 0.1.0
description:
  - Does what only a take-over needs, in two steps. Between the two, roles write the files of the index while the old
    containers go on serving.
  - A step that was interrupted is done again.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  path:
    description: The folder of the server and the index.
    type: path
    required: true
  instance:
    description: The Compose project of the index.
    type: str
    required: true
  owner:
    description: The account that is to own packages and cache, and whose group is to read passwords and configuration.
    type: str
    required: true
  state:
    description:
      - With V(kept), O(path) becomes root's, files that are going to be replaced are copied into C(adopted/), and
        configuration of NGINX that was there becomes root's, readable for the group of O(owner).
      - With V(replaced), Compose has only its new file left to read, the old containers are stopped, C(packages) and
        C(nginx_cache) belong to O(owner) with all that is in them, C(authentication) and C(nginx) to root and that
        group, the old containers are removed, and new ones are started. It does not wait for these to be healthy.
    type: str
    choices: [kept, replaced]
    required: true
  compose_file:
    description: Text of the Compose file from which V(replaced) starts the new containers.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
seealso:
  - module: wheelhouse.pypi.adopt_info
"""

EXAMPLES = r"""
- name: Files from before are kept
  wheelhouse.pypi.adopt:
    path: /home/pypi/pypi-server
    instance: pypi-server
    owner: pypi
    state: kept

- name: Containers from before are replaced
  wheelhouse.pypi.adopt:
    path: /home/pypi/pypi-server
    instance: pypi-server
    owner: pypi
    state: replaced
    compose_file: "{{ lookup('ansible.builtin.template', 'docker-compose.yml.j2') }}"
"""

RETURN = r"""
copies:
  description: Copies that were made, below O(path).
  type: list
  elements: str
  returned: success
removed:
  description: Names of the containers that are gone.
  type: list
  elements: str
  returned: success
given:
  description: By folder, how many files and folders of whom belong to O(owner) or root now.
  type: dict
  returned: success
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import adoption
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import inspect_all, talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.file_set import Attributes, FileSetError

# Seconds for NGINX to finish the requests that it has, uploads among them.
FRONT_SECONDS = "10"


def keep(module: AnsibleModule, home: str, owner: tuple[int, int]) -> dict[str, Any]:
    """Copy what is going to be replaced, and let the service account read what NGINX has."""
    if not module.check_mode:
        adoption.try_to_give(home, adoption.TREES)
        adoption.secure(home, owner)
    names = adoption.replaced(home) + adoption.in_the_way_of_compose(home) + adoption.in_the_way_of_nginx(home)
    copies = adoption.keep(home, names, owner, time.localtime(), module.check_mode)
    given = adoption.strangers(home, ["nginx"], owner)
    if not module.check_mode:
        adoption.begin(home, owner)
        adoption.give(home, ["nginx"], owner)
    return {"copies": copies, "removed": [], "given": given}


def replace(module: AnsibleModule, home: str, owner: tuple[int, int]) -> dict[str, Any]:
    """Put the new containers in the place of the old ones; from the first stop to the last start, in as little time as can be."""
    containers = adoption.by_hand(inspect_all(module), module.params["instance"], home)
    in_the_way = adoption.in_the_way_of_compose(home)
    if module.check_mode:
        given = adoption.strangers(home, adoption.TREES, owner)
        return {"copies": [], "removed": [one.name for one in containers], "given": given}
    copies = adoption.keep(home, in_the_way, owner, time.localtime(), dry=False)
    adoption.take_away(home, in_the_way)
    # Run by root: neither a file of the tree, which was the account's until now, nor .env says what.
    compose = ["docker", "compose", "--project-name", module.params["instance"], "--project-directory", home]
    up = [*compose, "--env-file", os.devnull, "--file", "-", "up", "--detach", "--pull", "never"]
    text = module.params["compose_file"]
    # Networks, and the one service that no old container has the name or the port of.
    docker(module, [*up, "--no-deps", "auth"], text)
    # Without an old service of that name, which Compose has just replaced.
    left = adoption.by_hand(inspect_all(module), module.params["instance"], home)
    given = adoption.strangers(home, adoption.TREES, owner)
    front = [one.id for one in left if one.running and not one.is_pypiserver]
    back = [one.id for one in left if one.running and one.is_pypiserver]
    try:
        if front:
            docker(module, ["docker", "stop", "-t", FRONT_SECONDS, *front])
        if back:
            # As the first process of its container, pypiserver would not hear that it is to stop.
            docker(module, ["docker", "kill", *back])
        adoption.give(home, adoption.TREES, owner)
        adoption.close(home)
    except (OSError, DockerError):
        if (front or back) and module.run_command(["docker", "start", *back, *front])[0] == 0:
            module.warn("The old containers were stopped, and started again.")
        raise
    if left:
        docker(module, ["docker", "rm", "--force", *(one.id for one in left)])
    # What becomes of the containers is the next task's to see, and to tell in full.
    module.run_command([*up, "--remove-orphans"], data=text, binary_data=True)
    forget_networks(module, sorted({module.params["instance"], *(one.project for one in containers)}))
    adoption.finish(home)
    return {"copies": copies, "removed": [one.name for one in containers], "given": given}


class DockerError(Exception):
    """What Docker said when it did not do what it was told."""


def docker(module: AnsibleModule, command: list[str], text: str | None = None) -> str:
    """Run a command of Docker, with a text on its input; return what it printed, or raise DockerError."""
    status, stdout, stderr = module.run_command(command, data=text, binary_data=True)
    if status != 0:
        raise DockerError("%s: %s" % (" ".join(command[:3]), (stderr or stdout).strip(" .\n")))
    return stdout


def forget_networks(module: AnsibleModule, projects: list[str]) -> None:
    """Remove the networks of the old projects that no container is in any more."""
    for project in projects:
        label = "label=com.docker.compose.project=%s" % project
        for name in docker(module, ["docker", "network", "ls", "--quiet", "--filter", label]).split():
            used = module.run_command(["docker", "network", "inspect", "--format", "{{len .Containers}}", name])[1]
            if used.strip() == "0":
                docker(module, ["docker", "network", "rm", name])


def diff(result: dict[str, Any]) -> dict[str, str]:
    """What was done, a line each."""
    lines = ["+ %s" % copy for copy in result["copies"]]
    lines += [
        "~ %s/: %s" % (tree, ", ".join("%d of %s" % (count, whose) for whose, count in sorted(counts.items())))
        for tree, counts in result["given"].items()
    ]
    lines += ["- container %s" % name for name in result["removed"]]
    return {"prepared": "".join(line + "\n" for line in lines)}


def main() -> None:
    """Run as an Ansible module."""
    talk_to_own_engine()
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "instance": {"type": "str", "required": True},
            "owner": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["kept", "replaced"], "required": True},
            "compose_file": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    home = module.params["path"]
    try:
        owner = Attributes(module.params["owner"]).ids()
    except FileSetError as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        owner = (-1, -1)
    try:
        result = (keep if module.params["state"] == "kept" else replace)(module, home, owner)
    except OSError as error:
        module.fail_json(msg="%s: %s. Run again to go on." % (error.filename or home, error.strerror or error))
    except DockerError as error:
        module.fail_json(msg="%s. Run again to go on." % error)
    module.exit_json(changed=any(result.values()), diff=diff(result), **result)


if __name__ == "__main__":
    main()
