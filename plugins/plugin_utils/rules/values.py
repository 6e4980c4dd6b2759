# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one variable may be: rules that several variables share.

A rule is a function from a value to its problems. None shows a password or a hash, nor anything that could be one put in
the wrong place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import durations
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, as_integer

Rule = Callable[[Any], Complaints]


class Problem(NamedTuple):
    """What is wrong with a variable (its value named, unless it is a secret), and what to write instead."""

    variable: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.problem}; {self.mend}"


def between(allowed: range, mend: str = "") -> Rule:
    """A whole number out of a range."""

    def rule(value: Any) -> Complaints:
        number = as_integer(value)
        if number is None or number not in allowed:
            yield (
                f"{value!r} is not a whole number from {allowed[0]} to {allowed[-1]}",
                mend or "give one in that range",
            )

    return rule


def lasting(least: str, most: str) -> Rule:
    """A duration, such as 10m, between two others."""

    def rule(value: Any) -> Complaints:
        text = str(value)
        try:
            allowed = durations.seconds(least) <= durations.seconds(text) <= durations.seconds(most)
        except ValueError:
            yield f"{value!r} is not a duration", "give a number with s, m, h or d behind it, such as 10m or 7d"
        else:
            if not allowed:
                yield f"{text} is not between {least} and {most}", "give a duration in that range"

    return rule


def matching(pattern: re.Pattern[str], what: str, mend: str, empty: bool = False) -> Rule:
    """Text that a pattern matches; ``empty`` allows it to be missing."""

    def rule(value: Any) -> Complaints:
        text = "" if value is None else str(value)
        if not (empty and not text) and not pattern.match(text):
            yield f"{value!r} is not {what}", mend

    return rule


def absolute_path(example: str) -> Rule:
    """An absolute path; may be empty."""
    mend = f"give one that begins with /, such as {{{{ inventory_dir }}}}/../{example}"
    return matching(re.compile(r"/[^\x00-\x1f\x7f]*\Z"), "an absolute path", mend, empty=True)


def url(pattern: str, what: str, mend: str) -> Rule:
    """A URL that a pattern matches; may be empty."""

    def rule(value: Any) -> Complaints:
        text = "" if value is None else str(value)
        if "@" in text:
            yield "contains credentials", mend  # not shown: they are credentials
        elif text and not re.match(pattern, text):
            yield f"{text!r} is not {what}", mend

    return rule


def file_on_controller(value: Any) -> Complaints:
    """An absolute path of a file that is there; may be empty."""
    path = "" if value is None else str(value)
    if path and not path.startswith("/"):
        yield (
            f"{path!r} is not absolute",
            f"give one that begins with /, such as {{{{ inventory_dir }}}}/../{os.path.basename(path)}",
        )
    elif path and not os.path.isfile(path):
        yield f"{path} is not a file on the machine that runs Ansible", "correct the path"


def authorities_file(value: Any) -> Complaints:
    """A PEM file on the controller with certificates alone; may be empty."""
    found = list(file_on_controller(value))
    yield from found
    if found or not value:
        return
    text = Path(str(value)).read_text(encoding="utf-8", errors="replace")
    if "PRIVATE KEY" in text:
        yield f"{value} has a private key in it", "give the authority's certificate alone; hosts get this file"
    elif "-----BEGIN CERTIFICATE-----" not in text:
        yield f"{value} has no certificate in it", "give the authority's certificate in PEM"


def size(example: str) -> Rule:
    """A size as Docker reads it."""
    mend = f"give a number with k, m or g behind it, such as {example}"
    return matching(re.compile(r"[1-9][0-9]*[kmg]?\Z"), "a size", mend)
