"""The way to upstreams through a proxy: NGINX cannot say CONNECT, so this listens where NGINX would connect, and says it.

    python3 connect_bridge.py FOLDER PROXY_FILE HOST[:PORT]...

For each host there is a socket FOLDER/HOST[:PORT].sock. Each connection to it becomes a tunnel to that host (port 443 if none
is given) through the proxy whose URL is in PROXY_FILE, such as http://proxy.example.com:3128 or
http://USER:PASSWORD@proxy.example.com:3128. What goes through the tunnel is NGINX's: it speaks TLS with the host itself, and
verifies it. Only these hosts can be reached. Each failure is one line, without the login.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

HTTPS_PORT = 443
# Each has two sockets open, and up to four buffers of this size in memory.
MOST_CONNECTIONS = 400
BUFFER = 64 * 1024
# Until the proxy is connected, and until it has connected the host.
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
LARGEST_ANSWER = 16 * 1024
_SUCCESS = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9](?: |\Z)")
_SHOWN = 200


class BridgeError(Exception):
    """Why there is no tunnel, in words for the log."""


@dataclass(frozen=True)
class Proxy:
    """A proxy with CONNECT; ``authorization`` is the value of Proxy-Authorization, empty without a login."""

    host: str
    port: int
    authorization: str = ""

    @classmethod
    def of_url(cls, text: str) -> Proxy:
        """Take a URL apart.

        Raises:
            BridgeError: it is none; the message does not show it, because a login may be in it.
        """
        wrong = BridgeError("the proxy's URL is invalid; give one such as http://proxy.example.com:3128")
        try:
            parts = urlsplit(text.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            raise wrong from None
        if parts.scheme != "http" or not host or not port:
            raise wrong
        if parts.username is None:
            return cls(host, port)
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(host, port, f"Basic {base64.b64encode(login.encode()).decode()}")

    def request(self, target: str) -> bytes:
        """Return what asks the proxy for a tunnel."""
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Bridge:
    """Tunnels from sockets in a folder, a socket for each host, through one proxy.

    Args:
        folder: where the sockets are; others that end alike are removed.
        proxy: through which.
        most: how many connections there may be at a time; further ones are closed at once.
    """

    def __init__(self, folder: Path, proxy: Proxy, most: int = MOST_CONNECTIONS) -> None:
        self.folder, self.proxy, self.most = folder, proxy, most
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, hosts: Sequence[str]) -> None:
        """Listen for all hosts until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        for left in self.folder.glob("*.sock"):
            left.unlink()
        servers = [await self.listen(host) for host in hosts]
        log(f"tunnels to {', '.join(hosts)} through {self.proxy}")
        await stop.wait()
        for server in servers:
            server.close()
        # The tunnels end with the loop.
        for host in hosts:
            with contextlib.suppress(FileNotFoundError):
                self.path(host).unlink()

    def path(self, host: str) -> Path:
        """Return the socket of a host."""
        return self.folder / f"{host}.sock"

    async def listen(self, host: str) -> asyncio.AbstractServer:
        """Listen on a host's socket. What it is connected by has the same user."""
        target = host if ":" in host else f"{host}:{HTTPS_PORT}"

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self.tasks) >= self.most:
                log(f"{target}: refused, because there are {self.most} connections already")
                writer.close()
                return
            task = asyncio.get_running_loop().create_task(self.tunnel(target, reader, writer))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        try:
            server = await asyncio.start_unix_server(connected, self.path(host), limit=BUFFER, backlog=self.most)
        except OSError as error:
            raise BridgeError(f"cannot listen on {self.path(host)}: {error.strerror or error}") from error
        self.path(host).chmod(0o600)
        return server

    async def tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. NGINX ends it, or the host does: then both sides are closed."""
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(writer.close)
            try:
                from_proxy, to_proxy = await self.opened(target)
            except BridgeError as error:
                log(f"{target}: {error}")
                return
            stack.callback(to_proxy.close)
            pumps = [
                asyncio.ensure_future(pump(reader, to_proxy)),
                asyncio.ensure_future(pump(from_proxy, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in pumps:
                    one.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)

    async def opened(self, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a tunnel to a host.

        Raises:
            BridgeError: there is none.
        """
        try:
            # Not wait_for, which until Python 3.12 can lose that it was cancelled.
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(self.proxy.host, self.proxy.port, limit=BUFFER)
        except TimeoutError:
            raise BridgeError(f"the proxy {self.proxy} does not answer") from None
        except OSError as error:
            raise BridgeError(f"the proxy {self.proxy} is not reached: {error.strerror or error}") from error
        try:
            keep_alive(writer)
            writer.write(self.proxy.request(target))
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            writer.close()
            raise BridgeError(f"the proxy {self.proxy} made no tunnel within {ANSWER_SECONDS:.0f} s") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()
            raise BridgeError(f"the proxy {self.proxy} made no tunnel and closed the connection") from None
        except asyncio.CancelledError:
            writer.close()
            raise
        if len(answer) > LARGEST_ANSWER or not _SUCCESS.match(answer):
            writer.close()
            raise BridgeError(f"the proxy {self.proxy} refuses: {shown(answer)}{remedy(answer)}")
        return reader, writer


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until there is no more; no faster than it is taken."""
    with contextlib.suppress(OSError):
        while data := await reader.read(BUFFER):
            writer.write(data)
            await writer.drain()


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """Have the kernel notice a proxy that is away without a word."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def shown(answer: bytes) -> str:
    """Return the first line of an answer, for the log."""
    line = answer.partition(b"\r\n")[0][:_SHOWN].decode("ascii", "replace")
    return re.sub(r"[^ -~]", "?", line)


def remedy(answer: bytes) -> str:
    """Return what to do about an answer, as far as it is known."""
    status = re.match(rb"HTTP/1\.[01] ([0-9]{3})", answer)
    return {
        b"403": "; have the proxy allow CONNECT to this host and port",
        b"405": "; have the proxy allow CONNECT",
        b"407": "; check the login in pypi_upstream_proxy",
    }.get(status[1] if status else b"", "")


def log(line: str) -> None:
    """Write a line to the container's log."""
    print(f"connect_bridge: {line}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="connect_bridge.py", description="Tunnels to upstreams through a proxy.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("proxy_file", type=Path, metavar="PROXY_FILE")
    parser.add_argument("hosts", nargs="+", metavar="HOST")
    given = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        proxy = Proxy.of_url(given.proxy_file.read_text(encoding="utf-8"))
        asyncio.run(Bridge(given.folder, proxy).serve(given.hosts))
    except BridgeError as error:
        log(str(error))
        return 1
    except OSError as error:
        log(f"{error.filename}: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
