# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks another index for its files by the simple API (PEP 503, 592, 691, 700), with a login that only that index gets.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import base64
import calendar
import email.utils
import fnmatch
import hashlib
import http.client
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any, Callable, Mapping, NamedTuple

from ansible_collections.wheelhouse.pypi.plugins.module_utils.upstream_pages import (
    LIST_BYTES,
    PAGE_BYTES,
    Asker,
    Links,
    Wrong,
    host,
    names_of,
    normalised,
    opener,
)

# Older indexes have MD5 alone, which tells damage, if not intent. The best one of a file counts.
_ALGORITHMS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40, "md5": 32}
_CHUNK = 1024 * 1024
_PROJECT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.](\d{1,9})\d*)?(?:Z|[+]00:00)\Z")
_LOGIN = "give pypi_import_username and pypi_import_password of a login that may read all"


class Refused(Exception):
    """A file that cannot be had, or is not what its page says; says why."""


class File(NamedTuple):
    """A file as a page has it.

    Attributes:
        name: its file name, which may be anything.
        url: where it is.
        algorithm: of its digest; empty where the page has none.
        digest: in hexadecimal digits.
        size: in bytes; 0 where it is not known.
        uploaded_ns: when it was uploaded, in ns since 1970; 0 where that is not known.
        yanked: the reason, perhaps an empty one; None where it is not yanked.
    """

    name: str
    url: str
    algorithm: str
    digest: str
    size: int = 0
    uploaded_ns: int = 0
    yanked: str | None = None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to wherever files are; what is asked there is prepared like any other request."""

    def __init__(self, prepare: Callable[[urllib.request.Request], None]) -> None:
        self._prepare = prepare

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        request = super().redirect_request(*arguments)
        if request is not None:
            self._prepare(request)
        return request


class Source(Asker):
    """An index that has files.

    Args:
        url: its address before the name of a project, with a slash at the end.
        username: of the login, or empty.
        password: of the login.
        authorities, timeout: as of Asker.
    """

    def __init__(self, url: str, username: str, password: str, authorities: str, timeout: float = 60) -> None:
        super().__init__(authorities, "", timeout)
        login = base64.b64encode(("%s:%s" % (username, password)).encode()).decode()
        self._index = {"url": url, "authorization": "Basic %s" % login if username else ""}
        self._files = opener(authorities, "", _Redirects(self._prepare))

    def projects_of(self, wanted: list[str]) -> list[str]:
        """The normalised names of its projects; of those wanted, names or patterns, if any are.

        Raises:
            Wrong: it is no index, or has none of these.
            OSError: it cannot be asked.
        """
        patterns = [normalised(one) for one in wanted]
        # Not every index has a list.
        if patterns and all(_PROJECT.match(one) for one in patterns):
            return sorted(set(patterns))
        url = self._index["url"]
        listed = self.page(self._index, url, LIST_BYTES)
        if listed is None:
            raise Wrong(
                "%s has no list of projects (404); give the address that ends before a project's name, often in /simple/; "
                "if that index has no list, name the projects: pypi_import_projects" % url
            )
        known = {normalised(name) for name in names_of(listed)}
        found = [name for name in known if not patterns or any(fnmatch.fnmatchcase(name, one) for one in patterns)]
        if not found:
            raise Wrong("%s lists no project%s" % (url, " that pypi_import_projects matches" if patterns else ""))
        return sorted(name for name in found if _PROJECT.match(name))

    def files(self, project: str) -> list[File]:
        """The files of a project; none where it has no page.

        Raises:
            Wrong, OSError: as for projects_of.
        """
        url = "%s%s/" % (self._index["url"], project)
        found = self.page(self._index, url, PAGE_BYTES)
        if found is None:
            return []
        is_json, text = found
        try:
            return [_of_json(one, url) for one in json.loads(text)["files"]] if is_json else _of_html(text, url)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Wrong("%s is no page of the simple API (%s: %s)" % (url, type(error).__name__, error)) from error

    def fetch(self, file: File, target: IO[bytes]) -> int:
        """Write a file's content; return when it was changed last, in ns since 1970, or 0.

        Raises:
            Refused: it is missing, or has other content than its page says.
            Wrong: the login is refused.
            OSError, http.client.HTTPException: it cannot be fetched now.
        """
        digest = hasher(file.algorithm)
        try:
            request = urllib.request.Request(file.url, headers={"User-Agent": "wheelhouse.pypi"})
            self._prepare(request)
            with self._files.open(request, timeout=self._timeout) as answer:
                for data in iter(lambda: answer.read(_CHUNK), b""):
                    digest.update(data)
                    target.write(data)
                if answer.length:
                    raise OSError("the answer of %s ends early" % file.url)
                changed = email.utils.parsedate_tz(answer.headers.get("Last-Modified", ""))
        except urllib.error.HTTPError as error:
            with error:
                if self._is_own(error.url) or error.code == 429 or error.code >= 500:
                    self._refused(error.url, error)
                own = ", and the login is for that of pypi_import_from only" if error.code in (401, 403) else ""
                raise Refused("the server %s answers %d%s" % (host(error.url), error.code, own)) from error
        except (ValueError, http.client.InvalidURL) as error:
            raise Refused("its address is not usable: %s" % error) from error
        if digest.hexdigest() != file.digest:
            raise Refused("its content is not what the %s on its page says; correct it there" % file.algorithm)
        return int(email.utils.mktime_tz(changed)) * 10**9 if changed else 0

    def _is_own(self, url: str) -> bool:
        """Whether an address is of the very server that the login is for."""
        return _origin(url) == _origin(self._index["url"])

    def _prepare(self, request: urllib.request.Request) -> None:
        if request.type not in ("http", "https"):
            raise Refused("its address is neither https nor http")
        if self._index["authorization"] and self._is_own(request.full_url):
            # Redirects get it by this function alone.
            request.add_unredirected_header("Authorization", self._index["authorization"])

    def _refused(self, url: str, error: urllib.error.HTTPError) -> None:
        if error.code in (401, 403):
            raise Wrong("%s answers %d; %s" % (url, error.code, _LOGIN))
        super()._refused(url, error)


def hasher(algorithm: str) -> Any:
    """A hash to update; also where MD5 is not allowed for what is secret."""
    options = {"usedforsecurity": False} if sys.version_info >= (3, 9) else {}  # type: dict[str, Any]
    return hashlib.new(algorithm, **options)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _of_json(found: Mapping[str, Any], url: str) -> File:
    yanked = found.get("yanked")
    return File(
        str(found["filename"]),
        urllib.parse.urljoin(url, found["url"]),
        *_best(found["hashes"]),
        size=int(found.get("size") or 0),
        uploaded_ns=_nanoseconds(found.get("upload-time") or ""),
        yanked=(yanked if isinstance(yanked, str) else "") if yanked else None,
    )


def _of_html(text: str, url: str) -> list[File]:
    links = Links(text)
    base = urllib.parse.urljoin(url, links.base)
    found = []
    for link in links.found:
        address, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(base, link["href"]))
        name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])
        # Older releases of Gitea write a dash.
        hashes = dict(re.findall(r"(?:\A|&)(\w+)[=-](\w+)", fragment))
        found.append(File(name, address, *_best(hashes), yanked=link.get("data-yanked")))
    return found


def _best(hashes: Mapping[str, str]) -> tuple[str, str]:
    """The best hash of a file, as its algorithm and its digits; both empty where there is none."""
    for algorithm, digits in _ALGORITHMS.items():
        digest = hashes.get(algorithm, "").lower()
        if re.match(r"[0-9a-f]{%d}\Z" % digits, digest):
            return algorithm, digest
    return "", ""


def _nanoseconds(text: str) -> int:
    """A moment as PEP 700 writes it, in ns since 1970; 0 where it is none."""
    match = _TIME.match(text)
    if not match:
        return 0
    return calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) * 10**9 + int((match[2] or "").ljust(9, "0"))
