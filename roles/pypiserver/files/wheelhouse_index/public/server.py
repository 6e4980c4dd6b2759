"""Where NGINX asks about public projects: threads of its own, so that an upstream that hangs holds up nothing else."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException, parse_headers
from urllib.parse import unquote

from ..common.accepting import accept
from ..common.answers import Answer
from .declining import Declined, crowded
from .gate import MOST, Gate, Reply
from .rendering import FORMS
from .upstream_page import FILE_PATH

log = logging.getLogger(__name__)
BUSY = "This index takes no more requests for public projects at the moment. Try again in a second."
_LINE_BYTES = 8 * 1024
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_PROJECT = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_REQUEST = re.compile(r"GET (\S+) HTTP/1\.[01]\r\n")
_PAGE_OR_WHY = re.compile(rf"/(page|why)/({_PROJECT})")
_FILE = re.compile(rf"/file/({_PROJECT})/([a-z0-9.-]+(?::[0-9]+)?)/({FILE_PATH.pattern}(?:\.metadata)?)")


class PublicServer:
    """A thread that takes connections, and one for each of them.

    Args:
        listening: where NGINX connects. Several processes may share it.
        gate: decides.
        stopping: whether it takes no more.
        most: how many requests it takes at once.
    """

    def __init__(self, listening: socket.socket, gate: Gate, stopping: threading.Event, most: int = MOST) -> None:
        self._listening = listening
        self._gate = gate
        self._stopping = stopping
        self._room = threading.BoundedSemaphore(most)

    def start(self) -> None:
        """Start the thread. It ends with the process."""
        threading.Thread(target=self._run, name="public", daemon=True).start()

    def _run(self) -> None:
        accept(self._listening, self._stopping, self._begin, "A request for a public project")

    def _begin(self, connection: socket.socket) -> None:
        """Answer in a thread, or refuse at once; raises RuntimeError if there may be no more threads."""
        if not self._room.acquire(blocking=False):
            with suppress(OSError), connection:
                connection.settimeout(_PAUSE_SECONDS)
                _send(connection, crowded(BUSY).answer())
                # What NGINX has sent, read: else closing would take the answer back.
                connection.recv(_LINE_BYTES)
            return
        try:
            threading.Thread(target=self._answer, args=(connection,), name="public-request", daemon=True).start()
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
                _send(connection, answer(self._gate, line.decode("latin-1"), headers))
        finally:
            self._room.release()


def answer(gate: Gate, line: str, headers: Mapping[str, str]) -> Answer | Reply:
    """Return what NGINX gets.

    Args:
        gate: decides.
        line: that the request begins with.
        headers: of the request.
    """
    try:
        request = _REQUEST.fullmatch(line)
        path = unquote(request[1]) if request else ""
        digest = headers.get("X-Policy", "")
        if found := _PAGE_OR_WHY.fullmatch(path):
            if found[1] == "why":
                text = gate.why(found[2], digest).encode()
                return Reply([("Content-Type", "text/plain; charset=utf-8"), ("X-Accel-Expires", "0")], text)
            form = headers.get("X-Form", "")
            return gate.page(found[2], digest, form if form in FORMS else "html")
        if found := _FILE.fullmatch(path):
            return gate.file(found[1], f"{found[2]}/{found[3]}", digest)
        raise Declined(404, "There is no such address on this index.")
    except Declined as error:
        return error.answer()
    except Exception:
        # A bug of ours.
        log.exception("A request for a public project failed: %s", line.strip())
        return Answer(500, "This index failed on that request; the log of pypi-server names the reason.")


def _send(connection: socket.socket, said: Answer | Reply) -> None:
    if isinstance(said, Reply):
        status, body = "200 OK", said.body
        headers = [*said.headers, ("Content-Length", str(len(body)))]
    else:
        status, headers, body = said.parts()
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
