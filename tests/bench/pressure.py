"""Figures of hard times: bursts of clients, guessed passwords, a killed pypiserver; and what memory it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import quantiles

from tests.support.stack import eventually

from . import burst
from .containers import taken
from .figures import TARGETS, Figure
from .hosts import SERVING, BenchError, ask
from .load import Load, right, started
from .pace import Pace, in_turn
from .reading import burst_paths
from .rollout import HOME
from .sides import Side

# infrahouse's stress profile.
_CLIENTS = 510
_GUESSERS = 4
_RESTART_SECONDS = 12


def bursts(pace: Pace, ours: Side) -> Iterator[Figure]:
    """510 clients at once, each with a connection of its own, over 300 wheels."""
    sizes = [(path, len(ours.index.request(path, ours.login).body)) for path in burst_paths(ours)]
    p95, p99, errors, asked = [], [], 0, 0
    for number in range(pace.bursts):
        if number:
            time.sleep(pace.pause)
        asking = burst.clients(ours, sizes, _CLIENTS)
        burst.burst(ours, asking)
        hundredths = quantiles([client.milliseconds or 60_000 for client in asking], n=100)
        p95.append(hundredths[94])
        p99.append(hundredths[98])
        errors += sum(not client.good for client in asking)
        asked += len(asking)
    yield Figure.of("burst_p95_ms", "ms", p95)
    yield Figure.of("burst_p99_ms", "ms", p99)
    yield Figure.of("burst_errors", f"of {asked}", [errors])


def flood(pace: Pace, ours: Side, stranger: Side) -> Iterator[Figure]:
    """Good clients, while others guess a password with every request."""
    seconds = max(pace.seconds, 4)
    alone: list[Load] = []
    beside: list[Load] = []
    guesses: list[float] = []

    def without() -> float:
        alone.append(right(ours, ours.page(), seconds))
        return alone[-1].per_second

    def with_guesses() -> float:
        with started(stranger, ours.page(), seconds + 2, connections=_GUESSERS, arguments=["guess"]) as ended:
            time.sleep(1)
            beside.append(right(ours, ours.page(), seconds))
            guessed = ended()
            guesses.append(guessed.per_second)
        if guessed.refused != guessed.requests:
            raise BenchError(f"guessed passwords: {guessed.requests - guessed.refused} requests were not refused")
        return beside[-1].per_second

    there, here = in_turn(pace.slow_rounds, without, with_guesses)
    yield Figure.quotient("flood_throughput", here, there)
    yield Figure.of("flood_guesses_per_second", "guesses/s", guesses)
    yield Figure.quotient("flood_p99", [run.p99_ms for run in beside], [run.p99_ms for run in alone])


def restart(ours: Side) -> Iterator[Figure]:
    """Reads that fail while pypiserver is killed and comes back."""
    with ExitStack() as stack:
        pages = stack.enter_context(started(ours, ours.page(), _RESTART_SECONDS, connections=4))
        wheels = stack.enter_context(
            started(ours, ours.page(), _RESTART_SECONDS, connections=4, arguments=burst_paths(ours))
        )
        time.sleep(2)
        # The process, not the container: then the engine starts it again by itself.
        ask(
            SERVING, "sh", "-c", "kill -9 $(docker inspect --format '{{.State.Pid}}' " + _container("pypi-server") + ")"
        )
        failed = [pages().errors, wheels().errors]
    _healthy()
    yield Figure("restart_errors", sum(failed), "reads", TARGETS["restart_errors"], tuple(failed))


def memory(pace: Pace, ours: Side) -> Iterator[Figure]:
    """What the stack's containers take under load."""
    runs = []
    with started(ours, ours.page(), pace.slow_rounds + 3, connections=16) as ended:
        for _ in range(pace.slow_rounds):
            time.sleep(1)
            runs.append(sum(one.memory for one in taken(ours).values()) / 1e6)
        ended()
    yield Figure.of("memory_mb", "MB", runs)


def _container(service: str) -> str:
    found = ask(SERVING, "docker", "compose", "--project-directory", HOME, "ps", "--quiet", service).split()
    if not found:
        raise BenchError(f"the service {service} has no container")
    return found[0]


def _healthy() -> None:
    """Wait until pypiserver is itself again."""

    def healthy() -> bool:
        state = json.loads(ask(SERVING, "docker", "inspect", _container("pypi-server")))[0]["State"]
        return bool(state["Running"] and state["Health"]["Status"] == "healthy")

    eventually(healthy, "pypi-server is healthy after it was killed")
