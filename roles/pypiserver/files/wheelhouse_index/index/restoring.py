"""What the store of facts has lost is made again from the catalogue, and the catalogue learns what it has never seen.

An older copy of the store may be put in place, or parts of it removed, at any time: no name becomes free by that.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..common import disk
from ..common.answers import one_line, some
from ..fact_store import attestations, records
from ..fact_store.records import FactsError, Record
from ..files import names, reading
from ..files.entry import Entry, Stamp
from .folders import PLAIN, Folders, Options
from .known import Known

log = logging.getLogger(__name__)
# Within one tick of the kernel's clock a folder can change twice and keep its time.
_TICK_NS = 50_000_000
# How many records are made at once while uploads may be waiting.
_RESTORED = 500
# A record, with project and name of its file.
Kept = tuple[str, str, Record]


@dataclass
class Found:
    """What a look has found.

    Attributes:
        unclaimed: projects whose claims are lost.
        lost: files that are there, by project and name, whose records or attestations are lost, or of what was there before.
        removed: files that were removed, and whose records are lost.
        unknown: records of files of which the catalogue knows nothing.
    """

    unclaimed: set[str] = field(default_factory=set)
    lost: list[tuple[str, str]] = field(default_factory=list)
    removed: list[Kept] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)


class Restoring(Folders):
    """Restores claims and records; arguments and attributes as for ``Folders``."""

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        super().__init__(packages, index, options)
        # The folders of records as they were when they were listed last, by project; None for one to list again.
        self._listed: dict[str, tuple[int, int] | None] = {}
        # The catalogue that knows what was in them.
        self._learned = 0

    def check_recorded(self) -> None:
        """Have claims and records made again that the store of facts has lost: an older copy may be in its place."""
        began_ns, own = time.time_ns(), self.catalogue.file.stat().st_ino
        if own != self._learned:
            self._listed, self._learned = {}, own
        claimed, folders = self.facts.claims.names(), self.facts.records.folders()
        changed = {name for name, stamp in folders.items() if name not in claimed or stamp != self._listed.get(name)}
        changed |= self._listed.keys() - folders.keys()
        with self.catalogue.reading() as known:
            found = self._compared(known, claimed, changed)
        self._make_again(found)
        if not self._listed:
            self._record_quarantined()
        self._listed = {name: stamp if stamp[1] < began_ns - _TICK_NS else None for name, stamp in folders.items()}

    def _compared(self, known: Known, claimed: set[str], changed: set[str]) -> Found:
        """Compare the catalogue with the folders of records; at the first look with all of them."""
        found = Found(unclaimed={*known.decided(), *known.with_pages()} - claimed)
        # One question for all projects, where most are meant.
        recorded = known.recorded() if not self._listed else known.recorded(changed)
        removed = known.removed_of() if not self._listed else known.removed_of(changed)
        present = known.names() if changed else set()
        for project in sorted(changed | recorded.keys() | removed.keys()):
            try:
                there = self.facts.records.listed(project)
            except FactsError as error:
                log.error("%s", error)
                continue
            files, kept = recorded.get(project, {}), removed.get(project, {})
            own = {name.removesuffix(records.SUFFIX) for name in there if name.endswith(records.SUFFIX)}
            # A failing disk may have emptied one.
            own -= {name for name in own & (files.keys() | kept.keys()) if not self.facts.records.has(project, name)}
            # Of a file that is another one by now, what was restored with it may be right.
            entries = known.of_project(project) if self._recorder.replaceable else []
            outdated = self._recorder.outdated(one for one in entries if self._stamp(one.path) == one.stamp)
            found.lost += [
                (project, name)
                for name, attested in files.items()
                if name not in own or name in outdated or (attested and name + attestations.SUFFIX not in there)
            ]
            found.removed += [(project, name, record) for name, record in kept.items() if name not in own]
            found.unknown += [
                (project, name) for name in own - files.keys() - kept.keys() - present if names.is_served(name)
            ]
            if project not in claimed and (own or files or kept):
                found.unclaimed.add(project)
        return found

    def _make_again(self, found: Found) -> None:
        if found.unclaimed:
            with self._alone(), self.catalogue.reading() as known:
                self._claim_again(self._still_known(known, found.unclaimed))
        if lost := [*(name for _project, name in found.lost), *(name for _project, name, _record in found.removed)]:
            log.warning("The store of facts lacks records of %s: they are made again", some(lost))
        for start in range(0, len(found.removed), _RESTORED):
            with self._alone():
                self._restore(self._still_removed(found.removed[start : start + _RESTORED]))
        if found.lost or found.unknown:
            unknown = self._readable(found.unknown)
            with self._alone(), self.catalogue.writing() as known:
                known.note_lost(found.lost)
                # An upload that failed meanwhile has taken its record back.
                known.note_removed(one for one in unknown if self.facts.records.has(*one[:2]))

    def claim_known(self, projects: Collection[str]) -> None:
        """Claim projects of which anything is known: not those that were given back since they were found."""
        if projects:
            with self._alone(), self.catalogue.reading() as known:
                disk.sync(self.facts.claims.make(self._still_known(known, projects)))

    def _still_known(self, known: Known, projects: Iterable[str]) -> list[str]:
        """Return those projects that were not given back meanwhile. Only within the lock: until its end none is."""
        decided = known.decided()
        return [
            project
            for project in projects
            if project in decided
            or known.of_project(project)
            or known.removed_of([project])
            or os.path.lexists(self.facts.records.folder / project)
        ]

    def _still_removed(self, kept: Sequence[Kept]) -> list[Kept]:
        """Return those records that the catalogue still has; as ``_still_known``."""
        with self.catalogue.reading() as known:
            removed = known.removed_of({project for project, _name, _record in kept})
        return [one for one in kept if one[1] in removed.get(one[0], {})]

    def _record_quarantined(self) -> None:
        """Record files in quarantine of which neither store nor catalogue has anything: their names stay theirs."""
        found = []
        for project in self.facts.quarantine.projects():
            try:
                self.facts.quarantine.check(project)
            except FactsError as error:
                log.error("%s", error)
                continue
            for file in sorted((self.facts.quarantine.folder / project).rglob("*")):
                if not names.is_served(file.name) or self.facts.records.has(project, file.name):
                    continue
                path = str(file.relative_to(self.packages))
                if stamp := self._stamp(path):
                    found.append(self._read(Entry(path, stamp))[0])
        if found:
            with self._alone():
                self._record(found)

    def _restore(self, kept: Iterable[Kept]) -> None:
        """Make the records of removed files again that the store of facts has lost; their names stay theirs."""
        if lost := [one for one in kept if not self.facts.records.has(*one[:2])]:
            self._recorder.restore(lost)

    def _readable(self, files: Iterable[tuple[str, str]]) -> list[Kept]:
        """Return the records of files that have any which can be read: of others, it is said when they are asked for."""
        found = []
        for project, name in files:
            try:
                record = self.facts.records.at(project, name)
            except FactsError:
                continue
            if record:
                found.append((project, name, record))
        return found

    def _read(self, entry: Entry) -> tuple[Entry, bytes]:
        """Return a file with what it tells, and its core metadata."""
        try:
            with open(os.open(self.packages / entry.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                stamp = Stamp.of(os.fstat(file.fileno()))
                facts, content, opens, objection = reading.read_file(entry.name, file)
        except OSError as error:
            log.warning("%s cannot be read: %s", entry.path, error)
            return Entry(entry.path, entry.stamp, unreadable=True), b""
        if not opens and not self._recorder.has(entry.project, entry.name, facts.sha256):
            log.warning("%s is on no page: it cannot be opened. Copy all of it, or remove it", entry.path)
            return Entry(entry.path, stamp, unreadable=True, refused=facts.sha256), b""
        if objection:
            log.warning("%s stays as it is, and no client can install it: %s", entry.path, one_line(objection))
        return Entry(entry.path, stamp, facts), content
