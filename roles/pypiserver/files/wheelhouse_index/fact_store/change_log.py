"""The change log: who changed what when, a line of JSON each, in a file per day (UTC) of logs/."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..common.times import time_text

log = logging.getLogger(__name__)
# Attestations that are kept from now on, whether they came with their file or later.
ATTEST = "attest"
# What playbooks do: removals by rules, what comes back from the trash, and what leaves it before its time.
PRUNE, RESTORE, EMPTY = "prune", "restore", "empty_trash"
_BEFORE, _AFTER = "changes-", ".log"
_DAY = "%Y-%m-%d"
_NAME = re.compile(rf"{_BEFORE}(?P<day>\d{{4}}-\d\d-\d\d){re.escape(_AFTER)}", re.ASCII)


class ChangeLog:
    """The files changes-DAY.log of a folder.

    Args:
        folder: it. Where it is missing or cannot be written to, the program's own log says so, and changes go on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, action: str, login: str = "", address: str = "", **what: Any) -> bool:
        """Note a change; return whether that worked.

        Args:
            action: what was done: as the form calls it, import or attest.
            login: whose it was; empty where there was none.
            address: where the request came from.
            what: what else is to be known of it.
        """
        now = time.time_ns()
        line = {"time": time_text(now), "action": action, "login": login, "address": address, **what}
        place = self._folder / f"{_BEFORE}{datetime.fromtimestamp(now // 10**9, UTC):{_DAY}}{_AFTER}"
        try:
            # Appended in one piece: other processes write there as well.
            _append(place, json.dumps(line).encode() + b"\n")
        except OSError as error:
            log.error("The change log cannot be written to (%s): %s", error, json.dumps(line))
            return False
        return True

    def prune(self, seconds: int) -> None:
        """Remove the files of days of which the last line is longer ago. What else is there stays, and links."""
        oldest = f"{datetime.now(UTC) - timedelta(seconds=seconds):{_DAY}}"
        with suppress(OSError):
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                with os.scandir(folder) as entries:
                    old = [entry.name for entry in entries if _is_before(oldest, entry)]
                for name in old:
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(folder)


def _append(place: Path, line: bytes) -> None:
    """Append a line to a file: all of it or, where there is no room, nothing."""
    descriptor = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        # Other processes write there as well.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if (written := os.write(descriptor, line)) < len(line):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, f"room for {written} of {len(line)} bytes")
    finally:
        os.close(descriptor)


def files(folder: Path, since: str) -> list[Path]:
    """Return the change log's files in a folder from a day on, the oldest first; all of them without one."""
    return sorted(file for file in folder.glob(f"{_BEFORE}*{_AFTER}") if _day(file.name) >= (since or "0"))


def _is_before(day: str, entry: os.DirEntry[str]) -> bool:
    """Tell whether this is the file of an earlier day."""
    return "" < _day(entry.name) < day and entry.is_file(follow_symlinks=False)


def _day(name: str) -> str:
    """Return which day's file this is; empty if it is none of the change log."""
    match = _NAME.fullmatch(name)
    return match["day"] if match else ""
