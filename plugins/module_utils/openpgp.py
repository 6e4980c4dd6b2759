# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys in files, as far as it takes to know whose they are: RFC 9580, packets and fingerprints.

A host that has nothing yet may lack gpg (apt brings gpgv or sqv, which only verify), and a key has to be judged before
anything else reads it. Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----[^\n]*\n(?:[^\n:]+:[^\n]*\n)*\s*\n(?P<body>.*?)\n(?:=[A-Za-z0-9+/]{4}\s*\n)?"
    rb"-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)
_PUBLIC_KEY = 6


class NoKey(Exception):
    """A file is no public key; the message says why."""


@dataclass(frozen=True)
class Key:
    """A primary key and where it is in the binary data, with its names, signatures and subkeys.

    Attributes:
        fingerprint: 40 hexadecimal digits in upper case (version 4), 64 for version 6.
        created: seconds since 1970.
        start: offset of its first byte.
        end: offset behind the last byte that belongs to it.
    """

    fingerprint: str
    created: int
    start: int
    end: int


def binary(data: bytes) -> bytes:
    """Return the packets of a key file, ASCII armoured or not; raise NoKey where it is neither."""
    blocks = _ARMOUR.findall(data.replace(b"\r\n", b"\n") + b"\n")
    if blocks:
        try:
            return b"".join(base64.b64decode(b"".join(block.split()), validate=True) for block in blocks)
        except binascii.Error as error:
            raise NoKey("its ASCII armour is damaged") from error
    if not data or not data[0] & 0x80:
        raise NoKey("it is no OpenPGP public key")
    return data


def keys(data: bytes) -> list[Key]:
    """Return the primary keys in a file, ASCII armoured or not; raise NoKey where it holds none or is damaged."""
    packets = binary(data)
    found: list[Key] = []
    starts = []
    at = 0
    while at < len(packets):
        tag, body, end = _packet(packets, at)
        if tag == _PUBLIC_KEY:
            starts.append((at, body))
        at = end
    for number, (start, body) in enumerate(starts):
        behind = starts[number + 1][0] if number + 1 < len(starts) else len(packets)
        found.append(Key(_fingerprint(body), int.from_bytes(body[1:5], "big"), start, behind))
    if not found:
        raise NoKey("it holds no public key")
    return found


def without(data: bytes, fingerprint: str) -> bytes:
    """Return a file of keys without one of them, armoured as one block where it is armoured; empty where none is left."""
    packets = binary(data)
    rest = b"".join(packets[key.start : key.end] for key in keys(packets) if key.fingerprint != fingerprint)
    # apt goes by a file's name for whether it is armoured.
    return _armoured(rest) if rest and packets is not data else rest


def _armoured(packets: bytes) -> bytes:
    """Return packets in ASCII armour, with the checksum that gpg wants (RFC 4880, 6.1)."""
    checksum = 0xB704CE
    for byte in packets:
        checksum ^= byte << 16
        for _bit in range(8):
            checksum = checksum << 1 ^ (0x1864CFB if checksum & 0x800000 else 0)
    text = base64.b64encode(packets)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    lines.append(b"=" + base64.b64encode(checksum.to_bytes(3, "big")))
    begin, end = (b"-----%s PGP PUBLIC KEY BLOCK-----" % word for word in (b"BEGIN", b"END"))
    return b"\n".join([begin, b"", *lines, end, b""])


def _packet(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return tag and body of the packet at an offset, and the offset behind it."""
    try:
        header = data[at]
        if not header & 0x80:
            raise NoKey("it is damaged")
        if header & 0x40:
            tag, length, at = header & 0x3F, *_new_length(data, at + 1)
        else:
            octets = (1, 2, 4, 0)[header & 3]
            tag, length = (header >> 2) & 0xF, int.from_bytes(data[at + 1 : at + 1 + octets], "big")
            length, at = length if octets else len(data) - at - 1, at + 1 + octets
    except IndexError:
        raise NoKey("it is cut off") from None
    if at + length > len(data):
        raise NoKey("it is cut off")
    return tag, data[at : at + length], at + length


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length in the newer notation, and the offset behind it."""
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        return ((first - 192) << 8) + data[at + 1] + 192, at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    raise NoKey("it is in pieces, as no key is")


def _fingerprint(body: bytes) -> str:
    """Return the fingerprint of a public key packet."""
    version = body[0] if body else 0
    if version == 4:
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    if version == 6:
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise NoKey("it is of version %d, which nothing accepts any more" % version)
