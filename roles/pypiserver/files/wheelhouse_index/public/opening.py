"""Upstream is asked for nothing until all private names are claimed; the keeper sees to that, and opens it."""

from __future__ import annotations

import logging
import time
import zlib
from pathlib import Path

from ..index.store import Store

# In each of so many parts of a day, the marks of some projects are withdrawn.
SLOTS = 144
log = logging.getLogger(__name__)


class Opening:
    """Opens the way upstream, and closes it.

    Args:
        store: the index.
        policy: the file that is there if there are upstreams; None where there are none.
    """

    def __init__(self, store: Store, policy: Path | None) -> None:
        self._store = store
        self._policy = policy
        self._marks = store.facts.marks
        # Which closing the look that is under way began after; None where none is.
        self._begun: str | None = None
        # Whether a look that finds names without a claim is under way.
        self._is_thorough = False
        self._withdrawn = _slot()

    def is_due(self) -> bool:
        """Tell whether it is closed, and no look has begun since that could open it."""
        if not self._has_upstreams() or self._marks.is_open():
            return False
        return self._begun is None or self._begun != self._marks.closing()

    def waits(self) -> bool:
        """Tell whether the look that is under way opens it when it ends."""
        return self._begun is not None

    def begin(self) -> None:
        """Note that a look at all files begins."""
        self._is_thorough = self._has_upstreams()
        if not self._is_thorough:
            self._begun = None
            if self._marks.is_open():
                # Without upstreams nothing is served as public. What NGINX has cached goes with its cache.
                self._marks.close()
            self._marks.clear()
        elif self._marks.is_open():
            self._begun = None
            names = self._store.facts.claims.names()
            self._marks.withdraw(self._marks.projects() & names)
            if self._store.nodes:
                # Of files that another node has found, and cannot read, its journal says nothing.
                self._marks.claim(names - self._marks.names())
        else:
            self._begun = self._marks.closing()

    def end(self) -> None:
        """Claim what has no claim yet; if a look was completed since the last closing, open."""
        if not self._is_thorough:
            return
        self._claim()
        self._is_thorough = False
        if self._begun is not None:
            self._open(self._begun)
        self._marks.clear()
        self._withdraw_some()

    def _claim(self) -> None:
        with self._store.catalogue.reading() as known:
            projects = {*known.all_projects(), *known.decided(), *known.removed_of()}
        self._store.facts.check()
        # Also of files that cannot be read: whose they are, their names alone say.
        self._store.claim_known(projects - self._store.facts.claims.names())

    def _open(self, begun: str) -> None:
        try:
            self._store.gather_names()
            if self._marks.open(begun):
                log.info("All private names are claimed: public projects are served")
        except OSError as error:
            # No room for an empty file. The pages of private projects do not wait for that.
            log.error("Public projects are not served yet: %s", error)
            self._is_thorough = True
            return
        self._begun = None

    def _withdraw_some(self) -> None:
        """Withdraw each project once a day, whose page and files are asked for and compared once more then.

        Clients with a lock never ask for the page: they would get for good what upstream has removed since.
        """
        now = _slot()
        due = {slot % SLOTS for slot in range(max(self._withdrawn, now - SLOTS) + 1, now + 1)}
        self._withdrawn = now
        if due:
            self._marks.withdraw(project for project in self._marks.projects() if slot_of(project) in due)

    def close(self) -> None:
        """Close it, as it cannot be found out what is private."""
        try:
            if self._marks.is_open():
                self._marks.close()
        except OSError as error:
            log.error("Public projects may still be served from the cache: %s", error)

    def _has_upstreams(self) -> bool:
        return self._policy is not None and self._policy.exists()


def slot_of(project: str) -> int:
    """Return in which part of the day a project's marks are withdrawn."""
    return zlib.crc32(project.encode()) % SLOTS


def _slot() -> int:
    """Return the number of the present part of a day, counted since 1970."""
    return int(time.time()) * SLOTS // 86400
