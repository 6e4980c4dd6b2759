"""What is read of wrk's output, and in which order things are measured."""

from __future__ import annotations

import pytest

from tests.bench.hosts import BenchError
from tests.bench.load import Load, parsed
from tests.bench.pace import in_turn

_OUTPUT = """Running 2s test @ http://192.0.2.1/simple/project-00000/
  1 threads and 16 connections
Requests/sec:   1000.00
measured requests=2000 seconds=2.000000 bytes=4000000 p50_ms=1.500000 p99_ms=9.250000 refused=3 broken=1
"""


def test_what_wrk_has_measured_is_read() -> None:
    load = parsed(_OUTPUT)
    assert load == Load(2000, 2.0, 4_000_000, 1.5, 9.25, 3, 1)
    assert (load.per_second, load.megabytes_per_second, load.errors) == (1000.0, 2.0, 4)


def test_a_wrk_that_could_not_connect_is_told_in_its_own_words() -> None:
    with pytest.raises(BenchError, match="Connection refused"):
        parsed("unable to connect to 192.0.2.1:80 Connection refused\n")


def test_nobody_is_always_the_first_to_be_measured() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    assert in_turn(3, lambda: measure("a"), lambda: measure("b")) == [[1.0, 4.0, 5.0], [2.0, 3.0, 6.0]]
    assert order == ["a", "b", "b", "a", "a", "b"]
