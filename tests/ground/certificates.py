"""Certificate authorities that this machine trusts and Debian does not ship (companies that re-sign traffic)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+(.+?)\s+-----END CERTIFICATE-----", re.DOTALL)
_BUNDLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_SHIPPED = Path("/usr/share/ca-certificates")


def bodies(text: str) -> list[str]:
    """Return the base64 bodies of a PEM file's certificates, without white space."""
    return ["".join(body.split()) for body in _PEM.findall(text)]


def pem(body: str) -> str:
    """Return a certificate as PEM, from its base64 body."""
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def foreign(trusted: Iterable[str], shipped: Iterable[str]) -> list[str]:
    """Return the bodies of the certificates that the trusted texts have and the shipped ones lack, each once."""
    known = {body for text in shipped for body in bodies(text)}
    extra = {body: None for text in trusted for body in bodies(text) if body not in known}
    return list(extra)


def _read(paths: Iterable[Path]) -> list[str]:
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()]


def machine(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the bodies of this machine's own authorities; none on most machines."""
    shipped = _read(sorted(_SHIPPED.rglob("*.crt")))
    if not shipped:  # no ca-certificates package: nothing to compare with
        return []
    named = [Path(environment[name]) for name in _BUNDLES if environment.get(name)]
    return foreign(_read([SYSTEM_BUNDLE, *named]), shipped)
