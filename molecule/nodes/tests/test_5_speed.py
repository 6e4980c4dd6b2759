"""What sharing costs, and that pages and files of the node's own cache do not wait for a shared folder that hangs."""

from __future__ import annotations

import os
import statistics
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

from tests.support import packages
from tests.support.long import only_long
from tests.support.nodes import JSON, PACKAGES, READER, Node

pytestmark = only_long

ROUNDS, REQUESTS = 5, 400
# Of one file of 20 kB: what an upload takes at least.
ON_THE_MOUNT = f"""
import os, time
folder, took = "{PACKAGES}/.trial-of-speed", []
os.makedirs(folder, exist_ok=True)
for number in range(25):
    began = time.perf_counter()
    place = f"{{folder}}/{{number}}"
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, bytes(20_000))
    os.fsync(descriptor)
    os.close(descriptor)
    # The record of a file, and the file.
    os.link(place, place + ".json")
    os.link(place, place + ".whl")
    took.append(time.perf_counter() - began)
    for name in (place, place + ".json", place + ".whl"):
        os.unlink(name)
os.rmdir(folder)
print(*took)
"""


@contextmanager
def hanging(node: Node) -> Iterator[None]:
    """Every call on a node's mount waits."""
    its = f"--full '^[^ ]*glusterfs .*{PACKAGES}'"
    node.host.check_output(f"pkill --signal STOP {its}")
    try:
        yield
    finally:
        node.host.check_output(f"pkill --signal CONT {its}")


def answers(node: Node, path: str, count: int) -> list[float]:
    """Ask for a path over one connection; return how long each answer took, in seconds. All have to be 200."""
    login = b64encode(f"{READER.name}:{READER.password}".encode()).decode()
    connection = HTTPConnection(node.address, timeout=30)
    took = []
    for _number in range(count):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Basic {login}", "Accept": JSON})
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200, (path, answer.status)
    connection.close()
    return took


def percentile(times: list[float]) -> float:
    """Return the 99th percentile, in ms."""
    return statistics.quantiles(times, n=100)[-1] * 1000


def timed(ask: Callable[[], int]) -> tuple[int, float]:
    """Return a status, and after how many seconds it came."""
    began = time.monotonic()
    return ask(), time.monotonic() - began


def test_pages_and_cached_files_do_not_wait_for_a_mount_that_hangs(
    nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    first, second, _third = nodes
    files = [packages.wheel(tmp_path, project, version, padding=os.urandom(20_000)) for version in ("1.0", "2.0")]
    for file in files:
        assert first.upload(file) == 200
    cached, other = (f"/packages/{file.name}" for file in files)
    page = f"/simple/{project}/"
    assert second.get(cached).body == files[0].read_bytes()
    ratios = []
    for _round in range(ROUNDS):
        without = answers(second, page, REQUESTS)
        with hanging(second):
            during = answers(second, page, REQUESTS)
            answers(second, cached, 50)
        ratios.append(percentile(during) / percentile(without))
    with hanging(second):
        # Workers that wait for the mount are others than those that serve pages.
        refused = [timed(lambda: second.get(other).status) for _number in range(4)]
        assert [status for status, _took in refused] == [503] * 4
        assert max(took for _status, took in refused) < 10
        answers(second, page, REQUESTS)
        ranged = second.index.request(cached, READER, headers={"Range": "bytes=10-19"})
        assert (ranged.status, ranged.body) == (206, files[0].read_bytes()[10:20])
        assert second.index.request(cached).status == 401
        time.sleep(3)
        assert second.health() == 503
    second.wait_until_well(60)
    assert second.get(other).body == files[1].read_bytes()
    figures["page p99 while the mount hangs"] = (
        f"{statistics.median(ratios):.2f} times that without, median of {ROUNDS} rounds of {REQUESTS}"
        f" ({', '.join(f'{one:.2f}' for one in ratios)}); a file that is not cached: 503 after"
        f" {max(took for _status, took in refused):.1f} s at most"
    )


def test_a_removed_file_is_not_served_from_a_cache(nodes: list[Node], tmp_path: Path, project: str) -> None:
    first, second, third = nodes
    file = packages.wheel(tmp_path, project, "1.0")
    assert first.upload(file) == 200
    for node in nodes:
        assert node.get(f"/packages/{file.name}").body == file.read_bytes()
    assert third.ask("remove_pkg", name=project, version="1.0") == 200
    assert [node.get(f"/packages/{file.name}").status for node in (first, second, third)] == [404] * 3


def test_what_an_upload_costs(nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]) -> None:
    first = nodes[0]
    ratios, uploads = [], []
    for round_ in range(ROUNDS):
        said = first.host.run(f"python3 - <<'END'\n{ON_THE_MOUNT}END")
        assert said.rc == 0, said.stderr
        mount = statistics.median(map(float, said.stdout.split()))
        took = []
        for number in range(10):
            file = packages.wheel(tmp_path, project, f"{round_}.{number}", padding=os.urandom(20_000))
            status, seconds = timed(partial(first.upload, file))
            assert status == 200
            took.append(seconds)
        uploads.append(statistics.median(took))
        ratios.append(uploads[-1] / mount)
    figures["nodes_upload_vs_mount"] = (
        f"{statistics.median(ratios):.1f}, medians of {ROUNDS} rounds ({', '.join(f'{one:.1f}' for one in ratios)});"
        f" an upload of 20 kB takes {statistics.median(uploads) * 1000:.0f} ms"
    )
