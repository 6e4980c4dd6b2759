# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public projects behind the private ones: one model of what the variables about upstreams say.

``policy`` is what pypi-server reads, ``model`` adds what NGINX needs. Both expect variables that ``rules/upstreams.py`` has
accepted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.wheelhouse.pypi.plugins.module_utils.htpasswd import PATTERN
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import durations

REFUSE = "refuse"
HTTPS_PORT = 443
_DIGEST_LENGTH = 12
_SPELT = re.compile(r"[A-Za-z0-9._*-]+\Z")
_PATTERN = re.compile(rf"{PATTERN}\Z")
_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9._*-]+?)\s*(?P<versions>[<>=!~].*)?\Z", re.DOTALL)


class Requirement(NamedTuple):
    """Releases: of a project or of those that a pattern matches, all of them or those with certain versions."""

    name: str
    specifiers: str

    def __str__(self) -> str:
        return self.name + self.specifiers


def normalised(name: str) -> str:
    """Return the normal form (PEP 503) of a project's name or a pattern of names, in which ``*`` stands for any letters."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_pattern(text: str) -> bool:
    """Tell whether a text, in any spelling, is a project's name or a pattern that can match one."""
    return bool(_SPELT.match(text)) and bool(_PATTERN.match(normalised(text)))


def matches_everything(text: str) -> bool:
    """Tell whether a pattern matches every project."""
    return set(text) == {"*"}


def covers(wide: str, narrow: str) -> bool:
    """Tell whether a normalised pattern matches every project that another one matches."""
    # The other's * is a letter that only a * matches.
    return fnmatchcase(narrow, wide)


def requirement(text: str) -> Requirement:
    """Take an entry such as ``evil``, ``acme-*`` or ``urllib3 < 2`` apart.

    Raises:
        ValueError: it is none; extras, markers and URLs are not taken.
    """
    # Here, because ansible-test imports this file without what ansible-core needs.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    match = _REQUIREMENT.match(text)
    if not match or not is_pattern(match["name"]):
        raise ValueError(f"{text!r} is not a name, nor a name with version specifiers")
    try:
        specifiers = str(SpecifierSet(match["versions"] or ""))
    except InvalidSpecifier as error:
        raise ValueError(f"{text!r} has invalid version specifiers") from error
    return Requirement(normalised(match["name"]), specifiers)


def entry(upstream: Any) -> Mapping[str, Any]:
    """Return an entry of pypi_upstreams as a mapping; text is its URL."""
    return {"url": upstream} if isinstance(upstream, str) else upstream


def host(text: str) -> str:
    """Return a host, perhaps with its port, without the port of HTTPS."""
    return text.removesuffix(f":{HTTPS_PORT}")


def policy(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked of which upstream, and what is let through: the content of ``pypiserver/upstreams.json``.

    Args:
        variables: ``pypi_upstreams``, ``pypi_private_names``, ``pypi_shadowed_names`` and those of ``pypi_upstream_*`` that
            are about policy.

    Returns:
        An empty dictionary without upstreams, else::

            {"digest": "0123456789ab",       # of all else: SHA-256 of its JSON with sorted keys, the first 12 digits
             "upstreams": [{"url": "https://public.example.org/simple/",
                            "names": ["torch*"],             # patterns of projects; empty: all that are left
                            "hosts": ["public.example.org", "files.example.org:8443"],  # its own first
                            "no_upload_time": "refuse"}],    # or allow
             "private": ["acme-*"], "shadowed": ["torch"],
             "minimum_age": 259200,                          # seconds
             "denied": ["evil", "urllib3<2"], "allowed": [], "exempt": ["urgent==1.2.3"],
             "freshness": 600}                               # seconds

        Names and patterns are normalised. The first upstream that matches a project answers for it: one without names is last.
    """
    upstreams = _in_order(variables)
    if not upstreams:
        return {}
    said = {
        "upstreams": [_of_policy(upstream) for upstream in upstreams],
        "private": _patterns(variables["pypi_private_names"]),
        "shadowed": _patterns(variables["pypi_shadowed_names"]),
        "minimum_age": durations.seconds(variables["pypi_upstream_minimum_age"]),
        "denied": _requirements(variables["pypi_upstream_denied"]),
        "allowed": _patterns(variables["pypi_upstream_allowed"]),
        "exempt": _requirements(variables["pypi_upstream_exempt"]),
        "freshness": durations.seconds(variables["pypi_upstream_freshness"]),
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return {"digest": digest[:_DIGEST_LENGTH], **said}


def model(variables: Mapping[str, Any], secrets: bool = True) -> dict[str, Any]:
    """Return the policy with what NGINX alone needs.

    Args:
        variables: as for ``policy``.
        secrets: whether upstreams' logins are in it.

    Returns:
        The policy. Each upstream also has::

            {"scheme": "https", "host": "public.example.org", "path": "/simple/",
             "authorization": "Basic ...",            # a secret; empty without a login
             "regex": ["~^torch[a-z0-9-]*$"]}         # its names for a map of NGINX

        and all of it ``"private_regex": ["~^acme-[a-z0-9-]*$"]``.
    """
    found = policy(variables)
    if not found:
        return {}
    upstreams = [
        {**said, **_of_nginx(upstream, secrets)}
        for said, upstream in zip(found["upstreams"], _in_order(variables), strict=True)
    ]
    return {**found, "upstreams": upstreams, "private_regex": _regexes(found["private"])}


def _in_order(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the upstreams so that the first one that matches answers: one without names takes what is left."""
    upstreams = [entry(upstream) for upstream in variables["pypi_upstreams"] or ()]
    return sorted(upstreams, key=lambda upstream: not upstream.get("names"))


def _of_policy(upstream: Mapping[str, Any]) -> dict[str, Any]:
    parts = urlsplit(upstream["url"])
    own = host(parts.netloc)
    return {
        "url": f"https://{own}{parts.path}",
        "names": _patterns(upstream.get("names")),
        "hosts": list(dict.fromkeys([own, *map(host, upstream.get("file_hosts") or ())])),
        "no_upload_time": upstream.get("no_upload_time") or REFUSE,
    }


def _of_nginx(upstream: Mapping[str, Any], secrets: bool) -> dict[str, Any]:
    parts = urlsplit(upstream["url"])
    found = {
        "scheme": "https",
        "host": host(parts.netloc),
        "path": parts.path,
        "regex": _regexes(_patterns(upstream.get("names"))),
    }
    return {**found, "authorization": _authorization(upstream)} if secrets else found


def _authorization(upstream: Mapping[str, Any]) -> str:
    """Return the header that logs in at an upstream; empty without a login."""
    if not upstream.get("username"):
        return ""
    login = f"{upstream['username']}:{upstream['password']}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _patterns(value: Iterable[str] | None) -> list[str]:
    return list(dict.fromkeys(map(normalised, value or ())))


def _requirements(value: Iterable[str] | None) -> list[str]:
    return list(dict.fromkeys(str(requirement(text)) for text in value or ()))


def _regexes(patterns: Sequence[str]) -> list[str]:
    """Return normalised patterns as a map of NGINX has them; nothing in them needs an escape."""
    return [f"~^{pattern.replace('*', '[a-z0-9-]*')}$" for pattern in patterns]
