# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upstream answers: whether it is an index (PEP 503, 691), its projects, and its pages.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from typing import Any, Callable, Mapping

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# The list of all projects may have tens of megabytes; to see that it is one, its beginning is enough.
BEGINNING_BYTES, LIST_BYTES = 64 * 1024, 200 * 1024 * 1024
PAGE_BYTES = 40 * 1024 * 1024
# Where names say nothing else, a project that a public index has.
KNOWN = "pip"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
# A link with a digest, or to a distribution file.
_FILE = re.compile(r"#(?:.*&)?sha256=|[.](?:whl|zip|tar[.][a-z0-9]+|tgz|egg)(?:[#?]|\Z)")
_JSON_NAME = re.compile(r'"name"\s*:\s*"([A-Za-z0-9._-]+)"')


class Wrong(Exception):
    """An upstream answers, and not as an index does."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Links(HTMLParser):
    """A page's links, each as its attributes, and what their addresses are relative to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.base = ""
        self.found = []  # type: list[dict[str, str]]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a link, or what links are relative to."""
        said = {name: value or "" for name, value in attrs}
        address = said.get("href", "")
        if tag == "base":
            self.base = self.base or address
        elif tag == "a" and address:
            self.found.append(said)


def opener(
    authorities: str, proxy: str, redirects: urllib.request.HTTPRedirectHandler
) -> urllib.request.OpenerDirector:
    """What asks by HTTP; arguments as of Asker, and what becomes of redirects."""
    context = ssl.create_default_context(cadata=authorities or None)
    # As NGINX verifies: Python 3.13 refuses authorities that lack extensions (VERIFY_X509_STRICT), as companies have them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    proxies = urllib.request.ProxyHandler({"https": proxy} if proxy else {})
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), proxies, redirects)


class Asker:
    """Asks upstreams.

    Args:
        authorities: certificates to trust instead of the host's, as PEM; empty: the host's.
        proxy: the proxy's URL, or empty.
        timeout: seconds for each answer.
    """

    def __init__(self, authorities: str, proxy: str, timeout: float) -> None:
        self._opener = opener(authorities, proxy, _NoRedirects())
        self._timeout = timeout

    def hosts(self, upstream: Mapping[str, Any], is_private: Callable[[str], bool]) -> set[str]:
        """The hosts that a page of an upstream links to for files; no page of a private project is asked for.

        Raises:
            Wrong: it is no index.
            OSError: it cannot be asked.
        """
        listed = self.page(upstream, upstream["url"], BEGINNING_BYTES)
        # An index need not have a list, as long as it has pages.
        known = [name for name in upstream["names"] if _NAME.match(name)] or [KNOWN, *names_of(listed)[:1]]
        names = [name for name in known if not is_private(normalised(name))]
        for name in names:
            page = self.page(upstream, "%s%s/" % (upstream["url"], name), PAGE_BYTES)
            if page is not None:
                return _hosts(page, "%s%s/" % (upstream["url"], name))
        if listed is None and names:
            raise Wrong(
                "%s has neither a list of projects nor a page of %s (404); give the address that ends before a project's name"
                % (upstream["url"], names[0])
            )
        return set()

    def projects(self, upstream: Mapping[str, Any]) -> set[str]:
        """The normalised names of all projects of an upstream; none where it has no list.

        Raises:
            Wrong, OSError: as for hosts.
        """
        return {normalised(name) for name in names_of(self.page(upstream, upstream["url"], LIST_BYTES))}

    def digests(self, upstream: Mapping[str, Any], project: str) -> set[str]:
        """The SHA-256 of a project's files, in hexadecimal digits; none where it has no page.

        Raises:
            Wrong, OSError: as for hosts.
        """
        page = self.page(upstream, "%s%s/" % (upstream["url"], project), PAGE_BYTES)
        return set(_SHA256.findall(page[1])) if page else set()

    def page(self, upstream: Mapping[str, Any], url: str, most: int) -> tuple[bool, str] | None:
        """Whether an answer is JSON, and its text, at most so many bytes; None where there is no such page.

        Raises:
            Wrong, OSError: as for hosts.
        """
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
                self._refused(url, error)
            return None
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


def normalised(name: str) -> str:
    """A project's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(listed: tuple[bool, str] | None) -> list[str]:
    """The names on a list of projects, where there is one."""
    is_json, text = listed or (True, "")
    if is_json:
        return _JSON_NAME.findall(text)
    return [link["href"].rstrip("/").rpartition("/")[2] for link in Links(text).found]


def _hosts(page: tuple[bool, str], url: str) -> set[str]:
    is_json, text = page
    try:
        if is_json:
            return {host(urllib.parse.urljoin(url, file["url"])) for file in json.loads(text)["files"]}
        links = Links(text)
        base = urllib.parse.urljoin(url, links.base)
        addresses = [link["href"] for link in links.found]
        # Not those that lead to a manual or the like.
        return {host(urllib.parse.urljoin(base, link)) for link in addresses if _FILE.search(link)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Wrong("%s is no page of the simple API (%s); give the address of an index" % (url, error)) from error


def host(url: str) -> str:
    """The host of a URL, with its port unless that is the one of HTTPS."""
    name = urllib.parse.urlsplit(url).netloc.rpartition("@")[2].lower()
    return name[: -len(":443")] if name.endswith(":443") else name
