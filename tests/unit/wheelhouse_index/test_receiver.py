"""How forms arrive from NGINX: whole or cut off, in chunks, slowly, many at once; and which replica takes them."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from wheelhouse_index.common.answers import Answer as Said
from wheelhouse_index.requests import forms, receiver, sockets
from wheelhouse_index.requests.sockets import Sockets

from tests.support import packages as made
from tests.support.index import BY_NGINX, Index, form
from tests.support.index_server import Server

NAME = "foo-1.0-py3-none-any.whl"
MEGABYTE = 1024 * 1024


def head(kind: str, more: str, headers: dict[str, str] | None = None) -> bytes:
    """Return the head of a request as NGINX sends it."""
    lines = [f"{name}: {value}" for name, value in {**BY_NGINX, "Content-Type": kind, **(headers or {})}.items()]
    return "\r\n".join(["POST /_upload HTTP/1.1", "Host: x", "Connection: close", *lines, more, "", ""]).encode()


def chunked(body: bytes, size: int) -> bytes:
    """Return a body in chunks of a size."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answered(connection: socket.socket) -> tuple[int, str]:
    """Return status and body of what is said on a connection until the other side ends it."""
    said = b""
    while data := connection.recv(65536):
        said += data
    status, _blank, text = said.decode().partition("\r\n\r\n")
    return int(status.split()[1]), text.strip()


def upload_form(name: str, content: bytes, /, **fields: str) -> tuple[bytes, str]:
    return form({":action": "file_upload", **fields}, {"content": (name, content)})


@pytest.fixture
def index(in_memory: Path) -> Index:
    made_here = Index(in_memory)
    made_here.keeper.step()
    return made_here


@pytest.fixture
def connect(index: Index) -> Iterator[Callable[[], socket.socket]]:
    """Make connections to a receiver of an index."""
    with ExitStack() as stack:

        def connected() -> socket.socket:
            ours, theirs = socket.socketpair()
            ours.settimeout(30)
            thread = threading.Thread(target=receiver.answer, args=(theirs, index.changes.answer))
            thread.start()
            stack.callback(thread.join)
            return stack.enter_context(ours)

        yield connected


@pytest.mark.parametrize("size", [1, 7, 1000, 10_000_000])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["length", "chunks"])
def test_a_form_is_taken_in_pieces_of_any_size(
    index: Index, connect: Callable[[], socket.socket], size: int, in_chunks: bool
) -> None:
    content = made.file(NAME, os.urandom(20 if size == 1 else 300_000))
    body, kind = upload_form(NAME, content, name="foo", version="1.0")
    sent = chunked(body, size) if in_chunks else body
    connection = connect()
    connection.sendall(head(kind, "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {len(body)}"))
    for at in range(0, len(sent), size):
        connection.sendall(sent[at : at + size])
    assert answered(connection) == (200, f"Published {NAME}.")
    assert index.stored() == {NAME: content}


def test_of_a_large_body_in_small_chunks_none_is_waited_for(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(receiver.time, "sleep", pauses.append)
    body, kind = upload_form(NAME, made.file(NAME, os.urandom(3 * MEGABYTE)))
    connection = connect()
    connection.sendall(head(kind, "Transfer-Encoding: chunked") + chunked(body, 8000))
    assert answered(connection) == (200, f"Published {NAME}.")
    assert pauses == []


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["length", "chunks"])
def test_of_a_body_that_is_cut_off_nothing_is_kept(
    index: Index, connect: Callable[[], socket.socket], share: float, in_chunks: bool
) -> None:
    body, kind = upload_form(NAME, made.file(NAME, os.urandom(600_000)))
    sent = chunked(body, 100_000) if in_chunks else body
    connection = connect()
    connection.sendall(head(kind, "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {len(body)}"))
    connection.sendall(sent[: int(len(sent) * share)])
    connection.shutdown(socket.SHUT_WR)
    assert answered(connection) == (400, forms.TRUNCATED)
    assert index.stored() == {}
    assert list((index.packages / ".incoming").iterdir()) == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        # Less than the form has, and more.
        (-10, 400),
        (+10, 400),
    ],
)
def test_a_length_that_is_not_the_bodys_is_refused(
    index: Index, connect: Callable[[], socket.socket], more: int, status: int
) -> None:
    body, kind = upload_form(NAME, made.file(NAME))
    connection = connect()
    connection.sendall(head(kind, f"Content-Length: {len(body) + more}") + body)
    connection.shutdown(socket.SHUT_WR)
    assert answered(connection) == (status, forms.TRUNCATED)
    assert index.stored() == {}


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /_upload HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST /_upload HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /_upload HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"POST /_upload HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"\x16\x03\x01 no HTTP at all\r\n\r\n",
        b"x" * 1000,
        head("multipart/form-data; boundary=edge", "Transfer-Encoding: chunked") + b"no number\r\n",
        head("multipart/form-data; boundary=edge", "Transfer-Encoding: chunked") + b"-5\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_what_is_no_request_of_nginx_is_refused(connect: Callable[[], socket.socket], sent: bytes) -> None:
    connection = connect()
    connection.sendall(sent)
    connection.shutdown(socket.SHUT_WR)
    assert answered(connection)[0] in (400, 405)


def test_a_connection_without_a_request_gets_no_answer(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""


def test_a_refusal_is_said_while_the_body_arrives_and_the_rest_is_read(
    index: Index, connect: Callable[[], socket.socket]
) -> None:
    body, kind = upload_form(NAME, made.file(NAME, bytes(64 * MEGABYTE)), name="foo")
    connection = connect()
    limited = {"X-Wheelhouse-Rights": "publish:acme-*"}
    connection.sendall(head(kind, f"Content-Length: {2 * len(body)}", limited) + body[:MEGABYTE])
    # Nothing more has to be sent for it.
    said = connection.recv(65536)
    assert said.startswith(b"HTTP/1.1 403 The login publisher has no right to publish foo."), said
    # NGINX may be writing meanwhile, and must not find the connection broken.
    connection.sendall(body[MEGABYTE:])
    assert connection.recv(1) == b""
    assert list((index.packages / ".incoming").iterdir()) == []


def test_a_client_that_is_too_slow_is_refused(
    index: Index, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(receiver, "LEAST_RATE", 100_000)
    body, kind = upload_form(NAME, made.file(NAME, os.urandom(200_000)))

    def sent(pause: float, size: int) -> tuple[float, tuple[int, str]]:
        connection = connect()
        connection.sendall(head(kind, f"Content-Length: {len(body)}"))
        began = time.monotonic()
        for at in range(0, len(body), size):
            connection.setblocking(False)
            with suppress(BlockingIOError):
                # It has been refused.
                if connection.recv(1, socket.MSG_PEEK):
                    break
            connection.settimeout(30)
            connection.sendall(body[at : at + size])
            time.sleep(pause)
        connection.settimeout(30)
        return time.monotonic() - began, answered(connection)

    # 20 kB a second, and then 200.
    seconds, (status, text) = sent(0.05, 1000)
    print(f"refused after {seconds:.1f} s: {text}")
    assert (status, text) == (408, receiver.TOO_SLOW)
    assert 0.4 < seconds < 2
    assert index.stored() == {}
    assert list((index.packages / ".incoming").iterdir()) == []
    assert sent(0.05, 10_000)[1][0] == 200


def test_a_silent_client_is_refused(connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "GRACE_SECONDS", 0.3)
    connection = connect()
    connection.sendall(head("multipart/form-data; boundary=edge", "Content-Length: 1000") + b"--edge\r\n")
    assert answered(connection) == (408, receiver.TOO_SLOW)


def test_where_no_thread_is_to_be_had_the_next_upload_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    taken = receiver.Receiver(theirs, lambda _headers, _body, _is_awaited: Said(200, "done"), 1, threading.Event())
    real, tries = threading.Thread.start, iter([True])

    def start(thread: threading.Thread) -> None:
        if next(tries, False):
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    first, second = socket.socketpair(), socket.socketpair()
    with pytest.raises(RuntimeError):
        taken._begin(first[1])
    assert first[0].recv(1) == b"", "it is hung up on"
    taken._begin(second[1])
    second[0].sendall(b"POST /_upload HTTP/1.1\r\n\r\n")
    assert answered(second[0]) == (200, "done")
    for one in (ours, theirs, *first, *second):
        one.close()


def test_an_upload_beyond_the_most_is_refused_at_once_until_another_ends() -> None:
    go_on = threading.Event()

    def change(_headers: object, _body: object, _is_awaited: object) -> Said:
        assert go_on.wait(30)
        return Said(200, "done")

    request = b"POST /_upload HTTP/1.1\r\n\r\n"
    with socket.socket() as none, ExitStack() as stack:
        taken = receiver.Receiver(none, change, 2, threading.Event())

        def begun(sent: bytes) -> socket.socket:
            ours, theirs = socket.socketpair()
            ours.settimeout(30)
            ours.sendall(sent)
            taken._begin(theirs)
            return stack.enter_context(ours)

        first, second = begun(request), begun(request)
        began = time.monotonic()
        # NGINX may be sending, and does not hang up here.
        assert answered(begun(request + bytes(100_000))) == (503, receiver.BUSY)
        seconds = time.monotonic() - began
        print(f"refused after {seconds * 1000:.0f} ms")
        assert seconds < 1
        go_on.set()
        for one in (first, second):
            assert answered(one) == (200, "done")
            one.close()
        until, status = time.monotonic() + 10, 503
        while status == 503 and time.monotonic() < until:
            status = answered(begun(request))[0]
        assert status == 200


def test_what_a_client_hung_up_on_while_it_waited_is_not_published(
    index: Index, connect: Callable[[], socket.socket]
) -> None:
    names = [f"foo-{number}.0-py3-none-any.whl" for number in range(1, 6)]
    connections = {}
    # As an import or another upload has it.
    with index.store._alone():
        for name in names:
            body, kind = upload_form(name, made.file(name))
            connections[name] = connect()
            connections[name].sendall(head(kind, f"Content-Length: {len(body)}") + body)
        time.sleep(0.5)
        for name in names[1:]:
            connections[name].close()
    assert answered(connections[names[0]]) == (200, f"Published {names[0]}.")
    until = time.monotonic() + 10
    while any((index.packages / ".incoming").iterdir()):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert set(index.stored()) == {names[0]}
    assert index.upload(names[1], made.file(names[1])).status == 200


def test_many_slow_clients_hold_no_other(tmp_path: Path) -> None:
    def seconds(server: Server, version: int) -> float:
        name = f"foo-{version}.0-py3-none-any.whl"
        began = time.monotonic()
        assert server.upload(name, made.file(name, bytes(20_000))).status == 200
        return time.monotonic() - began

    with Server(tmp_path) as server, ExitStack() as stack:
        alone = [seconds(server, number) for number in range(20)]
        kind = "multipart/form-data; boundary=edge"
        slow = [stack.enter_context(server.connect("uploads")) for _ in range(200)]
        for connection in slow:
            connection.sendall(head(kind, "Content-Length: 1000000") + b"--edge\r\n")
        beside = [seconds(server, number) for number in range(20, 40)]
        before, after = statistics.median(alone), statistics.median(beside)
        print(f"an upload alone {before * 1000:.0f} ms, beside 200 slow ones {after * 1000:.0f} ms")
        assert after < 3 * before + 0.05
        assert server.get("/health").status == 200


def anonymous_megabytes(group: int) -> float:
    """Return the memory of a process group that is no file's."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if os.getpgid(int(status.parent.name)) == group:
                total += int(re.findall(r"RssAnon:\s+(\d+)", status.read_text())[0])
    return total / 1024


def test_large_uploads_at_once_take_no_memory(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        assert server.upload(NAME, made.file(NAME)).status == 200
        before = anonymous_megabytes(server.pid)
        largest, stop = [before], threading.Event()

        def watch() -> None:
            while not stop.wait(0.05):
                largest[0] = max(largest[0], anonymous_megabytes(server.pid))

        watching = threading.Thread(target=watch)
        watching.start()
        found: list[int] = []

        def publish(number: int) -> None:
            name = f"foo-{number}.0-py3-none-any.whl"
            found.append(server.upload(name, made.file(name, bytes(100 * MEGABYTE))).status)

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(2, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        watching.join()
        print(f"anonymous memory: {before:.0f} MB before, {largest[0]:.0f} MB at most during four uploads of 100 MB")
        assert found == [200] * 4
        assert largest[0] < before + 40


def test_an_upload_that_has_begun_is_finished_when_the_server_is_ended(tmp_path: Path) -> None:
    content = made.file(NAME, os.urandom(MEGABYTE))
    body, kind = upload_form(NAME, content)
    with Server(tmp_path) as server:
        with server.connect("uploads") as connection:
            connection.sendall(head(kind, f"Content-Length: {len(body)}") + body[:500_000])
            time.sleep(0.3)
            os.kill(server.pid, signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(body[500_000:])
            assert answered(connection) == (200, f"Published {NAME}.")
        there = (server.packages / NAME).read_bytes()
        assert hashlib.sha256(there).digest() == hashlib.sha256(content).digest()


def test_nginx_is_led_to_one_replica_and_to_another_when_that_ends(tmp_path: Path) -> None:
    first = Server(tmp_path)
    current = first.sockets / "current"

    def leads_to(server: Server) -> bool:
        return current.is_symlink() and os.readlink(current) == server.name

    def within(seconds: float, server: Server) -> float:
        began = time.monotonic()
        while not leads_to(server):
            assert time.monotonic() - began < seconds, os.listdir(first.sockets)
            time.sleep(0.005)
        return time.monotonic() - began

    first.start()
    within(5, first)
    with Server(tmp_path, sockets=first.sockets) as second:
        assert leads_to(first)
        assert second.get("/health").status == 200
        first.kill()
        print(f"the other one is asked after {within(5, second) * 1000:.0f} ms")
        with first.connect("uploads", "current") as connection:
            body, kind = upload_form(NAME, made.file(NAME))
            connection.sendall(head(kind, f"Content-Length: {len(body)}") + body)
            assert answered(connection)[0] == 200
        # What the first one has left is removed, and it can come back.
        until = time.monotonic() + 15
        while (left := {path.name for path in first.sockets.iterdir()}) != {".lock", "current", second.name}:
            assert time.monotonic() < until, left
            time.sleep(0.05)
        with first:
            assert leads_to(second)
            second.kill()
            within(5, first)
            assert first.upload("foo-2.0-py3-none-any.whl", made.file("foo-2.0-py3-none-any.whl")).status == 200


def test_a_replica_that_is_to_end_is_asked_no_more_while_it_finishes_its_uploads(tmp_path: Path) -> None:
    names = [f"foo-{number}.0-py3-none-any.whl" for number in range(1, 9)]
    bodies = {name: upload_form(name, made.file(name, os.urandom(MEGABYTE))) for name in names}
    with Server(tmp_path) as first, Server(tmp_path, sockets=first.sockets) as second, ExitStack() as stack:
        under_way = {}
        # So many that both processes have some.
        for name, (body, kind) in bodies.items():
            under_way[name] = stack.enter_context(first.connect("uploads", "current"))
            under_way[name].sendall(head(kind, f"Content-Length: {len(body)}") + body[:500_000])
        time.sleep(0.3)
        began = time.monotonic()
        os.kill(first.pid, signal.SIGTERM)
        while os.readlink(first.sockets / "current") != second.name:
            assert time.monotonic() - began < 3
            time.sleep(0.005)
        print(f"the other one is asked after {time.monotonic() - began:.2f} s")
        # Not only the link: who has looked at it before finds nothing, instead of a queue that is not served.
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            first.connect("uploads")
        for name, (body, _kind) in bodies.items():
            under_way[name].sendall(body[500_000:])
            assert answered(under_way[name]) == (200, f"Published {name}.")
        time.sleep(1.5)
        assert os.readlink(first.sockets / "current") == second.name
        assert "cannot be taken" not in first.log.read_text()
        assert second.upload("foo-9.0.tar.gz", made.file("foo-9.0.tar.gz")).status == 200


def test_a_socket_that_is_removed_by_hand_is_a_problem_that_is_named(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        (server.sockets / server.name / "uploads.sock").unlink()
        answer = server.get("/health")
        assert (answer.status, answer.text) == (
            503,
            f"sockets/{server.name}/uploads.sock does not answer: restart the container\n",
        )


def test_a_leader_without_its_socket_leaves_the_link_to_another(tmp_path: Path) -> None:
    with Server(tmp_path) as first, Server(tmp_path, sockets=first.sockets) as second:
        current = first.sockets / "current"
        assert os.readlink(current) == first.name
        (first.sockets / first.name / "uploads.sock").unlink()
        until = time.monotonic() + 10
        while os.readlink(current) != second.name:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert first.get("/health").status == 503
        assert second.get("/health").status == 200


def test_a_link_that_leads_nowhere_is_a_problem_that_is_named_until_it_is_removed(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        current = server.sockets / "current"
        current.unlink()
        current.mkdir()
        answer = server.get("/health")
        print(answer.text)
        assert answer.status == 503
        assert answer.text.startswith("sockets/current leads to no container that answers: remove it")
        until = time.monotonic() + 30
        while "NGINX may not find this container" not in server.log.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        current.rmdir()
        until = time.monotonic() + 30
        while server.get("/health").status != 200:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_lock_that_cannot_be_opened_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_LOOK_SECONDS", 0.1)
    own = Sockets(tmp_path, "own")
    (tmp_path / ".lock").mkdir()
    with own.listen() as listening:
        own.start_leading(listening)
        time.sleep(0.5)
        assert not (tmp_path / "current").exists()
        (tmp_path / ".lock").rmdir()
        until = time.monotonic() + 10
        while not (tmp_path / "current").is_symlink():
            assert time.monotonic() < until
            time.sleep(0.02)
        own.stopping.set()


def test_only_what_no_process_listens_on_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_WAITING", 1)
    names = ["full", "leader", "left", "young"]
    replicas = {name: Sockets(tmp_path, name) for name in names}
    with ExitStack() as stack:
        listening = {name: stack.enter_context(replicas[name].listen()) for name in ("full", "leader", "left")}
        for _number in range(2):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(replicas["full"].uploads))
        assert not sockets.is_answered(replicas["full"].uploads)
        listening["left"].close()
        listening["leader"].close()

        def listen(listening: socket.socket, waiting: int) -> None:
            # Another one looks just now.
            replicas["leader"]._remove_left()
            real(listening, waiting)

        real = socket.socket.listen
        monkeypatch.setattr(socket.socket, "listen", listen)
        stack.enter_context(replicas["young"].listen())
        assert sockets.is_answered(replicas["young"].uploads)
        assert sorted(path.parent.name for path in tmp_path.glob("*/uploads.sock")) == ["full", "leader", "young"]
