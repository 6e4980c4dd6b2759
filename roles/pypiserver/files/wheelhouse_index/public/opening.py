"""Upstream is asked for nothing until all private names are claimed; the keeper sees to that, and opens it."""

from __future__ import annotations

import logging
from pathlib import Path

from ..common import disk
from ..index.store import Store

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

    def is_due(self) -> bool:
        """Tell whether it is closed, and no look has begun since that could open it."""
        if not self._has_upstreams() or self._marks.is_open():
            return False
        return self._begun is None or self._begun != self._marks.closing()

    def begin(self) -> None:
        """Note that a look at all files begins."""
        if not self._has_upstreams():
            self._begun = None
            if self._marks.is_open():
                # Without upstreams nothing is left of them.
                self._marks.close()
        elif self._marks.is_open():
            self._begun = None
            self._marks.withdraw(self._marks.projects() & self._store.facts.claims.names())
        else:
            self._begun = self._marks.closing()

    def end(self) -> None:
        """Claim what has no claim yet and, if a look was completed since the last closing, open."""
        if self._begun is None:
            return
        with self._store.catalogue.reading() as known:
            projects = {*known.all_projects(), *known.decided(), *known.removed_of()}
        self._store.facts.check()
        # Also of files that cannot be read: whose they are, their names alone say.
        disk.sync(self._store.facts.claims.make(projects - self._store.facts.claims.names()))
        try:
            if self._marks.open(self._begun):
                log.info("All private names are claimed: public projects are served")
        except OSError as error:
            # No room for an empty file. The pages of private projects do not wait for that.
            log.error("Public projects are not served yet: %s", error)
            return
        self._begun = None

    def close(self) -> None:
        """Close it, as it cannot be found out what is private."""
        try:
            if self._marks.is_open():
                self._marks.close()
        except OSError as error:
            log.error("Public projects may still be served from the cache: %s", error)

    def _has_upstreams(self) -> bool:
        return self._policy is not None and self._policy.exists()
