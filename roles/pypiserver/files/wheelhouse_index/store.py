"""Packages and pages together: what changes one changes the other, before anybody is told that it is done.

One process at a time changes anything, whichever replica it is of: all hold a lock on a file in index/.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from . import incoming, metadata, pages
from .catalogue import Catalogue, Known
from .entry import Entry, Stamp
from .incoming import Upload
from .output import Output, Staged

log = logging.getLogger(__name__)
# How many projects' pages are written at once while nobody waits for them.
_BATCH = 50


class Store:
    """The folders packages/ and index/ of an index.

    Attributes:
        packages: the distribution files.
        output: the pages.
        catalogue: what is known of the files.
    """

    def __init__(self, packages: Path, index: Path) -> None:
        self.packages = packages
        self.output = Output(index)
        self.catalogue = Catalogue(index / "catalogue.sqlite")
        self._lock = index / ".lock"

    def prepare(self) -> None:
        """Make what is missing; several processes may do so at once."""
        with self._alone():
            self.output.prepare()
            self.catalogue.prepare()
            incoming.prepare(self.packages)

    def add(self, upload: Upload, overwrite: bool) -> None:
        """Publish an upload: when this returns, the file is there, and on all pages.

        Raises:
            FileExistsError: if there is a file of that name, and it is not to be overwritten.
            OSError: if there is no room; nothing has changed then.
        """
        with self._alone(), _staged() as staged:
            target = self.packages / upload.name
            entry = Entry(upload.name, upload.stamp(), upload.facts)
            with upload.published(target, overwrite), self.catalogue.writing() as known:
                # Until the pages are in place somebody else has to see to them, if this process is killed.
                known.put_off([entry.project])
                new = not known.of_project(entry.project)
                known.put(entry)
                self.output.stage_metadata(staged, entry.path, upload.metadata)
                self._stage(staged, known, [entry.project], lists=new)
            staged.publish()
            self._done([entry.project])

    def remove(self, path: str) -> None:
        """Remove a file: when this returns, it is on no page any more.

        Raises:
            OSError: if that is impossible.
        """
        with self._alone(), _staged() as staged:
            project = Entry(path, Stamp(0, 0, 0)).project
            with self.catalogue.writing() as known:
                known.put_off([project])
                known.remove([path])
                self.output.stage_metadata(staged, path, b"")
                self._stage(staged, known, [project], lists=not known.of_project(project))
                with suppress(FileNotFoundError):
                    os.unlink(self.packages / path)
            staged.publish()
            self._done([project])

    def note(self, found: Mapping[str, Stamp], gone: Iterable[str]) -> None:
        """Take in what a scan has found: files that are new or changed, and files that are gone.

        Pages follow with write_pending.
        """
        with self._alone(), self.catalogue.writing() as known:
            for path, stamp in found.items():
                entry = Entry(path, stamp)
                was = known.at(path)
                # An upload, of which the scan did not know.
                if was and was.stamp == stamp:
                    continue
                known.put(entry)
                known.put_off([entry.project])
            for path in gone:
                if self._stamp(path) is None:
                    known.remove([path])
                    known.put_off([Entry(path, Stamp(0, 0, 0)).project])

    def read(self, entry: Entry) -> Entry | None:
        """Read a file that nobody has read yet, and keep what it tells.

        Returns:
            What is known now; None if it cannot be read.
        """
        now, content = self._read(entry)
        if now:
            with self._alone(), _staged() as staged:
                with self.catalogue.writing() as known:
                    self._keep(staged, known, now, content)
                staged.publish()
        return now

    def write_pending(self) -> int:
        """Read what nobody has read, and write the pages that are older than what is known.

        Returns:
            How many projects were done.
        """
        with self.catalogue.reading() as known:
            waiting = known.pending()
            lists = known.pages_format != pages.FORMAT or not self.output.simple.joinpath("index.html").exists()
        for start in range(0, len(waiting), _BATCH):
            self._write_projects(waiting[start : start + _BATCH])
        if waiting or lists:
            with self._alone(), _staged() as staged, self.catalogue.writing() as known:
                self._stage(staged, known, [], lists=True)
                staged.publish()
                known.pages_format = pages.FORMAT
        return len(waiting)

    def check_pages(self) -> None:
        """Have pages written that are missing or of an older format, and remove those of projects that are gone."""
        with self._alone(), self.catalogue.writing() as known:
            projects = set(known.projects())
            there = self.output.with_pages()
            if known.pages_format != pages.FORMAT:
                known.put_off(projects)
            known.put_off(project for project in projects if not self.output.has_page(project))
            known.put_off(there - projects)

    def forget(self) -> None:
        """Have all files read anew, and all pages written; those that are there are served meanwhile."""
        with self._alone(), self.catalogue.writing() as known:
            for entry in known.all():
                known.put(Entry(entry.path, entry.stamp))
            known.put_off(known.projects())

    def _write_projects(self, projects: list[str]) -> None:
        with self.catalogue.reading() as known:
            unread = [entry for project in projects for entry in known.of_project(project) if not entry.facts]
        # Before the lock: this is what takes time.
        read = [self._read(entry) for entry in unread]
        with self._alone(), _staged() as staged:
            with self.catalogue.writing() as known:
                for entry, content in read:
                    if entry:
                        self._keep(staged, known, entry, content)
                self._stage(staged, known, projects, lists=False)
            staged.publish()
            self._done(projects)

    def _read(self, entry: Entry) -> tuple[Entry | None, bytes]:
        """Return a file with what it tells, and its core metadata."""
        try:
            with open(self.packages / entry.path, "rb") as file:
                stamp = Stamp.of(os.fstat(file.fileno()))
                facts, content = metadata.facts(entry.name, file, incoming.sha256(file))
        except OSError as error:
            log.warning("%s cannot be read: %s", entry.path, error)
            return None, b""
        return Entry(entry.path, stamp, facts), content

    def _keep(self, staged: Staged, known: Known, entry: Entry, content: bytes) -> None:
        """Note what was read, unless the file has changed or gone since; then the next scan sees to it."""
        if self._stamp(entry.path) == entry.stamp and known.at(entry.path):
            known.put(entry)
            self.output.stage_metadata(staged, entry.path, content)

    def _stage(self, staged: Staged, known: Known, projects: Iterable[str], lists: bool) -> None:
        """Stage pages of projects; only of files that are, by `stat`, what is known of them."""
        for project in projects:
            entries = known.of_project(project)
            self.output.stage_project(staged, project, [one for one in entries if self._stamp(one.path) == one.stamp])
        if lists:
            self.output.stage_lists(staged, known)
        self.output.stage_front(staged, known)

    def _done(self, projects: Iterable[str]) -> None:
        with self.catalogue.writing() as known:
            known.done(
                project
                for project in projects
                if all(one.facts and self._stamp(one.path) == one.stamp for one in known.of_project(project))
            )

    def _stamp(self, path: str) -> Stamp | None:
        try:
            return Stamp.of(os.stat(self.packages / path))
        except OSError:
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all other processes and threads from changing anything."""
        with open(self._lock, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _staged() -> Iterator[Staged]:
    staged = Staged()
    try:
        yield staged
    finally:
        staged.discard()
