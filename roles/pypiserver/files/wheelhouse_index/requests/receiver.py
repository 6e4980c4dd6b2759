"""Takes forms from NGINX, which passes their bodies on while they arrive: a thread for each, on a unix socket.

The socket is in a folder of the account's alone: what connects there is NGINX, and what its headers say of a login is so.
"""

from __future__ import annotations

import logging
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, parse_headers
from io import BufferedReader
from typing import TypeVar

from ..common.accepting import accept
from ..common.answers import Answer, Refusal
from .forms import CHUNK_BYTES, TRUNCATED, Body, MalformedFormError

log = logging.getLogger(__name__)
# Seconds that a client may be waited for in all, and so many more as this rate of bytes a second allows. NGINX ends a silence.
GRACE_SECONDS = 60.0
LEAST_RATE = 10_000
TOO_SLOW = f"The upload is too slow: it needs {LEAST_RATE // 1000} kB a second. Try again from a faster network."
BUSY = "This index takes no more uploads at the moment. Try again in a minute."
# NGINX closes a connection as soon as it has an answer.
_LINGER_SECONDS = 30.0
# The same where all other uploads wait meanwhile.
_REFUSAL_SECONDS = 0.2
# The longest line that begins a request, or says how long the next piece of a chunked body is.
_LINE_BYTES = 100
# Of a large body that comes in small pieces, as by HTTP/2, more is there in a moment: so many bytes, bytes and seconds.
# Not of one in chunks: a read ends with its chunk.
_LARGE_BYTES, _SMALL_BYTES, _MOMENT = 1024 * 1024, 64 * 1024, 0.001

_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}\r\n")

T = TypeVar("T")
# The last one says whether NGINX still waits for the answer.
Change = Callable[[Mapping[str, str], Body, Callable[[], bool]], Answer]


class Receiver:
    """A thread that takes connections.

    Args:
        listening: where NGINX connects. Several processes may share it.
        change: does what a form asks for.
        most: how many uploads it takes at once. NGINX does not count those whose client has hung up.
        stopping: whether it takes no more.
    """

    def __init__(self, listening: socket.socket, change: Change, most: int, stopping: threading.Event) -> None:
        self._listening = listening
        self._stopping = stopping
        self._change = change
        self._room = threading.BoundedSemaphore(most)

    def start(self) -> None:
        """Start the thread. It ends with the process, which waits for the uploads that it has begun."""
        threading.Thread(target=self._run, name="receiver", daemon=True).start()

    def _run(self) -> None:
        accept(self._listening, self._stopping, self._begin, "An upload")

    def _begin(self, connection: socket.socket) -> None:
        """Answer in a thread, or refuse at once.

        Raises:
            RuntimeError: if there may be no more threads.
        """
        if self._stopping.is_set() or not self._room.acquire(blocking=False):
            with suppress(OSError), connection:
                _say(connection, Answer(503, BUSY, [("Retry-After", "60")]), _REFUSAL_SECONDS)
            return
        try:
            threading.Thread(target=self._answer, args=(connection,), name="upload", daemon=False).start()
        except RuntimeError:
            self._room.release()
            connection.close()
            raise

    def _answer(self, connection: socket.socket) -> None:
        try:
            answer(connection, self._change)
        finally:
            self._room.release()


def answer(connection: socket.socket, change: Change) -> None:
    """Read a request, have done what it asks for, and answer; NGINX makes a connection for each."""
    # NGINX may have hung up: the client has.
    with suppress(ConnectionError, TimeoutError), connection, connection.makefile("rb") as file:
        connection.settimeout(GRACE_SECONDS)
        request = _Request(connection, file)
        if request.is_any:
            _say(connection, request.answer(change), _LINGER_SECONDS)


def _say(connection: socket.socket, said: Answer, seconds: float) -> None:
    status, headers, body = said.parts()
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]
    connection.settimeout(seconds)
    connection.sendall("\r\n".join(lines).encode() + body)
    # To close while NGINX is still sending would make a 502 of the answer: read on until it closes.
    connection.shutdown(socket.SHUT_WR)
    until = time.monotonic() + seconds
    while time.monotonic() < until and connection.recv(CHUNK_BYTES):
        pass


class _Request:
    """A request as it arrives; its body is read where what it asks for is done.

    Attributes:
        is_any: whether there is one. A health check connects and hangs up.
    """

    def __init__(self, connection: socket.socket, file: BufferedReader) -> None:
        self._connection = connection
        self._file = file
        self._received, self._size, self._waited = 0, 0, 0.0
        # Of the body: what is left of it, or of a piece of it.
        self._left, self._chunked = 0, False
        self._line = self._file.readline(_LINE_BYTES)
        self.is_any = bool(self._line)

    def answer(self, change: Change) -> Answer:
        """Return the answer to it."""
        if self._line != b"POST /_upload HTTP/1.1\r\n":
            return Answer(405, "Only forms are taken here, by the index's own NGINX.")
        try:
            headers = parse_headers(self._file)
            self._chunked = "Transfer-Encoding" in headers
            self._left = 0 if self._chunked else max(int(headers.get("Content-Length", "0")), 0)
        except (HTTPException, ValueError):
            return Answer(400, "Unreadable headers.")
        return change(dict(headers.items()), self, self.is_awaited)

    def is_awaited(self) -> bool:
        """Tell whether NGINX still waits for the answer: it hangs up when the client does."""
        hung_up = select.poll()
        hung_up.register(self._connection, 0)
        return not hung_up.poll(0)

    def readinto(self, buffer: memoryview, /) -> int:
        """Read some of the body; as ``forms.Body`` says it."""
        while self._chunked and not self._left:
            line = self._wait(lambda: self._file.readline(_LINE_BYTES))
            # Before each size but the first, a line ends.
            if line.strip():
                if not _SIZE.match(line):
                    raise MalformedFormError("Malformed chunk.")
                self._left = int(line, 16)
                self._chunked = self._left > 0
        if not self._left:
            return 0
        if not self._chunked and self._received > _LARGE_BYTES and self._size < _SMALL_BYTES:
            time.sleep(_MOMENT)
        self._size = size = self._wait(lambda: self._file.readinto1(buffer[: self._left]))
        self._left -= size
        self._received += size
        return size

    def _wait(self, read: Callable[[], T]) -> T:
        """Read something, for which the client is not waited too long."""
        before = time.monotonic()
        allowed = GRACE_SECONDS + self._received / LEAST_RATE - self._waited
        try:
            self._connection.settimeout(max(allowed, 0.001))
            found = read()
        except TimeoutError as error:
            raise Refusal(408, TOO_SLOW) from error
        except ConnectionError as error:
            raise MalformedFormError(TRUNCATED) from error
        if not found:
            raise MalformedFormError(TRUNCATED)
        self._waited += time.monotonic() - before
        return found
