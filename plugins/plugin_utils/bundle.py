# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that brings everything to a host that reaches no network: how it is written, read and judged.

It is a tar of few members, always in this order:

    bundle.json      what is in it, and which hosts it is for
    packages.tar     packages of engine and Compose with all they depend on, and an index of them for apt or dnf
    images.tar       what ``docker save`` wrote
    docker-compose   a Compose plugin that is in no package; not in every bundle
    SHA256SUMS       of the members before, in the words of sha256sum

All else about it is fixed, down to owners and times: a byte that differs is found wherever it is, and nothing but these
names is ever written to a disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, NamedTuple

FORMAT = 1
MANIFEST, PACKAGES, IMAGES, COMPOSE, SUMS = "bundle.json", "packages.tar", "images.tar", "docker-compose", "SHA256SUMS"

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
# What is read at once.
_CHUNK = 1 << 20
# More than a manifest or a list of checksums ever has: a length that is wrong shall not fill the memory.
_TEXT_LIMIT = 4 << 20
_MEND = "Make it anew with wheelhouse.pypi.bundle, or copy it again from where it was made"


class BundleError(Exception):
    """A bundle that cannot be used or made; the message says why, and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What is in a bundle.

    Attributes:
        format: how the bundle is written; this module reads ``FORMAT``.
        created: when, in UTC, as ISO 8601 writes it.
        distribution: whose hosts it is for, such as ``debian-13``.
        architecture: their processor, as ``uname -m`` says it.
        source: whose packages of the engine these are, ``distro`` or ``docker_ce``.
        engine: names of the packages that are asked for; the others are what they depend on.
        packages: every package, with its version.
        images: names of the images.
        compose: whether a Compose plugin is in it.
    """

    created: str
    distribution: str
    architecture: str
    source: str
    engine: tuple[str, ...]
    packages: Mapping[str, str]
    images: tuple[str, ...]
    compose: bool = False
    format: int = FORMAT

    def parts(self) -> tuple[str, ...]:
        """Return the names of the members that it describes, in their order."""
        return (PACKAGES, IMAGES, COMPOSE) if self.compose else (PACKAGES, IMAGES)

    def text(self) -> bytes:
        """Return it as it is written."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes) -> Manifest:
        """Read it again.

        Raises:
            BundleError: when it is none, or one of a format that is not known here.
        """
        try:
            found: dict[str, Any] = json.loads(text)
            version = int(found["format"])
        except (ValueError, TypeError, KeyError) as error:
            raise BundleError(f"what {MANIFEST} in it says cannot be read ({error!r}). {_MEND}") from error
        if version != FORMAT:
            raise BundleError(
                f"it is of format {version}, and this version of the collection reads format {FORMAT}. Use the version "
                "that made it, or make it anew with this one"
            )
        if set(found) != {field.name for field in fields(cls)}:
            raise BundleError(f"what {MANIFEST} in it says is not of format {FORMAT}. {_MEND}")
        return cls(**{**found, "engine": tuple(found["engine"]), "images": tuple(found["images"])})


class Packed(NamedTuple):
    """A bundle that was written: SHA-256 of the whole file, in hex, and its size in bytes."""

    sha256: str
    size: int


# -- writing -----------------------------------------------------------------------------------------------------------


def pack(target: Path, manifest: Manifest, parts: Mapping[str, Path]) -> Packed:
    """Write a bundle; the target is as before, or is the whole of it.

    Args:
        target: its path.
        manifest: what is in it.
        parts: files, by the names that they have in it, in the order of ``manifest.parts()``.

    Raises:
        BundleError: when another run is writing it.
        OSError: when a file cannot be read or written.
        ValueError: when the parts are not those of the manifest.
    """
    if list(parts) != list(manifest.parts()):
        raise ValueError("these are not the parts that the manifest names, in its order")
    unfinished = target.with_name(f".{target.name}.part")
    with unfinished.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BundleError(f"another run is writing {target}") from error
        try:
            writer = _Writer(file)
            writer.member(MANIFEST, manifest.text())
            for name, part in parts.items():
                writer.member(name, part)
            packed = writer.finish()
            file.flush()
            os.fsync(file.fileno())
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    return packed


class _Writer:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._whole = hashlib.sha256()
        self._size = 0
        self._sums: dict[str, str] = {}

    def member(self, name: str, content: bytes | Path) -> None:
        digest = hashlib.sha256()
        if isinstance(content, bytes):
            size, chunks = len(content), iter([content])
        else:
            size, chunks = content.stat().st_size, _chunks(content)
        self._write(_header(name, size))
        written = 0
        for chunk in chunks:
            digest.update(chunk)
            self._write(chunk)
            written += len(chunk)
        if written != size:
            raise BundleError(f"{content!s} has changed while it was packed")
        self._write(_padding(size))
        self._sums[name] = digest.hexdigest()

    def finish(self) -> Packed:
        self.member(SUMS, _sums_text(self._sums))
        self._write(_END)
        return Packed(self._whole.hexdigest(), self._size)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._whole.update(data)
        self._size += len(data)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _sums_text(sums: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()


# -- reading -----------------------------------------------------------------------------------------------------------


def peek(path: Path) -> Manifest:
    """Return what a bundle says of itself, in no time and without a checksum.

    Raises:
        BundleError: when it is no bundle.
    """
    with _opened(path) as file:
        return Manifest.parse(_Reader(file, whole=False).text(MANIFEST))


def unpack(path: Path, folder: Path, sha256: str = "") -> Manifest:
    """Judge every byte of a bundle, and put its parts into a folder; return what is in it.

    Args:
        path: the bundle.
        folder: made if all is well, and only then.
        sha256: of the whole file, in hex; not looked at where it is empty.

    Raises:
        BundleError: when it is truncated, altered, no bundle, of another format, or not the one with this SHA-256.
        OSError: when there is no space for the parts.
    """
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        with _opened(path) as file:
            reader = _Reader(file, whole=bool(sha256))
            manifest = Manifest.parse(reader.text(MANIFEST))
            for name in manifest.parts():
                reader.save(name, unfinished / name)
            reader.finish()
        if sha256 and reader.sha256() != sha256:
            raise BundleError(
                f"its SHA-256 is {reader.sha256()}, and pypi_bundle_sha256 says {sha256}. It is whole, and not the one "
                "that is meant: take that one, or the SHA-256 that was printed when this one was made"
            )
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return manifest


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleError(f"it cannot be read where Ansible runs: {error.strerror}") from error
    with file:
        yield file


class _Reader:
    """Reads members one after the other; whatever is not as it was written is a BundleError."""

    def __init__(self, file: IO[bytes], whole: bool) -> None:
        self._file = file
        self._whole = hashlib.sha256() if whole else None
        self._sums: dict[str, str] = {}

    def text(self, name: str) -> bytes:
        """Return what a member holds that is no longer than a text is."""
        found: list[bytes] = []
        self._member(name, found.append, _TEXT_LIMIT)
        return b"".join(found)

    def save(self, name: str, target: Path) -> None:
        """Write a member to a file."""
        with target.open("xb") as file:
            self._member(name, file.write)

    def finish(self) -> None:
        """Compare all that was read with the checksums, which are the last member, and see that nothing comes after."""
        sums = dict(self._sums)
        text = self.text(SUMS)
        if text != _sums_text(sums):
            lines = text.splitlines()
            wrong = [name for name, digest in sums.items() if f"{digest}  {name}".encode() not in lines]
            raise BundleError(f"{', '.join(wrong) or SUMS} in it is not what was packed: the SHA-256 differs. {_MEND}")
        if self._read(len(_END), "its end") != _END or self._file.read(1):
            raise BundleError(f"something comes after {SUMS}. {_MEND}")

    def sha256(self) -> str:
        """Return the SHA-256 of all that was read, in hex; empty where nobody has asked for it at the beginning."""
        return self._whole.hexdigest() if self._whole else ""

    def _member(self, name: str, take: Callable[[bytes], object], limit: int | None = None) -> None:
        header = self._read(_BLOCK, name)
        try:
            size = tarfile.TarInfo.frombuf(header, "utf-8", "strict").size
            fitting = header == _header(name, size) and (limit is None or size <= limit)
        except (tarfile.HeaderError, ValueError) as error:
            raise BundleError(self._strange(name)) from error
        if not fitting:
            raise BundleError(self._strange(name))
        digest = hashlib.sha256()
        left = size
        while left:
            chunk = self._read(min(left, _CHUNK), name)
            digest.update(chunk)
            take(chunk)
            left -= len(chunk)
        if self._read(-size % _BLOCK, name) != _padding(size):
            raise BundleError(self._strange(name))
        self._sums[name] = digest.hexdigest()

    def _strange(self, name: str) -> str:
        if name == MANIFEST:
            return f"it is no bundle, or its beginning was altered. {_MEND}"
        return f"it was altered around its member {name}. {_MEND}"

    def _read(self, size: int, name: str) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise BundleError(f"it is cut off in {name}, after {self._file.tell()} bytes. {_MEND}")
        if self._whole:
            self._whole.update(data)
        return data


# -- once in a run -----------------------------------------------------------------------------------------------------


def unpacked_once(path: Path, sha256: str, cache: Path) -> tuple[Manifest, Path]:
    """Judge and unpack a bundle once for all hosts of a run, and return what is in it and the folder of its parts.

    A bundle that is refused is not read again either.

    Args:
        path: the bundle.
        sha256: as ``unpack`` takes it.
        cache: folder that lives as long as the run, and that the processes of the run share.

    Raises:
        BundleError: as ``unpack`` does.
        OSError: when there is no space for the parts.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise BundleError(f"it cannot be read where Ansible runs: {error.strerror}") from error
    identity = repr((str(path), sha256, status.st_ino, status.st_size, status.st_mtime_ns))
    folder = cache / f"wheelhouse-bundle-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    refused = folder.with_suffix(".refused")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if refused.exists():
            raise BundleError(refused.read_text(encoding="utf-8"))
        if folder.is_dir():
            return peek(path), folder
        try:
            return unpack(path, folder, sha256), folder
        except BundleError as error:
            refused.write_text(str(error), encoding="utf-8")
            raise
