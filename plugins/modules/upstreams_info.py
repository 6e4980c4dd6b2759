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
unreachable:
  description: Upstreams that could not be asked, a line each.
  type: list
  elements: str
  returned: success
"""

import concurrent.futures
import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

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
    "timeout": {"type": "int", "default": 10},
}
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# The list of all projects may have tens of megabytes: its beginning is enough.
LIST_BYTES = 64 * 1024
PAGE_BYTES = 40 * 1024 * 1024
# Where names say nothing else, a project that a public index has.
KNOWN = "pip"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_JSON_NAME = re.compile(r'"name"\s*:\s*"([A-Za-z0-9._-]+)"')


class Wrong(Exception):
    """An upstream answers, and not as an index does."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class _Links(HTMLParser):
    """The addresses of a page's links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = []  # type: list[str]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


class Asker:
    """Asks upstreams.

    Args:
        authorities: certificates to trust instead of the host's, as PEM; empty: the host's.
        proxy: the proxy's URL, or empty.
        timeout: seconds for each answer.
    """

    def __init__(self, authorities: str, proxy: str, timeout: float) -> None:
        context = ssl.create_default_context(cadata=authorities or None)
        proxies = urllib.request.ProxyHandler({"https": proxy} if proxy else {})
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), proxies, _NoRedirects()
        )
        self._timeout = timeout

    def hosts(self, upstream: Mapping[str, Any]) -> set[str]:
        """The hosts that a page of an upstream links to for files.

        Raises:
            Wrong: it is no index.
            OSError: it cannot be asked.
        """
        listed = self._get(upstream, upstream["url"], LIST_BYTES)
        # An index need not have a list, as long as it has pages.
        names = [name for name in upstream["names"] if _NAME.match(name)] or [KNOWN, *_names(listed)][:2]
        for name in names:
            page = self._get(upstream, "%s%s/" % (upstream["url"], name), PAGE_BYTES)
            if page is not None:
                return _hosts(page, "%s%s/" % (upstream["url"], name))
        if listed is None:
            raise Wrong(
                "%s has neither a list of projects nor a page of %s (404); give the address that ends before a project's name"
                % (upstream["url"], names[0])
            )
        return set()

    def _get(self, upstream: Mapping[str, Any], url: str, most: int) -> tuple[bool, str] | None:
        """Whether an answer is JSON, and its text; None where there is no such page."""
        headers = {"Accept": ACCEPT, "User-Agent": "wheelhouse.pypi"}
        if upstream["authorization"]:
            headers["Authorization"] = upstream["authorization"]
        try:
            with self._opener.open(urllib.request.Request(url, headers=headers), timeout=self._timeout) as answer:
                kind = answer.headers.get_content_type()
                body = answer.read(most)
                if len(body) < most and answer.length:
                    raise OSError("its answer ends early")
                text = body.decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(url, error)
        if kind == "application/vnd.pypi.simple.v1+json":
            return True, text
        if kind in ("application/vnd.pypi.simple.v1+html", "text/html"):
            return False, text
        raise Wrong("%s is %s, no page of the simple API; give the address of an index" % (url, kind))

    def _refused(self, url: str, error: urllib.error.HTTPError) -> None:
        if error.code in (404, 410):
            return
        if error.code in (401, 403):
            raise Wrong("%s answers %d; give its entry a username and password that may read" % (url, error.code))
        if 300 <= error.code < 400:
            raise Wrong(
                "%s redirects to %s, and redirects are not followed; give the address where it ends"
                % (url, error.headers.get("Location", "?"))
            )
        # What is broken today may work tomorrow.
        raise OSError("it answers %d" % error.code)


def _names(listed: tuple[bool, str] | None) -> list[str]:
    """The first name of a list of projects, where there is one."""
    is_json, text = listed or (True, "")
    if is_json:
        return _JSON_NAME.findall(text)[:1]
    return [href.rstrip("/").rpartition("/")[2] for href in _Links(text).found][:1]


def _hosts(page: tuple[bool, str], url: str) -> set[str]:
    is_json, text = page
    try:
        links = [file["url"] for file in json.loads(text)["files"]] if is_json else _Links(text).found
        return {host(urllib.parse.urljoin(url, link)) for link in links}
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("%s is no page of the simple API (%s); give the address of an index" % (url, error)) from error


def host(url: str) -> str:
    """The host of a URL, with its port unless that is the one of HTTPS."""
    name = urllib.parse.urlsplit(url).netloc.rpartition("@")[2].lower()
    return name[: -len(":443")] if name.endswith(":443") else name


def judged(asker: Asker, upstream: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with an upstream, and why it could not be asked; empty where nothing is."""
    try:
        missing = sorted(asker.hosts(upstream) - set(upstream["hosts"]))
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


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        asker = Asker(module.params["authorities"], module.params["proxy"], module.params["timeout"])
    except (ssl.SSLError, ValueError) as error:
        module.fail_json(msg="pypi_upstream_ca_file: no usable certificate (%s)" % error)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: judged(asker, one), module.params["upstreams"]))
    module.exit_json(
        problems=[problem for problem, _reason in found if problem],
        unreachable=[reason for _problem, reason in found if reason],
    )


if __name__ == "__main__":
    main()
