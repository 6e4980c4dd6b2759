#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prove
short_description: Use a package index as clients do, and fail where it does not work
version_added: 0.2.0
description:
  - Asks the index through NGINX for a page without a login, for pages in both forms, a file and its metadata, by their hashes,
    and sends a removal and an upload.
  - The login is a token that is made for this, and ends after minutes. It is in the memory of NGINX alone, and cannot
    change anything; its requests are in no log of the index.
  - Where a container has another image than the one that was proved last, all are watched for O(seconds).
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: none}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  url:
    description: Where NGINX answers on the host. Its certificate is not verified, as it is for another name.
    type: str
    required: true
  home:
    description: Folder of the index.
    type: path
    required: true
  instance:
    description: The Compose project.
    type: str
    required: true
  refuses:
    description: Whether pages need a login.
    type: bool
    default: true
  seconds:
    description: How long they are watched. A crash at the first work after the start shows by then.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Prove the index
  wheelhouse.pypi.prove:
    url: http://127.0.0.1:80
    home: /home/pypi/pypi-server
    instance: pypi-server
"""

RETURN = r"""
proved:
  description: What works, in words.
  type: list
  elements: str
  returned: success
  sample: [a refusal, "a login", "pages of both forms", "a file and its metadata", "a removal", "an upload"]
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import proof
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "instance": {"type": "str", "required": True},
    "refuses": {"type": "bool", "default": True},
    "seconds": {"type": "int", "default": 30},
}
LAST_LINES = 20


class Containers:
    """The containers of a Compose project, by Docker's command line."""

    def __init__(self, module: AnsibleModule, project: str) -> None:
        """Take the module, whose ``run_command`` asks Docker, and the project."""
        self._module = module
        self._filter = ["label=com.docker.compose.project=" + project, "label=com.docker.compose.oneoff=False"]
        self._before = self._look()

    def _docker(self, *arguments: str, **options: object) -> tuple[str, str]:
        status, stdout, stderr = self._module.run_command(["docker", *arguments], handle_exceptions=False, **options)
        if status != 0:
            raise proof.Failed("docker %s failed: %s" % (arguments[0], stderr.strip() or stdout.strip()))
        return stdout, stderr

    def _look(self) -> dict[str, dict[str, str]]:
        """What there is to know of each container by its name."""
        filters = [part for one in self._filter for part in ("--filter", one)]
        names = self._docker("ps", "--all", "--quiet", *filters)[0].split()
        service = '{{index .Config.Labels "com.docker.compose.service"}}'
        words = "{{slice .Name 1}} %s {{.Image}} {{.RestartCount}} {{.State.Status}}" % service
        lines = self._docker("inspect", "--format", words, *names)[0].splitlines() if names else []
        keys = ("name", "service", "image", "restarts", "state")
        return {line.split()[0]: dict(zip(keys, line.split())) for line in lines}

    def have_other_images(self, kept: str) -> bool:
        """Whether one has another image than a file of services and images says; not without such a file."""
        if not os.path.exists(kept):
            return False
        with open(kept, encoding="utf-8") as stream:
            images = {line.split()[0]: line.split()[1] for line in stream}
        return any(images.get(one["service"]) != one["image"] for one in self._before.values())

    def watch(self, seconds: int) -> None:
        """Wait for some seconds; fail if one is started again or ends meanwhile, or has since they were first looked at."""
        end = time.monotonic() + seconds
        while True:
            now = self._look()
            for name, one in self._before.items():
                if now.get(name, {}).get("state") != "running" or now[name]["restarts"] != one["restarts"]:
                    raise proof.Failed("%s was healthy, and then ended" % name, one["service"])
            if time.monotonic() >= end:
                return
            time.sleep(1)

    def load(self, token: str, seconds: int) -> None:
        """Have NGINX take a token that may read, and rehearse changes, for some seconds."""
        for name in self._of("nginx"):
            line = proof.entry(token, int(time.time()) + seconds)
            self._docker("exec", "--interactive", name, "sh", "-c", "umask 077; cat >/tmp/proof.conf", data=line)
            self._docker("exec", name, "nginx", "-c", "/etc/pypi-nginx/nginx.conf", "-s", "reload")
        # Until processes that do not know it take no more requests.
        time.sleep(0.5)

    def unload(self) -> None:
        """Remove the token's file; what NGINX has loaded of it ends by itself."""
        for name in self._of("nginx"):
            self._module.run_command(["docker", "exec", name, "rm", "-f", "/tmp/proof.conf"])

    def last_lines(self, service: str) -> str:
        """What the containers of a service have written last, without NGINX's access log."""
        text = ""
        for name in self._of(service):
            _status, stdout, stderr = self._module.run_command(["docker", "logs", "--tail", "200", name])
            lines = ("" if service == "nginx" else stdout).splitlines() + stderr.splitlines()
            text += "\nThe log of %s ends:\n%s" % (name, "\n".join("    " + line for line in lines[-LAST_LINES:]))
        return text

    def _of(self, service: str) -> list[str]:
        return [name for name, one in self._before.items() if one["service"] == service]


def main() -> None:
    """Run as an Ansible module."""
    talk_to_own_engine()
    module = AnsibleModule(argument_spec=ARGUMENTS)
    arguments = module.params
    try:
        containers = Containers(module, arguments["instance"])
    except proof.Failed as error:
        module.fail_json(msg=str(error))
    index = proof.Index(arguments["url"], proof.new_token())
    try:
        if proof.takes_tokens(arguments["home"]):
            containers.load(index.token, proof.TOKEN_SECONDS)
            proved = index.prove(arguments["refuses"])
        else:
            # A release that knows no such token: going back to it.
            proved = index.prove_closed(arguments["refuses"])
        others = containers.have_other_images(arguments["home"] + "/.previous/images")
        containers.watch(arguments["seconds"] if others else 0)
    except proof.Failed as error:
        module.fail_json(msg="%s.%s" % (error, containers.last_lines(error.service)))
    finally:
        containers.unload()
    module.exit_json(changed=False, proved=proved)


if __name__ == "__main__":
    main()
