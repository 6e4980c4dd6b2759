# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hashes of passwords: which ones NGINX verifies, and what a message may say of them.

Runs on the host: Python 3.8 and the standard library only. No function here puts a hash into a message.
"""

from __future__ import annotations

import re

# The schemes that NGINX verifies on any system, by crypt() or itself, and that are worth having. Salts and digests are
# exact: crypt() writes a hash again and compares, and it never writes spare bits, leading zeros or other letters.
_LETTER = "[./A-Za-z0-9]"
SCHEMES = {
    "bcrypt": re.compile(
        r"\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$%s{21}[.Oeu]%s{30}[.CGKOSWaeimquy26]\Z" % (_LETTER, _LETTER)
    ),
    "sha256-crypt": re.compile(
        r"\$5\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?%s{0,16}\$%s{42}[./0-9A-D]\Z" % (_LETTER, _LETTER)
    ),
    "sha512-crypt": re.compile(
        r"\$6\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?%s{0,16}\$%s{85}[./01]\Z" % (_LETTER, _LETTER)
    ),
    "apr1": re.compile(r"\$apr1\$%s{0,8}\$%s{21}[./01]\Z" % (_LETTER, _LETTER)),
}
# What a core takes some seconds for; each first request of a login takes as long. SHA-crypt does a million in one.
BCRYPT_COST_LIMIT = 17
ROUNDS_LIMIT = 5000000
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$(?P<salt>%s{22})(?P<digest>%s{31})\Z" % (_LETTER, _LETTER))
_CRYPT = re.compile(
    r"\$(?P<scheme>5|6|apr1)\$(?:rounds=(?P<rounds>[^$]*)\$)?(?P<salt>[^$]*)\$(?P<digest>[^$]*)\Z", re.DOTALL
)
_LENGTHS = {"5": (16, 43), "6": (16, 86), "apr1": (8, 22)}
# Beginnings that may be named in a message. Anything else could be a password in plain text.
_KNOWN_BEGINNINGS = re.compile(
    r"(\{(?:SHA|SSHA|SHA256|SSHA256|SHA512|SSHA512|MD5|SMD5|CRYPT|PLAIN|PBKDF2(?:-SHA(?:1|256|512))?)\}"
    r"|\$(?:1|2|2a|2b|2x|2y|3|5|6|7|y|gy|md5|sha1|apr1|argon2(?:i|d|id)|scrypt|pbkdf2(?:-sha(?:1|256|512))?|bcrypt-sha256|P|H)\$)",
    re.IGNORECASE,
)


def scheme_of(password_hash: str) -> str | None:
    """Name of the scheme of a well-formed hash in one of the accepted schemes, else None."""
    for name, pattern in SCHEMES.items():
        if pattern.match(password_hash):
            return name
    return None


def describe(password_hash: str) -> str:
    """What a hash looks like, for messages; shows nothing of its salt or digest, or of a password put in its place."""
    if not password_hash:
        return "empty"
    match = _KNOWN_BEGINNINGS.match(password_hash)
    if match is None:
        return "plain text or an unknown scheme"
    accepted = re.match(r"\$(2[aby]|5|6|apr1)\$", password_hash) is not None
    if not accepted or scheme_of(password_hash) is not None:
        return match.group(1)
    return "%s, but not well-formed: %s" % (match.group(1), _fault(password_hash))


def _fault(password_hash: str) -> str:
    """What makes a hash of an accepted scheme one that no server verifies, without anything of salt or digest."""
    bcrypt, crypt = _BCRYPT.match(password_hash), _CRYPT.match(password_hash)
    if bcrypt is not None:
        if not 4 <= int(bcrypt.group("cost")) <= 31:
            return "its cost is not 04 to 31"
        part = "salt" if bcrypt.group("salt")[-1] not in ".Oeu" else "digest"
        return "the last letter of its %s has bits that do not belong to it" % part
    if crypt is not None:
        salt, digest = _LENGTHS[crypt.group("scheme")]
        rounds = crypt.group("rounds")
        if rounds is not None and (crypt.group("scheme") == "apr1" or not re.match(r"[1-9][0-9]{3,8}\Z", rounds)):
            return "rounds= is to be 1000 to 999999999, without zeros in front"
        if not re.match(r"%s{0,%d}\Z" % (_LETTER, salt), crypt.group("salt")):
            return "its salt has more than %d letters, or others than ./A-Za-z0-9" % salt
        if re.match(r"%s{%d}\Z" % (_LETTER, digest), crypt.group("digest")):
            return "the last letter of its digest has bits that do not belong to it"
    return "it is too short, too long, or has letters other than ./A-Za-z0-9"


def slowness(password_hash: str) -> str:
    """What makes each check of a well-formed hash take more than some seconds, in words; empty where nothing does."""
    cost = bcrypt_cost(password_hash)
    if cost is not None and cost > BCRYPT_COST_LIMIT:
        return "bcrypt of cost %d" % cost
    match = SCHEMES["sha256-crypt"].match(password_hash) or SCHEMES["sha512-crypt"].match(password_hash)
    rounds = int(match.group("rounds") or 0) if match else 0
    return "%d rounds" % rounds if rounds > ROUNDS_LIMIT else ""


def bcrypt_cost(password_hash: str) -> int | None:
    """Cost of a well-formed bcrypt hash, as the power of two of its rounds; None for anything else."""
    match = SCHEMES["bcrypt"].match(password_hash)
    return int(match.group("cost")) if match else None
