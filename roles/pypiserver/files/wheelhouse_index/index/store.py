"""Packages and pages together: what changes one changes the other, before the answer says that it is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ..common import disk
from ..common.answers import some
from ..fact_store.decisions import NOTHING, Decisions
from ..fact_store.recording import ConflictError
from ..fact_store.trash import Trashed
from ..files import incoming, names
from ..files.entry import Entry
from ..files.incoming import Upload
from .adding import Adding
from .clock import Clock
from .comparing import compared, refuse_closed, same_as, same_named
from .folders import PLAIN, Options, staging
from .naming import awaited_in
from .scan import Scanner


class Store(Adding):
    """What clients change; arguments and attributes as for ``Folders``."""

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        super().__init__(packages, index, options)
        self._trash = options.trash
        self._clock = Clock(index / ".clock", index / ".staging")

    def has_had(self, upload: Upload) -> bool:
        """Tell whether a file with this content is there, or was published by this name: it may always come again.

        Raises:
            FactsError: if it cannot be found out what was there.
        """
        self.mend()
        self.check_facts()
        project, sha256 = upload.facts.release.project, upload.facts.sha256
        self._notice([upload])
        self.read_unread([project])
        with self.catalogue.reading() as known:
            if any(entry.facts and entry.facts.sha256 == sha256 for entry in same_as(known, upload)):
                return True
            self._restore(known.removed([upload.name]))
        return self._recorder.has(project, upload.name, sha256)

    def attest(self, upload: Upload, login: str) -> set[str]:
        """Keep the attestations of a file that is there with this content: when this returns, they are on its pages.

        Returns:
            The names of the files that had none, one file in whatever spelling: those that are there are never replaced.

        Raises:
            ConflictError: if it is not there any more.
            FactsError, OSError: as ``add``; nothing has changed then.
        """
        attested = self._attest(upload, login)
        self.spread()
        return attested

    def _attest(self, upload: Upload, login: str) -> set[str]:
        project = upload.facts.release.project
        with self._alone(), staging() as staged:
            with self.catalogue.reading() as known:
                sha256 = upload.facts.sha256
                same = [entry for entry in same_as(known, upload) if entry.facts and entry.facts.sha256 == sha256]
                is_attested = any(entry.attested for entry in same)
                if not is_attested:
                    refuse_closed(project, known.decisions(project))
            if is_attested:
                if self.nodes:
                    # Another node may have attested it, and not all may know yet.
                    with self.catalogue.writing() as known:
                        known.changes.paths.update(entry.path for entry in same)
                return set()
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
                    seen = {project: known.mark_of(project)}
            staged.publish()
            self._done(seen, {}, staged.whole)
        return attested

    def rehearse(self) -> None:
        """Get as far as a change does before it changes anything.

        Raises:
            FactsError, OSError: as ``add``.
        """
        self.mend()
        self.check_facts()
        with self._alone(), self.catalogue.writing():
            pass

    def would_add(self, uploads: Sequence[Upload]) -> bool:
        """Tell whether ``add`` would change anything; raises ConflictError as that does, without overwriting."""
        self.facts.check()
        with self.catalogue.reading() as known:
            new = compared(known, uploads, overwrite=False)[0]
            if new:
                project = new[0].facts.release.project
                refuse_closed(project, known.decisions(project))
            self._restore(known.removed(upload.name for upload in new))
        self._recorder.compare(new, overwrite=False)
        return bool(new)

    def remove(self, project: str, paths: Sequence[str]) -> None:
        """Remove files of a project: when this returns, they are on no page any more, and in the trash, if there is one.

        Raises:
            FactsError: if what is known of them would be lost.
            OSError: if that is impossible.
        """
        self.mend()
        self.check_facts()
        failed = self.read_unread([project])
        with self._alone(), staging() as staged:
            with self.catalogue.writing() as known:
                lists = known.mark_of(project) > 0
                known.mark_dirty([project])
                self._record(known.at(path) for path in paths)
                self._forget(staged, known, paths)
                lists = lists or not known.has_page(project)
                self._stage(staged, known, [project], lists and self._lists_now(known))
                seen = {project: known.mark_of(project)}
            # Not before: for want of room, the catalogue may have been left as it was.
            try:
                if self._trash:
                    self.facts.trash.take(project, paths)
                else:
                    self._unlink(paths)
            except OSError:
                # Other nodes know already: what stays comes back at once.
                self._compare_if_shared()
                raise
            # Else they come back with it.
            self.facts.check_mounted()
            staged.publish()
            self._done(seen, failed, staged.whole)
        self.spread()

    def restore_removed(self, file: Trashed, check: bool) -> list[str]:
        """Move a file out of the trash, to where it was, and its signature with it. Its page follows with ``write_pending``.

        Args:
            file: it.
            check: only tell what would be moved.

        Returns:
            The paths of what was moved; none if it was there already, byte by byte: then it stays in the trash as well.

        Raises:
            ConflictError: if it cannot come back.
            FactsError: if it cannot be found out what was published by its name; nothing has changed then.
            OSError: if it was moved by others meanwhile, or cannot be.
        """
        self.facts.check()
        sha256 = _digest(file.place)
        signature = self.facts.trash.signature(file)
        if signature and os.path.lexists(self.packages / signature.path):
            signature = None
        # The signature first: what is cut off between them is done with the next try.
        together = [signature, file] if signature else [file]
        if check:
            return [one.path for one in together] if self._may_come_back(file, sha256) else []
        self.mend()
        with self._alone():
            if not self._may_come_back(file, sha256):
                return []
            for one in together:
                self.facts.trash.give_back(one)
        paths = [one.path for one in together]
        self.note(paths, [])
        return paths

    def remove_trashed(self, file: Trashed) -> None:
        """Remove a file of the trash for good."""
        with self._alone():
            self.facts.trash.remove(file)

    def empty_trash(self) -> None:
        """Remove for good what has been in the trash for its time, if the clock can be believed."""
        with self._alone():
            if self._clock.is_steady() or not self._trash:
                self.facts.trash.empty(self._trash)

    def _may_come_back(self, file: Trashed, sha256: str) -> bool:
        """Tell whether a file of the trash is not there already; raises as ``restore_removed`` does."""
        with self.catalogue.reading() as known:
            decisions = known.decisions(file.project)
            release = names.of_file(file.name.removesuffix(names.SIGNATURE))
            same = same_named(known, file.name, release) if release else []
        target = self.packages / file.path
        if os.path.lexists(target):
            if _digest(target) == sha256:
                return False
            raise ConflictError(f"{file.path} exists with other content")
        if file.name.endswith(names.SIGNATURE) and not self._is_of_what_is_there(file):
            raise ConflictError(f"{file.path} comes back with its file alone, or to the same content")
        if others := [entry.path for entry in same if self._sha256(entry) != sha256]:
            raise ConflictError(f"{file.path} exists as {others[0]} with other content")
        if not self.facts.claims.has(file.project):
            raise ConflictError(
                f"{file.path}: the name {file.project} was given back. Publish the file again to take it"
            )
        if decisions.is_quarantined:
            raise ConflictError(f"{file.path}: {file.project} is in quarantine. Set its status to active first")
        record = self.facts.records.at(file.project, file.name)
        if not record and not file.name.endswith(names.SIGNATURE):
            # Nor is its yank.
            raise ConflictError(
                f"{file.path}: when it was published is not known any more, as {file.project} was given back since. Publish"
                " the file again"
            )
        if record and record.sha256 != sha256:
            raise ConflictError(f"{file.path} was published with other content since")
        return True

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
            found = self.facts.decisions.at(project) or NOTHING
            self.facts.quarantine.check(project)
            taken = self._reconciler.take(known, {project: found})
            before = known.decisions(project)
            had_page, waited = known.has_page(project), known.mark_of(project) > 0
            after = change(before)
            is_done = after is before and not taken
            if is_done:
                # Another node may have decided it, and not all may know yet.
                known.changes.decided.add(project)
            else:
                self._mark_dirty(known, [project])
            if after is not before:
                known.decide(project, after)
                self.facts.decisions.put(project, after)
        if is_done:
            self.spread()
            return False
        if not at_once:
            return after is not before
        self._give_back(project)
        self._write_decided(project, had_page, waited)
        self.spread()
        if stayed := self.stayed(project):
            raise stayed
        return after is not before

    def claimed(self, project: str) -> bool:
        """Tell whether there is, or was, a project; one that has no claim yet, or has lost it, gets one."""
        if self.facts.claims.has(project):
            return True
        if not self._knows(project):
            return False
        disk.sync(self.facts.claims.make([project]))
        return True

    def is_private_here(self, project: str) -> bool:
        """Tell, without a look at packages/, whether this one of several nodes knows of a project that it is private."""
        return self.facts.marks.has_name(project) or self._knows(project)

    def _knows(self, project: str) -> bool:
        with self.catalogue.reading() as known:
            return bool(known.of_project(project) or known.removed_of([project]) or known.decisions(project) != NOTHING)

    def give_back(self, project: str) -> None:
        """Forget a project that has no files any more: its name is free, and upstream may answer for it.

        What is cut off before the end leaves it private.

        Raises:
            ConflictError: if it has files, or never was here, or whether it has any is not known for sure.
            FactsError: if it cannot be found out; nothing has changed then.
        """
        self.mend()
        self.check_facts()
        self._look_again(project)
        with self._alone():
            if not self.facts.marks.is_open():
                # As after a rebuild: of files that were not read yet, their names alone say whose they are.
                raise ConflictError(
                    f"Whether {project} has files is being found out: private names are being collected. Run this again in a"
                    " minute."
                )
            with self.catalogue.writing() as known:
                if files := known.of_project(project):
                    named = some(sorted(entry.path for entry in files))
                    raise ConflictError(f"{project} has files: {named}. Remove them first.")
                if self.facts.quarantine.has(project):
                    raise ConflictError(
                        f"{project} has files in quarantine. Set its status to active, and remove them."
                    )
                if not (self.facts.claims.has(project) or known.removed_of([project])):
                    raise ConflictError(f"{project} is not private on this index.")
                known.give_back(project)
            self.facts.give_back(project)
        if self.nodes:
            self._free(project)
        self.spread()

    def _free(self, project: str) -> None:
        """Have a name free that was given back; raise ConflictError where another node has published it meanwhile.

        That one looks for its claim after it has journalled what it publishes, and this one reads journals after it has
        removed the claim: one of the two sees the other.
        """
        self.catch_up()
        with self._alone(), self.catalogue.writing() as known:
            is_known = project in awaited_in(known) or self._still_known(known, [project])
            if not (is_known or self.facts.claims.has(project)):
                known.changes.freed.add(project)
                self._unclaim(project)
                return
            disk.sync(self.facts.claims.make([project]))
            known.changes.claimed.add(project)
        self.spread()
        raise ConflictError(f"{project} was published on another host at this moment, and stays private.")

    def _look_again(self, project: str) -> None:
        """Take in what is in packages/ now, before a project is taken for one without files."""
        with self.catalogue.reading() as known:
            scanner = Scanner(self.packages, known.stamps())
        found, removed = scanner.changes(thorough=True)
        if found or removed:
            self.note(found, removed)
        if scanner.unreadable:
            raise ConflictError(
                f"Whether {project} has files cannot be found out: packages/{scanner.unreadable[0]}/ cannot be read. Correct"
                " that, then run this again."
            )
        with self.catalogue.reading() as known:
            unread = {project, *known.with_unread()}
        self.read_unread(unread)

    def _is_of_what_is_there(self, signature: Trashed) -> bool:
        """Tell whether the file that was removed with a signature is in packages/ again, with the same content."""
        signed = signature.place.with_suffix("")
        there = self.packages / signature.path.removesuffix(names.SIGNATURE)
        return signed.is_file() and there.is_file() and _digest(signed) == _digest(there)

    def _sha256(self, entry: Entry) -> str:
        """Return the digest of a file, also of one that has not been read yet."""
        return entry.facts.sha256 if entry.facts else _digest(self.packages / entry.path)


def _digest(place: Path) -> str:
    with place.open("rb") as file:
        return incoming.sha256(file)
