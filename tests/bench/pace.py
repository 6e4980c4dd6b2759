"""How long and how often serving is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """The size of a run.

    Attributes:
        rounds: how often what is fast is measured, in turn. Many short ones: what else the machine does meets all alike.
        slow_rounds: the same for what takes longer.
        seconds: how long a load lasts.
        uploads: how many releases are looked for on the first request after their upload.
        bursts: how many bursts of clients.
        pause: seconds from one burst to the next.
        heavy: bytes of each of the uploads whose memory is measured.
        files: how many files of 100 kB the index has whose backups, restores and checks are measured.
    """

    rounds: int
    slow_rounds: int
    seconds: float
    uploads: int
    bursts: int
    pause: float
    heavy: int
    files: int


FULL = Pace(rounds=9, slow_rounds=5, seconds=3, uploads=1000, bursts=6, pause=60, heavy=1_000_000_000, files=20_000)
QUICK = Pace(rounds=5, slow_rounds=3, seconds=1, uploads=1000, bursts=5, pause=1, heavy=250_000_000, files=2_000)


def in_turn(rounds: int, *measurements: Callable[[], float]) -> list[list[float]]:
    """Measure things one after the other, and again, so that what slows the machine down meets all of them.

    Returns:
        For each thing what its rounds gave.
    """
    found: list[list[float]] = [[] for _ in measurements]
    for number in range(rounds):
        # Forwards and backwards: nobody is always the first.
        order = list(zip(found, measurements, strict=True))
        for results, measure in order if number % 2 == 0 else reversed(order):
            results.append(measure())
    return found
