"""Clients that ask all at once, against a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.bench import burst
from tests.bench.sides import READER, Side

_CONTENT = b"x" * 300_000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        good = self.path != "/missing" and self.headers["Authorization"] == READER.header()["Authorization"]
        self.send_response(200 if good else 404)
        self.send_header("Content-Length", str(len(_CONTENT)))
        self.end_headers()
        self.wfile.write(_CONTENT[: 10 if self.path == "/cut" else None])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 100


@pytest.fixture
def side() -> Iterator[Side]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Side("loopback", f"http://127.0.0.1:{server.server_port}", READER)
        server.shutdown()
        thread.join()


def test_only_a_whole_file_with_status_200_is_good(side: Side) -> None:
    clients = burst.clients(side, [("/file", len(_CONTENT)), ("/missing", len(_CONTENT)), ("/cut", len(_CONTENT))], 30)
    burst.burst(side, clients)
    assert [client.good for client in clients] == [True, False, False] * 10
    assert all(client.milliseconds and client.milliseconds < 60_000 for client in clients)


def test_where_nobody_listens_no_client_is_good() -> None:
    clients = burst.clients(Side("nobody", "http://127.0.0.1:9"), [("/file", 1)], 3)
    burst.burst(Side("nobody", "http://127.0.0.1:9"), clients)
    assert not any(client.good for client in clients)
