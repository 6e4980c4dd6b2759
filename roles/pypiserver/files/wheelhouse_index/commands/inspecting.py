"""``python3 -m wheelhouse_index inspect [BYTES|pages]``: whether files, facts and pages agree, as a line of JSON. It only reads.

BYTES is how much of the files is read to verify their hashes: a random choice of them; without it, all of them. With ``pages``,
packages/ is not looked at, as another of several nodes does that. The answer::

    {"files": 3, "projects": 1, "bytes": 9000, "hashed": 3, "hashed_bytes": 9000,
     "problems": {KIND: {"count": 1, "some": [TEXT]}}, "requests": {"all": 70, "failed": 0, "full": 0, "refused": {RULE: 2}},
     "nodes": {}}

``nodes`` is what ``agreeing.of_node`` returns; empty where the index has one host.

Uploads go on meanwhile: what is found counts only if a second look finds it again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import random
import re
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from ..common import disk, priority
from ..fact_store.facts import FactStore, UnmountedError
from ..fact_store.records import FactsError
from ..files import incoming, names
from ..files.entry import Stamp, guessed
from ..index.output import METADATA, PROJECT_PAGES
from ..index.scan import Scanner
from ..server.peers import LEAST_CONTACT
from ..server.settings import Settings
from . import agreeing

# A problem: its kind, and what has it.
Problem = tuple[str, str]
Found = set[Problem]
# In the order in which they are answered; plugins/plugin_utils/doctoring.py has the level and the remedy of each.
KINDS = (
    "facts unusable",
    "unreadable folder",
    "file altered",
    "file missing",
    "file unreadable",
    "page missing",
    "page damaged",
    "file on no page",
    "fact damaged",
    "fact differs",
    "fact missing",
    "name not claimed",
)
# How many of many are named, and how many files one process takes at a time.
_NAMED, _BATCH = 10, 64
# Each takes up to 10 MB of the container's memory beside the first (20,500 files).
_PROCESSES = 8
_LINKED = re.compile(r"#sha256=([0-9a-f]{64})")
_LISTED = re.compile(r'<a href="([^"]+)/">')
# What reading a damaged page raises.
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error)
# The exit code of what was killed for want of memory.
_KILLED = 137
_LOG = "access.log"
# Of the access log only the end is read: a day's may be large.
_LOG_BYTES = 16 * 1024 * 1024
_LINE = re.compile(
    rb'^\{"time":".*?","status":(\d{3}),"bytes":.*?,(?:"cache":"[A-Z-]*","rule":"([a-z-]*)",)?"verdict":"', re.MULTILINE
)
# Refusals with 5xx for which the index itself is not to blame.
_OF_UPSTREAM = (b"upstream", b"busy")


class Listed(NamedTuple):
    """What a page says of a file; no more, as there may be hundreds of thousands.

    Attributes:
        sha256: its hash.
        size: in bytes.
        metadata: the hash of its core metadata; empty where it has none.
    """

    sha256: str
    size: int
    metadata: str


class Inspection:
    """One look at the store and its pages.

    Args:
        store: the facts.
        packages: the distribution files.
        index: the pages.
        of_pages: whether pages alone are looked at: packages/ is that of several nodes, and another one looks at it.

    Attributes:
        files: the distribution files on disk, with their stamps, by path below packages/.
        promised: for each file by its path, its project and what the page says, or for a file on no page its record alone and
            no project.
        projects: those that have pages.
        problems: what is wrong.
    """

    def __init__(self, store: FactStore, packages: Path, index: Path, of_pages: bool = False) -> None:
        self._store, self._packages, self._index = store, str(packages), index
        self._packaged = str(index / "packages")
        self.problems: Found = set()
        self.promised: dict[str, tuple[str, Listed]] = {}
        self._has_facts = False
        self._damaged: set[str] = set()
        # Before the files: one that is removed meanwhile is on no page of the second look.
        self.projects = self._pages()
        self._list()
        self.files: dict[str, Stamp] = {}
        if of_pages:
            self.promised = {
                path: (project, file) for project, one in self.projects.items() for path, file in one.items()
            }
            return
        try:
            store.check_mounted()
        except UnmountedError as error:
            # Files that are out of reach are not missing.
            self._note("facts unusable", str(error))
            return
        scanner = Scanner(packages, {})
        self.files = scanner.changes(thorough=True)[0]
        self.problems |= {("unreadable folder", folder) for folder in scanner.unreadable}
        self._files_of_pages()
        self._facts()

    def _pages(self) -> dict[str, dict[str, Listed]]:
        """Return what the pages of all projects say that have any, by project and path."""
        found = {}
        for project in _folders(self._index / "simple"):
            try:
                found[project] = self._page(self._index / "simple" / project)
            except FileNotFoundError:
                self._note("page missing", project)
            except _DAMAGED as error:
                self._damaged.add(project)
                self._note("page damaged", f"{project} ({error})")
        return found

    def _page(self, folder: Path) -> dict[str, Listed]:
        """Return what a page says; raise what is wrong with any form of it."""
        html, text = _forms(folder)
        files = {
            unquote(file["url"]).removeprefix("../../packages/"): _listed(file) for file in json.loads(text)["files"]
        }
        if sorted(_LINKED.findall(html)) != sorted(file.sha256 for file in files.values()):
            raise ValueError("HTML and JSON list different files")
        return files

    def _list(self) -> None:
        """Compare the list of projects with their pages."""
        try:
            html, text = _forms(self._index / "simple")
            listed = {project["name"] for project in json.loads(text)["projects"]}
            if listed != set(map(unquote, _LISTED.findall(html))):
                raise ValueError("HTML and JSON list different projects")
        except FileNotFoundError:
            self._note("page missing", "the list of projects")
        except _DAMAGED as error:
            self._note("page damaged", f"the list of projects ({error})")
        else:
            # Those that are quarantined have no files, and are not listed.
            for project, files in self.projects.items():
                if files and project not in listed:
                    self._note("page damaged", f"the list of projects (without {project})")

    def _files_of_pages(self) -> None:
        """Compare what pages list with what is there, by names and sizes."""
        for project, files in self.projects.items():
            for path, file in files.items():
                self.promised[path] = project, file
                stamp = self.files.get(path)
                if stamp is None:
                    self._note("file missing", path)
                elif stamp.size != file.size:
                    self._note("file altered", path)
        for path in self.files.keys() - self.promised.keys():
            if not path.endswith(names.SIGNATURE):
                self._file_on_no_page(path)

    def _has_metadata(self, path: str, sha256: str) -> bool:
        """Tell whether what is served beside a file is what its page promises."""
        try:
            return hashlib.sha256(_content(f"{self._packaged}/{path}{METADATA}")).hexdigest() == sha256
        except OSError:
            return False

    def _file_on_no_page(self, path: str) -> None:
        project = _project(path)
        if project in self.projects:
            self._note("file on no page", path)
        elif project not in self._damaged:
            self._note("page missing", project)
        with suppress(FactsError):
            if record := self._store.records.at(project, _name(path)):
                self.promised[path] = "", Listed(record.sha256, record.size, "")

    def _facts(self) -> None:
        """Find out whether the facts can be used, and have all names."""
        try:
            self._store.check()
            claimed = self._store.claims.names()
        except (FactsError, OSError) as error:
            self._note("facts unusable", str(error))
            return
        self._has_facts = True
        for project, files in self.projects.items():
            if files and project not in claimed:
                self._note("name not claimed", project)

    def examined(self, read: Collection[str]) -> Found:
        """Return what single files, their core metadata and their records contradict.

        Args:
            read: the files to hash.

        Raises:
            BrokenProcessPool: if a process was killed.
        """
        every = list(self.promised)
        # Each inherits all of it: threads would wait for each other.
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(min(os.cpu_count() or 1, _PROCESSES), fork, _inherit, (self, every, read)) as pool:
            return {problem for found in pool.map(_of_batch, range(0, len(every), _BATCH)) for problem in found}

    def of_file(self, path: str, is_read: bool) -> Iterator[Problem]:
        """Yield the problems of a file."""
        project, file = self.promised[path]
        if is_read and (kind := _verified(f"{self._packages}/{path}", file.sha256)):
            yield kind, path
        if file.metadata and not self._has_metadata(path, file.metadata):
            yield "page damaged", f"{path}{METADATA}"
        if not (project and self._has_facts):
            return
        try:
            record = self._store.records.at(project, _name(path))
        except FactsError as error:
            yield "fact damaged", str(error)
            return
        if record is None:
            yield "fact missing", path
        elif record.sha256 != file.sha256:
            yield "fact differs", path

    def _note(self, kind: str, what: str) -> None:
        self.problems.add((kind, what))


def _forms(folder: Path) -> list[str]:
    """Return HTML and JSON of a page; raise what is wrong with them, or with what NGINX serves of them, which is compressed."""
    texts = []
    for page in PROJECT_PAGES:
        content = _content(f"{folder}/{page}")
        if gzip.decompress(_content(f"{folder}/{page}.gz")) != content:
            raise ValueError(f"{page}.gz differs from {page}")
        texts.append(content.decode())
    return texts


def _content(place: str) -> bytes:
    """Return what a file holds; tens of thousands are read, each with as few system calls as can be."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return disk.to_the_end(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _listed(file: Mapping[str, Any]) -> Listed:
    metadata = file["core-metadata"]
    return Listed(file["hashes"]["sha256"], file["size"], metadata["sha256"] if metadata else "")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _project(path: str) -> str:
    return guessed(_name(path)).project


def _folders(folder: Path) -> Iterator[str]:
    """Yield the folders in a folder; none where it is missing."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def chosen(files: Mapping[str, Stamp], most: int | None) -> list[str]:
    """Return paths of files to read: all, or as many in random order as are not larger together."""
    if most is None:
        return list(files)
    found = []
    for path in random.sample(list(files), len(files)):
        most -= files[path].size
        if most < 0:
            break
        found.append(path)
    return found


# What a process has inherited of the one that has looked: that, the paths, and those of files to hash.
_inherited: tuple[Inspection, list[str], Collection[str]]


def _inherit(*looked: Any) -> None:
    global _inherited
    _inherited = looked


def _of_batch(start: int) -> list[Problem]:
    found, every, read = _inherited
    batch = every[start : start + _BATCH]
    return [problem for path in batch for problem in found.of_file(path, path in read)]


def _verified(path: str, sha256: str) -> str:
    """Return the kind of a file's problem; empty where there is none."""
    try:
        with open(path, "rb", buffering=0) as file:
            return "" if incoming.sha256(file) == sha256 else "file altered"
    except FileNotFoundError:
        return "file missing"
    except OSError:
        return "file unreadable"


def requests(logs: Path) -> dict[str, Any]:
    """Return what the end of the access log has: requests, those that failed or found no room, and how often which rule refused.

    What failed because of upstream counts as refused alone.
    """
    try:
        with open(logs / _LOG, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            text = file.read(_LOG_BYTES)
    except OSError:
        return {}
    lines = _LINE.findall(text)
    full = sum(status == b"507" for status, _rule in lines)
    failed = sum(status >= b"500" and rule not in _OF_UPSTREAM for status, rule in lines) - full
    refused = Counter(rule.decode() for _status, rule in lines if rule)
    return {"all": len(lines), "failed": failed, "full": full, "refused": refused}


def summed(problems: Iterable[Problem]) -> dict[str, dict[str, Any]]:
    """Return problems by kind: how many there are, and the names of some."""
    found = {kind: [what for one, what in sorted(problems) if one == kind] for kind in KINDS}
    return {kind: {"count": len(those), "some": those[:_NAMED]} for kind, those in found.items() if those}


def inspected(
    settings: Settings, most: int | None, wait: Callable[[float], Any] = time.sleep, of_pages: bool = False
) -> dict[str, Any]:
    """Return what there is to say of an index.

    Args:
        settings: of it.
        most: how many bytes of files are read, None for all.
        wait: sleeps.
        of_pages: whether packages/ is left to another node.
    """
    store = FactStore(settings.packages, settings.index, settings.nodes)

    def look() -> Inspection:
        return Inspection(store, settings.packages, settings.index, of_pages)

    found = look()
    there = {path: found.files[path] for path in found.promised if path in found.files}
    sizes = (
        [file.size for _project, file in found.promised.values()] if of_pages else [one.size for one in there.values()]
    )
    paths = chosen(there, most)
    suspects = {what for _kind, what in found.problems if what in there}
    problems = found.problems | found.examined({*paths, *suspects})
    projects = len(found.projects)
    # The second look needs as much memory.
    del found
    if problems:
        # What was being published or removed is settled by then.
        wait(settings.freshness + 2)
        again = look()
        suspects = {what for _kind, what in problems if what in again.promised}
        problems &= again.problems | again.examined(suspects)
        # The index takes an altered file off its page.
        taken_off = [what for kind, what in problems if kind == "file altered"]
        problems -= {("file on no page", path) for path in taken_off} | {
            ("page missing", _project(path)) for path in taken_off
        }
    seconds = max(settings.freshness, LEAST_CONTACT)
    return {
        "files": len(sizes),
        "projects": projects,
        "bytes": sum(sizes),
        "hashed": len(paths),
        "hashed_bytes": sum(there[path].size for path in paths),
        "problems": summed(problems),
        "requests": requests(settings.logs),
        "nodes": agreeing.of_node(store, settings.index, settings.nodes, seconds, wait) if settings.nodes else {},
    }


def main(words: list[str]) -> int:
    """Inspect the index that the environment names; return the exit code."""
    of_pages = words == ["pages"]
    most = 0 if of_pages else int(words[0]) if words else None
    priority.give_way()
    try:
        print(json.dumps(inspected(Settings.of_environment(), most, of_pages=of_pages)))
    except OSError as error:
        print(f"inspect: {error}", file=sys.stderr)
        return 1
    except BrokenProcessPool as error:
        print(f"inspect: {error}", file=sys.stderr)
        return _KILLED
    return 0
