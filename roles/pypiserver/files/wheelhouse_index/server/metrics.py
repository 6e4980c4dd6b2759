"""Metrics of an index as Prometheus reads them. No label names a person or a project."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from ..common import times
from ..index.store import Store
from . import health
from .settings import Settings
from .traffic import Traffic

# All that there are, in the order in which they are exposed: kind and help by name.
METRICS = {
    "wheelhouse_problems": ("gauge", "What is wrong by the health check of pypi-server; its log names it."),
    "wheelhouse_projects": ("gauge", "Projects on pages."),
    "wheelhouse_files": ("gauge", "Distribution files on pages."),
    "wheelhouse_file_bytes": ("gauge", "Bytes of all distribution files."),
    "wheelhouse_disk_size_bytes": ("gauge", "Size of the file system of a folder."),
    "wheelhouse_disk_free_bytes": ("gauge", "Free bytes there."),
    "wheelhouse_disk_free_inodes": ("gauge", "Free inodes there."),
    "wheelhouse_certificate_not_after_seconds": ("gauge", "When the certificate ends; missing without TLS."),
    "wheelhouse_backup_success_seconds": ("gauge", "When the last backup began that succeeded; missing without one."),
    "wheelhouse_backup_overdue_seconds": (
        "gauge",
        "When a backup is overdue by its schedule, if none succeeds until then.",
    ),
    "wheelhouse_backup_failed": ("gauge", "1 if the last backup failed; missing without one."),
    "wheelhouse_drill_success_seconds": ("gauge", "When the last drill ended, if it succeeded; missing otherwise."),
    "wheelhouse_requests_total": ("counter", "Requests by route and status, as in the access log."),
    "wheelhouse_request_seconds": ("histogram", "Time until an answer was sent; of large files that is the client's."),
    "wheelhouse_sent_bytes_total": ("counter", "Bytes of bodies of answers."),
    "wheelhouse_received_bytes_total": ("counter", "Bytes of requests."),
    "wheelhouse_changes_total": ("counter", "Uploads, removals, yanks by result. full is a 507."),
    "wheelhouse_verdicts_total": ("counter", "Logins by password: whether NGINX had their verdict in its cache."),
    "wheelhouse_refused_logins_total": ("counter", "Requests with a wrong password, or an unknown login or token."),
    "wheelhouse_upstream_requests_total": ("counter", "Public pages and files, by what the cache said."),
    "wheelhouse_upstream_refusals_total": ("counter", "Public pages and files that were refused, by rule."),
    "wheelhouse_log_unread_bytes": ("gauge", "Of the access log, what the next scrapes will count."),
    "wheelhouse_log_damaged_lines_total": ("counter", "Lines of the access log that are none."),
    "wheelhouse_log_gaps_total": ("counter", "How often the log was rotated away before it was counted."),
}
# Where backup.py leaves a few words for this.
BACKUP = Path("/data/backup")
_NAME = re.compile(r"(\w+?)(?:_(?:bucket|sum|count))?(?:\{.*)?")
# In DER, the two times of a certificate's validity: each is a UTCTime or, from 2050 on, a GeneralizedTime.
_TIME = rb"(?:\x17\x0d|\x18\x0f)(\d{12,14})Z"
_VALIDITY = re.compile(_TIME + _TIME)


class Metrics:
    """The answer to ``GET /metrics``.

    Args:
        store: the index.
        settings: where its logs are.
        backup: the folder in which the results of backups are.
    """

    def __init__(self, store: Store, settings: Settings, backup: Path = BACKUP) -> None:
        self._store, self._backup = store, backup
        self._traffic = Traffic(settings.logs, settings.index)
        self._folders = {"packages": settings.packages, "index": settings.index, "logs": settings.logs}

    def text(self, certificate: str = "") -> str:
        """Return all metrics; the certificate is that of NGINX, in base64."""
        found = dict(self._now(certificate)) | self._traffic.counts()
        by_name = {name: list(those) for name, those in groupby(sorted(found, key=_order), _name)}
        lines = []
        for name, (kind, words) in METRICS.items():
            if name in by_name:
                lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
                lines += [f"{series} {found[series]:.15g}" for series in by_name[name]]
        return "\n".join([*lines, ""])

    def _now(self, certificate: str) -> Iterator[tuple[str, float]]:
        yield "wheelhouse_problems", len(health.problems(self._store))
        with self._store.catalogue.reading() as known:
            projects, files = known.counts()
            size = known.size() if known.has_sizes() else known.summed_size()
        yield from {"wheelhouse_projects": projects, "wheelhouse_files": files, "wheelhouse_file_bytes": size}.items()
        for name, folder in self._folders.items():
            disk = os.statvfs(folder)
            yield f'wheelhouse_disk_size_bytes{{folder="{name}"}}', disk.f_blocks * disk.f_frsize
            yield f'wheelhouse_disk_free_bytes{{folder="{name}"}}', disk.f_bavail * disk.f_frsize
            yield f'wheelhouse_disk_free_inodes{{folder="{name}"}}', disk.f_favail
        if match := _VALIDITY.search(base64.b64decode(certificate)):
            year = "20" if len(match[2]) == 12 else ""
            yield "wheelhouse_certificate_not_after_seconds", _seconds(f"{year}{match[2].decode()}")
        with suppress(OSError, ValueError, KeyError):
            last = json.loads((self._backup / "last.json").read_text(encoding="utf-8"))
            yield "wheelhouse_backup_failed", last["outcome"] != "ok"
            yield "wheelhouse_backup_success_seconds", times.moment(last["succeeded"]) // 10**9
            yield "wheelhouse_backup_overdue_seconds", times.moment(last["overdue"]) // 10**9
        with suppress(OSError, ValueError, KeyError):
            drill = json.loads((self._backup / "drill.json").read_text(encoding="utf-8"))
            if drill["outcome"] == "ok":
                yield "wheelhouse_drill_success_seconds", times.moment(drill["finished"]) // 10**9


def _seconds(digits: str) -> int:
    """Return a moment such as 20301231235959 in seconds since 1970."""
    day, time = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}", f"{digits[8:10]}:{digits[10:12]}:{digits[12:14]}"
    return times.moment(f"{day}T{time}") // 10**9


def _name(series: str) -> str:
    """Return the metric of a series; those of a histogram have several."""
    match = _NAME.fullmatch(series)
    assert match, series
    return match[1]


def _order(series: str) -> tuple[str, str, float, str]:
    """Sort series by metric; those of a histogram by their labels and limits, as its readers expect them."""
    limit = re.search(r',le="(.*?)"', series)
    return _name(series), re.sub(r',le=".*?"', "", series), float(limit[1]) if limit else 0.0, series
