"""Variables of playbooks, as commands get them on standard input: texts, and what is wrong with those that are none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..common import times

_SHOWN = 80


class BadInputError(ValueError):
    """A variable cannot be as it is. Names it, its value and the remedy."""


def check_names(found: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise BadInputError if a variable is not known."""
    if unknown := sorted({*found}.difference(known)):
        raise BadInputError(f"{unknown[0]}: unknown to the index that runs; run wheelhouse.pypi.site first")


def text(name: str, value: Any) -> str:
    """Return a variable that has to be a text, without blanks around it.

    Raises:
        BadInputError: if it is none.
    """
    # YAML makes a number of 1.10, which is then another version.
    if not isinstance(value, str):
        raise BadInputError(f"{name}: {shown(value)} is not a text; quote it where it is set, as in {name}: '1.10'")
    return value.strip()


def selector(name: str, found: Mapping[str, Any]) -> str:
    """Return a variable that selects, as ``text``; empty where it is not set.

    Raises:
        BadInputError: if it is blank, as with a shell's unset variable, or no text.
    """
    if name not in found:
        return ""
    if selected := text(name, found[name]):
        return selected
    raise BadInputError(f"{name}: empty; give a value, or leave it out")


def since(value: str) -> str:
    """Return pypi_since, a day or a time, as text (``times``); empty where it is.

    Raises:
        BadInputError: if it is none, or in the future.
    """
    if not value:
        return ""
    form = "give a day (UTC) or a time, such as 2026-11-20 or 2026-11-20T14:30:00Z"
    try:
        moment = times.moment(value)
    except (ValueError, OverflowError):
        raise BadInputError(f"pypi_since: {shown(value)} is not a day or a time; {form}") from None
    if moment > time.time_ns():
        raise BadInputError(f"pypi_since: {shown(value)} is in the future; {form}")
    return times.time_text(moment)


def shown(value: Any) -> str:
    """Return a value as messages have it."""
    found = repr(value)
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}… ({len(value)} characters)"
