"""Whether the host's clock can be believed: what is removed for good by its time alone waits after a jump."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from ..common import disk
from ..common.times import time_text

log = logging.getLogger(__name__)
# So far it may move between two looks; and for so long after it has moved farther, it is not believed.
_SECONDS = 24 * 3600


class Clock:
    """The clock, as it was at the last look: that is the time of a file, which holds when it last jumped.

    Args:
        place: the file.
        aside: a folder of the same mount.
    """

    def __init__(self, place: Path, aside: Path) -> None:
        self._place = place
        self._aside = aside

    def is_steady(self) -> bool:
        """Look at it; tell whether it has run for a day without a jump, or was never looked at before."""
        now = time.time()
        try:
            jumped, seen = float(disk.read(self._place)), os.stat(self._place).st_mtime
        except (FileNotFoundError, ValueError):
            jumped, seen = 0.0, 0.0
        if seen and abs(now - seen) > _SECONDS:
            log.warning(
                "The clock has moved since %s by more than a day, or nothing ran: the trash is not emptied for a day",
                time_text(int(seen * 1e9)),
            )
            jumped = now
        if not seen or jumped == now:
            disk.put(self._aside, self._place, f"{jumped}\n".encode())
        os.utime(self._place, (now, now))
        return now - jumped >= _SECONDS
