"""How the index serves: all sides on one host, measured in turn from this machine."""

from __future__ import annotations

from collections.abc import Iterator

from . import installers, load, pressure, reading, start, store
from .figures import Figure
from .pace import Pace
from .sides import Side, check


def figures(pace: Pace) -> Iterator[Iterator[Figure]]:
    """Start the sides, find out that they are right, and measure, one figure after the other."""
    load.ready()
    folder = store.build()
    digests = store.measured(folder)
    ours = start.filled(folder)
    static = start.static()
    for side in (ours, static):
        check(side, digests, closed=bool(side.login.name))

    yield reading.pages(pace, ours, static)
    yield reading.wheels(pace, ours, static)
    yield reading.misses(pace, ours, static)
    for other in start.others(folder):
        yield reading.beside(pace, ours, other, digests)
    yield pressure.memory(pace, ours)
    yield pressure.bursts(pace, ours)
    yield pressure.flood(pace, ours, Side("stranger", ours.url))
    yield pressure.restart(ours)
    yield installers.figures(pace, ours, static)
    yield reading.encrypted(pace, start.encrypted, digests)
