"""Certificates of a made-up company: good ones, and those that are wrong in one way each."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    def pem(self, *above: Pair) -> bytes:
        """Return the certificate, and behind it those that have signed it."""
        every = [self, *above]
        return b"".join(one.certificate.public_bytes(serialization.Encoding.PEM) for one in every)

    def key_pem(self, passphrase: bytes = b"") -> bytes:
        """Return the key, locked where there is a passphrase."""
        lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def authority(name: str = "Example Authority", signer: Pair | None = None, days: int = 3650) -> Pair:
    """Make an authority, its own or one below another."""
    return _make(name, (), signer, days, since=-30, signs=True)


def server(*names: str, signer: Pair, days: int = 90, since: int = -30, bits: int = 0) -> Pair:
    """Make the certificate of a server.

    Args:
        names: host names and addresses.
        signer: the authority.
        days: until it ends; negative is in the past.
        since: the day on which it begins, counted from today.
        bits: of an RSA key; without, the key is on a curve.
    """
    key = rsa.generate_private_key(65537, bits) if bits else None
    return _make(names[0] if names else "nobody", names, signer, days, since, signs=False, key=key)


def _make(
    subject: str, names: Sequence[str], signer: Pair | None, days: int, since: int, signs: bool, key: Any = None
) -> Pair:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.certificate.subject if signer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=since))
        .not_valid_after(NOW + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(not signs, False, False, False, False, signs, signs, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not signs:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    if signer:
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
        builder = builder.add_extension(above, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
    return Pair(builder.sign(signer.key if signer else key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
