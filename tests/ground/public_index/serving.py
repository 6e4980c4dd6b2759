"""The servers of both ports."""

from __future__ import annotations

import socket
import ssl
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .answering import Public
from .catalogue import Catalogue
from .certificates import make_certificates
from .control import Control
from .hosts import PAGES, WHEELS
from .world import World


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 256


class TLS(Server):
    """The same over TLS; each connection shakes hands in its own thread."""

    def __init__(self, address: tuple[str, int], world: World, tls: Path) -> None:
        self.world = world
        self.good, self.strange = (_context(tls, name) for name in ("server", "stranger"))
        self.good.sni_callback = self._choose
        self.handler = type("PublicHere", (Public,), {"world": world})
        super().__init__(address, self.handler)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        scope = "pages" if name in (PAGES, WHEELS) else "files"
        if self.world.fault(scope).mode == "stranger":
            connection.context = self.strange

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then answer; a client that does not trust it is noted."""
        request.settimeout(60)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            encrypted = self.good.wrap_socket(request, server_side=True)
        except OSError as error:
            self.world.log.append({"time": time.time(), "host": "", "path": "", "headers": {}, "error": repr(error)})
            return
        try:
            self.handler(encrypted, client_address, self)
        except OSError:
            # The client has hung up.
            pass
        finally:
            encrypted.close()


def _context(tls: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / f"{name}.pem", tls / f"{name}.key")
    return context


def servers(
    folder: Path,
    projects: Path | None = None,
    address: tuple[str, int] = ("127.0.0.1", 0),
    control: tuple[str, int] = ("127.0.0.1", 0),
    megabytes: int = 500,
) -> tuple[TLS, Server]:
    """Return the server of pages and files, and that of the switches; neither serves yet."""
    folder.mkdir(parents=True, exist_ok=True)
    make_certificates(folder / "tls")
    world = World(Catalogue(folder, projects, megabytes))
    index = TLS(address, world, folder / "tls")
    world.catalogue.port = index.server_port
    return index, Server(control, type("ControlHere", (Control,), {"world": world}))
