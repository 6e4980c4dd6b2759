"""The policies that NGINX may name: the one in upstreams.json, and the one before it, until all of NGINX has the new one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from ..common import disk
from .declining import Declined
from .policy import Policy, PolicyError

log = logging.getLogger(__name__)
# Beside the package, where the role pypiserver writes it.
FILE = "upstreams.json"
_REMEMBERED = 2


def read(file: Path) -> Policy | None:
    """Return the policy in a file; None where there is no file, as without upstreams.

    Raises:
        PolicyError: if it cannot be used.
    """
    try:
        return Policy.of_text(disk.read(file).decode())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file} cannot be read: {error}") from error
    except PolicyError as error:
        raise PolicyError(f"{file} cannot be used: {error}. Run the playbook: it writes this file.") from error


class Policies:
    """The policies that count.

    Args:
        file: of the one in force.
        changed: called with the digests that count, when there is another one.
    """

    def __init__(self, file: Path, changed: Callable[[Collection[str]], None] = lambda _digests: None) -> None:
        self.file = file
        self._changed = changed
        self._known: dict[str, Policy] = {}
        self._stamp: tuple[int, ...] = ()
        self._current: Policy | None = None
        self._lock = threading.Lock()

    def current(self) -> Policy | None:
        """Return the policy in force; None where there are no upstreams.

        Raises:
            PolicyError: if it cannot be used.
        """
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                self._take(read(self.file))
                self._stamp = stamp
            return self._current

    def named(self, digest: str) -> Policy:
        """Return the policy that NGINX names.

        Raises:
            Declined: if it is in no file.
        """
        # Also where it is known: another one may be in force, and NGINX has not loaded it yet.
        try:
            self.current()
        except PolicyError as error:
            log.error("%s", error)
        policy = self._known.get(digest)
        if policy is None:
            reason = "The policy for public projects is being changed. Try again in a second."
            raise Declined(503, reason, retry_after=1)
        return policy

    def _look(self) -> tuple[int, ...]:
        """Return what tells one content of the file from another."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _take(self, policy: Policy | None) -> None:
        self._current = policy
        if policy is None or policy.digest in self._known:
            return
        self._known[policy.digest] = policy
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._changed(tuple(self._known))
