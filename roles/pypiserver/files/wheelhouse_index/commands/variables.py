"""Variables of playbooks, as commands get them on standard input: texts, and what is wrong with those that are none."""

from __future__ import annotations

from typing import Any

_SHOWN = 80


class BadInputError(ValueError):
    """A variable cannot be as it is. Names it, its value and the remedy."""


def text(name: str, value: Any) -> str:
    """Return a variable that has to be a text, without blanks around it.

    Raises:
        BadInputError: if it is none.
    """
    # YAML makes a number of 1.10, which is then another version.
    if not isinstance(value, str):
        raise BadInputError(f"{name}: {shown(value)} is not a text; quote it where it is set, as in {name}: '1.10'")
    return value.strip()


def shown(value: Any) -> str:
    """Return a value as messages have it."""
    found = repr(value)
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}… ({len(value)} characters)"
