"""The bridge to upstreams through a proxy: the real program, a proxy that stands in, and TLS through both."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import certificates

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "roles/stack/files/connect_bridge.py"
PASSWORD = "S3cret:%word"
LOGIN = f"ci:{PASSWORD}"
HOST = "public.example.org"
OTHER = "wheels.example.net:8443"
LARGE = os.urandom(1024) * 8192


class Upstream(socketserver.BaseRequestHandler):
    """Speaks TLS as the host of that name: echoes a line, or sends a large file and closes."""

    def handle(self) -> None:
        context: ssl.SSLContext = self.server.context  # type: ignore[attr-defined]
        with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as connection:
            while line := connection.recv(1024):
                if line == b"large\n":
                    connection.sendall(LARGE)
                    return
                connection.sendall(b"echo " + line)


class Proxy(socketserver.BaseRequestHandler):
    """Takes CONNECT, and leads all hosts to the one upstream that there is; ``server.mode`` says what it does instead."""

    def handle(self) -> None:
        server: Server = self.server  # type: ignore[assignment]
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(1024)
        server.asked.append(head.decode())
        if server.mode == "silent":
            server.released.wait(30)
        elif server.mode == "closes":
            return
        elif server.mode:
            self.request.sendall(server.mode.encode())
        elif server.login and f"Proxy-Authorization: {server.login}\r\n" not in head.decode():
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
        else:
            with socket.create_connection(("127.0.0.1", server.upstream)) as there:
                self.request.sendall(b"HTTP/1.0 200 Connection established\r\nVia: stand-in\r\n\r\n")
                back = threading.Thread(target=copy, args=(there, self.request))
                back.start()
                copy(self.request, there)
                back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.mode, self.login, self.upstream = "", "", 0
        self.asked: list[str] = []
        self.released = threading.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    top = certificates.authority()
    own = certificates.server(HOST, signer=top)
    (folder / "own.pem").write_bytes(own.pem() + own.key_pem())
    (folder / "ca.pem").write_bytes(top.pem())
    return folder


@pytest.fixture
def proxy(authority: Path) -> Iterator[Server]:
    with Server(Upstream) as upstream, Server(Proxy) as server:
        upstream.context.load_cert_chain(authority / "own.pem")
        server.upstream = upstream.port
        yield server
        server.released.set()
        for one in (server, upstream):
            one.shutdown()


class Bridge:
    """The program as a container runs it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.file = folder, folder / "proxy"
        self.file.write_text(url + "\n")
        self.log_file = folder / "log"
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", PROGRAM, folder, self.file, HOST, OTHER], stdout=log, stderr=log
            )
        self.wait(lambda: "tunnels to" in self.log)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def wait(self, met: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not met():
            assert time.monotonic() < end and self.process.poll() is None, self.log
            time.sleep(0.02)

    def connection(self, host: str = HOST) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self.folder / f"{host}.sock"))
        return connection

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


Start = Callable[[str], Bridge]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Bridge] = []

    def run(url: str) -> Bridge:
        started.append(Bridge(tmp_path, url))
        return started[-1]

    yield run
    for bridge in started:
        bridge.stop()
        print(bridge.log)
        assert "S3cret" not in bridge.log
        assert base64.b64encode(LOGIN.encode()).decode() not in bridge.log


@pytest.fixture
def client(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority / "ca.pem")


def echoed(client: ssl.SSLContext, bridge: Bridge) -> bytes:
    with client.wrap_socket(bridge.connection(), server_hostname=HOST) as connection:
        connection.sendall(b"hello\n")
        return connection.recv(1024)


def test_tls_goes_through_and_is_verified_end_to_end(proxy: Server, start: Start, client: ssl.SSLContext) -> None:
    bridge = start(f"http://127.0.0.1:{proxy.port}")
    assert echoed(client, bridge) == b"echo hello\n"
    assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n"]
    with bridge.connection(OTHER) as connection, pytest.raises(ssl.SSLCertVerificationError):
        client.wrap_socket(connection, server_hostname="wheels.example.net")
    assert proxy.asked[1].startswith(f"CONNECT {OTHER} HTTP/1.1\r\nHost: {OTHER}\r\n")


def test_a_large_file_arrives_whole(proxy: Server, start: Start, client: ssl.SSLContext) -> None:
    bridge = start(f"http://127.0.0.1:{proxy.port}")
    with client.wrap_socket(bridge.connection(), server_hostname=HOST) as connection:
        connection.sendall(b"large\n")
        parts = []
        while data := connection.recv(65536):
            # Slower than it is sent.
            time.sleep(0.001)
            parts.append(data)
    assert b"".join(parts) == LARGE


def test_a_login_reaches_the_proxy_alone(proxy: Server, start: Start, client: ssl.SSLContext) -> None:
    proxy.login = f"Basic {base64.b64encode(LOGIN.encode()).decode()}"
    bridge = start(f"http://ci:S3cret%3A%25word@127.0.0.1:{proxy.port}/")
    assert echoed(client, bridge) == b"echo hello\n"
    shown = (
        Path(f"/proc/{bridge.process.pid}/cmdline").read_text()
        + Path(f"/proc/{bridge.process.pid}/environ").read_text()
    )
    assert "S3cret" not in shown
    assert (bridge.folder / f"{HOST}.sock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (
            "HTTP/1.1 403 Filtered\r\n\r\n",
            "refuses: HTTP/1.1 403 Filtered; have the proxy allow CONNECT to this host and port",
        ),
        ("HTTP/1.1 407 Login\r\n\r\n", "refuses: HTTP/1.1 407 Login; check the login in pypi_upstream_proxy"),
        ("HTTP/1.1 502 Bad\x1b[31m\tGateway\r\nA: b\r\n\r\n", "refuses: HTTP/1.1 502 Bad?[31m?Gateway\n"),
        ("SSH-2.0-nothing\r\n\r\n", "refuses: SSH-2.0-nothing\n"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "refuses: HTTP/1.1 2000 OK\n"),
        ("HTTP/1.1 200 OK\r\nno end", "made no tunnel and closed the connection\n"),
        ("HTTP/1.1 200 OK\r\n" + "A: b\r\n" * 20000, "made no tunnel and closed the connection\n"),
        ("closes", "made no tunnel and closed the connection\n"),
    ],
    ids=lambda text: text[:30],
)
def test_what_the_proxy_does_not_do_is_one_line(
    proxy: Server, start: Start, client: ssl.SSLContext, mode: str, words: str
) -> None:
    proxy.mode = mode
    bridge = start(f"http://ci:S3cret%3A%25word@127.0.0.1:{proxy.port}")
    with pytest.raises(OSError, match=r"EOF|reset|closed|[Bb]roken"):
        echoed(client, bridge)
    bridge.wait(lambda: bridge.log.count("\n") == 2)
    assert f"connect_bridge: {HOST}:443: the proxy 127.0.0.1:{proxy.port} {words}" in bridge.log
    proxy.mode, proxy.login = "", ""
    assert echoed(client, bridge) == b"echo hello\n", "the next one is served"


def test_a_proxy_that_is_away_is_one_line_and_one_that_hangs_holds_no_other_up(
    proxy: Server, start: Start, client: ssl.SSLContext
) -> None:
    bridge = start(f"http://127.0.0.1:{proxy.port}")
    proxy.mode = "silent"
    with bridge.connection() as hanging:
        bridge.wait(lambda: len(proxy.asked) == 1 or not hanging.send(b"x"))
        proxy.mode = ""
        assert echoed(client, bridge) == b"echo hello\n"
    proxy.shutdown()
    proxy.server_close()
    with pytest.raises(OSError, match=r"EOF|reset|closed|[Bb]roken"):
        echoed(client, bridge)
    bridge.wait(lambda: "is not reached: " in bridge.log)


def test_connections_are_bounded_and_those_that_end_make_room(
    proxy: Server, start: Start, client: ssl.SSLContext
) -> None:
    bridge = start(f"http://127.0.0.1:{proxy.port}")
    proxy.mode = "silent"
    many = [bridge.connection() for _ in range(400)]
    with bridge.connection() as refused:
        assert refused.recv(1) == b""
    assert f"connect_bridge: {HOST}:443: refused, because there are 400 connections already\n" in bridge.log
    proxy.mode = ""
    proxy.released.set()
    for one in many:
        one.close()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            assert echoed(client, bridge) == b"echo hello\n"
            return
        time.sleep(0.1)
    raise AssertionError(bridge.log)


def test_it_stops_at_once_and_starts_again_over_what_a_killed_one_left(
    proxy: Server, start: Start, client: ssl.SSLContext
) -> None:
    bridge = start(f"http://127.0.0.1:{proxy.port}")
    proxy.mode = "silent"
    hanging = [bridge.connection() for _ in range(50)]
    bridge.wait(lambda: len(proxy.asked) == 50)
    proxy.mode = ""
    with client.wrap_socket(bridge.connection(), server_hostname=HOST), contextlib.ExitStack() as stack:
        for one in hanging:
            stack.callback(one.close)
        begin = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - begin < 5
    assert list(bridge.folder.glob("*.sock")) == []
    killed = start(f"http://127.0.0.1:{proxy.port}")
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait(20)
    (killed.folder / "former.example.org.sock").touch()
    again = start(f"http://127.0.0.1:{proxy.port}")
    assert echoed(client, again) == b"echo hello\n"
    assert sorted(path.name for path in again.folder.glob("*.sock")) == [f"{HOST}.sock", f"{OTHER}.sock"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("proxy.example.com:3128", "the proxy's URL is invalid; give one such as http://proxy.example.com:3128"),
        ("http://ci:S3cret@proxy.example.com:x", "the proxy's URL is invalid"),
        ("https://proxy.example.com:3128", "the proxy's URL is invalid"),
        ("", "the proxy's URL is invalid"),
        (None, "proxy: No such file or directory"),
    ],
)
def test_a_proxy_that_cannot_be_is_one_line_and_no_trace(tmp_path: Path, url: str | None, words: str) -> None:
    if url is not None:
        (tmp_path / "proxy").write_text(url)
    command = [sys.executable, "-I", str(PROGRAM), str(tmp_path), str(tmp_path / "proxy"), HOST]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr
    assert "S3cret" not in done.stderr
