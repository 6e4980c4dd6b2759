"""Figures of uploads: how long they take, how soon they are seen, and what readers notice of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.support.clients import Login, upload_form

from .figures import Figure
from .hosts import SERVING, BenchError, ask
from .load import right, started
from .pace import Pace, in_turn
from .rollout import HOME
from .sides import PUBLISHER, PUBLISHERS, TOKENS, Side
from .store import KILO_BYTES, Release, written

_LARGE_BYTES = 200_000_000
_TIMED_UPLOADS = 30
_PUBLISHERS = 4
# Of each of eight publishers, in a round.
_OF_EACH = 20
# Readers meanwhile: some, not so many that uploads wait for them alone.
_READERS = 2
_numbers = count(1)


def uploads(pace: Pace, ours: Side) -> Iterator[Figure]:
    """Times of uploads, of a small wheel and of a large one beside its copy on the host's disk."""
    releases, first = upload_times(ours, _TIMED_UPLOADS)
    yield Figure.of("upload_ms", "ms", releases)
    yield Figure.of("upload_new_project_ms", "ms", first)
    here, there = in_turn(pace.slow_rounds, lambda: _upload(ours, _new("heavy", _LARGE_BYTES)), _copy_with_fsync)
    yield Figure.quotient("upload_vs_disk", here, there)
    yield Figure.of("upload_200_mb_s", "s", here)


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


def by_token(pace: Pace, ours: Side) -> Iterator[Figure]:
    """What eight publishers get in at once, with tokens and with passwords."""
    here, there = in_turn(pace.slow_rounds, partial(_together, ours, TOKENS), partial(_together, ours, PUBLISHERS))
    yield Figure.quotient("uploads_per_second", here, there)
    yield Figure.of("token_uploads_per_second", "uploads/s", here)
    yield Figure.of("login_uploads_per_second", "uploads/s", there)


def _together(side: Side, logins: Sequence[Login]) -> float:
    """Upload wheels of 20 kB, as all logins at once; return how many a second."""
    wanted = [(login, _new(f"together-{number}")) for number, login in enumerate(logins) for _ in range(_OF_EACH)]
    with TemporaryDirectory() as folder:
        forms = [(login, *upload_form(written(Path(folder), release))) for login, release in wanted]

    def publish(number: int) -> None:
        for login, body, headers in forms[number * _OF_EACH : (number + 1) * _OF_EACH]:
            answer = side.index.request("/", login, "POST", body, headers)
            if answer.status != 200:
                raise BenchError(
                    f"{side.name}: an upload of {login.name} is answered with {answer.status}: {answer.body!r}"
                )

    began = time.perf_counter()
    with ThreadPoolExecutor(len(logins)) as publishers:
        list(publishers.map(publish, range(len(logins))))
    return len(forms) / (time.perf_counter() - began)


def _new(project: str, padding: int = KILO_BYTES) -> Release:
    """Return a release that nobody has uploaded yet."""
    return Release(project, f"{int(time.time())}.{next(_numbers)}", padding)


def _upload(side: Side, release: Release) -> float:
    """Upload a new wheel; return the seconds from the first byte to its 200."""
    with TemporaryDirectory() as folder:
        body, headers = upload_form(written(Path(folder), release))
        began = time.perf_counter()
        answer = side.index.request("/", PUBLISHER, "POST", body, headers)
        took = time.perf_counter() - began
    if answer.status != 200:
        raise BenchError(f"{side.name}: the upload of {release.file} is answered with {answer.status}: {answer.body!r}")
    return took


def _unseen(side: Side, release: Release) -> bool:
    """Upload a release; return whether the first request for its project's page misses it."""
    _upload(side, release)
    answer = side.index.request(side.page(release.project), side.login)
    return answer.status != 200 or release.file.encode() not in answer.body


def _copy_with_fsync() -> float:
    """Copy the large file that was uploaded last beside packages/, and wait for the disk; return the seconds."""
    script = f"""set -e; cd {HOME}; source=$(ls -t packages/heavy-* | head -n 1)
        cat "$source" >/dev/null; began=$(date +%s%N)
        dd if="$source" of=bench-copy bs=1M conv=fsync status=none
        echo $(($(date +%s%N) - began)); rm bench-copy"""
    return int(ask(SERVING, "sh", "-c", script)) / 1e9


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
