"""Marks: empty files in index/public/ by which NGINX knows what it may serve from its cache without asking.

::

    .open                               all private names are claimed: without it, NGINX asks upstream for nothing
    .closed                             which closing was the last
    <digest>/<project>/.page            this policy lets a page of this project through
    <digest>/<project>/<host>/<path>    this policy lets this file through, and it was asked for
    .pause-<n>                          until when, in seconds since 1970, upstream n does not want to be asked
    .wrong/<key>                        upstream has a file with other content than its page says

A name turns private by its claim, and by its marks being moved away after that. Who makes a mark looks for the claim once
more afterwards: one of the two sees the other.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

_OPEN, _CLOSED, _PAUSE, _WRONG, _ASIDE = ".open", ".closed", ".pause-", ".wrong", ".aside"
PAGE = ".page"
METADATA = ".metadata"
_DIGEST = re.compile(r"[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9]{1,12}")
# Seconds for which a file that is wrong is refused.
WRONG_SECONDS = 60.0
_TRIES = 10


class Marks:
    """The folder index/public/. It is made when it is opened: without upstreams it is never there.

    Args:
        folder: it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_open(self) -> bool:
        """Tell whether upstream may be asked."""
        return os.path.exists(self.folder / _OPEN)

    def closing(self) -> str:
        """Return which closing was the last; empty where there was none."""
        with suppress(FileNotFoundError):
            return (self.folder / _CLOSED).read_text(encoding="ascii", errors="replace")
        return ""

    def close(self) -> None:
        """Have nothing asked of upstream until all claims are known, and nothing served from the cache without asking.

        Raises:
            OSError: if that is impossible.
        """
        try:
            there = os.listdir(self.folder)
        except FileNotFoundError:
            return
        with suppress(FileNotFoundError):
            os.unlink(self.folder / _OPEN)
        # Who is about to open it has seen another one.
        try:
            (self.folder / _CLOSED).write_text(secrets.token_hex(8), encoding="ascii")
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(self.folder / _CLOSED)
        self._remove(self.folder / name for name in there if _DIGEST.fullmatch(name) or name == _WRONG)
        # What killed processes have left.
        for left in (self.folder / _ASIDE).glob("*"):
            shutil.rmtree(left, ignore_errors=True)

    def open(self, closing: str) -> bool:
        """Have upstream asked, unless it was closed once more since the closing that the caller has seen."""
        self.folder.mkdir(exist_ok=True)
        if self.closing() != closing:
            return False
        (self.folder / _OPEN).touch()
        if self.closing() == closing:
            return True
        # Closed meanwhile.
        with suppress(FileNotFoundError):
            os.unlink(self.folder / _OPEN)
        return False

    def mark_page(self, digest: str, project: str) -> None:
        """Mark a project's page."""
        self._mark(f"{self.folder}/{digest}/{project}/{PAGE}")

    def mark_file(self, digest: str, project: str, place: str) -> bool:
        """Mark a file, given by host and path; return whether it had no mark. Without room for one, NGINX asks each time."""
        return self._mark(f"{self.folder}/{digest}/{project}/{place}")

    def unmark_file(self, project: str, place: str) -> None:
        """Take the marks of a file away, whatever the policy."""
        for digest in self._digests():
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{self.folder}/{digest}/{project}/{place}")

    def keep(self, digest: str, project: str, places: Collection[str], page: bool = True) -> None:
        """Take away the marks of a project's files that are not among these, given by host and path; or of its page."""
        top = f"{self.folder}/{digest}/{project}"
        for folder, _folders, files in os.walk(top):
            for name in files:
                place = f"{folder}/{name}"[len(top) + 1 :]
                is_kept = page if place == PAGE else place.removesuffix(METADATA) in places
                if not is_kept:
                    with suppress(FileNotFoundError):
                        os.unlink(f"{top}/{place}")

    def withdraw(self, projects: Iterable[str]) -> None:
        """Have nothing of these projects served as public: they are private now, and claimed.

        Raises:
            OSError: if that is impossible.
        """
        digests = self._digests()
        if digests:
            places = [self.folder / digest / project for project in projects for digest in digests]
            self._remove(place for place in places if os.path.lexists(place))

    def projects(self) -> set[str]:
        """Return the projects that have marks."""
        found: set[str] = set()
        for digest in self._digests():
            with suppress(FileNotFoundError):
                found.update(os.listdir(self.folder / digest))
        return found

    def keep_policies(self, digests: Collection[str]) -> None:
        """Take away what other policies than these have marked."""
        self._remove(self.folder / digest for digest in self._digests() if digest not in digests)

    def pause(self, number: int, seconds: int) -> None:
        """Note, for all processes, that an upstream does not want to be asked for a while."""
        with suppress(OSError):
            new = self.folder / f"{_PAUSE}{number}.{secrets.token_hex(4)}"
            new.write_text(str(int(time.time()) + seconds), encoding="ascii")
            new.replace(self.folder / f"{_PAUSE}{number}")

    def paused(self, number: int) -> int:
        """Return for how many seconds an upstream does not want to be asked."""
        try:
            text = (self.folder / f"{_PAUSE}{number}").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0
        return max(int(text) - int(time.time()), 0) if _NUMBER.fullmatch(text) else 0

    def mark_wrong(self, place: str) -> None:
        """Note, for all processes, that a file is not what its page says."""
        with suppress(OSError):
            wrong = self._wrong(place)
            wrong.parent.mkdir(parents=True, exist_ok=True)
            wrong.write_bytes(b"")
            os.utime(wrong)

    def unmark_wrong(self, place: str) -> None:
        """Note that it is."""
        with suppress(FileNotFoundError):
            self._wrong(place).unlink()

    def is_wrong(self, place: str) -> bool:
        """Tell whether a file, given by host and path, was not what its page says, less than a minute ago."""
        with suppress(OSError):
            return -1 < time.time() - self._wrong(place).stat().st_mtime < WRONG_SECONDS
        return False

    def _wrong(self, place: str) -> Path:
        return self.folder / _WRONG / hashlib.sha256(place.encode()).hexdigest()[:40]

    def _mark(self, place: str) -> bool:
        with suppress(OSError):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return True
        return False

    def _digests(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.folder) if _DIGEST.fullmatch(name)]
        except FileNotFoundError:
            return []

    def _remove(self, places: Iterable[Path]) -> None:
        """Remove folders, each in one step as NGINX sees it."""
        for place in places:
            aside = self.folder / _ASIDE / secrets.token_hex(8)
            try:
                aside.parent.mkdir(exist_ok=True)
                place.rename(aside)
            except OSError:
                # No room for the other name, or removed by another process: what is left goes one by one.
                _remove_tree(place)
            else:
                shutil.rmtree(aside, ignore_errors=True)


def _remove_tree(place: Path) -> None:
    """Remove a folder that other processes may be removing as well."""
    for left in reversed(range(_TRIES)):
        try:
            shutil.rmtree(place)
        except FileNotFoundError:
            if left and os.path.lexists(place):
                continue
        return
