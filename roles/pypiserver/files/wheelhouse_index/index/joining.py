"""A node that joins takes what is known of all files from another one, and reads none of them.

It leaves a wish in the shared folder, and another node that is well answers with a snapshot: of its catalogue, of what it serves
beside files, and how far it has read the journals. What follows is in those. A row counts where the file still has the inode that
it is of; a look at all files, which reads none that is as its row says, follows once pages are written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..fact_store import snapshots
from ..fact_store.decisions import Decisions
from ..fact_store.journal import NAME, NOWHERE, Place, is_file
from ..fact_store.records import COPIED, FactsError, Record
from ..fact_store.snapshots import DamagedError, ends, frames
from ..files import names
from ..files.entry import Entry, inode
from . import schema
from .folders import PLAIN, Options, staging
from .known import Known, entry_of
from .output import LISTED, METADATA, PROVENANCE, Status
from .writing import Writing

log = logging.getLogger(__name__)
# So many files are in a frame, or fewer that have so many bytes beside them.
_FILES, _BYTES = 500, 4 * 1024 * 1024
# What is longer is not in a snapshot: the node that joins reads the file.
_BESIDE_BYTES = 8 * 1024 * 1024
# A node that gives one rests for so long as it has worked, times this: others wait for the same processors.
_REST, _LONGEST_REST = 0.5, 1.0
# Seconds: until a wish that is not answered is given up, also where who answers stops; between looks; and for which a node lives
# that has said something. Its clock may be another one.
_ANSWER_SECONDS, _PACE, _ALIVE_SECONDS = 15.0, 0.1, 60.0
_TRIES = 2
# What comes of a snapshot that is not as it should be.
_DAMAGE = DamagedError, ValueError, TypeError, LookupError, AttributeError


@dataclass
class _Checked:
    """What a snapshot says that is whole.

    Attributes:
        node: who has given it.
        followed: how far that has read the journals, by node.
        awaited: files that it waits for, as ``Known.awaited`` returns them.
        files: how many files it says something of.
    """

    node: str
    followed: dict[str, Place] = field(default_factory=dict)
    awaited: list[tuple[str, str, str, int]] = field(default_factory=list)
    files: int = 0


class Joining(Writing):
    """Takes in snapshots of other nodes, and gives them; arguments and attributes as for ``Folders``.

    Attributes:
        pause: waits for seconds.
    """

    def __init__(self, packages: Path, index: Path, options: Options = PLAIN) -> None:
        super().__init__(packages, index, options)
        self.pause: Callable[[float], None] = time.sleep
        # Whether all files are to be read, also those that another node has read.
        self._reads_all = False

    def forget(self) -> None:
        """Have all files read and all pages written once more, as ``TakingIn.forget`` does."""
        self._reads_all = True
        try:
            super().forget()
        finally:
            self._reads_all = False

    def _survey(self, known: Known) -> None:
        """Note all files for a catalogue that knows of none: what another node knows of them or, without one, their names."""
        if not (self.nodes and not self._reads_all and self._join(known)):
            super()._survey(known)

    def _join(self, known: Known) -> bool:
        """Take in what another node knows; return whether there was one."""
        self.facts.check_mounted()
        try:
            if not self._has_peers():
                log.info("No other node lives: all files are read")
                return False
            for _try in range(_TRIES):
                number = self.facts.snapshots.wish(self._kind())
                began = time.monotonic()
                file = self._answer(number)
                if file:
                    with file:
                        checked = self._checked(file)
                        file.seek(0)
                        self._take_snapshot(known, file, checked)
                    took = time.monotonic() - began
                    log.warning("Joined in %.1f s: %d files are known from node %s", took, checked.files, checked.node)
                    return True
                if not self.facts.snapshots.sign(number):
                    break
            log.warning("No other node gives what it knows of the files: all are read")
        except _DAMAGE as error:
            log.error("What another node knows of the files cannot be used, and all are read: %s", error)
        except (FactsError, OSError) as error:
            log.error("Other nodes cannot be asked, and all files are read: %s", error)
        finally:
            # What stays is removed by the others.
            with suppress(OSError):
                self.facts.snapshots.clear()
        return False

    def _kind(self) -> dict[str, Any]:
        """Return what a snapshot has to be of."""
        return {"format": snapshots.FORMAT, "schema": schema.VERSION, "store": self.facts.known()}

    def _has_peers(self) -> bool:
        """Tell whether another node has said lately that it lives."""
        beats = (self.facts.journals.seen(node)[0] for node in self.nodes.others)
        return any(abs(time.time_ns() - beat) < _ALIVE_SECONDS * 1e9 for beat in beats)

    def _answer(self, number: str) -> BinaryIO | None:
        """Wait for the answer to a wish, while another node is at it."""
        last, until = 0, time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < until:
            if file := self.facts.snapshots.answer(number):
                return file
            sign = self.facts.snapshots.sign(number)
            if sign != last:
                last, until = sign, time.monotonic() + _ANSWER_SECONDS
            self.pause(_PACE)
        return None

    def _checked(self, file: BinaryIO) -> _Checked:
        """Return what a snapshot says, if it is whole and of this index; raises DamagedError if it is not."""
        try:
            found = list(ends(file))
            first, last = found[0], found[-1]
            if {name: first.get(name) for name in self._kind()} != self._kind():
                raise DamagedError("it is of another index or release")
            if not NAME.fullmatch(first["node"]):
                raise DamagedError("it is of no node")
            places, awaited = _places(first["followed"]), _awaited(first["awaited"])
            return _Checked(str(first["node"]), places, awaited, int(last["end"]))
        except _DAMAGE as error:
            raise DamagedError(f"{type(error).__name__}: {error}") from error

    def _take_snapshot(self, known: Known, file: BinaryIO, checked: _Checked) -> None:
        """Take in what a snapshot says of files that are as they were."""
        # By names and inodes: a look at each file follows, and what has changed since is in the journals.
        there = dict(_inodes(str(self.packages)))
        self.facts.check_mounted()
        known.recorded_in = self.facts.known()
        # While files are written, the catalogue gets what they are of, and the next frame is read.
        with ThreadPoolExecutor(1) as writer:
            written = writer.submit(self._written_beside, {})
            for frame in frames(file):
                new: list[Entry] = []
                beside: dict[str, bytes] = {}
                for said in frame.get("files", ()):
                    if entry := self._taken(beside, there, said):
                        new.append(entry)
                        # No other row is of this file.
                        del there[entry.path]
                known.note_written(written.result())
                written = writer.submit(self._written_beside, beside)
                known.put_new(new)
                known.note_removed(_removed(frame.get("removed", ())))
                for project, decisions in _decided(frame.get("decided", ())):
                    known.decide(project, decisions)
            known.note_written(written.result())
        known.follow()
        for node, place in checked.followed.items():
            known.note_followed(node, place)
        for one in checked.awaited:
            known.wait_for(*one)
        self._mark_dirty(known, {*known.all_projects(), *known.decided(), *self.output.with_pages()})

    def _written_beside(self, files: Mapping[str, bytes]) -> Mapping[str, Status | None]:
        """Write what is served beside files, by path and suffix; return what is to be known of it."""
        with staging() as staged:
            for path, content in files.items():
                self.output.put_beside(staged, path, content)
            staged.publish()
            return staged.written

    def _taken(self, beside: dict[str, bytes], there: Mapping[str, int], said: Any) -> Entry | None:
        """Return what a snapshot says of a file, if that is there, and note what is served beside it then."""
        try:
            row, metadata, provenance = said
            entry = _entry(row)
            if entry is None or entry.path not in there or not _fits(entry):
                return None
            # A list of names may have other numbers than the files themselves.
            if there[entry.path] != entry.stamp.inode and self._stamp(entry.path) != entry.stamp:
                return None
            content, attestation = (text.encode("utf-8", "surrogateescape") for text in (metadata, provenance))
            if attestation and not isinstance(json.loads(attestation), dict):
                raise ValueError("its provenance is none")
            wanted = entry.facts.metadata_sha256 if entry.facts else ""
            if wanted != (hashlib.sha256(content).hexdigest() if content else ""):
                # They have changed meanwhile, or are too long.
                return Entry(entry.path, entry.stamp)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            log.error("A snapshot says of a file what cannot be used: %s", error)
            return None
        if entry.attested and not attestation:
            attestation = self.facts.attestations.provenance(
                entry.project, entry.name, entry.facts.sha256 if entry.facts else ""
            )
        if not entry.attested:
            attestation = b""
        served = {METADATA: content, PROVENANCE: attestation, LISTED: b"\n" if entry.facts else b""}
        beside.update({entry.path + suffix: text for suffix, text in served.items()})
        return replace(entry, attested=bool(attestation))

    def is_wanted(self) -> bool:
        """Tell whether another node wants to join."""
        return bool(self.facts.snapshots.wishes(self._kind()))

    def give(self) -> None:
        """Give other nodes that want to join what this one knows. It takes a while, and nothing waits for it."""
        for node, number in self.facts.snapshots.wishes(self._kind()):
            try:
                if self.facts.snapshots.take(node, number):
                    began = time.monotonic()
                    files = self._give(node, number)
                    log.warning(
                        "Node %s joins: it got what is known of %d files in %.1f s",
                        node,
                        files,
                        time.monotonic() - began,
                    )
            except (OSError, sqlite3.Error) as error:
                log.warning("Node %s joins, and did not get what is known of the files: %s", node, error)

    def _give(self, node: str, number: str) -> int:
        with (
            self.facts.snapshots.giving(node, number) as write,
            self.catalogue.reading() as known,
            # Others change it meanwhile: that is in the journals.
            known.as_it_is(),
        ):
            write({**self._kind(), "node": self.nodes.own, "followed": known.followed(), "awaited": known.awaited()})
            count = 0
            rows = known.rows()
            while files := self._said(rows):
                began = time.monotonic()
                write({"files": files})
                count += len(files)
                self.pause(min((time.monotonic() - began) * _REST, _LONGEST_REST))
            kept = (
                [project, name, one.sha256, one.size, one.uploaded_ns]
                for project, records in known.removed_of().items()
                for name, one in records.items()
            )
            while some := list(islice(kept, _FILES)):
                write({"removed": some})
            decided = iter(known.decided().items())
            while texts := list(islice(decided, _FILES)):
                write({"decided": texts})
            write({"end": count})
        return count

    def _said(self, rows: Iterator[list[Any]]) -> list[tuple[list[Any], str, str]]:
        """Return what is said of the next files."""
        said: list[tuple[list[Any], str, str]] = []
        size = 0
        for row in islice(rows, _FILES):
            beside = [self.output.read_beside(row[0], suffix) for suffix in (METADATA, PROVENANCE)]
            metadata, provenance = (
                one.decode("utf-8", "surrogateescape") if len(one) <= _BESIDE_BYTES else "" for one in beside
            )
            said.append((row, metadata, provenance))
            size += len(metadata) + len(provenance)
            if size > _BYTES:
                break
        return said


def is_path(path: str) -> bool:
    """Tell whether what another node says is the path of a distribution file below packages/."""
    *folders, name = path.split("/")
    return names.is_served(name) and all(map(names.is_folder, folders))


def _inodes(root: str, folder: str = "") -> Iterator[tuple[str, int]]:
    """Yield the path below packages/ of each file that may be a distribution file, and its inode: no file is looked at."""
    folders = []
    with os.scandir(f"{root}/{folder}") as found:
        for one in found:
            if one.is_dir(follow_symlinks=False):
                if names.is_folder(one.name):
                    folders.append(f"{folder}{one.name}/")
            elif one.is_file(follow_symlinks=False):
                yield folder + one.name, inode(one.inode())
    for below in folders:
        yield from _inodes(root, below)


def _entry(row: Any) -> Entry | None:
    """Return the file that a row of a snapshot is of; None where it is of none that is, or may be, on a page."""
    try:
        entry = entry_of(row)
    except (ValueError, TypeError):
        return None
    return entry if is_path(entry.path) and (entry.facts or entry.refused) else None


def _are_sizes(*numbers: Any) -> bool:
    return all(isinstance(one, int) and 0 <= one < 2**63 for one in numbers)


def _fits(entry: Entry) -> bool:
    """Tell whether the numbers of a file are ones that the catalogue can hold."""
    stamp = entry.stamp
    return all(
        -(2**63) <= number < 2**63 for number in (stamp.size, stamp.mtime_ns, stamp.inode, entry.uploaded_ns or 0)
    )


def _places(followed: Mapping[str, Any]) -> dict[str, Place]:
    found = {node: Place(str(file), int(offset)) for node, (file, offset) in followed.items()}
    for node, place in found.items():
        if not NAME.fullmatch(node) or place.offset < 0 or not (place == NOWHERE or is_file(place.file)):
            raise ValueError(f"{place} is no place in a journal")
    return found


def _awaited(said: list[Any]) -> list[tuple[str, str, str, int]]:
    found = []
    for path, node, record, since_ns in said:
        row, metadata = json.loads(record)
        if not (is_path(path) and NAME.fullmatch(node) and isinstance(row, list | None) and isinstance(metadata, str)):
            raise ValueError("what it waits for is no file")
        found.append((path, node, record, int(since_ns)))
    return found


def _removed(said: list[Any]) -> Iterator[tuple[str, str, Record]]:
    """Yield the records of removed files that a snapshot has; what is none is left out."""
    for one in said:
        try:
            project, name, sha256, size, uploaded_ns = one
            if (
                names.is_project(project)
                and names.is_served(name)
                and isinstance(sha256, str)
                and _are_sizes(size, uploaded_ns)
            ):
                yield project, name, Record(sha256, size, uploaded_ns, COPIED)
        except (ValueError, TypeError) as error:
            log.error("A snapshot says of a removed file what cannot be used: %s", error)


def _decided(said: list[Any]) -> Iterator[tuple[str, Decisions]]:
    """Yield what a snapshot says was decided on projects; what is no decision is left out: the store of facts has them all."""
    for one in said:
        try:
            project, text = one
            if names.is_project(project):
                yield project, Decisions.of_text(text)
        except (ValueError, TypeError) as error:
            log.error("A snapshot says of decisions what cannot be used: %s", error)
