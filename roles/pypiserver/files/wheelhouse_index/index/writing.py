"""Pages are brought in step with the catalogue, while no client waits for them."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ..common.answers import some
from ..common.times import nanoseconds
from ..fact_store.decisions import UNKNOWN, Decisions
from ..fact_store.quarantine import StayedError
from ..fact_store.records import FactsError
from ..files.entry import Entry, Stamp
from ..rendering import pages
from .folders import PLAIN, Options, staging
from .known import Known
from .output import LISTED, METADATA, PROVENANCE, Staged
from .taking_in import TakingIn

log = logging.getLogger(__name__)
# How many projects' pages are written at once while no client waits for them.
BATCH = 100
# A list of projects that is as long is written after the answer, within a second: with 30,000 of them it takes longer than all
# the rest of an upload. No installer reads it.
LONG_LIST_BYTES = 64 * 1024
LIST_SECONDS = 1.0
# For so long the node that has decided is left to move files of a project out of quarantine.
_MOVING_SECONDS = 60
# What is pending then, among the names of projects.
_LISTS = ""


class Writing(TakingIn):
    """Writes what is pending, and what other hands have changed; arguments and attributes as for ``Folders``."""

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        super().__init__(packages, index, options)
        # Why files of quarantined projects could not be moved, by project.
        self._stay: dict[str, set[str]] = {}

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
                lists = not self.output.has_lists()
            # What was read may be of another project than its name alone spoke of: then that one is pending now.
            if (done and seen.keys() <= done) or not (seen or lists):
                self._note_complete()
                return len(done)
            self._write(seen)
            done |= seen.keys() or {""}

    def _write(self, seen: Mapping[str, int]) -> None:
        """Write the pages of projects, by their marks, and the lists."""
        failed: dict[str, Stamp] = {}
        whole: set[str] = set()
        listed = time.monotonic()
        waiting = [project for project in seen if project != _LISTS]
        for start in range(0, len(waiting), BATCH):
            projects = waiting[start : start + BATCH]
            failed |= self.read_unread(projects)
            with self._alone(), staging() as staged:
                with self.catalogue.writing() as known:
                    # There may be many batches, and uploads that left the lists to this.
                    asked = known.mark_of(_LISTS) if time.monotonic() - listed > LIST_SECONDS else 0
                    self._stage(staged, known, projects, lists=asked > 0, front=asked > 0)
                staged.publish()
                whole |= staged.whole
                if asked:
                    self._done({_LISTS: asked}, {})
                    listed = time.monotonic()
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                self._stage(staged, known, [], lists=True)
            staged.publish()
            # Not before: what is pending is not yet on the list of projects.
            self._done(seen, failed, whole)

    def renew_some(self) -> bool:
        """Write some of the pages that are of an older format; return whether there were any."""
        with self.catalogue.reading() as known:
            if not known.outdated(1):
                return False
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                projects = known.outdated(BATCH)
                self._stage(staged, known, projects, lists=False, front=False)
            staged.publish()
            with self.catalogue.writing() as known:
                known.mark_written(dict.fromkeys(projects, 0))
        return True

    def _write_decided(self, project: str, had_page: bool, waited: bool) -> None:
        """Write the pages of one project; and the list of projects, if it may be another one now.

        Args:
            project: its normalised name.
            had_page: whether it had files on its page before.
            waited: whether its pages had to be written then.
        """
        failed = self.read_unread([project])
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                self._stage(staged, known, [project], lists=False)
                if (waited or known.has_page(project) != had_page) and self._lists_now(known):
                    self.output.stage_lists(staged, known)
                    known.note_written(staged.written)
                seen = {project: known.mark_of(project)}
            staged.publish()
            self._done(seen, failed, staged.whole)

    def _lists_now(self, known: Known) -> bool:
        """Tell whether a change waits for the list of projects; a long one is left to the keeper."""
        if self.output.list_bytes() < LONG_LIST_BYTES:
            return True
        known.mark_dirty([_LISTS])
        return False

    def _note_complete(self) -> None:
        """Have NGINX answer by itself for projects that do not exist, once all pages are written."""
        if self.output.is_complete():
            return
        with self._alone(), self.catalogue.reading() as known:
            # The marks may have been removed together with pages.
            if not known.pending() and self.output.with_pages().issuperset(known.projects()):
                self.output.mark_complete()

    def check_pages(self) -> None:
        """Have written what is missing, and in time what is of an older format; remove what belongs to removed files."""
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                projects = set(known.projects())
                with_pages = self.output.with_pages()
                lacking = {project for project in projects if not self.output.has_page(project)}
                self._mark_dirty(known, lacking | (with_pages - projects))
                if known.pages_format != pages.FORMAT:
                    known.mark_outdated(projects)
                    known.pages_format = pages.FORMAT
                    self.output.stage_lists(staged, known)
                    self.output.stage_front(staged, known)
                served = self.output.beside()
                bare = (known.with_metadata() - served[METADATA]) | (known.with_provenance() - served[PROVENANCE])
                again = [entry for entry in map(known.at, sorted(bare)) if entry]
                if self.output.marks_files:
                    for path in known.read_paths() - served[LISTED]:
                        self.output.stage_mark(staged, path, is_served=True)
                self._mark_dirty(known, {entry.project for entry in again})
                for path in set().union(*served.values()) - known.paths():
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
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                # What it is now: an upload may have replaced it meanwhile.
                now = [(path, *status) for path in altered if (status := known.written_as(path))]
                altered = self.output.altered(now)
                again = self._write_again(staged, known, altered)
                known.note_written(staged.written)
            staged.publish()
        if altered:
            log.warning("Rewrote what was changed from outside: %s", some(altered))
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
            projects = [*known.with_unread(), *self._shut(known)]
            # Their records are others now.
            right = [entry for entry in known.refused() if self._recorder.has(entry.project, entry.name, entry.refused)]
        if projects or right:
            with self._alone(), self.catalogue.writing() as known:
                for entry in right:
                    if known.at(entry.path) == entry:
                        known.put(Entry(entry.path, entry.stamp))
                        projects.append(entry.project)
                self._mark_dirty(known, projects)

    def check_decisions(self) -> None:
        """Take in decisions that other hands have changed in the store of facts, and keep those that they have lost."""
        with self.catalogue.reading() as known:
            differ = self._reconciler.differing(known)
        if differ:
            with self._alone(), self.catalogue.writing() as known:
                self._take_decisions(known, differ)
        # By what holds now: a decision that was just taken in may have ended a quarantine.
        with self.catalogue.reading() as known:
            decided = {name: known.decisions(name) for name in self.facts.quarantine.projects()}
        back = [name for name, found in decided.items() if not (found.is_quarantined or self._is_under_way(found))]
        for project in back:
            self._give_back(project)

    def _is_under_way(self, decided: Decisions) -> bool:
        """Tell whether another node may be about to move the files of a project, as it has just decided on it."""
        # Where no time is known, it was long ago.
        with suppress(ValueError):
            return bool(self.nodes) and 0 <= time.time_ns() - nanoseconds(decided.status.time) < _MOVING_SECONDS * 1e9
        return False

    def _give_back(self, project: str) -> None:
        """Move the files of a project out of quarantine, if it was decided that they are to be served."""
        with self._alone():
            try:
                decided = self.facts.decisions.at(project)
                self.facts.quarantine.check(project)
            except FactsError as error:
                log.error("%s", error)
                return
            if not decided or decided.is_quarantined or not self.facts.quarantine.has(project):
                return
            back = self.facts.quarantine.give_back(project)
        self.note(back, [])

    def _stage(self, staged: Staged, known: Known, projects: Iterable[str], lists: bool, front: bool = True) -> None:
        """Stage pages of projects; only of files that are, by `stat`, what is known of them."""
        url = known.served_at
        for project in projects:
            decisions = known.decisions(project)
            if self._is_shut(project, decisions):
                self._quarantine(staged, known, project)
            entries = known.of_project(project)
            # Of several nodes, one looks at all files now and then; here that would take the longer the more a project has.
            unchanged = entries if self.nodes else [one for one in entries if self._stamp(one.path) == one.stamp]
            if len(unchanged) < len(entries):
                self.facts.check_mounted()
                # The project may be without a page for a while, and exists.
                self.output.mark_incomplete()
            elif all(entry.facts or entry.refused for entry in entries):
                staged.whole.add(project)
            self.output.stage_project(staged, project, unchanged, decisions, url)
        if lists:
            self.output.stage_lists(staged, known)
        if front:
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
            stayed = dict.fromkeys(paths, "the log of pypi-server names the reason")
        self._stay[project] = set(stayed.values())
        self._forget(staged, known, [path for path in paths if path not in stayed])

    def _shut(self, known: Known, project: str = "") -> list[str]:
        """Return the projects that have files in packages/, and were quarantined; of one project, or of all."""
        projects = [project] if project else known.quarantined_with_files()
        return [name for name in projects if self._is_shut(name, known.decisions(name))]

    def _is_shut(self, project: str, decisions: Decisions) -> bool:
        """Tell whether a project was quarantined: where its decisions cannot be read, or are lost, its files there tell."""
        return decisions.is_quarantined and (decisions != UNKNOWN or self.facts.quarantine.has(project))

    def stayed(self, project: str = "") -> StayedError | None:
        """Return what files of quarantined projects could not be moved; of one project, or of all."""
        with self.catalogue.reading() as known:
            shut = self._shut(known, project)
            paths = [entry.path for name in shut for entry in known.of_project(name)]
        paths = [path for path in paths if self._stamp(path)]
        if not paths:
            return None
        reasons = sorted(set().union(*(self._stay.get(name, set()) for name in shut)))
        return StayedError(
            f"files of quarantined projects are still served, as they cannot be moved: {some(paths)}"
            f"{' (' + some(reasons) + ')' if reasons else ''}. Correct the cause, or remove them."
        )

    def _done(self, seen: Mapping[str, int], failed: Mapping[str, Stamp], whole: Collection[str] = ()) -> None:
        """Note that pages of projects are written.

        Args:
            seen: the mark that each had by then.
            failed: files that are on no page because they cannot be read, and what they were then.
            whole: projects whose pages have all that there is; at others is looked.
        """

        def settled(entry: Entry) -> bool:
            return self._stamp(entry.path) == entry.stamp and bool(
                entry.facts or entry.refused or failed.get(entry.path) == entry.stamp
            )

        try:
            with self.catalogue.writing() as known:
                done = (name for name in seen if name in whole or all(map(settled, known.of_project(name))))
                known.mark_written({name: seen[name] for name in done})
        except (OSError, sqlite3.Error) as error:
            # For want of room, for one. The pages are there all the same; the keeper writes them again.
            log.warning("Cannot record that pages are written: %s", error)
