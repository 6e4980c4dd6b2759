"""Runs change one node after the other: drained, changed, proved, well again; the first that fails ends them."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.long import only_long
from tests.support.nodes import HOME, PACKAGES, Node, balanced, publishing
from tests.support.playbook import SITE, run, running, site
from tests.support.stack import eventually

pytestmark = only_long

IMAGE = "pypiserver/pypiserver:v2.4.2"
NEXT = "pypiserver/pypiserver:next"
DRAINED = f"{HOME}/nginx/drained"
PATIENT = {"pypi_freshness": "10s"}
BATCH = re.compile(r"This batch(?:, the last)?: ([\w-]+)")


@pytest.fixture(scope="module", autouse=True)
def patient() -> None:
    """Nodes that are not unwell because the machine, which has all of them and Ansible, is busy for some seconds."""
    site(**PATIENT)


@pytest.fixture
def paths(nodes: list[Node], tmp_path: Path, project: str) -> list[str]:
    """A page and a file that all have."""
    file = packages.wheel(tmp_path, project, padding=os.urandom(20000))
    assert nodes[0].upload(file) == 200
    return [f"/simple/{project}/", f"/packages/{file.name}"]


def state(node: Node) -> list[str]:
    """Return a line for each file that a run may change on a node, and for its containers."""
    folders = " ".join(
        f"{HOME}/{name}" for name in ("docker-compose.yml", "nginx", "pypiserver", "authentication", ".previous")
    )
    files = node.host.check_output(f"find {folders} -type f -printf '%p %m %U:%G %s %T@ %i\\n'").splitlines()
    assert len(files) > 50, files
    return sorted([*files, str(node.stack.running())])


def drained(nodes: list[Node]) -> list[str]:
    return [node.name for node in nodes if node.host.file(DRAINED).exists]


def test_all_nodes_change_under_load_without_one_failed_read_or_lost_upload(
    nodes: list[Node], paths: list[str], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    names = [node.name for node in nodes]
    before = [node.stack.running() for node in nodes]
    began = time.monotonic()
    with (
        balanced(nodes, *paths) as (balancer, reader),
        publishing([balancer], f"{project}-meanwhile", tmp_path / "meanwhile", nodes, pause=0.5) as uploads,
    ):
        done = site(**PATIENT, pypi_log_max_size="4m")
        took = time.monotonic() - began
        eventually(lambda: len(balancer.used()) == 3, "all nodes are used again", 10)
    assert BATCH.findall(done.message()) == names, done.output
    after = [node.stack.running() for node in nodes]
    same = [
        old[service] for old, new in zip(before, after, strict=True) for service in old if old[service] == new[service]
    ]
    assert same == [], done.output
    # One after the other, and each was left before it was changed.
    assert balancer.history == [(name, is_used) for name in names for is_used in (False, True)], balancer.history
    assert reader.bad == []
    assert reader.count > 500, "there was hardly any traffic"
    assert drained(nodes) == []
    assert (uploads.stale, uploads.lost(nodes), uploads.refused) == ([], [], {})
    assert uploads.count > 50, uploads
    figures["a run replaces all containers of all nodes"] = (
        f"{took:.0f} s; {reader.count} reads of pages and files through a balancer, none failed;"
        f" {uploads.count} uploads, none refused or lost, the longest in {max(uploads.seconds):.1f} s"
    )

    with balanced(nodes, *paths) as (balancer, reader):
        again = site(**PATIENT, pypi_log_max_size="4m")
    assert again.changed == 0, again.output
    assert BATCH.findall(again.message()) == names
    assert (balancer.history, reader.bad) == ([], [])


def test_the_second_node_fails_and_the_third_is_left_alone(nodes: list[Node], paths: list[str]) -> None:
    first, second, third = nodes
    for node in nodes:
        # Under the name of the new pypiserver something else has come to the second node.
        node.host.check_output(f"docker tag {'nginx:1.30' if node is second else IMAGE} {NEXT}")
    wanted = {**PATIENT, "pypi_image_pypiserver": NEXT, "pypi_log_max_size": "5m"}
    old_second, old_third = second.stack.running(), state(third)
    with balanced(nodes, *paths) as (balancer, reader):
        done = run(SITE, variables=wanted)
    assert done.code != 0, done.output
    assert BATCH.findall(done.message()) == [first.name, second.name]
    assert f"repeat the run with --limit {second.name},{third.name} to continue" in done.message(), done.output
    assert state(third) == old_third
    assert second.stack.running() == old_second
    assert balancer.history == [(first.name, False), (first.name, True)]
    assert (reader.bad, drained(nodes)) == ([], [])
    assert [node.health() for node in nodes] == [200] * 3

    second.host.check_output(f"docker tag {IMAGE} {NEXT}")
    mended = site("--limit", f"{second.name},{third.name}", **wanted)
    assert BATCH.findall(mended.message()) == [second.name, third.name]
    assert [node.health() for node in nodes] == [200] * 3


def test_a_run_that_is_cut_off_while_it_drains_is_ended_by_the_next(nodes: list[Node], paths: list[str]) -> None:
    first = nodes[0]
    only = ("--limit", first.name)
    with running(SITE, *only, pypi_drain="10m", pypi_log_max_size="6m", **PATIENT):
        eventually(lambda: first.health() == 503, "the first node is drained", 120)
        # It goes on serving those who come.
        assert [first.get(path).status for path in paths] == [200, 200]
    # What it has started on the host ends as well, as by a loss of power.
    first.host.check_output("pkill --signal KILL --full '^sleep 600$'")
    assert (first.health(), first.get(paths[0]).status) == (503, 200)
    site(*only, pypi_log_max_size="6m", **PATIENT)
    assert (first.health(), drained(nodes)) == (200, [])


def test_a_node_is_drained_by_hand(nodes: list[Node], paths: list[str], tmp_path: Path, project: str) -> None:
    second = nodes[1]
    second.host.check_output(f"touch {DRAINED}")
    try:
        assert (second.health(), second.get(paths[0]).status) == (503, 200)
        assert second.upload(packages.wheel(tmp_path, project, "2.0")) == 200
    finally:
        second.host.check_output(f"rm {DRAINED}")
    assert second.health() == 200


def test_the_last_node_that_is_well_is_not_drained(nodes: list[Node], paths: list[str]) -> None:
    first, *others = nodes
    names = ", ".join(node.name for node in others)
    before = first.stack.running()
    for node in others:
        node.host.check_output(f"touch {DRAINED}")
    try:
        done = run(SITE, "--limit", first.name, variables={**PATIENT, "pypi_log_max_size": "7m"})
    finally:
        for node in others:
            node.host.check_output(f"rm {DRAINED}")
    assert done.code != 0, done.output
    assert f"no other node is well that would serve meanwhile ({names}: GET /health)" in done.message(), done.output
    assert "The files and images that served before are back, and were proved." in done.message(), done.output
    assert (first.stack.running(), first.health(), drained(nodes)) == (before, 200, [])


def doctored(report: Path) -> dict[str, list[str]]:
    """Return what the doctor says of the nodes as such, a line each, by host."""
    run("wheelhouse.pypi.doctor", variables={**PATIENT, "pypi_doctor_report": str(report)})
    said = json.loads(report.read_text())
    return {
        host: [f"{finding['level']} {finding['text']}" for finding in found["findings"] if finding["check"] == "nodes"]
        for host, found in said.items()
    }


def test_the_doctor_compares_the_nodes(nodes: list[Node], paths: list[str], tmp_path: Path) -> None:
    first, second, third = nodes
    well = "ok the health address says that balancers may use this node"
    same = f"ok list the same: {first.name}, {second.name}, {third.name}"
    assert doctored(tmp_path / "report") == {first.name: [well, same], second.name: [well], third.name: [well]}

    second.host.check_output(f"touch {DRAINED}")
    # One that is missing, or has another size or time, would be written again.
    page, aside = f"{HOME}/index{paths[0]}index.json", f"{HOME}/index/aside"
    former = f"{PACKAGES}/.wheelhouse/nodes/former"
    third.host.check_output(
        f"cp --archive {page} {aside} && sed --in-place 's/\"20\\([0-9][0-9]-\\)/\"19\\1/' {page}"
        f" && touch --reference {aside} {page} && ! cmp --silent {aside} {page} && mkdir {former}"
    )
    try:
        found = doctored(tmp_path / "report")
    finally:
        second.host.check_output(f"rm {DRAINED}")
        third.host.check_output(f"mv {aside} {page} && rmdir {former}")
    assert found == {
        first.name: [
            f"error nodes list different files: {first.name} and {second.name}, and {third.name}",
            "warning journals of hosts that are not in the group pypi: former",
            well,
        ],
        second.name: ["warning drained: balancers are not to use it"],
        third.name: [well],
    }
