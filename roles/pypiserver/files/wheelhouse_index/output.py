"""Pages as files in index/: each is replaced as a whole, in the compressed form as well."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import pages
from .catalogue import Known
from .entry import Entry

# Projects whose page NGINX looks for on disk (conf.d/pypi.conf): all whose files can be uploaded. Others, of files that
# were copied in, are answered by pypiserver.
SERVED = re.compile(r"[a-z0-9!+-]{1,200}")
# Of what is large, and changes with every new project, a quick compression is worth more than a small one.
_LEVEL, _QUICK_LEVEL, _LARGE_BYTES = 6, 1, 256 * 1024
_KINDS, _PACKED = ("html", "json"), ".gz"


@dataclass
class Staged:
    """Files that lie beside those they are to replace, and files that are to go."""

    ready: list[tuple[Path, Path]] = field(default_factory=list)
    going: list[Path] = field(default_factory=list)

    def publish(self) -> None:
        """Replace what is served. Nothing here needs room on the disk."""
        for aside, target in self.ready:
            os.replace(aside, target)
        for target in self.going:
            target.unlink(missing_ok=True)
            with suppress(OSError):
                # The folder of a project that is gone, unless somebody has put something there.
                target.parent.rmdir()
        self.discard()

    def discard(self) -> None:
        """Take back what was not published."""
        for aside, _target in self.ready:
            aside.unlink(missing_ok=True)
        self.ready, self.going = [], []


class Output:
    """The folder index/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.simple = folder / "simple"
        self.metadata = folder / "packages"

    def prepare(self) -> None:
        """Make the folders."""
        self.simple.mkdir(exist_ok=True)
        self.metadata.mkdir(exist_ok=True)

    def stage_project(self, staged: Staged, project: str, entries: Sequence[Entry]) -> None:
        """Stage a project's pages, or their removal where it has no file left."""
        if not SERVED.fullmatch(project):
            return
        folder = self.simple / project
        if not pages.listed(entries):
            staged.going += [folder / f"index.{kind}{packed}" for kind in _KINDS for packed in ("", _PACKED)]
            return
        folder.mkdir(exist_ok=True)
        self._stage(staged, folder / "index.html", pages.project_html(project, entries))
        self._stage(staged, folder / "index.json", pages.project_json(project, entries))

    def stage_lists(self, staged: Staged, known: Known) -> None:
        """Stage the list of projects, where that changes, and the front page."""
        names = [name for name in known.projects() if SERVED.fullmatch(name)]
        self._stage(staged, self.simple / "index.html", pages.list_html(names))
        self._stage(staged, self.simple / "index.json", pages.list_json(names))

    def stage_front(self, staged: Staged, known: Known) -> None:
        """Stage the front page."""
        self._stage(staged, self.folder / "index.html", pages.front_html(*known.counts()))

    def has_page(self, project: str) -> bool:
        """Tell whether a project's pages are there, and not empty, as a loss of power may leave them."""
        folder = self.simple / project
        return all(_size(folder / f"index.{kind}{packed}") for kind in _KINDS for packed in ("", _PACKED))

    def with_pages(self) -> set[str]:
        """Return the projects that have a folder."""
        with os.scandir(self.simple) as found:
            return {one.name for one in found if one.is_dir(follow_symlinks=False)}

    def stage_metadata(self, staged: Staged, path: str, content: bytes) -> None:
        """Stage the core metadata that are served beside a file, or their removal where there are none."""
        target = self.metadata / f"{path}.metadata"
        if content:
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.ready.append((_written(target, content), target))
        elif target.exists():
            staged.going.append(target)

    def _stage(self, staged: Staged, page: Path, text: str) -> None:
        content = text.encode()
        packed_page = page.with_name(page.name + _PACKED)
        if _content(page) == content and _size(packed_page):
            return
        # NGINX makes the ETag of size and time in whole seconds: each version needs a second of its own.
        seconds = max(int(time.time()), _seconds(page) + 1)
        level = _LEVEL if len(content) < _LARGE_BYTES else _QUICK_LEVEL
        packed = gzip.compress(content, level, mtime=0)
        for target, data in ((page, content), (packed_page, packed)):
            staged.ready.append((_written(target, data, seconds), target))


def _written(target: Path, content: bytes, seconds: int | None = None) -> Path:
    """Write a file beside its place, and return where; one that cannot be written whole is not there."""
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(aside, "wb") as file:
            file.write(content)
        if seconds is not None:
            os.utime(aside, (seconds, seconds))
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return aside


def _content(page: Path) -> bytes:
    try:
        return page.read_bytes()
    except OSError:
        return b""


def _seconds(page: Path) -> int:
    try:
        return int(page.stat().st_mtime)
    except FileNotFoundError:
        return 0


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
