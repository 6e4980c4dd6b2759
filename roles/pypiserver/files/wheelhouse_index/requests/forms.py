"""The forms of uploads, taken apart as they arrive: files go straight to packages/.incoming, and are hashed on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from functools import partial
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ..files import incoming

# As much as a socket holds. What stays in a core's own cache is handled faster than a megabyte is.
CHUNK_BYTES = 256 * 1024
HEADER_BYTES = 4 * 1024
# Of all parts that are no files together, headers included: a large description, or thousands of requirements.
FIELDS_BYTES = 16 * 1024 * 1024
# The fields that something here reads. Of the others, such as a description, only the size counts.
KEPT = frozenset(
    {
        ":action",
        "attestations",
        "filename",
        "name",
        "reason",
        "requires_python",
        "sha256_digest",
        "status",
        "version",
    }
)
# Of these together, headers included: attestations of a megabyte, and the rest.
KEPT_BYTES = 1536 * 1024
# Public packages have more than a thousand requirements, each a field; what has many times as many is none of theirs.
FIELDS = 4000
# What a part costs here beside its bytes.
_PART_BYTES = 200
# A distribution file and its signature.
FILES = 2
# Of a form without files.
URLENCODED_BYTES = 64 * 1024
# RFC 2046: up to 70 of these.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
# The parser of headers raises at these what is no word about forms.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What publishers send: a form has thousands of these, and email's parser takes its time.
_USUAL = re.compile(
    rb'Content-Disposition: form-data; name="([^"\\\r\n%]*)"(?:; filename="([^"\\\r\n%]*)")?'
    rb"(?:\r\nContent-Type: [^\r\n]*)?",
    re.IGNORECASE,
)


_TOO_MUCH = "The form's fields are larger than"
TRUNCATED = "Truncated request body. Send it again."


class MalformedFormError(ValueError):
    """What arrived is no form, or not all of one."""


@dataclass(frozen=True)
class File:
    """A file of a form: the name that the client gives it, and its content."""

    name: str
    content: incoming.Arriving


@dataclass
class Form:
    """A form: those of its fields that are read, in UTF-8, and its files, by name and in their order."""

    fields: list[tuple[str, bytes | bytearray]] = field(default_factory=list)
    files: list[tuple[str, File]] = field(default_factory=list)

    def value(self, name: str) -> str:
        """Return the value of a field without space around it; empty where it is missing.

        Raises:
            KeyError: if it is none that is kept.
            MalformedFormError: if the form has it twice.
        """
        if name not in KEPT:
            raise KeyError(name)
        found = [value for own, value in self.fields if own == name]
        if len(found) > 1:
            raise MalformedFormError(f"The form has more than one field {name}. Send one.")
        return found[0].decode("utf-8", "replace").strip() if found else ""

    def file(self, name: str) -> File | None:
        """Return a file; None where it is missing.

        Raises:
            MalformedFormError: if the form has it twice.
        """
        found = [file for own, file in self.files if own == name]
        if len(found) > 1:
            raise MalformedFormError(f"The form has more than one file {name}. Send one.")
        return next(iter(found), None)


# Of a form as far as it has arrived, a file's name, and how many bytes its files will have at least.
NewFile = Callable[[Form, str, int], incoming.Arriving]


class Body(Protocol):
    """What a request's body is read from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read some of it into a buffer; return how many bytes, none at the end.

        Raises:
            MalformedFormError: if it ends before all has arrived.
            Refusal: if it does not arrive in time.
        """


def read(kind: str, body: Body, new_file: NewFile, length: int = 0) -> Form:
    """Take a form apart.

    Args:
        kind: the content type.
        body: of the request; all of it is read.
        new_file: makes a place for a file; it gets what came before it, and may refuse that.
        length: of the body in bytes; 0 where that is not known before it ends.

    Raises:
        MalformedFormError: if it is none, or ends too soon.
        OSError: if there is no room.
        Refusal: of ``new_file`` and of the body.
    """
    kind, boundary = _kind(kind)
    ahead = _Ahead(body, length)
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(ahead)
    if kind != "multipart/form-data" or not _BOUNDARY.fullmatch(boundary):
        raise MalformedFormError("Send a form: Content-Type: multipart/form-data with a boundary.")
    form = Form()
    for name, filename, content in _parts(ahead, b"\r\n--" + boundary, partial(new_file, form)):
        if isinstance(content, bytearray):
            form.fields.append((name, content))
        else:
            form.files.append((name, File(filename or "", content)))
    return form


def _kind(text: str) -> tuple[str, bytes]:
    """Return a content type, and the boundary that it names."""
    try:
        header = Message()
        header["Content-Type"] = text
        return header.get_content_type(), str(header.get_param("boundary", "")).encode("latin-1", "replace")
    except Exception as error:  # of email's parser, which raises what comes
        raise MalformedFormError("Unreadable Content-Type.") from error


def _urlencoded(body: _Ahead) -> Form:
    content = _Limited(URLENCODED_BYTES, "This form is too large: send it as multipart/form-data.")
    body.take(2)
    body.rest(content.write)
    try:
        found = parse_qsl(content.data.decode("utf-8", "replace"), keep_blank_values=True)
    except ValueError as error:
        raise MalformedFormError("Unreadable form.") from error
    return Form([(name, value.encode()) for name, value in found if name in KEPT])


def _parts(
    body: _Ahead, mark: bytes, new_file: Callable[[str, int], incoming.Arriving]
) -> Iterator[tuple[str, str | None, bytearray | incoming.Arriving]]:
    """Yield the name, the file's name, and the content of each part that is kept."""
    left, left_kept, fields, files = FIELDS_BYTES, KEPT_BYTES, FIELDS, FILES
    # What stands before the first part is not part of the form.
    body.until(mark, lambda data: None)
    while True:
        end = body.take(2)
        if end == b"--":
            # What stands behind the last part is not part of the form, and counts all the same.
            body.rest(_Limited(left, f"{_TOO_MUCH} {FIELDS_BYTES} bytes.", is_kept=False).write)
            return
        if end != b"\r\n":
            raise MalformedFormError("Malformed form: CR LF has to follow each boundary.")
        # With the break before it, the blank line is found where there is no header as well.
        body.back(2)
        head = _Limited(HEADER_BYTES)
        body.until(b"\r\n\r\n", head.write)
        name, filename = _named(bytes(head.data).lstrip())
        left -= head.size + _PART_BYTES
        if left < 0:
            raise MalformedFormError(f"{_TOO_MUCH} {FIELDS_BYTES} bytes.")
        if filename is not None:
            files -= 1
            if files < 0:
                raise MalformedFormError("The form has too many files: send one distribution file, and its signature.")
            # What is no file is limited, so the rest is files.
            file = new_file(filename, max(body.left() - left - FILES * _PART_BYTES, 0))
            body.until(mark, file.write)
            yield name, filename, file
        else:
            fields -= 1
            if fields < 0:
                raise MalformedFormError(f"The form has more than {FIELDS} fields. Send fewer.")
            value = _Limited(left, is_kept=False)
            if is_kept := name in KEPT:
                left_kept -= head.size + _PART_BYTES
                refusal = f"The form's field {name} is too large: send {KEPT_BYTES} bytes of such fields at most."
                value = _Limited(min(left, left_kept), refusal)
            body.until(mark, value.write)
            left -= value.size
            if is_kept:
                left_kept -= value.size
                yield name, None, value.data


def _named(head: bytes) -> tuple[str, str | None]:
    """Return the name of a part, and that of its file, if it is one."""
    if usual := _USUAL.fullmatch(head):
        name, filename = usual.groups()
        return name.decode("utf-8", "replace"), None if filename is None else filename.decode("utf-8", "replace")
    if _CONTROL.search(head):
        raise MalformedFormError("A part of the form has a control character in its header.")
    try:
        headers = BytesHeaderParser().parsebytes(head)
        name, filename = (headers.get_param(field, None, "content-disposition") for field in ("name", "filename"))
        return collapse_rfc2231_value(name or ""), None if filename is None else collapse_rfc2231_value(filename)
    except Exception as error:  # of email's parser, which raises what comes
        raise MalformedFormError("A part of the form has unreadable headers.") from error


class _Limited:
    """Bytes up to a number, kept in memory or only counted."""

    def __init__(self, most: int, refusal: str = "A part of the form is too large.", is_kept: bool = True) -> None:
        self.data, self.size = bytearray(), 0
        self._most, self._refusal, self._is_kept = most, refusal, is_kept

    def write(self, data: memoryview) -> None:
        self.size += len(data)
        if self.size > self._most:
            raise MalformedFormError(self._refusal)
        if self._is_kept:
            self.data += data


class _Ahead:
    """A request's body, read ahead into one buffer. It begins with a line break, as the first boundary has none before it."""

    def __init__(self, body: Body, length: int = 0) -> None:
        self._body = body
        self._unread = length
        # A piece of it counts until more is read.
        self._buffer = bytearray(CHUNK_BYTES)
        self._view = memoryview(self._buffer)
        self._buffer[:2] = b"\r\n"
        # What was read and not handed on: a buffer may hold thousands of small parts.
        self._at, self._end = 0, 2

    def left(self) -> int:
        """Return how many bytes are still to come; fewer where the body's length is not known."""
        return self._end - self._at + self._unread

    def back(self, size: int) -> None:
        """Have the last bytes read once more."""
        self._at -= size

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        while self._end - self._at < size:
            self._more()
        self._at += size
        return bytes(self._view[self._at - size : self._at])

    def until(self, mark: bytes, write: Callable[[memoryview], Any]) -> None:
        """Hand on what comes before a mark, and go on behind it."""
        keep = len(mark) - 1
        while (end := self._buffer.find(mark, self._at, self._end)) < 0:
            if self._end - self._at > keep:
                write(self._view[self._at : self._end - keep])
                self._at = self._end - keep
            self._more()
        write(self._view[self._at : end])
        self._at = end + len(mark)

    def rest(self, write: Callable[[memoryview], Any]) -> None:
        """Hand on all that comes."""
        while self._at < self._end or self._fill():
            write(self._view[self._at : self._end])
            self._at = self._end

    def _more(self) -> None:
        if not self._fill():
            raise MalformedFormError(TRUNCATED)

    def _fill(self) -> int:
        """Read more behind what is left, which is shorter than a mark; return how many bytes."""
        left = self._end - self._at
        self._buffer[:left] = self._buffer[self._at : self._end]
        size = self._body.readinto(self._view[left:])
        self._at, self._end = 0, left + size
        self._unread = max(self._unread - size, 0)
        return size
