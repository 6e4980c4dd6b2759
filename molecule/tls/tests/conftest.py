"""The index behind TLS, and files of a made-up company's authority."""

from __future__ import annotations

import dataclasses
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.support import hosts
from tests.support.certificates import Pair, authority, server
from tests.support.clients import Index

NAME = "pypi.example.com"


@dataclasses.dataclass(frozen=True)
class Company:
    """An authority and one below it, and a folder for files that are signed by it."""

    root: Pair
    middle: Pair
    folder: Path

    def files(self, name: str, pair: Pair) -> dict[str, str]:
        """Write a chain and a key, and return the variables that name them."""
        certificate, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(pair.pem(self.middle))
        key_file.write_bytes(pair.key_pem())
        return {"pypi_tls": "provided", "pypi_tls_certificate": str(certificate), "pypi_tls_key": str(key_file)}

    def server(self, *names: str, **options: int) -> Pair:
        """Make the certificate of a server."""
        return server(*names, signer=self.middle, **options)


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    root = authority()
    folder = tmp_path_factory.mktemp("company")
    (folder / "root.pem").write_bytes(root.pem())
    return Company(root, authority("Example Intermediate", root), folder)


@pytest.fixture(scope="module")
def address(host: Any) -> str:
    return hosts.address(host)


@pytest.fixture(scope="module")
def by_address(address: str, company: Company) -> Index:
    """The index as clients reach it that trust the company; they ask for the address, as no name leads there."""
    return Index(f"https://{address}", str(company.folder / "root.pem"))


@pytest.fixture(scope="module")
def plain(address: str) -> Index:
    """What is on the port of plain HTTP."""
    return Index(f"http://{address}")


@pytest.fixture(scope="session")
def authority_file() -> str:
    return os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "authority.pem")


def shown(address: str, authority_file: str = "", name: str = NAME) -> x509.Certificate:
    """Return the certificate that the index shows, verified for the name where an authority is given."""
    context = ssl.create_default_context(cafile=authority_file or None)
    if not authority_file:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, 443), 10) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
