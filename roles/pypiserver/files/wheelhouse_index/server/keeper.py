"""The thread that sees to files which arrive by other ways than uploads, and to pages that are missing.

Every process of every replica has one; the one that holds the lock works, and the others take over when its process
ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..common.answers import one_line
from ..fact_store.records import FactsError
from ..files.entry import Stamp
from ..index.scan import Scanner
from ..index.store import Store
from ..public.opening import Opening
from . import health

log = logging.getLogger(__name__)
# In index/: who holds it does the work.
LOCK = ".keeper"
# Of its time, what the keeper spends at most on looking at every single file and page, as a divisor.
_SHARE = 20
NICENESS = 10
# Seconds: until a file that could not be read is tried again, and between attempts while nothing works.
_RETRY_SECONDS = 60.0
_PENDING_SECONDS = 1.0
_LONGEST_PAUSE = 15.0
# So many files are named at once; the rest is counted.
_NAMED = 20


class Keeper:
    """Keeps pages in step with packages/.

    Args:
        store: what it looks after.
        seconds: how long a file that arrives by other ways may stay unseen.
        prune: removes what is too old, now and then.
        opening: opens the way to public projects, where there are upstreams.

    Attributes:
        looks: tells whether this node looks for files that arrive by other ways: of several nodes, one does.
    """

    def __init__(
        self,
        store: Store,
        seconds: float,
        prune: Callable[[], None] = lambda: None,
        opening: Opening | None = None,
    ) -> None:
        self._store = store
        self._prune = prune
        self._opening = opening or Opening(store, None)
        self.looks: Callable[[], bool] = lambda: True
        # Half of it for the wait until the next look, half for reading files and writing pages.
        self._pause = seconds / 2
        self._scanner: Scanner | None = None
        # Whether the last look was taken care of.
        self._is_settled = False
        self._thorough_at = 0.0
        self._retry_at = 0.0
        # Files that were reported.
        self._misnamed: set[str] = set()

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._run, name="keeper", daemon=True).start()

    def step(self) -> bool:
        """Look once, and write what has to be written; return whether there is more to do."""
        # Until all that it finds is taken care of: after an error a new one begins.
        scanner, self._scanner = self._scanner, None
        settled, self._is_settled = self._is_settled, False
        compares = self._store.compares()
        # Also when it begins: a crash may have left something that only this node does not know.
        first = not settled or bool(compares) or not self._store.in_place()
        looks = first or self.looks()
        if first:
            # What index/ or a part of it held may have been removed, and files may have come while no server ran.
            self._store.prepare()
            self._store.output.mark_incomplete()
        self._store.check_facts()
        if first and self._store.has_joined():
            # What another node knows is enough for all pages. A look at all files takes longer, where they are on other hosts.
            self._store.write_pending()
        began = time.monotonic()
        thorough = first or began >= self._thorough_at or self._opening.is_due()
        if thorough:
            self._opening.begin()
        scanner, found, removed = self._look(scanner, thorough, compares > 0) if looks else (None, {}, [])
        if thorough:
            self._store.check_written()
        if thorough and looks:
            self._store.check_decisions()
        now = time.monotonic()
        if thorough:
            self._thorough_at = now + max((now - began) * _SHARE, self._pause / 2)
        if found and self._store.nodes:
            # Another node has journalled what it publishes before that is there to be found.
            self._store.catch_up()
        if found or removed:
            self._store.note(found, removed)
        if first and self._store.output.has_lists():
            self._store.check_pages()
        if now >= self._retry_at:
            self._retry_at = now + _RETRY_SECONDS
            self._store.retry()
            if looks:
                self._prune()
        self._store.write_pending()
        more = self._catch_up(now)
        if not more:
            self._opening.end()
        self._store.compared(compares)
        self._scanner, self._is_settled = scanner, True
        return more

    def _look(
        self, scanner: Scanner | None, thorough: bool, compares: bool
    ) -> tuple[Scanner, Mapping[str, Stamp], Sequence[str]]:
        """Look for what has changed in packages/; return what has looked, files that are new or changed, and removed ones."""
        if thorough:
            self._store.check_recorded()
        if scanner is None or thorough:
            # From what is known, and not from what was seen: a file may have been uploaded and removed between two looks.
            # A file that is still being copied makes its name private as well: nothing of upstream's is served in between.
            settle = 0.0 if self._opening.waits() or compares else self._pause / 2
            with self._store.catalogue.reading() as known:
                scanner = Scanner(self._store.packages, known.stamps(), settle)
        found, removed = scanner.changes(thorough)
        self._report(scanner.misnamed)
        return scanner, found, removed

    def _report(self, misnamed: Iterable[str]) -> None:
        """Say once which files are on no page because of their names."""
        new = [path for path in misnamed if path not in self._misnamed]
        self._misnamed.update(new)
        for path in new[:_NAMED]:
            shown = one_line(path.encode(errors="replace").decode())
            log.warning(
                "%s is on no page: it is not called as a distribution file is. Copy it under its own name", shown
            )
        if new[_NAMED:]:
            log.warning("And so are %s files more", len(new) - _NAMED)

    def _catch_up(self, began: float) -> bool:
        """Record files and renew pages of an earlier release, for a while; return whether that is not all of them."""
        for some in (self._store.record_some, self._store.renew_some):
            while some():
                if time.monotonic() - began > self._pause:
                    return True
        return False

    def _run(self) -> None:
        # On Linux a thread has a priority of its own: requests come first.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while True:
            try:
                with open(self._lock_file, "ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    self._keep()
            except OSError:
                log.exception("Cannot lock the pages")
            time.sleep(_LONGEST_PAUSE)

    def _keep(self) -> None:
        """Look again and again."""
        pause = self._pause
        # What an earlier process has noted.
        health.note(self._store, None)
        while True:
            try:
                more = self.step()
                health.note(self._store, self._store.stayed())
            except FactsError as error:
                # The health address says so by itself.
                log.error("Pages stay as they are: %s", error)
                self._opening.close()
                health.note(self._store, None)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except Exception as error:
                # A full disk, for one: it is tried again until it works, ever more seldom.
                log.exception("Pages could not be brought up to date")
                health.note(self._store, error)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = self._pause
                if more:
                    continue
            self._wait(pause)

    def _wait(self, pause: float) -> None:
        """Wait until the next look; write meanwhile what other processes could not."""
        until = time.monotonic() + pause
        working = True
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _PENDING_SECONDS))
            if working and left > _PENDING_SECONDS:
                try:
                    self._store.write_pending()
                except Exception:
                    log.exception("Pages could not be brought up to date")
                    working = False

    @property
    def _lock_file(self) -> Path:
        return self._store.output.folder / LOCK
