"""Any host may die, hang or be cut off: nothing accepted is lost, the others go on, and what is well is never stale."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.fleet import Client, bad_answers, reading
from tests.support.long import only_long
from tests.support.nodes import (
    EVERYTHING,
    PACKAGES,
    PUBLISHER,
    READER,
    WEB,
    Node,
    Uploads,
    differs,
    not_served,
    publishing,
    sha256,
    stale,
    wait_until_healed,
)
from tests.support.stack import SlowUpload, eventually

pytestmark = only_long

Figures = dict[str, str]
# Of each kind, one after the other.
KILLS = 10
# A host that goes silent has all calls on the shared folder wait: network.ping-timeout, and half of it again.
HANGS = 12.0


@pytest.fixture
def known(nodes: list[Node], tmp_path: Path, project: str) -> dict[str, bytes]:
    """A project that all have, with one file."""
    folder = tmp_path / "known"
    folder.mkdir()
    file = packages.wheel(folder, project, "0.0")
    assert nodes[0].upload(file) == 200
    return {file.name: file.read_bytes()}


def upload(node: Node, tmp_path: Path, project: str, version: str, expected: dict[str, bytes]) -> float:
    """Upload a new file, which has to be accepted; return how long it took."""
    folder = tmp_path / uuid4().hex
    folder.mkdir()
    file = packages.wheel(folder, project, version, padding=os.urandom(2000))
    began = time.monotonic()
    status = node.upload(file)
    assert status == 200, f"{node.name} answers {status} after {time.monotonic() - began:.1f} s"
    expected[file.name] = file.read_bytes()
    return time.monotonic() - began


def read_by_all(nodes: Sequence[Node], project: str, stack: ExitStack) -> dict[str, Client]:
    """Have somebody read a page from each of these until the stack ends."""
    return {
        one.name: stack.enter_context(reading(one.index, READER, f"/simple/{project}/", "/simple/")) for one in nodes
    }


def assert_all_good(readers: dict[str, Client]) -> None:
    """Fail where one of those who read pages was answered otherwise."""
    for name, client in readers.items():
        assert len(client.reads) > 20, f"{name} was hardly asked"
        assert bad_answers(client) == {}, name


def assert_caught_up_when_well(node: Node, project: str, expected: dict[str, bytes], seconds: float = 90) -> float:
    """Wait until a host says that it is well, and fail if it does not show everything then; return how long it took."""
    took = node.wait_until_well(seconds)
    assert differs(node, project, expected) == ""
    return took


def test_pypi_server_stops_on_one_host(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    first, second, third = nodes
    with ExitStack() as stack:
        readers = read_by_all(nodes, project, stack)
        with second.without("pypi-server"):
            began = time.monotonic()
            eventually(lambda: second.health() == 503, "the balancer learns of it", 5)
            unwell = time.monotonic() - began
            took = [upload((first, third)[n % 2], tmp_path, project, f"{n + 1}.0", known) for n in range(10)]
            assert [differs(one, project, known) for one in (first, third)] == [""] * 2
            refused = second.upload(packages.wheel(tmp_path, project, "99.0"))
            assert refused == 503, refused
        back = assert_caught_up_when_well(second, project, known)
    assert_all_good(readers)
    figures["pypi-server of one host is killed"] = (
        f"health 503 after {unwell:.1f} s; uploads to the others: first {took[0]:.1f} s, longest of the rest"
        f" {max(took[1:]):.1f} s; well {back:.1f} s after its start, with everything; no page failed"
    )
    assert max(took) < 5


def test_all_containers_of_one_host_are_killed(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    first, second, third = nodes
    with ExitStack() as stack:
        readers = read_by_all((first, second), project, stack)
        with third.without():
            assert third.health() == 0
            took = [upload((first, second)[n % 2], tmp_path, project, f"{n + 1}.0", known) for n in range(10)]
            assert [differs(one, project, known) for one in (first, second)] == [""] * 2
        back = assert_caught_up_when_well(third, project, known)
    assert_all_good(readers)
    figures["all containers of one host are killed"] = (
        f"uploads to the others: longest {max(took):.1f} s; well {back:.1f} s after their start, with everything"
    )
    assert max(took) < 5


def test_pypi_server_is_killed_again_and_again_in_mid_upload(
    nodes: list[Node], tmp_path: Path, project: str, figures: Figures
) -> None:
    with publishing(nodes, project, tmp_path / "kills", nodes) as uploads:
        for number in range(KILLS):
            time.sleep(1 + number % 3 * 0.37)
            victim = nodes[number % 3]
            with victim.without("pypi-server"):
                time.sleep(1)
            victim.wait_until_well()
    lost = uploads.lost(nodes)
    figures["nodes_lost, pypi-server killed"] = (
        f"{len(lost)} of {uploads.count} accepted uploads after {KILLS} kills; {len(uploads.stale)} stale answers of"
        f" {uploads.questions}; refused meanwhile {uploads.refused}"
    )
    assert (lost, uploads.stale) == ([], [])
    assert uploads.count > 20


def test_a_host_loses_power_in_mid_upload(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    first, second, third = nodes
    large = packages.wheel(tmp_path, f"{project}-large", padding=os.urandom(3_000_000))
    lost: list[str] = []
    uploads, backs, healed = Uploads(), [], []
    kills = KILLS // 2
    with ExitStack() as stack:
        readers = read_by_all((first, second), project, stack)
        for number in range(kills):
            half = SlowUpload(third.index, PUBLISHER, large)
            with publishing(nodes, f"{project}-{number}", tmp_path / f"power-{number}", (first, second)) as batch:
                time.sleep(2)
                third.power_off()
                time.sleep(10)
            half.give_up()
            lost += batch.lost((first, second))
            third.power_on()
            backs.append(third.wait_until_well(120))
            lost += batch.lost([third])
            healed.append(wait_until_healed(first))
            lost += batch.lost(nodes)
            _add(uploads, batch)
    assert_all_good(readers)
    assert [one.files(f"{project}-large") for one in nodes] == [{}] * 3
    figures["nodes_lost, power lost"] = (
        f"{len(lost)} of {uploads.count} accepted uploads after {kills} kills; {len(uploads.stale)} stale answers of"
        f" {uploads.questions}; longest upload to the others {max(uploads.seconds):.1f} s; well {max(backs):.1f} s after its"
        f" boot, healed {max(healed):.1f} s later; refused {uploads.refused}; no page of the others failed"
    )
    assert (lost, uploads.stale) == ([], [])
    assert uploads.count > 5 * kills, "hardly anything was uploaded"
    assert max(uploads.seconds) < HANGS
    assert not any(key.startswith((first.name, second.name)) for key in uploads.refused), uploads.refused


def test_the_shared_folder_comes_late(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    first, second, third = nodes
    third.host.check_output("systemctl stop mount-packages")
    containers = third.containers()
    try:
        # As after a boot: containers are there before the mount, and the unit knows of none before.
        third.host.check_output(f"rm /run/packages-mounted; docker restart --time 0 {containers}")
        eventually(lambda: third.get("/simple/").status == 200, "pages are served", 60)
        eventually(lambda: third.health() == 503, "its health address says so", 10)
        with ExitStack() as stack:
            readers = read_by_all(nodes, project, stack)
            assert third.upload(packages.wheel(tmp_path, project, "99.0")) == 503
            for number in range(6):
                upload((first, second)[number % 2], tmp_path, project, f"{number + 1}.0", known)
            assert third.health() == 503
    finally:
        third.mount()
    back = assert_caught_up_when_well(third, project, known)
    assert_all_good(readers)
    assert [not_served(third, project, name, content) for name, content in known.items()] == [""] * len(known)
    upload(third, tmp_path, project, "7.0", known)
    assert [differs(one, project, known) for one in nodes] == [""] * 3
    figures["packages/ is not mounted on one host"] = (
        f"pages go on, uploads 503, health 503; well {back:.1f} s after it is mounted, without a restart"
    )


@pytest.fixture
def slow_to_mount(nodes: list[Node]) -> Iterator[None]:
    """On the third host a mount that has died stays away long enough to look around."""
    host, unit = nodes[2].host, "/run/systemd/system/mount-packages.service.d"
    host.check_output(
        f"mkdir {unit} && printf '[Service]\\nRestartSec=60\\n' >{unit}/slow.conf && systemctl daemon-reload"
    )
    yield
    host.check_output(f"rm -r {unit} && systemctl daemon-reload")


@pytest.mark.usefixtures("slow_to_mount")
def test_the_mount_of_one_host_dies(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    first, second, third = nodes
    with ExitStack() as stack:
        readers = read_by_all(nodes, project, stack)
        # Not the shell in which this stands.
        third.host.check_output(f"pkill --signal KILL --full '^[^ ]*glusterfs .*{PACKAGES}'")
        eventually(lambda: third.health() == 503, "its health address says so", 10)
        assert third.upload(packages.wheel(tmp_path, project, "99.0")) == 503
        for number in range(6):
            upload((first, second)[number % 2], tmp_path, project, f"{number + 1}.0", known)
        assert third.health() == 503
        # Not by the test: the unit mounts it again, and restarts the containers, which hold the dead one.
        eventually(lambda: third.host.run(f"mountpoint --quiet {PACKAGES}").rc == 0, "it is mounted again", 120)
        back = assert_caught_up_when_well(third, project, known)
    assert_all_good(readers)
    upload(third, tmp_path, project, "7.0", known)
    # The container that serves files may start after the other one.
    eventually(lambda: not any(not_served(third, project, *one) for one in known.items()), "it serves all files", 10)
    figures["the mount of one host dies"] = (
        f"pages go on, uploads 503, health 503; well {back:.1f} s after the new mount, when its unit has restarted two containers"
    )


@pytest.mark.parametrize("number", range(3))
def test_a_host_is_cut_off_from_the_others_but_not_from_the_shared_folder(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures, number: int
) -> None:
    lonely = nodes[number]
    others = [node for node in nodes if node is not lonely]
    found: list[str] = []
    took: list[float] = []
    healths: list[int] = []
    with lonely.cut_off(others, WEB):
        for count in range(20):
            node = nodes[count % 3]
            folder = tmp_path / str(count)
            folder.mkdir()
            file = packages.wheel(folder, project, f"{count + 1}.0")
            began = time.monotonic()
            status = node.upload(file)
            took.append(time.monotonic() - began)
            # One that is not well may refuse; the others go on.
            assert status == 200 or (node is lonely and status == 503), (node, status)
            if status == 200:
                known[file.name] = file.read_bytes()
            found += filter(None, [stale(one, project, known) for one in nodes])
            healths.append(lonely.health())
            time.sleep(0.2)
        assert [one.health() for one in others] == [200, 200]
    for node in nodes:
        assert_caught_up_when_well(node, project, known)
    figures[f"no word between pypi-servers, {lonely.name} cut off"] = (
        f"{len(found)} stale answers of {3 * 20} while well; uploads: longest {max(took):.1f} s, median"
        f" {sorted(took)[10]:.1f} s; health of the one cut off: 200 {healths.count(200)} times of 20"
    )
    assert found == []
    assert max(took) < 5


def test_a_split_refuses_uploads_on_the_smaller_side_and_no_name_has_two_contents(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    first, second, third = nodes
    accepted: dict[str, bytes] = {}
    answers: dict[str, list[int]] = {node.name: [] for node in nodes}
    longest = 0.0
    with ExitStack() as stack, third.cut_off((first, second), EVERYTHING):
        # The page that is there goes on everywhere.
        readers = read_by_all(nodes, project, stack)
        for count in range(20):
            for node in (third, nodes[count % 2]):
                folder = tmp_path / f"{node.name}-{count}"
                folder.mkdir()
                file = packages.wheel(folder, project, f"{count + 1}.0", padding=os.urandom(300))
                began = time.monotonic()
                status = node.upload(file)
                longest = max(longest, time.monotonic() - began)
                answers[node.name].append(status)
                if status == 200:
                    assert file.name not in accepted, f"{file.name} was accepted with two contents"
                    accepted[file.name] = file.read_bytes()
        assert 503 in answers[third.name] and 200 not in answers[third.name][2:], answers
        assert set(answers[first.name] + answers[second.name]) == {200}, answers
        assert third.health() == 503
        assert [one.health() for one in (first, second)] == [200, 200]
        assert [differs(one, project, {**known, **accepted}) for one in (first, second)] == [""] * 2
    assert_all_good(readers)
    back = third.wait_until_well(120)
    healed = wait_until_healed(first)
    for node in nodes:
        listed = node.files(project)
        for name, content in accepted.items():
            assert listed[name]["hashes"]["sha256"] == sha256(content), (node, name)
            assert not_served(node, project, name, content) == "", (node, name)
    contents = [node.files(project).keys() for node in nodes]
    assert contents[0] == contents[1] == contents[2]
    figures["a host is cut off from the others and the shared folder"] = (
        f"{len(accepted)} uploads accepted by the larger side, {answers[third.name].count(503)} of 20 refused by the smaller"
        f" one, longest answer {longest:.1f} s; no name with two contents; well {back:.1f} s after the end, healed"
        f" {healed:.1f} s later; no page failed"
    )


def test_a_journal_is_deleted(
    nodes: list[Node], tmp_path: Path, project: str, known: dict[str, bytes], figures: Figures
) -> None:
    version, removed = 0, 0
    for victim in nodes:
        for node in nodes:
            version += 1
            upload(node, tmp_path, project, f"{version}.0", known)
        journals = nodes[0].host.check_output(f"ls {PACKAGES}/.wheelhouse/nodes/{victim.name}/*.journal").split()
        nodes[1].host.check_output(f"rm {' '.join(journals)}")
        removed += len(journals)
        for node in nodes:
            version += 1
            upload(node, tmp_path, project, f"{version}.0", known)
            assert [stale(one, project, known) for one in nodes] == [""] * 3, (victim, node)
        for node in nodes:
            node.wait_until_well()
            assert differs(node, project, known) == ""
    # And all of them, of hosts that were away meanwhile.
    first, second, third = nodes
    with third.without("pypi-server"):
        version += 1
        upload(first, tmp_path, project, f"{version}.0", known)
        first.host.check_output(f"rm {PACKAGES}/.wheelhouse/nodes/*/*.journal")
        version += 1
        upload(second, tmp_path, project, f"{version}.0", known)
    for node in nodes:
        assert_caught_up_when_well(node, project, known)
        assert [not_served(node, project, name, content) for name, content in known.items()] == [""] * len(known)
    figures["journals deleted by hand"] = f"{removed} and all of them once: 0 of {len(known)} files lost or stale"


def _add(total: Uploads, batch: Uploads) -> None:
    """Add what came of a batch to a total."""
    total.accepted.update(batch.accepted)
    total.stale += batch.stale
    total.questions += batch.questions
    total.seconds += batch.seconds
    for key, count in batch.refused.items():
        total.refused[key] = total.refused.get(key, 0) + count
