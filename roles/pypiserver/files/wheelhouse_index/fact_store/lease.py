"""The lease of a node of several: until when it knows of all names that may have turned private on another one.

Without one, nothing public is served, from the cache neither. NGINX reads the same file, by the same clock. A file from before a
boot counts no more.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..common import boot

_FILE = ".lease"


class Lease:
    """The file index/public/.lease: the boot, from when and until when, in seconds.

    Args:
        folder: index/public/, which is there where there are upstreams.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def take(self, since: float, seconds: float) -> None:
        """Have it last for some seconds since a moment; one that is cut off leaves the last one.

        Raises:
            OSError: if that is impossible.
        """
        new = self._file.with_name(f"{_FILE}.new")
        try:
            new.write_text(f"{boot.name()} {since} {since + seconds}\n", encoding="ascii")
        except FileNotFoundError:
            # Without upstreams there is no such folder.
            return
        os.replace(new, self._file)

    def holds(self) -> bool:
        """Tell whether it does; what cannot be found out is none."""
        try:
            of, since, until = self._file.read_text(encoding="ascii").split()
            return of == boot.name() and float(since) <= boot.now() <= float(until)
        except (OSError, ValueError):
            return False
