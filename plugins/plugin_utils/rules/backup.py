# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups: what is kept, restic's environment, and whether there is a password. The host judges schedule and repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, as_integer

KEPT = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
# Variables of their own say these.
_TAKEN = ("RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_CACHE_DIR")


def keep(value: Any) -> Complaints:
    """pypi_backup_keep: restic's rules, none of which removes everything."""
    if not isinstance(value, Mapping):
        yield "is not a mapping", "give rules such as {daily: 7, weekly: 5}, or {} to keep all snapshots"
        return
    for kind, number in value.items():
        if kind not in KEPT:
            yield f"{kind!r} is not a rule", f"use {', '.join(KEPT)}"
        elif (as_integer(number) or 0) < 1:
            yield f"{kind}: {number!r} is not a number of snapshots", "give one from 1 on, or remove the rule"


def environment(value: Any) -> Complaints:
    """pypi_backup_environment; no value is shown, as it may be a password."""
    if not isinstance(value, Mapping):
        yield "is not a mapping", "give variables such as {AWS_ACCESS_KEY_ID: ..., AWS_SECRET_ACCESS_KEY: ...}"
        return
    for name, content in value.items():
        if not (isinstance(name, str) and _NAME.match(name)) or name in _TAKEN:
            yield f"{name!r} is not a variable for restic's logins", "use names such as AWS_ACCESS_KEY_ID"
        elif not isinstance(content, (str, int)) or not str(content):
            yield f"{name} has no value", "give it a text, or remove it"


def is_whole(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A repository has a password."""
    if variables.get("pypi_backup_repository") and not variables.get("pypi_backup_password"):
        yield Problem("pypi_backup_password", "is missing, and pypi_backup_repository is set", "keep one in vault.yml")
