"""Nodes ask each other to read on, and a balancer asks whether one is well."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from wheelhouse_index.common import boot
from wheelhouse_index.fact_store.journal import Nodes, Place
from wheelhouse_index.requests.sockets import Sockets
from wheelhouse_index.server import peers as peers_module
from wheelhouse_index.server.peers import HEADER, Peers

from tests.support.index import Index
from tests.unit.wheelhouse_index.test_nodes import wheel

FRESHNESS = 2.0


class Node:
    """A node that answers on its socket, and asks by a stand-in for NGINX."""

    def __init__(self, folder: Path, name: str) -> None:
        (folder / name).mkdir()
        (folder / name / "packages").symlink_to(folder / "shared")
        self.name = name
        self.index = Index(folder / name, nodes=Nodes.of_text(name, "a b_1"))
        self.sockets = Sockets(folder / name, "sockets")
        self.way_out = folder / name / "out.sock"
        self.peers = Peers(self.index.store, self.way_out, FRESHNESS)
        self.index.store.tell = self.peers.tell

    def start(self) -> None:
        """Begin to read on and to answer, and wait until it is well."""
        self.peers.start(self.sockets.listen_peers(), self.sockets.stopping)
        self.index.look()
        self.wait_for(200)

    def ask(self, path: str, header: str = "") -> tuple[int, str]:
        """Ask as NGINX does; return status and text."""
        connection = HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        connection.sock.connect(str(self.sockets.peers))
        connection.request("GET", path, headers={HEADER: header})
        said = connection.getresponse()
        text = said.read().decode().strip()
        connection.close()
        return said.status, text

    def wait_for(self, status: int, seconds: float = 10.0) -> str:
        """Wait until a balancer would be answered so; return the text."""
        until = time.monotonic() + seconds
        while (said := self.ask("/node"))[0] != status:
            assert time.monotonic() < until, said
            time.sleep(0.05)
        return said[1]


class Between:
    """What NGINX does between two nodes: it passes on, unless it is cut."""

    def __init__(self, asking: Node, asked: Node) -> None:
        self._asked = asked
        self.is_cut = False
        self.lies = False
        self.passed = 0
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(asking.way_out))
        self._listening.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            one = self._listening.accept()[0]
            threading.Thread(target=self._pass_on, args=(one,), daemon=True).start()

    def _pass_on(self, one: socket.socket) -> None:
        with one:
            request = one.recv(65536)
            if self.is_cut:
                one.sendall(b"HTTP/1.1 503 away\r\nContent-Length: 0\r\n\r\n")
                return
            if self.lies:
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Wheelhouse-Peer: 0\r\n\r\n")
                return
            self.passed += 1
            request = request.replace(f"GET /{self._asked.name}/".encode(), b"GET /_peer/", 1)
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(str(self._asked.sockets.peers))
                other.sendall(request)
                while data := other.recv(65536):
                    one.sendall(data)


@pytest.fixture
def pair(in_memory: Path) -> Iterator[tuple[Node, Node, Between]]:
    (in_memory / "shared").mkdir()
    # Both are there before one says that it lives: the other would wait until that one, which is not well yet, has it join.
    a, b = Node(in_memory, "a"), Node(in_memory, "b_1")
    between = Between(a, b)
    Between(b, a)
    for node in (a, b):
        node.start()
    yield a, b, between
    for node in (a, b):
        node.sockets.stopping.set()
    # A later test may fork, and its child would wait for the locks of threads that it does not have.
    for thread in threading.enumerate():
        if thread.name in ("follower", "giver", "peers", "peers-request"):
            thread.join(10)
            assert not thread.is_alive()


def test_a_node_that_has_lost_its_disk_gets_what_the_other_one_knows(
    pair: tuple[Node, Node, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _between = pair
    name, content = wheel("hello", "1.0")
    assert a.index.upload(name, content).status == 200
    b.sockets.stopping.set()
    b.index.lose_pages()
    monkeypatch.setattr(b.index.store, "_read", lambda entry: pytest.fail(f"{entry.path} is read"))
    b.index.store.prepare()
    b.index.look()
    assert list(b.index.listed("hello")) == [name]
    assert not b.index.store.compares()


def test_an_upload_is_answered_when_the_other_node_shows_it(pair: tuple[Node, Node, Between]) -> None:
    a, b, between = pair
    name, content = wheel("hello", "1.0")
    assert a.index.upload(name, content).status == 200
    assert list(b.index.listed("hello")) == [name]
    assert between.passed == 1


@pytest.mark.parametrize("fault", ["is_cut", "lies"])
def test_a_node_that_is_not_reached_reads_on_before_the_answer(pair: tuple[Node, Node, Between], fault: str) -> None:
    a, b, between = pair
    setattr(between, fault, True)
    for version in ("1.0", "2.0"):
        name, content = wheel("hello", version)
        assert a.index.upload(name, content).status == 200
        assert name in b.index.listed("hello")
    assert b.ask("/node")[0] == 200


class Hidden:
    """Files that a node does not see, as a mount may not show them for a while."""

    def __init__(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = True
        stamp = node.index.store._stamp
        monkeypatch.setattr(node.index.store, "_stamp", lambda path: None if self.on else stamp(path))


def test_a_node_that_comes_back_is_not_well_while_a_file_is_missing(
    pair: tuple[Node, Node, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, between = pair
    b.wait_for(200)
    hidden = Hidden(b, monkeypatch)
    between.is_cut = True
    with monkeypatch.context() as away:
        away.setattr(b.peers, "step", lambda: None)
        assert a.index.upload(*wheel("hello", "1.0")).status == 200
        assert b.ask("/node")[0] == 503
    until = time.monotonic() + 3 * FRESHNESS
    while "are not there yet" not in (said := b.ask("/node"))[1]:
        assert said[0] == 503
        assert time.monotonic() < until, said
        time.sleep(0.01)
    hidden.on = False
    b.wait_for(200)
    assert b.index.listed("hello")


def test_a_node_is_not_well_before_an_upload_is_answered_whose_file_it_does_not_see(
    pair: tuple[Node, Node, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _between = pair
    b.wait_for(200)
    hidden = Hidden(b, monkeypatch)
    said: list[int] = []
    upload = threading.Thread(target=lambda: said.append(a.index.upload(*wheel("hello", "1.0")).status))
    upload.start()
    time.sleep(FRESHNESS / 2)
    # For a moment that is so with each upload: what is written into a journal is not there yet.
    assert not said and b.ask("/node")[0] == 200
    upload.join()
    assert said == [200]
    assert b.ask("/node")[0] == 503
    hidden.on = False
    b.wait_for(200)
    assert b.index.listed("hello")


def test_a_node_that_does_not_read_is_not_well_before_the_answer(
    pair: tuple[Node, Node, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, between = pair
    between.is_cut = True
    monkeypatch.setattr(b.peers, "step", lambda: None)
    name, content = wheel("hello", "1.0")
    assert a.index.upload(name, content).status == 200
    assert not b.index.listed("hello")
    status, reason = b.ask("/node")
    assert status == 503
    assert "it has not read for" in reason
    # Now it is known to be away, and nothing waits for it.
    began = time.monotonic()
    assert a.index.upload(*wheel("hello", "2.0")).status == 200
    assert time.monotonic() - began < FRESHNESS
    monkeypatch.undo()
    b.wait_for(200)
    assert len(b.index.listed("hello")) == 2
    between.is_cut = False
    assert a.index.upload(*wheel("hello", "3.0")).status == 200
    assert len(b.index.listed("hello")) == 3


def test_a_node_says_why_it_is_not_well(pair: tuple[Node, Node, Between]) -> None:
    _a, b, _between = pair
    facts = b.index.packages.resolve() / ".wheelhouse"
    aside = facts.with_name("aside")
    facts.rename(aside)
    assert "format is missing" in b.wait_for(503)
    aside.rename(facts)
    b.wait_for(200)


def test_strangers_are_refused(pair: tuple[Node, Node, Between]) -> None:
    a, b, _between = pair
    assert a.index.upload(*wheel("hello", "1.0")).status == 200
    place = b.index.store.catch_up()["a"]
    path = f"/_peer/a/{place.file}/{place.offset}"
    key = a.index.store.facts.journals.key()
    nonce = "0" * 32
    right = f"{nonce} {peers_module._mac(key, 'ask', 'b_1', nonce, path)}"
    assert b.ask(path, right)[0] == 200
    for header in ("", nonce, f"{nonce} 0", f"1{right[1:]}", f"{nonce} "):
        assert b.ask(path, header)[0] == 403, header
    assert b.ask(path.replace("/_peer/a/", "/_peer/b_1/"), right)[0] == 403
    # What is not there yet cannot have been read.
    far = f"/_peer/a/{place.file}/{place.offset + 1}"
    assert b.ask(far, f"{nonce} {peers_module._mac(key, 'ask', 'b_1', nonce, far)}")[0] == 503
    for path in ("/", "/_peer/a/x/1", "/_peer/../../a/00000001.journal/1"):
        assert b.ask(path, right)[0] == 404


def test_the_first_node_that_lives_looks_for_copied_files(
    pair: tuple[Node, Node, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _between = pair
    assert a.peers.looks()
    assert not b.peers.looks()
    monkeypatch.setattr(a.peers, "step", lambda: None)
    until = time.monotonic() + 10
    while not b.peers.looks():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_host_that_slept_or_was_started_again_is_well_when_it_has_read_on(
    pair: tuple[Node, Node, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    _a, b, _between = pair
    real, step = boot.now, b.peers.step
    # Between two looks.
    monkeypatch.setattr(b.peers, "step", lambda: None)
    time.sleep(FRESHNESS / 4 + 0.2)
    step()
    assert b.peers.wellness() == ""
    monkeypatch.setattr(boot, "now", lambda: real() + 3600)
    assert "it has not read for 3600 s" in b.peers.wellness()
    step()
    assert b.peers.wellness() == ""
    monkeypatch.setattr(boot, "name", lambda: "another")
    assert b.peers.wellness() == "it has read nothing since the host started"
    step()
    assert b.peers.wellness() == ""


def test_the_key_is_secret_and_the_same_for_all(pair: tuple[Node, Node, Between]) -> None:
    a, b, _between = pair
    place = a.index.packages.resolve() / ".wheelhouse/nodes/key"
    assert place.stat().st_mode & 0o777 == 0o600
    assert a.index.store.facts.journals.key() == b.index.store.facts.journals.key()
    assert len(a.index.store.facts.journals.key()) == 64
    # Another one is taken as it is found.
    place.write_bytes(os.urandom(32).hex().encode())
    a.index.upload(*wheel("hello", "1.0"))
    assert b.index.listed("hello")
    assert json.loads((b.index.pages / ".followed").read_text())["reason"] == ""
    assert a.index.store.appended > Place()
