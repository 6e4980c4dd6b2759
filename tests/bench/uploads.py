"""How the index takes uploads: one figure after the other, each beside what else would take the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

from . import large, load, slow, start, store, writing
from .figures import Figure
from .pace import Pace


def figures(pace: Pace) -> Iterator[Iterator[Figure]]:
    """Start the sides and measure, without TLS first."""
    load.ready()
    large.ready()
    folder = store.build()
    ours = start.filled(folder)
    static = start.static()
    devpi = next(other for other in start.others(folder) if other.name == "devpi")

    # First: what many uploads leave in memory is not to be counted with it.
    yield large.memory(pace, ours)
    yield writing.one_at_a_time(ours)
    yield writing.beside_uploads(pace, ours)
    yield writing.freshness(pace, ours)
    yield writing.beside_devpi(pace, ours, devpi)
    yield slow.publishers(pace, ours)
    yield large.beside_put(pace, ours, static)
    yield large.beside_copy(pace, ours)
    yield large.across(pace, *start.encrypted())
