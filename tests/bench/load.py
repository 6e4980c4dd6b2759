"""Load: wrk, which asks as fast as answers come, and what it has measured."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from tests.ground import apt

from .hosts import BenchError
from .sides import Side

CONNECTIONS = 16
_SCRIPT = Path(__file__).resolve().parent / "load.lua"
_MEASURED = re.compile(r"(\w+)=([\d.]+)")


@dataclass(frozen=True)
class Load:
    """What came of a load.

    Attributes:
        requests: answered ones.
        seconds: how long it took.
        bytes: what was received, headers too.
        p50_ms: half of the answers took no longer.
        p99_ms: of a hundred answers, 99 took no longer.
        refused: answers with a status of 400 or more.
        broken: requests that got no answer.
    """

    requests: int
    seconds: float
    bytes: int
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes a second."""
        return self.bytes / self.seconds / 1e6

    @property
    def errors(self) -> int:
        """How many requests did not bring what was asked for."""
        return self.refused + self.broken


def parsed(output: str) -> Load:
    """Read the line that load.lua writes.

    Raises:
        BenchError: if there is none.
    """
    found = dict(_MEASURED.findall(output))
    try:
        return Load(
            requests=int(found["requests"]),
            seconds=float(found["seconds"]),
            bytes=int(found["bytes"]),
            p50_ms=float(found["p50_ms"]),
            p99_ms=float(found["p99_ms"]),
            refused=int(found["refused"]),
            broken=int(found["broken"]),
        )
    except KeyError:
        raise BenchError(f"wrk says nothing that can be read:\n{output}") from None


def ready() -> None:
    """Install wrk where it is missing."""
    apt.ensure({"wrk": ["/usr/bin/wrk", "/usr/local/bin/wrk"]})


def load(side: Side, path: str, seconds: float, *, connections: int = CONNECTIONS, paths: Sequence[str] = ()) -> Load:
    """Ask a side for a path, or for some in turn, on connections that stay open."""
    with started(side, path, seconds, connections=connections, arguments=paths) as ended:
        return ended()


def right(side: Side, path: str, seconds: float, *, connections: int = CONNECTIONS) -> Load:
    """Ask a side for a path.

    Raises:
        BenchError: if an answer is none: what is not right is not to be fast.
    """
    done = load(side, path, seconds, connections=connections)
    if done.errors or not done.requests:
        failed = f"{done.refused} of {done.requests} were refused, {done.broken} got no answer"
        raise BenchError(f"{side.name}: requests for {path}: {failed}")
    return done


def missed(side: Side, path: str, seconds: float, *, connections: int = CONNECTIONS) -> Load:
    """Ask a side for a path that is a 404.

    Raises:
        BenchError: if it is not, or a request gets no answer.
    """
    status = side.index.request(path, side.login).status
    done = load(side, path, seconds, connections=connections)
    if status != HTTPStatus.NOT_FOUND or done.broken or not done.requests or done.refused != done.requests:
        raise BenchError(
            f"{side.name}: {path} is answered with {status}; of {done.requests} requests {done.refused} were refused"
        )
    return done


@contextmanager
def started(
    side: Side, path: str, seconds: float, *, connections: int = CONNECTIONS, arguments: Sequence[str] = ()
) -> Iterator[Callable[[], Load]]:
    """Load a side while something else happens; yields what waits for its end and returns what was measured."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"]
    command += ["--timeout", "30s", "--script", str(_SCRIPT)]
    headers = {**side.login.header(), **side.headers}
    command += [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    command += [side.url + path, *(["--", *arguments] if arguments else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield lambda: parsed(process.communicate()[0])
        finally:
            process.terminate()
