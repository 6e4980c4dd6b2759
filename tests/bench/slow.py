"""Figures of slow publishers: what others notice of many who send little by little."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from threading import Event, Thread
from urllib.parse import urlsplit

from .figures import Figure
from .hosts import BenchError
from .load import right
from .pace import Pace, in_turn
from .sides import TOKENS, Side
from .writing import upload_times

# One login may have 50 uploads at a time, so they are of eight.
_PUBLISHERS = 200
_BYTES_A_SECOND = 1000
# Longer than a measurement: an upload that is too slow ends after 60 s.
_BODY = 1_000_000
_UPLOADS = 10
# So many that pages leave some of the processor: else the wait for it is all that is measured.
_CONNECTIONS = 2


def publishers(pace: Pace, ours: Side) -> Iterator[Figure]:
    """How long pages and uploads take beside 200 publishers who send 1 kB a second, and without them."""
    pages: dict[bool, list[float]] = {True: [], False: []}
    uploads: dict[bool, list[float]] = {True: [], False: []}

    def measure(crowded: bool) -> float:
        with ExitStack() as stack:
            if crowded:
                stack.enter_context(_sending(ours))
            pages[crowded].append(right(ours, ours.page(), max(pace.seconds, 3), connections=_CONNECTIONS).p99_ms)
            releases, _first = upload_times(ours, _UPLOADS)
            uploads[crowded].append(median(releases))
        return 0

    in_turn(pace.rounds, lambda: measure(True), lambda: measure(False))
    yield Figure.quotient("slow_publishers_page", pages[True], pages[False])
    yield Figure.quotient("slow_publishers_upload", uploads[True], uploads[False])


@contextmanager
def _sending(side: Side) -> Iterator[None]:
    """Have the slow publishers there.

    Raises:
        BenchError: if the index has ended an upload meanwhile: then they were not all there.
    """
    parts = urlsplit(side.url)
    assert parts.hostname
    ended = Event()
    with ExitStack() as stack:
        there = []
        for number in range(_PUBLISHERS):
            connection = stack.enter_context(socket.create_connection((parts.hostname, parts.port or 80)))
            connection.sendall(_head(side, number))
            there.append(connection)

        def send() -> None:
            while not ended.wait(1):
                for connection in there:
                    connection.send(b"-" * _BYTES_A_SECOND)

        thread = Thread(target=send)
        thread.start()
        # Until all have sent something.
        ended.wait(2)
        try:
            yield
        finally:
            ended.set()
            thread.join()
        for connection in there:
            connection.setblocking(False)
            try:
                raise BenchError(f"{side.name}: a slow upload ended too early: {connection.recv(200)!r}")
            except BlockingIOError:
                pass
    # Until NGINX no longer counts them: the next 200 may come at once, and 256 are the most that it takes.
    time.sleep(1)


def _head(side: Side, number: int) -> bytes:
    """Return how an upload begins, up to the first bytes of its file."""
    login = TOKENS[number % len(TOKENS)]
    part = 'Content-Disposition: form-data; name="content"; filename="slow-1.0-py3-none-any.whl"'
    form = f'--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n--edge\r\n{part}\r\n\r\n'
    lines = ["POST / HTTP/1.1", f"Host: {urlsplit(side.url).netloc}", f"Content-Length: {_BODY}"]
    lines += ["Content-Type: multipart/form-data; boundary=edge"]
    lines += [f"{name}: {value}" for name, value in login.header().items()]
    return "\r\n".join([*lines, "", form]).encode()
