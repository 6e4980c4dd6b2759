# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: pypi_tokens, one entry after the other, and with the variables that limit them. No message shows a token."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.module_utils.tokens import ID, SHA256
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.passwords import edges
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import (
    Complaints,
    as_integer,
    is_boolean,
    is_true,
    of_token,
    rights,
)

# What scanners of secrets look for: this, 64 random hexadecimal digits, and the first 8 of the SHA-256 of all before them.
# roles/nginx/templates/tokens.js.j2 and playbooks/token.yml have the same form.
PREFIX = "wheelhouse_"
SECRET = re.compile(rf"{PREFIX}[0-9a-f]{{72}}\Z")
# A part of one, also where a message says how a project of that name would be written.
_SHOWN = re.compile(r"(wheelhouse[_-])[0-9a-f]{8,}", re.IGNORECASE)
_CHECKSUM = 8
_BITS = 256
# Days before its end in which each run warns of a token.
_SOON = 14
KEYS = tuple(of_token())
_MAKE = "run wheelhouse.pypi.token, which makes one"


def tokens(value: Any) -> Complaints:
    """pypi_tokens: each entry for itself, and what two of them share."""
    if not isinstance(value, (list, tuple)):
        yield "is not a list", "give a list of tokens, each with an id and a secret or hash"
        return
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, Mapping):
            yield f"entry {number} is not a mapping", "give id and secret or hash"
            continue
        yield from ((f"{_called(entry, number)} {what}", mend) for what, mend in _token(entry))
    entries = [entry for entry in value if isinstance(entry, Mapping)]
    for name, count in Counter(str(entry["id"]) for entry in entries if _is_id(entry.get("id"))).items():
        if count > 1:
            yield f"token {name!r} is listed {count} times", "give each token an id of its own"
    same: dict[str, list[str]] = {}
    for number, entry in enumerate(value, 1):
        if isinstance(entry, Mapping) and (digest := sha256(entry)):
            same.setdefault(digest, []).append(_called(entry, number))
    for names in same.values():
        if len(set(names)) > 1:
            yield f"{' and '.join(names)} have the same secret", _MAKE


def _is_id(name: Any) -> bool:
    """Whether it is the id of a token, and not a token itself, put there by mistake."""
    return isinstance(name, str) and bool(ID.match(name)) and not name.startswith(PREFIX)


def _called(entry: Mapping[Any, Any], number: int) -> str:
    name = entry.get("id")
    return f"token {name!r}" if _is_id(name) else f"entry {number}"


def _token(entry: Mapping[Any, Any]) -> Complaints:
    """Problems of one entry."""
    yield from logins.unknown_keys(entry, KEYS)
    name = entry.get("id")
    if name in (None, ""):
        yield "has no id", "give one, such as ci-acme"
    elif not _is_id(name):
        yield (
            "has an invalid id",
            "give at most 100 letters, digits and ._@+-, beginning with a letter or digit, and not with wheelhouse_",
        )
    yield from logins.rights_of(entry)
    reads = entry.get("read")
    if reads is not None and not is_boolean(reads):
        yield "has a read that is neither true nor false", "give true or false; reading is not limited by project"
    elif not may_read(entry) and not logins.granted(entry):
        yield "has no right", f"give it {', '.join(rights())} or read"
    yield from logins.last_day(entry.get("expires"), "token")
    secret, digest = entry.get("secret"), entry.get("hash")
    if secret is not None and digest not in (None, ""):
        yield "has both a secret and a hash", "give one of them"
    elif secret is None and digest in (None, ""):
        yield "has neither a secret nor a hash", f"give one of them; {_MAKE}"
    elif secret is not None:
        yield from _secret(secret)
    elif not isinstance(digest, str) or not SHA256.match(digest):
        yield (
            "has a hash that is not a SHA-256 in lower-case hexadecimal digits",
            'give what `printf %s "$token" | sha256sum` prints, without the - behind it',
        )


def _secret(secret: Any) -> Complaints:
    if not isinstance(secret, str):
        yield "has a secret that is not text", "put it in quotes"
    elif found := list(edges(secret)):
        yield from ((f"has a secret that {what}", mend) for what, mend in found)
    elif not re.match(rf"{PREFIX}[0-9a-f]*\Z", secret):
        yield f"has a secret that is not {PREFIX} with 72 hexadecimal digits", _MAKE
    elif not SECRET.match(secret):
        bits = max(0, len(secret) - len(PREFIX) - _CHECKSUM) * 4
        yield f"has a secret of {bits} bits instead of {_BITS}", f"copy it whole, or {_MAKE}"
    elif checksum(secret[:-_CHECKSUM]) != secret[-_CHECKSUM:]:
        yield "has a secret that was altered: its checksum differs", f"copy it whole, or {_MAKE}"


def hidden(text: str) -> str:
    """Return a message without the tokens in it."""
    return _SHOWN.sub(r"\1...", text)


def checksum(text: str) -> str:
    """Return what a token ends with, of all before that."""
    return hashlib.sha256(text.encode()).hexdigest()[:_CHECKSUM]


def sha256(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a token, which is all that leaves the controller; empty where the entry has neither."""
    secret = entry.get("secret")
    return hashlib.sha256(secret.encode()).hexdigest() if isinstance(secret, str) else str(entry.get("hash") or "")


def may_read(entry: Mapping[str, Any]) -> bool:
    """Whether a token reads, as all do that are not forbidden to."""
    return entry.get("read") is None or is_true(entry["read"])


def present(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tokens that are valid today."""
    return [entry for entry in logins.entries(variables, "pypi_tokens") if not logins.has_expired(entry)]


def for_host(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the host gets of a valid entry: module_utils.tokens.Token as a mapping."""
    expires = entry.get("expires")
    end = None
    if expires not in (None, ""):
        after = datetime.date.fromisoformat(str(expires)) + datetime.timedelta(days=1)
        end = int(datetime.datetime.combine(after, datetime.time(), datetime.UTC).timestamp())
    return {
        "id": entry["id"],
        "sha256": sha256(entry),
        "rights": logins.granted(entry),
        "reads": may_read(entry),
        "end": end,
    }


def have_names_of_their_own(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Logs name logins and tokens alike."""
    users = {str(user.get("name")) for user in logins.listed_users(variables)}
    for entry in logins.entries(variables, "pypi_tokens"):
        if entry.get("id") in users:
            yield Problem(
                "pypi_tokens", f"{_called(entry, 0)} has the name of a login in pypi_users", "give it another id"
            )


def expire_in_time(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Each token ends within pypi_tokens_max_days."""
    days = as_integer(variables.get("pypi_tokens_max_days"))
    if not days or days < 0:
        return  # which its own rule says
    today = datetime.datetime.now(datetime.UTC).date()
    last = today + datetime.timedelta(days=days)
    for number, entry in enumerate(logins.entries(variables, "pypi_tokens"), 1):
        expires = str(entry.get("expires") or "")
        mend = f"give {last} or a day before"
        if not expires:
            yield Problem(
                "pypi_tokens",
                f"{_called(entry, number)} does not expire, while pypi_tokens_max_days is {days}",
                f"{mend} as expires",
            )
        elif not list(logins.last_day(expires, "token")) and datetime.date.fromisoformat(expires) > last:
            yield Problem(
                "pypi_tokens",
                f"{_called(entry, number)} expires {expires}, more than {days} days from now (pypi_tokens_max_days)",
                mend,
            )


def warnings(variables: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed, yet may not be meant."""
    soon = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=_SOON)
    for number, entry in enumerate(logins.entries(variables, "pypi_tokens"), 1):
        name, expires = _called(entry, number), entry.get("expires")
        if logins.has_expired(entry):
            yield f"pypi_tokens: {name} expired after {expires}; wheelhouse.pypi.users removes it"
        elif logins.has_expired(entry, soon):
            yield f"pypi_tokens: {name} expires after {expires}; wheelhouse.pypi.token makes another"
