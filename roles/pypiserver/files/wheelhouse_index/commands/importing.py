"""Bring files in from a folder outside: ``python3 -m wheelhouse_index import``, from a process that reads that folder.

This side sees no folder but the index. The other side (the module import_packages, root on the host) offers a file in a line
of JSON, ``{"path", "size", "mtime_ns", "sha256"}``, and gets a line back: ``{"send": true}``, upon which it sends that many
bytes and gets another line, or ``{"done": [[path, became, why], ...]}``: what became of some files, this one or earlier ones.
Of an imported one, ``why`` says why no client can install it, if none can.
The rest follows when the other side has no more. After ``{"stop"}`` nothing more is taken.

Files go the way of uploads: verified aside, published in one step, and on their pages before that is answered. Files of a
project that come one after the other are published together, as its pages list all of them each time.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from ..common.answers import Refusal
from ..fact_store.change_log import ChangeLog
from ..fact_store.recording import ConflictError, Origin
from ..fact_store.records import IMPORT, FactsError
from ..files import incoming, names
from ..files.entry import Facts
from ..files.incoming import Arriving, Upload
from ..files.names import Release
from ..index.store import Store
from ..public.gate import Gate
from ..requests.changes import is_full, uploaded
from ..requests.forms import File, Form
from ..server.settings import Settings
from .answering import spread

log = logging.getLogger(__name__)
IMPORTED, PRESENT, CONFLICT, REFUSED = "imported", "present", "conflict", "refused"
FULL = "the disk of the index is full; all that was imported before is kept. Make room, then import again"
UNWRITABLE = "the index cannot write to its folders; pypi-server's log says more"
_CHUNK_BYTES = 1024 * 1024
# Files that are published together.
_HELD = 50
_ORIGIN = Origin(IMPORT)
Done = tuple[str, str, str]


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
        change_log: where what is published is noted.
        check: find out what would become of each file, and publish none.
        check_new: raises Refusal for a new name that is a public project's; called with the project.
    """

    def __init__(
        self,
        store: Store,
        source: BinaryIO,
        answers: BinaryIO,
        change_log: ChangeLog,
        check: bool,
        check_new: Callable[[str], None] = lambda _project: None,
    ) -> None:
        self._change_log = change_log
        self._store = store
        self._source = source
        self._answers = answers
        self._check = check
        self._check_new = check_new
        # What was found out by that, of each project.
        self._refusals: dict[str, Refusal | None] = {}
        # Files of one project that are verified and not yet published, by path, and what keeps them.
        self._held: dict[str, Upload] = {}
        self._keeping = ExitStack()
        # What each of them is, whatever its spelling, and its digest; in a check, what each file is that would be imported.
        self._identities: dict[tuple[str, ...], str] = {}
        # The releases of files that are on the index as they are in the folder, by path: their signatures may follow.
        self._signable: dict[str, Release] = {}
        # What became of files, and has not been reported.
        self._done: list[Done] = []

    def run(self) -> int:
        """Answer all offers; return the exit code."""
        try:
            with self._keeping:
                while line := self._source.readline():
                    self._take(Offer(**json.loads(line)))
                    self._tell()
                self._publish()
                self._tell()
        except (OSError, sqlite3.Error, FactsError) as error:
            log.error("The import stops: %s", error)
            if self._done:
                # What was published before; the other side's next offer is answered by the rest.
                self._tell()
            self._say(stop=FULL if is_full(error) else f"{UNWRITABLE} ({error})")
            return 1
        return 0

    def _take(self, offer: Offer) -> None:
        """Take a file in, or note why not."""
        try:
            if self._is_there(offer):
                self._done.append((offer.path, PRESENT, ""))
            else:
                self._receive(offer)
        except Refusal as error:
            self._done.append((offer.path, REFUSED, error.reason))
        except ConflictError as error:
            self._done.append((offer.path, CONFLICT, str(error)))

    def _is_there(self, offer: Offer) -> bool:
        """Tell whether the index has a file already, before a byte of it is sent.

        Raises:
            Refusal: if its name alone says that the index cannot have it.
            ConflictError: if a file of its name has other content.
        """
        if not names.is_served(offer.name):
            raise Refusal(400, "its name is not that of a distribution file: NAME-VERSION, and for a wheel the tags")
        if offer.name.endswith(names.SIGNATURE) and _signed(offer.path) not in self._signable:
            raise Refusal(400, _NO_FILE)
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

    def _refuse_public(self, project: str) -> None:
        """Raise Refusal for a new name that is a public project's; of each, upstream is asked once."""
        if project not in self._refusals:
            self._refusals[project] = None
            try:
                self._check_new(project)
            except Refusal as error:
                self._refusals[project] = error
        if refusal := self._refusals[project]:
            raise refusal.with_traceback(None)

    def _receive(self, offer: Offer) -> None:
        """Have a file sent, verify it, and hold it until it is published.

        Raises:
            Refusal: if it is not what its name says.
            ConflictError: if the index has the same file, under another spelling, with other content.
        """
        with ExitStack() as stack:
            arriving = stack.enter_context(incoming.arriving(self._store.incoming))
            self._say(send=True)
            left = offer.size
            while left:
                data = self._source.read(min(left, _CHUNK_BYTES))
                if not data:
                    raise Refusal(400, "it was cut off on its way")
                arriving.write(data)
                left -= len(data)
            if arriving.sha256 != offer.sha256:
                raise Refusal(400, "it changed while it was read. Import again when it is finished")
            file = arriving.file
            # What the file system does not take stays the time of its import.
            with suppress(OSError, OverflowError):
                os.utime(file.fileno(), ns=(offer.mtime_ns, offer.mtime_ns))
            upload = self._verified(offer, arriving)
            # Not before: what is in a file says whose it is.
            self._refuse_public(upload.facts.release.project)
            if not self._may_be_held(upload):
                self._publish()
            if not self._is_new(upload):
                self._done.append((offer.path, PRESENT, ""))
                # Under another spelling: a signature by this name would be beside no file.
                return
            if self._check:
                self._done.append((offer.path, IMPORTED, upload.objection))
            else:
                self._held[offer.path] = upload
                self._keeping.enter_context(stack.pop_all())
        self._signable[offer.path] = upload.facts.release

    def _verified(self, offer: Offer, arriving: Arriving) -> Upload:
        if offer.name.endswith(names.SIGNATURE):
            return Upload(offer.name, arriving, Facts(arriving.sha256, self._signable[_signed(offer.path)]))
        return uploaded(File(offer.name, arriving), Form())

    def _may_be_held(self, upload: Upload) -> bool:
        """Tell whether a file may be published together with those that are held."""
        held = list(self._held.values())
        return (
            len(held) < _HELD
            and all(one.facts.release.project == upload.facts.release.project for one in held)
            and all(one.name != upload.name for one in held)
            and (self._check or _identity(upload) not in self._identities)
        )

    def _is_new(self, upload: Upload) -> bool:
        """Tell whether the index has not got a file; raises ConflictError if it has it with other content."""
        if not self._store.would_add([upload]):
            return False
        sha256 = self._identities.setdefault(_identity(upload), upload.facts.sha256)
        if sha256 != upload.facts.sha256:
            raise ConflictError("the folder has the same file twice, with different content")
        return True

    def _publish(self) -> None:
        """Publish what is held."""
        held, self._held = self._held, {}
        if not held:
            return
        self._identities.clear()
        try:
            new = self._store.add(list(held.values()), overwrite=False, origin=_ORIGIN).files
            is_new = bool(new)
            if is_new:
                self._note([upload for upload in held.values() if upload.name in new])
            self._done += [(path, IMPORTED, held[path].objection) if is_new else (path, PRESENT, "") for path in held]
        except (ConflictError, Refusal):
            # Something has come to the index meanwhile: which of them it is shows one by one.
            self._done += [(path, *self._published(path, upload)) for path, upload in held.items()]
        self._keeping.close()

    def _published(self, path: str, upload: Upload) -> tuple[str, str]:
        if path.endswith(names.SIGNATURE) and _signed(path) not in self._signable:
            return REFUSED, _NO_FILE
        try:
            if not self._store.add([upload], overwrite=False, origin=_ORIGIN).files:
                return PRESENT, ""
            self._note([upload])
            return IMPORTED, upload.objection
        except ConflictError as error:
            del self._signable[path]
            return CONFLICT, str(error)
        except Refusal as error:
            self._signable.pop(path, None)
            return REFUSED, error.reason

    def _note(self, uploads: Sequence[Upload]) -> None:
        files = {upload.name: upload.facts.sha256 for upload in uploads}
        self._change_log.note(IMPORT, project=uploads[0].facts.release.project, files=files)

    def _tell(self) -> None:
        done, self._done = self._done, []
        self._say(done=done)

    def _say(self, **words: Any) -> None:
        self._answers.write(json.dumps(words).encode() + b"\n")
        self._answers.flush()


_NO_FILE = "it is a signature, and the file that it signs was not imported"


def _signed(path: str) -> str:
    return path.removesuffix(names.SIGNATURE)


def _identity(upload: Upload) -> tuple[str, ...]:
    if upload.name.endswith(names.SIGNATURE):
        return (upload.name,)
    return names.identity(upload.name, upload.facts.release)


def main(check: bool) -> int:
    """Import what comes in on standard input; return the exit code."""
    settings = Settings.of_environment()
    # As gunicorn's: what is written is the account's alone.
    os.umask(0o077)
    store = settings.store()
    store.catalogue.hold()
    change_log = ChangeLog(settings.logs)
    gate = Gate.asking(store, settings.upstreams, settings.outlet)
    try:
        return Import(store, sys.stdin.buffer, sys.stdout.buffer, change_log, check, gate.check_new).run()
    finally:
        spread(settings, store)
