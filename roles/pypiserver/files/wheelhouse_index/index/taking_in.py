"""What is in packages/ is taken in: read, recorded in the store of facts, and noted in the catalogue."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..common.times import time_text
from ..fact_store import attestations
from ..fact_store.recording import is_young, young
from ..fact_store.records import Look
from ..files import names
from ..files.entry import Entry, Facts, Stamp, guessed
from .folders import settled, staging
from .known import Known
from .output import Staged
from .restoring import Restoring

log = logging.getLogger(__name__)
# How much is kept in memory of what was read: bytes of core metadata, and files.
_KEPT_BYTES, _KEPT_FILES = 8 * 1024 * 1024, 500
# How many files are recorded at once while uploads may be waiting.
_RECORDED = 500


class TakingIn(Restoring):
    """Takes in what arrives in packages/ by other ways than uploads; arguments and attributes as for ``Folders``."""

    def note(self, found: Iterable[str], removed: Iterable[str]) -> None:
        """Take in what a scan has found: files that are new or changed, and files that were removed.

        Pages follow with write_pending.
        """
        self.facts.check()
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                self._record(settled(map(known.at, (*found, *removed))))
                for path in (*found, *removed):
                    # What it is now: since the scan it may have been uploaded, or removed.
                    stamp = self._stamp(path)
                    was = known.at(path)
                    if (was.stamp if was else None) == stamp:
                        continue
                    before = [was.project] if was else []
                    self._mark_dirty(known, {*before, guessed(path.rpartition("/")[2]).project})
                    if stamp:
                        known.put(Entry(path, stamp))
                    else:
                        known.remove([path])
                        self.output.stage_removal(staged, path)
                # Once more: what is unmounted meanwhile was not removed.
                self.facts.check_mounted()
                known.note_written(staged.written)
            staged.publish()

    def forget(self) -> None:
        """Have all files read and all pages written once more; those that are there are served meanwhile.

        Of the catalogue, whatever state it is in, nothing is used but what it alone knows: that is written to the store of facts.
        """
        self.prepare()
        self.facts.check()
        # Until the keeper knows all files again.
        self.facts.marks.close()
        try:
            self.check_recorded()
            while self.record_some():
                pass
            with self.catalogue.reading() as known:
                decided = {project: known.decisions(project) for project in known.decided()}
                kept = self._recorder.kept(settled(known.all()))
                for project, removed in known.removed_of().items():
                    kept += [(project, name, record) for name, record in removed.items()]
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            log.error("%s is damaged, and what it alone knew is lost: %s", self.catalogue.file, error)
            decided, kept = {}, []

        def fill(known: Known) -> None:
            # Also of files that are there: until they are read again, the store may lack their records, or be unable to tell.
            known.note_removed(kept)
            self._survey(known)
            # Also where the file of the decisions cannot be read at present.
            for project, decisions in decided.items():
                known.decide(project, decisions)
            self._mark_dirty(known, decided)

        with self._alone():
            self.catalogue.replace(fill)
            with self.catalogue.writing() as known:
                self._take_decisions(known)
                self._take_address(known)

    def read(self, entry: Entry) -> Entry | None:
        """Read a file that has not been read yet, and keep what it tells.

        Returns:
            What is known now; None if it cannot be read, or is on no page.

        Raises:
            FactsError: if it cannot be found out what was published by its name.
        """
        # What it is now.
        self.note([entry.path], [])
        self._read_all([entry])
        with self.catalogue.reading() as known:
            now = known.at(entry.path)
        return now if now and now.facts else None

    def record_some(self) -> bool:
        """Record some of the files that the store of facts does not have yet; return whether more wait."""
        with self.catalogue.reading() as known:
            ahead = known.unrecorded(_RECORDED, *young(time.time_ns()))
        if not ahead:
            return False
        self.facts.check()
        look = self._recorder.look()
        self._recorder.ahead(ahead, look, at_once=True)
        with self._alone(), self.catalogue.writing() as known:
            waiting = known.unrecorded(_RECORDED, *young(time.time_ns()))
            noted = self._recorder.taken_in(waiting, at_once=True, look=look.again())
            known.note_recorded(entry for entry in noted if entry.recorded)
            for before, now in zip(waiting, noted):
                if not now.recorded:
                    known.remove([now.path])
                    if not now.refused:
                        # The store is at fault, and not the file: its name stays its own.
                        known.note_removed(self._recorder.kept([before]))
                    known.put(now)
                elif not self._has_attestations(now):
                    known.put(Entry(now.path, now.stamp))
                    self._mark_dirty(known, [now.project])
                if time_text(before.time_ns) != time_text(now.time_ns) or not now.recorded:
                    self._mark_dirty(known, [before.project])
        return True

    def _has_attestations(self, entry: Entry) -> bool:
        """Tell whether the store of facts has attestations of a file, or none, as is known; what it has lost is put back."""
        has = self.facts.attestations.has(entry.project, entry.name)
        if entry.attested and not has and entry.facts:
            content = self.output.provenance(entry.path)
            has = self.facts.attestations.put_back(entry.project, entry.name, entry.facts.sha256, content)
        return has == entry.attested

    def _forget(self, staged: Staged, known: Known, paths: Sequence[str]) -> None:
        known.remove(paths)
        for path in paths:
            self.output.stage_removal(staged, path)

    def _put(
        self,
        staged: Staged,
        known: Known,
        entry: Entry,
        metadata: bytes,
        look: Look | None = None,
        is_bare: bool = False,
    ) -> None:
        """Note a file that has been read, and stage what is served beside it.

        Args:
            staged: pages.
            known: the catalogue.
            entry: what is known of the file.
            metadata: its core metadata.
            look: a look at its facts.
            is_bare: whether it is known to have no attestations.
        """
        self._put_attested(staged, known, entry, look, is_bare)
        self.output.stage_metadata(staged, entry.path, metadata if entry.facts else b"")
        known.changes.metadata[entry.path] = metadata

    def _put_attested(
        self, staged: Staged, known: Known, entry: Entry, look: Look | None = None, is_bare: bool = False
    ) -> None:
        sha256 = entry.facts.sha256 if entry.facts else ""
        may_be = not is_bare and (look is None or look.has(entry.project, entry.name + attestations.SUFFIX))
        provenance = self.facts.attestations.provenance(entry.project, entry.name, sha256) if may_be else b""
        known.put(replace(entry, attested=bool(provenance)))
        self.output.stage_provenance(staged, entry.path, provenance)
        self.output.stage_mark(staged, entry.path, entry.facts is not None)

    def read_unread(self, projects: Iterable[str]) -> dict[str, Stamp]:
        """Read what has not been read of these projects. Not within the lock: this is what takes time.

        Returns:
            The files that cannot be read, and what they were then.
        """
        with self.catalogue.reading() as known:
            unread = [entry for project in projects for entry in known.unread(project)]
        return self._read_all(unread)

    def _read_all(self, entries: Iterable[Entry]) -> dict[str, Stamp]:
        """Read files, whether that was done before or not, and keep what they tell; returns as read_unread does."""
        failed: dict[str, Stamp] = {}
        read: list[tuple[Entry, bytes]] = []
        size = 0
        # A signature is of the release that the file beside it is of.
        for entry in sorted(entries, key=lambda entry: entry.is_signature):
            now, content = self._read(entry)
            read.append((now, content))
            size += len(content)
            if size > _KEPT_BYTES or len(read) >= _KEPT_FILES:
                failed |= self._keep(read)
                read, size = [], 0
        return failed | self._keep(read) if read else failed

    def _keep(self, read: Sequence[tuple[Entry, bytes]]) -> dict[str, Stamp]:
        """Note what was read, unless the file has changed or been removed since; then the next scan sees to it.

        Returns:
            The files that are on no page, and what they were when they were read.
        """
        self.facts.check()
        with self.catalogue.reading() as known:
            ahead = [entry for entry, _content in read if self._is_now(known, entry)]
            others = self._before(known, ahead)
            self._restore(known.removed(entry.name for entry in ahead))
        look = self._recorder.look()
        self._recorder.ahead(others, look, at_once=True)
        self._recorder.ahead(ahead, look)
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                look = look.again()
                current = [(entry, content) for entry, content in read if self._is_now(known, entry)]
                # What was there before is what its name stands for.
                self._record(self._before(known, [entry for entry, _content in current]))
                noted = self._recorder.taken_in([entry for entry, _content in current], look=look)
                for now, (_entry, content) in zip(noted, current):
                    entry = _with_release(known, now)
                    before = known.project_of(entry.path)
                    self._put(staged, known, entry, content, look)
                    if before is not None and entry.project != before:
                        # Its name alone spoke of another one.
                        self._mark_dirty(known, [before, entry.project])
                known.note_written(staged.written)
            staged.publish()
        return {entry.path: entry.stamp for entry in (*(one for one, _content in read), *noted) if entry.unreadable}

    def _before(self, known: Known, read: Sequence[Entry]) -> list[Entry]:
        """Return the files without a record that are known by the names of those that were read."""
        own = {entry.path for entry in read}
        waiting = (other for entry in read for other in known.unrecorded_named(entry.name))
        return [entry for entry in waiting if not (entry.path in own and is_young(entry))]

    def _is_now(self, known: Known, entry: Entry) -> bool:
        """Tell whether a file is known, and still what it was when it was read."""
        return known.project_of(entry.path) is not None and self._stamp(entry.path) == entry.stamp


def _with_release(known: Known, entry: Entry) -> Entry:
    """Return a file with whose it is: a signature is of the release of the file beside it."""
    signed = known.at(entry.path.removesuffix(names.SIGNATURE)) if entry.is_signature else None
    return replace(entry, facts=Facts(entry.facts.sha256, signed.release)) if signed and entry.facts else entry
