"""Files that were let through for the first time are read once more, from where clients get them, and compared with their page.

NGINX cannot: it fetches files in slices. Clients compare as well; this keeps a wrong file from staying in the cache.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import NamedTuple

from ..fact_store.marks import Marks
from .outlet import Outlet

log = logging.getLogger(__name__)
# Seconds: until the client that has asked for it has it, and the cache as well; and until another try.
DELAY_SECONDS, RETRY_SECONDS = 15.0, 60.0
_TRIES = 3
# Within these, a file was compared with its page, unless many large ones wait before it.
COMPARED_SECONDS = 600.0
_MOST = 10_000
_SILENCE_SECONDS = 30.0
_NICENESS = 19


class Job(NamedTuple):
    """A file to look at.

    Attributes:
        due: when, by the monotonic clock.
        project: whose it is.
        digest: of the policy that lets it through.
        place: its host and path.
        sha256: what its page says.
        tries: how many are left.
        is_fresh: whether to have it fetched from upstream once more.
    """

    due: float
    project: str
    digest: str
    place: str
    sha256: str
    tries: int
    is_fresh: bool = False


class Verifier:
    """A thread that looks at files, one after the other.

    Args:
        outlet: by which it reads them.
        marks: of what is let through.
        delay: seconds, as ``DELAY_SECONDS``.
    """

    def __init__(self, outlet: Outlet, marks: Marks, delay: float = DELAY_SECONDS) -> None:
        self._outlet = outlet
        self._marks = marks
        self._delay = delay
        # The next one first.
        self._jobs: list[Job] = []
        self._changed = threading.Condition()

    def put(self, project: str, digest: str, place: str, sha256: str, is_fresh: bool = False) -> None:
        """Have a file looked at; a fresh one at once, as what is in the cache is another one."""
        due = time.monotonic() + (0.0 if is_fresh else self._delay)
        self._put(Job(due, project, digest, place, sha256, _TRIES, is_fresh))

    def start(self, is_private: Callable[[str, str], bool]) -> None:
        """Start the thread; it ends with the process.

        Args:
            is_private: tells, by project and digest of the policy, what must not be asked for.
        """
        threading.Thread(target=self._run, args=(is_private,), name="verifier", daemon=True).start()

    def step(self, is_private: Callable[[str, str], bool]) -> None:
        """Look at the next file, when it is due."""
        job = self._next()
        try:
            if not is_private(job.project, job.digest):
                self._verify(job)
        except (OSError, HTTPException) as error:
            if job.tries > 1:
                is_fresh = job.is_fresh or self._marks.is_wrong(job.place)
                due = time.monotonic() + RETRY_SECONDS
                self._put(job._replace(due=due, tries=job.tries - 1, is_fresh=is_fresh))
            else:
                log.warning("%s cannot be compared with its page: %s", job.place, error)

    def _run(self, is_private: Callable[[str, str], bool]) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            try:
                self.step(is_private)
            except Exception:
                log.exception("A public file could not be compared with its page")

    def _next(self) -> Job:
        """Wait until a file is due; one that is put meanwhile may be due before those that wait."""
        with self._changed:
            while True:
                left = self._jobs[0].due - time.monotonic() if self._jobs else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._jobs)
                self._changed.wait(left)

    def _put(self, job: Job) -> None:
        with self._changed:
            if len(self._jobs) < _MOST:
                heapq.heappush(self._jobs, job)
                self._changed.notify()
                return
        log.warning("%s is not compared with its page: too many files wait for that", job.place)

    def _verify(self, job: Job) -> None:
        if not job.is_fresh:
            try:
                found = self._sha256(job.place)
            except (HTTPException, ConnectionResetError) as error:
                # As where a part in the cache is of another version of the file: asked the same way, it stays so.
                found = f"none, as it breaks off ({type(error).__name__})"
            if found == job.sha256:
                return
            log.error("%s has the SHA-256 %s, and its page says %s: fetching it again", job.place, found, job.sha256)
        # In this order: without a mark NGINX asks, and is refused.
        self._marks.mark_wrong(job.place)
        self._marks.unmark_file(job.project, job.place)
        found = self._sha256(job.place, fresh=True)
        if found == job.sha256:
            self._marks.unmark_wrong(job.place)
            log.warning("%s is what its page says now", job.place)
            return
        self._marks.mark_wrong(job.place)
        log.error("%s still has the SHA-256 %s: refused for a minute", job.place, found)

    def _sha256(self, place: str, fresh: bool = False) -> str:
        digest = hashlib.sha256()
        self._outlet.content(place, _SILENCE_SECONDS, digest.update, fresh)
        return digest.hexdigest()
