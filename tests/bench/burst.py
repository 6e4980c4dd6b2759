"""Many clients at once: each connects anew, asks for one file and is done."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .sides import Side

_SECONDS = 60.0


@dataclass
class Client:
    """One client.

    Attributes:
        request: what it sends.
        size: how many bytes of body the answer is to have.
        received: what has come so far.
        milliseconds: from its connecting to the last byte; nothing while it waits.
    """

    request: bytes
    size: int
    received: bytearray = field(default_factory=bytearray)
    began: float = 0.0
    milliseconds: float | None = None

    def whole(self) -> bool:
        """Whether all of the answer is there."""
        head = self.received.find(b"\r\n\r\n")
        return head >= 0 and len(self.received) - head - 4 >= self.size

    @property
    def good(self) -> bool:
        """Whether it got what it asked for, whole."""
        return self.milliseconds is not None and self.received.startswith(b"HTTP/1.1 200 ") and self.whole()


def clients(side: Side, paths: Sequence[tuple[str, int]], count: int) -> list[Client]:
    """Return clients that ask for files in turn.

    Args:
        side: whom they ask, with its login.
        paths: each with the size of its file, in bytes.
        count: how many clients.
    """
    host = urlsplit(side.url).netloc
    made = []
    for number in range(count):
        path, size = paths[number % len(paths)]
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in side.login.header().items()]
        made.append(Client("\r\n".join([*lines, "", ""]).encode(), size))
    return made


def burst(side: Side, asking: Sequence[Client]) -> None:
    """Have all clients ask at once; a client that got no answer within a minute is left without a time."""
    parts = urlsplit(side.url)
    assert parts.hostname
    address = (parts.hostname, parts.port or 80)
    with selectors.DefaultSelector() as waiting:
        for client in asking:
            connection = socket.socket()
            connection.setblocking(False)
            client.began = time.perf_counter()
            connection.connect_ex(address)
            waiting.register(connection, selectors.EVENT_WRITE, client)
        end = time.perf_counter() + _SECONDS
        while waiting.get_map() and time.perf_counter() < end:
            for key, _events in waiting.select(1):
                assert isinstance(key.fileobj, socket.socket)
                _go_on(waiting, key.fileobj, key.data)
        for key in list(waiting.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()


def _go_on(waiting: selectors.BaseSelector, connection: socket.socket, client: Client) -> None:
    """Send or receive what can be; an answer that is whole, or an error, ends it."""
    try:
        if waiting.get_key(connection).events == selectors.EVENT_WRITE:
            connection.send(client.request)
            waiting.modify(connection, selectors.EVENT_READ, client)
            return
        data = connection.recv(262_144)
    except OSError:
        data = b""
    client.received += data
    if not data or client.whole():
        client.milliseconds = (time.perf_counter() - client.began) * 1000
        waiting.unregister(connection)
        connection.close()
