# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of logins: pypi_ldap. No message shows its password."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.wheelhouse.pypi.plugins.module_utils.htpasswd import RIGHTS_BYTES
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import host, logins
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.network import is_address, is_dns_name
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.passwords import edges
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem, authorities_file
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, complaints, public

KEYS: Mapping[str, Mapping[str, Any]] = public()["pypi_ldap"]["options"]
GROUP_KEYS = tuple(KEYS["groups"]["options"])
# The group that is everyone.
EVERYONE = "*"
# What Apache would take for something else, in a quoted word or in an expression.
_NO_NAME = re.compile(r"""[\\"'%$`<>\x00-\x1f\x7f]""")
_DN = re.compile(r"[A-Za-z][A-Za-z0-9.-]* *=[^=,]+(?:,\s*[A-Za-z][A-Za-z0-9.-]* *=[^=,]+)*\Z")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
# Where filters of other programs have the login.
_PLACEHOLDER = re.compile(r"%[a-z(]|\{[^{}]*\}|\$\w+")


def ldap(value: Any) -> Complaints:
    """pypi_ldap: each key for itself. That none is missing is said where pypi_login_source is known."""
    if not isinstance(value, Mapping):
        yield "is not a mapping", "give url, ca_file, base and groups"
        return
    yield from logins.unknown_keys(value, tuple(KEYS))
    for key, rule in _RULES.items():
        if value.get(key) not in (None, ""):
            found = list(rule(value[key])) or list(complaints(value[key], KEYS[key]))
            yield from ((f"{key} {what}", mend) for what, mend in found)
    if bool(value.get("bind_dn")) != bool(value.get("bind_password")):
        there, missing = ("bind_dn", "bind_password") if value.get("bind_dn") else ("bind_password", "bind_dn")
        yield f"has {there} without {missing}", f"give {missing} as well, or neither, to search anonymously"


def _url(value: Any) -> Complaints:
    mend = "give ldaps://ldap.example.com, or ldap://ldap.example.com for StartTLS"
    text = str(value)
    if "@" in text:
        yield "contains credentials", "give them as bind_dn and bind_password"  # not shown: they are credentials
        return
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        yield f"{text!r} is not a URL", mend
        return
    host = parts.hostname or ""
    if parts.scheme not in ("ldap", "ldaps") or not port_is_right or not (is_dns_name(host) or is_address(host)):
        yield f"{text!r} is not an ldap or ldaps URL", mend
    elif text.rstrip("/") != f"{parts.scheme}://{parts.netloc}":
        yield f"{text!r} has more than scheme, host and port", "give the rest as base, attribute and filter"


def _name(value: Any) -> Complaints:
    """The account that searches: a DN, or what Active Directory takes instead of one."""
    if not isinstance(value, str):
        yield "is not text", "put it in quotes"
    elif value != value.strip() or _NO_NAME.search(value):
        yield f"{value!r} has a letter that is not supported", "give a DN without quotes, backslashes, %, $, < and >"


def _dn(value: Any) -> Complaints:
    found = list(_name(value))
    if not found and not _DN.match(value):
        found = [(f"{value!r} is not a DN", "give one such as ou=people,dc=example,dc=com")]
    yield from found


def _password(value: Any) -> Complaints:
    if not isinstance(value, str):
        yield "is not text", "put it in quotes"
    else:
        yield from edges(value)


def _attribute(value: Any) -> Complaints:
    if not _ATTRIBUTE.match(str(value)):
        yield f"{value!r} is not the name of an attribute", "give one, such as uid or sAMAccountName"


def _filter(value: Any) -> Complaints:
    text = str(value)
    if placeholder := _PLACEHOLDER.search(text):
        yield (
            f"{text!r} has {placeholder[0]} for the login",
            "leave that part out: pypi_ldap.attribute names the attribute that has the login",
        )
    elif re.search(r"[\x00-\x1f\x7f]", text) or not _is_one_filter(text):
        yield f"{text!r} is not an LDAP filter", "give one in parentheses, such as (objectClass=inetOrgPerson)"


def _is_one_filter(text: str) -> bool:
    """Whether it is one part in parentheses, which balance. The rest is for the directory to understand."""
    depth = 0
    for position, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 1 and position < len(text) - 1:
            return False
    return depth == 0 and text.startswith("(") and "=" in text


def _groups(value: Any) -> Complaints:
    if not isinstance(value, (list, tuple)):
        yield "is not a list", "give a list of groups, each with its dn and rights"
        return
    for number, group in enumerate(value, 1):
        if not isinstance(group, Mapping):
            yield f"has an entry {number} that is not a mapping", "give dn and rights"
            continue
        dn = group.get("dn")
        called = f"has an entry {number} that" if dn in (None, "") else f"has {str(dn)[:100]!r}, which"
        found = [*logins.unknown_keys(group, GROUP_KEYS), *logins.rights_of(group)]
        if dn in (None, ""):
            found.insert(0, ("has no dn", f'give the DN of a group, or "{EVERYONE}" for everyone in the directory'))
        elif dn != EVERYONE and (wrong := list(_dn(dn))):
            mend = wrong[0][1].replace("ou=people,", "cn=developers,ou=groups,")
            found[:0] = [("is not the DN of a group", mend)]
        yield from ((f"{called} {what}", mend) for what, mend in found)
    groups = [group for group in value if isinstance(group, Mapping)]
    # As directories compare DNs.
    same = Counter(re.sub(r"\s*([=,])\s*", r"\1", str(group.get("dn") or "")).lower() for group in groups)
    yield from ((f"has {dn!r} {count} times", "list each group once") for dn, count in same.items() if dn and count > 1)
    words = ", ".join(word for group in groups for word in logins.granted(group))
    if len(words) > RIGHTS_BYTES:
        yield (
            f"has rights of more than {RIGHTS_BYTES} letters altogether, which is too long for NGINX",
            "give patterns that match more projects",
        )


_RULES = {
    "url": _url,
    "ca_file": authorities_file,
    "bind_dn": _name,
    "bind_password": _password,
    "base": _dn,
    "attribute": _attribute,
    "filter": _filter,
    "image": host.image,
    "group_attribute": lambda _value: iter(()),
    "groups": _groups,
}


def directory_is_whole(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A directory is described if one is asked, and only then."""
    directory = variables.get("pypi_ldap")
    if not isinstance(directory, Mapping):
        return  # which its own rule says
    source = variables.get("pypi_login_source", "file")
    if source != "ldap":
        if directory:
            yield Problem(
                "pypi_ldap",
                f"is given, while pypi_login_source is {source}, so that no directory is asked",
                "set pypi_login_source: ldap, or remove it",
            )
        return
    for key, option in KEYS.items():
        if option.get("required") and not directory.get(key):
            mend = {
                "ca_file": "give a file with the authority of the directory's certificate, which is always verified",
                "groups": f'list the groups that may use the index; "{EVERYONE}" as dn is everyone in the directory',
            }.get(key, "docs/access.md has examples")
            yield Problem("pypi_ldap", f"has no {key}, while pypi_login_source is ldap", mend)
