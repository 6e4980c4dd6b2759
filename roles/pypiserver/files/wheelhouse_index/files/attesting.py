"""Attestations as they arrive (PEP 740): each has to be of the file that it comes with. Pure functions.

Who signed them, and whether that signature holds, is not looked at: only clients can say whose they trust.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ..common.answers import Refusal
from . import names, nesting
from .names import Release

# Of all attestations of a file: each has some 10 kB.
MOST_BYTES = 1024 * 1024
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATES = ("https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1")
_NAMED = 100
_REMEDY = "Send attestations that were made for this file, or none."


def checked(text: str, name: str, sha256: str, release: Release) -> bytes:
    """Return the attestations that a form has of a file: a JSON array.

    Args:
        text: the form's field: a JSON array.
        name: the file.
        sha256: its digest.
        release: whose it is.

    Raises:
        Refusal: if they are none, or not of this file.
    """
    content = text.encode()
    if len(content) > MOST_BYTES:
        raise Refusal(
            400, f"The attestations of {name} have {len(content)} bytes; this index takes {MOST_BYTES}. Send fewer."
        )
    try:
        found = _parsed(content)
    except ValueError as error:
        raise Refusal(400, f"The attestations of {name} are {error}. {_REMEDY}") from error
    if not isinstance(found, list) or not found:
        raise Refusal(400, f"The attestations of {name} are not a JSON array with at least one. {_REMEDY}")
    for number, attestation in enumerate(found, 1):
        try:
            _check(attestation, name, sha256, release)
        except ValueError as error:
            raise Refusal(400, f"Attestation {number} of {name} {error}. {_REMEDY}") from error
    return content


def _parsed(content: bytes) -> Any:
    """Return what JSON holds; raise ValueError, with the end of a sentence, where it cannot be read or served."""
    if nesting.is_deep(content):
        raise ValueError(f"nested deeper than {nesting.MOST_LEVELS} levels")
    try:
        text = content.decode()
        found = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise ValueError("not JSON") from error
    try:
        json.dumps(found, allow_nan=False)
    except ValueError as error:
        # JSON allows 1e999. Python reads infinity, and would write that as no JSON.
        raise ValueError("JSON with a number that is out of range") from error
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _check(attestation: Any, name: str, sha256: str, release: Release) -> None:
    """Raise ValueError, with the end of a sentence, where an attestation is not one of a file."""
    version = _at(attestation, "version")
    if version != 1 or isinstance(version, bool):
        raise ValueError("is not of version 1")
    material, envelope = _at(attestation, "verification_material"), _at(attestation, "envelope")
    _decoded(material, "certificate")
    entries = _at(material, "transparency_entries")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("has no transparency_entries")
    _decoded(envelope, "signature")
    content = _decoded(envelope, "statement")
    try:
        statement = _parsed(content)
    except ValueError as error:
        raise ValueError(f"has a statement that is {error}") from error
    _check_statement(statement, name, sha256, release)


def _check_statement(statement: Any, name: str, sha256: str, release: Release) -> None:
    if _at(statement, "_type") != _STATEMENT:
        raise ValueError(f"has a statement that is no {_STATEMENT}")
    if _at(statement, "predicateType") not in _PREDICATES:
        raise ValueError(f"has another predicateType than {' or '.join(_PREDICATES)}")
    subjects = _at(statement, "subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise ValueError("has not exactly one subject")
    subject, digest = _at(subjects[0], "name"), _at(_at(subjects[0], "digest"), "sha256")
    if not isinstance(subject, str) or not _is_same(subject, name, release):
        raise ValueError(f"is of {str(subject)[:_NAMED]!r}, another file")
    if digest != sha256:
        raise ValueError(f"is of a file with the SHA-256 {str(digest)[:_NAMED]!r}; this one has {sha256}")


def _at(found: Any, key: str) -> Any:
    """Return what an object has by a key."""
    if not isinstance(found, dict) or key not in found:
        raise ValueError(f"lacks {key}")
    return found[key]


def _decoded(found: Any, key: str) -> bytes:
    """Return what an object has by a key in base64, which some tools write with line breaks."""
    value = _at(found, key)
    try:
        content = base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else b""
    except ValueError as error:
        raise ValueError(f"has a {key} that is not base64") from error
    if not content:
        raise ValueError(f"lacks {key}")
    return content


def _is_same(subject: str, name: str, release: Release) -> bool:
    """Tell whether a subject's name is that of a file, in whatever spelling (PEP 740)."""
    return (
        bool(names.suffix(subject))
        and names.is_served(subject)
        and names.claimed(subject, release)
        and names.identity(subject, release) == names.identity(name, release)
    )
