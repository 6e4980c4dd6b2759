"""Bring files in from a folder outside: ``python3 -m wheelhouse_index import``, with whoever reads that folder at the other end.

This side sees no folder but the index. The other side (the module import_packages, root on the host) offers a file in a line
of JSON, ``{"path", "size", "mtime_ns", "sha256"}``, and gets a line back: ``{"send": true}``, upon which it sends that many
bytes and gets another line, or what became of the file, ``{"became", "why"}``. After ``{"stop"}`` nothing more is taken.
Files go the way of uploads: verified aside, published in one step, on their pages when the line says so.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from . import incoming, names
from .answers import Refusal
from .app import Settings
from .changes import is_full, uploaded
from .entry import Facts
from .forms import File, Form
from .incoming import Arriving, Upload
from .names import Release
from .store import ConflictError, Store

log = logging.getLogger(__name__)
IMPORTED, PRESENT, CONFLICT, REFUSED = "imported", "present", "conflict", "refused"
FULL = "the disk of the index is full; all that was imported before is kept. Make room, then import again"
UNWRITABLE = "the index cannot write to its folders; pypi-server's log says more"
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Offer:
    """A file of the other side.

    Attributes:
        path: below the folder that is imported.
        size: in bytes.
        mtime_ns: its time of change, in ns.
        sha256: its digest, in hexadecimal digits.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, which it keeps: all files come to packages/ itself."""
        return PurePosixPath(self.path).name


class Import:
    """One import.

    Args:
        store: the index.
        source: what the other side sends.
        answers: what it reads.
        check: find out what would become of each file, and publish none.
    """

    def __init__(self, store: Store, source: BinaryIO, answers: BinaryIO, check: bool) -> None:
        self._store = store
        self._source = source
        self._answers = answers
        self._check = check
        # The releases of files that are on the index as they are in the folder, by path: their signatures may follow.
        self._signable: dict[str, Release] = {}
        # In a check: what would have been published, by identity.
        self._would: dict[tuple[str, ...], str] = {}

    def run(self) -> int:
        """Answer all offers; return the exit code."""
        try:
            while line := self._source.readline():
                became, why = self._one(Offer(**json.loads(line)))
                self._say(became=became, why=why)
        except (OSError, sqlite3.Error) as error:
            log.error("The import stops: %s", error)
            self._say(stop=FULL if is_full(error) else f"{UNWRITABLE} ({error})")
            return 1
        return 0

    def _one(self, offer: Offer) -> tuple[str, str]:
        """Take a file in; return what became of it, and why."""
        try:
            is_there = self._is_there(offer)
            if is_there or not self._receive(offer):
                return PRESENT, ""
        except Refusal as error:
            return REFUSED, error.reason
        except ConflictError as error:
            return CONFLICT, str(error)
        return IMPORTED, ""

    def _is_there(self, offer: Offer) -> bool:
        """Tell whether the index has a file already, before a byte of it is sent.

        Raises:
            Refusal: if its name alone says that the index cannot have it.
            ConflictError: if a file of its name has other content.
        """
        if not names.is_served(offer.name):
            raise Refusal(400, "its name is not that of a distribution file: NAME-VERSION, and for a wheel the tags")
        if offer.name.endswith(names.SIGNATURE) and self._signed(offer) not in self._signable:
            raise Refusal(400, "it is a signature, and the file that it signs was not imported")
        with self._store.catalogue.reading() as known:
            entries = [entry for path in known.named(offer.name) if (entry := known.at(path))]
        read = [entry if entry.facts else self._store.read(entry) for entry in entries]
        found = [entry for entry in read if entry and entry.facts]
        for entry in found:
            if entry.facts and entry.facts.sha256 == offer.sha256:
                self._signable[offer.path] = entry.release
                return True
        if found:
            raise ConflictError("the index has a file of this name with other content")
        return False

    def _receive(self, offer: Offer) -> bool:
        """Have a file sent, verify and publish it; return whether it was not there.

        Raises:
            Refusal: if it is not what its name says.
            ConflictError: if the index has the same file, under another spelling, with other content.
        """
        with incoming.arriving(self._store.packages) as arriving:
            self._say(send=True)
            left = offer.size
            while left:
                data = self._source.read(min(left, _CHUNK_BYTES))
                if not data:
                    raise Refusal(400, "it was cut off on its way")
                arriving.write(data)
                left -= len(data)
            arriving.finish()
            if arriving.sha256 != offer.sha256:
                raise Refusal(400, "it changed while it was read. Import again when it is finished")
            # What the file system does not take stays the time of its import.
            with suppress(OSError, OverflowError):
                os.utime(arriving.file.fileno(), ns=(offer.mtime_ns, offer.mtime_ns))
            upload = self._verified(offer, arriving)
            is_new = self._would_add(upload) if self._check else self._store.add([upload], overwrite=False)
        self._signable[offer.path] = upload.facts.release
        return is_new

    def _verified(self, offer: Offer, arriving: Arriving) -> Upload:
        if offer.name.endswith(names.SIGNATURE):
            return Upload(offer.name, arriving, Facts(arriving.sha256, self._signable[self._signed(offer)]))
        return uploaded(File(offer.name, arriving), Form())

    def _would_add(self, upload: Upload) -> bool:
        """Tell whether ``add`` would publish a file, after those for which this said so."""
        if not self._store.would_add([upload]):
            return False
        if upload.name.endswith(names.SIGNATURE):
            return True
        identity = names.identity(upload.name, upload.facts.release)
        sha256 = self._would.setdefault(identity, upload.facts.sha256)
        if sha256 != upload.facts.sha256:
            raise ConflictError("the folder has the same file twice, with different content")
        return True

    def _signed(self, offer: Offer) -> str:
        return offer.path.removesuffix(names.SIGNATURE)

    def _say(self, **words: Any) -> None:
        self._answers.write(json.dumps(words).encode() + b"\n")
        self._answers.flush()


def main(check: bool) -> int:
    """Import what comes in on standard input; return the exit code."""
    settings = Settings.of_environment()
    # As gunicorn's: what is written is the account's alone.
    os.umask(0o077)
    store = Store(settings.packages, settings.index)
    store.catalogue.hold()
    return Import(store, sys.stdin.buffer, sys.stdout.buffer, check).run()
