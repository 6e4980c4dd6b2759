"""How much of the disk uploads leave free, so that pages, removals, logs and backups go on when they do not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..common.answers import Refusal
from ..files import incoming
from .quotas import in_bytes, shown


@dataclass(frozen=True)
class Reserve:
    """What is to stay free: bytes, and a share of the disk in percent. One of them is 0."""

    size: int = 0
    percent: int = 0

    @classmethod
    def of_text(cls, text: str) -> Reserve:
        """Return what is set by 1g or 5%; empty is none.

        Raises:
            ValueError: if it is neither.
        """
        if text.endswith("%"):
            return cls(percent=int(text[:-1]))
        return cls(in_bytes(text or "0"))

    def of_file(self, folder: Path, name: str, least: int) -> incoming.Check:
        """Refuse a file that has at least so many bytes and is about to be written in a folder, where it does not fit.

        Returns:
            What refuses it while it is written: another may have taken the room, and its length may not have been said.
        """
        written = 0

        def check(size: int) -> None:
            nonlocal written
            growth, written = size - written, size
            self._check(folder, name, growth)

        self._check(folder, name, least)
        return check

    def _check(self, folder: Path, name: str, growth: int) -> None:
        if not (self.size or self.percent):
            return
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        kept = self.size or disk.f_blocks * disk.f_frsize * self.percent // 100
        if free - growth < kept:
            raise Refusal(
                507,
                f"{name[:80]} does not fit on the disk of this index: {shown(free)} are free, and {shown(kept)} have to"
                " stay so (pypi_disk_reserve). Nothing was stored. Ask its operator to make room.",
            )


NONE = Reserve()
