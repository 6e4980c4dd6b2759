"""The core metadata inside distribution files, read with limits: an archive may be broken, or made to do harm."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import struct
import tarfile
import zipfile
import zlib
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import PurePosixPath
from typing import BinaryIO

from pypiserver.pkg_helpers import guess_pkgname_and_version, normalize_pkgname

from .entry import Facts

# PyPI's own files stay far below all of these. Bytes, but for the entries.
METADATA_BYTES = 4 * 1024 * 1024
DIRECTORY_BYTES = 16 * 1024 * 1024
UNPACKED_BYTES = 64 * 1024 * 1024
ENTRIES = 20_000
# From this version on, what is not marked as dynamic in an sdist is true of the wheels made of it (PEP 643).
SDIST_VERSION = (2, 2)

_SPECIFIERS = re.compile(r"[A-Za-z0-9 .,*+!<>=~_-]{1,200}")
# What the libraries below raise on archives that are not what they say.
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError, KeyError,
           NotImplementedError, struct.error, RecursionError, MemoryError, LookupError)  # fmt: skip


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
        headers = BytesHeaderParser().parsebytes(content)
        if not content or not _is_of(headers, name):
            return "", b""
    except _BROKEN:
        return "", b""
    served = name.endswith(".whl") or _is_static(headers)
    return _requires_python(headers), content if served else b""


def facts(name: str, file: BinaryIO, sha256: str) -> tuple[Facts, bytes]:
    """Return what is known of a file with this digest, and its core metadata."""
    requires_python, content = read(name, file)
    digest = hashlib.sha256(content).hexdigest() if content else ""
    return Facts(sha256, requires_python, digest), content


def _of_wheel(file: BinaryIO) -> bytes:
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        members = [one for one in archive.infolist() if _is_metadata(one.filename)]
        if len(members) != 1 or members[0].file_size > METADATA_BYTES:
            return b""
        with archive.open(members[0]) as member:
            # Not what the directory says, but what comes out is what counts.
            content = member.read(METADATA_BYTES + 1)
        return content if len(content) <= METADATA_BYTES else b""


def _is_metadata(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 2 and parts[0].endswith(".dist-info") and parts[1] == "METADATA"


def _check_directory(file: BinaryIO) -> None:
    """Refuse a zip whose directory is huge: zipfile would hold all of it in memory.

    Raises:
        zipfile.BadZipFile: where it is, or where there is no directory.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 65_536 - 22, 0))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise zipfile.BadZipFile("there is no directory")
    count, size = struct.unpack_from("<HL", tail, at + 10)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        (where,) = struct.unpack_from("<Q", tail, at - 12)
        file.seek(min(where, end))
        record = file.read(56)
        count, size = struct.unpack_from("<QQ", record, 32)
    if size > DIRECTORY_BYTES or count > ENTRIES * 5:
        raise zipfile.BadZipFile("the directory is too large")
    file.seek(0)


class _Limited:
    """A stream that ends in an error once more has come out of it than an sdist needs."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("too much comes out of this archive")
        return data


def _of_tar(file: BinaryIO) -> bytes:
    """Return the PKG-INFO at the top of an sdist."""
    unpacked = _Limited(gzip.GzipFile(fileobj=file))
    with tarfile.open(fileobj=unpacked, mode="r|") as archive:  # type: ignore[call-overload]
        for number, member in enumerate(archive):
            parts = PurePosixPath(member.name).parts
            if number > ENTRIES:
                break
            if len(parts) == 2 and parts[1] == "PKG-INFO" and member.isreg() and member.size <= METADATA_BYTES:
                found = archive.extractfile(member)
                return found.read(METADATA_BYTES) if found else b""
    return b""


def _is_of(headers: Message, name: str) -> bool:
    """Tell whether metadata name the project and version that the file's name does."""
    project, version = guess_pkgname_and_version(name) or ("", "")
    own = _text(headers.get("Name"))
    return bool(project and own and version and normalize_pkgname(own) == normalize_pkgname(project))


def _is_static(headers: Message) -> bool:
    """Tell whether an sdist's metadata hold for what is built of it."""
    match = re.fullmatch(r"(\d+)\.(\d+)", _text(headers.get("Metadata-Version")))
    return bool(match) and (int(match[1]), int(match[2])) >= SDIST_VERSION and not headers.get_all("Dynamic")


def _requires_python(headers: Message) -> str:
    value = _text(headers.get("Requires-Python"))
    # What is no specifier must not get into a page.
    return value if _SPECIFIERS.fullmatch(value) else ""


def _text(value: object) -> str:
    return str(value or "").strip()
