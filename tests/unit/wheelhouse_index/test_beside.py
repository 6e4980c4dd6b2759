"""Calls that are done at the same time as others, where each waits for other hosts."""

from __future__ import annotations

import os
import threading
import time

import pytest
from wheelhouse_index.common import beside as beside_module
from wheelhouse_index.common.beside import Beside

from tests.support.index import in_a_child


@pytest.mark.parametrize("waits", [True, False])
def test_what_a_call_returns_or_raises_the_result_does(waits: bool) -> None:
    beside = Beside(waits)
    assert beside.begin(divmod, 7, 2).result() == (3, 1)
    failed = beside.begin(divmod, 7, 0)
    with pytest.raises(ZeroDivisionError):
        failed.result()


def test_calls_go_on_at_once_only_where_they_wait() -> None:
    own = threading.get_ident()
    assert Beside(waits=False).begin(threading.get_ident).result() == own
    beside, met = Beside(waits=True), threading.Barrier(2, timeout=30)
    # Each waits for the other.
    both = [beside.begin(met.wait) for _ in range(2)]
    assert sorted(one.result() for one in both) == [0, 1]


def test_without_another_thread_a_call_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    assert Beside(waits=True).begin(threading.get_ident).result() == threading.get_ident()


def test_after_a_fork_there_are_threads_again() -> None:
    beside = Beside(waits=True)
    assert beside.begin(os.getpid).result() == os.getpid()
    assert in_a_child(lambda: 0 if beside.begin(os.getpid).result(30) == os.getpid() else 1) == 0


def test_of_calls_that_hang_no_more_than_some_have_threads_of_their_own() -> None:
    beside, may_end, own, hang = Beside(waits=True), threading.Event(), threading.get_ident(), threading.Semaphore(0)

    def hanging() -> bool:
        hang.release()
        return may_end.wait(30)

    try:
        begun = [beside.begin(hanging) for _ in range(beside_module._MOST)]
        assert all(hang.acquire(timeout=30) for _ in begun)
        assert beside.begin(threading.get_ident).result() == own
    finally:
        may_end.set()
    assert all(one.result() for one in begun)
    # There is room again.
    until = time.monotonic() + 10
    while beside.begin(threading.get_ident).result() == own:
        assert time.monotonic() < until
