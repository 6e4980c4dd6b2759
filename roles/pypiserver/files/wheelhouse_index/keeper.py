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
from contextlib import suppress
from pathlib import Path

from .scan import Scanner
from .store import Store

log = logging.getLogger(__name__)
# Of its time, what the keeper spends at most on looking at every single file, as a divisor.
_SHARE = 20
_NICENESS = 10


class Keeper:
    """Keeps pages in step with packages/.

    Args:
        store: what it looks after.
        seconds: how long a file that arrives by other ways may stay unseen.
    """

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        # Half of it for the wait until the next look, half for reading files and writing pages.
        self._pause = seconds / 2
        self._scanner: Scanner | None = None
        self._thorough_at = 0.0

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._run, name="keeper", daemon=True).start()

    def step(self) -> None:
        """Look once, and write what has to be written."""
        first = self._scanner is None
        if self._scanner is None:
            # Somebody may have emptied index/.
            self._store.prepare()
            with self._store.catalogue.reading() as known:
                self._scanner = Scanner(self._store.packages, known.stamps())
        began = time.monotonic()
        thorough = began >= self._thorough_at
        found, gone = self._scanner.changes(thorough)
        if thorough:
            now = time.monotonic()
            self._thorough_at = now + max((now - began) * _SHARE, self._pause / 2)
        try:
            if found or gone:
                self._store.note(found, gone)
            if first:
                self._store.check_pages()
            self._store.write_pending()
        except BaseException:
            # The scanner believes that what it has found is taken care of.
            self._scanner = None
            raise

    def _run(self) -> None:
        # On Linux a thread has a priority of its own: requests come first.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        with open(self._lock_file, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            while True:
                try:
                    self.step()
                except Exception:
                    # A full disk, for one: it is tried again until it works.
                    log.exception("Pages could not be brought up to date")
                time.sleep(self._pause)

    @property
    def _lock_file(self) -> Path:
        return self._store.output.folder / ".keeper"
