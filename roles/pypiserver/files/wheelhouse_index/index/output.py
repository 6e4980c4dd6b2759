"""Pages as files in index/: each is replaced as a whole, in the compressed form as well."""

from __future__ import annotations

import gzip
import os
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from ..common import disk
from ..fact_store.decisions import Decisions
from ..files.entry import Entry
from ..rendering import legacy, pages
from .known import Known

# The quickest: pages are half digests, and gain 5 to 9 % of their size by level 6, which takes up to three times as long.
_LEVEL = 1
# A project's pages, which are there in compressed form as well.
PROJECT_PAGES, _PACKED = ("index.html", "index.json"), ".gz"
_EACH = [page + packed for page in PROJECT_PAGES for packed in ("", _PACKED)]
# In simple/ and json/: with both, a project of which neither has anything does not exist. NGINX looks there, in
# pages.conf. In each, so that whichever is removed first takes its mark along while the other still tells.
COMPLETE = ".complete"

# Behind the name of a distribution file: its core metadata, its provenance, and that it is served. The last where packages/
# is shared by several nodes: who serves pages does not touch it, as it may hang.
BESIDE = METADATA, PROVENANCE, LISTED = ".metadata", ".provenance", ".listed"

Status = tuple[int, int]


@dataclass
class Staged:
    """What is about to change in index/.

    Attributes:
        ready: files that are written aside, and those that they are to replace.
        to_remove: files that are to be removed.
        maybe_empty: folders that are removed if nothing is left in them.
        created: folders that were created.
        there: folders that need not be created any more.
        whole: projects whose pages have all their files, as these are on disk.
        written: what is to be known of all of them, and of those that need no change, by path below index/: size in
            bytes and time in ns, None for those that are to be removed.
    """

    ready: list[tuple[str, str]] = field(default_factory=list)
    to_remove: list[str] = field(default_factory=list)
    maybe_empty: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    there: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    written: dict[str, Status | None] = field(default_factory=dict)

    def publish(self) -> None:
        """Replace what is served. Nothing here needs room on the disk."""
        for aside, target in self.ready:
            disk.replace(aside, target)
        for target in self.to_remove:
            with suppress(FileNotFoundError):
                os.unlink(target)
        for folder in self.maybe_empty:
            with suppress(OSError):
                os.rmdir(folder)
        self._forget()

    def discard(self) -> None:
        """Take back what was not published."""
        for aside, _target in self.ready:
            with suppress(FileNotFoundError):
                os.unlink(aside)
        for folder in reversed(self.created):
            with suppress(OSError):
                os.rmdir(folder)
        self._forget()

    def _forget(self) -> None:
        self.ready, self.to_remove, self.maybe_empty, self.created = [], [], [], []
        self.there = set()


class Output:
    """The folder index/.

    Args:
        folder: it.
        marks_files: whether each file that is served has a mark.

    Attributes:
        folder, marks_files: the same.
    """

    def __init__(self, folder: Path, marks_files: bool = False) -> None:
        self.folder = folder
        self.marks_files = marks_files
        self._root = f"{folder}/"
        self.simple = folder / "simple"
        self.legacy = folder / "json"
        self.metadata = folder / "packages"
        self._marks = [folder / COMPLETE for folder in (self.simple, self.legacy)]
        self._staging = folder / ".staging"
        self._removed = folder / ".removed"

    def prepare(self) -> bool:
        """Make the folders, and remove what killed processes have left; return whether a folder of pages was missing."""
        missing = not (self.simple.is_dir() and self.legacy.is_dir())
        for folder in (self.simple, self.legacy, self.metadata):
            folder.mkdir(exist_ok=True)
        self._removed.touch()
        self._staging.mkdir(exist_ok=True)
        for left in self._staging.iterdir():
            with suppress(OSError):
                left.unlink()
        return missing

    def is_complete(self) -> bool:
        """Tell whether a project that is not on disk does not exist."""
        return all(mark.exists() for mark in self._marks)

    def mark_complete(self) -> None:
        """Note that all projects are on disk. Without room for that, NGINX goes on asking."""
        with suppress(OSError):
            for mark in self._marks:
                mark.touch()

    def mark_incomplete(self) -> None:
        """Note that projects may be missing on disk.

        Raises:
            OSError: if that is impossible; then nothing is to become known that is not on disk.
        """
        for mark in self._marks:
            mark.unlink(missing_ok=True)

    def stage_project(
        self, staged: Staged, project: str, entries: Sequence[Entry], decisions: Decisions, url: str
    ) -> None:
        """Stage a project's pages, or their removal where it has no file left; one that is quarantined says so.

        Args:
            staged: what is about to change.
            project: its normalised name.
            entries: its files.
            decisions: what was decided on it.
            url: the index's own address; empty where it is not known.
        """
        folder = f"{self.simple}/{project}"
        entries = [] if decisions.is_quarantined else entries
        if not pages.listed(entries) and not decisions.is_quarantined:
            self._remember(project)
            for page in _EACH:
                self._remove(staged, f"{folder}/{page}")
            self._remove(staged, self._legacy_of(project))
            staged.maybe_empty.append(folder)
            return
        self._make(staged, folder)
        self._stage(staged, f"{folder}/index.html", pages.project_html(project, entries, decisions, url))
        self._stage(staged, f"{folder}/index.json", pages.project_json(project, entries, decisions, url))
        # Not compressed: NGINX completes the addresses in it.
        self._stage(staged, self._legacy_of(project), legacy.project_json(project, entries, decisions), pack=False)

    def stage_lists(self, staged: Staged, known: Known) -> None:
        """Stage the list of projects, where that changes."""
        names = known.projects()
        self._stage(staged, f"{self.simple}/index.html", pages.list_html(names))
        self._stage(staged, f"{self.simple}/index.json", pages.list_json(names))

    def stage_front(self, staged: Staged, known: Known) -> None:
        """Stage the front page."""
        self._stage(staged, f"{self.folder}/index.html", pages.front_html(*known.counts()))

    def has_page(self, project: str) -> bool:
        """Tell whether a project's pages are there, and not empty, as a loss of power may leave them."""
        return all(_size(f"{self.simple}/{project}/{page}") for page in _EACH) and bool(_size(self._legacy_of(project)))

    def with_pages(self) -> set[str]:
        """Return the projects that have any page, or a folder for them."""
        with os.scandir(self.simple) as found:
            simple = {entry.name for entry in found if entry.is_dir(follow_symlinks=False)}
        return simple | {file.stem for file in self.legacy.glob("*.json")}

    def stage_metadata(self, staged: Staged, path: str, content: bytes) -> None:
        """Stage the core metadata that are served beside a file, or their removal where there are none."""
        self._stage_beside(staged, f"{path}.metadata", content)

    def stage_provenance(self, staged: Staged, path: str, content: bytes) -> None:
        """Stage the provenance that is served beside a file, or its removal where there is none."""
        self._stage_beside(staged, f"{path}.provenance", content)

    def stage_mark(self, staged: Staged, path: str, is_served: bool) -> None:
        """Stage the mark of a file that is served, or its removal, where files have marks."""
        if self.marks_files and is_served != os.path.exists(f"{self.metadata}/{path}{LISTED}"):
            self._stage_beside(staged, f"{path}{LISTED}", b"\n" if is_served else b"")

    def provenance(self, path: str) -> bytes:
        """Return what is served beside a file; empty where nothing is."""
        return self.read_beside(path, PROVENANCE)

    def read_beside(self, path: str, suffix: str) -> bytes:
        """Return what is served beside a file by this suffix; empty where nothing is."""
        return _content(f"{self.metadata}/{path}{suffix}")

    def stage_removal(self, staged: Staged, path: str) -> None:
        """Stage the removal of all that is served beside a file."""
        for suffix in BESIDE:
            self._stage_beside(staged, f"{path}{suffix}", b"")

    def put_beside(self, staged: Staged, path: str, content: bytes) -> None:
        """Write what is served beside a file at once, if nothing is there yet, and else stage it: no page names it before.

        Args:
            staged: what is about to change.
            path: of the file, with the suffix.
            content: what is served; if it is empty, all of this is about its removal.
        """
        target, folder = f"{self.metadata}/{path}", path.rpartition("/")[0]
        if not content:
            self._stage_beside(staged, path, content)
            return
        if folder:
            self._make(staged, f"{self.metadata}/{folder}")
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            self._stage_beside(staged, path, content)
            return
        try:
            disk.write(descriptor, content)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        staged.written[self._below(target)] = status.st_size, status.st_mtime_ns

    def _stage_beside(self, staged: Staged, path: str, content: bytes) -> None:
        target, folder = f"{self.metadata}/{path}", path.rpartition("/")[0]
        if content:
            self._make(staged, f"{self.metadata}/{folder}".removesuffix("/"))
            self._write(staged, target, content, max(int(time.time()), _seconds(target) + 1))
        elif os.path.exists(target):
            self._remove(staged, target)
            if folder:
                staged.maybe_empty.append(f"{self.metadata}/{folder}")
        else:
            staged.written[self._below(target)] = None

    def beside(self) -> dict[str, set[str]]:
        """Return the paths below packages/ of the files beside which something is served, by the suffix of that."""
        found: dict[str, set[str]] = {suffix: set() for suffix in BESIDE}
        for folder, _folders, files in os.walk(self.metadata):
            below = folder.removeprefix(str(self.metadata))[1:]
            for file in files:
                name, dot, suffix = file.rpartition(".")
                if (of_suffix := found.get(dot + suffix)) is not None:
                    of_suffix.add(f"{below}/{name}" if below else name)
        return found

    def has_lists(self) -> bool:
        """Tell whether the front page and the list of projects are there: where they are not, more may be missing."""
        return all(
            _size(folder / f"{page}{packed}")
            for folder, page in ((self.simple, "index.html"), (self.simple, "index.json"), (self.folder, "index.html"))
            for packed in ("", _PACKED)
        )

    def list_bytes(self) -> int:
        """Return how long the list of projects is."""
        return _size(self.simple / "index.html")

    def folders(self) -> list[Path]:
        """Return the folders that have to be there."""
        return [self.simple, self.legacy, self.metadata, self._staging]

    def altered(self, written: Iterable[tuple[str, int, int]]) -> list[str]:
        """Return the paths of files that are not as they were written, by size and time, or not there at all."""
        # There may be hundreds of thousands.
        root, found = self._root, []
        for path, size, mtime_ns in written:
            try:
                now = os.stat(root + path)
            except OSError:
                found.append(path)
            else:
                if now.st_size != size or now.st_mtime_ns != mtime_ns:
                    found.append(path)
        return found

    def _stage(self, staged: Staged, page: str, text: str, pack: bool = True) -> None:
        content = text.encode()
        files = [page + _PACKED, page] if pack else [page]
        # Before they are read: what other hands do to them meanwhile shows later.
        found = {self._below(file): _status(file) for file in files}
        statuses = found.values()
        same_size = all(statuses) and _size(page) == len(content)
        if same_size and _content(page) == content and all(_unpacked(file) == content for file in files[:-1]):
            staged.written |= found
            return
        # NGINX makes the ETag of size and time in whole seconds: each version needs a second of its own.
        before = max(map(_in_seconds, statuses)) or _seconds(self._removed)
        seconds = max(int(time.time()), before + 1)
        # The page is the last to be replaced: while it is old, what is compressed may be new, but never the reverse.
        for file in files:
            self._write(staged, file, content if file == page else gzip.compress(content, _LEVEL, mtime=0), seconds)

    def _write(self, staged: Staged, target: str, content: bytes, seconds: int) -> None:
        """Write a file aside, to replace its target; one that cannot be written whole is not there."""
        # One process at a time has anything here.
        aside = f"{self._staging}/{len(staged.ready)}"
        try:
            with _new_file(aside) as file:
                disk.write(file.fileno(), content)
                os.utime(file.fileno(), (seconds, seconds))
                status = os.fstat(file.fileno())
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(aside)
            raise
        staged.ready.append((aside, target))
        staged.written[self._below(target)] = status.st_size, status.st_mtime_ns

    def _remove(self, staged: Staged, target: str) -> None:
        staged.to_remove.append(target)
        staged.written[self._below(target)] = None

    def _legacy_of(self, project: str) -> str:
        return f"{self.legacy}/{project}.json"

    def _below(self, file: str) -> str:
        return file.removeprefix(self._root)

    def _make(self, staged: Staged, folder: str) -> None:
        if folder in staged.there:
            return
        staged.there.add(folder)
        try:
            os.mkdir(folder)
        except FileExistsError:
            return
        except FileNotFoundError:
            if folder in map(str, (self.simple, self.legacy, self.metadata)):
                raise
            self._make(staged, folder.rpartition("/")[0])
            os.mkdir(folder)
        staged.created.append(folder)

    def _remember(self, project: str) -> None:
        """Keep the last second that a project's pages had, so that new ones at the same place come after it."""
        files = [*(f"{self.simple}/{project}/{page}" for page in PROJECT_PAGES), self._legacy_of(project)]
        seconds = max(map(_seconds, files))
        if seconds > _seconds(self._removed):
            os.utime(self._removed, (seconds, seconds))


def _new_file(path: str) -> FileIO:
    """Open a file to be written; its folder may have been removed."""
    try:
        return open(path, "wb", buffering=0)
    except FileNotFoundError:
        Path(path).parent.mkdir(exist_ok=True)
        return open(path, "wb", buffering=0)


def _status(file: Path | str) -> Status | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _content(page: Path | str) -> bytes:
    try:
        with open(page, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""


def _unpacked(page: str) -> bytes:
    """Return what a compressed page holds; nothing where it is damaged."""
    try:
        return gzip.decompress(_content(page))
    except (OSError, EOFError, zlib.error):
        return b""


def _seconds(page: Path | str) -> int:
    """Return the time of a page in whole seconds; 0 where there is none."""
    return _in_seconds(_status(page))


def _in_seconds(status: Status | None) -> int:
    return status[1] // 1_000_000_000 if status else 0


def _size(file: Path | str) -> int:
    status = _status(file)
    return status[0] if status else 0
