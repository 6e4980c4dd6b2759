"""What is done at the same time as something else, where each call waits for other hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Beside:
    """Does calls in threads or, where none waits for long, at once.

    Args:
        waits: whether they do.
    """

    def __init__(self, waits: bool) -> None:
        self._waits = waits

    def begin(self, call: Callable[..., T], *arguments: object) -> Future[T]:
        """Begin a call; what it returns or raises, the result does. None is left undone, nor done after an error of this."""
        done: Future[T] = Future()

        def do() -> None:
            try:
                done.set_result(call(*arguments))
            except BaseException as error:
                done.set_exception(error)

        if self._waits:
            try:
                threading.Thread(target=do, name="beside").start()
                return done
            except RuntimeError:
                # There is none to be had: a limit is reached, or this process ends.
                pass
        do()
        return done
