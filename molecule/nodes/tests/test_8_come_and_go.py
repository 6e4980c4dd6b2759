"""Nodes come and go as docs/nodes.md says: one is removed, comes back as a new one, and then one host goes on alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.support import packages
from tests.support.long import only_long
from tests.support.nodes import HOME, PACKAGES, Node, differs
from tests.support.playbook import Run, applied, site

pytestmark = only_long

# As test_7_runs.py leaves them.
PATIENT = {"pypi_freshness": "10s"}
DRAINED = f"{HOME}/nginx/drained"


class Filling:
    """An index that gets more and more files, and what it has to show of them."""

    def __init__(self, folder: Path, project: str) -> None:
        self._folder, self._project = folder, project
        self._expected: dict[str, dict[str, bytes]] = {}

    def upload(self, nodes: Sequence[Node]) -> None:
        """Upload to each node a file of one project, and the first of a new one."""
        for node in nodes:
            new = f"{self._project}-{len(self._expected)}"
            for name, version in ((self._project, f"{len(self._expected)}.0"), (new, "1.0")):
                file = packages.wheel(self._folder, name, version, padding=os.urandom(1000))
                assert node.upload(file) == 200, (node, file.name)
                self._expected.setdefault(name, {})[file.name] = file.read_bytes()

    def assert_shown(self, nodes: Sequence[Node]) -> None:
        """Fail unless each node shows all of it and nothing else."""
        found = [differs(node, name, files) for node in nodes for name, files in self._expected.items()]
        assert not [said for said in found if said], found


@pytest.fixture
def filling(tmp_path: Path, project: str) -> Filling:
    return Filling(tmp_path, project)


def taken_out(folder: Path, nodes: Sequence[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have playbooks run with an inventory that lacks some nodes."""
    there = Path(os.environ["MOLECULE_INVENTORY_FILE"])
    shutil.copytree(there.parent, folder, symlinks=True)
    for name in (there.name, "addresses.yml"):
        inventory = yaml.safe_load((folder / name).read_text())
        for group in inventory.values():
            for node in nodes:
                (group.get("hosts") or {}).pop(node.name, None)
        (folder / name).write_text(yaml.safe_dump(inventory))
    monkeypatch.setenv("MOLECULE_INVENTORY_FILE", str(folder / there.name))


def removed(nodes: Sequence[Node]) -> None:
    """Drain nodes, and remove the index from them."""
    for node in nodes:
        node.host.check_output(f"touch {DRAINED}")
        assert node.health() == 503
        applied("wheelhouse.pypi.uninstall", "--limit", node.name)


def recap(done: Run) -> str:
    """Return the end of a run's output, with the hosts that took part; what it changes may name others."""
    _before, heading, found = done.output.partition("PLAY RECAP")
    assert heading, done.output
    return found


@pytest.mark.usefixtures("whole")
def test_a_node_is_removed_and_another_one_added(
    nodes: list[Node], filling: Filling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, last = nodes
    filling.upload(nodes)
    removed([last])
    # The group still has it: to the others it is a node that has died.
    filling.upload(others)
    with monkeypatch.context() as without:
        taken_out(tmp_path / "inventory", [last], without)
        assert last.name not in recap(site(**PATIENT))
        others[0].host.check_output(f"rm -r {PACKAGES}/.wheelhouse/nodes/{last.name}")
        filling.upload(others)
        applied("wheelhouse.pypi.doctor", **PATIENT)
    filling.assert_shown(others)
    site(**PATIENT)
    last.wait_until_well(90)
    filling.assert_shown(nodes)
    filling.upload(nodes)
    filling.assert_shown(nodes)


@pytest.mark.usefixtures("whole")
def test_one_host_goes_on_alone(
    nodes: list[Node], filling: Filling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = nodes
    filling.upload(nodes)
    removed(others)
    first.stack.compose("stop")
    first.host.check_output(f"rm -r {PACKAGES}/.wheelhouse/nodes")
    with monkeypatch.context() as alone:
        taken_out(tmp_path / "inventory", others, alone)
        hosts = recap(site(pypi_nodes=""))
        assert not [node for node in others if node.name in hosts], hosts
        filling.assert_shown([first])
        filling.upload([first])
        filling.assert_shown([first])
        applied("wheelhouse.pypi.doctor", pypi_nodes="")
    # For what the fixture wants: all of them once more.
    site(**PATIENT)
    for node in nodes:
        node.wait_until_well(90)
    filling.assert_shown(nodes)
