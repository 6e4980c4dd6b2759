# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys as gpg wrote them, with the fingerprints that gpg shows."""

from __future__ import annotations

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import openpgp

ONE = b"""-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawM03RYJKwYBBAHaRw8BAQdA5/qPyANTwePTz5t2PgMLq9kfm9SbC//6E0rw
gUcxQH+0FW9uZSA8b25lQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEEbcQFZU/d+35n
N7fyMGJtj5CDVdMFAmsDNN0CGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
MGJtj5CDVdNuFAEAsdsXnnMfJaAaNmDss1o6xGwy7HYfiuOKWYkX2vLMRTEBAJ/5
PbZmoG1Yt/NRwNL9plpvdFzYEZvOekeiRcdvXboC
=r4xK
-----END PGP PUBLIC KEY BLOCK-----
"""
TWO = b"""-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawM03RYJKwYBBAHaRw8BAQdAVARHBUZM7fzCiwzNfZHQrMUFOHU4gdYA0+Ll
Nm8xta20FXR3byA8dHdvQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEEg5VV1ENP67px
NKUOi2x6jL/6ua8FAmsDNN0CGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
i2x6jL/6ua/nAgEA0K14+LWE/AiV2qO7zNYT2YvythTgFR6G8ryn/23WADcA/Az0
8irUP55eMwsUSiarqViGAkIXxGMCid0Lq2/q8H0H
=ndO6
-----END PGP PUBLIC KEY BLOCK-----
"""
ONES = "6DC405654FDDFB7E6737B7F230626D8F908355D3"
TWOS = "839555D4434FEBBA7134A50E8B6C7A8CBFFAB9AF"
# Docker's armour has lines of headers; some editors leave carriage returns.
WITH_HEADERS = ONE.replace(b"BLOCK-----\n\n", b"BLOCK-----\nVersion: GnuPG v1.4\nComment: a: b\n\n", 1)


@pytest.mark.parametrize(
    ("data", "fingerprints"),
    [
        pytest.param(ONE, [ONES], id="armoured"),
        pytest.param(openpgp.binary(ONE), [ONES], id="binary"),
        pytest.param(WITH_HEADERS, [ONES], id="headers"),
        pytest.param(ONE.replace(b"\n", b"\r\n"), [ONES], id="carriage returns"),
        pytest.param(b"Docker's key:\n" + ONE.rstrip(), [ONES], id="words before it"),
        pytest.param(ONE + TWO, [ONES, TWOS], id="two blocks"),
        pytest.param(openpgp.binary(ONE) + openpgp.binary(TWO), [ONES, TWOS], id="keyring"),
    ],
)
def test_fingerprints_are_those_that_gpg_shows(data: bytes, fingerprints: list[str]) -> None:
    assert [key.fingerprint for key in openpgp.keys(data)] == fingerprints


def test_the_time_of_a_key_is_that_which_gpg_shows() -> None:
    assert openpgp.keys(ONE)[0].created == 1795372253


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "it is no OpenPGP public key", id="empty"),
        pytest.param(b"<html>not found</html>", "it is no OpenPGP public key", id="page of an error"),
        pytest.param(ONE.replace(b"mDME", b"mD*E"), "its ASCII armour is damaged", id="armour"),
        pytest.param(openpgp.binary(ONE)[:40], "it is cut off", id="cut"),
        pytest.param(b"\x88\x02ab", "it holds no public key", id="a signature alone"),
        pytest.param(b"\x98\x05\x03abcd", "it is of version 3", id="old version"),
        pytest.param(b"KBX" + openpgp.binary(ONE), "it is no OpenPGP public key", id="gpg's own box"),
    ],
)
def test_what_is_no_key_says_why(data: bytes, why: str) -> None:
    with pytest.raises(openpgp.NoKey, match=why):
        openpgp.keys(data)


def test_one_key_is_taken_out_of_a_keyring() -> None:
    one, two = openpgp.binary(ONE), openpgp.binary(TWO)
    assert openpgp.without(two + one + two, ONES) == two + two
    assert openpgp.without(one, ONES) == b""
    assert openpgp.without(two, ONES) == two


def test_a_file_that_is_armoured_stays_so() -> None:
    rest = openpgp.without(TWO + ONE + TWO, ONES)
    assert rest.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME")
    assert [key.fingerprint for key in openpgp.keys(rest)] == [TWOS, TWOS]
    assert max(len(line) for line in rest.splitlines()) == 64
    # As gpg has written it, with its checksum.
    assert openpgp.without(ONE + TWO, ONES) == TWO
    assert openpgp.without(ONE, ONES) == b""
