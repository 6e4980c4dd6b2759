"""Several nodes share packages/: each journals what it changes, and brings its pages in step with what the others journal.

What a journal says is a hint where to look, and the truth is what is in packages/: a record is written before its file gets, or
loses, its name. So whatever a crash leaves open is settled by one look at the file, and records may come in any order, and again.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..common.answers import one_line
from ..fact_store.decisions import NOTHING, Decisions
from ..fact_store.journal import NOWHERE, Place, Record, is_more
from ..fact_store.records import FactsError
from ..files.entry import Entry, guessed
from .folders import PLAIN, Options, staging
from .joining import is_path
from .known import Changes, Known, entry_of
from .naming import Naming, named_in
from .output import Staged
from .restoring import Found
from .writing import BATCH

log = logging.getLogger(__name__)
# Longer core metadata are not in a journal: the other nodes read the file.
_METADATA_BYTES = 1024 * 1024
# For so long a file is looked at that is not as a journal says, and for so long, or longer, it counts as not read: then a third
# node has changed it since, or who has journalled it does not wait any more.
_AWAITED_SECONDS, HELD_SECONDS = 600, 10.0
# For so long a file is looked at of whose removal a third node speaks.
_REMOVED_SECONDS = 60
# In index/: records are missing, so that all files have to be compared.
_COMPARE = ".compare"


@dataclass
class _Taken:
    """What was taken in of other nodes' records, within a transaction.

    Attributes:
        staged: pages.
        known: the catalogue, which is being changed.
        had_page: the projects whose files changed, and whether they had files on their pages before.
        dirty: other projects whose pages change.
        merged: projects of which decisions of two nodes were merged.
        is_unread: whether a file has to be read, as its core metadata came with no record.
        settled: files that are not as this node itself has journalled, because it was cut off: what they are now is said.
        named: the projects that records speak of, but for those that they give back.
        freed: those whose names are free.
        removed: files of which a node says that they were removed, and that are not there.
    """

    staged: Staged
    known: Known
    had_page: dict[str, bool] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    merged: set[str] = field(default_factory=set)
    is_unread: bool = False
    settled: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def touch(self, project: str | None) -> None:
        """Note a project before a file of it changes."""
        if project is not None:
            self.had_page.setdefault(project, self.known.has_page(project))


class Following(Naming):
    """Journals what is changed, and follows the other nodes; arguments as for ``Folders``.

    Attributes:
        tell: has the other nodes know what was journalled up to a place, before an answer says that it is done.
        appended: where this process has written to the node's journal last.
        held_seconds: for how long a file that is not as a journal says counts as not read.
    """

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        super().__init__(packages, index, options)
        self.tell: Callable[[Place], None] = lambda _place: None
        self.appended = NOWHERE
        self.held_seconds = HELD_SECONDS
        self._compare = index / _COMPARE
        if self.nodes:
            self.catalogue.before_commit = self._journal

    def prepare(self) -> None:
        """Make what is missing, as ``Folders.prepare`` does, and begin to follow the other nodes."""
        super().prepare()
        if self.nodes:
            self._begin()

    def _prepare_facts(self) -> None:
        super()._prepare_facts()
        if self.nodes and self.facts.known():
            try:
                self.facts.check_mounted()
                self.facts.journals.prepare()
            except (FactsError, OSError) as error:
                # Each change is refused until it is there.
                log.error("The folder of the nodes cannot be used: %s", error)

    def in_place(self) -> bool:
        """Tell whether nothing was removed of what prepare makes."""
        return super().in_place() and (not self.nodes or self.facts.journals.is_in_place())

    def compares(self) -> int:
        """Tell whether all files have to be compared with what is known, as records of other nodes are missing.

        Returns:
            Since when, in ns since 1970; 0 where they need not.
        """
        try:
            return self._compare.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def compared(self, since_ns: int) -> None:
        """Note that they were; not if more is missing since."""
        if since_ns and self.compares() == since_ns:
            self._compare.unlink(missing_ok=True)

    def has_joined(self) -> bool:
        """Tell whether all files are known from another node, and pages are missing."""
        return bool(self.nodes) and not self.output.has_lists() and not self.compares()

    def _compare_if_shared(self) -> None:
        """Have all files compared, where this node would not do that by itself."""
        if self.nodes:
            self._compare.touch()

    def _take_decisions(self, known: Known, found: Mapping[str, Decisions] | None = None) -> None:
        """Have catalogue and store of facts say the same, but for what another node has given back meanwhile."""
        with suppress(FactsError, OSError):
            if self.nodes:
                self.facts.check()
                known.follow()
                followed = known.followed()
                for node in followed.keys() & set(self.nodes.others):
                    for project in self._given_back(node, followed[node]):
                        known.give_back(project)
                known.changes.given_back.clear()
        super()._take_decisions(known, found)

    def _given_back(self, node: str, place: Place) -> list[str]:
        """Return the projects that a node has given back since a place in its journals."""
        found: list[str] = []
        while self.facts.journals.has_more(node, place):
            records, after, _is_lost = self.facts.journals.read(node, place)
            found += [project for record in records for project in record.given_back]
            if after == place:
                break
            place = after
        return found

    def _make_again(self, found: Found) -> None:
        if self.nodes:
            # What another node has given back since is not lost.
            self.catch_up()
        super()._make_again(found)

    def spread(self) -> None:
        """Have the other nodes know what this process has changed."""
        if self.appended.file:
            self.tell(self.appended)

    def catch_up(self, node: str = "", until: Place = NOWHERE) -> dict[str, Place]:
        """Read on in the journals: when this returns, pages say what the other nodes have changed before.

        Args:
            node: the only one whose journals are read, and only if what is known ends before a place.
            until: that place.

        Returns:
            How far the journals of all nodes are read, by their names: of one whose files are not all as it says, nothing is.

        Raises:
            FactsError, OSError: if packages/ cannot be used.
        """
        self.make_ready()
        self._begin()
        before: dict[str, Place] = {}
        # Where journals ended when the look began: others may write on for ever.
        ends: dict[str, Place] = {}
        while True:
            with self.catalogue.reading() as known:
                followed = known.followed()
                waiting = known.awaited()
            awaited = {one for _path, one, *_record in waiting}
            held = {one for _path, one, _record, since_ns in waiting if _is_within(since_ns, self.held_seconds)}
            if node and until <= followed.get(node, NOWHERE) and node not in awaited:
                break
            if node and not before:
                behind = [node]
            elif not ends:
                # A look at the journals of all would cost each upload the more, the more nodes there are.
                ends = {one: self.facts.journals.end(one) for one in ([node] if node else self._all_nodes())}
                behind = [one for one, end in ends.items() if is_more(end, followed.get(one, NOWHERE))]
            else:
                behind = [one for one, end in ends.items() if followed.get(one, NOWHERE) < end]
            # A journal may end with what a crash has torn, until its node is back.
            if followed == before or not (behind or awaited):
                break
            self._follow(behind, until)
            before = followed
        self._write_taken()
        return followed | dict.fromkeys(held, NOWHERE)

    def waits(self) -> dict[str, float]:
        """Return for how many seconds files have been waited for that other nodes have journalled, by their names."""
        found: dict[str, float] = {}
        with self.catalogue.reading() as known:
            for _path, node, _record, since_ns in known.awaited():
                if _is_within(since_ns, self.held_seconds):
                    found[node] = max(found.get(node, 0.0), (time.time_ns() - since_ns) / 1e9)
        return found

    def _write_taken(self) -> None:
        """Have pages say what is known: another thread may be about to write them, or was cut off before."""
        with self.catalogue.reading() as known:
            if not known.pending():
                return
        with self._alone(), self.catalogue.reading() as known:
            pending = self._ready(known)
        if pending:
            self._write(pending)

    def _ready(self, known: Known) -> dict[str, int]:
        """Return what is pending and needs no file to be read: that, and long lists, are the keeper's."""
        unread = set(known.with_unread())
        return {project: mark for project, mark in known.pending().items() if project and project not in unread}

    def _follow(self, nodes: Sequence[str], until: Place = NOWHERE) -> None:
        """Take in what follows in the journals of nodes; of one, up to a place at least."""
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                taken = _Taken(staged, known)
                for node in nodes:
                    followed = known.followed().get(node, NOWHERE)
                    records, place, is_lost = self.facts.journals.read(node, followed, until)
                    if is_lost:
                        # What is unmounted is not missing.
                        self.facts.check_mounted()
                        log.warning("Records of node %s are missing: all files are compared once", node)
                        # Names may be missing as well.
                        self.facts.marks.close()
                        self._compare.touch()
                    for record in records:
                        self._take(taken, node, record)
                    known.note_followed(node, place)
                self._look_again_at_awaited(taken)
                self._free_names(known, taken.freed - taken.named)
                # What others have journalled is not journalled again.
                known.changes = Changes(taken.settled, decided=taken.merged)
                projects = {*taken.had_page, *taken.dirty}
                # What was pending may be missing on the list of projects.
                waited = any(known.mark_of(project) for project in projects)
                at_once = len(projects) <= BATCH
                # Until the pages are in place another process has to see to them, if this one is killed.
                (known.mark_dirty if at_once else partial(self._mark_dirty, known))(projects)
                if at_once and projects:
                    changed = waited or any(known.has_page(one) != had for one, had in taken.had_page.items())
                    self._stage(staged, known, projects, changed and self._lists_now(known))
                seen = {project: known.mark_of(project) for project in projects} if at_once else {}
                known.note_written(staged.written)
            staged.publish()
            if seen:
                self._done(seen, {}, staged.whole)
        if not at_once or taken.is_unread:
            with self.catalogue.reading() as known:
                marks = {project: known.mark_of(project) for project in projects}
            self._write({project: mark for project, mark in marks.items() if mark})

    def _begin(self) -> None:
        """Have a place in the journals of all nodes; what was written before that is found by a look at all files."""
        with self.catalogue.reading() as known:
            if known.follows(self._all_nodes()):
                return
        self.facts.check_mounted()
        with self._alone(), self.catalogue.writing() as known:
            known.follow()
            for node in set(self._all_nodes()) - known.followed().keys():
                # Names are collected once more as well.
                self.facts.marks.close()
                self._compare.touch()
                known.note_followed(node, self.facts.journals.end(node))

    def _all_nodes(self) -> tuple[str, ...]:
        # Its own as well: what was journalled and then cut off.
        return (self.nodes.own, *self.nodes.others)

    def _journal(self, known: Known) -> None:
        """Write into the journal what a transaction has changed so far."""
        with self._journalling(known):
            pass

    @contextmanager
    def _journalling(self, known: Known) -> Iterator[None]:
        """Write into the journal what a transaction has changed so far, while something else is done: it is there afterwards."""
        changes, known.changes = known.changes, Changes()
        record = Record(
            decided=sorted(changes.decided),
            given_back=sorted(changes.given_back),
            claimed=sorted(changes.claimed),
            freed=sorted(changes.freed),
        )
        for path in sorted(changes.paths):
            row = known.row(path)
            # What has not been read says nothing yet.
            if row is None or _is_read(entry_of(row)):
                record.files[path] = row
                if row and 0 < len(content := changes.metadata.get(path, b"")) <= _METADATA_BYTES:
                    record.metadata[path] = base64.b64encode(content).decode()
        if not record:
            yield
            return
        known.follow()
        before = known.followed().get(self.nodes.own, NOWHERE)
        appending = self._beside.begin(self.facts.journals.append, record, before)
        try:
            yield
        finally:
            self.appended, was_whole = appending.result()
            # Else something was cut off before, and is read by the next look.
            if was_whole:
                known.note_followed(self.nodes.own, self.appended)

    def _take(self, taken: _Taken, node: str, record: Record) -> None:
        """Take in a record of a node; a file that is not as it says is looked at again later."""
        # Before this node says that it has read that.
        projects = named_in(taken.known, record)
        self.facts.marks.claim(projects)
        taken.named |= projects
        taken.freed.update(record.freed)
        for project in record.given_back:
            # Also where it was published again since.
            taken.known.give_back(project)
            taken.dirty.add(project)
            self._take_decision(taken, project)
        for path, row in record.files.items():
            if not is_path(path):
                log.error("A journal names %s, which is no path of a distribution file", one_line(path)[:200])
                continue
            taken.known.stop_waiting(path, node)
            metadata = record.metadata.get(path, "")
            if self._is_taken(taken, path, row, metadata):
                continue
            if node == self.nodes.own:
                # Nothing else of this node changes anything now, so it stays so.
                self._settle(taken, path)
            else:
                # What a third node says of its removal was read first, and may be of what was there before: then nothing waits.
                past = _AWAITED_SECONDS - _REMOVED_SECONDS if path in taken.removed else 0
                taken.known.wait_for(path, node, json.dumps([row, metadata]), time.time_ns() - int(past * 1e9))
        for project in record.decided:
            self._take_decision(taken, project)

    def _look_again_at_awaited(self, taken: _Taken) -> None:
        """Look at files that were not as a record says."""
        for path, node, text, since_ns in taken.known.awaited():
            is_young = _is_within(since_ns, _AWAITED_SECONDS)
            if self._is_taken(taken, path, *json.loads(text)) or not is_young:
                taken.known.stop_waiting(path, node)

    def _settle(self, taken: _Taken, path: str) -> None:
        """Note what a file is that is not as this node has journalled."""
        stamp = self._stamp(path)
        if not stamp:
            # What is unmounted was not removed.
            self.facts.check_mounted()
        taken.touch(taken.known.project_of(path))
        self._forget(taken.staged, taken.known, [path])
        if stamp:
            taken.known.put(Entry(path, stamp))
            taken.touch(guessed(path.rpartition("/")[2]).project)
            taken.is_unread = True
        taken.settled.add(path)

    def _is_taken(self, taken: _Taken, path: str, row: list[Any] | None, metadata: str) -> bool:
        """Take in what a record says of a file, if the file is so; return whether there is nothing to wait for."""
        try:
            entry = entry_of(row) if row else None
            content = base64.b64decode(metadata)
        except (ValueError, TypeError) as error:
            log.error("A journal says of %s what cannot be used: %s", path, error)
            return True
        stamp = self._stamp(path)
        if entry is None and stamp is None:
            taken.touch(taken.known.project_of(path))
            self._forget(taken.staged, taken.known, [path])
            taken.removed.add(path)
            return True
        if entry is None or stamp != entry.stamp or entry.path != path:
            # Another file has the name: a record of its own says what it is.
            return bool(entry and stamp)
        taken.touch(taken.known.project_of(path))
        taken.touch(entry.project)
        self._note_taken(taken, entry, content)
        return True

    def _note_taken(self, taken: _Taken, entry: Entry, metadata: bytes) -> None:
        """Note a file that another node has read, and stage what is served beside it."""
        # Its name may have been given back while it was waited for.
        self.facts.marks.claim([entry.project])
        before = taken.known.at(entry.path)
        wanted = entry.facts.metadata_sha256 if entry.facts else ""
        if wanted and not metadata:
            if not (before and before.facts and before.facts.metadata_sha256 == wanted):
                taken.known.put(Entry(entry.path, entry.stamp))
                taken.is_unread = True
                return
        else:
            self.output.stage_metadata(taken.staged, entry.path, metadata)
        # Nodes may have said of one that is unread that it is attested, in records without its core metadata.
        if entry.attested or (before and (before.attested or not before.facts)):
            self._put_attested(taken.staged, taken.known, entry)
        else:
            taken.known.put(entry)
            self.output.stage_mark(taken.staged, entry.path, entry.facts is not None)

    def _take_decision(self, taken: _Taken, project: str) -> None:
        said = self._reconciler.said(taken.known, project)
        if said == NOTHING:
            # It was given back since, or is lost: the node that looks at everything puts that right.
            return
        if self._reconciler.take(taken.known, {project: said}, is_news=True):
            taken.dirty.add(project)
        if taken.known.decisions(project) != said:
            # What was decided here meanwhile: the others do not know of it.
            taken.merged.add(project)


def _is_within(since_ns: int, seconds: float) -> bool:
    # A clock may be set back meanwhile, or be another node's.
    return abs(time.time_ns() - since_ns) < seconds * 1e9


def _is_read(entry: Entry) -> bool:
    # That this node cannot read a file does not concern the others.
    return bool(entry.facts or entry.refused)
