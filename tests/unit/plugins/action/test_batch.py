"""The playbooks' own frame around other work: batches, and the stop after one that fails."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Playbook = Callable[..., subprocess.CompletedProcess[str]]

PLAYBOOKS = Path(__file__).parents[4] / "playbooks"
HOSTS = "one,two,three,four,five,"
# Instead of the roles: hosts that are to fail do so, others work on.
WORK = """
- name: Variables are judged
  wheelhouse.pypi.check_variables:
    variables: {}
- name: Work begins
  ansible.builtin.command: "{{ 'false' if inventory_hostname in (bad | default([])) else 'true' }}"
  vars:
    ansible_connection: "{{ 'ssh' if inventory_hostname in (away | default([])) else 'local' }}"
    ansible_host: 127.0.0.1
    ansible_port: 1
- name: Work is done
  ansible.builtin.debug: {msg: "done by {{ inventory_hostname }}"}
"""
# As in site.yml, a play with all hosts comes first.
EARLIER = """
- name: Play of the user's own
  hosts: all
  gather_facts: false
  tasks:
    - name: Fails
      ansible.builtin.fail: {}
      when: inventory_hostname in (early | default([]))
"""
LATER = """
- name: Play of the user's own
  hosts: all
  gather_facts: false
  tasks:
    - name: Goes on
      ansible.builtin.debug: {msg: "later {{ inventory_hostname }}"}
"""


def frame(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a playbook's last play, and in it the block that is the work of a batch."""
    *_, play = yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text())
    (batch,) = (task for task in play["tasks"] if "always" in task)
    return play, batch


@pytest.fixture
def rollout(playbook: Playbook) -> Playbook:
    """Run site.yml with other work in it, between plays of the user's."""
    play, batch = frame("site")
    batch["block"] = yaml.safe_load(WORK)
    play["become"] = False
    play["vars_files"] = [str(PLAYBOOKS / file) for file in play["vars_files"]]

    def run(*options: str, hosts: str = HOSTS) -> subprocess.CompletedProcess[str]:
        first = yaml.safe_load((PLAYBOOKS / "site.yml").read_text())[0]
        # Which hosts are nodes, without what they try.
        first["become"], first["tasks"] = False, first["tasks"][:2]
        text = yaml.safe_dump([*yaml.safe_load(EARLIER), first, play, *yaml.safe_load(LATER)], sort_keys=False)
        text = text.replace("import_tasks: ", f"import_tasks: {PLAYBOOKS}/")
        return playbook(text, "-e", "pypi_hosts=all", *options, hosts=hosts)

    return run


def said(run: subprocess.CompletedProcess[str], word: str) -> list[str]:
    return sorted(re.findall(rf'"{word} (\w+)"', run.stdout))


def recap(run: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the hosts that Ansible says have failed or were out of reach."""
    return sorted(re.findall(r"^(\w+) .*(?:unreachable|failed)=1", run.stdout, re.MULTILINE))


def test_both_playbooks_have_the_same_frame() -> None:
    frames = [frame(name) for name in ("site", "uninstall")]
    for _play, batch in frames:
        batch["block"] = []
    (site, _), (remove, _) = frames
    for key in ("hosts", "strategy", "gather_facts", "vars_files", "tasks"):
        assert site[key] == remove[key]


@pytest.mark.one_core
def test_all_at_once_is_as_ever(rollout: Playbook) -> None:
    run = rollout("-e", '{"bad": ["two"]}')
    assert run.returncode == 2, run.stdout
    assert said(run, "done by") == ["five", "four", "one", "three"], run.stdout
    assert "This batch" not in run.stdout
    assert "rollout stops" not in run.stdout


def test_batches_follow_each_other(rollout: Playbook) -> None:
    run = rollout("-e", '{"pypi_serial": [1, "60%"]}')
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(said(run, "done by")) == 5
    assert re.findall(r"This batch(?:, the last)?: ([a-z, ]+)\.", run.stdout) == ["one", "two, three, four", "five"]


@pytest.mark.parametrize("reason", ["bad", "away"])
def test_no_batch_follows_one_in_which_a_host_failed(rollout: Playbook, reason: str) -> None:
    run = rollout("-e", "pypi_serial=2", "-e", f'{{"{reason}": ["three"]}}')
    assert run.returncode == (2 if reason == "bad" else 4), run.stdout
    # The healthy host of the batch is finished, and is not said to have failed.
    assert said(run, "done by") == ["four", "one", "two"], run.stdout
    assert recap(run) == ["three"], run.stdout
    assert "Failed: three. The rollout stops here. Not started, and unchanged: five." in run.stdout
    assert "repeat the run with --limit three,five to continue" in run.stdout


def test_when_a_whole_batch_fails_nothing_at_all_follows(rollout: Playbook) -> None:
    run = rollout("-e", "pypi_serial=1", "-e", '{"bad": ["two"]}')
    assert run.returncode == 2, run.stdout
    assert said(run, "done by") == ["one"], run.stdout
    assert "Failed: two. The rollout stops here. Not started, and unchanged: three, four, five." in run.stdout
    assert said(run, "later") == []


def test_what_to_do_is_said_before_nobody_is_left_to_say_it(rollout: Playbook) -> None:
    run = rollout("-e", "pypi_serial=1", "-e", '{"away": ["two"]}')
    assert run.returncode == 4, run.stdout
    assert said(run, "done by") == ["one"], run.stdout
    assert "This batch: two. After it: three, four, five. If a host fails" in run.stdout
    assert "repeat the run with --limit two,three,four,five to continue" in run.stdout
    assert said(run, "later") == []


@pytest.mark.one_core
def test_long_lists_are_cut_short(rollout: Playbook) -> None:
    hosts = "".join(f"host{number}," for number in range(25))
    run = rollout("-e", '{"pypi_serial": [1, 1, 20, 3], "bad": ["host1"]}', hosts=hosts)
    assert "This batch: host0. After it: host1, " in run.stdout
    assert "host20 and 4 more. If a host fails" in run.stdout
    assert "Not started, and unchanged: host2, " in run.stdout
    assert "host21 and 3 more. Correct the failure, then repeat the run to continue." in run.stdout


def test_a_failure_in_an_earlier_play_stops_the_rollout_before_it_begins(rollout: Playbook) -> None:
    run = rollout("-e", "pypi_serial=2", "-e", '{"early": ["one"]}')
    assert run.returncode == 2, run.stdout
    assert "Failed: one. The rollout stops here. Not started, and unchanged: three, four, five." in run.stdout
    assert said(run, "done by") == said(run, "later") == []


@pytest.mark.one_core
def test_the_last_batch_has_nobody_to_stop(rollout: Playbook) -> None:
    run = rollout("-e", "pypi_serial=3", "-e", '{"bad": ["five"]}')
    assert run.returncode == 2, run.stdout
    assert said(run, "done by") == ["four", "one", "three", "two"]
    assert "rollout stops" not in run.stdout


@pytest.mark.one_core
def test_a_size_that_cannot_be_is_refused(rollout: Playbook) -> None:
    # Ansible would take the one for all hosts at once, and end on the other with a traceback.
    for size in ("0", "x"):
        run = rollout("-e", f"pypi_serial={size}")
        assert run.returncode == 2, run.stdout + run.stderr
        assert f"pypi_serial: '{size}' is not a batch size; give a number of hosts from 1 on" in run.stdout
        assert said(run, "done by") == []


def test_a_size_in_the_inventory_is_refused_because_it_would_not_count(rollout: Playbook, tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("pypi_serial: 1\n")
    run = rollout()
    assert run.returncode == 2, run.stdout
    assert "give it on the command line: -e pypi_serial=1" in run.stdout
    assert said(run, "done by") == []


NODES = "single\n[eu]\nnode-1\nnode-2\nnode-3\n[eu:vars]\npypi_nodes=eu\n"


def batches(run: subprocess.CompletedProcess[str]) -> list[str]:
    print(run.stdout, run.stderr)
    return re.findall(r"This batch(?:, the last)?: ([a-z0-9, -]+)\.", run.stdout)


def test_nodes_follow_each_other_without_being_asked(rollout: Playbook, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(NODES)
    run = rollout("-e", '{"pypi_hosts": "eu", "bad": ["node-2"]}', hosts=str(tmp_path / "hosts.ini"))
    assert batches(run) == ["node-1", "node-2"]
    assert "Failed: node-2. The rollout stops here. Not started, and unchanged: node-3." in run.stdout
    assert "repeat the run with --limit node-2,node-3 to continue" in run.stdout


def test_a_size_that_is_given_counts_for_nodes_too(rollout: Playbook, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(NODES)
    run = rollout("-e", "pypi_hosts=eu", "-e", "pypi_serial=2", hosts=str(tmp_path / "hosts.ini"))
    assert batches(run) == ["node-1, node-2", "node-3"]


def test_hosts_that_are_no_nodes_are_set_up_at_once(rollout: Playbook, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(NODES + "[more]\nalone-1\nalone-2\n")
    run = rollout("-e", "pypi_hosts=more", hosts=str(tmp_path / "hosts.ini"))
    assert batches(run) == []
    assert run.stdout.count('"done by alone-') == 2
    limited = rollout("-e", '{"pypi_hosts": ["eu", "more"]}', "--limit", "more", hosts=str(tmp_path / "hosts.ini"))
    assert batches(limited) == []
    assert limited.stdout.count('"done by alone-') == 2


def test_nodes_alone_take_part_in_the_play_that_tries_the_folder(playbook: Playbook, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(NODES)
    play = yaml.safe_load((PLAYBOOKS / "site.yml").read_text())[0]
    play["become"] = False
    play["tasks"][1:] = [
        {"name": "Check", "wheelhouse.pypi.check_variables": {"variables": {}}},
        {"name": "Tries", "ansible.builtin.debug": {"msg": "tried {{ inventory_hostname }}"}},
    ]
    text = yaml.safe_dump([play], sort_keys=False)

    def tried(*options: str, says: str = "") -> list[str]:
        run = playbook(text, *options, hosts=str(tmp_path / "hosts.ini"))
        print(run.stdout, run.stderr)
        assert (run.returncode == 0) == (says == "")
        assert says in run.stdout
        return sorted(re.findall(r'"tried (\S+)"', run.stdout))

    assert tried("-e", "pypi_hosts=all") == ["node-1", "node-2", "node-3"]
    assert tried("-e", "pypi_hosts=all:!node-1") == ["node-2", "node-3"]
    assert tried("-e", "pypi_hosts=all", "--limit", "single,node-3") == ["node-3"]
    assert tried("-e", "pypi_hosts=single") == []
    # Batches begin with the next play, and what cannot be one is refused before anything changes.
    assert tried("-e", "pypi_hosts=eu", "-e", "pypi_serial=1") == ["node-1", "node-2", "node-3"]
    assert tried("-e", "pypi_hosts=eu", "-e", "pypi_serial=0", says="pypi_serial: '0' is not a batch size") == []


def test_a_node_that_fails_before_its_turn_ends_the_run_for_all(playbook: Playbook, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(NODES)
    first, second = yaml.safe_load((PLAYBOOKS / "site.yml").read_text())
    (frame_of_first,) = (task for task in first["tasks"] if "always" in task)
    check = yaml.safe_load((PLAYBOOKS.parent / "roles/pypi/tasks/all_nodes.yml").read_text())
    frame_of_first["block"][:-1] = yaml.safe_load(WORK)[1:2]
    frame_of_first["block"][-1:] = check
    frame_of_first["always"] = []
    first["vars"]["__pypi_nodes"] = ["node-1", "node-2", "node-3"]
    second["tasks"] = [{"name": "Changes", "ansible.builtin.debug": {"msg": "changed {{ inventory_hostname }}"}}]
    del second["vars_files"]
    for play in (first, second):
        play["become"] = False
    text = yaml.safe_dump([first, second], sort_keys=False)

    def run(*bad: str, limit: str = "all") -> str:
        found = {"pypi_hosts": "all", "bad": bad}
        said = playbook(text, "-e", json.dumps(found), "--limit", limit, hosts=str(tmp_path / "hosts.ini"))
        print(said.stdout, said.stderr)
        return said.stdout

    assert run().count('"changed ') == 4
    for bad in (["node-2"], ["node-1", "node-2"]):
        out = run(*bad)
        assert re.findall(r'"changed (\S+)"', out) == ["single"]
        assert f"{' and '.join(bad)} failed, so nothing was changed on the other nodes of eu" in out
    assert re.findall(r'"changed (\S+)"', run("node-2", limit="eu:!node-1")) == []
