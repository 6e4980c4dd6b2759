# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords and hashes that an inventory gives. No message shows one."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import (
    BCRYPT_COST_LIMIT,
    ROUNDS_LIMIT,
    SCHEMES,
    describe,
    scheme_of,
    slowness,
)
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints

# bcrypt takes no cost below 4. A core that checks a password of cost 10 in 50 ms needs 6 s at cost 17, and every step
# doubles it: beyond that the first request of each login runs into timeouts.
BCRYPT_COSTS = range(4, BCRYPT_COST_LIMIT + 1)
# bcrypt looks at no more; what comes after would be no part of the password.
PASSWORD_BYTES = 72
# What NGINX takes for a token (roles/nginx/templates/tokens.js.j2): whole or not, or but for its case.
LIKE_TOKEN = re.compile(r"wheelhouse_.{32}|(?i:wheelhouse_[0-9a-f]{72}\Z)")


def edges(text: str) -> Complaints:
    """What does not belong to a value, at its ends: most come from files and vaults that end with a line break."""
    if text.endswith(("\n", "\r")):
        windows = " as Windows writes it" if text.endswith(("\r\n", "\r")) else ""
        yield (
            f"ends with a newline{windows}",
            "remove it. To encrypt a value without one: "
            'printf %s "$value" | ansible-vault encrypt_string --stdin-name NAME',
        )
    elif re.search(r"[\r\n]", text):
        yield "has a line break in it", "give it on one line"
    elif text != text.strip():
        yield "begins or ends with a space, which clients and their configuration files strip", "remove it"


def secret(value: Any) -> Complaints:
    """A password or a name for another server; may be empty."""
    if value is not None and not isinstance(value, str):
        yield "is not text", "put it in quotes"
    elif value:
        yield from edges(value)


def credential(password: Any, password_hash: Any) -> Complaints:
    """What a login is verified by: a password or a hash."""
    # An empty password is given, and wrong; `hash: ""` and null come from templates and mean "none".
    has_password, has_hash = password is not None, password_hash not in (None, "")
    if has_password and has_hash:
        yield "has both a password and a hash", "give one of them"
    elif not has_password and not has_hash:
        yield "has neither a password nor a hash", "give one of them, or state: absent"
    elif has_password:
        yield from _password(password)
    elif not isinstance(password_hash, str):
        yield "has a hash that is not text", "put it in quotes"
    else:
        yield from _hash(password_hash)


def _hash(password_hash: str) -> Complaints:
    again = "make it again with htpasswd -nB -C 10 NAME, and give only what follows the colon"
    if found := list(edges(password_hash)):
        yield from ((f"has a hash that {what}", mend) for what, mend in found)
    elif scheme_of(password_hash.partition(":")[2]):
        yield "has a hash that begins with a login", "give only what follows the colon"
    elif scheme_of(password_hash) is None and ", but not well-formed" in describe(password_hash):
        yield f"has a hash that no server verifies: {describe(password_hash)}", again
    elif scheme_of(password_hash) is None:
        yield (
            f"has a hash in a scheme that is not accepted: {describe(password_hash)}",
            f"give {', '.join(SCHEMES)} ($2a$, $2b$, $2y$, $5$, $6$, $apr1$), or a password",
        )
    elif slowness(password_hash):
        yield (
            f"has a hash that takes too long to check: {slowness(password_hash)}",
            f"give bcrypt of cost 4 to {BCRYPT_COST_LIMIT}, or at most {ROUNDS_LIMIT} rounds: each first request of a login "
            "takes as long as a check",
        )


def _password(password: Any) -> Complaints:
    if isinstance(password, (int, float)):
        yield "has a password that YAML reads as a number or boolean", "put it in quotes"
    elif not isinstance(password, str):
        yield "has a password that is not text", "put it in quotes"
    elif not password:
        yield "has an empty password", "give one, or state: absent"
    elif found := list(edges(password)):
        yield from ((f"has a password that {what}", mend) for what, mend in found)
    elif LIKE_TOKEN.match(password):
        yield "has a password like a token, which NGINX takes for one", "give another, or list the token in pypi_tokens"
    elif not re.fullmatch(r"[ -~]+", password):
        yield (
            "has a password with letters that are not printable ASCII, which clients encode in different ways",
            "give another",
        )
    elif len(password) > PASSWORD_BYTES:
        yield f"has a password of more than {PASSWORD_BYTES} bytes, and bcrypt looks at no more", "give a shorter one"
