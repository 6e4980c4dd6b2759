"""The core metadata inside distribution files, read with limits: an archive may be broken, or made to do harm."""

from __future__ import annotations

import bz2
import codecs
import errno
import hashlib
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from functools import lru_cache
from pathlib import PurePosixPath
from tarfile import BLOCKSIZE, GNUTYPE_SPARSE
from typing import Any, BinaryIO, Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from . import names, nesting
from .names import Release

# PyPI's own files stay below all of these. Bytes, but for the entries of a tar.
METADATA_BYTES = 4 * 1024 * 1024
# Of a list of variants: parsed, it may take forty times as much.
VARIANTS_BYTES = 256 * 1024
HEADER_BYTES = 2 * 1024 * 1024
# All headers of a tar together that speak of other members: tarfile holds them, and takes its time.
TAR_HEADER_BYTES = 4 * 1024 * 1024
# At once, of a zip: its directory, for one.
READ_BYTES = 6 * 1024 * 1024
# Of a compressed tar. hatchling, flit and poetry-core write PKG-INFO last, behind all that is large.
UNPACKED_BYTES = 512 * 1024 * 1024
ENTRIES = 100_000
# What xz may take to unpack: its largest preset needs 65 MB.
_XZ_BYTES = 100 * 1024 * 1024
# From this version on, what is not marked as dynamic in an sdist is true of the wheels made of it (PEP 643).
SDIST_VERSION = (2, 2)
SPECIFIER_LETTERS = 4096

_CHUNK_BYTES = 64 * 1024
# Streams of one file: parallel compressors write one for each 900 kB, and a hostile file has a million.
_STREAMS = 2000
_ASKED_IN_VAIN = 100
# What wheels use. Of the others zipfile unpacks all that it has read, without a limit.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DIST_INFO = ".dist-info"
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# One line each, and nothing but ASCII.
_PLAIN_HEADERS = re.compile(rb"(?:[A-Za-z][A-Za-z0-9-]*:[ -~]*(?:\n|\Z))+")
# `>=3.6.*` was allowed before PEP 440, and thousands of releases say it. uv reads it as `>=3.6`, pip ignores all of it today.
_OLD_WILDCARD = re.compile(r"((?:[<>]=?|~=)\s*\d+(?:\.\d+)*)\.\*")


class BrokenArchiveError(ValueError):
    """A file is not what its name says, or holds no metadata where each of its kind does. Says so in a line."""


class UnopenedError(BrokenArchiveError):
    """It cannot be opened: it is half copied, for one."""


class BeyondLimitsError(Exception):
    """An archive may be right, and more than is read of one would have to be read."""


@dataclass(frozen=True)
class Metadata:
    """What a distribution file says of itself.

    Attributes:
        release: the project and version.
        requires_python: its specifier of Python versions; empty where it has none.
        content: its core metadata, to be served beside it; empty where they do not hold for what is built of it.
        is_text: whether its core metadata are UTF-8.
    """

    release: Release
    requires_python: str = ""
    content: bytes = b""
    is_text: bool = True

    @property
    def sha256(self) -> str:
        """The digest of what is served beside the file; empty where nothing is."""
        return hashlib.sha256(self.content).hexdigest() if self.content else ""


def inside(name: str, file: BinaryIO) -> Metadata | None:
    """Return what a distribution file says of itself.

    Args:
        name: the file's name, one that is served.
        file: its content, which can be sought in.

    Returns:
        None where a file of its kind need not say anything, and does not.

    Raises:
        BrokenArchiveError: if it cannot be opened, or says nothing where it has to.
        BeyondLimitsError: if that would take more than is read of a file.
    """
    kind = names.suffix(name)
    if kind == names.VARIANTS:
        return _of_variants(name, file)
    try:
        content = _of_zipped_sdist(name, file) if kind == _ZIPPED_SDIST else _READERS[kind](file)
    except (BrokenArchiveError, BeyondLimitsError):
        raise
    except OSError as error:
        # bz2 raises this too, without a number; and zipfile of Python 3.14 and older seeks below 0 in a zip that lacks its
        # beginning.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _broken(name, kind) from error
    except Exception as error:
        # Of whatever kind: on archives that are made to do harm, the libraries raise more than they say.
        raise _broken(name, kind) from error
    return _parsed(name, kind, content)


def _of_variants(name: str, file: BinaryIO) -> Metadata:
    """Return whose a list of variants is: its name alone says so."""
    content = file.read(VARIANTS_BYTES + 1)
    if len(content) > VARIANTS_BYTES:
        raise BrokenArchiveError(f"{name} is larger than {VARIANTS_BYTES} bytes.")
    if nesting.is_deep(content):
        raise BrokenArchiveError(f"{name} is nested deeper than {nesting.MOST_LEVELS} levels.")
    with suppress(ValueError):
        release = names.of_file(name)
        if release and isinstance(json.loads(content.decode()), dict):
            return Metadata(release)
    raise UnopenedError(f"{name} is not a JSON object.")


def _broken(name: str, kind: str) -> UnopenedError:
    return UnopenedError(f"{name} cannot be opened as {'a zip' if kind in _ZIPS else 'a compressed tar'}.")


def specifier(value: object) -> str:
    """Return a specifier of Python versions on one line; empty where it is none, which must not get into a page."""
    text = _text(value)
    if len(text) > SPECIFIER_LETTERS:
        return ""
    for spelling in (text, _OLD_WILDCARD.sub(r"\1", text)):
        with suppress(InvalidSpecifier):
            return spelling if SpecifierSet(spelling) else ""
    return ""


def _parsed(name: str, kind: str, content: bytes) -> Metadata | None:
    # Clients read nothing of a wheel's METADATA behind such a mark; an sdist is built anyway.
    is_marked = kind != names.WHEEL and content.startswith(codecs.BOM_UTF8)
    try:
        headers = _headers(content.removeprefix(codecs.BOM_UTF8) if is_marked else content)
        release = _release(headers)
    except (BrokenArchiveError, BeyondLimitsError):
        raise
    except Exception as error:  # as above
        raise BrokenArchiveError(f"{name} has unreadable metadata.") from error
    if not release.name or not release.version:
        if kind == names.WHEEL:
            raise BrokenArchiveError(f"The metadata of {name} lack a name or a version.")
        return None
    served = len(name.encode()) <= names.NAME_BYTES and (
        kind == names.WHEEL or (kind != names.EGG and not is_marked and _is_static(headers))
    )
    return Metadata(release, specifier(headers.get("Requires-Python")), content if served else b"", _is_text(content))


# A wheel's are looked at twice.
@lru_cache(maxsize=1)
def _headers(content: bytes) -> Message:
    top = _BLANK_LINE.split(content, maxsplit=1)[0]
    if len(top) > HEADER_BYTES:
        raise BeyondLimitsError
    if not _PLAIN_HEADERS.fullmatch(top):
        return BytesHeaderParser().parsebytes(top)
    # What the parser would say, in a sixth of its time.
    headers = Message()
    for line in top.decode("ascii").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.set_raw(name, value.lstrip(" "))
    return headers


def _release(headers: Message) -> Release:
    """Return whose a file is; of two names, clients would take the one or the other."""
    values = {field: {_text(value) for value in headers.get_all(field, [])} for field in ("Name", "Version")}
    for field, found in values.items():
        if len(found) > 1:
            raise BrokenArchiveError(f"The metadata have more than one {field}.")
    return Release(*(next(iter(found), "") for found in values.values()))


def _of_wheel(file: BinaryIO) -> bytes:
    """Return METADATA of the one folder *.dist-info, which installers want to hold WHEEL and RECORD as well."""
    with zipfile.ZipFile(_Bounded(file)) as archive:
        names_inside = archive.namelist()
        folders = {top for path in names_inside if (top := path.partition("/")[0]).endswith(_DIST_INFO)}
        if len(folders) != 1:
            raise BrokenArchiveError(f"A wheel has exactly one folder *.dist-info; this one has {len(folders)}.")
        folder = folders.pop()
        for wanted in ("METADATA", "WHEEL", "RECORD"):
            if names_inside.count(f"{folder}/{wanted}") != 1:
                raise BrokenArchiveError(f"A wheel has exactly one file {wanted} in *.dist-info; this one does not.")
        content = _member(archive, f"{folder}/METADATA")
    release = _release(_headers(content))
    # pip goes by the folder's name, uv by the metadata.
    if release.name and not names.claimed(f"{folder.removesuffix(_DIST_INFO)}.zip", release):
        raise BrokenArchiveError(
            f"The wheel's folder {folder[:100]} contradicts its metadata, which say {str(release)[:100]}."
        )
    return content


def _of_zipped_sdist(name: str, file: BinaryIO) -> bytes:
    """Return PKG-INFO of the folder that the file's name claims, or else of the first, or without a folder as in a tar."""
    own = names.of_file(name)
    with zipfile.ZipFile(_Bounded(file)) as archive:
        found = _paths(archive, "PKG-INFO")
        folders = [parts[0] for parts in found if len(parts) == 2]
        claimed = (folder for folder in folders if own and names.claimed(f"{folder}.zip", own))
        folder = next(claimed, folders[0] if folders else "")
        path = found.get((folder, "PKG-INFO")) or found.get(("PKG-INFO",))
        return _member(archive, path) if path else b""


def _of_egg(file: BinaryIO) -> bytes:
    with zipfile.ZipFile(_Bounded(file)) as archive:
        path = _paths(archive, "PKG-INFO").get(("EGG-INFO", "PKG-INFO"))
        return _member(archive, path) if path else b""


def _paths(archive: zipfile.ZipFile, name: str) -> dict[tuple[str, ...], str]:
    """Return the paths of files of a name, by their parts; of the same parts the last one, as clients unpack them in turn."""
    paths = (path for path in archive.namelist() if path.endswith(name))
    return {PurePosixPath(path).parts: path for path in paths}


def _member(archive: zipfile.ZipFile, path: str) -> bytes:
    """Return what is in the member of a path; the last one of several."""
    member = archive.getinfo(path)
    if member.file_size > METADATA_BYTES or member.compress_type not in _COMPRESSIONS:
        raise BeyondLimitsError
    with archive.open(member) as unpacked:
        # Not what the directory says, but what comes out is what counts.
        content = unpacked.read(METADATA_BYTES + 1)
    if len(content) > METADATA_BYTES:
        raise BeyondLimitsError
    return content


class _Bounded:
    """An archive of which nothing large is read at once: zipfile would hold any directory in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        # Without a size zipfile reads what it has sought near the end.
        if size > READ_BYTES:
            raise BeyondLimitsError
        data = self._file.read(READ_BYTES + 1 if size < 0 else size)
        if len(data) > READ_BYTES:
            raise BeyondLimitsError
        return data


class _Unpacker(Protocol):
    """A decompressor of one stream."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of the others: it keeps what it could not take in."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class _Unpacked:
    """The beginning of what is in a compressed file: what comes out, and what goes in, is limited."""

    def __init__(self, file: BinaryIO, unpacker: Callable[[], _Unpacker]) -> None:
        self._file = file
        self._new = unpacker
        self._unpacker = unpacker()
        self._streams = 1
        self._left = UNPACKED_BYTES
        self._asked_in_vain = 0

    @property
    def is_whole(self) -> bool:
        """Tell whether the compressed stream has ended, as far as it was read."""
        return self._unpacker.eof

    def read(self, size: int) -> bytes:
        # What is held back comes out before more is read.
        packed = b""
        while True:
            if self._left <= 0 or self._streams > _STREAMS:
                raise BeyondLimitsError
            if not self._unpacker.eof and (data := self._unpacker.decompress(packed, size)):
                self._left -= len(data)
                return data
            if self._unpacker.eof:
                packed = self._unpacker.unused_data or self._more()
                # Zeros may fill up a medium's last block.
                if not packed.strip(b"\0"):
                    break
                self._unpacker = self._new()
                self._streams += 1
            else:
                packed = self._more()
                if not packed:
                    break
        # To skip what is not there, tarfile reads on and on.
        self._asked_in_vain += 1
        if self._asked_in_vain > _ASKED_IN_VAIN:
            raise EOFError("the archive is shorter than it says")
        return b""

    def _more(self) -> bytes:
        data = self._file.read(_CHUNK_BYTES)
        self._left -= len(data)
        return data


def _limited_members() -> type[tarfile.TarInfo]:
    """Return a class of members for one archive: headers that speak of other members are limited in all."""
    left = TAR_HEADER_BYTES

    class Member(tarfile.TarInfo):
        """A member of an archive."""

        # What tarfile calls for each header; of its other hooks not all are called from Python 3.13.5 on.
        def _proc_member(self, tarfile: tarfile.TarFile) -> Any:
            nonlocal left
            if self.type == GNUTYPE_SPARSE:
                raise BeyondLimitsError
            if not self.isfile() and not self.isdir():
                left -= self.size + BLOCKSIZE
                if left < 0:
                    raise BeyondLimitsError
            return super()._proc_member(tarfile)  # type: ignore[misc]

        def _refuse(self, *_: object) -> None:
            raise BeyondLimitsError

        # Maps of sparse files are as long as they like, and no sdist has one.
        _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse

    return Member


def _of_tar(file: BinaryIO, unpacker: Callable[[], _Unpacker]) -> bytes:
    """Return the PKG-INFO at the top of an sdist, whose end is there and right as far as the limits reach."""
    unpacked = _Unpacked(file, unpacker)
    content = _pkg_info(unpacked)
    with suppress(BeyondLimitsError):
        while unpacked.read(_CHUNK_BYTES):
            pass
        if not unpacked.is_whole:
            raise EOFError("the archive ends too soon")
    return content


def _pkg_info(unpacked: _Unpacked) -> bytes:
    """Return the PKG-INFO at the top of a tar, which is its one folder, or was not with some tools; empty where it has none."""
    without_folder = b""
    with tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_limited_members()) as archive:  # type: ignore[call-overload]
        for _number in range(ENTRIES):
            member = archive.next()
            if member is None:
                break
            parts = PurePosixPath(member.name).parts
            if len(parts) <= 2 and parts[-1:] == ("PKG-INFO",) and member.isreg():
                if member.size > METADATA_BYTES:
                    raise BeyondLimitsError
                found = archive.extractfile(member)
                content = found.read(METADATA_BYTES) if found else b""
                if len(parts) == 2:
                    return content
                without_folder = content
            # tarfile would keep every member that it has seen.
            archive.members = []
        else:
            raise BeyondLimitsError
    return without_folder


def _is_static(headers: Message) -> bool:
    """Tell whether an sdist's metadata hold for what is built of it."""
    match = re.fullmatch(r"(\d+)\.(\d+)", _text(headers.get("Metadata-Version")))
    if match is None or headers.get_all("Dynamic"):
        return False
    return (int(match[1]), int(match[2])) >= SDIST_VERSION


def _is_text(content: bytes) -> bool:
    """Tell whether this is UTF-8, as clients read all of it."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(value: object) -> str:
    """Return a header's value; a folded one on one line."""
    return " ".join(str(value or "").split())


def _tar_of(unpacker: Callable[[], _Unpacker]) -> Callable[[BinaryIO], bytes]:
    return lambda file: _of_tar(file, unpacker)


_READERS: dict[str, Callable[[BinaryIO], bytes]] = {
    ".whl": _of_wheel,
    ".egg": _of_egg,
    ".tar.gz": _tar_of(_Gzip),
    ".tgz": _tar_of(_Gzip),
    ".tar.bz2": _tar_of(bz2.BZ2Decompressor),
    ".tar.xz": _tar_of(lambda: lzma.LZMADecompressor(memlimit=_XZ_BYTES)),
}
_ZIPPED_SDIST = ".zip"
_ZIPS = (names.WHEEL, names.EGG, _ZIPPED_SDIST)
