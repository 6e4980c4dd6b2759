"""Snapshots: what one node knows of all files, for another one that joins and so need not read them.

::

    packages/.wheelhouse/nodes/.joining/
        <node>.<number>.wish        this node wants to join
        <node>.<number>.taken       another one answers; its time says that it still does
        <node>.<number>.snapshot    the answer: it is there whole, or not at all

A snapshot is a row of frames: ``crc32 bytes``, a new line, and as many bytes of packed JSON. It is read like everything that
comes from elsewhere: what is in it are texts and numbers, and who reads it looks at each.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..common import disk
from .journal import NAME, Nodes

FOLDER = ".joining"
# Of a snapshot. Another number is for what an earlier release would misread.
FORMAT = 1
_WISH, _TAKEN, _SNAPSHOT = "wish", "taken", "snapshot"
_FILE = re.compile(rf"({NAME.pattern})\.([0-9a-f]{{16}})\.({_WISH}|{_TAKEN}|{_SNAPSHOT})")
# No frame is longer, nor what is packed in it.
LONGEST_BYTES = 64 * 1024 * 1024
# The quickest: most of it are core metadata, of which more would gain little.
_LEVEL = 1
# What a node that never came back has left is removed after this.
_KEPT_SECONDS = 3600.0
Write = Callable[[Mapping[str, Any]], None]


class DamagedError(ValueError):
    """A snapshot is not what was written. Says why."""


class Snapshots:
    """The folder of snapshots.

    Args:
        folder: it.
        aside: a folder of the same mount, where files are written before they get their names.
        nodes: those that share it.
    """

    def __init__(self, folder: Path, aside: Path, nodes: Nodes) -> None:
        self._folder = folder
        self._aside = aside
        self._own = nodes.own
        self._others = frozenset(nodes.others)

    def wish(self, said: Mapping[str, Any]) -> str:
        """Say that this node wants to join, and what kind of snapshot it can use; return the number of the wish.

        Raises:
            OSError: if that is impossible.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.clear()
        number = secrets.token_hex(8)
        disk.put_new(self._aside, self._place(self._own, number, _WISH), json.dumps(said).encode())
        return number

    def sign(self, number: str) -> int:
        """Return what grows while another node answers a wish; 0 where none does."""
        with suppress(FileNotFoundError):
            return os.stat(self._place(self._own, number, _TAKEN)).st_mtime_ns
        return 0

    def answer(self, number: str) -> BinaryIO | None:
        """Open the answer to a wish, once it is there."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            return open(os.open(self._place(self._own, number, _SNAPSHOT), flags), "rb")
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        """Remove what this node has wished for, and got."""
        for name, node, _number, _kind in self._files():
            if node == self._own:
                (self._folder / name).unlink(missing_ok=True)

    def wishes(self, said: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the wishes of other nodes for this kind of snapshot that none answers yet: node and number."""
        found = self._files()
        taken = {(node, number) for _name, node, number, kind in found if kind != _WISH}
        waiting = [
            (node, number)
            for _name, node, number, kind in found
            if kind == _WISH and node in self._others and (node, number) not in taken
        ]
        return [one for one in waiting if self._said(*one) == dict(said)]

    def take(self, node: str, number: str) -> bool:
        """Promise to answer a wish; return whether no other node has done so before."""
        return bool(disk.put_new(self._aside, self._place(node, number, _TAKEN), self._own.encode()))

    @contextmanager
    def giving(self, node: str, number: str) -> Iterator[Write]:
        """Write a snapshot: it is there for the other node once this is left without an error.

        Yields:
            What writes a frame; raises OSError if the other node does not wait any more.
        """
        taken = self._place(node, number, _TAKEN)
        with disk.written_aside(self._aside, b"") as (aside, _inode):
            with open(aside, "ab", buffering=0) as file:
                # Else it would be taken for what a killed process has left.
                fcntl.flock(file, fcntl.LOCK_EX)

                def write(frame: Mapping[str, Any]) -> None:
                    packed = zlib.compress(json.dumps(frame).encode(), _LEVEL)
                    disk.write(file.fileno(), b"%08x %d\n" % (zlib.crc32(packed), len(packed)) + packed)
                    os.utime(taken)

                yield write
                os.fsync(file.fileno())
            os.utime(taken)
            os.rename(aside, self._place(node, number, _SNAPSHOT))

    def prune(self) -> None:
        """Remove what nodes that never came back have left."""
        for name, *_rest in self._files():
            with suppress(FileNotFoundError):
                if time.time() - os.stat(self._folder / name).st_mtime > _KEPT_SECONDS:
                    (self._folder / name).unlink()

    def _place(self, node: str, number: str, kind: str) -> Path:
        return self._folder / f"{node}.{number}.{kind}"

    def _said(self, node: str, number: str) -> object:
        try:
            return json.loads(disk.read(self._place(node, number, _WISH)))
        except (OSError, ValueError):
            return None

    def _files(self) -> list[tuple[str, str, str, str]]:
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        return [(name, found[1], found[2], found[3]) for name in names if (found := _FILE.fullmatch(name))]


def frames(file: BinaryIO) -> Iterator[Any]:
    """Yield the frames of a snapshot.

    Raises:
        DamagedError: where one is not what was written.
    """
    return map(_unpacked, _packed(file))


def ends(file: BinaryIO) -> Iterator[Any]:
    """Yield the first frame of a snapshot and the last, once it is known that all between them are what was written.

    Raises:
        DamagedError: where one is not.
    """
    last = b""
    for packed in _packed(file):
        if not last:
            yield _unpacked(packed)
        last = packed
    yield _unpacked(last)


def _packed(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(32):
        checksum, _blank, length = line.partition(b" ")
        try:
            packed = file.read(min(int(length), LONGEST_BYTES))
            if len(packed) != int(length) or zlib.crc32(packed) != int(checksum, 16):
                raise DamagedError("a checksum is another")
        except ValueError as error:
            raise DamagedError(str(error)) from error
        yield packed


def _unpacked(packed: bytes) -> Any:
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, LONGEST_BYTES)
        if not unpacking.eof:
            raise DamagedError("a frame is too long")
        return json.loads(text)
    except (ValueError, RecursionError, zlib.error) as error:
        raise DamagedError(str(error)) from error
