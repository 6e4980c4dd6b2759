"""Figures of large uploads, each beside what the disk, or NGINX alone, takes for the same bytes. curl sends them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.ground import apt
from tests.support.clients import Login
from tests.support.packages import wheel

from .containers import taken
from .delay import delayed
from .figures import TARGETS, Figure
from .hosts import WORK, BenchError, ask, run
from .pace import Pace, in_turn
from .rollout import HOME
from .sides import PUBLISHER, Side
from .start import BENCH

BYTES = 200_000_000
_ACROSS_BYTES = 20_000_000
_ROUND_TRIP = 0.020
_AT_ONCE = 4
_BLOCK = 1_000_000
_numbers = count(1)
# In memory, where it exists: what the disk still writes of a file would be in the way of what is measured.
_SHM = Path("/dev/shm")
_FOLDER = _SHM if _SHM.is_dir() else None
# Without a wait for 100 Continue, which publishing clients do not ask for.
_CURL = ("curl", "--silent", "--show-error", "--output", "/dev/null", "--header", "Expect:", "--write-out")
_WRITE_OUT = "%{http_code} %{http_version} %{time_total}"


def ready() -> None:
    """Install curl where it is missing."""
    apt.ensure({"curl": ["/usr/bin/curl", "/usr/local/bin/curl"]})


def beside_put(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """An upload of 200 MB, and a PUT of that file into the open reference, which the host then hashes and syncs."""

    def put() -> float:
        with TemporaryDirectory(dir=_FOLDER) as folder:
            file = _wheel(Path(folder), BYTES)
            took = timed(static, f"/put/{file.name}", ["--upload-file", str(file)], status="201")
            stored = f"{BENCH}/static/cache/put/{file.name}"
            return took + on_host(static, f'sha256sum "{stored}" >/dev/null; sync "{stored}"', f'rm "{stored}"')

    here, there = in_turn(pace.slow_rounds, partial(upload, ours), put)
    yield Figure.quotient("upload_vs_put", here, there)
    yield Figure.of("upload_200_mb_s", "s", here)
    yield Figure.of("put_200_mb_s", "s", there)


def beside_copy(pace: Pace, ours: Side) -> Iterator[Figure]:
    """An upload of 200 MB, and a copy of that file on the host's disk with fsync."""

    def copy() -> float:
        source = ask(ours.host, "sh", "-c", f"ls -t {HOME}/packages/heavy-* | head -n 1").strip()
        ask(ours.host, "cp", source, "/dev/null")
        return on_host(ours, f'dd if="{source}" of={HOME}/copy bs=1M conv=fsync status=none', f"rm {HOME}/copy")

    here, there = in_turn(pace.slow_rounds, partial(upload, ours), copy)
    yield Figure.quotient("upload_vs_disk", here, there)
    yield Figure.of("copy_200_mb_s", "s", there)


def across(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """An upload of 20 MB over HTTP/2 with a round trip of 20 ms, to the index, and through an NGINX that spools it.

    Args:
        pace: the size of the run.
        ours: the index, with TLS.
        static: the open reference, with TLS: it takes all of the body, then passes it on to the index.
    """
    with delayed(ours.url, _ROUND_TRIP) as near, delayed(static.url, _ROUND_TRIP) as far:
        here, there = in_turn(
            pace.rounds,
            partial(upload, ours, _ACROSS_BYTES, options=["--http2", "--connect-to", f"::{near}"]),
            partial(upload, static, _ACROSS_BYTES, path="/spooled", options=["--http2", "--connect-to", f"::{far}"]),
        )
    yield Figure.quotient("upload_http2_20ms", here, there)
    yield Figure.of("upload_http2_20ms_s", "s", here)


def memory(pace: Pace, ours: Side) -> Iterator[Figure]:
    """What memory the stack's containers need while four large files arrive at once, at the most."""
    with TemporaryDirectory(dir=WORK) as folder, ThreadPoolExecutor(_AT_ONCE) as publishers:
        files = [_wheel(Path(folder), pace.heavy) for _ in range(_AT_ONCE)]
        sent: list[Future[float]] = [publishers.submit(_send, ours, file) for file in files]
        seen = []
        while not all(one.done() for one in sent):
            seen.append(sum(one.needed for one in taken(ours).values()) / 1e6)
            time.sleep(0.5)
        for one in sent:
            one.result()
    yield Figure("upload_memory_mb", max(seen), "MB", TARGETS["upload_memory_mb"], tuple(seen))


def upload(
    side: Side, size: int = BYTES, *, login: Login = PUBLISHER, path: str = "/", options: Sequence[str] = ()
) -> float:
    """Upload a new wheel; return the seconds until its 200."""
    with TemporaryDirectory(dir=_FOLDER) as folder:
        return _send(side, _wheel(Path(folder), size), login=login, path=path, options=options)


def _send(side: Side, file: Path, *, login: Login = PUBLISHER, path: str = "/", options: Sequence[str] = ()) -> float:
    form = ["--form", ":action=file_upload", "--form", f"content=@{file}"]
    return timed(side, path, [*form, "--user", f"{login.name}:{login.password}", *options])


def timed(side: Side, path: str, arguments: Sequence[str], status: str = "200") -> float:
    """Send a request by curl, and return the seconds until its answer has arrived.

    Raises:
        BenchError: if it has another status, or HTTP/2 was wanted and is not spoken.
    """
    trust = ["--cacert", side.authority] if side.authority else []
    said = run([*_CURL, _WRITE_OUT, *trust, *arguments, side.url + path])
    code, version, seconds = said.split()
    if code != status or ("--http2" in arguments) != (version == "2"):
        raise BenchError(f"{side.name}: an upload to {path} is answered with {code}, by HTTP/{version}")
    return float(seconds)


def _wheel(folder: Path, size: int) -> Path:
    """Write a new wheel of this size, which cannot be compressed."""
    padding = random.Random(size).randbytes(_BLOCK) * (size // _BLOCK)
    return wheel(folder, "heavy", f"{int(time.time())}.{next(_numbers)}", padding)


def on_host(side: Side, script: str, afterwards: str) -> float:
    """Run a script on a side's host, and what clears up; return the seconds of the first."""
    script = f"set -e; began=$(date +%s%N); {script}; echo $(($(date +%s%N) - began)); {afterwards}"
    return int(ask(side.host, "sh", "-c", script)) / 1e9
