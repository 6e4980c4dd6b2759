"""Figures of reading: pages and files, each beside the other side that it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tests.support.stack import eventually

from .figures import Figure
from .load import CONNECTIONS, load, missed, right
from .pace import Pace, in_turn
from .sides import Side, check, files
from .start import Other
from .store import KILO_PROJECTS, LARGE, MISSING, Release, kilos

_WARM_SECONDS = 1
# The slow sides answer some requests a second: as many as do not wait longer than the load lasts.
SLOW_CONNECTIONS = 4
SLOW_SECONDS = 2


def pages(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """Requests a second for one project's page, with credentials and from the open reference."""
    here, there = _of_page(pace, ours, static)
    yield Figure.quotient("page_vs_static", here, there)
    yield Figure.of("page_per_second", "requests/s", here)
    yield Figure.of("page_static_per_second", "requests/s", there)


def misses(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """Requests a second for a project that does not exist, with credentials, and for a page of the open reference."""

    def missing() -> float:
        return missed(ours, ours.page(MISSING), pace.seconds).per_second

    here, there = in_turn(pace.rounds, missing, partial(per_second, static, static.page(), pace.seconds))
    yield Figure.quotient("miss_vs_static", here, there)
    yield Figure.of("miss_per_second", "requests/s", here)


def beside(pace: Pace, ours: Side, other: Other, digests: set[str]) -> Iterator[Figure]:
    """Requests a second for the page beside a side that is slower by far.

    Args:
        pace: the size of the run.
        ours: the index, with credentials.
        other: the other side, not started yet.
        digests: of the files on the page.
    """
    with other.started() as side:
        check(side, digests, closed=bool(side.login.name))

        def settled() -> bool:
            # What has just started answers some requests with errors at first.
            done = load(side, side.page(), _WARM_SECONDS, connections=SLOW_CONNECTIONS)
            return done.requests > 0 and not done.errors

        eventually(settled, f"{side.name} is right")
        fast = partial(per_second, ours, ours.page(), pace.seconds)
        slow = partial(per_second, side, side.page(), max(pace.seconds, SLOW_SECONDS), SLOW_CONNECTIONS)
        here, there = in_turn(pace.slow_rounds, fast, slow)
    yield Figure.quotient(f"page_vs_{other.name}", here, there)
    yield Figure.of(f"page_{other.name}_per_second", "requests/s", there)


def wheels(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """Requests a second for a wheel of 20 kB, and megabytes a second of a large one."""
    small = path_of(ours, kilos(1)[0])
    here, there = in_turn(pace.rounds, *(partial(per_second, side, small, pace.seconds) for side in (ours, static)))
    yield Figure.quotient("wheel_vs_static", here, there)
    yield Figure.of("wheel_per_second", "requests/s", here)
    yield Figure.of("wheel_static_per_second", "requests/s", there)
    large = next(iter(files(ours, LARGE)))
    here, there = in_turn(pace.rounds, *(partial(_megabytes, side, large, pace.seconds) for side in (ours, static)))
    yield Figure.quotient("large_vs_sendfile", here, there)
    yield Figure.of("large_mb_per_second", "MB/s", here)


def encrypted(pace: Pace, start: Callable[[], tuple[Side, Side]], digests: set[str]) -> Iterator[Figure]:
    """Page and wheel with TLS on both sides, which are to be started; the digests are those of the files on the page."""
    ours, static = start()
    for side in (ours, static):
        check(side, digests, closed=bool(side.login.name))
    for name, path in (("page", ours.page()), ("wheel", path_of(ours, kilos(1)[0]))):
        here, there = in_turn(pace.rounds, *(partial(per_second, side, path, pace.seconds) for side in (ours, static)))
        yield Figure.quotient(f"tls_{name}_vs_static", here, there)
        yield Figure.of(f"tls_{name}_per_second", "requests/s", here)


def path_of(side: Side, release: Release) -> str:
    """Return the path of a release's file, from its project's page."""
    return next(path for path in files(side, release.project) if path.endswith(release.file))


def burst_paths(side: Side) -> list[str]:
    """Return the paths of the wheels that bursts ask for."""
    # All of one folder, so that one page tells.
    folder = path_of(side, kilos(1)[0]).rpartition("/")[0]
    return [f"{folder}/{release.file}" for release in kilos(KILO_PROJECTS)]


def _of_page(pace: Pace, *sides: Side) -> list[list[float]]:
    for side in sides:
        right(side, side.page(), _WARM_SECONDS, connections=SLOW_CONNECTIONS)
    return in_turn(pace.rounds, *(partial(per_second, side, side.page(), pace.seconds) for side in sides))


def per_second(side: Side, path: str, seconds: float, connections: int = CONNECTIONS) -> float:
    """Return how many requests a second a side answers; an answer that is none is a BenchError."""
    return right(side, path, seconds, connections=connections).per_second


def _megabytes(side: Side, path: str, seconds: float) -> float:
    return right(side, path, seconds, connections=2).megabytes_per_second
