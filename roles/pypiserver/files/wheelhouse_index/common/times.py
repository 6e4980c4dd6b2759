"""Moments as pages and facts write them: PEP 700's form, in UTC, to the microsecond. Pure functions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

# 31 December 9999.
_LAST_NS = 253_402_300_799_999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z", re.ASCII)


# Each form of a page says the same times.
@lru_cache(maxsize=4096)
def time_text(nanoseconds: int) -> str:
    """Return a moment, in ns since 1970, as text; the nearest that can be written."""
    seconds, rest = divmod(min(max(nanoseconds, 0), _LAST_NS), 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def nanoseconds(text: str) -> int:
    """Return the moment that such a text names, in ns since 1970.

    Raises:
        ValueError: if it names none.
    """
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no time such as 2026-11-20T14:21:05.123456Z")
    # strptime takes several times as long, and each record that is read has a time.
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1) * 1000


def moment(text: str) -> int:
    """Return the moment that a person means by a day or a time, in ns since 1970; UTC unless it says otherwise.

    Raises:
        ValueError: if it names none.
    """
    found = datetime.fromisoformat(text)
    return (found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
