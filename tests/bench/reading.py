"""Figures of reading: pages and files, each beside the other side that it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from .figures import Figure
from .load import right
from .pace import Pace, in_turn
from .sides import Side, files
from .store import KILO_PROJECTS, LARGE, Release, kilos

_WARM_SECONDS = 1
# The slow sides answer some requests a second: as many as do not wait longer than the load lasts.
_SLOW_CONNECTIONS = 4
_SLOW_SECONDS = 4


def pages(pace: Pace, ours: Side, static: Side, others: Sequence[tuple[str, Side]]) -> Iterator[Figure]:
    """Requests a second for one project's page, on all sides.

    Args:
        pace: the size of the run.
        ours: the index, with credentials.
        static: the open reference.
        others: sides that are slower by far, each with the end of its figures' names.
    """
    for side in (ours, static, *(side for _name, side in others)):
        right(side, side.page(), _WARM_SECONDS, connections=_SLOW_CONNECTIONS)
    here, there = in_turn(
        pace.rounds, *(partial(_per_second, side, side.page(), pace.seconds) for side in (ours, static))
    )
    yield Figure.quotient("page_vs_static", here, there)
    yield Figure.of("page_per_second", "requests/s", here)
    yield Figure.of("page_static_per_second", "requests/s", there)
    measured: list[Callable[[], float]] = [partial(_per_second, ours, ours.page(), pace.seconds)]
    for _name, side in others:
        measured.append(partial(_per_second, side, side.page(), _SLOW_SECONDS, _SLOW_CONNECTIONS))
    here, *elsewhere = in_turn(pace.slow_rounds, *measured)
    for (name, _side), found in zip(others, elsewhere, strict=True):
        yield Figure.quotient(f"page_vs_{name}", here, found)
        yield Figure.of(f"page_{name}_per_second", "requests/s", found)


def loopback(pace: Pace, ours: Side, static: Side, devpi: Side) -> Iterator[Figure]:
    """The same page by the same servers, without Docker's networks and published ports, which cost more than NGINX."""
    measured = [partial(_per_second, side, side.page(), pace.seconds) for side in (ours, static, devpi)]
    here, there, elsewhere = in_turn(pace.rounds, *measured)
    yield Figure.of("loopback_page_vs_static", "ratio", _divided(here, there))
    yield Figure.of("loopback_page_vs_devpi", "ratio", _divided(here, elsewhere))
    yield Figure.of("loopback_page_per_second", "requests/s", here)
    yield Figure.of("loopback_page_static_per_second", "requests/s", there)
    yield Figure.of("loopback_page_devpi_per_second", "requests/s", elsewhere)


def wheels(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """Requests a second for a wheel of 20 kB, and megabytes a second of a large one."""
    small = path_of(ours, kilos(1)[0])
    here, there = in_turn(pace.rounds, *(partial(_per_second, side, small, pace.seconds) for side in (ours, static)))
    yield Figure.quotient("wheel_vs_static", here, there)
    yield Figure.of("wheel_per_second", "requests/s", here)
    yield Figure.of("wheel_static_per_second", "requests/s", there)
    large = next(iter(files(ours, LARGE)))
    here, there = in_turn(pace.rounds, *(partial(_megabytes, side, large, pace.seconds) for side in (ours, static)))
    yield Figure.quotient("large_vs_sendfile", here, there)
    yield Figure.of("large_mb_per_second", "MB/s", here)


def encrypted(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """Page and wheel with TLS on both sides."""
    for name, path in (("page", ours.page()), ("wheel", path_of(ours, kilos(1)[0]))):
        here, there = in_turn(pace.rounds, *(partial(_per_second, side, path, pace.seconds) for side in (ours, static)))
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


def _per_second(side: Side, path: str, seconds: float, connections: int = 16) -> float:
    return right(side, path, seconds, connections=connections).per_second


def _megabytes(side: Side, path: str, seconds: float) -> float:
    return right(side, path, seconds, connections=2).megabytes_per_second


def _divided(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(above, below, strict=True)]
