"""Facts as they are read back: people, other tools and failing disks may have changed them. Pure functions."""

from __future__ import annotations

import json
import re
from typing import Any

from ..common.times import nanoseconds

# SQLite's whole numbers end here.
_LARGEST = 2**63 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


def parsed(text: str) -> Any:
    """Return what JSON holds.

    Raises:
        ValueError: if it is none; Python alone reads NaN, and 1e999 as infinity.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def at(found: Any, key: str) -> Any:
    """Return what an object has by a key; this and all below raise ValueError where that is not there, or another thing."""
    if not isinstance(found, dict) or key not in found:
        raise ValueError(f"{key} is missing")
    return found[key]


def whole(found: Any, key: str, least: int = 0) -> int:
    """Return a whole number."""
    value = at(found, key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
        raise ValueError(f"{key} is not a whole number from {least} on")
    return value


def text(found: Any, key: str) -> str:
    """Return text, which can be written anywhere."""
    return written(at(found, key), key)


def written(value: Any, what: str) -> str:
    """Return a text that can be written anywhere; half of a pair of surrogates cannot."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} is not Unicode text") from error
    return value


def sha256(found: Any) -> str:
    """Return a digest."""
    value = text(found, "sha256")
    if not _SHA256.fullmatch(value):
        raise ValueError("sha256 is not 64 hexadecimal digits in lower case")
    return value


def moment(found: Any) -> int:
    """Return when something was published, in ns since 1970."""
    time_ns = nanoseconds(text(found, "upload-time"))
    if not 0 <= time_ns <= _LARGEST:
        raise ValueError("upload-time is out of range")
    return time_ns


def _finite(number: str) -> float:
    found = float(number)
    if found in (float("inf"), float("-inf")):
        raise ValueError(f"{number[:40]} is out of range")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
