# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates on the controller: judged before they go live, made for trials, and told about in days.

Uses the package cryptography, which ansible-core itself needs for Vault. No function here puts a key into a message.
"""

from __future__ import annotations

import datetime
import ipaddress
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

# It is there wherever ansible-core is installed; tools that look at plugins alone may lack it.
with suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# From here on a certificate is renewed, in days, or after two thirds of its life; what is provided is warned of.
RENEWAL_DAYS = 30
# How long those last that are made here: Mozilla's intermediate profile has no longer ones.
SELF_SIGNED_DAYS = 365
# A clock of a client may be behind.
_CLOCK = datetime.timedelta(hours=1)


class CertificateError(Exception):
    """A certificate or key cannot be used; the text says why, and never shows a key."""


class Made(NamedTuple):
    """A certificate with its key and the authority that has signed it, as PEM."""

    certificate: bytes
    key: bytes
    authority: bytes


class About(NamedTuple):
    """What people want to know of a certificate; ``days`` are whole ones until ``until``, ``due`` is time for another."""

    names: list[str]
    issuer: str
    until: datetime.datetime
    days: int
    due: bool


def now() -> datetime.datetime:
    """The time in UTC."""
    return datetime.datetime.now(datetime.UTC)


def name_of(server_name: str, external_url: str, address: str = "") -> str:
    """The name that clients ask this server for: a host name or an IP address; empty where nobody says it.

    Args:
        server_name: pypi_server_name; ``_`` is none.
        external_url: pypi_external_url.
        address: what counts when neither says it.
    """
    if server_name not in ("", "_"):
        return server_name
    return (urlsplit(external_url).hostname or "") if external_url else address


def chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order; raise CertificateError where there is none or one is broken."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CertificateError("has no certificate in PEM form that can be read") from error


def private_key(pem: bytes) -> Any:
    """The key of a PEM file; raise CertificateError for one that NGINX could not load without a person."""
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError as error:
        raise CertificateError("is locked with a passphrase, and nobody could type it when NGINX starts") from error
    except Exception as error:  # of several kinds, none of which may be shown: they might quote the file
        raise CertificateError("has no private key in PEM form that can be read") from error


def until(certificate: x509.Certificate) -> datetime.datetime:
    """When a certificate ends, in UTC."""
    # cryptography before 42, as Debian 12 has it, knows times without a zone only.
    found = getattr(certificate, "not_valid_after_utc", None)
    return found or certificate.not_valid_after.replace(tzinfo=datetime.UTC)


def since(certificate: x509.Certificate) -> datetime.datetime:
    """When a certificate begins, in UTC."""
    found = getattr(certificate, "not_valid_before_utc", None)
    return found or certificate.not_valid_before.replace(tzinfo=datetime.UTC)


def names(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a certificate is for. The subject's common name is none: clients do not look there."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def is_for(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate is for a name: the same, or a wildcard for its first label."""
    try:
        return str(ipaddress.ip_address(name)) in names(certificate)
    except ValueError:
        wanted = name.lower().rstrip(".")
    given = [one.lower() for one in names(certificate)]
    return wanted in given or "*." + wanted.partition(".")[2] in given


def judge(certificate: bytes, key: bytes, name: str, at: datetime.datetime) -> list[str]:
    """What keeps a certificate and its key from going live, a clause each; empty where nothing does.

    Args:
        certificate: PEM of the server's certificate, those that it is signed by behind it.
        key: PEM of its private key.
        name: that clients ask for; not looked at when it is empty.
        at: the time.
    """
    found: list[str] = []
    certificates: list[x509.Certificate] = []
    try:
        certificates = chain(certificate)
        found += _of_chain(certificates, name, at)
    except CertificateError as error:
        found.append(f"the certificate {error}")
    try:
        loaded = private_key(key)
        if certificates:
            found += _of_key(certificates, loaded)
    except CertificateError as error:
        found.append(f"the key {error}")
    return found


def _of_chain(certificates: Sequence[x509.Certificate], name: str, at: datetime.datetime) -> Iterator[str]:
    for number, one in enumerate(certificates):
        called = "the certificate" if number == 0 else f"certificate {number + 1} of the chain ({_subject(one)})"
        if until(one) < at:
            yield f"{called} has expired on {until(one):%Y-%m-%d}"
        elif since(one) > at + _CLOCK:
            yield f"{called} does not count before {since(one):%Y-%m-%d}"
    first = certificates[0]
    if name and not is_for(first, name):
        for_whom = ", ".join(names(first)) or "no name at all (subjectAltName)"
        yield f"the certificate is for {for_whom}, and clients ask for {name}"
    for number, (one, above) in enumerate(itertools.pairwise(certificates), 2):
        if one.issuer != above.subject:
            yield (
                f"certificate {number} of the chain ({_subject(above)}) is not who has signed the one before it: the "
                "server's own comes first, and each one behind that has signed the one before"
            )


def _of_key(certificates: Sequence[x509.Certificate], key: Any) -> Iterator[str]:
    public = _public(key)
    owners = [number for number, one in enumerate(certificates) if _public(one) == public]
    if not owners:
        yield "the key does not belong to the certificate"
    elif 0 not in owners:
        yield f"the key belongs to certificate {owners[0] + 1} of the chain: the server's own has to come first"


def _public(whose: Any) -> bytes:
    return whose.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a subject"


def about(pem: str, at: datetime.datetime) -> About | None:
    """What there is to tell of the first certificate of a PEM file; None where there is none to be read."""
    try:
        first = chain(pem.encode())[0]
    except CertificateError:
        return None
    issuer = first.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) or first.issuer.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    left = until(first) - at
    due = left < min(datetime.timedelta(days=RENEWAL_DAYS), (until(first) - since(first)) / 3)
    return About(names(first), str(issuer[0].value) if issuer else "", until(first), left.days, due)


def lasts(pem: str, name: str, at: datetime.datetime) -> bool:
    """Whether a certificate is for a name, and not due to be renewed."""
    told = about(pem, at)
    return told is not None and not told.due and is_for(chain(pem.encode())[0], name)


def signed_by(pem: str, authority: str) -> bool:
    """Whether the first certificate of a PEM file is signed by an authority that was made here."""
    try:
        one, above = chain(pem.encode())[0], chain(authority.encode())[0]
        key = above.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False  # none that was made here
        key.verify(one.signature, one.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    except (CertificateError, InvalidSignature):
        return False
    return one.issuer == above.subject


def self_signed(name: str, at: datetime.datetime) -> Made:
    """A certificate for a name, and an authority that was made for it alone.

    The authority's key is thrown away at once: whoever trusts the authority trusts this one certificate, and nobody can
    ever have it sign another.
    """
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {name} alone"[:64])])
    authority = (
        _unsigned(issuer, issuer, authority_key, at)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        _unsigned(subject, issuer, key, at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Made(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        authority.public_bytes(serialization.Encoding.PEM),
    )


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, at: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _CLOCK)
        .not_valid_after(at + datetime.timedelta(days=SELF_SIGNED_DAYS))
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
