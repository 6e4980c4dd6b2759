"""What is done at the same time as something else, where each call waits for other hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
# So many threads at once: of those that wait for a folder that hangs, each client's own is enough.
_MOST = 32


class Beside:
    """Does calls in threads or, where none waits for long, at once.

    Args:
        waits: whether they do.
    """

    def __init__(self, waits: bool) -> None:
        self._waits = waits
        self._room = threading.BoundedSemaphore(_MOST)

    def begin(self, call: Callable[..., T], *arguments: object) -> Future[T]:
        """Begin a call; what it returns or raises, the result does. None is left undone, nor done after an error of this."""
        done: Future[T] = Future()

        def do() -> None:
            try:
                done.set_result(call(*arguments))
            except BaseException as error:
                done.set_exception(error)

        def do_beside() -> None:
            try:
                do()
            finally:
                self._room.release()

        if self._waits and self._room.acquire(blocking=False):
            try:
                threading.Thread(target=do_beside, name="beside").start()
                return done
            except RuntimeError:
                # There is none to be had: a limit is reached, or this process ends.
                self._room.release()
        do()
        return done
