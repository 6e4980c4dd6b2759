"""Journals: what each of several nodes has changed, for the others to read on.

::

    packages/.wheelhouse/nodes/
        key                  what the nodes know each other by
        <node>/seen          what a node has read, and a number that grows while it lives
        <node>/<number>.journal
        .joining/            what nodes that join get from others (``snapshots``)

A line of a journal is the checksum, the length and the text of a record: ``crc32 bytes {…}``. Only its own node appends to a
journal, and begins another one where the last does not end as it left it: after a crash, or if other hands were at it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..common import disk
from ..common.beside import Beside
from ..files.names import is_project

log = logging.getLogger(__name__)
FOLDER = "nodes"
# A node's name, as the inventory has it.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_FILE = re.compile(r"[0-9]{8}\.journal")
_SUFFIX = ".journal"
_TO_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_SEEN, _KEY = "seen", "key"
# A journal is not longer than it takes to read at once.
_LONGEST_BYTES = 16 * 1024 * 1024
# So much is read at a time; no record is longer, as records leave out what can be read elsewhere.
_PIECE_BYTES = 32 * 1024 * 1024


def is_file(name: str) -> bool:
    """Tell whether a journal may be called so."""
    return bool(_FILE.fullmatch(name))


class Place(NamedTuple):
    """How far a node's journals were read: all before this byte of this file. Later places are greater."""

    file: str = ""
    offset: int = 0


NOWHERE = Place()


class _Opened(NamedTuple):
    """A journal that is open to be appended to, and what it was then."""

    descriptor: int
    status: os.stat_result


def is_more(end: Place, place: Place) -> bool:
    """Tell whether journals that end somewhere have anything after a place, or lack something before it, not noticed so far."""
    return place.offset > 0 if end.file < place.file else end != place


@dataclass(frozen=True)
class Nodes:
    """The nodes of an index.

    Attributes:
        own: the name of this one; empty where the index has one host alone.
        others: the names of the others.
    """

    own: str = ""
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are several."""
        return bool(self.own)

    @classmethod
    def of_text(cls, own: str, names: str) -> Nodes:
        """Return the nodes that settings name, separated by blanks; raises ValueError where that cannot be."""
        found = names.split()
        if not own and not found:
            return cls()
        if own not in found or len(set(found)) < len(found) or not all(map(NAME.fullmatch, found)):
            raise ValueError(f"{names!r} are no names of nodes with {own!r} among them")
        return cls(own, tuple(name for name in found if name != own))


@dataclass
class Record:
    """What a transaction has changed.

    Attributes:
        files: what is known of files now, by path: a row of the catalogue, None for one that was removed.
        metadata: the core metadata of some of them, by path.
        decided: projects on which was decided.
        given_back: projects whose names were given back.
        claimed: projects of which no file or decision speaks, and whose names are private.
        freed: projects that were given back, and of which another look at all journals has found nothing since.
        after: where the journals ended before, in the first record of one.
    """

    files: dict[str, list[Any] | None] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    decided: list[str] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)
    after: list[Any] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether it says that anything was changed."""
        return bool(self.files or self.decided or self.given_back or self.claimed or self.freed)

    def line(self) -> bytes:
        """Return it as a journal has it."""
        text = json.dumps({name: value for name, value in vars(self).items() if value}).encode()
        return b"%08x %d %s\n" % (zlib.crc32(text), len(text), text)

    @classmethod
    def of_line(cls, line: bytes) -> Record:
        """Return the record of a line; raises ValueError if it is damaged."""
        checksum, _blank, rest = line.partition(b" ")
        length, _blank, text = rest.partition(b" ")
        if int(length) != len(text) or int(checksum, 16) != zlib.crc32(text):
            raise ValueError("its checksum is another")
        found = json.loads(text)
        own = {name: found[name] for name in vars(cls()) if name in found}
        record = cls(**own)
        if not all(map(is_project, (*record.decided, *record.given_back, *record.claimed, *record.freed))):
            raise ValueError("it names what is no project")
        return record


class Journals:
    """The folder nodes/ of the store of facts.

    Args:
        folder: it.
        aside: a folder of the same mount, where files are written before they get their names.
        nodes: whose journals are there.
        newest: where this node keeps, on its own disk, which of its journals is the last.
    """

    def __init__(self, folder: Path, aside: Path, nodes: Nodes, newest: Path) -> None:
        self.folder = folder
        self._aside = aside
        self.nodes = nodes
        self._newest = newest
        self._read_key = b""
        # The name of a journal, and what it was opened as.
        self._ahead: tuple[str, Future[_Opened | None]] | None = None

    def prepare(self) -> None:
        """Make what is missing: this node's folder, and the key."""
        for made in (self.folder, self.folder / self.nodes.own):
            made.mkdir(mode=0o700, exist_ok=True)
        disk.put_new(self._aside, self.folder / _KEY, secrets.token_hex(32).encode(), synced=True)
        disk.sync([self.folder / self.nodes.own, self.folder])

    def is_in_place(self) -> bool:
        """Tell whether nothing was removed of what prepare makes."""
        try:
            with disk.opened(self.folder) as own:
                return os.path.isdir(f"{own}/{self.nodes.own}") and os.path.exists(f"{own}/{_KEY}")
        except OSError:
            return False

    def key(self, again: bool = False) -> bytes:
        """Return what the nodes know each other by.

        Args:
            again: whether to read it also where that was done before.

        Raises:
            OSError: if it cannot be read.
        """
        if again or not self._read_key:
            key = disk.read(self.folder / _KEY)
            if len(key) < 32:
                raise OSError(f"{self.folder / _KEY} is too short: remove it, and restart pypi-server on all nodes")
            self._read_key = key
        return self._read_key

    def append(self, record: Record, after: Place) -> tuple[Place, bool]:
        """Append to this node's journal: when this returns, it outlasts a loss of power. Only within the lock of the index.

        Args:
            record: what was changed.
            after: where its journal ended.

        Returns:
            Where it ends now, and whether it ended there before.
        """
        folder = self.folder / self.nodes.own
        descriptor = self._opened(after)
        name = after.file
        was_whole = descriptor is not None or self.end(self.nodes.own) == after
        if descriptor is None:
            before = [int(file.removesuffix(_SUFFIX)) for file in (*self._files(self.nodes.own), name) if file]
            # Minutes since 1970, or more: places grow, also where nothing is left of earlier journals.
            number = max(int(time.time()) // 60, *(one + 1 for one in before), 1)
            name, after, record.after = f"{number:08}{_SUFFIX}", NOWHERE, list(after)
            self._note_newest(name)
            descriptor = os.open(folder / name, _TO_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        line = record.line()
        try:
            disk.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not after.file:
            disk.sync([folder])
        return Place(name, after.offset + len(line)), was_whole

    @contextmanager
    def ahead(self, beside: Beside) -> Iterator[None]:
        """Open this node's last journal while something else is done, for what is appended meanwhile. Only within the lock."""
        name = self._last()
        self._ahead = name, beside.begin(self._open, name)
        try:
            yield
        finally:
            # Who appends learns why it cannot be opened.
            with suppress(OSError):
                if opened := self._taken(name):
                    os.close(opened.descriptor)

    def _taken(self, name: str) -> _Opened | None:
        """Return what was opened ahead of a journal, once."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return None
        opened = ahead[1].result()
        if ahead[0] == name or opened is None:
            return opened
        os.close(opened.descriptor)
        return None

    def _open(self, name: str) -> _Opened | None:
        if not name:
            return None
        try:
            descriptor = os.open(self.folder / self.nodes.own / name, _TO_APPEND)
        except FileNotFoundError:
            return None
        try:
            return _Opened(descriptor, os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise

    def _opened(self, after: Place) -> int | None:
        """Open this node's journal that ends at a place, and is the last; None where it has to begin another one."""
        if not after.file or after.offset > _LONGEST_BYTES or after.file != self._last():
            return None
        if (opened := self._taken(after.file) or self._open(after.file)) is None:
            return None
        # Within the lock nothing else of this node writes to it, so it is what it was when it was opened. A journal that
        # a hand removes meanwhile is a lost one.
        if opened.status.st_size == after.offset and opened.status.st_nlink > 0:
            return opened.descriptor
        os.close(opened.descriptor)
        return None

    def _last(self) -> str:
        """Return which of its journals this node has begun last. A look at the folder takes longer."""
        with suppress(FileNotFoundError):
            if name := self._newest.read_text(encoding="ascii", errors="replace"):
                return name
        name = max(self._files(self.nodes.own), default="")
        self._note_newest(name)
        return name

    def _note_newest(self, name: str) -> None:
        """Keep which journal is the last: before it is there, as what is read of them may end with an earlier one."""
        with open(self._newest, "w", encoding="ascii") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())

    def end(self, node: str) -> Place:
        """Return where the journals of a node end now."""
        try:
            with disk.opened(self.folder / node) as own:
                files = _journals(own)
                return Place(files[-1], _size(f"{own}/{files[-1]}")) if files else NOWHERE
        except FileNotFoundError:
            return NOWHERE

    def has_more(self, node: str, place: Place) -> bool:
        """Tell whether there is anything after a place, or something is missing before it that was not noticed."""
        return is_more(self.end(node), place)

    def read(self, node: str, place: Place, until: Place = NOWHERE) -> tuple[list[Record], Place, bool]:
        """Read on.

        Args:
            node: whose journals.
            place: how far they were read.
            until: a place that there is, if one is known: in the same file, no other is looked for.

        Returns:
            What follows, how far that is, and whether records are missing.
        """
        files = [place.file] if place.file and place.file == until.file else self._files(node)
        is_lost = False
        if place.file and place.file not in files:
            # It is noticed once. What comes later has a greater number.
            is_lost = place.offset > 0
            place = Place(place.file, 0)
        found: list[Record] = []
        for name in files:
            if name < place.file:
                continue
            offset = place.offset if name == place.file else 0
            content, size = self._content(node, name, offset)
            is_lost |= size < offset
            before, place = place, Place(name, min(offset, size))
            for line in io.BytesIO(content):
                if not line.endswith(b"\n"):
                    # It may still be written; or it was torn by a crash, so that it was never answered for.
                    break
                place = Place(name, place.offset + len(line))
                try:
                    record = Record.of_line(line[:-1])
                    found.append(record)
                    is_lost |= bool(record.after) and Place(str(record.after[0]), int(record.after[1])) > before
                except (ValueError, TypeError, KeyError) as error:
                    log.error("%s/%s/%s is damaged before byte %d: %s", FOLDER, node, name, place.offset, error)
                    is_lost = True
            if found:
                # The rest follows with the next call.
                break
        return found, place, is_lost

    def prune(self) -> None:
        """Remove those of this node's journals that all nodes have read."""
        read = [self.seen(node)[1].get(self.nodes.own, NOWHERE).file for node in self.nodes.others]
        for name in self._files(self.nodes.own)[:-1]:
            if all(name < file for file in read):
                (self.folder / self.nodes.own / name).unlink(missing_ok=True)

    def see(self, beat: int, places: Mapping[str, Place]) -> None:
        """Say what this node has read, and that it lives, by a number that was never said before."""
        text = json.dumps({"beat": beat, "read": places})
        # Not synced: after a loss of power it is written within a second.
        disk.put_unsynced(self._aside, self.folder / self.nodes.own / _SEEN, text.encode())

    def seen(self, node: str) -> tuple[int, dict[str, Place]]:
        """Return the number that a node said last, and what it had read then, by the names of the others.

        Raises:
            OSError: if it cannot be found out.
        """
        try:
            found = json.loads(disk.read(self.folder / node / _SEEN))
            places = {name: Place(str(file), int(offset)) for name, (file, offset) in found["read"].items()}
            return int(found["beat"]), places
        except FileNotFoundError:
            return 0, {}
        except (ValueError, TypeError, KeyError, AttributeError):
            # Such as an empty one, after a loss of power.
            return 0, {}

    def _files(self, node: str) -> list[str]:
        try:
            return _journals(f"{self.folder}/{node}")
        except FileNotFoundError:
            return []

    def _content(self, node: str, name: str, offset: int) -> tuple[bytes, int]:
        """Return what a journal holds from a byte on, and how long it is: it is opened, so that caches of a mount look again."""
        try:
            descriptor = os.open(self.folder / node / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return b"", 0
        try:
            pieces = b"".join(_pieces(descriptor, offset))
            return pieces, offset + len(pieces) if pieces else os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)


def _pieces(descriptor: int, offset: int) -> Iterator[bytes]:
    while piece := os.pread(descriptor, _PIECE_BYTES, offset):
        yield piece
        offset += len(piece)
        # What may follow is read with the next look: to ask whether there is more takes as long as to read it.
        if len(piece) < _PIECE_BYTES and piece.endswith(b"\n"):
            return


def _journals(folder: str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if _FILE.fullmatch(name))


def _size(place: str) -> int:
    """Return how long a file is; -1 where there is none."""
    try:
        return os.lstat(place).st_size
    except FileNotFoundError:
        return -1
