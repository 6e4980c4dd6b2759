"""A proxy that says whom it was asked for; whoever that is, it leads to port 443 of its own host."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes, until nothing more does, or one side has gone."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Tunnel(socketserver.StreamRequestHandler):
    """One connection."""

    rbufsize = 0

    def handle(self) -> None:
        """Read the request, and connect both sides."""
        print(self.rfile.readline().decode().strip(), flush=True)
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(("127.0.0.1", 443)) as server:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, self.connection))
            back.start()
            pump(self.connection, server)
            back.join()


socketserver.ThreadingTCPServer(("", 3128), Tunnel).serve_forever()
