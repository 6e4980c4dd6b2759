# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The public variables as the collection's one argument spec states them: names, types, choices, rights of logins.

Types and choices are checked in the collection's own words.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SPECS = Path(__file__).resolve().parents[2] / "roles/pypi/meta/argument_specs.yml"

# What is wrong with a value, and what to write instead.
Complaints = Iterator[tuple[str, str]]

_TRUE = ("true", "yes", "on", "1", "y", "t", "1.0")
_FALSE = ("false", "no", "off", "0", "n", "f", "0.0")


@functools.cache
def public() -> Mapping[str, Mapping[str, Any]]:
    """Return the public variables: name -> its options in the argument spec."""
    text = SPECS.read_text(encoding="utf-8")
    (entry,) = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"].values()
    options: Mapping[str, Mapping[str, Any]] = entry["options"]
    return options


def of_login() -> Mapping[str, Mapping[str, Any]]:
    """Return what an entry of pypi_users may have: key -> its options in the argument spec."""
    keys: Mapping[str, Mapping[str, Any]] = public()["pypi_users"]["options"]
    return keys


def of_token() -> Mapping[str, Mapping[str, Any]]:
    """Return what an entry of pypi_tokens may have: key -> its options in the argument spec."""
    keys: Mapping[str, Mapping[str, Any]] = public()["pypi_tokens"]["options"]
    return keys


def rights() -> tuple[str, ...]:
    """Return the rights that a login can be given: the keys of an entry of pypi_users that may be a list of projects."""
    return tuple(key for key, option in of_login().items() if option["type"] == "raw")


def is_true(value: Any) -> bool:
    """Whether Ansible takes a value as true."""
    return str(value).lower() in _TRUE


def is_boolean(value: Any) -> bool:
    """Whether Ansible takes a value as true or false."""
    return isinstance(value, bool) or str(value).lower() in (*_TRUE, *_FALSE)


def as_integer(value: Any) -> int | None:
    """A whole number, also from text as Jinja returns it; None for anything else, booleans included."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]+\s*", value) else None


def instead(value: Any, choices: Iterable[str]) -> str:
    """Name the choices for a value that is none of them, the most similar one first."""
    choices = list(choices)
    near = difflib.get_close_matches(str(value), choices, 1)
    give = f"ive one of {', '.join(choices)}" if len(choices) > 2 else f"ive {' or '.join(choices)}"
    return f"did you mean {near[0]}? G{give}" if near else f"g{give}"


def complaints(value: Any, option: Mapping[str, Any]) -> Complaints:
    """Say what is wrong with the type of a value, or that it is not one of the choices.

    Args:
        value: of the variable, rendered.
        option: its argument spec. Options below it are left to the variable's own rule.
    """
    if value is None and "default" in option and option["default"] is None:
        return  # not given
    shown = "" if option.get("no_log") else f"{value!r} "
    kind = option["type"]
    if kind == "bool" and not is_boolean(value):
        yield f"{shown}is neither true nor false", "give true or false"
    elif kind == "int" and as_integer(value) is None:
        yield f"{shown}is not a whole number", "give one"
    elif kind == "list" and not isinstance(value, (list, tuple)):
        # Not shown: it may be a list of logins.
        yield "is not a list", "give one, or [] for none"
    elif kind == "dict" and not isinstance(value, Mapping):
        yield "is not a mapping", "give keys and values, or {} for none"
    elif kind in ("str", "path") and value is None:
        yield "has no value", 'give one, or "" for none'
    elif kind in ("str", "path") and isinstance(value, (bool, list, tuple, Mapping)):
        yield "is not text", "put it in quotes"
    elif choices := [str(choice) for choice in option.get("choices") or ()]:
        for one in value if kind == "list" else [value]:
            if str(one) not in choices:
                yield f"{one!r} is unknown", instead(one, choices)
