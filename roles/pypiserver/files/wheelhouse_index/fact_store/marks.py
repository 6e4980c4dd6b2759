"""Marks: files in index/public/ by which NGINX knows what it may serve from its cache without asking.

::

    .open                               all private names are claimed: without it, NGINX asks upstream for nothing
    .private/                           where several nodes share packages/: a file for each name that is claimed there, and .open
    .lease                              there as well: until when this node knows of all names (lease.py)
    .closed                             which closing was the last
    <digest>/<project>/.page            this policy lets a page of this project through
    <digest>/<project>/<host>/<path>    this policy lets this file through, and it was asked for; holds the digest on its page
    <digest>/<project>/.seen            which files the last look has found, for processes that have looked before
    .pause-<key>                        until when, in seconds since 1970, an upstream does not want to be asked
    .wrong/<key>                        upstream has a file with other content than its page says
    .aside/                             what was withdrawn, until it is removed

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
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_OPEN, _CLOSED, _PAUSE, _WRONG, _ASIDE, _PRIVATE = ".open", ".closed", ".pause-", ".wrong", ".aside", ".private"
PAGE, _SEEN = ".page", ".seen"
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
        keeps_names: whether it has the names of packages/ as well, which NGINX and requests do not look at where it may hang.
    """

    def __init__(self, folder: Path, keeps_names: bool = False) -> None:
        self.folder = folder
        self._names = folder / _PRIVATE if keeps_names else None
        # Who removes the names by hand closes it.
        self._open = (self._names or folder) / _OPEN

    def is_open(self) -> bool:
        """Tell whether upstream may be asked."""
        return os.path.exists(self._open)

    def claim(self, projects: Collection[str]) -> None:
        """Have nothing of these projects served as public: they are private from now on, and claimed.

        Raises:
            OSError: if that is impossible.
        """
        # Without the folder, names are collected once more before it is opened.
        if self._names and os.path.isdir(self._names):
            for project in projects:
                _touch(f"{self._names}/{project}")
        self.withdraw(projects)

    def unclaim(self, project: str) -> None:
        """Forget a name that was given back. Only within the lock of the index."""
        if self._names:
            with suppress(FileNotFoundError):
                os.unlink(self._names / project)

    def has_name(self, project: str) -> bool:
        """Tell whether a name is among those that are kept here."""
        return bool(self._names) and os.path.lexists(f"{self._names}/{project}")

    def names(self) -> set[str]:
        """Return the names that are kept here."""
        try:
            return set(os.listdir(self._names)) - {_OPEN} if self._names else set()
        except FileNotFoundError:
            return set()

    def prepare_names(self) -> None:
        """Have names kept from now on."""
        if self._names:
            self._names.mkdir(parents=True, exist_ok=True)

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
        # In this order: who is about to open it sees this closing, or has made what is unlinked after it.
        _put(str(self.folder / _CLOSED), secrets.token_hex(8))
        with suppress(FileNotFoundError):
            os.unlink(self._open)
        # Removing them may take a while, for which the server's start does not wait: the keeper clears.
        self._put_aside(self.folder / name for name in there if _DIGEST.fullmatch(name) or name == _WRONG)

    def open(self, closing: str) -> bool:
        """Have upstream asked, unless it was closed once more since the closing that the caller has seen."""
        if not self._names:
            self.folder.mkdir(exist_ok=True)
        if self.closing() != closing:
            return False
        self._open.touch()
        if self.closing() == closing:
            return True
        # Closed meanwhile.
        with suppress(FileNotFoundError):
            os.unlink(self._open)
        return False

    def mark_page(self, digest: str, project: str) -> None:
        """Mark a project's page."""
        self._mark(f"{self.folder}/{digest}/{project}/{PAGE}")

    def mark_file(self, digest: str, project: str, place: str, sha256: str) -> bool:
        """Mark a file; without room for its mark, NGINX asks each time.

        Args:
            digest: of the policy.
            project: whose it is.
            place: its host and path.
            sha256: what its page says.

        Returns:
            Whether it had no mark.
        """
        return self._mark(f"{self.folder}/{digest}/{project}/{place}", sha256)

    def unmark_file(self, project: str, place: str) -> None:
        """Take the marks of a file away, whatever the policy."""
        for digest in self._digests():
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{self.folder}/{digest}/{project}/{place}")

    def unmark_young(self, seconds: float) -> None:
        """Take the marks of files away that were made in these last seconds: who is over may not have compared them."""
        since = time.time() - seconds
        for digest in self._digests():
            for folder, _folders, names in os.walk(self.folder / digest):
                for place in (f"{folder}/{name}" for name in names if name not in (PAGE, _SEEN)):
                    with suppress(FileNotFoundError):
                        if os.stat(place).st_mtime > since:
                            os.unlink(place)

    def keep(self, digest: str, project: str, files: Mapping[str, str], page: bool = True) -> list[str]:
        """Take away the marks of a project's files that its page does not list, or lists with another digest.

        Args:
            digest: of the policy.
            project: whose they are.
            files: what SHA-256 its page says of each that is let through, by host and path.
            page: whether to keep the mark of the page itself.

        Returns:
            The files that upstream has replaced: they had marks, and are listed with another digest.
        """
        top = f"{self.folder}/{digest}/{project}"
        # Before any is taken away: who marks a file looks here afterwards.
        if page or os.path.isdir(top):
            _put(f"{top}/{_SEEN}", fingerprint(files))
        replaced = []
        for folder, _folders, names in os.walk(top):
            for name in names:
                place = f"{folder}/{name}"[len(top) + 1 :]
                if place == _SEEN or (place == PAGE and page):
                    continue
                said = files.get(place)
                marked = _content(f"{top}/{place}")
                if marked is not None and marked == said:
                    continue
                with suppress(FileNotFoundError):
                    os.unlink(f"{top}/{place}")
                    # An empty one is being made, or there was no room for its content.
                    if said and marked:
                        replaced.append(place)
        return replaced

    def is_outdated(self, digest: str, project: str, seen: str) -> bool:
        """Tell whether the last look at a project's page, of whatever process, has found something else.

        Args:
            digest: of the policy.
            project: whose page.
            seen: the fingerprint of what was found.
        """
        last = _content(f"{self.folder}/{digest}/{project}/{_SEEN}")
        return last is not None and last != seen

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

    def clear(self) -> None:
        """Remove what was put aside, also by processes that were killed before they removed it."""
        for left in (self.folder / _ASIDE).glob("*"):
            shutil.rmtree(left, ignore_errors=True)

    def pause(self, url: str, seconds: int) -> None:
        """Note, for all processes, that the upstream of an address does not want to be asked for a while."""
        with suppress(OSError):
            place = self._pause(url)
            new = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
            new.write_text(str(int(time.time()) + seconds), encoding="ascii")
            new.replace(place)

    def paused(self, url: str) -> int:
        """Return for how many seconds an upstream does not want to be asked."""
        text = _content(str(self._pause(url))) or ""
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

    def _pause(self, url: str) -> Path:
        # Not by number: with the next policy that may be another upstream.
        return self.folder / f"{_PAUSE}{hashlib.sha256(url.encode()).hexdigest()[:12]}"

    def _mark(self, place: str, content: str = "") -> bool:
        with suppress(OSError):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            try:
                _write(place, content)
            except FileExistsError:
                return False
            except OSError:
                os.unlink(place)
                return False
            return True
        return False

    def _digests(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.folder) if _DIGEST.fullmatch(name)]
        except FileNotFoundError:
            return []

    def _remove(self, places: Iterable[Path]) -> None:
        """Remove folders, each in one step as NGINX sees it."""
        for aside in self._put_aside(places):
            shutil.rmtree(aside, ignore_errors=True)

    def _put_aside(self, places: Iterable[Path]) -> list[Path]:
        """Take folders away, each in one step; return where they are."""
        asides = []
        for place in places:
            aside = self.folder / _ASIDE / secrets.token_hex(8)
            try:
                aside.parent.mkdir(exist_ok=True)
                place.rename(aside)
                asides.append(aside)
            except OSError:
                # No room for the other name, or removed by another process: what is left is removed one by one.
                _remove_tree(place)
        return asides


def fingerprint(files: Mapping[str, str]) -> str:
    """Return what stands for files with their digests."""
    text = "\n".join(f"{place} {sha256}" for place, sha256 in files.items())
    return hashlib.sha256(text.encode()).hexdigest()


def _remove_tree(place: Path) -> None:
    """Remove a folder that other processes may be removing as well."""
    for left in reversed(range(_TRIES)):
        try:
            shutil.rmtree(place)
        except FileNotFoundError:
            if not os.path.lexists(place):
                return
            if not left:
                raise
        else:
            return


def _write(place: str, content: str) -> None:
    """Make a file; raises FileExistsError where there is one."""
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if content:
            os.write(file, content.encode())
    finally:
        os.close(file)


def _touch(place: str) -> None:
    """Make an empty file, unless it is there."""
    if not os.path.lexists(place):
        with suppress(FileExistsError):
            _write(place, "")


def _put(place: str, content: str) -> None:
    """Write a small file of a fixed length in place, which needs no room on a full disk; without any, remove it."""
    with suppress(OSError):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        try:
            file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(file, content.encode(), 0)
            finally:
                os.close(file)
        except OSError:
            os.unlink(place)


def _content(place: str) -> str | None:
    """Return what a small file holds; None where that cannot be read."""
    try:
        with open(place, "rb") as file:
            return file.read(1024).decode("ascii", "replace")
    except OSError:
        return None
