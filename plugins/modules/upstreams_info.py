#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upstreams_info
short_description: Whether upstreams are package indexes, and where their files are
version_added: 0.1.0
description:
  - Asks each upstream for its list of projects and for the page of one project, from the host.
  - Says what is wrong with an address that is no index, a login that is refused, and hosts of files that are not configured.
  - An upstream that cannot be reached is not wrong; it may be back when the index asks it.
author:
  - The wheelhouse.pypi developers (@wheelhouse)
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  platform: {platforms: posix}
options:
  upstreams:
    description: The upstreams.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description: Address before the name of a project, with a slash at its end.
        type: str
        required: true
      names:
        description: Patterns of the projects that it answers for.
        type: list
        elements: str
        default: []
      hosts:
        description: Hosts on which its files may be.
        type: list
        elements: str
        required: true
      authorization:
        description: The header C(Authorization); empty without a login.
        type: str
        default: ''
  authorities:
    description: Certificates to trust instead of the host's, as PEM.
    type: str
    default: ''
  proxy:
    description: The proxy to ask through, as a URL.
    type: str
    default: ''
  policy:
    description:
      - The file on the host that says which upstreams are in use. Those are not asked again, so that one that is ill holds up
        no other change.
    type: path
  packages:
    description: Folder of the distribution files, in which private names are looked up.
    type: path
  private:
    description: Patterns of names that are reserved.
    type: list
    elements: str
    default: []
  compare:
    description: Whether private names are looked for on the lists of upstreams, which may be long.
    type: bool
    default: true
    version_added: 0.2.0
  timeout:
    description: Seconds for each answer.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Ask an upstream
  wheelhouse.pypi.upstreams_info:
    upstreams:
      - {url: "https://public.example.org/simple/", hosts: [public.example.org, files.example.org]}
  register: upstreams
"""

RETURN = r"""
problems:
  description: What is wrong, a line each with its remedy.
  type: list
  elements: str
  returned: success
  sample: ["https://public.example.org/simple/ has files on files.example.org; add to its entry file_hosts: [files.example.org]"]
shared:
  description: Names that are private here and that a new upstream has too, a line each.
  type: list
  elements: str
  returned: success
  sample: ["torch: private here, and on https://public.example.org/simple/ as well; 2 of 3 files are the same"]
unasked:
  description:
    - Upstreams that could not be asked, or have no list of projects, a line each.
    - Not C(unreachable), which Ansible takes for its own.
  type: list
  elements: str
  returned: success
"""

import concurrent.futures
import fnmatch
import functools
import http.client
import json
import os
import ssl
from typing import Any, Callable, Iterable, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import claimed_names
from ansible_collections.wheelhouse.pypi.plugins.module_utils.upstream_pages import Asker, Wrong

UPSTREAM = {
    "url": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "authorization": {"type": "str", "default": "", "no_log": True},
}
ARGUMENTS = {
    "upstreams": {"type": "list", "elements": "dict", "required": True, "options": UPSTREAM},
    "authorities": {"type": "str", "default": ""},
    "proxy": {"type": "str", "default": "", "no_log": True},
    "policy": {"type": "path"},
    "packages": {"type": "path"},
    "private": {"type": "list", "elements": "str", "default": []},
    "compare": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 10},
}


def judged(asker: Asker, upstream: Mapping[str, Any], is_private: Callable[[str], bool]) -> tuple[str, str]:
    """What is wrong with an upstream, and why it could not be asked; empty where nothing is."""
    try:
        missing = sorted(asker.hosts(upstream, is_private) - set(upstream["hosts"]))
    except Wrong as wrong:
        return str(wrong), ""
    except (OSError, http.client.HTTPException) as error:
        return "", "%s cannot be asked from this host: %s" % (upstream["url"], getattr(error, "reason", error) or error)
    if not missing:
        return "", ""
    return "%s has files on %s; add to its entry file_hosts: [%s]" % (
        upstream["url"],
        " and ".join(missing),
        ", ".join(missing),
    ), ""


def in_use(policy: str | None) -> list[tuple[str, list[str]]]:
    """URL and hosts of the upstreams that the index has been using; none where that is not known."""
    try:
        with open(policy or os.devnull, encoding="utf-8") as file:
            return [(one["url"], one["hosts"]) for one in json.load(file)["upstreams"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def answers_for(upstreams: Iterable[Mapping[str, Any]], project: str) -> Mapping[str, Any]:
    """The upstream that answers for a project, the first whose names match; empty where there is none."""
    for upstream in upstreams:
        if not upstream["names"] or any(fnmatch.fnmatchcase(project, pattern) for pattern in upstream["names"]):
            return upstream
    return {}


class PrivateNames:
    """The names that never come from an upstream.

    Args:
        packages: the folder of the distribution files, or nothing.
        patterns: of reserved names.
    """

    def __init__(self, packages: str | None, patterns: Iterable[str]) -> None:
        self._packages = packages
        self._patterns = list(patterns)
        self.claimed = claimed_names.names(packages) if packages else set()

    def has(self, project: str) -> bool:
        """Whether a name, as PEP 503 normalises it, is private."""
        return project in self.claimed or any(fnmatch.fnmatchcase(project, pattern) for pattern in self._patterns)

    def digests(self, project: str) -> list[str]:
        """The SHA-256 of each file that a claimed project has or had."""
        try:
            return claimed_names.digests(self._packages, project) if self._packages else []
        except OSError:
            return []


def shared(
    asker: Asker,
    upstreams: list[Mapping[str, Any]],
    new: list[Mapping[str, Any]],
    names: PrivateNames,
    pool: concurrent.futures.Executor,
) -> tuple[list[str], list[str]]:
    """The lines about names that are private here and on a new upstream as well; and of each of these, why there may be more.

    The upstream is asked for its list of projects, and for the pages of those on it that are private here: it learns no name that
    it does not have.
    """
    lines = []  # type: list[str]
    unknown = []  # type: list[str]
    same = []  # type: list[tuple[Mapping[str, Any], str]]
    for upstream, (public, reason) in zip(new, pool.map(functools.partial(_projects, asker), new)):
        unknown.append(reason)
        for name in sorted(filter(names.has, public)):
            if answers_for(upstreams, name) is not upstream:
                continue
            if name in names.claimed:
                same.append((upstream, name))
            else:
                lines.append("%s: reserved here (pypi_private_names), and on %s as well" % (name, upstream["url"]))
    compared = pool.map(lambda one: _compared(asker, names, one[0], one[1]), same)
    return sorted([*lines, *compared]), unknown


def _projects(asker: Asker, upstream: Mapping[str, Any]) -> tuple[set[str], str]:
    """The projects of an upstream, or why they are not known."""
    try:
        found = asker.projects(upstream)
        reason = "" if found else "it has no list of projects"
    except (Wrong, OSError, http.client.HTTPException) as error:
        found, reason = set(), str(getattr(error, "reason", error) or error)
    if reason:
        reason = "%s: which private names it has as well is not known: %s" % (upstream["url"], reason)
    return found, reason


def _compared(asker: Asker, names: PrivateNames, upstream: Mapping[str, Any], project: str) -> str:
    own = names.digests(project)
    try:
        theirs = asker.digests(upstream, project)
    except (Wrong, OSError, http.client.HTTPException):
        theirs = set()
    same = sum(digest in theirs for digest in own)
    return "%s: private here, and on %s as well; %d of %d files are the same" % (
        project,
        upstream["url"],
        same,
        len(own),
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        asker = Asker(module.params["authorities"], module.params["proxy"], module.params["timeout"])
    except (ssl.SSLError, ValueError) as error:
        # A result, because a failure would be hidden together with the logins of upstreams.
        module.exit_json(shared=[], unasked=[], problems=["pypi_upstream_ca_file: no usable certificate (%s)" % error])
    try:
        names = PrivateNames(module.params["packages"], module.params["private"])
    except OSError as error:
        problem = "packages/.wheelhouse/names cannot be read: %s" % error
        module.exit_json(shared=[], problems=[problem], unasked=[])
    known = in_use(module.params["policy"])
    new = [one for one in module.params["upstreams"] if (one["url"], one["hosts"]) not in known]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: judged(asker, one, names.has), new))
        lines, unknown = [], [""] * len(new)  # type: tuple[list[str], list[str]]
        if module.params["compare"]:
            lines, unknown = shared(asker, module.params["upstreams"], new, names, pool)
    problems = [problem for problem, _reason in found if problem]
    # What cannot be asked at all has no list either.
    unasked = [reason or more for (problem, reason), more in zip(found, unknown) if not problem and (reason or more)]
    module.exit_json(shared=lines, problems=problems, unasked=unasked)


if __name__ == "__main__":
    main()
