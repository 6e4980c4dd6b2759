"""Runs the checks on our index and on its peers, all in front of the same upstream on one host."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import public, start
from tests.bench.hosts import BenchError, made
from tests.bench.sides import PUBLISHER
from tests.conformance.checks import Case, results
from tests.conformance.subject import Subject
from tests.ground.shell import say
from tests.peers.peer import PEERS, RESERVED, started
from tests.support.clients import NOBODY
from tests.support.public_index import PublicIndex

HOST = "conformance"
OURS = "wheelhouse.pypi"
# In seconds: for how long each of them may serve a page from its cache.
_FRESH = 5


def all_results() -> dict[str, dict[str, str]]:
    """Return why each check fails of each index, by index and title; an empty text where it passes."""
    found = {}
    with made([HOST]):
        upstream = public.stand_in(HOST)
        for name in (OURS, *PEERS):
            upstream.reset()
            with _subject(name, upstream) as subject, tempfile.TemporaryDirectory() as folder:
                say(f"{name}: {subject.url}")
                found[name] = results(Case(subject, Path(folder)))
    return found


@contextmanager
def _subject(name: str, upstream: PublicIndex) -> Iterator[Subject]:
    if name != OURS:
        with started(PEERS[name], HOST, _FRESH) as running:
            yield Subject(running.pages, NOBODY, running.put, upstream, RESERVED, _FRESH)
        return
    side = start.applied(name, HOST, {**public.upstream_of(HOST), "pypi_upstream_freshness": f"{_FRESH}s"})

    def put(file: Path) -> None:
        done = side.index.twine_upload(PUBLISHER, file)
        if done.returncode:
            raise BenchError(f"the index does not take {file.name}:\n{done.stdout}{done.stderr}")

    yield Subject(f"{side.url}{side.simple}", side.login, put, upstream, RESERVED, _FRESH)
