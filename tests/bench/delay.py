"""A connection across a distance: what is sent arrives later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

# At most so many bytes are on the way: what Linux receives ahead of a program (net.ipv4.tcp_rmem, its default).
_BYTES = 6 * 1024 * 1024
_CHUNK = 64 * 1024


@contextmanager
def delayed(url: str, seconds: float) -> Iterator[str]:
    """Pass connections on to a server; yields host and port that stand for it.

    Args:
        url: where the server is.
        seconds: what a round trip takes; each direction takes half of it.
    """
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    started: SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = SimpleQueue()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(parts.hostname, port)
        # What is still open in the end is cancelled.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_late(reader, back, seconds / 2), _late(there, writer, seconds / 2))
        back.close()
        writer.close()

    async def serve() -> None:
        done = asyncio.Event()
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        started.put((asyncio.get_running_loop(), done, server.sockets[0].getsockname()[1]))
        await done.wait()
        server.close()

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, done, here = started.get()
    try:
        yield f"127.0.0.1:{here}"
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Write what is read, each piece after a time, until the end of it."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_BYTES // _CHUNK)

    async def send() -> None:
        with suppress(OSError):
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    sending = asyncio.create_task(send())
    data = b"-"
    while data:
        try:
            data = await reader.read(_CHUNK)
        except OSError:
            data = b""
        await under_way.put((loop.time() + seconds, data))
    await sending
