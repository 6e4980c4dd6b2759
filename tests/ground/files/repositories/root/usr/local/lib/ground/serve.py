"""Serves a folder over HTTPS the way apt and dnf want it: ``serve.py FOLDER TLS``."""

import functools
import http.server
import os
import socket
import ssl
import sys
from contextlib import suppress
from typing import Any


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers with a length, and keeps connections open."""

    protocol_version = "HTTP/1.1"


class Server(http.server.ThreadingHTTPServer):
    """Shakes hands in the thread of each connection, and closes TLS in order: apt takes all else for an attack."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)
            with suppress(OSError, ValueError):
                secured.unwrap()


def tell_systemd() -> None:
    """Say that requests are answered from now on, where systemd has asked."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notice:
        notice.sendto(b"READY=1", address)


def main(folder: str, tls: str) -> None:
    """Serve until the process is ended."""
    Server.context.load_cert_chain(f"{tls}/server.crt", f"{tls}/server.key")
    server = Server(("", 443), functools.partial(Handler, directory=folder))
    tell_systemd()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
