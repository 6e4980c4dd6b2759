"""Nodes of an index without NGINX, in a process of their own: ``python3 -m tests.bench.node FOLDER DO``.

What was measured is printed as JSON, a line each. Beside this package, the extension of pypiserver has to be on PYTHONPATH.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from wheelhouse_index.fact_store.journal import Nodes
from wheelhouse_index.files import reading
from wheelhouse_index.requests.sockets import Sockets
from wheelhouse_index.server.keeper import Keeper
from wheelhouse_index.server.peers import WAY_OUT, Peers

from tests.support.asking import asked
from tests.support.index import Index
from tests.support.packages import wheel

FRESHNESS = 2.0
TWO = "a b"
_UPLOADS = 40
_PROJECTS = 10
# Seconds for which nodes do nothing but follow each other.
_IDLE_SECONDS = 6.0


def node(folder: Path, name: str, names: str = TWO) -> Index:
    """Return a node: its ``index/`` in a folder of its own, ``packages/`` beside that."""
    own = folder / name
    own.mkdir(exist_ok=True)
    if not (own / "packages").exists():
        (own / "packages").symlink_to(folder / "packages")
    made = Index(own, url="https://pypi.example.com", nodes=Nodes.of_text(name, names))
    made.store.catalogue.hold()
    made.keeper = Keeper(made.store, FRESHNESS)
    return made


def settled(made: Index) -> Index:
    """Have a node read and write all that there is."""
    while made.keeper.step() or made.store.compares():
        pass
    made.store.catch_up()
    made.store.facts.journals.see(time.time_ns(), made.store.catch_up())
    return made


def live(folder: Path) -> None:
    """Be a node that follows the other one and gives to it, until standard input ends."""
    made = settled(node(folder, "a"))
    sockets = Sockets(made.folder, "sockets")
    peers = Peers(made.store, made.folder / WAY_OUT, FRESHNESS)
    peers.start(sockets.listen_peers(), sockets.stopping)
    while peers.wellness():
        time.sleep(0.05)
    say(well=True)
    sys.stdin.read()


def join(folder: Path) -> None:
    """Be a node that has nothing, and joins: say how long that takes, and how many files were read."""
    read: list[str] = []
    read_file = reading.read_file

    def counted(name: str, file: Any) -> Any:
        read.append(name)
        return read_file(name, file)

    reading.read_file = counted
    began = time.perf_counter()
    done: list[float] = []

    def watch(complete: Path) -> None:
        while not complete.exists():
            time.sleep(0.02)
        done.append(time.perf_counter() - began)

    threading.Thread(target=watch, args=(folder / "b/index/simple/.complete",), daemon=True).start()
    made = node(folder, "b")
    known = time.perf_counter() - began
    made.keeper.step()
    looked = time.perf_counter() - began
    say(known=known, pages=done[0] if done else looked, looked=looked, read=len(read))


def cost(folder: Path) -> None:
    """Say what an upload by one node costs another one that does nothing else: ms of processor time each."""
    a = settled(node(folder, "a"))
    with _giving(a):
        b = settled(node(folder, "b"))
    looked = [_processor_ms(b.store.catch_up) for _ in range(_UPLOADS)]
    took = []
    for number in range(_UPLOADS):
        made = wheel(folder, f"project-{number % _PROJECTS:05d}", f"9.{time.time_ns()}.{number}")
        answer = a.upload(made.name, made.read_bytes())
        assert answer.status == 200, answer
        place = a.store.appended
        took.append(_processor_ms(partial(b.store.catch_up, "a", place)))
        assert made.name in b.listed(made.name.split("-")[0].replace("_", "-")), "the other node does not show it"
    say(uploads=took, looks=looked)


def readers(folder: Path, count: int) -> None:
    """Say what it costs to be one of many nodes, none of which publishes, and what an upload costs them."""
    names = [f"n{number:03d}" for number in range(count)]
    (folder / "packages").mkdir()
    made = {name: node(folder, name, " ".join(names)) for name in names}
    for one in made.values():
        one.store.facts.journals.see(time.time_ns(), one.store.catch_up())
    publisher, *others = names
    for _ in range(2):
        # Each has a journal, as every node that ever took an upload.
        for number, name in enumerate(names):
            file = wheel(folder, f"project-{number:05d}", f"1.{time.time_ns()}")
            assert made[name].upload(file.name, file.read_bytes()).status == 200
        for one in made.values():
            one.store.catch_up()
            one.keeper.step()
    # One that does nothing but follow.
    peers = Peers(made[others[0]].store, folder / "out.sock", FRESHNESS)
    until = time.monotonic() + _IDLE_SECONDS
    processor, began = time.process_time(), time.monotonic()
    with asked(folder / "packages") as idle:
        while time.monotonic() < until:
            peers.step()
            time.sleep(FRESHNESS / 4)
    seconds = time.monotonic() - began
    processor = time.process_time() - processor
    # What each of the others does for an upload.
    told, asks = [], []
    for number in range(5):
        file = wheel(folder, "project-00000", f"2.{number}")
        assert made[publisher].upload(file.name, file.read_bytes()).status == 200
        for name in others:
            follow = partial(made[name].store.catch_up, publisher, made[publisher].store.appended)
            with asked(folder / "packages") as questions:
                told.append(_processor_ms(follow))
            asks.append(questions.calls)
    say(
        idle_ms=processor * 1000 / seconds,
        idle_asks=idle.calls / seconds,
        told_ms=statistics.median(told),
        told_asks=statistics.median(asks),
    )


@contextmanager
def _giving(made: Index) -> Iterator[None]:
    """Have a node give to another one that joins."""
    done = threading.Event()

    def give() -> None:
        while not done.wait(0.1):
            made.store.give()

    thread = threading.Thread(target=give)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _processor_ms(what: Callable[[], object]) -> float:
    began = time.thread_time()
    what()
    return (time.thread_time() - began) * 1000


def say(**found: Any) -> None:
    """Print what was measured."""
    print(json.dumps(found), flush=True)


def main() -> None:
    """Do what the arguments say."""
    folder, what, *more = sys.argv[1:]
    if what == "readers":
        readers(Path(folder), int(more[0]))
    else:
        {"live": live, "join": join, "cost": cost}[what](Path(folder))


if __name__ == "__main__":
    main()
