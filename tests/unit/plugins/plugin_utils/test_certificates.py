# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that may go live, those that may not, and those that are made for trials."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates

from tests.support.certificates import NOW, Pair, authority, server

NAME = "pypi.example.com"
ROOT = authority()
MIDDLE = authority("Example Intermediate", ROOT)
OLD_MIDDLE = authority("Example Intermediate", ROOT, days=-1)
GOOD = server(NAME, signer=MIDDLE)
OTHER = server(NAME, signer=MIDDLE)


def judged(pem: bytes, key: bytes, name: str = NAME) -> list[str]:
    return certificates.judge(pem, key, name, NOW)


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        (GOOD, NAME),
        (GOOD, "PYPI.example.com"),
        (GOOD, ""),
        (server("*.example.com", signer=MIDDLE), NAME),
        (server("other.example.com", NAME, signer=MIDDLE), NAME),
        (server("192.0.2.7", signer=MIDDLE), "192.0.2.7"),
        (server("2001:db8::1", signer=MIDDLE), "2001:db8::1"),
    ],
)
def test_good_certificates_go_live(pair: Pair, name: str) -> None:
    assert judged(pair.pem(MIDDLE), pair.key_pem(), name) == []


@pytest.mark.parametrize(
    ("pem", "key", "said"),
    [
        pytest.param(b"", GOOD.key_pem(), "the certificate has no certificate in PEM form", id="nothing"),
        pytest.param(GOOD.key_pem(), GOOD.key_pem(), "the certificate has no certificate", id="key for certificate"),
        pytest.param(GOOD.pem(), GOOD.pem(), "the key has no private key in PEM form", id="certificate for key"),
        pytest.param(GOOD.pem(), GOOD.key_pem(b"S3cret"), "locked with a passphrase", id="passphrase"),
        pytest.param(GOOD.pem(), OTHER.key_pem(), "the key does not belong to the certificate", id="another's key"),
        pytest.param(
            MIDDLE.pem(GOOD), GOOD.key_pem(), "belongs to certificate 2 of the chain: the server's own", id="order"
        ),
        pytest.param(
            GOOD.pem(ROOT), GOOD.key_pem(), "certificate 2 of the chain (CN=Example Authority) is not who", id="gap"
        ),
        pytest.param(
            GOOD.pem(OLD_MIDDLE), GOOD.key_pem(), "2 of the chain (CN=Example Intermediate) has expired", id="old chain"
        ),
    ],
)
def test_bad_ones_do_not(pem: bytes, key: bytes, said: str) -> None:
    found = "; ".join(judged(pem, key))
    assert said in found
    assert "S3cret" not in found
    assert "BEGIN" not in found


@pytest.mark.parametrize(
    ("pair", "name", "said"),
    [
        (server(NAME, signer=MIDDLE, days=-1), NAME, "the certificate has expired on 20"),
        (server(NAME, signer=MIDDLE, since=3), NAME, "the certificate does not count before 20"),
        (GOOD, "other.example.com", f"the certificate is for {NAME}, and clients ask for other.example.com"),
        (server("*.example.com", signer=MIDDLE), "a.b.example.com", "is for *.example.com, and clients ask for a.b."),
        (server("*.example.com", signer=MIDDLE), "example.com", "is for *.example.com"),
        (GOOD, "192.0.2.7", f"is for {NAME}"),
        (server(signer=MIDDLE), NAME, "is for no name at all (subjectAltName)"),
    ],
)
def test_time_and_name(pair: Pair, name: str, said: str) -> None:
    (found,) = judged(pair.pem(MIDDLE), pair.key_pem(), name)
    assert said in found


def test_all_problems_are_told_at_once() -> None:
    old = server("other.example.com", signer=MIDDLE, days=-1)
    assert len(judged(old.pem(MIDDLE), GOOD.key_pem())) == 3


@pytest.mark.parametrize("name", [NAME, "192.0.2.7", "2001:db8::1", "x" * 60 + ".example.com"])
def test_one_for_trials_is_trusted_by_who_trusts_its_authority(tmp_path: Path, name: str) -> None:
    made = certificates.self_signed(name, NOW)
    assert judged(made.certificate, made.key, name) == []
    assert certificates.lasts(made.certificate.decode(), name, NOW)
    assert certificates.signed_by(made.certificate.decode(), made.authority.decode())
    for file, content in (("c", made.certificate), ("k", made.key)):
        (tmp_path / file).write_bytes(content)
    trusting = ssl.create_default_context(cadata=made.authority.decode())
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(tmp_path / "c", tmp_path / "k")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    other = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, other, client, other):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.getpeercert()


@pytest.mark.parametrize(
    ("days", "since", "name", "good"),
    [
        (90, -30, NAME, True),
        (30, -300, NAME, True),
        (29, -300, NAME, False),
        # Those that live for a week only.
        (6, -1, NAME, True),
        (2, -5, NAME, False),
        (90, -30, "other.example.com", False),
    ],
)
def test_what_is_renewed(days: int, since: int, name: str, good: bool) -> None:
    assert certificates.lasts(server(NAME, signer=ROOT, days=days, since=since).pem().decode(), name, NOW) is good


def test_what_is_no_certificate_does_not_last() -> None:
    assert not certificates.lasts("", NAME, NOW)
    assert not certificates.signed_by(GOOD.pem().decode(), "")
    assert not certificates.signed_by(GOOD.pem().decode(), ROOT.pem().decode())
    assert certificates.about("nothing", NOW) is None


def test_what_people_are_told() -> None:
    told = certificates.about(GOOD.pem().decode(), NOW)
    assert told is not None
    assert (told.names, told.issuer, told.days) == ([NAME], "Example Intermediate", 90)
    assert told.until.date() == (NOW + datetime.timedelta(days=90, hours=1)).date()


@pytest.mark.parametrize(
    ("server_name", "url", "address", "name"),
    [
        (NAME, "https://other.example.com", "192.0.2.7", NAME),
        ("_", "https://other.example.com:8443", "192.0.2.7", "other.example.com"),
        ("_", "", "192.0.2.7", "192.0.2.7"),
        ("_", "", "", ""),
    ],
)
def test_the_name_that_clients_ask_for(server_name: str, url: str, address: str, name: str) -> None:
    assert certificates.name_of(server_name, url, address) == name
