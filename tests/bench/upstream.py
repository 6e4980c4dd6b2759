"""How the index serves what it has cached of public projects, beside the same bytes as open files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from . import large, load, public, public_installs, public_peers, public_waits
from .figures import Figure
from .hosts import BenchError
from .pace import Pace, in_turn
from .public import LARGE, OPEN, SIZED, SMALL, Sides, got, paths_of
from .reading import per_second


def figures(pace: Pace) -> Iterator[Iterator[Figure]]:
    """Start the sides and measure, one figure after the other."""
    load.ready()
    large.ready()
    sides = public.started()

    for files in (10, 500):
        yield _same(pace, sides, "page", sides.ours.page(SIZED.format(files)), f"_{files}")
    yield _same(pace, sides, "wheel", paths_of(sides.ours, SMALL)[0])
    yield from public_peers.figures(pace, sides.ours)
    yield public_installs.figures(pace, sides)
    yield public_waits.under_fault(pace, sides)
    # Last: the index reads such a file once more a while after its first download.
    yield _large(pace, sides)
    yield public_waits.first_byte(pace, sides)


def _same(pace: Pace, sides: Sides, kind: str, path: str, end: str = "") -> Iterator[Figure]:
    """Requests a second for what is cached, with credentials, and for the same bytes as an open file."""
    if got(sides.ours, path).body != got(sides.static, OPEN + path).body:
        raise BenchError(f"{path} differs from its open file")
    here, there = in_turn(
        pace.rounds,
        partial(per_second, sides.ours, path, pace.seconds),
        partial(per_second, sides.static, OPEN + path, pace.seconds),
    )
    yield Figure.quotient(f"upstream_{kind}_vs_static{end}", here, there)
    yield Figure.of(f"upstream_{kind}_per_second{end}", "requests/s", here)


def _large(pace: Pace, sides: Sides) -> Iterator[Figure]:
    """Seconds of the cached wheel of 500 MB, and of the open file by sendfile."""
    (path,) = paths_of(sides.ours, LARGE)
    login = sides.ours.login
    ours = partial(large.timed, sides.ours, path, ["--user", f"{login.name}:{login.password}"])
    # Until here, it was not cached.
    ours()
    there, here = in_turn(pace.slow_rounds, partial(large.timed, sides.static, OPEN + path, []), ours)
    # Of the same bytes: the rates are to each other as the times are, the other way round.
    yield Figure.quotient("upstream_large_vs_sendfile", there, here)
    yield Figure.of("upstream_large_500_mb_s", "s", here)
