"""What is wrong with an index, in lines for people: for the container's health check, which asks every few seconds.

Nothing here costs more the larger an index is.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..fact_store.facts import UnmountedError
from ..fact_store.quarantine import StayedError
from ..fact_store.records import FactsError
from ..index.store import Store
from ..requests.changes import is_full
from ..requests.sockets import CURRENT, is_answered

log = logging.getLogger(__name__)
# In index/: why the keeper's last look did not succeed. Not there where it did.
TROUBLE = ".trouble"
_LONGEST_LINE = 300


def problems(store: Store) -> list[str]:
    """Return what is wrong, a line each; nothing where uploads and pages work.

    A full disk is none of these: reads go on, and each upload says that there is no room.
    """
    mounted = {"packages/": store.packages, "index/": store.output.folder}
    found = [f"{name} {reason}" for name, folder in mounted.items() if (reason := _mount_problem(folder))]
    if found:
        return found
    try:
        store.facts.check_mounted()
    except UnmountedError as error:
        return [str(error)]
    found = _folder_problems([store.incoming, *store.output.folders()])
    try:
        store.facts.check()
        found += _folder_problems([store.facts.folder, *store.facts.folders()])
    except (FactsError, OSError) as error:
        found.append(str(error))
    try:
        with store.catalogue.reading() as known:
            known.pages_format  # noqa: B018 - a question that costs nothing
    except sqlite3.Error as error:
        found.append(f"index/{store.catalogue.file.name} cannot be used: {error}")
    with suppress(OSError, ValueError):
        found += [store.output.folder.joinpath(TROUBLE).read_text(encoding="utf-8").strip()]
    return found


class Health:
    """The answer to ``GET /health``; what changes in it is logged, where a run finds it."""

    def __init__(self, store: Store, uploads: Path | None = None) -> None:
        self._store = store
        self._uploads = uploads
        self._last: list[str] = []
        self._lock = threading.Lock()

    def answer(self) -> tuple[int, str]:
        """Return status and text: 200, or 503 with all problems."""
        found = problems(self._store)
        if self._uploads:
            found += _sockets_problems(self._uploads)
        with self._lock:
            if found != self._last:
                log.warning("Health: %s", "; ".join(found) or "ok")
                self._last = found
        return (503, "; ".join(found)) if found else (200, "ok")


def note(store: Store, error: Exception | None) -> None:
    """Keep for all processes why pages could not be brought up to date; None where they were."""
    trouble = store.output.folder / TROUBLE
    # What cannot be written to is a problem that is seen without this.
    with suppress(OSError):
        if error is None or is_full(error):
            trouble.unlink(missing_ok=True)
        elif isinstance(error, StayedError):
            trouble.write_text(f"{error}\n", encoding="utf-8", errors="replace")
        else:
            text = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_LINE]
            trouble.write_text(f"pages are not brought up to date: {text}\n", encoding="utf-8", errors="replace")


def _sockets_problems(uploads: Path) -> list[str]:
    """Return why NGINX does not reach a receiver; nothing where it does."""
    if not is_answered(uploads):
        return [f"sockets/{uploads.parent.name}/{uploads.name} does not answer: restart the container"]
    if not is_answered(uploads.parent.parent / CURRENT / uploads.name):
        return [f"sockets/{CURRENT} leads to no container that answers: remove it; it is made again within seconds"]
    return []


def _mount_problem(folder: Path) -> str:
    """Return what is wrong with a folder that is mounted into the container; empty where nothing is."""
    try:
        if not os.stat(folder).st_nlink:
            return "was removed from the host: run the playbook, then `docker compose restart`"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return _folder_problem(folder)


def _folder_problems(folders: Iterable[Path]) -> list[str]:
    """Return what is wrong with folders below those, a line each."""
    return [f"{one.parent.name}/{one.name}/ {reason}" for one in folders if (reason := _folder_problem(one))]


def _folder_problem(folder: Path) -> str:
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            return "is not a folder"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return ""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "is mounted read-only"
    return f"cannot be written to by uid {os.geteuid()}: its owner or mode was changed"
