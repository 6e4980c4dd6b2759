"""The delaying proxy: everything arrives, and no sooner than it should."""

from __future__ import annotations

import hashlib
import socket
import time
from threading import Thread

from tests.bench.delay import delayed

_DATA = bytes(range(256)) * 40_000


def _answer(listening: socket.socket) -> None:
    """Take all of a client's bytes, and answer with their digest."""
    connection, _address = listening.accept()
    with connection, connection.makefile("rb") as received:
        connection.sendall(hashlib.sha256(received.read()).digest())


def test_a_round_trip_takes_its_time_and_loses_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=_answer, args=(listening,))
        thread.start()
        with delayed(f"http://127.0.0.1:{listening.getsockname()[1]}", 0.2) as near:
            host, _colon, port = near.partition(":")
            began = time.monotonic()
            with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as answer:
                connection.sendall(_DATA)
                connection.shutdown(socket.SHUT_WR)
                found = answer.read()
            took = time.monotonic() - began
        thread.join()
    assert found == hashlib.sha256(_DATA).digest()
    assert took >= 0.2, took
