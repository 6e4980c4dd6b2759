# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups: what is kept, restic's environment, and whether there is a password. The host judges schedule and repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, as_integer

KEPT = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
# As restic tells a service from a folder.
_REMOTE = re.compile(r"(sftp|rest|s3|swift|b2|azure|gs|rclone):")
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


def is_elsewhere(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A repository that is a folder of the host is not in the tree of the index, which is emptied with it."""
    folder, home = str(variables.get("pypi_backup_repository") or "").removeprefix("local:"), variables.get("pypi_home")
    if not folder or _REMOTE.match(folder):
        return
    if not folder.startswith("/"):
        yield Problem(
            "pypi_backup_repository",
            "is a path that is not absolute",
            "give one that begins with /, such as /mnt/backup/pypi",
        )
    elif home and f"{posixpath.normpath(folder)}/".startswith(f"{posixpath.normpath(str(home))}/"):
        yield Problem(
            "pypi_backup_repository", f"is in pypi_home, {home}", "give a folder elsewhere, best on another disk"
        )


def is_whole(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A repository has a password."""
    if variables.get("pypi_backup_repository") and not variables.get("pypi_backup_password"):
        yield Problem("pypi_backup_password", "is missing, and pypi_backup_repository is set", "keep one in vault.yml")
