"""Uploads are published. Those that wait for the lock meanwhile are published together: the disk is waited for once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..common import disk
from ..common.answers import Refusal
from ..fact_store.recording import ConflictError, Origin
from ..fact_store.records import UPLOAD, FactsError, Record
from ..files.entry import Entry, Stamp
from ..files.incoming import Upload
from .comparing import compared, refuse_closed, same_as
from .folders import PLAIN, Options, staging
from .following import Following
from .known import Known
from .output import Staged
from .quotas import NONE, Quotas

# So many requests are published together at most.
_TOGETHER = 50
# In ns: so long before it is published, a file may say that it was. Installers can leave out what is younger than a moment.
_LATELY_NS = 10**9


@dataclass(frozen=True)
class Added:
    """What was new of uploads.

    Attributes:
        files: the names of those that were not there, byte by byte.
        attested: the names of those whose attestations are kept now: what is there of a content is never replaced.
    """

    files: frozenset[str] = frozenset()
    attested: frozenset[str] = frozenset()


class _TakenError(ConflictError):
    """Between the look at what is there and the end of it, something else has got the name."""


@dataclass(eq=False)
class _Request:
    """What ``Adding.add`` was asked for.

    Attributes:
        ahead: records that are written already, by name; of several nodes.
        aside: where records are written first, where the index has several nodes.
        failed: files of the project that cannot be read, and what they were then.
        outcome: what was new, or why nothing was published; None until that is known.
        named: has the files' names outlast a loss of power, where that goes on after it.
    """

    uploads: Sequence[Upload]
    overwrite: bool
    origin: Origin
    ahead: Mapping[str, Record]
    check: Callable[[], None]
    quotas: Quotas
    aside: disk.Aside | None
    failed: dict[str, Stamp] = field(default_factory=dict)
    outcome: Added | Exception | None = None
    named: Future[None] | None = None


@dataclass
class _Group:
    """Requests that are published together.

    Attributes:
        known: the catalogue, which is being changed.
        staged: pages.
        undo: takes back what was done, if it fails.
        unsynced: facts that have to be synced before files get their names.
        new: files that are to get their names, and whether they may replace others.
        replaced: the paths of other files that they replace.
        projects: whose pages change.
        fresh: those of them of which no file is known.
        lists: whether the list of projects may change.
    """

    known: Known
    staged: Staged
    undo: ExitStack
    unsynced: list[Path | str] = field(default_factory=list)
    new: list[tuple[Upload, bool]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    projects: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    lists: bool = False


class Adding(Following):
    """Publishes uploads; arguments and attributes as for ``Folders``."""

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        super().__init__(packages, index, options)
        # Of this process: who waits, and whether one of them publishes.
        self._waiting: list[_Request] = []
        self._publishes = False
        self._changed = threading.Condition()

    def add(
        self,
        uploads: Sequence[Upload],
        overwrite: bool,
        origin: Origin,
        check: Callable[[], None] = lambda: None,
        quotas: Quotas = NONE,
    ) -> Added:
        """Publish distribution files, and their signatures: when this returns, they are on all pages.

        Args:
            uploads: all of one project, no two of the same identity, a file before its signature.
            overwrite: whether they may replace files with other content.
            origin: how they came.
            check: raises what ends it before anything changes, after a wait for other changes.
            quotas: that what is new has to fit into.

        Returns:
            What was new.

        Raises:
            ConflictError: if one of them is, or was, there with other content; nothing has changed then.
            FactsError: if it cannot be found out what was there; the same holds.
            OSError: if there is no room; the same holds.
            Refusal: if there is none by a quota, or the project takes no uploads; the same holds.
        """
        self.make_ready()
        with ExitStack() as stack:
            aside, ahead = None, {}
            for upload in uploads:
                upload.save(self._beside)
            if self.nodes:
                aside = disk.Aside(self.incoming, self._beside)
                stack.callback(aside.close)
                ahead = self._written_ahead(aside, uploads, overwrite, origin)
            self._notice(uploads)
            # Before anything changes, and before others wait for this.
            for upload in uploads:
                upload.saved()
            if aside:
                aside.wait()
            own = _Request(uploads, overwrite, origin, ahead, check, quotas, aside)
            outcome = self._outcome(own)
            if isinstance(outcome, _TakenError) and self.nodes:
                # Another node has published it at the same moment, and has journalled what: it may be the same.
                self.catch_up()
                own.outcome = None
                outcome = self._outcome(own)
            if isinstance(outcome, Added) and self.nodes:
                stack.callback(_discard, uploads)
            # While other nodes are asked to read on.
            rest = self._beside.begin(stack.pop_all().close)
        # Also what is there already: another node may not know it yet.
        self.spread()
        rest.result()
        if own.named:
            # As after an error when pages are put in place: it is published, and may be sent again.
            own.named.result()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _written_ahead(
        self, aside: disk.Aside, uploads: Sequence[Upload], overwrite: bool, origin: Origin
    ) -> dict[str, Record]:
        """Begin to write the records of uploads that seem to be new; return them, by name."""
        if overwrite or origin.source != UPLOAD:
            return {}
        with self.catalogue.reading() as known:
            new = [upload for upload in uploads if not same_as(known, upload)]
        records = self._recorder.wanted(new, origin)
        for record in records.values():
            aside.begin(record.text().encode())
        return records

    def _outcome(self, own: _Request) -> Added | Exception:
        """Wait until another thread has published a request or, while none does that, publish it with all that wait."""
        own.failed = self.read_unread([own.uploads[0].facts.release.project])
        with self._changed:
            self._waiting.append(own)
            self._changed.wait_for(lambda: own.outcome is not None or not self._publishes)
            leads = own.outcome is None
            self._publishes = self._publishes or leads
        try:
            while own.outcome is None:
                with self._alone():
                    self._publish(self._next())
                with self._changed:
                    self._changed.notify_all()
            return own.outcome
        finally:
            with self._changed:
                self._waiting.remove(own)
                if leads:
                    self._publishes = False
                    self._changed.notify_all()

    def _next(self) -> list[_Request]:
        waiting = [one for one in self._waiting if one.outcome is None][:_TOGETHER]
        # What replaces a file is dated after what is there.
        return waiting[:1] if any(one.overwrite for one in waiting) else waiting

    def _publish(self, requests: Sequence[_Request]) -> None:
        """Publish what requests ask for, together or, where that fails, one by one."""
        try:
            outcomes = self._published_together(requests)
        except Exception as error:
            # What is left of it was not synced, and the next try takes it for made.
            with suppress(OSError):
                disk.sync([self.facts.claims.folder, self.facts.records.folder])
            if len(requests) == 1:
                requests[0].outcome = error
                return
            for one in requests:
                self._publish([one])
        else:
            for one, outcome in zip(requests, outcomes):
                one.outcome = outcome

    def _published_together(self, requests: Sequence[_Request]) -> list[Added | Exception]:
        """Publish what requests ask for; return the outcome of each. An error that is raised means that nothing has changed."""
        if not self.nodes:
            return self._published_in_one(requests)
        with self.facts.journals.ahead(self._beside):
            outcomes = self._published_in_one(requests)
        # While other nodes are asked to read on.
        named = self._beside.begin(disk.sync, [self.packages])
        for one in requests:
            one.named = named
        return outcomes

    def _published_in_one(self, requests: Sequence[_Request]) -> list[Added | Exception]:
        """Do what ``_published_together`` does, but for what may be done while other nodes read on."""
        outcomes: list[Added | Exception] = []
        failed: dict[str, Stamp] = {}
        if any(one.quotas for one in requests) and not self._has_sizes():
            self._sum_sizes()
        with staging() as staged:
            with ExitStack() as undo, self.catalogue.writing() as known:
                group = _Group(known, staged, undo)
                for one in requests:
                    try:
                        outcomes.append(self._note_new(group, one))
                        failed |= one.failed
                    except (ConflictError, FactsError, Refusal) as error:
                        outcomes.append(error)
                with ExitStack() as before:
                    before.callback(self._beside.begin(disk.sync, list(dict.fromkeys(group.unsynced)), True).result)
                    if self.nodes:
                        # Before they get their names: then one look at a file settles what a crash leaves open.
                        before.enter_context(self._journalling(known))
                        # Pages are not made by a look at files there.
                        self._stage_group(group)
                if self.nodes:
                    # Another node may have given a name back meanwhile (``Store.give_back``).
                    disk.sync(self.facts.claims.make(group.fresh))
                for upload, overwrite in group.new:
                    undo.enter_context(self._published(upload, overwrite))
                if not self.nodes:
                    disk.sync([self.packages] if group.new else [])
                    self._stage_group(group)
                seen = {project: known.mark_of(project) for project in group.projects}
            try:
                staged.publish()
                if self.nodes and group.replaced:
                    disk.sync([self.packages])
                # Not before the new ones are on all pages: until then nothing has replaced them.
                self._unlink(group.replaced)
                if seen:
                    self._done(seen, failed, staged.whole)
            except OSError as error:
                # They are published, and their pages marked as old: the keeper makes them.
                return [error if isinstance(outcome, Added) else outcome for outcome in outcomes]
        return outcomes

    def _stage_group(self, group: _Group) -> None:
        if group.projects:
            lists = group.lists and self._lists_now(group.known)
            self._stage(group.staged, group.known, group.projects, lists)

    def _note_new(self, group: _Group, request: _Request) -> Added:
        """Record what is new of a request, and note it in the catalogue, which has what is new of those before it.

        Raises:
            ConflictError, FactsError, Refusal: as ``add``; nothing has changed then.
        """
        known, project = group.known, request.uploads[0].facts.release.project
        request.check()
        new, replaced = compared(known, request.uploads, request.overwrite)
        if not new:
            # Another node may have published it, and not all may know yet: the node that answers says so to all.
            known.changes.paths.update(entry.path for upload in request.uploads for entry in same_as(known, upload))
            if not known.mark_of(project):
                return Added()
        if new:
            refuse_closed(project, known.decisions(project))
            request.quotas.check(known, new, replaced)
        self._restore(known.removed(upload.name for upload in new))
        kept = {upload.name: upload for upload in new}
        made: list[Path | str] = []
        try:
            with ExitStack() as undo:
                wanted = self._records(request, new)
                publishing = self._recorder.publishing(new, request.overwrite, wanted, made, request.aside)
                records, fresh = undo.enter_context(publishing) if new else ({}, ())
                attested = undo.enter_context(self.facts.attestations.publishing(project, kept, request.origin.login))
                group.undo.enter_context(undo.pop_all())
        except BaseException:
            # Its records are gone; claims and folders are there for others.
            group.unsynced += filter(os.path.lexists, made)
            raise
        group.unsynced += made
        if project not in group.projects:
            group.lists |= known.mark_of(project) > 0 or not known.has_page(project)
            group.projects.add(project)
            if not known.has_files(project):
                group.fresh.add(project)
        # Until the pages are in place another process has to see to them, if this one is killed.
        known.mark_dirty([project])
        self._forget(group.staged, known, replaced)
        for upload in new:
            if request.overwrite:
                upload.date_after(self.packages / upload.name)
            entry = Entry(upload.name, upload.stamp(), upload.facts)
            if record := records.get(upload.name):
                entry = replace(entry, uploaded_ns=record.uploaded_ns, recorded=True)
            # Attestations come with a record, or after it.
            is_bare = upload.name in fresh and not upload.attestations
            self._put(group.staged, known, entry, upload.metadata, is_bare=is_bare)
            group.new.append((upload, request.overwrite))
        group.replaced += replaced
        return Added(frozenset(kept), frozenset(attested))

    def _records(self, request: _Request, new: Sequence[Upload]) -> Mapping[str, Record]:
        """Return the records of files that are published now, by name: those that are written, unless they say much earlier."""
        wanted = self._recorder.wanted(new, request.origin)
        for name, record in wanted.items():
            ahead = request.ahead.get(name)
            if ahead and abs(record.uploaded_ns - ahead.uploaded_ns) < _LATELY_NS:
                wanted[name] = ahead
        return wanted

    def sum_sizes(self) -> None:
        """Have the catalogue sum up sizes from now on, by which quotas are decided on."""
        if not self._has_sizes():
            with self._alone():
                self._sum_sizes()

    def _has_sizes(self) -> bool:
        with self.catalogue.reading() as known:
            return known.has_sizes()

    def _sum_sizes(self) -> None:
        with self.catalogue.writing() as known:
            known.sum_sizes()

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
            raise _TakenError(f"{upload.name} already exists in packages/ and is not a regular file.") from error

    def _unlink(self, paths: Iterable[str]) -> None:
        for path in paths:
            with suppress(FileNotFoundError):
                os.unlink(self.packages / path)


def _discard(uploads: Iterable[Upload]) -> None:
    """Take the names away that files had before they got their own; what cannot be removed now, the next start removes."""
    for upload in uploads:
        with suppress(OSError):
            upload.discard()
