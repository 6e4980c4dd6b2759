"""Figures of several nodes, without servers: processes on the local disk, as which file system is shared decides the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ground.paths import ROOT
from tests.ground.shell import say

from . import store
from .figures import Figure
from .hosts import WORK, BenchError
from .pace import Pace, in_turn

# What a node that joins finds; and between how many files the cost of an upload is compared.
_JOINED, _FEW, _MANY = 20_000, 100, 100_000
_FILES = 10
NODES = (3, 10, 30, 100)
_FOLDER = WORK / "nodes"


def figures(pace: Pace) -> Iterator[Iterator[Figure]]:
    """Measure joining, what an upload costs an idle node with few and many files, and what it costs to be one of many nodes."""
    if not shutil.which("rsync"):
        raise BenchError("part nodes needs rsync on this machine")
    yield _joining(pace)
    yield _journal()
    yield _many()


def _joining(pace: Pace) -> Iterator[Figure]:
    """A node without index/, until all pages are its own, beside a copy of index/ by rsync."""
    found: list[dict[str, float]] = []
    with _index(_JOINED) as folder, _living(folder):

        def join() -> float:
            shutil.rmtree(folder / "b", ignore_errors=True)
            found.append(_measured(folder, "join"))
            if found[-1]["read"]:
                raise BenchError(f"a node that joins has read {found[-1]['read']:.0f} files")
            return found[-1]["pages"]

        def copy() -> float:
            shutil.rmtree(folder / "copy", ignore_errors=True)
            began = time.perf_counter()
            subprocess.run(["rsync", "--archive", f"{folder}/a/index/", f"{folder}/copy"], check=True)
            return time.perf_counter() - began

        joins, copies = in_turn(pace.slow_rounds, join, copy)
    yield Figure.quotient("join_vs_copy", joins, copies)
    yield Figure.of("join_s", "s", joins)
    yield Figure.of("join_read_files", "files", [one["read"] for one in found])


def _journal() -> Iterator[Figure]:
    """Processor time of an idle node for an upload by another one, and for a look that finds nothing, with few and many files."""
    costs = {}
    for files in (_FEW, _MANY):
        with _index(files) as folder:
            costs[files] = _measured(folder, "cost")
    for kind, name in (("uploads", "journal_cost"), ("looks", "journal_look_cost")):
        yield Figure.quotient(name, sorted(costs[_MANY][kind]), sorted(costs[_FEW][kind]))
        yield from (Figure.of(f"{name}_ms_{files}", "ms", costs[files][kind]) for files in (_FEW, _MANY))


def _many() -> Iterator[Figure]:
    """What being one of many nodes costs."""
    for count in NODES:
        with _emptied() as folder:
            found = _measured(folder, "readers", str(count))
        yield Figure.of(f"nodes_idle_ms_per_s_{count}", "ms", [found["idle_ms"]])
        yield Figure.of(f"nodes_idle_asks_per_s_{count}", "calls", [found["idle_asks"]])
        yield Figure.of(f"nodes_told_ms_{count}", "ms", [found["told_ms"]])
        yield Figure.of(f"nodes_told_asks_{count}", "calls", [found["told_asks"]])


@contextmanager
def _emptied() -> Iterator[Path]:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    yield _FOLDER
    shutil.rmtree(_FOLDER)


@contextmanager
def _index(files: int) -> Iterator[Path]:
    """Yield a folder with packages/ that nodes share: so many small wheels, ten of each project."""
    wheels = (store.Release(f"project-{number // _FILES:05d}", f"1.{number % _FILES}") for number in range(files))
    built = store.built(f"nodes-{files}", wheels)
    say(f"{files} files")
    with _emptied() as folder:
        # The same files by other names: nothing here writes to them.
        shutil.copytree(built, folder / "packages", copy_function=os.link)
        yield folder


def _command(folder: Path, *words: str) -> dict[str, Any]:
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "roles/pypiserver/files")))
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.node", str(folder), *words]
    return {"args": command, "env": {**os.environ, "PYTHONPATH": paths}, "stdout": subprocess.PIPE, "text": True}


def _measured(folder: Path, *words: str) -> dict[str, Any]:
    """Have nodes do something in a process of their own, and return what they say of it.

    Raises:
        BenchError: if they fail.
    """
    done = subprocess.run(**_command(folder, *words), stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _living(folder: Path) -> Iterator[None]:
    """Have a node that is well and knows all files, meanwhile."""
    with subprocess.Popen(**_command(folder, "live"), stdin=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            if not process.stdout.readline():
                raise BenchError("a node that lives does not come up")
            yield
        finally:
            process.stdin.close()
