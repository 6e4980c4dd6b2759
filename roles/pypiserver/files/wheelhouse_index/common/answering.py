"""Answers requests without a body from NGINX, on a unix socket: a thread for each, so that one that hangs holds up no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, parse_headers
from typing import Protocol

from .accepting import accept
from .answers import Answer

_LINE_BYTES = 8 * 1024
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2


class Said(Protocol):
    """What NGINX gets."""

    def parts(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status line, headers and body."""


class Answering:
    """A thread that takes connections, and one for each of them.

    Args:
        listening: where NGINX connects. Several processes may share it.
        answer: returns what is said to a request, by its first line and its headers.
        busy: what is said while too many are asked.
        stopping: whether it takes no more.
        most: how many requests it takes at once.
        name: of its threads.
    """

    def __init__(
        self,
        listening: socket.socket,
        answer: Callable[[str, Mapping[str, str]], Said],
        busy: Said,
        stopping: threading.Event,
        most: int,
        name: str,
    ) -> None:
        self._listening = listening
        self._said = answer
        self._busy = busy
        self._stopping = stopping
        self._name = name
        self._room = threading.BoundedSemaphore(most)

    def start(self) -> None:
        """Start the thread. It ends with the process."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        accept(self._listening, self._stopping, self._begin, f"A request ({self._name})")

    def _begin(self, connection: socket.socket) -> None:
        """Answer in a thread, or refuse at once; raises RuntimeError if there may be no more threads."""
        if not self._room.acquire(blocking=False):
            with suppress(OSError), connection:
                connection.settimeout(_PAUSE_SECONDS)
                _send(connection, self._busy)
                # What NGINX has sent, read: else closing would take the answer back.
                connection.recv(_LINE_BYTES)
            return
        try:
            name = f"{self._name}-request"
            threading.Thread(target=self._answer, args=(connection,), name=name, daemon=True).start()
        except RuntimeError:
            self._room.release()
            connection.close()
            raise

    def _answer(self, connection: socket.socket) -> None:
        try:
            # NGINX may have hung up.
            with suppress(OSError), connection, connection.makefile("rb") as file:
                connection.settimeout(_PATIENCE_SECONDS)
                line = file.readline(_LINE_BYTES)
                if not line:
                    return
                try:
                    headers = dict(parse_headers(file).items())
                except HTTPException:
                    _send(connection, Answer(400, "Unreadable headers."))
                    return
                _send(connection, self._said(line.decode("latin-1"), headers))
        finally:
            self._room.release()


def _send(connection: socket.socket, said: Said) -> None:
    status, headers, body = said.parts()
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
