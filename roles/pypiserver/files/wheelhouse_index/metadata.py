"""The core metadata inside distribution files, read with limits: an archive may be broken, or made to do harm."""

from __future__ import annotations

import hashlib
import re
import tarfile
import zipfile
import zlib
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Self

from pypiserver.pkg_helpers import guess_pkgname_and_version, normalize_pkgname

from .entry import Facts

# PyPI's own files stay far below all of these. Bytes, but for the entries of a tar.
METADATA_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 1024 * 1024
# At once, of a zip: its directory, for one.
READ_BYTES = 6 * 1024 * 1024
UNPACKED_BYTES = 64 * 1024 * 1024
ENTRIES = 20_000
# What is served beside a file has its name and a little more, within the 255 bytes that a name may have.
NAME_BYTES = 240
# From this version on, what is not marked as dynamic in an sdist is true of the wheels made of it (PEP 643).
SDIST_VERSION = (2, 2)

_CHUNK_BYTES = 64 * 1024
_ASKED_IN_VAIN = 100
# What wheels use. Of the others zipfile unpacks all that it has read, without a limit.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# PEP 440, as it is written in Requires-Python: without epochs and local versions.
_RELEASE = r"\d+(?:\.\d+)*"
_VERSION = rf"{_RELEASE}(?:\.?(?:a|b|c|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?"
_SPECIFIER = rf"(?:(?:[<>]=?|[=!]=) *{_VERSION}|[=!]= *{_RELEASE}\.\*|~= *\d+\.{_VERSION})"
_SPECIFIERS = re.compile(rf"{_SPECIFIER}(?: *, *{_SPECIFIER})* *,?", re.ASCII)
_SPECIFIERS_LENGTH = 200


def read(name: str, file: BinaryIO) -> tuple[str, bytes]:
    """Return what a distribution file says of itself.

    Args:
        name: the file's name.
        file: its content, which can be sought in.

    Returns:
        Its specifier of Python versions, and its core metadata, to be served beside it. Either is empty where the
        file has none, where the archive is broken, or where it is another project's.
    """
    try:
        if name.endswith(".whl"):
            content = _of_wheel(file)
        elif name.endswith(".tar.gz"):
            content = _of_tar(file)
        else:
            content = b""
        top = _BLANK_LINE.split(content, maxsplit=1)[0]
        if not top or len(top) > HEADER_BYTES:
            return "", b""
        headers = BytesHeaderParser().parsebytes(top)
        if not _is_of(headers, name):
            return "", b""
    except Exception:
        # Of whatever kind: on archives that are made to do harm, the libraries raise more than they say.
        return "", b""
    served = len(name.encode()) <= NAME_BYTES and (name.endswith(".whl") or _is_static(headers))
    return _requires_python(headers), content if served else b""


def facts(name: str, file: BinaryIO, sha256: str) -> tuple[Facts, bytes]:
    """Return what is known of a file with this digest, and its core metadata."""
    requires_python, content = read(name, file)
    digest = hashlib.sha256(content).hexdigest() if content else ""
    return Facts(sha256, requires_python, digest), content


def _of_wheel(file: BinaryIO) -> bytes:
    with zipfile.ZipFile(_Bounded(file)) as archive:
        members = [one for one in archive.infolist() if _is_metadata(one.filename)]
        if len(members) != 1 or members[0].file_size > METADATA_BYTES:
            return b""
        if members[0].compress_type not in _COMPRESSIONS:
            return b""
        with archive.open(members[0]) as member:
            # Not what the directory says, but what comes out is what counts.
            content = member.read(METADATA_BYTES + 1)
        return content if len(content) <= METADATA_BYTES else b""


def _is_metadata(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 2 and parts[0].endswith(".dist-info") and parts[1] == "METADATA"


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
            raise ValueError("too large to be read")
        data = self._file.read(READ_BYTES + 1 if size < 0 else size)
        if len(data) > READ_BYTES:
            raise ValueError("too large to be read")
        return data


class _Unpacked:
    """The beginning of what is in a gzip file: what comes out, and what goes in, is limited."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._left = UNPACKED_BYTES
        self._asked_in_vain = 0

    def read(self, size: int) -> bytes:
        while not self._inflate.eof and self._left > 0:
            packed = self._inflate.unconsumed_tail
            if not packed:
                packed = self._file.read(_CHUNK_BYTES)
                self._left -= len(packed)
                if not packed:
                    break
            if data := self._inflate.decompress(packed, size):
                self._left -= len(data)
                return data
        # To skip what is not there, tarfile reads on and on.
        self._asked_in_vain += 1
        if self._asked_in_vain > _ASKED_IN_VAIN:
            raise EOFError("the archive is shorter than it says")
        return b""


class _Member(tarfile.TarInfo):
    """A member of an archive; headers that speak of other members are small, or refused: tarfile holds all of them."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if not member.isfile() and not member.isdir() and member.size > HEADER_BYTES:
            raise tarfile.HeaderError("too large a header")
        return member


def _of_tar(file: BinaryIO) -> bytes:
    """Return the PKG-INFO at the top of an sdist."""
    with tarfile.open(fileobj=_Unpacked(file), mode="r|", tarinfo=_Member) as archive:  # type: ignore[call-overload]
        for number, member in enumerate(archive):
            parts = PurePosixPath(member.name).parts
            if number > ENTRIES:
                break
            if len(parts) == 2 and parts[1] == "PKG-INFO" and member.isreg() and member.size <= METADATA_BYTES:
                found = archive.extractfile(member)
                return found.read(METADATA_BYTES) if found else b""
    return b""


def _is_of(headers: Message, name: str) -> bool:
    """Tell whether metadata name the project that the file's name does."""
    project, version = guess_pkgname_and_version(name) or ("", "")
    own = _text(headers.get("Name"))
    return bool(project and own and version and normalize_pkgname(own) == normalize_pkgname(project))


def _is_static(headers: Message) -> bool:
    """Tell whether an sdist's metadata hold for what is built of it."""
    match = re.fullmatch(r"(\d+)\.(\d+)", _text(headers.get("Metadata-Version")))
    if match is None or headers.get_all("Dynamic"):
        return False
    return (int(match[1]), int(match[2])) >= SDIST_VERSION


def _requires_python(headers: Message) -> str:
    value = _text(headers.get("Requires-Python"))
    # What is no specifier must not get into a page.
    return value if len(value) <= _SPECIFIERS_LENGTH and _SPECIFIERS.fullmatch(value) else ""


def _text(value: object) -> str:
    """Return a header's value; a folded one on one line."""
    return " ".join(str(value or "").split())
