"""One node of an index, in a process of its own and without a server: ``python3 -m tests.bench.node FOLDER NODE NODES DO``.

What it has measured it prints as JSON. Beside this package, the extension of pypiserver has to be on PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from wheelhouse_index.fact_store.journal import Nodes
from wheelhouse_index.files import reading
from wheelhouse_index.index.store import Store
from wheelhouse_index.requests.sockets import Sockets
from wheelhouse_index.server.keeper import Keeper
from wheelhouse_index.server.peers import WAY_OUT, Peers

FRESHNESS = 2.0


def store_of(folder: Path, node: str, names: str) -> Store:
    """Return a node's index: ``index/`` in its folder, ``packages/`` beside it."""
    index = folder / node / "index"
    index.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "packages", index, url="https://pypi.example.com", nodes=Nodes.of_text(node, names))
    store.catalogue.hold()
    return store


def settle(store: Store) -> None:
    """Read and write all that there is, as the keeper does."""
    store.prepare()
    keeper = Keeper(store, FRESHNESS)
    while keeper.step() or store.compares():
        pass
    store.catch_up()


def live(folder: Path, node: str, store: Store) -> None:
    """Follow the other nodes, and give to those that join, until standard input ends."""
    sockets = Sockets(folder / node, "sockets")
    peers = Peers(store, folder / node / WAY_OUT, FRESHNESS)
    store.tell = peers.tell
    peers.start(sockets.listen_peers(), sockets.stopping)
    while peers.wellness():
        time.sleep(0.05)
    print(json.dumps({"well": True}), flush=True)
    sys.stdin.read()


def join(store: Store) -> dict[str, float]:
    """Join, and return seconds until all pages are written, until all files were looked at, and how many files were read."""
    read: list[str] = []
    read_file = reading.read_file
    reading.read_file = lambda name, file: (read.append(name), read_file(name, file))[1]
    written = threading.Event()
    times: list[float] = []
    began = time.perf_counter()

    def watch() -> None:
        while not written.wait(0.02):
            if store.output.is_complete():
                times.append(time.perf_counter() - began)
                return

    threading.Thread(target=watch).start()
    store.prepare()
    known = time.perf_counter() - began
    Keeper(store, FRESHNESS).step()
    looked = time.perf_counter() - began
    written.set()
    return {"known": known, "pages": (times or [looked])[0], "looked": looked, "read": len(read)}


def main() -> None:
    """Do what the arguments say."""
    folder, node, names, what = sys.argv[1:]
    store = store_of(Path(folder), node, names)
    if what == "live":
        settle(store)
        live(Path(folder), node, store)
    else:
        print(json.dumps(join(store)))


if __name__ == "__main__":
    main()
