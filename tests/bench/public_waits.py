"""Figures of waits for upstream: the first byte of what is not cached, and private pages while upstream hangs."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from itertools import count
from socket import create_connection
from urllib.parse import urlsplit

from tests.ground.public_index import FILES
from tests.support.public_index import PublicIndex

from .figures import Figure
from .hosts import SERVING, BenchError, address
from .load import CONNECTIONS, started
from .pace import Pace, in_turn
from .public import LARGE, Sides, got, paths_of
from .public_installs import emptied
from .reading import per_second
from .sides import Side

# Longer than the index waits for upstream: some requests get their answer, and others take their place.
_HANG_SECONDS = 10
_NAMES_AT_ONCE = 100
_names = count(1)


def first_byte(pace: Pace, sides: Sides) -> Iterator[Figure]:
    """Seconds until the first byte of the 500 MB wheel, whose page is cached and nothing of itself, and without an index."""
    (path,) = paths_of(sides.ours, LARGE)

    def cold() -> float:
        emptied()
        got(sides.ours, sides.ours.page(LARGE))
        return _until_first_byte(sides.ours, sides.ours.url, path)

    direct = partial(_until_first_byte, sides.direct, f"https://{FILES}", path.partition(f"/{FILES}")[2])
    here, there = in_turn(pace.rounds, cold, direct)
    yield Figure.quotient("upstream_first_byte", here, there)
    yield Figure.of("upstream_first_byte_ms", "ms", [1000 * one for one in here])


def _until_first_byte(side: Side, url: str, path: str) -> float:
    """Ask for a file on a connection of its own, and hang up.

    Args:
        side: whose login and authority to use.
        url: of the host, whose name this machine does not resolve.
        path: of the file.

    Raises:
        BenchError: if it does not begin.
    """
    parts = urlsplit(url)
    place = address(SERVING), 443 if parts.scheme == "https" else 80
    context = ssl.create_default_context(cafile=side.authority or None)
    with closing(HTTPConnection(parts.hostname or "")) as connection:
        began = time.perf_counter()
        connection.sock = create_connection(place, timeout=60)
        if parts.scheme == "https":
            connection.sock = context.wrap_socket(connection.sock, server_hostname=parts.hostname)
        connection.request("GET", path, headers=side.login.header())
        answer = connection.getresponse()
        if answer.status != 200 or not answer.read(1):
            raise BenchError(f"{side.name}: {path} is answered with {answer.status}")
        return time.perf_counter() - began


def under_fault(pace: Pace, sides: Sides) -> Iterator[Figure]:
    """Requests a second for a private page while upstream hangs and clients wait for it, and without."""
    public = PublicIndex(address(SERVING))
    private = partial(per_second, sides.ours, sides.ours.page())

    def with_fault() -> float:
        public.begin()
        unknown = [sides.ours.page(f"hanging-{next(_names)}") for _ in range(_NAMES_AT_ONCE)]
        with (
            public.fault("hang", "pages"),
            started(sides.ours, unknown[0], _HANG_SECONDS + 2, arguments=unknown) as ended,
        ):
            time.sleep(1)
            found = private(_HANG_SECONDS)
            waiting = ended()
        if len(public.asked("hanging-")) < CONNECTIONS or waiting.refused != waiting.requests:
            raise BenchError(f"upstream was not asked, or did not hang: {waiting}")
        return found

    here, there = in_turn(pace.slow_rounds, with_fault, partial(private, _HANG_SECONDS))
    yield Figure.quotient("private_under_fault", here, there)
    yield Figure.of("private_under_fault_per_second", "requests/s", here)
