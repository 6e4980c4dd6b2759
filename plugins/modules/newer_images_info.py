#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: newer_images_info
short_description: Whether registries have newer images for the tags of those on a host
version_added: 0.2.0
description:
  - Has the engine of the host ask the registry of each image for the digest of its tag, and compares that with what the host
    has. Nothing is pulled.
  - The engine asks, as it does for a pull. That is by its API, as its command line has no such question.
  - A registry that cannot be asked is a result, and no failure.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  images:
    description: References of images that the host has. All are asked about at once.
    type: list
    elements: str
    required: true
  registry:
    description: The registry that the login is for, as it stands before the first slash of images. Empty is Docker's own.
    type: str
    default: ''
  username:
    description: Login of the registry. Empty asks without one.
    type: str
    default: ''
  password:
    description: Its password.
    type: str
    default: ''
  timeout:
    description: Seconds for the answer of a registry.
    type: int
    default: 8
  socket:
    description: Where the engine listens.
    type: path
    default: /var/run/docker.sock
"""

EXAMPLES = r"""
- name: Look for a newer image
  wheelhouse.pypi.newer_images_info:
    images: [nginx:1.30]
  register: asked
"""

RETURN = r"""
images:
  description: What is known of each image, in their order.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The image.
      type: str
    found:
      description:
        - V(newer) where the registry has another digest for the tag than the host, else V(same).
        - V(pinned) where the reference has a digest. No registry is asked then.
        - V(local) where the registry of its name does not know the image. It was built, loaded or tagged on the host, or,
          if the engine keeps images in containerd, it may have been removed from the registry.
        - V(unasked) where the engine or the registry has no answer.
      type: str
    reason:
      description: Why there is no answer. Empty where there is.
      type: str
  sample: [{name: "nginx:1.30", found: newer, reason: ""}]
unasked:
  description:
    - Images whose registry has no answer, a line each with the reason.
    - Not C(unreachable), which Ansible takes for its own.
  type: list
  elements: str
  returned: success
  sample: ["nginx:1.30: no answer within 8 s"]
"""

import base64
import concurrent.futures
import http.client
import json
import socket
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "images": {"type": "list", "elements": "str", "required": True},
    "registry": {"type": "str", "default": ""},
    "username": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "timeout": {"type": "int", "default": 8},
    "socket": {"type": "path", "default": "/var/run/docker.sock"},
}


class NoAnswer(Exception):
    """Why a question has no answer.

    Args:
        reason: for people.
        status: of HTTP, where the engine has given one.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Engine(http.client.HTTPConnection):
    """The API of a Docker Engine.

    Args:
        path: of its socket.
        timeout: seconds for each answer.
    """

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect by the socket instead of by TCP."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def ask(self, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the answer to a GET. Raises NoAnswer where there is none."""
        try:
            self.request("GET", path, headers=headers or {})
            answer = self.getresponse()
            said = json.loads(answer.read())
        except socket.timeout as error:
            raise NoAnswer("no answer within %s s" % self.timeout) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(str(error)) from error
        finally:
            self.close()
        if answer.status != 200 or not isinstance(said, dict):
            message = said.get("message", answer.status) if isinstance(said, dict) else answer.status
            raise NoAnswer(str(message), answer.status)
        return said


def registry_of(image: str) -> str:
    """Return the registry that an image is named after; empty for Docker's own."""
    first, slash, _name = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


def login_for(image: str, registry: str, username: str, password: str) -> dict[str, str]:
    """Return the header with the login, for images of its registry alone."""
    if not username or registry_of(image) != registry:
        return {}
    login = json.dumps({"username": username, "password": password}).encode()
    return {"X-Registry-Auth": base64.urlsafe_b64encode(login).decode()}


def repository_of(image: str) -> str:
    """Return an image's name without tag and digest, as the engine writes it in digests."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    name = folder + slash + last.partition(":")[0]
    for own in ("index.docker.io/", "docker.io/", "library/"):
        name = name[len(own) :] if name.startswith(own) else name
    return name


def judged(engine: Engine, image: str, login: Mapping[str, str]) -> dict[str, str]:
    """Return what is known of an image; see RETURN."""
    found, reason = "pinned", ""
    if "@" not in image:
        try:
            found = _compared(engine, image, login)
        except NoAnswer as error:
            found, reason = "unasked", " ".join(str(error).split())
    return {"name": image, "found": found, "reason": reason}


def _compared(engine: Engine, image: str, login: Mapping[str, str]) -> str:
    has = engine.ask("/images/%s/json" % image).get("RepoDigests") or []
    if not has:
        return "local"
    digest = (engine.ask("/distribution/%s/json" % image, login).get("Descriptor") or {}).get("digest")
    if not digest:
        raise NoAnswer("the registry names no digest")
    # By the digest alone: names of the same image may be of other registries.
    if digest in [one.partition("@")[2] for one in has]:
        return "same"
    own = [one for one in has if repository_of(one) == repository_of(image)]
    if not own or (_names_all(engine) and not any(_is_known(engine, one, login) for one in own)):
        return "local"
    return "newer"


def _names_all(engine: Engine) -> bool:
    """Whether the engine names a digest of each image, also of those that came from no registry."""
    return ["driver-type", "io.containerd.snapshotter.v1"] in (engine.ask("/info").get("DriverStatus") or [])


def _is_known(engine: Engine, image: str, login: Mapping[str, str]) -> bool:
    """Whether the registry has the image of a digest."""
    try:
        return bool(engine.ask("/distribution/%s/json" % image, login))
    except NoAnswer as error:
        if error.status != 404:
            raise
        return False


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params

    def look(image: str) -> dict[str, str]:
        login = login_for(image, given["registry"], given["username"], given["password"])
        return judged(Engine(given["socket"], given["timeout"]), image, login)

    with concurrent.futures.ThreadPoolExecutor(len(given["images"]) or 1) as pool:
        found = list(pool.map(look, given["images"]))
    unasked = ["%s: %s" % (one["name"], one["reason"]) for one in found if one["found"] == "unasked"]
    module.exit_json(images=found, unasked=unasked)


if __name__ == "__main__":
    main()
