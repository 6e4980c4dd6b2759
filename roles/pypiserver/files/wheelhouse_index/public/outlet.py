"""The only way to ask upstream: NGINX, on a unix socket. It lets nothing through of a name that is private."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ..fact_store.marks import Marks
from .declining import Declined, away, busy, no_project
from .upstream_page import LARGE_BYTES, LARGEST_BYTES

# Below the folder of the sockets.
PLACE = "nginx/out.sock"
# Seconds for which a client waits for upstream: with an old page at hand, and without.
PATIENCE, DEADLINE = 1.0, 8.0
# For how long upstream is left alone after a 429, if it does not say, and at most.
_PAUSE_SECONDS, _LONGEST_PAUSE = 10, 3600
_PIECE_BYTES = 64 * 1024
_STALE = ("STALE", "UPDATING")
# Of each upstream, so many large pages are held in memory at once: until they are read.
_LARGE = 2


class Raw(NamedTuple):
    """What upstream says of a project.

    Attributes:
        body: of its page.
        content_type: of that.
        is_stale: whether it is an earlier page, as upstream cannot be asked.
    """

    body: bytes | bytearray
    content_type: str
    is_stale: bool


class Outlet:
    """Asks NGINX, which asks upstream.

    Args:
        place: the socket.
        marks: where a pause is noted, which all processes keep to.
        patience: seconds, as ``PATIENCE``.
        deadline: seconds, as ``DEADLINE``.
    """

    def __init__(self, place: Path, marks: Marks, patience: float = PATIENCE, deadline: float = DEADLINE) -> None:
        self._place = place
        self._marks = marks
        self._patience, self._deadline = patience, deadline
        self._lock = threading.Lock()
        self._large: dict[int, threading.BoundedSemaphore] = {}

    @contextmanager
    def page(self, number: int, url: str, project: str) -> Iterator[Raw]:
        """Have upstream's page: a new one if it comes soon, else the last known one, else a new one if it comes at all.

        Args:
            number: of the upstream.
            url: of it.
            project: the normalised name of a project that is not private.

        Raises:
            Declined: 404 if upstream says so, 429, 502 or 503 if there is none.
        """
        with ExitStack() as stack:
            yield self._page(number, url, project, stack)

    def _page(self, number: int, url: str, project: str, room: ExitStack) -> Raw:
        ways = [("kept", self._patience), ("last", self._patience), ("kept", self._deadline - self._patience)]
        wait = self._marks.paused(url)
        if wait:
            ways = [("last", self._patience)]
        failure = ""
        while ways:
            way, seconds = ways.pop(0)
            try:
                with ExitStack() as stack:
                    raw = self._asked(way, (number, url), project, seconds, stack)
                    room.push(stack.pop_all())
                    return raw
            except (http.client.HTTPException, ConnectionResetError) as error:
                # By upstream, or by NGINX, which cannot write to its cache.
                failure = f"its answer breaks off ({type(error).__name__})"
                if way == "kept":
                    ways = [("unkept", self._deadline), ("last", self._patience)]
            except OSError as error:
                failure = failure or f"it does not answer ({error})"
            except Declined as error:
                if way != "last":
                    raise
                failure = failure or error.reason
        if wait:
            raise busy(wait)
        raise away(f"The public index cannot be asked for {project}: {failure}. Try again in a while.")

    def content(self, place: str, seconds: float, take: Callable[[bytes], object], fresh: bool = False) -> None:
        """Read a file as clients get it.

        Args:
            place: host and path.
            seconds: that the next bytes are waited for.
            take: gets the bytes, piece by piece.
            fresh: whether to have upstream asked for all of it once more.

        Raises:
            OSError, HTTPException: if it does not come whole.
        """
        connection = self._connection(seconds)
        try:
            connection.request("GET", f"/file/{quote(place, safe='/:')}", headers={"X-Fresh": "1"} if fresh else {})
            answer = connection.getresponse()
            if answer.status != 200:
                raise OSError(f"the answer is {answer.status}")
            while piece := answer.read1(_PIECE_BYTES):
                take(piece)
            _check_whole(answer)
        finally:
            connection.close()

    def _asked(self, way: str, upstream: tuple[int, str], project: str, seconds: float, room: ExitStack) -> Raw:
        """Ask in one of the ways; raises OSError or HTTPException if the answer does not come in time, or not whole.

        Args:
            way: one that NGINX has.
            upstream: its number and address.
            project: whose page.
            seconds: that it may take.
            room: keeps the room for a large page.
        """
        number, url = upstream
        until = time.monotonic() + seconds
        connection = self._connection(seconds)
        try:
            connection.request("GET", f"/{way}/{number}/{project}")
            answer = connection.getresponse()
            self._check(answer, url, project)
            body = bytearray()
            has_room = False
            while piece := answer.read1(_PIECE_BYTES):
                body += piece
                if len(body) > LARGE_BYTES and not has_room:
                    self._enter_large(number, until, room)
                    has_room = True
                if len(body) > LARGEST_BYTES:
                    raise away(
                        f"The public index's page of {project} has more than {LARGEST_BYTES // 1024 // 1024} MB."
                    )
                if time.monotonic() > until:
                    raise TimeoutError("too slow")
            _check_whole(answer)
            is_stale = way == "last" or answer.getheader("X-Cache", "") in _STALE
            return Raw(body, answer.getheader("Content-Type", ""), is_stale)
        finally:
            connection.close()

    def _enter_large(self, number: int, until: float, room: ExitStack) -> None:
        """Wait for room for a large page; raises TimeoutError."""
        with self._lock:
            large = self._large.setdefault(number, threading.BoundedSemaphore(_LARGE))
        if not large.acquire(timeout=max(until - time.monotonic(), 0)):
            raise TimeoutError("other large pages are being read")
        room.callback(large.release)

    def _check(self, answer: http.client.HTTPResponse, url: str, project: str) -> None:
        """Raise Declined for an answer that is no page."""
        # Several where NGINX has asked more than once.
        said = (answer.getheader("X-Upstream", "").split() or [""])[-1]
        if said == "429" or answer.status == 429:
            wait = _seconds(answer.getheader("Retry-After", ""))
            self._marks.pause(url, wait)
            if answer.status == 429:
                raise busy(wait)
        if answer.status == 200:
            return
        if answer.status == 404 and (said or answer.getheader("X-Cache")):
            raise no_project(project)
        if answer.status in (404, 503) and not said:
            # NGINX itself: claims are being collected, or the project has one by now.
            raise Declined(503, "Private names are being collected. Try again in a moment.", retry_after=1)
        raise away(f"The public index answers {said or answer.status} for {project}. Try again in a while.")

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost", timeout=seconds)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(seconds)
            connection.sock.connect(str(self._place))
        except OSError:
            connection.close()
            raise
        return connection


def _check_whole(answer: http.client.HTTPResponse) -> None:
    # In chunks, reading itself raises; a length that is not reached does not.
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)


def _seconds(said: str) -> int:
    """Return for how long upstream wants to be left alone: it says seconds, or a date."""
    if said.isdecimal() and len(said) < 10:
        seconds = int(said)
    else:
        try:
            seconds = int(parsedate_to_datetime(said).timestamp() - time.time()) + 1
        except (ValueError, OverflowError):
            seconds = _PAUSE_SECONDS
    return min(max(seconds, 1), _LONGEST_PAUSE)
