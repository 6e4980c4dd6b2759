"""Counts what asks a shared folder: on one that caches nothing, each call waits, and each name of its path does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# By the functions of ``os`` that take paths, and how many. A file that is open is asked by its number, which is not counted.
_ASKING = {
    **dict.fromkeys(("listdir", "lstat", "stat", "open", "unlink", "mkdir", "utime", "scandir"), 1),
    **dict.fromkeys(("replace", "rename", "link"), 2),
}
# A folder that is open, as a path.
_OPEN = "/proc/self/fd/"


@dataclass
class Asked:
    """What was asked.

    Attributes:
        calls: how many there were.
        names: how many names were looked up, one after the other, on the way to what they ask for.
    """

    calls: int = 0
    names: int = 0


@contextmanager
def asked(below: Path) -> Iterator[Asked]:
    """Count how often this process asks for something below a folder."""
    found, lock = Asked(), threading.Lock()
    root = str(below.resolve())
    kept = {name: getattr(os, name) for name in _ASKING}

    def counting(function: Callable[..., Any], paths: int) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            ways = [way for one in arguments[:paths] if (way := _way(root, one)) is not None]
            with lock:
                found.calls += bool(ways)
                found.names += sum(ways)
            return function(*arguments, **named)

        return called

    for name, function in kept.items():
        setattr(os, name, counting(function, _ASKING[name]))
    try:
        yield found
    finally:
        for name, function in kept.items():
            setattr(os, name, function)


def _way(root: str, path: Any) -> int | None:
    """Return how many names are looked up to a path below a folder; None for one that is elsewhere, or is none."""
    if not isinstance(path, (str, os.PathLike)):
        return None
    place = os.path.abspath(os.fspath(path))
    if place.startswith(_OPEN):
        number, _slash, rest = place.removeprefix(_OPEN).partition("/")
        # The folder itself is found without a name, and asked all the same.
        is_below = f"{os.readlink(_OPEN + number)}/".startswith(f"{root}/")
        return len(list(filter(None, rest.split("/")))) if is_below else None
    if place != root and not place.startswith(f"{root}/"):
        return None
    return len(list(filter(None, place.removeprefix(root).split("/"))))
