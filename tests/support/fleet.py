"""Hosts of a scenario with several: each with its index, what is on it, and who reads from it meanwhile."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from http.client import HTTPException
from threading import Event, Thread
from typing import Any

import testinfra

from tests.support import hosts
from tests.support.clients import Index, Login
from tests.support.stack import Stack

# What a run may change; NGINX's cache and pypiserver's catalogue change by being read from.
_TREE = (
    r"find {home} \( -path {home}/nginx_cache -o -path {home}/logs -o -path '{home}/index/catalogue*'"
    r" -o -path '{home}/index/.*lock' \) -prune -o -type f -printf '%p %m %U:%G %s %T@ %i\n'"
)


class Member:
    """A host of a fleet, looked at through the machine's engine: also when SSH does not answer."""

    def __init__(self, name: str, home: str) -> None:
        self.name = name
        self.host: Any = testinfra.get_host(f"docker://{name}")
        self.stack = Stack(self.host, home)

    @cached_property
    def index(self) -> Index:
        """Its index, as clients elsewhere reach it."""
        return Index(f"http://{hosts.address(self.host)}")

    def state(self) -> list[str]:
        """Return a line for each file of the index and for each container."""
        files = self.host.check_output(_TREE.format(home=self.stack.home)).splitlines()
        assert len(files) > 5, files
        return sorted([*files, str(self.stack.running())])

    def loaded(self) -> str:
        """Return what NGINX says about the largest upload, in the files that it has loaded."""
        revision = self.stack.compose("exec -T nginx curl --silent http://127.0.0.1:8081/health")
        on_disk = self.host.check_output(f"cat {self.stack.home}/nginx/revision.conf")
        assert revision in on_disk, "NGINX has not loaded what is on disk"
        return self.host.check_output(f"grep -o 'client_max_body_size [^;]*' {self.stack.home}/nginx/conf.d/pypi.conf")


@dataclasses.dataclass(frozen=True)
class Read:
    """One request: when it began and ended, in seconds, and the status or the error that came of it."""

    began: float
    ended: float
    answer: str

    @property
    def good(self) -> bool:
        """Whether it brought what was asked for."""
        return self.answer == "200"


@dataclasses.dataclass(frozen=True)
class Gap:
    """A time without service: between the last good answer before it and the first good one after it."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began


def gaps(reads: Sequence[Read]) -> list[Gap]:
    """Return the times in which one client, who asks again and again, got nothing.

    Args:
        reads: of one client, in order; before the first and after the last good one nothing is said.
    """
    found, last, lost = [], None, False
    for read in reads:
        if not read.good:
            lost = last is not None
            continue
        if last is not None and lost:
            found.append(Gap(last, read.ended))
        last, lost = read.ended, False
    return found


class Client(Thread):
    """Reads pages and files in turn, until it is told to stop."""

    def __init__(self, index: Index, login: Login, paths: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.reads: list[Read] = []
        self._index, self._login, self._paths = index, login, paths
        self._done = Event()

    def run(self) -> None:
        """Read."""
        number = 0
        # Often enough to meet a reload, and seldom enough to leave the run under test a processor.
        while not self._done.wait(0.02):
            began = time.monotonic()
            try:
                answer = str(self._index.request(self._paths[number % len(self._paths)], self._login).status)
            except (OSError, HTTPException) as error:
                answer = repr(error)
            self.reads.append(Read(began, time.monotonic(), answer))
            number += 1

    def stop(self) -> None:
        """End after the read that is under way."""
        self._done.set()
        self.join()


@contextmanager
def reading(index: Index, login: Login, *paths: str) -> Iterator[Client]:
    """Read from an index while something else happens."""
    client = Client(index, login, paths)
    client.start()
    try:
        yield client
    finally:
        client.stop()


@contextmanager
def clients(members: Sequence[Member], login: Login, paths: Sequence[str]) -> Iterator[dict[str, Client]]:
    """Read from all hosts while something else happens; yields the clients by the name of their host."""
    with ExitStack() as stack:
        yield {member.name: stack.enter_context(reading(member.index, login, *paths)) for member in members}


def bad_answers(client: Client) -> dict[str, int]:
    """Return the answers that were none, each with how often it came."""
    answers = [read.answer for read in client.reads if not read.good]
    return {answer: answers.count(answer) for answer in sorted(set(answers))}
