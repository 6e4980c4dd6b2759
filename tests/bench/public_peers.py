"""Figures of the cached page of a public project beside the same page of the peers (tests/peers)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from tests.peers.peer import PEERS, Peer, started
from tests.support.stack import eventually

from .figures import Figure
from .hosts import SERVING, BenchError
from .load import load
from .pace import Pace, in_turn
from .public import SIZED, files_of
from .reading import SLOW_CONNECTIONS, SLOW_SECONDS, per_second
from .sides import Side

_FILES = 500
_PROJECT = SIZED.format(_FILES)


def figures(pace: Pace, ours: Side) -> Iterator[Iterator[Figure]]:
    """Beside each peer, in the configuration that its documentation recommends."""
    for peer in PEERS.values():
        yield _beside(pace, ours, peer)


def _beside(pace: Pace, ours: Side, peer: Peer) -> Iterator[Figure]:
    """Requests a second for the cached page of 500 files, with credentials, and from a peer without a login."""
    with started(peer, SERVING) as running:
        parts = urlsplit(running.pages)
        side = Side(peer.name, f"{parts.scheme}://{parts.netloc}", simple=parts.path, headers=ours.headers)
        path = side.page(_PROJECT)
        if len(files_of(side, _PROJECT)) != _FILES:
            raise BenchError(f"{side.name}: the page of {_PROJECT} has other files")

        def warm() -> bool:
            done = load(side, path, SLOW_SECONDS, connections=SLOW_CONNECTIONS)
            return done.requests > 0 and not done.errors

        eventually(warm, f"{side.name} has cached the page")
        fast = partial(per_second, ours, ours.page(_PROJECT), pace.seconds)
        slow = partial(per_second, side, path, max(pace.seconds, SLOW_SECONDS), SLOW_CONNECTIONS)
        here, there = in_turn(pace.slow_rounds, fast, slow)
    name = peer.name.removesuffix("-server").replace("-", "_")
    yield Figure.quotient(f"upstream_page_vs_{name}", here, there)
    yield Figure.of(f"upstream_page_{name}_per_second", "requests/s", there)
