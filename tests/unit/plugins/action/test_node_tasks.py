"""The trial of the folder that nodes share, by Ansible: who takes part, what is refused, and that nothing of it stays."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.collection import ROOT

Playbook = Callable[..., subprocess.CompletedProcess[str]]
PLAY = f"""
- name: Nodes
  hosts: all
  gather_facts: false
  vars_files: ["{ROOT}/roles/pypi/vars/main.yml"]
  vars:
    __pypi_preflight: {{account: ""}}
  tasks:
    - name: One fails before
      ansible.builtin.fail: {{}}
      when: inventory_hostname == bad | default('')
    - name: Nodes
      ansible.builtin.include_tasks: {ROOT}/roles/pypi/tasks/nodes.yml
      when: pypi_nodes | default('') != ''
    - name: After
      ansible.builtin.debug: {{msg: "on {{{{ inventory_hostname }}}}"}}
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that is on another file system than the root folder."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def hosts(tmp_path: Path, shared: Path) -> str:
    """An inventory: three nodes with a folder each, and a host of its own."""
    lines = ["alone", "[eu]"]
    for name in ("node-1", "node-2", "Node-3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "packages").symlink_to(shared)
        lines.append(f"{name} pypi_nodes=eu pypi_home={tmp_path / name}")
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("\n".join(lines) + "\n")
    return str(inventory)


def went_on(run: subprocess.CompletedProcess[str]) -> list[str]:
    print(run.stdout, run.stderr)
    return sorted(re.findall(r'"on (\S+)"', run.stdout))


@pytest.mark.parametrize("forks", ["5", "2"])
def test_nodes_that_share_a_folder_go_on(playbook: Playbook, hosts: str, shared: Path, forks: str) -> None:
    assert went_on(playbook(PLAY, "--forks", forks, hosts=hosts)) == ["Node-3", "alone", "node-1", "node-2"]
    assert list(shared.iterdir()) == []


def test_later_runs_may_leave_nodes_out(playbook: Playbook, hosts: str, shared: Path) -> None:
    run = playbook(PLAY, "--limit", "node-1,node-2", hosts=hosts)
    assert went_on(run) == []
    assert "has no index yet, and this run leaves out Node-3; begin with all nodes in one run" in run.stdout
    (shared / ".wheelhouse").mkdir()
    (shared / ".wheelhouse/format").touch()
    assert went_on(playbook(PLAY, "--limit", "node-1,node-2", hosts=hosts)) == ["node-1", "node-2"]
    assert went_on(playbook(PLAY, "--limit", "node-2", hosts=hosts)) == ["node-2"]
    assert [one.name for one in shared.iterdir()] == [".wheelhouse"]


def test_a_node_with_another_folder_ends_the_run_of_all_nodes(
    playbook: Playbook, hosts: str, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "node-2/packages").unlink()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        (tmp_path / "node-2/packages").symlink_to(other)
        run = playbook(PLAY, hosts=hosts)
        assert went_on(run) == ["alone"]
        assert [*shared.iterdir(), *Path(other).iterdir()] == []
    (said,) = re.findall(r'"msg": "(pypi_nodes: packages/ cannot be shared by the nodes of eu; .*?)"', run.stdout)
    lines = said.split(r"\n- ")
    assert lines[0] == "pypi_nodes: packages/ cannot be shared by the nodes of eu; nothing was changed:"
    assert lines[1].startswith("node-1: does not see within 2 s what node-2 wrote: ")
    assert lines[2].startswith("node-2: does not see within 2 s what node-1 and node-3 wrote: ")
    assert lines[3].startswith("Node-3: does not see within 2 s what node-2 wrote: ")
    others = '"msg": "pypi_nodes: packages/ cannot be shared; the message of node-1 says why. Nothing was changed."'
    assert run.stdout.count(others) == 2


def test_a_folder_that_is_not_mounted_ends_the_run_of_all_nodes(
    playbook: Playbook, hosts: str, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "Node-3/packages").unlink()
    (tmp_path / "Node-3/packages").mkdir()
    run = playbook(PLAY, hosts=hosts)
    assert went_on(run) == ["alone"]
    assert (
        f"- Node-3: {tmp_path}/Node-3/packages is on a disk of the host itself: nothing is mounted there; "
        in run.stdout
    )
    assert list(shared.iterdir()) == []


def test_no_node_goes_on_without_one_that_has_failed(playbook: Playbook, hosts: str, shared: Path) -> None:
    run = playbook(PLAY, "-e", "bad=node-2", hosts=hosts)
    assert went_on(run) == ["alone"]
    assert (
        "node-2 failed, so nothing was changed on the other nodes of eu. Correct that, or leave it out: --limit"
        in run.stdout
    )
    assert list(shared.iterdir()) == []


# -- what is refused before that ---------------------------------------------------------------------------------------

RULES = """
- name: Nodes
  hosts: all
  gather_facts: false
  tasks:
    - name: Check the variables
      wheelhouse.pypi.check_variables:
        variables: "{{ {} if __pypi_removing | default(false) else omit }}"
    - name: After
      ansible.builtin.debug: {msg: "on {{ inventory_hostname }}"}
"""
INVENTORY = """
alone
[eu]
node-1
node-2 trash=7 ansible_host=192.0.2.2
node-3 ansible_host=192.0.2.3
[eu:vars]
pypi_nodes=eu
pypi_trash="{{ trash | default(14) }}d"
pypi_users=[{"name": "alice", "password": "S3cret", "publish": True}]
"""


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "rules.ini"
    path.write_text(INVENTORY)
    return str(path)


def test_values_are_compared_as_the_hosts_have_them(
    playbook: Playbook, inventory: str, assert_no_secret: Callable[..., None]
) -> None:
    run = playbook(RULES, hosts=inventory)
    assert went_on(run) == ["alone", "node-3"]
    mend = "give all nodes the same value, in group_vars of their group"
    assert f"- pypi_trash: is '14d' on node-1 and '7d' on node-2; {mend}" in run.stdout
    assert f"- pypi_trash: is '7d' on node-2 and '14d' on node-1; {mend}" in run.stdout
    assert went_on(playbook(RULES, "-e", "trash=7", hosts=inventory)) == ["alone", "node-1", "node-2", "node-3"]
    # Also where the others are not in the run.
    limited = playbook(RULES, "--limit", "node-2", hosts=inventory)
    assert f"- pypi_trash: is '7d' on node-2 and '14d' on node-1; {mend}" in limited.stdout
    for one in (run, limited):
        assert_no_secret(one.stdout)


def test_the_removal_of_shared_packages_is_refused(playbook: Playbook, inventory: str) -> None:
    removing = ("-e", "trash=7", "-e", "__pypi_removing=true")
    assert went_on(playbook(RULES, *removing, hosts=inventory)) == ["alone", "node-1", "node-2", "node-3"]
    run = playbook(RULES, *removing, "-e", "pypi_remove_data=true", hosts=inventory)
    assert went_on(run) == ["alone"]
    assert "- pypi_remove_data: packages/ belongs to all nodes of eu; remove the nodes without it, then" in run.stdout
