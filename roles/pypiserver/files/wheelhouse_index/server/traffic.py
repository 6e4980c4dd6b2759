"""Counts what the access log has, for metrics: each scrape reads on where the last one ended, wherever that was.

All processes and replicas share one file in index/, which holds the counts and the place in the log.
"""

from __future__ import annotations

import fcntl
import json
import os
from bisect import bisect_left
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..common import disk

# In index/: the counts, and who holds the other one reads the log.
STATE, LOCK = ".traffic.json", ".traffic"
# Of the log in one scrape: some 50,000 requests, or half a second of a processor.
MOST_BYTES = 16 * 1024 * 1024
# Seconds within which requests were answered.
BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
# From the rotation of the log until NGINX writes to the new one (roles/stack/templates/rotate.sh.j2).
_REOPEN = ".reopen"
# What tells a log from a later one that got its inode: its first line has the time.
_HEAD_BYTES = 120
_BEFORE_ALL = {"inode": 0, "offset": 0, "head": ""}
_VERDICTS = {"HIT": "hit", "STALE": "hit", "UPDATING": "hit", "MISS": "missed", "EXPIRED": "missed", "BYPASS": "missed"}
# Routes of what is posted (roles/nginx/templates/conf.d/maps.conf.j2).
_CHANGES = ("upload", "removal", "yank")
# So that the first one of each is seen as one more.
_BEGIN = (
    *(
        f'wheelhouse_changes_total{{route="{route}",result="{result}"}}'
        for route in _CHANGES
        for result in ("accepted", "refused", "full", "failed")
    ),
    *(f'wheelhouse_verdicts_total{{cache="{cache}"}}' for cache in ("hit", "missed")),
    *("wheelhouse_refused_logins_total", "wheelhouse_log_damaged_lines_total", "wheelhouse_log_gaps_total"),
)
_UNREAD = "wheelhouse_log_unread_bytes"
# Values by name and labels, as they are exposed.
Series = dict[str, float]


class Traffic:
    """The counts of an index.

    Args:
        logs: the folder of the access log.
        index: the folder that holds the counts.
        most: how many bytes of the log are read at a time.
    """

    def __init__(self, logs: Path, index: Path, most: int = MOST_BYTES) -> None:
        self._logs, self._index, self._most = logs, index, most

    def counts(self) -> Series:
        """Return all series; while another process reads on, those before."""
        with open(self._index / LOCK, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._read_on()
            except (BlockingIOError, FileNotFoundError):
                # Another process reads on, or a log was compressed just now.
                return dict(self._known()["counts"])

    def _known(self) -> dict[str, Any]:
        """Return what was counted; from nothing on where that cannot be read."""
        try:
            known = json.loads(disk.read(self._index / STATE))
            if known.keys() == {*_BEFORE_ALL, "counts"}:
                return dict(known)
        except (OSError, ValueError, AttributeError):
            pass
        return {**_BEFORE_ALL, "counts": dict.fromkeys((*_BEGIN, _UNREAD), 0)}

    def _read_on(self) -> Series:
        known = self._known()
        files = self._files()
        # Looked for after the files: without it, NGINX writes to none of those that were rotated.
        waits = (self._logs / _REOPEN).exists()
        counts = defaultdict(float, known["counts"])
        at = self._place(known, files, counts)
        left = self._most
        while at < len(files):
            with open(files[at], "rb") as file:
                known["head"] = known["head"] or file.read(_HEAD_BYTES).decode("latin-1")
                file.seek(known["offset"])
                text = file.read(left)
                size = os.fstat(file.fileno()).st_size
            whole = text.rfind(b"\n") + 1
            if not whole and len(text) == self._most:
                # No line of NGINX is as long.
                whole = len(text)
            _count(text[:whole], counts)
            known["offset"] += whole
            left -= whole
            if waits or at + 1 == len(files) or known["offset"] + len(text) - whole < size:
                break
            # What is left behind the last line end was cut off.
            counts["wheelhouse_log_damaged_lines_total"] += len(text) > whole
            at += 1
            known.update(inode=os.stat(files[at]).st_ino, offset=0, head="")
        counts[_UNREAD] = max(sum(map(_size, files[at:])) - known["offset"], 0)
        known["counts"] = counts
        # Where the disk is full, the next scrape counts the same again.
        with suppress(OSError):
            new = self._index / f"{STATE}.new"
            new.write_text(json.dumps(known), encoding="utf-8")
            new.replace(self._index / STATE)
        return counts

    def _files(self) -> list[Path]:
        """Return the log's files that are not compressed, the oldest first."""
        found = {}
        for file in [*sorted(self._logs.glob("access-*.log")), self._logs / "access.log"]:
            with suppress(OSError):
                found[os.stat(file).st_ino] = file
        return list(found.values())

    def _place(self, known: dict[str, Any], files: list[Path], counts: Series) -> int:
        """Return which file to read on in. Nothing was counted before: the end of the log. It is there no more: a gap."""
        for number, file in enumerate(files):
            if os.stat(file).st_ino == known["inode"] and _size(file) >= known["offset"]:
                with open(file, "rb") as opened:
                    if opened.read(len(known["head"])).decode("latin-1") == known["head"]:
                        return number
        is_new = not known["inode"]
        counts["wheelhouse_log_gaps_total"] += not is_new
        at = len(files) - 1 if is_new else 0
        if files:
            known.update(inode=os.stat(files[at]).st_ino, offset=_size(files[at]) if is_new else 0, head="")
        return at if files else 0


def _size(file: Path) -> int:
    return os.stat(file).st_size


def _count(text: bytes, counts: Series) -> None:
    """Add lines to counts."""
    # A line at a time of the few that there are of kinds; then all of a kind at once.
    answered: Counter[tuple[str, int]] = Counter()
    for line in text.splitlines():
        try:
            said = json.loads(line.decode("utf-8", "replace"))
            route, status = _word(said["route"]), int(said["status"])
            user, verdict, checked = said["user"], said["verdict"], _VERDICTS.get(said.get("verdict_cache", ""))
            cache, rule = (_word(said[key]) if said.get(key) else "" for key in ("cache", "rule"))
            sent, received, seconds = int(said["bytes"]), int(said["received"]), float(said["seconds"])
        except (ValueError, KeyError, TypeError, AttributeError):
            counts["wheelhouse_log_damaged_lines_total"] += 1
            continue
        of_route = f'{{route="{route}"}}'
        counts[f'wheelhouse_requests_total{{route="{route}",status="{status}"}}'] += 1
        counts[f"wheelhouse_sent_bytes_total{of_route}"] += sent
        counts[f"wheelhouse_received_bytes_total{of_route}"] += received
        counts[f"wheelhouse_request_seconds_sum{of_route}"] += seconds
        answered[route, bisect_left(BUCKETS, seconds)] += 1
        # Many clients first ask without a login.
        if user and checked:
            counts[f'wheelhouse_verdicts_total{{cache="{checked}"}}'] += 1
        if user and verdict == "401":
            counts["wheelhouse_refused_logins_total"] += 1
        if route in _CHANGES:
            counts[f'wheelhouse_changes_total{{route="{route}",result="{_result(status)}"}}'] += 1
        if cache:
            counts[f'wheelhouse_upstream_requests_total{{cache="{cache.lower()}"}}'] += 1
        if rule:
            counts[f'wheelhouse_upstream_refusals_total{{rule="{rule}"}}'] += 1
    for (route, bucket), number in answered.items():
        for limit in (*BUCKETS[bucket:], "+Inf"):
            counts[f'wheelhouse_request_seconds_bucket{{route="{route}",le="{limit}"}}'] += number
        counts[f'wheelhouse_request_seconds_count{{route="{route}"}}'] += number


def _word(text: str) -> str:
    """Return a word of NGINX's configuration; raise ValueError for anything else, which is no label."""
    if not text.replace("-", "").isalpha() or len(text) > 20 or not text.isascii():
        raise ValueError(text)
    return text


def _result(status: int) -> str:
    return "accepted" if status < 400 else "refused" if status < 500 else "full" if status == 507 else "failed"
