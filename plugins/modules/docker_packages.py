#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_packages
short_description: Install packages from Docker's repository or the distribution's, or change nothing
version_added: 0.1.0
description:
  - Makes Docker's repository known to apt or dnf, judges its key by the fingerprint before anything uses it, and
    installs packages, in one call.
  - Names what other installations have left and is in the way, before it changes anything, and removes that when it
    is told to.
  - When the repository, its key or its packages are not right, it says what is wrong and how to mend it, and takes
    back what it has added.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  manager:
    description: The package manager.
    type: str
    choices: [apt, dnf]
    required: true
  source:
    description: Where the packages come from, for messages.
    type: str
    choices: [distro, docker_ce]
    default: distro
  packages:
    description:
      - Names of the packages that are to be there. Those that are there stay at their versions.
      - With none, the repository is made known, and nothing installed.
    type: list
    elements: str
    required: true
  version:
    description:
      - Version of the engine among O(packages), or the beginning of one. An engine that is there stays as it is.
      - One that the repositories do not have is an error that lists what they have.
    type: str
  conflicting:
    description: Names of packages that exclude O(packages).
    type: list
    elements: str
    default: []
  replace:
    description: Removes O(conflicting), other entries of the same repository, and its key where all repositories trust it.
    type: bool
    default: false
  repository:
    description: Docker's repository. Without it, packages come from what the host knows.
    type: dict
    suboptions:
      url:
        description: Folder of the distribution.
        type: str
        required: true
      release:
        description: Suite for apt, major version for dnf.
        type: str
        required: true
      key:
        description: The key, ASCII armoured.
        type: str
      key_url:
        description: Where the key is fetched from when O(repository.key) is not given.
        type: str
      fingerprint:
        description: What the key has to have; spaces do not matter.
        type: str
        required: true
      proxy:
        description: Proxy for key and repository.
        type: str
      ca:
        description: Certificate authorities to trust for key and repository, as PEM.
        type: str
  update:
    description: Fetches lists of packages before.
    type: bool
    default: true
  config:
    description:
      - Path of settings of the package manager that count in place of the host's, as
        M(wheelhouse.pypi.bundle_unpack) returns it.
    type: path
    default: ""
  lock_timeout:
    description: How long another installation is waited for, in seconds.
    type: int
    default: 120
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: The key is fetched and judged; lists of packages are not, so that a version which is not there is not found out.
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, the second run indicates no change.
    support: full
"""

EXAMPLES = r"""
- name: Docker's own engine is installed
  wheelhouse.pypi.docker_packages:
    manager: apt
    source: docker_ce
    packages: [docker-ce, docker-ce-cli, containerd.io, docker-compose-plugin]
    conflicting: [docker.io, containerd, runc]
    repository:
      url: https://download.docker.com/linux/debian
      release: trixie
      key_url: https://download.docker.com/linux/debian/gpg
      fingerprint: 9DC8 5822 9FC7 DD38 854A E2D8 8D81 803C 0EBF CD88
"""

RETURN = r"""
installed:
  description: Packages that were installed or changed, or would be.
  returned: success
  type: list
  elements: str
removed:
  description: What of other installations was removed, or would be.
  returned: success
  type: list
  elements: str
"""

import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.urls import open_url
from ansible_collections.wheelhouse.pypi.plugins.module_utils import engine_packages, openpgp
from ansible_collections.wheelhouse.pypi.plugins.module_utils import package_sources as sources
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine_packages import VersionError
from ansible_collections.wheelhouse.pypi.plugins.module_utils.package_managers import (
    Apt,
    Dnf,
    Failed,
    Refused,
    Transaction,
    matching,
    read,
)


def main() -> None:
    """Run the module."""
    talk_to_own_engine()
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "choices": ["apt", "dnf"], "required": True},
            "source": {"type": "str", "choices": ["distro", "docker_ce"], "default": "distro"},
            "packages": {"type": "list", "elements": "str", "required": True},
            "version": {"type": "str"},
            "conflicting": {"type": "list", "elements": "str", "default": []},
            "replace": {"type": "bool", "default": False},
            "repository": {
                "type": "dict",
                "options": {
                    "url": {"type": "str", "required": True},
                    "release": {"type": "str", "required": True},
                    "key": {"type": "str", "no_log": False},
                    "key_url": {"type": "str", "no_log": False},
                    "fingerprint": {"type": "str", "required": True},
                    "proxy": {"type": "str"},
                    "ca": {"type": "str"},
                },
            },
            "update": {"type": "bool", "default": True},
            "config": {"type": "path", "default": ""},
            "lock_timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive"}
    manager: type[Apt | Dnf] = Apt if module.params["manager"] == "apt" else Dnf
    host = manager(module, module.params["config"])
    before = host.versions([*module.params["packages"], *module.params["conflicting"]])
    missing = [name for name in module.params["packages"] if name not in before]
    repository_only = not module.params["packages"] and module.params["repository"]
    if not missing and not repository_only:
        module.exit_json(changed=False, installed=[], removed=[], diff=[])

    files, leftovers = _looked_at(module, host, before)
    for leftover in leftovers:
        # Docker's entry is written whole: what is beside it there would be lost.
        if leftover.file in files and leftover.blocks:
            module.fail_json(
                msg=f"{leftover.what}. Move those to a file of their own, and run again. Nothing has been changed."
            )
    blocking = [leftover for leftover in leftovers if leftover.blocks]
    if blocking and not module.params["replace"]:
        module.fail_json(msg=sources.message(leftovers, module.params["source"]))
    if not module.params["replace"]:
        for leftover in leftovers:
            module.warn(f"{leftover.what}: pypi_docker_replace: true removes it when Docker is installed")
        leftovers = []
    for leftover in leftovers:
        if leftover.file:
            files[leftover.file] = leftover.rest
    unwanted = [leftover.package for leftover in leftovers if leftover.package]
    transaction = Transaction(module, files)

    installed = missing
    if not module.check_mode:
        installed = _install(module, host, transaction, missing, unwanted, before)
    diff = transaction.diffs()
    lines = [*(f"+ {name}\n" for name in installed), *(f"- {name}\n" for name in unwanted)]
    if lines:
        diff.append({"prepared": "# packages\n" + "".join(lines)})
    module.exit_json(
        changed=bool(transaction.wanted or installed or unwanted),
        installed=installed,
        removed=[leftover.what for leftover in leftovers],
        diff=diff,
    )


def _looked_at(
    module: AnsibleModule, host: Apt | Dnf, before: dict[str, str]
) -> tuple[dict[str, bytes], list[sources.Leftover]]:
    """Return the files that make the repository known, and what others have left; changes nothing."""
    leftovers = sources.packages_left(name for name in module.params["conflicting"] if name in before)
    wanted = module.params["repository"]
    if not wanted:
        return {}, leftovers
    fingerprint = wanted["fingerprint"].replace(" ", "").upper()
    texts = {path: to_text(read(path) or b"", errors="replace") for path in matching(host.folders)}
    leftovers = [*sources.entries_left(texts, wanted["url"], host.entry), *leftovers, *host.trusted(fingerprint)]
    repository = sources.Repository(
        url=wanted["url"],
        release=wanted["release"],
        key=_key(module, wanted, fingerprint),
        proxy=wanted["proxy"] or "",
        ca=_whole(wanted["ca"] or ""),
        architecture=host.architecture(),
    )
    return {path: content.encode() for path, content in host.files(repository).items()}, leftovers


def _key(module: AnsibleModule, wanted: dict[str, str], fingerprint: str) -> str:
    """Return the key, judged by its fingerprint."""
    where = "pypi_docker_repository_key_file" if wanted["key"] else wanted["key_url"]
    key = wanted["key"].encode() if wanted["key"] else _fetched(module, wanted)
    unchanged = "Nothing has been changed."
    try:
        found = {one.fingerprint for one in openpgp.keys(key)}
        text = key.decode("ascii")
    except (openpgp.NoKey, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, openpgp.NoKey) else "it is not ASCII armoured"
        module.fail_json(
            msg=f"The key of Docker's repository, {where}, cannot be used: {why}. Check that address or file; "
            f"`gpg --show-keys` has to show the key {fingerprint}. {unchanged}"
        )
    if found != {fingerprint}:
        module.fail_json(
            msg=f"The key of Docker's repository, {where}, has the fingerprint {', '.join(sorted(found))}, and "
            f"{fingerprint} is expected: it is not used. If that other key is meant, a mirror's own perhaps, set "
            f"pypi_docker_repository_key_fingerprint to its fingerprint, as its owner tells it. If not, somebody has "
            f"changed it: find out who. {unchanged}"
        )
    return _whole(text)


def _whole(text: str) -> str:
    """Return a text with the line break at its end that a lookup may have taken."""
    return text if not text or text.endswith("\n") else text + "\n"


def _fetched(module: AnsibleModule, wanted: dict[str, str]) -> bytes:
    """Fetch the key."""
    options: dict[str, str] = {}
    environment = dict(os.environ)
    if wanted["proxy"]:
        os.environ.update(dict.fromkeys(("http_proxy", "https_proxy"), wanted["proxy"]))
        os.environ.pop("no_proxy", None)
    if wanted["ca"]:
        handle, options["ca_path"] = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "w") as file:
            file.write(wanted["ca"])
    try:
        return bytes(open_url(wanted["key_url"], timeout=30, **options).read())
    # Whatever goes wrong on the way has an exception of its own, from sockets to certificates.
    except Exception as error:
        cause, mend = sources.explain(str(error), "")
        module.fail_json(
            msg=f"The key of Docker's repository cannot be fetched from {wanted['key_url']}: {cause}. {mend}; or give the "
            f"key as a file on the controller in pypi_docker_repository_key_file. Nothing has been changed. ({error})"
        )
        raise
    finally:
        # The proxy is for this repository: apt and dnf reach the others as they always do.
        os.environ.clear()
        os.environ.update(environment)


def _install(
    module: AnsibleModule,
    host: Apt | Dnf,
    transaction: Transaction,
    requests: list[str],
    unwanted: list[str],
    before: dict[str, str],
) -> list[str]:
    """Do it; return the packages that were installed or changed. When it cannot be done, put back what was there."""
    names = [*module.params["packages"], *module.params["conflicting"]]
    timeout = module.params["lock_timeout"]
    states = host.states(names)
    complaints = ""
    try:
        transaction.apply()
        if module.params["repository"]:
            host.trust(transaction.files)
            host.reach(timeout)
        if module.params["update"]:
            complaints = host.update(timeout)
        if module.params["version"] and engine_packages.engine_of(requests):
            requests = _versioned(module, host, before, requests)
        if requests or unwanted:
            host.install(requests, unwanted, False, timeout)
    except (Failed, Refused, VersionError, OSError) as error:
        # Packages that are half there need their repository when the next run finishes them.
        nothing = host.states(names) == states
        if nothing:
            host.distrust()
            transaction.undo()
        if isinstance(error, (Refused, VersionError)):
            taken_back = " What the run had added of the repository is taken back." if transaction.wanted else ""
            module.fail_json(msg=f"{error}.{taken_back}")
        module.fail_json(msg=_told(module.params, f"{complaints}{error}", nothing))
    after = host.versions(names)
    return [name for name in module.params["packages"] if after.get(name) != before.get(name)]


def _versioned(module: AnsibleModule, host: Apt | Dnf, before: dict[str, str], requests: list[str]) -> list[str]:
    """Ask for the engine's packages in the version that is wanted, whichever of the repositories' that is."""
    names = [*dict.fromkeys([*requests, *engine_packages.TOGETHER.get(engine_packages.engine_of(requests), ())])]
    planned = engine_packages.plan(before, host.available(names), module.params["version"], requests)
    return [host.request(name, planned.install[name]) if name in planned.install else name for name in requests]


def _told(params: dict[str, t.Any], output: str, nothing: bool) -> str:
    """Return the message for what a package manager said."""
    repository = params["repository"] or {"url": "", "fingerprint": ""}
    cause, mend = sources.explain(output, repository["fingerprint"].replace(" ", ""))
    other = sources.elsewhere(output, repository["url"]) or ("" if repository["url"] else "the host's own repositories")
    if params["config"]:
        other = "the bundle"
        mend = "If it lacks something, make it anew, with the variables that the hosts have"
    elif other:
        mend = f"That is not Docker's repository, but one of the host ({other}): see to it there, and run again"
    state = (
        "No package was installed, and what the run had added of the repository is taken back"
        if nothing
        else "Some packages are installed: the next run finishes it"
    )
    return (
        f"Docker cannot be installed from {other or repository['url']}: {cause}. {mend}. {state}. {params['manager']} said:\n"
        + sources.last_words(output)
    )


if __name__ == "__main__":
    main()
