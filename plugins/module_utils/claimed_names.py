# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private names of an index on this host, and the digests of their files, by the facts in packages/.wheelhouse/.

The service account owns that folder, so links are not followed and odd files are no facts. Runs on the host: Python 3.8 and the
standard library only.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress

from ansible_collections.wheelhouse.pypi.plugins.module_utils import nofollow

_PROJECT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_RECORD_BYTES = 64 * 1024


def names(packages: str) -> set[str]:
    """The names that have or had files; none where there is no index yet."""
    with suppress(FileNotFoundError), nofollow.folder("%s/.wheelhouse/names" % packages) as here:
        return set(filter(_PROJECT.match, os.listdir(here)))
    return set()


def digests(packages: str, project: str) -> list[str]:
    """The SHA-256 of each file that a project has or had, in hexadecimal digits."""
    found = []
    with suppress(FileNotFoundError), nofollow.folder("%s/.wheelhouse/files/%s" % (packages, project)) as here:
        for name in os.listdir(here):
            if name.endswith(".json"):
                found += _digest(name, here)
    return found


def _digest(name: str, folder: int) -> list[str]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        with open(os.open(name, flags, dir_fd=folder), "rb") as file:
            sha256 = json.loads(file.read(_RECORD_BYTES)).get("sha256")
        if isinstance(sha256, str) and _SHA256.match(sha256):
            return [sha256]
    return []
