# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows from what community.crypto reads in certificates: what keeps one from going live, and when it ends.

Nothing here reads PEM or needs a cryptographic library. A certificate is the mapping that the filter
``community.crypto.x509_certificate_info`` returns, a key that of ``community.crypto.openssl_privatekey_info``.
"""

from __future__ import annotations

import datetime
import ipaddress
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Info = Mapping[str, Any]

# A certificate is due for renewal that many days before its end, or in the last third of its life.
RENEWAL_DAYS = 30
# The clock of a controller may be behind.
_CLOCK = datetime.timedelta(hours=1)
_TIME = "%Y%m%d%H%M%SZ"


class About(NamedTuple):
    """What people want to know of a certificate; ``days`` are whole ones until ``not_after``, ``due`` asks for another."""

    names: list[str]
    issuer: str
    not_after: datetime.datetime
    days: int
    due: bool


def now() -> datetime.datetime:
    """The time in UTC."""
    return datetime.datetime.now(datetime.UTC)


def about(certificate: Info, at: datetime.datetime) -> About:
    """Return what the report says of a certificate."""
    begin, end = _time(certificate["not_before"]), _time(certificate["not_after"])
    left = end - at
    due = left < min(datetime.timedelta(days=RENEWAL_DAYS), (end - begin) / 3)
    issuer = certificate["issuer"]
    return About(
        names(certificate), str(issuer.get("organizationName") or issuer.get("commonName", "")), end, left.days, due
    )


def names(certificate: Info) -> list[str]:
    """The names and addresses that a certificate is for. The common name does not count: clients ignore it."""
    entries = [str(entry).partition(":") for entry in certificate["subject_alt_name"] or ()]
    return [name for kind, _colon, name in entries if kind in ("DNS", "IP")]


def covers(certificate: Info, name: str) -> bool:
    """Tell whether a certificate is for a name: that name or address, or a wildcard for its first label."""
    try:
        address = str(ipaddress.ip_address(name))
    except ValueError:
        wanted = name.lower().rstrip(".")
        return not {wanted, "*." + wanted.partition(".")[2]}.isdisjoint(found.lower() for found in names(certificate))
    return address in names(certificate)


def problems(
    chain: Sequence[Info], name: str, at: datetime.datetime, key: Info | None = None, renewal: bool = False
) -> list[str]:
    """Return what keeps a certificate from being used, a clause each; empty if nothing does.

    Args:
        chain: the server's certificate and those behind it in the file.
        name: what clients ask for; empty accepts any.
        at: the time.
        key: the private key; without one, it is not compared.
        renewal: a certificate that is due for renewal counts as a problem.
    """
    if not chain:
        return ["the file has no certificate in PEM form"]
    found = [*_of_dates(chain, at), *_of_name(chain[0], name), *_of_order(chain)]
    if key is not None:
        found += _of_key(chain, key)
    if renewal and not found and about(chain[0], at).due:
        found.append(f"the certificate ends on {_time(chain[0]['not_after']):%Y-%m-%d}")
    return found


def _of_dates(chain: Sequence[Info], at: datetime.datetime) -> Iterator[str]:
    for number, certificate in enumerate(chain, 1):
        title = "the certificate" if number == 1 else _title(number, certificate)
        begin, end = _time(certificate["not_before"]), _time(certificate["not_after"])
        if end < at:
            yield f"{title} expired on {end:%Y-%m-%d}"
        elif begin > at + _CLOCK:
            yield f"{title} is not valid before {begin:%Y-%m-%d}"


def _of_name(certificate: Info, name: str) -> Iterator[str]:
    if name and not covers(certificate, name):
        given = ", ".join(names(certificate)) or "no name (it has no subjectAltName)"
        yield f"the certificate is for {given}, and clients ask for {name}"


def _of_order(chain: Sequence[Info]) -> Iterator[str]:
    for number, (certificate, issuer) in enumerate(itertools.pairwise(chain), 2):
        if certificate["issuer_ordered"] != issuer["subject_ordered"]:
            yield (
                f"{_title(number, issuer)} has not signed the one before it: put the server's own certificate first, "
                "and behind each one its issuer"
            )


def _of_key(chain: Sequence[Info], key: Info) -> Iterator[str]:
    owners = [number for number, certificate in enumerate(chain, 1) if _public_key(certificate) == _public_key(key)]
    if not owners:
        yield "the key does not belong to the certificate"
    elif 1 not in owners:
        yield f"the key belongs to certificate {owners[0]} of the chain: put the server's own certificate first"


def _public_key(whose: Info) -> str:
    return str(whose["public_key_fingerprints"]["sha256"])


def _title(number: int, certificate: Info) -> str:
    subject = ", ".join("=".join(map(str, part)) for part in certificate["subject_ordered"])
    return f"certificate {number} of the chain ({subject or 'without a subject'})"


def _time(text: Any) -> datetime.datetime:
    return datetime.datetime.strptime(str(text), _TIME).replace(tzinfo=datetime.UTC)
