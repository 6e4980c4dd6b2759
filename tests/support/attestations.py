"""Attestations in the shape that twine and uv send (PEP 740); what stands for certificate and signature is none."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

PUBLISH = "https://docs.pypi.org/attestations/publish/v1"
SLSA = "https://slsa.dev/provenance/v1"


def encoded(content: bytes) -> str:
    """Return base64 with line breaks, as pypi-attestations writes it."""
    return base64.encodebytes(content).decode()


def statement(name: str, content: bytes, **changed: Any) -> dict[str, Any]:
    """Return the in-toto statement of a file; ``changed`` are keys that are to be otherwise."""
    subject = {"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": PUBLISH,
        "predicate": None,
        **changed,
    }


def attestation(name: str, content: bytes, signature: bytes = b"signature", **changed: Any) -> dict[str, Any]:
    """Return the attestation of a file; ``changed`` are keys of its statement that are to be otherwise."""
    signed = json.dumps(statement(name, content, **changed)).encode()
    return {
        "version": 1,
        "verification_material": {
            "certificate": encoded(b"certificate"),
            "transparency_entries": [{"logIndex": "1", "kindVersion": {"kind": "dsse", "version": "0.0.1"}}],
        },
        "envelope": {"statement": encoded(signed), "signature": encoded(signature)},
    }
