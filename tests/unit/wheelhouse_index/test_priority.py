"""How a command stands beside what serves."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
from wheelhouse_index.common import priority


def policies() -> tuple[bool, int, int]:
    """Give way; return whether that went well, and how this process and one that it starts are scheduled."""
    given = priority.give_way()
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return given, os.sched_getscheduler(0), pool.submit(os.sched_getscheduler, 0).result()


def elsewhere(number: int | None) -> tuple[bool, int, int]:
    priority._SCHED_SETSCHEDULER = number
    return policies()


def in_a_process(function: object, *arguments: object) -> tuple[bool, int, int]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()  # type: ignore[arg-type]


def test_a_process_and_those_it_starts_run_where_no_other_wants_to() -> None:
    assert in_a_process(policies) == (True, os.SCHED_IDLE, os.SCHED_IDLE)


@pytest.mark.parametrize("number", [None, 9999], ids=["another machine", "refused"])
def test_where_that_cannot_be_all_goes_on(number: int | None) -> None:
    assert in_a_process(elsewhere, number) == (False, os.SCHED_OTHER, os.SCHED_OTHER)
