"""Claims and records for what is published, whichever way it comes: they are made and synced before anything is listed."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..common import disk
from ..common.beside import Beside
from ..files.entry import Entry
from ..files.incoming import Upload
from ..files.names import SIGNATURE
from .facts import FactStore
from .records import COPIED, UPLOAD, FactsError, Look, Record

log = logging.getLogger(__name__)
# For so long a copied file must not have changed before it is recorded: until then it may be half of itself.
SETTLED_SECONDS = 60.0
# So many files that are read together, and are of later than now, say that the clock is behind.
_AGREEING = 3


class ConflictError(Exception):
    """A file of that name or identity is, or was, there with other content. Says which."""


@dataclass(frozen=True)
class Origin:
    """How files come to the index: by what way, and by whose login."""

    source: str
    login: str = ""


def record_of(upload: Upload, origin: Origin, made_ns: int = 0) -> Record:
    """Return the record of a file that is about to be published; the store of facts was made at a time in ns."""
    now = time.time_ns()
    # What is brought in from elsewhere was published there.
    published = now if origin.source == UPLOAD else min(upload.stamp().mtime_ns, max(now, made_ns))
    return Record(upload.facts.sha256, upload.size, published, origin.source, origin.login)


def young(now_ns: int) -> tuple[int, int]:
    """Return from when on a copied file counts as one that may still be written, and until when: in ns since 1970."""
    return now_ns - int(SETTLED_SECONDS * 1e9), now_ns


def is_young(entry: Entry) -> bool:
    """Tell whether a file may still be written."""
    since_ns, until_ns = young(time.time_ns())
    return entry.uploaded_ns is None and since_ns < entry.stamp.mtime_ns <= until_ns


class Recorder:
    """What writes to the store of facts. Only within the lock of the index.

    Args:
        facts: the store.
        replaceable: whether a file may get other content than it had.
        beside: does calls at once.

    Attributes:
        replaceable: the same.
    """

    def __init__(self, facts: FactStore, replaceable: bool, beside: Beside) -> None:
        self._facts = facts
        self._beside = beside
        self.replaceable = replaceable

    def compare(self, uploads: Iterable[Upload], overwrite: bool) -> dict[str, Record]:
        """Return the records that there are of uploads, by name.

        Raises:
            ConflictError: if one was published before with other content, and may not be replaced.
            FactsError: if it cannot be found out.
        """
        found: dict[str, Record] = {}
        for upload in _recorded(uploads):
            if not overwrite:
                self._compare_elsewhere(upload)
            record = self._facts.records.at(upload.facts.release.project, upload.name)
            if record and not overwrite:
                _refuse_other(upload, record)
            if record:
                found[upload.name] = record
        return found

    def _compare_elsewhere(self, upload: Upload) -> None:
        """Raise ConflictError if the name of an upload was given to other content as that of another project's file."""
        if other := self._facts.records.elsewhere(upload.facts.release.project, upload.name):
            _refuse_other(upload, other)

    def wanted(self, uploads: Iterable[Upload], origin: Origin) -> dict[str, Record]:
        """Return the records of uploads that are published now, by name; signatures have none. Not only within the lock."""
        made_ns = 0 if origin.source == UPLOAD else self._facts.made_ns()
        return {upload.name: record_of(upload, origin, made_ns) for upload in _recorded(uploads)}

    @contextmanager
    def publishing(
        self,
        uploads: Sequence[Upload],
        overwrite: bool,
        records: Mapping[str, Record],
        unsynced: list[Path | str],
        aside: disk.Aside | None = None,
    ) -> Iterator[tuple[Mapping[str, Record], Collection[str]]]:
        """Claim the project of uploads and record them; take back what was recorded if they are not published.

        Args:
            uploads: all of one project.
            overwrite: whether they may replace files with other content.
            records: theirs among others, as ``wanted`` returns them.
            unsynced: gets what has to be synced before that counts.
            aside: where they are written first, where several nodes share the store.

        Yields:
            Their records, by name, and the names of those that had none; signatures have none.

        Raises:
            ConflictError, FactsError: as ``compare``.
        """
        project = uploads[0].facts.release.project
        if overwrite:
            before = self.compare(uploads, overwrite)
        else:
            # That there is a record is said when another is made: to ask before takes long on a shared folder.
            before = {}
            for upload in _recorded(uploads):
                self._compare_elsewhere(upload)
        wanted = {upload.name: records[upload.name] for upload in _recorded(uploads)}
        same = {name for name, record in before.items() if record.sha256 == wanted[name].sha256}
        new = {name: record for name, record in wanted.items() if name not in before}
        look = self.look()
        try:
            unsynced += self._made({project: new}, look, aside)
            # Those were recorded before, or meanwhile for copies or by another node, and are none of ours to take back.
            others = {name: new.pop(name) for name in list(new) if not look.has_read(project, name)}
            for upload in uploads:
                if upload.name in others and (there := self._facts.records.at(project, upload.name)):
                    _refuse_other(upload, there)
                    before[upload.name] = there
                    same.add(upload.name)
            for name in before.keys() - same:
                self._facts.records.replace(project, name, wanted[name])
            yield {name: before[name] if name in same else record for name, record in wanted.items()}, new.keys()
        except BaseException:
            for name in [name for name in new if look.has_read(project, name)]:
                # Another node may have published the same at this moment, by this record.
                if not (self._facts.journals.nodes and self._facts.has_file(name)):
                    self._facts.records.take_back(project, name)
            for name in before.keys() - same:
                self._facts.records.replace(project, name, before[name])
            raise

    def restore(self, kept: Iterable[tuple[str, str, Record]]) -> None:
        """Make records of removed files again, given by project and name; one that is there stays."""
        lost: dict[str, dict[str, Record]] = {}
        for project, name, record in kept:
            lost.setdefault(project, {})[name] = record
        for project, error in self._unclaimable(lost).items():
            log.error("%s", error)
            del lost[project]
        self._make(lost, self.look())

    def make(self, entries: Sequence[Entry]) -> None:
        """Record files that have been read, unless their names have records: those stay, also where files may be replaced."""
        self._recorded_now(entries, True, self.look())

    def kept(self, entries: Sequence[Entry]) -> list[tuple[str, str, Record]]:
        """Return the records of files as the catalogue knows them, with project and name; of those that it has read."""
        latest_ns = self._latest(entries)
        found = filter(_is_recorded, entries)
        return [(entry.project, entry.name, _record_of_copy(entry, latest_ns)) for entry in found]

    def look(self) -> Look:
        """Return a look at the records that there are."""
        return self._facts.records.look()

    def taken_in(self, entries: Sequence[Entry], at_once: bool = False, look: Look | None = None) -> list[Entry]:
        """Record files that have been read and did not come as uploads.

        Args:
            entries: they.
            at_once: record those as well that may still be written.
            look: a look at the records, taken within the lock.

        Returns:
            What is known of each now: when it was published, or that it is not what was published by its name.
        """
        found = self._recorded_now(entries, at_once, look or self.look())
        latest_ns = self._latest(entries)
        return [self._judged(entry, found.get((entry.project, entry.name)), latest_ns) for entry in entries]

    def ahead(self, entries: Sequence[Entry], look: Look, at_once: bool = False) -> None:
        """Make the claims and records that ``taken_in`` would make: not within the lock, as this waits for the disk."""
        # A record that is replaced is one that no other process makes at that moment.
        if not self.replaceable:
            self._recorded_now(entries, at_once, look)

    def _recorded_now(
        self, entries: Sequence[Entry], at_once: bool, look: Look
    ) -> Mapping[tuple[str, str], Record | FactsError]:
        """Return what is recorded of files by project and name, once it is."""
        found: dict[tuple[str, str], Record | FactsError] = {}
        new: dict[str, dict[str, Record]] = {}
        digests: dict[tuple[str, str], set[str]] = {}
        for entry in filter(_is_recorded, entries):
            digests.setdefault((entry.project, entry.name), set()).add(entry.facts.sha256 if entry.facts else "")
        latest_ns = self._latest(entries)
        for entry in filter(_is_recorded, entries):
            key = entry.project, entry.name
            if key not in found and (known := self._found(entry, look)):
                found[key] = known
            # Of two files of one name only one is served.
            elif key not in found and (at_once or len(digests[key]) > 1 or not is_young(entry)):
                found[key] = new.setdefault(entry.project, {})[entry.name] = _record_of_copy(entry, latest_ns)
            elif key not in found:
                # Its name is private at once.
                new.setdefault(entry.project, {})
        for project, error in self._unclaimable(new).items():
            found.update({(project, name): error for name in new.pop(project)})
        self._make(new, look)
        return found

    def _unclaimable(self, projects: Iterable[str]) -> dict[str, FactsError]:
        """Return the projects whose claims are damaged: they keep no other from being recorded."""
        damaged = {}
        for project in projects:
            try:
                self._facts.claims.has(project)
            except FactsError as error:
                damaged[project] = error
        return damaged

    def has(self, project: str, name: str, sha256: str) -> bool:
        """Tell whether a file is what was published by its name."""
        try:
            record = self._facts.records.at(project, name)
        except FactsError:
            return False
        return record is not None and record.sha256 == sha256

    def outdated(self, entries: Iterable[Entry]) -> set[str]:
        """Return the names of a project's files whose records are of what they were before they were replaced."""
        # Of files of one name in several folders, it has the record of one.
        digests: dict[tuple[str, str], set[str]] = {}
        for entry in entries:
            if entry.recorded and entry.facts:
                digests.setdefault((entry.project, entry.name), set()).add(entry.facts.sha256)
        return {name for (project, name), own in digests.items() if self._is_of_other(project, name, own)}

    def _is_of_other(self, project: str, name: str, digests: set[str]) -> bool:
        try:
            record = self._facts.records.at(project, name)
        except FactsError:
            return False
        return record is not None and record.sha256 not in digests

    def _found(self, entry: Entry, look: Look) -> Record | FactsError | None:
        try:
            record = look.at(entry.project, entry.name)
            if record or self.replaceable or not entry.facts:
                return record
            other = self._facts.records.elsewhere(entry.project, entry.name)
            return other if other and other.sha256 != entry.facts.sha256 else None
        except FactsError as error:
            return error

    def _latest(self, entries: Sequence[Entry]) -> int:
        """Return the latest time, in ns since 1970, that a file can be of: the clock may be behind.

        Later than the clock counts what the store itself is of, or as many files as are no accident.
        """
        times = sorted((entry.time_ns for entry in entries), reverse=True)
        return max(time.time_ns(), self._facts.made_ns(), *times[_AGREEING - 1 : _AGREEING])

    def _judged(self, entry: Entry, record: Record | FactsError | None, latest_ns: int) -> Entry:
        """Return a file with what its record says."""
        if record is None or entry.facts is None:
            return entry
        if isinstance(record, FactsError):
            log.error("%s is on no page: %s", entry.path, record)
            return _refused(entry)
        if record.sha256 != entry.facts.sha256:
            if not self.replaceable:
                log.error(
                    "%s is on no page: another content was published by this name (SHA-256 %s). Put that back, or publish"
                    " another version",
                    *(entry.path, record.sha256),
                )
                return Entry(entry.path, entry.stamp, unreadable=True, refused=entry.facts.sha256)
            record = _record_of_copy(entry, latest_ns)
            self._facts.records.replace(entry.project, entry.name, record)
        return replace(entry, uploaded_ns=record.uploaded_ns, recorded=True)

    def _make(self, records: Mapping[str, Mapping[str, Record]], look: Look) -> None:
        """Claim projects, and record files of them by name."""
        disk.sync(self._made(records, look))

    def _made(
        self, records: Mapping[str, Mapping[str, Record]], look: Look, aside: disk.Aside | None = None
    ) -> list[Path | str]:
        """Claim projects, and record files of them by name; return what has to be synced before that counts."""
        claimed = self._beside.begin(self._facts.claims.make, records)
        try:
            # Folders last: with a file that was made in them, most file systems have written them as well.
            places = [place for project, own in records.items() for place in look.make(project, own, aside)]
        finally:
            folders = claimed.result()
        return [*places, *folders]


def _refuse_other(upload: Upload, record: Record) -> None:
    """Raise ConflictError if a record that an upload's name has is of other content."""
    if record.sha256 != upload.facts.sha256:
        raise ConflictError(
            f"{upload.name} was published before with other content, and removed. Its name already exists for good:"
            " publish another version."
        )


def _recorded(uploads: Iterable[Upload]) -> list[Upload]:
    """Return those of uploads that are recorded: a signature may be made again."""
    return [upload for upload in uploads if not upload.name.endswith(SIGNATURE)]


def _is_recorded(entry: Entry) -> bool:
    return entry.facts is not None and not entry.is_signature


def _record_of_copy(entry: Entry, latest_ns: int) -> Record:
    assert entry.facts
    # A clock that was wrong is no reason to be from the future for good.
    return Record(entry.facts.sha256, entry.stamp.size, min(entry.time_ns, latest_ns), COPIED)


def _refused(entry: Entry) -> Entry:
    return Entry(entry.path, entry.stamp, unreadable=True)
