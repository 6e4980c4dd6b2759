"""One address for all hosts, which keepalived gives to one that is well: how long it is away when its holder fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.support import packages
from tests.support.clients import Index
from tests.support.long import only_long
from tests.support.nodes import PUBLISHER, READER, Node, differs
from tests.support.stack import eventually

pytestmark = only_long

CONFIGURATION = """
global_defs {{
    script_user root
    enable_script_security
    vrrp_version 3
}}
vrrp_script well {{
    script "/usr/bin/curl --silent --fail --max-time 1 --output /dev/null http://127.0.0.1/health"
    interval 1
    timeout 2
    fall 2
    rise 2
}}
vrrp_instance index {{
    interface eth0
    state BACKUP
    nopreempt
    virtual_router_id 51
    priority {priority}
    advert_int 0.5
    unicast_src_ip {own}
    unicast_peer {{
        {others}
    }}
    virtual_ipaddress {{
        {address} dev eth0
    }}
    track_script {{
        well
    }}
}}
"""
# Times in seconds: of one question, and between two.
ANSWER, PAUSE = 2.0, 0.05


class Asking(Thread):
    """Asks an address again and again, each time by a new connection, and does not wait for the answer before the next."""

    def __init__(self, index: Index, path: str) -> None:
        super().__init__(daemon=True)
        self._index, self._path = index, path
        self._good: list[float] = []
        self._done = Event()

    def run(self) -> None:
        while not self._done.wait(PAUSE):
            Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        with suppress(OSError, HTTPException):
            if self._index.request(self._path, READER).status == 200:
                self._good.append(time.monotonic())

    def gap(self) -> float:
        """End, and return the longest time without a good answer, in seconds."""
        self._done.set()
        self.join()
        time.sleep(ANSWER + 0.5)
        times = sorted(self._good)
        assert len(times) > 100, f"only {len(times)} good answers"
        return max(later - earlier for earlier, later in pairwise(times))


@pytest.fixture(scope="module")
def address() -> str:
    """The address that moves."""
    return Node("pypi-nodes-1").address.rpartition(".")[0] + ".200"


@pytest.fixture
def holder(nodes: list[Node], address: str) -> Iterator[Node]:
    """The host that has the address, which keepalived has given to it."""
    for number, node in enumerate(nodes):
        text = CONFIGURATION.format(
            priority=100 - 10 * number,
            own=node.address,
            others="\n        ".join(one.address for one in nodes if one is not node),
            address=f"{address}/16",
        )
        node.host.check_output("printf %%s %s >/etc/keepalived/keepalived.conf && systemctl restart keepalived", text)
    found: list[Node] = []

    def is_held() -> bool:
        found[:] = holders(nodes, address)
        return len(found) == 1 and Index(f"http://{address}", seconds=ANSWER).request("/health").status == 200

    eventually(is_held, "one host has the address", 30)
    yield found[0]
    for node in nodes:
        node.host.check_output("systemctl stop keepalived")
    eventually(lambda: not holders(nodes, address), "no host has the address", 10)


def holders(nodes: list[Node], address: str) -> list[Node]:
    """Return the hosts that have the address."""
    return [node for node in nodes if f" {address}/" in node.host.run("ip -4 -oneline address show dev eth0").stdout]


@contextmanager
def asked(address: str, project: str, gaps: list[float]) -> Iterator[None]:
    """Somebody asks for a page by the address; the longest time without an answer is appended."""
    client = Asking(Index(f"http://{address}", seconds=ANSWER), f"/simple/{project}/")
    client.start()
    time.sleep(3)
    yield
    gaps.append(client.gap())


def test_clients_use_the_address_and_it_leaves_a_host_that_is_not_well_or_loses_power(
    nodes: list[Node], holder: Node, address: str, tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    index = Index(f"http://{address}")
    file = packages.wheel(tmp_path, project)
    done = index.twine_upload(PUBLISHER, file)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = {file.name: file.read_bytes()}
    unwell: list[float] = []
    with asked(address, project, unwell), holder.without("pypi-server"):
        eventually(
            lambda: holders(nodes, address) not in ([], [holder]), "the address leaves a host that is not well", 20
        )
        time.sleep(3)
    holder.wait_until_well()
    (second,) = holders(nodes, address)
    power: list[float] = []
    try:
        with asked(address, project, power):
            second.power_off()
            time.sleep(10)
        rest = [node for node in nodes if node is not second]
        assert len(holders(rest, address)) == 1
        # Publishers and installers go on by the same address.
        after = packages.wheel(tmp_path, project, "2.0")
        done = index.uv_publish(PUBLISHER, after)
        assert done.returncode == 0, done.stdout + done.stderr
        expected[after.name] = after.read_bytes()
        for install in (index.pip_install, index.uv_install):
            done = install(READER, tmp_path / install.__name__, project)
            assert done.returncode == 0, done.stdout + done.stderr
        assert [differs(node, project, expected) for node in rest] == [""] * 2
    finally:
        second.power_on()
    second.wait_until_well(120)
    assert differs(second, project, expected) == ""
    figures["failover_gap_s"] = (
        f"pages through the address: {unwell[0]:.1f} s when pypi-server of its holder dies, {power[0]:.1f} s when its holder"
        " loses power"
    )
    assert power[0] < 3
