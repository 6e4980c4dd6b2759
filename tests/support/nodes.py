"""Hosts that are one index: what each of them shows, and what can befall it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import testinfra

from tests.support import hosts, packages
from tests.support.clients import Answer, Index, Login, form
from tests.support.stack import Stack, eventually

HOME = "/home/pypi/pypi-server"
PACKAGES = f"{HOME}/packages"
PUBLISHER = Login("publisher", "publisher-password")
READER = Login("reader", "reader-password")
JSON = "application/vnd.pypi.simple.v1+json"
# How long a client waits for an answer; a host that is dead gives none.
SECONDS = 20.0
# Between hosts, everything but Ansible's and the tests' own way in; between containers of theirs, the published port alone.
EVERYTHING, WEB = "", "--protocol tcp --dport 80"


class Node:
    """One host of the index, looked at through the machine's engine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host: Any = testinfra.get_host(f"docker://{name}")
        # It keeps it.
        self.address = hosts.address(self.host)
        self.stack = Stack(self.host, HOME)
        self.index = Index(f"http://{self.address}", seconds=SECONDS)

    def __repr__(self) -> str:
        return self.name

    def get(self, path: str, accept: str = JSON) -> Answer:
        """Ask for a path as a reader."""
        return self.index.request(path, READER, headers={"Accept": accept})

    def health(self) -> int:
        """Return the status of its health address; 0 where none comes."""
        try:
            return self.index.request("/health").status
        except (OSError, HTTPException):
            return 0

    def upload(self, file: Path) -> int:
        """Upload a file; return the status, 0 where none comes."""
        try:
            return self.index.upload(PUBLISHER, file).status
        except (OSError, HTTPException):
            return 0

    def ask(self, action: str, **fields: str) -> int:
        """Remove, yank, or set a status; return the answer's status, 0 where none comes."""
        body, headers = form({":action": action, **fields})
        try:
            return self.index.request("/", PUBLISHER, "POST", body, headers).status
        except (OSError, HTTPException):
            return 0

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        """Return the entries of a project's page by file name; none where there is no page."""
        answer = self.get(f"/simple/{project}/")
        assert answer.status in (200, 404), (self.name, project, answer)
        found = json.loads(answer.body)["files"] if answer.status == 200 else []
        return {str(entry["filename"]): entry for entry in found}

    def wait_until_well(self, seconds: float = 60) -> float:
        """Wait until its health address says so; return after how many seconds."""
        began = time.monotonic()
        eventually(lambda: self.health() == 200, f"{self.name} is well", seconds)
        return time.monotonic() - began

    def containers(self, service: str = "") -> str:
        """Return the ids of its containers, separated by blanks."""
        return " ".join(container["Id"] for container in self.stack.inspect_all(service))

    @contextmanager
    def without(self, service: str = "") -> Iterator[None]:
        """Its containers, or those of a service, are dead, and then are started."""
        found = self.containers(service)
        self.host.check_output(f"docker kill {found}")
        try:
            yield
        finally:
            self.host.check_output(f"docker start {found}")

    @contextmanager
    def cut_off(self, others: Sequence[Node], what: str = EVERYTHING) -> Iterator[None]:
        """No packet of a kind passes between it and the others; none is refused, and clients reach it.

        Args:
            others: whom it does not reach, nor they it.
            what: matches of iptables.
        """
        # Before addresses are translated: containers are cut off by the same rules.
        rules = [f"PREROUTING --source {one.address} {what} --jump DROP" for one in others]
        rules += [
            f"{chain} --destination {one.address} {what} --jump DROP"
            for one in others
            for chain in ("PREROUTING", "OUTPUT")
        ]
        self.host.check_output("; ".join(["set -e", *(f"iptables --table raw --append {rule}" for rule in rules)]))
        try:
            yield
        finally:
            self.host.check_output("; ".join(["set -e", *(f"iptables --table raw --delete {rule}" for rule in rules)]))

    def power_off(self) -> None:
        """Cut its power."""
        subprocess.run(["docker", "kill", self.name], stdout=subprocess.DEVNULL, check=True)

    def power_on(self) -> None:
        """Start it, and wait until it has booted."""
        subprocess.run(["docker", "start", self.name], stdout=subprocess.DEVNULL, check=True)
        hosts.wait_for_boot(self.name)

    def mount(self) -> None:
        """Mount packages/ after it was taken away."""
        self.host.check_output("systemctl start mount-packages")


def wait_until_healed(node: Node, seconds: float = 240) -> float:
    """Wait until all copies of the shared folder are the same; return after how many seconds.

    Args:
        node: any that is up.
        seconds: how long to wait at most.
    """
    began = time.monotonic()

    def healed() -> bool:
        said = node.host.check_output("gluster volume heal packages info summary")
        entries = [
            line.split(":")[1].strip() for line in said.splitlines() if line.startswith("Total Number of entries:")
        ]
        return entries == ["0", "0", "0"]

    eventually(healed, "all copies are the same", seconds)
    return time.monotonic() - began


def sha256(content: bytes) -> str:
    """Return a digest in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def differs(node: Node, project: str, expected: Mapping[str, bytes], yanked: frozenset[str] = frozenset()) -> str:
    """Say how a node's pages of a project differ from what they should say; nothing where they do not.

    Args:
        node: who is asked.
        project: whose page.
        expected: content of each file that is listed, by its name.
        yanked: which of them are.
    """
    found = node.files(project)
    if found.keys() != expected.keys():
        return f"{node.name} lists {sorted(found)} instead of {sorted(expected)}"
    for name, content in expected.items():
        if found[name]["hashes"]["sha256"] != sha256(content):
            return f"{node.name} lists another content of {name}"
        if bool(found[name].get("yanked")) != (name in yanked):
            return f"{node.name} says yanked={found[name].get('yanked')} of {name}"
    answer = node.get(f"/simple/{project}/", "text/html")
    text = answer.body.decode()
    listed = {name for name in expected if f">{name}</a>" in text}
    if answer.status != 200 if expected else text.count("<a "):
        return f"{node.name} answers {answer.status} for the HTML page"
    if listed != expected.keys() or (answer.status == 200 and text.count("<a ") != len(expected)):
        return f"{node.name} lists {sorted(listed)} instead of {sorted(expected)} in HTML"
    if text.count("data-yanked") != len(yanked):
        return f"{node.name} says of {text.count('data-yanked')} files in HTML that they are yanked"
    return ""


def stale(node: Node, project: str, expected: Mapping[str, bytes], yanked: frozenset[str] = frozenset()) -> str:
    """Return how a node's pages differ if it says before and after that it is well; nothing where they do not."""
    if node.health() != 200:
        return ""
    difference = differs(node, project, expected, yanked)
    return difference if difference and node.health() == 200 else ""


def not_served(node: Node, project: str, name: str, content: bytes) -> str:
    """Say what is wrong with a file and its metadata as a node serves them; nothing where they are right."""
    version = name.split("-")[1]
    wanted = {f"/packages/{name}": content, f"/packages/{name}.metadata": packages.metadata(project, version)}
    for path, body in wanted.items():
        answer = node.get(path)
        if answer.status != 200 or answer.body != body:
            return f"{node.name} answers {answer.status} and {len(answer.body)} bytes for {path}"
    return ""


@dataclass
class Uploads:
    """What publishers were answered.

    Attributes:
        accepted: content of each file that was answered by 200, by its name, by project.
        refused: how often another status came, by node and status; 0 is none.
        stale: what nodes that were well showed wrongly right after a 200.
        questions: how often they were asked.
        seconds: how long each accepted upload took.
    """

    accepted: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    questions: int = 0
    seconds: list[float] = field(default_factory=list)

    def lost(self, nodes: Sequence[Node]) -> list[str]:
        """Return what nodes do not show or serve of what was accepted; each node is asked for all of it."""

        def asked(node: Node) -> list[str]:
            found = []
            for project, files in self.accepted.items():
                listed = node.files(project)
                for name, content in files.items():
                    if listed.get(name, {}).get("hashes", {}).get("sha256") != sha256(content):
                        found.append(f"{node.name}: {name} is not listed as it was accepted")
                    found += filter(None, [not_served(node, project, name, content)])
                # Whatever else is listed can be had: a refused upload may be there, but whole.
                for name, entry in listed.items():
                    answer = node.get(f"/packages/{name}")
                    if answer.status != 200 or sha256(answer.body) != entry["hashes"]["sha256"]:
                        found.append(f"{node.name}: {name} is listed, and answered by {answer.status}")
            return found

        with ThreadPoolExecutor(len(nodes)) as pool:
            return [line for lines in pool.map(asked, nodes) for line in lines]

    @property
    def count(self) -> int:
        """How many were accepted."""
        return sum(map(len, self.accepted.values()))


class Publisher(Thread):
    """Uploads new files of a project of its own to one node, one after the other, until it is stopped.

    Args:
        node: where it uploads: a node, or what is in front of all.
        project: its own project.
        folder: where it makes files.
        uploads: what it notes answers in.
        readers: who is asked after each upload whether they show it.
        limit: how many files at most.
        padding: size of a file.
        pause: seconds between two uploads.
    """

    _lock = Lock()

    def __init__(
        self,
        node: Node | Balancer,
        project: str,
        folder: Path,
        uploads: Uploads,
        readers: Sequence[Node] = (),
        limit: int = 10**6,
        padding: int = 1000,
        pause: float = 0,
    ) -> None:
        super().__init__(daemon=True)
        self._node, self._project, self._folder, self._uploads = node, project, folder, uploads
        self._readers, self._limit, self._padding, self._pause = readers, limit, padding, pause
        self._done = Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Upload."""
        try:
            self._upload()
        except BaseException as error:
            self.error = error

    def _upload(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        own = self._uploads.accepted.setdefault(self._project, {})
        # What was refused may be there all the same: of a page one asks for what was accepted last.
        for number in range(1, self._limit + 1):
            if self._done.is_set():
                return
            file = packages.wheel(
                self._folder, self._project, f"{number}.0", padding=bytes([number % 251]) * self._padding
            )
            began = time.monotonic()
            status = self._node.upload(file)
            took = time.monotonic() - began
            if status != 200:
                with self._lock:
                    key = f"{self._node.name} {status}"
                    self._uploads.refused[key] = self._uploads.refused.get(key, 0) + 1
                self._done.wait(0.1)
                continue
            own[file.name] = file.read_bytes()
            wrong = [said for node in self._readers if (said := self._not_shown(node, file.name))]
            with self._lock:
                self._uploads.seconds.append(took)
                self._uploads.questions += len(self._readers)
                self._uploads.stale += wrong
            self._done.wait(self._pause)

    def _not_shown(self, node: Node, name: str) -> str:
        try:
            if node.health() != 200 or name in node.files(self._project) or node.health() != 200:
                return ""
        except (OSError, HTTPException, AssertionError):
            # It does not answer at all, or says that it cannot.
            return ""
        return f"{node.name} is well and does not list {name}"

    def stop(self) -> None:
        """End after the upload that is under way."""
        self._done.set()
        self.join()
        if self.error:
            raise self.error


@contextmanager
def publishing(
    nodes: Sequence[Node | Balancer],
    project: str,
    folder: Path,
    readers: Sequence[Node] = (),
    padding: int = 1000,
    pause: float = 0,
) -> Iterator[Uploads]:
    """Each node gets uploads, one after the other, of a project that is its own, while something else happens."""
    uploads = Uploads()
    threads = [
        Publisher(node, f"{project}-{number}", folder / f"{project}-{number}", uploads, readers, 10**6, padding, pause)
        for number, node in enumerate(nodes)
    ]
    for thread in threads:
        thread.start()
    try:
        yield uploads
    finally:
        for thread in threads:
            thread.stop()


class Balancer(Thread):
    """What is in front of the nodes: it asks their health addresses each second, and believes what it hears twice.

    Args:
        nodes: all of them, which are used to begin with.

    Attributes:
        uses: whether it sends clients to a node, by its name.
        history: each change of that: the node, and whether it is used from then on.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__(name="balancer", daemon=True)
        self._nodes = nodes
        self._done = Event()
        self._turn = 0
        self._last = {node.name: True for node in nodes}
        self.uses = dict(self._last)
        self.history: list[tuple[str, bool]] = []

    def run(self) -> None:
        """Ask."""
        while not self._done.wait(1):
            for node in self._nodes:
                is_well = node.health() == 200
                if is_well == self._last[node.name] != self.uses[node.name]:
                    self.uses[node.name] = is_well
                    self.history.append((node.name, is_well))
                self._last[node.name] = is_well

    def used(self) -> list[Node]:
        """Return the nodes that clients are sent to."""
        return [node for node in self._nodes if self.uses[node.name]]

    def upload(self, file: Path) -> int:
        """Upload a file to one of them, the next each time; as ``Node.upload``."""
        used = self.used()
        self._turn += 1
        return used[self._turn % len(used)].upload(file) if used else 0

    def stop(self) -> None:
        """End."""
        self._done.set()
        self.join()


class Reader(Thread):
    """Reads a page and a file through a balancer, as often as it can, until it is stopped.

    Args:
        balancer: which says whom to ask.
        paths: what to ask for.

    Attributes:
        count: how often it was answered as it should be.
        bad: what else came.
    """

    def __init__(self, balancer: Balancer, paths: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._balancer, self._paths = balancer, paths
        self._done = Event()
        self.count = 0
        self.bad: list[str] = []

    def run(self) -> None:
        """Read."""
        while not self._done.wait(0.02):
            used = self._balancer.used()
            if not used:
                self.bad.append("no node is well")
                continue
            number = self.count + len(self.bad)
            node, path = used[number % len(used)], self._paths[number % len(self._paths)]
            try:
                answer = str(node.get(path).status)
            except (OSError, HTTPException) as error:
                answer = repr(error)
            if answer == "200":
                self.count += 1
            else:
                self.bad.append(f"{node.name} answers {answer} for {path}")

    def stop(self) -> None:
        """End after the read that is under way."""
        self._done.set()
        self.join()


@contextmanager
def balanced(nodes: Sequence[Node], *paths: str) -> Iterator[tuple[Balancer, Reader]]:
    """Have a balancer in front of the nodes, and somebody who reads through it, while something else happens."""
    balancer = Balancer(nodes)
    reader = Reader(balancer, paths)
    balancer.start()
    reader.start()
    try:
        yield balancer, reader
    finally:
        reader.stop()
        balancer.stop()
