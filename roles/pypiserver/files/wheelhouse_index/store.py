"""Packages and pages together: what changes one changes the other, before the answer says that it is done.

One process at a time changes anything, whichever replica it is of: all hold a lock on a file in index/.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from . import catalogue, disk, incoming, names, pages
from .answers import one_line
from .catalogue import Catalogue, Known
from .comparing import compared, refuse_closed, same_as
from .decisions import Decisions
from .entry import Entry, Facts, Stamp, guessed
from .facts import FactStore
from .incoming import Upload
from .output import Output, Staged
from .quarantine import StayedError
from .reading import Told, read_files
from .reading_aside import read_aside
from .reconciling import Reconciler
from .recording import ConflictError, Origin, Recorder, is_young, young
from .records import FactsError
from .scan import Scanner
from .times import time_text

log = logging.getLogger(__name__)
# How many projects' pages are written at once while no client waits for them.
_BATCH = 50
# So many batches are worth processes of their own, which read ahead.
_MANY_BATCHES = 4
# How much is kept in memory of what was read: bytes of core metadata, and files.
_KEPT_BYTES, _KEPT_FILES = 8 * 1024 * 1024, 500
# How many files are recorded at once while uploads may be waiting.
_RECORDED = 200
# A list of projects that is as long is written after the answer, within a second: with 30,000 of them it takes longer than all
# the rest of an upload. No installer reads it.
LONG_LIST_BYTES = 64 * 1024
LIST_SECONDS = 1.0
# What is pending then, among the names of projects.
_LISTS = ""
# How many of many files a message names.
_NAMED = 5


@dataclass(frozen=True)
class Added:
    """What was new of uploads.

    Attributes:
        files: the names of those that were not there, byte by byte.
        attested: the names of those whose attestations are kept now: what is there of a content is never replaced.
    """

    files: frozenset[str] = frozenset()
    attested: frozenset[str] = frozenset()


class Store:
    """The folders packages/ and index/ of an index.

    Args:
        packages: the one.
        index: the other.
        replaceable: whether a file may get other content than it had.
        url: the index's own address; empty where it has none, None for who does not know.

    Attributes:
        packages: the distribution files.
        facts: what is known of them and cannot be read from them.
        output: the pages.
        catalogue: what is known of the files.
    """

    def __init__(self, packages: Path, index: Path, replaceable: bool = False, url: str | None = None) -> None:
        self.packages = packages
        self.facts = FactStore(packages, index)
        self.output = Output(index)
        self._url = url
        self.catalogue = Catalogue(index / catalogue.NAME, self.mend)
        self._recorder = Recorder(self.facts, replaceable)
        self._reconciler = Reconciler(self.facts.decisions, self.facts.quarantine)
        self._lock = index / ".lock"
        # Whether this thread has it.
        self._locked = threading.local()

    def prepare(self) -> None:
        """Make what is missing; several processes may do so at once."""
        with self._alone():
            missing = self.output.prepare()
            incoming.prepare(self.packages)
            self._prepare_facts()
            self.catalogue.prepare(self._survey)
            with self.catalogue.writing() as known:
                self._take_decisions(known)
                self._take_address(known)
                if missing:
                    self._mark_dirty(known, known.all_projects())
                if known.pages_format != pages.FORMAT or known.pending():
                    self.output.mark_incomplete()

    def _take_address(self, known: Known) -> None:
        """Have the pages that name the index's own address written again where that is another one."""
        if self._url is not None and known.served_at != self._url:
            known.served_at = self._url
            self._mark_dirty(known, known.with_attested())

    def _prepare_facts(self) -> None:
        """Make the store of facts where there is none yet."""
        try:
            self.facts.prepare()
        except FactsError as error:
            # What is on disk is served, and each change is refused.
            log.error("%s", error)

    def check_facts(self) -> None:
        """Find out whether the store of facts can be used; one that nothing was taken from yet may be another one.

        So a backup can be put in place of the empty store of a new index.

        Raises:
            FactsError: if it cannot.
        """
        try:
            self.facts.check()
        except FactsError:
            with self.catalogue.reading() as known:
                if known.has_recorded():
                    raise
            self.facts.forget()
            self.prepare()
            self.facts.check()

    def in_place(self) -> bool:
        """Tell whether nothing was removed of what prepare makes."""
        folders = [*self.output.folders(), self.packages / incoming.FOLDER]
        there = all(map(os.path.isdir, folders)) and bool(self.facts.known())
        return there and self.catalogue.is_whole() and not self.catalogue.damaged

    def mend(self) -> None:
        """Make what was removed while servers run."""
        if not getattr(self._locked, "here", False) and not self.in_place():
            self.prepare()

    def has_had(self, upload: Upload) -> bool:
        """Tell whether a file with this content is there, or was published by this name: it may always come again.

        Raises:
            FactsError: if it cannot be found out what was there.
        """
        self.mend()
        self.check_facts()
        project, sha256 = upload.facts.release.project, upload.facts.sha256
        self._notice([upload])
        self._read_unread([project])
        with self.catalogue.reading() as known:
            if any(entry.facts and entry.facts.sha256 == sha256 for entry in same_as(known, upload)):
                return True
        return self._recorder.has(project, upload.name, sha256)

    def add(self, uploads: Sequence[Upload], overwrite: bool, origin: Origin) -> Added:
        """Publish distribution files, and their signatures: when this returns, they are on all pages.

        Args:
            uploads: all of one project, no two of the same identity, a file before its signature.
            overwrite: whether they may replace files with other content.
            origin: how they came.

        Returns:
            What was new.

        Raises:
            ConflictError: if one of them is, or was, there with other content; nothing has changed then.
            FactsError: if it cannot be found out what was there; the same holds.
            OSError: if there is no room; the same holds.
        """
        self.mend()
        self.check_facts()
        project = uploads[0].facts.release.project
        self._notice(uploads)
        failed = self._read_unread([project])
        with self._alone(), _staged() as staged:
            with self.catalogue.reading() as known:
                new, replaced = compared(known, uploads, overwrite)
                if not new and not known.times_marked(project):
                    return Added()
                if new:
                    refuse_closed(project, known.decisions(project))
            with ExitStack() as stack:
                records = stack.enter_context(self._recorder.publishing(new, overwrite, origin)) if new else {}
                kept = {upload.name: upload for upload in new}
                attested = stack.enter_context(self.facts.attestations.publishing(project, kept, origin.login))
                for upload in new:
                    stack.enter_context(self._published(upload, overwrite))
                with self.catalogue.writing() as known:
                    # Until the pages are in place another process has to see to them, if this one is killed.
                    lists = known.times_marked(project) > 0 or not known.has_page(project)
                    known.mark_dirty([project])
                    self._forget(staged, known, replaced)
                    for upload in new:
                        entry = Entry(upload.name, upload.stamp(), upload.facts)
                        if record := records.get(upload.name):
                            entry = replace(entry, uploaded_ns=record.uploaded_ns, recorded=True)
                        self._put(staged, known, entry, upload.metadata)
                    self._stage(staged, known, [project], lists and self._lists_now(known))
                    seen = {project: known.times_marked(project)}
            staged.publish()
            # Not before the new ones are on all pages: until then nothing has replaced them.
            self._unlink(replaced)
            self._done(seen, failed)
            return Added(frozenset(kept), frozenset(attested))

    def attest(self, upload: Upload, login: str) -> set[str]:
        """Keep the attestations of a file that is there with this content: when this returns, they are on its pages.

        Returns:
            The names of the files that had none, one file in whatever spelling: those that are there are never replaced.

        Raises:
            ConflictError: if it is not there any more.
            FactsError, OSError: as ``add``; nothing has changed then.
        """
        project = upload.facts.release.project
        with self._alone(), _staged() as staged:
            with self.catalogue.reading() as known:
                sha256 = upload.facts.sha256
                same = [entry for entry in same_as(known, upload) if entry.facts and entry.facts.sha256 == sha256]
                if any(entry.attested for entry in same):
                    return set()
                refuse_closed(project, known.decisions(project))
            if not same:
                raise ConflictError(f"{upload.name} was removed meanwhile. Send it again.")
            self._record(same)
            with ExitStack() as stack:
                kept = {entry.name: upload for entry in same}
                attested = stack.enter_context(self.facts.attestations.publishing(project, kept, login))
                with self.catalogue.writing() as known:
                    known.mark_dirty([project])
                    for entry in same:
                        self._put_attested(staged, known, entry)
                    self._stage(staged, known, [project], lists=False)
                    seen = {project: known.times_marked(project)}
            staged.publish()
            self._done(seen, {})
        return attested

    def _put(self, staged: Staged, known: Known, entry: Entry, metadata: bytes) -> None:
        """Note a file that has been read, and stage what is served beside it."""
        self._put_attested(staged, known, entry)
        self.output.stage_metadata(staged, entry.path, metadata if entry.facts else b"")

    def _put_attested(self, staged: Staged, known: Known, entry: Entry) -> None:
        sha256 = entry.facts.sha256 if entry.facts else ""
        provenance = self.facts.attestations.provenance(entry.project, entry.name, sha256)
        known.put(replace(entry, attested=bool(provenance)))
        self.output.stage_provenance(staged, entry.path, provenance)

    def would_add(self, uploads: Sequence[Upload]) -> bool:
        """Tell whether ``add`` would change anything; raises ConflictError as that does, without overwriting."""
        self.facts.check()
        with self.catalogue.reading() as known:
            new = compared(known, uploads, overwrite=False)[0]
            if new:
                project = new[0].facts.release.project
                refuse_closed(project, known.decisions(project))
        self._recorder.compare(new, overwrite=False)
        return bool(new)

    def remove(self, project: str, paths: Sequence[str]) -> None:
        """Remove files of a project: when this returns, they are on no page any more.

        Raises:
            FactsError: if what is known of them would be lost.
            OSError: if that is impossible.
        """
        self.mend()
        self.check_facts()
        failed = self._read_unread([project])
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                lists = known.times_marked(project) > 0
                known.mark_dirty([project])
                self._record(known.at(path) for path in paths)
                self._forget(staged, known, paths)
                lists = lists or not known.has_page(project)
                self._stage(staged, known, [project], lists and self._lists_now(known))
                seen = {project: known.times_marked(project)}
            # Not before: for want of room, the catalogue may have been left as it was.
            self._unlink(paths)
            staged.publish()
            self._done(seen, failed)

    def decide(self, project: str, change: Callable[[Decisions], Decisions], at_once: bool = True) -> bool:
        """Change what was decided on a project: when this returns, its pages say so.

        Args:
            project: its normalised name.
            change: what becomes of the decisions; the same object where nothing changes.
            at_once: whether to write its pages; else they follow with write_pending.

        Returns:
            Whether anything changed.

        Raises:
            FactsError: if it cannot be found out what was decided before.
            OSError: if there is no room.
            StayedError: if files are still served that are not to be; all else is done.
        """
        self.mend()
        self.check_facts()
        with self._alone(), self.catalogue.writing() as known:
            self.facts.decisions.at(project)
            taken = self._reconciler.take(known, [project])
            before = known.decisions(project)
            after = change(before)
            if after is before and not taken:
                return False
            self._mark_dirty(known, [project])
            if after is not before:
                known.decide(project, after)
                self.facts.decisions.put(project, after)
        if not at_once:
            return after is not before
        self._give_back(project)
        with self.catalogue.reading() as known:
            seen = {project: known.times_marked(project)}
        self._write(seen, formatted=True)
        if stayed := self.stayed(project):
            raise stayed
        return after is not before

    def claimed(self, project: str) -> bool:
        """Tell whether there is, or was, a project; one that was not recorded yet is claimed."""
        if self.facts.claims.has(project):
            return True
        with self.catalogue.reading() as known:
            if not known.of_project(project):
                return False
        disk.sync(self.facts.claims.make([project]))
        return True

    def _take_decisions(self, known: Known) -> None:
        """Have catalogue and store of facts say the same, where the store can be used."""
        try:
            self.facts.check()
        except FactsError:
            return
        own = self.facts.known()
        is_new = known.recorded_in not in ("", own)
        known.recorded_in = own
        self._mark_dirty(known, self._reconciler.take(known, self._reconciler.differing(known), is_new))

    def check_decisions(self) -> None:
        """Take in decisions that other hands have changed in the store of facts, and keep those that they have lost."""
        with self.catalogue.reading() as known:
            differ = self._reconciler.differing(known)
            back = [name for name in self.facts.quarantine.projects() if not known.decisions(name).is_quarantined]
        if differ:
            with self._alone(), self.catalogue.writing() as known:
                self._take_decisions(known)
        for project in back:
            self._give_back(project)

    def _give_back(self, project: str) -> None:
        """Move the files of a project out of quarantine, if it was decided that they are to be served."""
        with self._alone():
            try:
                decided = self.facts.decisions.at(project)
            except FactsError:
                return
            if not decided or decided.is_quarantined or not self.facts.quarantine.has(project):
                return
            back = self.facts.quarantine.give_back(project)
        self.note(back, [])

    def _notice(self, uploads: Iterable[Upload]) -> None:
        """Take in what was copied to the places of uploads, or removed from there, since the last look."""
        changed: list[str] = []
        with self.catalogue.reading() as known:
            for upload in uploads:
                stamps = {entry.path: entry.stamp for entry in same_as(known, upload)}
                paths = {upload.name, *stamps}
                changed += [path for path in paths if self._stamp(path) != stamps.get(path)]
        if changed:
            self.note(changed, [])

    @contextmanager
    def _published(self, upload: Upload, overwrite: bool) -> Iterator[None]:
        try:
            with upload.published(self.packages / upload.name, overwrite):
                yield
        except FileExistsError as error:
            raise ConflictError(f"{upload.name} already exists in packages/ and is not a regular file.") from error

    def _forget(self, staged: Staged, known: Known, paths: Sequence[str]) -> None:
        known.remove(paths)
        for path in paths:
            self.output.stage_removal(staged, path)

    def _record(self, entries: Iterable[Entry | None]) -> None:
        """Record files that have no record yet, and will be known no more: their names stay theirs."""
        waiting = [entry for entry in entries if entry and entry.facts and not entry.recorded]
        if waiting:
            self.facts.check()
            self._recorder.taken_in(waiting, at_once=True)

    def _unlink(self, paths: Iterable[str]) -> None:
        for path in paths:
            with suppress(FileNotFoundError):
                os.unlink(self.packages / path)

    def note(self, found: Iterable[str], removed: Iterable[str]) -> None:
        """Take in what a scan has found: files that are new or changed, and files that were removed.

        Pages follow with write_pending.
        """
        self.facts.check()
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                self._record(_settled(map(known.at, (*found, *removed))))
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
                known.note_written(staged.written)
            staged.publish()

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

    def check_recorded(self) -> None:
        """Have claims and records made again that the store of facts has lost: a backup may be in its place."""
        claims = set(os.listdir(self.facts.claims.folder))
        lost: list[tuple[str, str]] = []
        with self.catalogue.reading() as known:
            for project, files in itertools.groupby(known.recorded(), key=lambda file: file[0]):
                there = self.facts.records.names(project) if project in claims else set()
                attested = self.facts.attestations.names(project)
                lost += [
                    (project, name) for _, name, with_any in files if name not in there or with_any > (name in attested)
                ]
        if lost:
            log.warning(
                "The store of facts lacks records of %s: they are made again", _some([name for _, name in lost])
            )
            with self._alone(), self.catalogue.writing() as known:
                known.note_lost(lost)

    def record_some(self) -> bool:
        """Record some of the files that were there before there was a store of facts; return whether more wait."""
        with self.catalogue.reading() as known:
            ahead = known.unrecorded(_RECORDED, *young(time.time_ns()))
        if not ahead:
            return False
        self.facts.check()
        self._recorder.ahead(ahead, at_once=True)
        with self._alone(), self.catalogue.writing() as known:
            waiting = known.unrecorded(_RECORDED, *young(time.time_ns()))
            noted = self._recorder.taken_in(waiting, at_once=True)
            known.note_recorded(entry for entry in noted if entry.recorded)
            for before, now in zip(waiting, noted):
                if not now.recorded:
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

    def write_pending(self) -> int:
        """Read what has not been read, and write the pages that are older than what is known.

        Returns:
            How many projects were done.
        """
        if not self.output.has_lists():
            # Then more may be missing.
            self.check_pages()
        done: set[str] = set()
        while True:
            with self.catalogue.reading() as known:
                seen = known.pending()
                formatted = known.pages_format == pages.FORMAT
                lists = not formatted or not self.output.has_lists()
            # What was read may be of another project than its name alone spoke of: then that one is pending now.
            if (done and seen.keys() <= done) or not (seen or lists):
                self._note_complete()
                return len(done)
            self._write(seen, formatted)
            done |= seen.keys() or {""}

    def _write(self, seen: Mapping[str, int], formatted: bool) -> None:
        """Write the pages of projects, and the lists.

        Args:
            seen: how often each was marked.
            formatted: whether all other pages are of this version's format.
        """
        failed: dict[str, Stamp] = {}
        listed = time.monotonic()
        for projects, told in self._read_ahead([project for project in seen if project != _LISTS]):
            failed |= self._keep_all(told)
            with self._alone(), _staged() as staged:
                with self.catalogue.writing() as known:
                    # There may be many batches, and uploads that left the lists to this.
                    asked = known.times_marked(_LISTS) if time.monotonic() - listed > LIST_SECONDS else 0
                    self._stage(staged, known, projects, lists=asked > 0)
                staged.publish()
                if asked:
                    self._done({_LISTS: asked}, {})
                    listed = time.monotonic()
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                self._stage(staged, known, [], lists=True)
            staged.publish()
            # Not before: what is pending is not yet on the list of projects.
            self._done(seen, failed)
            if not formatted:
                with self.catalogue.writing() as known:
                    known.pages_format = pages.FORMAT

    def _lists_now(self, known: Known) -> bool:
        """Tell whether a change waits for the list of projects; a long one is left to the keeper."""
        if self.output.list_bytes() < LONG_LIST_BYTES:
            return True
        known.mark_dirty([_LISTS])
        return False

    def _mark_dirty(self, known: Known, projects: Iterable[str]) -> None:
        """Note projects whose pages have to be written. Until they are, NGINX asks about what is not on disk."""
        if waiting := set(projects):
            self.output.mark_incomplete()
            known.mark_dirty(waiting)

    def _note_complete(self) -> None:
        """Have NGINX answer by itself for projects that do not exist, once all pages are written."""
        if self.output.is_complete():
            return
        with self._alone(), self.catalogue.reading() as known:
            written = known.pages_format == pages.FORMAT and not known.pending()
            # The marks may have been removed together with pages.
            if written and self.output.with_pages().issuperset(known.projects()):
                self.output.mark_complete()

    def check_pages(self) -> None:
        """Have written what is missing or of an older format, and remove what belongs to removed files."""
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                projects = set(known.projects())
                with_pages = self.output.with_pages()
                old = projects if known.pages_format != pages.FORMAT else set()
                lacking = {project for project in projects if not self.output.has_page(project)}
                self._mark_dirty(known, old | lacking | (with_pages - projects))
                served = self.output.beside()
                again = [entry for entry in known.all() if _lacks(entry, served)]
                self._mark_dirty(known, {entry.project for entry in again})
                for path in set().union(*served.values()):
                    if not known.at(path):
                        self.output.stage_removal(staged, path)
                known.note_written(staged.written)
            staged.publish()
        self._read_all(again)

    def check_written(self) -> None:
        """Have written again what other hands have changed or removed in index/."""
        with self.catalogue.reading() as known:
            altered = self.output.altered(known.written())
        if not altered:
            return
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                # What it is now: an upload may have replaced it meanwhile.
                now = [(path, *status) for path in altered if (status := known.written_as(path))]
                altered = self.output.altered(now)
                again = self._write_again(staged, known, altered)
                known.note_written(staged.written)
            staged.publish()
        if altered:
            log.warning("Rewrote what was changed from outside: %s", _some(altered))
            self._read_all(again)

    def _write_again(self, staged: Staged, known: Known, paths: Iterable[str]) -> list[Entry]:
        """Have pages and metadata written again, given by their paths below index/.

        Returns:
            The files that have to be read once more, as their metadata are written then.
        """
        again: list[Entry] = []
        projects: set[str] = set()
        lists = False
        for path in paths:
            folder, *rest = PurePosixPath(path).parts
            if folder == self.output.metadata.name:
                file = "/".join(rest).rpartition(".")[0]
                if entry := known.at(file):
                    again.append(entry)
                    projects.add(entry.project)
                else:
                    self.output.stage_removal(staged, file)
            elif folder == self.output.legacy.name:
                projects.add(rest[0].removesuffix(".json"))
            elif len(rest) > 1:
                projects.add(rest[0])
            else:
                lists = True
        self._mark_dirty(known, projects)
        if lists:
            self.output.stage_lists(staged, known)
            self.output.stage_front(staged, known)
        return again

    def retry(self) -> None:
        """Have files read that could not be read, and those moved that could not be moved."""
        with self.catalogue.reading() as known:
            projects = [*known.with_unread(), *known.quarantined_with_files()]
            # Their records are others now.
            right = [entry for entry in known.refused() if self._recorder.has(entry.project, entry.name, entry.refused)]
        if projects or right:
            with self._alone(), self.catalogue.writing() as known:
                for entry in right:
                    if known.at(entry.path) == entry:
                        known.put(Entry(entry.path, entry.stamp))
                        projects.append(entry.project)
                self._mark_dirty(known, projects)

    def forget(self) -> None:
        """Have all files read and all pages written once more; those that are there are served meanwhile.

        Whatever state the catalogue is in: nothing of it is used.
        """
        with self._alone():
            self.output.prepare()
            incoming.prepare(self.packages)
            self.facts.prepare()
            self.facts.check()
            self.catalogue.replace(self._survey)
            with self.catalogue.writing() as known:
                self._take_decisions(known)
                self._take_address(known)

    def _survey(self, known: Known) -> None:
        """Note all files that there are, for a catalogue that knows of none, or of those of another time."""
        found, removed = Scanner(self.packages, known.stamps()).changes(thorough=True)
        before = [entry for path in (*found, *removed) if (entry := known.at(path))]
        self._record(_settled(before))
        known.remove(removed)
        for path, stamp in found.items():
            known.put(Entry(path, stamp))
        changed = {guessed(path.rpartition("/")[2]).project for path in found} | {entry.project for entry in before}
        self._mark_dirty(known, changed | (self.output.with_pages() - set(known.all_projects())))

    def _read_unread(self, projects: Iterable[str]) -> dict[str, Stamp]:
        """Read what has not been read of these projects. Not within the lock: this is what takes time.

        Returns:
            The files that cannot be read, and what they were then.
        """
        return self._read_all(self._unread(projects))

    def _unread(self, projects: Iterable[str]) -> list[Entry]:
        with self.catalogue.reading() as known:
            return [entry for project in projects for entry in known.unread(project)]

    def _read_ahead(self, waiting: Sequence[str]) -> Iterator[tuple[Sequence[str], Iterable[Told]]]:
        """Yield some projects at a time, with what those of their files tell that have not been read."""
        batches = [waiting[start : start + _BATCH] for start in range(0, len(waiting), _BATCH)]
        if len(batches) < _MANY_BATCHES:
            yield from ((batch, self._read(self._unread(batch))) for batch in batches)
        else:
            yield from zip(batches, read_aside(self.packages, map(self._unread, batches)))

    def _read_all(self, entries: Iterable[Entry]) -> dict[str, Stamp]:
        """Read files, whether that was done before or not, and keep what they tell; returns as _read_unread does."""
        return self._keep_all(self._read(entries))

    def _read(self, entries: Iterable[Entry]) -> Iterator[Told]:
        """Read files one by one."""
        return read_files(self.packages, entries)

    def _keep_all(self, told: Iterable[Told]) -> dict[str, Stamp]:
        """Keep what files tell, some at a time; returns as _read_unread does."""
        failed: dict[str, Stamp] = {}
        read: list[tuple[Entry, bytes]] = []
        signatures: list[tuple[Entry, bytes]] = []
        size = 0
        for one in told:
            now, content = self._noted(one)
            # A signature is of the release that the file beside it is of.
            if now.is_signature:
                signatures.append((now, content))
                continue
            read.append((now, content))
            size += len(content)
            if size > _KEPT_BYTES or len(read) >= _KEPT_FILES:
                failed |= self._keep(read)
                read, size = [], 0
        read += signatures
        return failed | self._keep(read) if read else failed

    def _noted(self, told: Told) -> tuple[Entry, bytes]:
        """Return a file as it is noted, and its core metadata."""
        entry = told.entry
        if not entry.facts:
            log.warning("%s cannot be read: %s", entry.path, told.error)
            return Entry(entry.path, entry.stamp, unreadable=True), b""
        if not told.opens and not self._recorder.has(guessed(entry.name).project, entry.name, entry.facts.sha256):
            log.warning("%s is on no page: it cannot be opened. Copy all of it, or remove it", entry.path)
            return Entry(entry.path, entry.stamp, unreadable=True, refused=entry.facts.sha256), b""
        if told.objection:
            log.warning("%s stays as it is, and no client can install it: %s", entry.path, one_line(told.objection))
        return entry, told.metadata

    def _keep(self, read: Sequence[tuple[Entry, bytes]]) -> dict[str, Stamp]:
        """Note what was read, unless the file has changed or been removed since; then the next scan sees to it.

        Returns:
            The files that are on no page, and what they were when they were read.
        """
        self.facts.check()
        with self.catalogue.reading() as known:
            ahead = [entry for entry, _content in read if self._is_now(known, entry)]
            others = self._before(known, ahead)
        self._recorder.ahead(others, at_once=True)
        self._recorder.ahead(ahead)
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                current = [(entry, content) for entry, content in read if self._is_now(known, entry)]
                # What was there before is what its name stands for.
                self._record(self._before(known, [entry for entry, _content in current]))
                noted = self._recorder.taken_in([entry for entry, _content in current])
                for now, (_entry, content) in zip(noted, current):
                    entry = _with_release(known, now)
                    before = known.at(entry.path)
                    self._put(staged, known, entry, content)
                    if before and entry.project != before.project:
                        # Its name alone spoke of another one.
                        self._mark_dirty(known, [before.project, entry.project])
                known.note_written(staged.written)
            staged.publish()
        return {entry.path: entry.stamp for entry in (*(one for one, _content in read), *noted) if entry.unreadable}

    def _before(self, known: Known, read: Sequence[Entry]) -> list[Entry]:
        """Return the files without a record that are known by the names of those that were read."""
        own = {entry.path for entry in read}
        others = (known.at(path) for entry in read for path in known.named(entry.name))
        waiting = (entry for entry in others if entry and entry.facts and not entry.recorded)
        return [entry for entry in waiting if not (entry.path in own and is_young(entry))]

    def _is_now(self, known: Known, entry: Entry) -> bool:
        """Tell whether a file is known, and still what it was when it was read."""
        return known.at(entry.path) is not None and self._stamp(entry.path) == entry.stamp

    def _stage(self, staged: Staged, known: Known, projects: Iterable[str], lists: bool) -> None:
        """Stage pages of projects; only of files that are, by `stat`, what is known of them."""
        for project in projects:
            decisions = known.decisions(project)
            if _is_shut(known, project):
                self._quarantine(staged, known, project)
            entries = known.of_project(project)
            unchanged = [entry for entry in entries if self._stamp(entry.path) == entry.stamp]
            if len(unchanged) < len(entries):
                # The project may be without a page for a while, and exists.
                self.output.mark_incomplete()
            self.output.stage_project(staged, project, unchanged, decisions, known.served_at)
        if lists:
            self.output.stage_lists(staged, known)
        self.output.stage_front(staged, known)
        known.note_written(staged.written)

    def _quarantine(self, staged: Staged, known: Known, project: str) -> None:
        """Move the files of a project to where nothing is served."""
        paths = [entry.path for entry in known.of_project(project)]
        try:
            self._record(known.of_project(project))
            stayed = self.facts.quarantine.take(project, paths)
        except (OSError, FactsError) as error:
            # Other projects get their pages all the same, and this one says that it is quarantined.
            log.error("The files of the quarantined project %s are still served: %s", project, error)
            stayed = paths
        self._forget(staged, known, [path for path in paths if path not in stayed])

    def stayed(self, project: str = "") -> StayedError | None:
        """Return what files of quarantined projects could not be moved; of one project, or of all."""
        with self.catalogue.reading() as known:
            projects = [project] if project else known.quarantined_with_files()
            paths = [entry.path for name in projects if _is_shut(known, name) for entry in known.of_project(name)]
        paths = [path for path in paths if self._stamp(path)]
        if not paths:
            return None
        return StayedError(
            f"files of quarantined projects are still served, as they cannot be moved: {_some(paths)}."
            " Correct the owner of their folder, or remove them."
        )

    def _done(self, seen: Mapping[str, int], failed: Mapping[str, Stamp]) -> None:
        """Note that pages of projects are written.

        Args:
            seen: how often each had been marked by then.
            failed: files that are on no page because they cannot be read, and what they were then.
        """

        def settled(entry: Entry) -> bool:
            return self._stamp(entry.path) == entry.stamp and bool(
                entry.facts or entry.refused or failed.get(entry.path) == entry.stamp
            )

        try:
            with self.catalogue.writing() as known:
                known.mark_written({name: seen[name] for name in seen if all(map(settled, known.of_project(name)))})
        except (OSError, sqlite3.Error) as error:
            # For want of room, for one. The pages are there all the same; the keeper writes them again.
            log.warning("Cannot record that pages are written: %s", error)

    def _stamp(self, path: str) -> Stamp | None:
        try:
            status = os.lstat(f"{self.packages}/{path}")
            return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None
        except OSError:
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all other processes and threads from changing anything."""
        with ExitStack() as stack:
            lock = stack.enter_context(open(self._lock, "wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            while not _has_name(lock, self._lock):
                # Removed while this waited for it: others take the one that is there now.
                lock = stack.enter_context(open(self._lock, "wb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._locked.here = True
            try:
                yield
            finally:
                self._locked.here = False


def _has_name(file: IO[bytes], path: Path) -> bool:
    """Tell whether an open file is the one that a path names."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _settled(entries: Iterable[Entry | None]) -> list[Entry]:
    """Return those of files that are not being written any more; what is cut off was never published."""
    return [entry for entry in entries if entry and not is_young(entry)]


def _lacks(entry: Entry, served: Mapping[str, set[str]]) -> bool:
    """Tell whether something should be served beside a file, and is not: given the paths that have it, by its suffix."""
    wanted = {".metadata": bool(entry.facts and entry.facts.metadata_sha256), ".provenance": entry.attested}
    return any(entry.path not in served[suffix] for suffix in wanted if wanted[suffix])


def _is_shut(known: Known, project: str) -> bool:
    """Tell whether a project was quarantined: not where only its decisions cannot be read."""
    decisions = known.decisions(project)
    return decisions.is_quarantined and decisions.revision > 0


def _some(paths: list[str]) -> str:
    """Return some of many paths as text."""
    return ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


@contextmanager
def _staged() -> Iterator[Staged]:
    staged = Staged()
    try:
        yield staged
    finally:
        staged.discard()


def _with_release(known: Known, entry: Entry) -> Entry:
    """Return a file with whose it is: a signature is of the release of the file beside it."""
    signed = known.at(entry.path.removesuffix(names.SIGNATURE)) if entry.is_signature else None
    return replace(entry, facts=Facts(entry.facts.sha256, signed.release)) if signed and entry.facts else entry
