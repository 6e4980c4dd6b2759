"""The forms of uploads, taken apart as they arrive: files go straight to packages/.incoming, and are hashed on the way.

Pypiserver's own parser looks at a body line by line, after it has written it to disk once, and writes each file once more.
What is read here is put where it would put it (``bottle.request.post``), so pypiserver finds the form read already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, BinaryIO

from pypiserver.bottle_wrapper import FileUpload, FormsDict

from . import incoming

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# What stays in a core's own cache is handled faster than a megabyte is.
CHUNK_BYTES = 128 * 1024
HEADER_BYTES = 4 * 1024
# Of all fields that are no files together: twine and uv send the project's description as well.
FIELDS_BYTES = 16 * 1024 * 1024
PARTS = 200
# A distribution file and its signature.
FILES = 2
_PARSED = "bottle.request.post"
# RFC 2046: up to 70 of these.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
# The parser of headers raises at these what is no word about forms.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class MalformedFormError(ValueError):
    """What arrived is no form, or not all of one."""


class Forms:
    """A WSGI application in front of pypiserver's, which reads the forms of uploads.

    Args:
        application: pypiserver's.
        packages: the folder of the distribution files.
        failed: answers where a form could not be read.
    """

    def __init__(self, application: WsgiApp, packages: Path, failed: Callable[[Exception], tuple[str, str]]) -> None:
        self._application = application
        self._packages = packages
        self._failed = failed

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Read the form if there is one, and let pypiserver answer."""
        boundary = boundary_of(environ)
        if not boundary:
            return self._application(environ, start_response)
        # An upload is answered in one go: what has not been published by then is removed.
        body = _in_large_pieces(environ["wsgi.input"])
        with ExitStack() as stack:
            try:
                form = read(body, boundary, lambda: stack.enter_context(incoming.arriving(self._packages)))
            except (MalformedFormError, OSError) as error:
                # Who is still sending does not hear an answer.
                while body.read(CHUNK_BYTES):
                    pass
                status, text = self._failed(error)
                content = f"{text}\n".encode()
                headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))]
                start_response(status, headers)
                return [content]
            environ[_PARSED] = form
            return list(self._application(environ, start_response))


def _in_large_pieces(body: Any) -> Any:
    """Return what gunicorn's body reads from: the body itself asks it for a kilobyte at a time."""
    reader = getattr(body, "reader", None)
    connection: Any = getattr(reader, "unreader", None)
    if not hasattr(connection, "mxchunk"):
        return body
    connection.mxchunk = CHUNK_BYTES
    return reader


def boundary_of(environ: dict[str, Any]) -> bytes:
    """Return what separates the parts of a request's form; empty where it has none that is read here."""
    if environ.get("REQUEST_METHOD") != "POST" or environ.get("PATH_INFO") != "/":
        return b""
    header = Message()
    header["Content-Type"] = environ.get("CONTENT_TYPE", "")
    boundary = str(header.get_param("boundary", "")).encode("latin-1", "replace")
    is_form = header.get_content_type() == "multipart/form-data"
    return boundary if is_form and _BOUNDARY.fullmatch(boundary) else b""


def read(stream: BinaryIO, boundary: bytes, new_file: Callable[[], incoming.Arriving]) -> FormsDict:
    """Take a form apart.

    Args:
        stream: the request's body.
        boundary: what separates its parts.
        new_file: makes a place for a file.

    Returns:
        Fields as text, and files, as pypiserver's own parser gives them.

    Raises:
        MalformedFormError: if it is none, or ends too soon.
        OSError: if there is no room.
    """
    form = FormsDict()
    form.recode_unicode = False
    for headers, content in _parts(_Body(stream), b"\r\n--" + boundary, new_file):
        name = str(headers.get_param("name", "", "content-disposition"))
        if isinstance(content, bytes):
            form[name] = content.decode("utf-8", "replace")
        else:
            filename = str(headers.get_param("filename", "", "content-disposition"))
            form[name] = FileUpload(content, name, filename, dict(headers.items()))
    return form


def _parts(
    body: _Body, mark: bytes, new_file: Callable[[], incoming.Arriving]
) -> Iterator[tuple[Message, bytes | incoming.Arriving]]:
    """Yield each part's headers and content."""
    left, files = FIELDS_BYTES, FILES
    # What stands before the first part is nobody's.
    body.until(mark, lambda data: None)
    for number in range(PARTS + 1):
        end = body.take(2)
        if end == b"--":
            return
        if number == PARTS:
            raise MalformedFormError("The form has too many parts.")
        if end != b"\r\n":
            raise MalformedFormError("The form has something behind a boundary.")
        # With the break before it, the blank line is found where there is no header as well.
        body.put_back(b"\r\n")
        head = _Limited(HEADER_BYTES)
        body.until(b"\r\n\r\n", head.write)
        if _CONTROL.search(head.data):
            raise MalformedFormError("A part of the form has a control character in its header.")
        try:
            headers = BytesHeaderParser().parsebytes(bytes(head.data).lstrip())
            is_file = headers.get_param("filename", None, "content-disposition") is not None
        except Exception as error:  # of email's parser, which raises what comes
            raise MalformedFormError("A part of the form has headers that cannot be read.") from error
        if is_file:
            files -= 1
            if files < 0:
                raise MalformedFormError("The form has too many files.")
            file = new_file()
            body.until(mark, file.write)
            file.finish()
            yield headers, file
        else:
            field = _Limited(left)
            body.until(mark, field.write)
            left -= len(field.data)
            yield headers, bytes(field.data)


class _Limited:
    """Bytes in memory, up to a number."""

    def __init__(self, most: int) -> None:
        self.data = bytearray()
        self._most = most

    def write(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > self._most:
            raise MalformedFormError("A part of the form is too large.")


class _Body:
    """A request's body, read in large pieces. It begins with a line break, as the first boundary has none before it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead = b"\r\n"

    def put_back(self, data: bytes) -> None:
        """Have something read once more."""
        self._ahead = data + self._ahead

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        while len(self._ahead) < size:
            self._more()
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    def until(self, mark: bytes, write: Callable[[bytes], Any]) -> None:
        """Hand on what comes before a mark, and go on behind it."""
        keep = len(mark) - 1
        while (at := self._ahead.find(mark)) < 0:
            if len(self._ahead) > keep:
                write(self._ahead[:-keep])
                self._ahead = self._ahead[-keep:]
            self._more()
        write(self._ahead[:at])
        self._ahead = self._ahead[at + len(mark) :]

    def _more(self) -> None:
        data = self._stream.read(CHUNK_BYTES)
        if not data:
            raise MalformedFormError("The form did not arrive whole.")
        self._ahead += data
