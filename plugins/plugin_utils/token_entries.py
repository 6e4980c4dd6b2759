# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of pypi_tokens for wheelhouse.pypi.token: out of its variables, and into a file of the inventory."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import specs
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.in_clear import Loader

_NEW_FILE = "---\npypi_tokens:\n"
_HEAD = re.compile(r"^pypi_tokens:(?: *\[\])?(?= *(?:#.*)?\r?$)", re.MULTILINE)
_ITEM = re.compile(r"^( *)-(?:\s|$)", re.MULTILINE)


def entry(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of pypi_tokens, as yet without a hash.

    Args:
        given: what an entry may have, as text. A right is true or false, or projects separated by commas.
    """
    rights = {right: value for right in specs.rights() if (value := _right(given.get(right, False)))}
    reads = {"read": _boolean(given["read"])} if "read" in given else {}
    expires = {"expires": str(given["expires"])} if given.get("expires") else {}
    return {"id": given.get("id", ""), **rights, **reads, **expires}


def _right(value: Any) -> Any:
    value = _boolean(value)
    return value.split(",") if isinstance(value, str) else value


def _boolean(value: Any) -> Any:
    return specs.is_true(value) if specs.is_boolean(value) else value


def line(one: Mapping[str, Any]) -> str:
    """Return an entry on one line. Where it needs quotes they are single ones, which debug does not escape."""
    return "- " + yaml.safe_dump(dict(one), default_flow_style=True, sort_keys=False, width=math.inf).rstrip()


def added(text: str, one: Mapping[str, Any], known: Iterable[str] = ()) -> str:
    """Return a file of the inventory with one more entry, before the others; empty if that would change anything else.

    Args:
        text: what is in the file; empty for a new one.
        one: the entry, with its hash.
        known: ids of the tokens that the inventory has. If the file lacks one, the inventory has pypi_tokens in another file
            as well. Ansible takes one of the two, and the next run would revoke the tokens of the other.
    """
    text = text or _NEW_FILE
    head = _HEAD.search(text)
    if not head:
        return ""
    # To the end of its line, where a comment may be.
    rest, _break, below = text[head.end() :].partition("\n")
    newline = "\r\n" if "\r\n" in text else "\n"
    comment = rest.rstrip("\r")
    try:
        had = yaml.load(text, Loader=Loader)
        first = _ITEM.search(below) if had["pypi_tokens"] else None
        indent = first[1] if first else "  "
        result = f"{text[: head.start()]}pypi_tokens:{comment}{newline}{indent}{line(one)}{newline}{below}"
        has = yaml.load(result, Loader=Loader)
    except (ValueError, yaml.YAMLError):
        return ""
    entries = had["pypi_tokens"] or []
    if has != {**had, "pypi_tokens": [one, *entries]}:
        return ""
    ids = {other.get("id") for other in entries if isinstance(other, Mapping)}
    return result if ids.issuperset(known) else ""
