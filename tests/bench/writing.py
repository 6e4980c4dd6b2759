"""Figures of uploads: how long they take, how soon they are seen, and what readers notice of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.support.clients import Login, upload_form

from .figures import Figure
from .hosts import BenchError
from .load import right, started
from .pace import Pace, in_turn
from .sides import PUBLISHER, TOKENS, Side
from .start import Other
from .store import KILO_BYTES, Release, written

_TIMED_UPLOADS = 30
_PUBLISHERS = 4
# Of each of eight publishers, in a round.
_OF_EACH = 20
# Readers meanwhile: some, not so many that uploads wait for them alone.
_READERS = 2
_numbers = count(1)
# Body and headers of a request that uploads a file.
Form = tuple[bytes, dict[str, str]]


def one_at_a_time(ours: Side) -> Iterator[Figure]:
    """Times of uploads of a small wheel, one at a time."""
    releases, first = upload_times(ours, _TIMED_UPLOADS)
    yield Figure.of("upload_ms", "ms", releases)
    yield Figure.of("upload_new_project_ms", "ms", first)


def upload_times(ours: Side, times: int) -> tuple[list[float], list[float]]:
    """Upload wheels of 20 kB, one at a time.

    Returns:
        The milliseconds of each: releases of a project that is there, and first ones of new projects.
    """
    project = f"timed-{next(_numbers)}"
    _upload(ours, _new(project))
    releases = [_upload(ours, _new(project)) * 1000 for _ in range(times)]
    first = [_upload(ours, _new(f"{project}-{number}")) * 1000 for number in range(times)]
    return releases, first


def freshness(pace: Pace, ours: Side) -> Iterator[Figure]:
    """Whether the first request after an upload's 200 sees it, while others upload and read."""
    wanted = [_new(f"fresh-{number % _PUBLISHERS}") for number in range(pace.uploads)]
    with started(ours, ours.page(), 600, connections=_READERS), ThreadPoolExecutor(_PUBLISHERS) as publishers:
        stale = sum(publishers.map(partial(_unseen, ours), wanted))
    yield Figure.of("stale", f"of {pace.uploads}", [stale])


def beside_uploads(pace: Pace, ours: Side) -> Iterator[Figure]:
    """What readers get while one upload a second arrives."""
    seconds = max(pace.seconds, 4)

    def alone() -> float:
        return right(ours, ours.page(), seconds).per_second

    def together() -> float:
        with _one_a_second(ours):
            return right(ours, ours.page(), seconds).per_second

    here, there = in_turn(pace.slow_rounds, together, alone)
    yield Figure.quotient("uploads_throughput", here, there)


def beside_devpi(pace: Pace, ours: Side, other: Other) -> Iterator[Figure]:
    """What eight publishers get in at once, with tokens on both sides; devpi-server is not started yet."""
    with other.started() as devpi:
        here, there = in_turn(pace.slow_rounds, partial(together, with_tokens(ours)), partial(together, devpi))
    yield Figure.quotient("upload_vs_devpi", here, there)
    yield Figure.of("token_uploads_per_second", "uploads/s", here)
    yield Figure.of("devpi_uploads_per_second", "uploads/s", there)


def with_tokens(side: Side) -> Side:
    """Return an index whose publishers have tokens."""
    return replace(side, publishers=TOKENS)


def together(side: Side) -> float:
    """Upload wheels of 20 kB, as all publishers of a side at once; return how many a second."""
    # Of new projects each time: a page that grows from round to round would take ever longer.
    projects = [f"together-{next(_numbers)}" for _ in side.publishers]
    wanted = [[_new(project) for _ in range(_OF_EACH)] for project in projects]
    with TemporaryDirectory() as folder:
        forms = [[_form(Path(folder), release) for release in several] for several in wanted]

    def publish(login: Login, own: list[Form]) -> None:
        for form in own:
            _send(side, login, form)

    began = time.perf_counter()
    with ThreadPoolExecutor(len(forms)) as publishers:
        list(publishers.map(publish, side.publishers, forms))
    return sum(map(len, forms)) / (time.perf_counter() - began)


def _new(project: str, padding: int = KILO_BYTES) -> Release:
    """Return a release that nobody has uploaded yet."""
    return Release(project, f"{int(time.time())}.{next(_numbers)}", padding)


def _upload(side: Side, release: Release) -> float:
    """Upload a new wheel; return the seconds from the first byte to its 200."""
    with TemporaryDirectory() as folder:
        form = _form(Path(folder), release)
    began = time.perf_counter()
    _send(side, PUBLISHER, form)
    return time.perf_counter() - began


def _form(folder: Path, release: Release) -> Form:
    """Write a wheel, and return body and headers of the request that uploads it."""
    return upload_form(written(folder, release), name=release.project, version=release.version)


def _send(side: Side, login: Login, form: Form) -> None:
    answer = side.index.request(side.uploads, login, "POST", *form)
    if answer.status != 200:
        raise BenchError(f"{side.name}: an upload of {login.name} is answered with {answer.status}: {answer.body!r}")


def _unseen(side: Side, release: Release) -> bool:
    """Upload a release; return whether the first request for its project's page misses it."""
    _upload(side, release)
    answer = side.index.request(side.page(release.project), side.login)
    return answer.status != 200 or release.file.encode() not in answer.body


@contextmanager
def _one_a_second(side: Side) -> Iterator[None]:
    """Upload once a second, until the end."""
    done = Event()

    def publish() -> None:
        while not done.is_set():
            _upload(side, _new("steady"))
            done.wait(1)

    thread = Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
