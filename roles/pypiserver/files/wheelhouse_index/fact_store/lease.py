"""The lease of a node of several: until when it knows of all names that may have turned private on another one.

Without one, nothing public is served, from the cache neither. NGINX reads the same file, by the same clock: the host's since its
boot, which runs on while it sleeps, and is never set. A file from before the boot is of another boot.
"""

from __future__ import annotations

import os
from pathlib import Path

_FILE = ".lease"
_CLOCK, _BOOT = Path("/proc/uptime"), Path("/proc/sys/kernel/random/boot_id")


class Lease:
    """The file index/public/.lease: the boot, from when and until when, in seconds.

    Args:
        folder: index/public/, which is there where there are upstreams.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    @staticmethod
    def now() -> float:
        """Return the seconds since the boot."""
        return float(_CLOCK.read_text(encoding="ascii").split()[0])

    def take(self, since: float, seconds: float) -> None:
        """Have it last for some seconds since a moment; one that is cut off leaves the last one.

        Raises:
            OSError: if that is impossible.
        """
        new = self._file.with_name(f"{_FILE}.new")
        try:
            new.write_text(f"{_boot()} {since} {since + seconds}\n", encoding="ascii")
        except FileNotFoundError:
            # Without upstreams there is no such folder.
            return
        os.replace(new, self._file)

    def holds(self) -> bool:
        """Tell whether it does; what cannot be found out is none."""
        try:
            boot, since, until = self._file.read_text(encoding="ascii").split()
            return boot == _boot() and float(since) <= self.now() <= float(until)
        except (OSError, ValueError):
            return False


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()
