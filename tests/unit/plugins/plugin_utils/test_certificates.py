"""Certificates that may go live and those that may not, as community.crypto's own filters read them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.community.crypto.plugins.filter import x509_certificate_info
from ansible_collections.community.crypto.plugins.filter.openssl_privatekey_info import openssl_privatekey_info_filter
from ansible_collections.community.crypto.plugins.filter.split_pem import split_pem_filter
from ansible_collections.community.crypto.plugins.filter.x509_certificate_info import x509_certificate_info_filter
from ansible_collections.wheelhouse.pypi.plugins.filter.filters import certificate_problems
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.reporting import about_certificate
from packaging.specifiers import SpecifierSet

from tests import collection
from tests.support.certificates import NOW, Pair, authority, server

NAME = "pypi.example.com"
ROOT = authority()
MIDDLE = authority("Example Intermediate", ROOT)
OLD_MIDDLE = authority("Example Intermediate", ROOT, days=-1)
GOOD = server(NAME, signer=MIDDLE)
OTHER = server(NAME, signer=MIDDLE)


def test_this_ansible_brings_a_community_crypto_that_the_collection_takes() -> None:
    crypto = Path(x509_certificate_info.__file__).parents[2]
    version = json.loads((crypto / "MANIFEST.json").read_text())["collection_info"]["version"]
    wanted = yaml.safe_load((collection.ROOT / "galaxy.yml").read_text())["dependencies"]["community.crypto"]
    assert version in SpecifierSet(wanted)


def chain(pem: bytes) -> list[dict[str, Any]]:
    return [x509_certificate_info_filter(one) for one in split_pem_filter(pem.decode())]


def problems(pem: bytes, key: bytes, name: str = NAME) -> list[str]:
    return certificates.problems(chain(pem), name, NOW, openssl_privatekey_info_filter(key.decode()))


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        (GOOD, NAME),
        (GOOD, "PYPI.example.com"),
        (GOOD, ""),
        (server("*.example.com", signer=MIDDLE), NAME),
        (server("other.example.com", NAME, signer=MIDDLE), NAME),
        (server("192.0.2.7", signer=MIDDLE), "192.0.2.7"),
        (server("2001:db8::1", signer=MIDDLE), "2001:db8:0::1"),
        (server(NAME, signer=MIDDLE, bits=2048), NAME),
    ],
)
def test_good_certificates_go_live(pair: Pair, name: str) -> None:
    assert problems(pair.pem(MIDDLE), pair.key_pem(), name) == []


@pytest.mark.parametrize(
    ("pem", "key", "said"),
    [
        pytest.param(b"", GOOD.key_pem(), "has no certificate in PEM form", id="nothing"),
        pytest.param(GOOD.pem(), OTHER.key_pem(), "the key does not belong to the certificate", id="another's key"),
        pytest.param(
            MIDDLE.pem(GOOD), GOOD.key_pem(), "belongs to certificate 2 of the chain: put the server's own", id="order"
        ),
        pytest.param(
            GOOD.pem(ROOT),
            GOOD.key_pem(),
            "certificate 2 of the chain (commonName=Example Authority) has not signed the one before it",
            id="gap",
        ),
        pytest.param(
            GOOD.pem(OLD_MIDDLE),
            GOOD.key_pem(),
            "certificate 2 of the chain (commonName=Example Intermediate) expired",
            id="old chain",
        ),
    ],
)
def test_bad_ones_do_not(pem: bytes, key: bytes, said: str) -> None:
    assert said in "; ".join(problems(pem, key))


@pytest.mark.parametrize(
    ("pair", "name", "said"),
    [
        (server(NAME, signer=MIDDLE, days=-1), NAME, "the certificate expired on 20"),
        (server(NAME, signer=MIDDLE, since=3), NAME, "the certificate is not valid before 20"),
        (GOOD, "other.example.com", f"the certificate is for {NAME}, and clients ask for other.example.com"),
        (server("*.example.com", signer=MIDDLE), "a.b.example.com", "is for *.example.com, and clients ask for a.b."),
        (server("*.example.com", signer=MIDDLE), "example.com", "is for *.example.com"),
        (GOOD, "192.0.2.7", f"is for {NAME}"),
        (server(signer=MIDDLE), NAME, "is for no name (it has no subjectAltName)"),
    ],
)
def test_time_and_name(pair: Pair, name: str, said: str) -> None:
    (found,) = problems(pair.pem(MIDDLE), pair.key_pem(), name)
    assert said in found


def test_all_problems_are_named_at_once() -> None:
    old = server("other.example.com", signer=MIDDLE, days=-1)
    assert len(problems(old.pem(MIDDLE), GOOD.key_pem())) == 3


@pytest.mark.parametrize(
    ("days", "since", "name", "due"),
    [
        (90, -30, NAME, False),
        (30, -300, NAME, False),
        (29, -300, NAME, True),
        # Those that live for a week only.
        (6, -1, NAME, False),
        (2, -5, NAME, True),
        (90, -30, "other.example.com", True),
    ],
)
def test_what_is_renewed(days: int, since: int, name: str, due: bool) -> None:
    info = chain(server(NAME, signer=ROOT, days=days, since=since).pem())
    assert bool(certificate_problems(info, name, renewal=True)) is due
    assert bool(certificate_problems([], name, renewal=True))


def test_the_report_says_for_whom_and_how_long() -> None:
    (info,) = chain(GOOD.pem())
    end = f"{NOW + datetime.timedelta(days=90, hours=1):%Y-%m-%d}"
    text, warnings = about_certificate(info, "provided", "", NOW)
    assert text == f"The certificate is for {NAME}, by Example Intermediate, and good for 90 days, until {end}."
    assert warnings == []
    assert about_certificate({}, "none", "", NOW) == ("", [])


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ("provided", "pypi_tls_certificate: the certificate ends in 20 days"),
        ("on_host", "pypi_tls_certificate: the certificate ends in 20 days"),
        ("acme", "the certificate ends in 20 days and was not renewed"),
    ],
)
def test_the_report_warns_before_the_end(tls: str, said: str) -> None:
    (info,) = chain(server(NAME, signer=ROOT, days=20, since=-70).pem())
    (warning,) = about_certificate(info, tls, "", NOW)[1]
    assert said in warning
