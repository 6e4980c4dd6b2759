"""A run that would match no host says which group it looked for, and fails."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

Playbook = Callable[..., subprocess.CompletedProcess[str]]

PLAY = """
- hosts: "{{ pypi_hosts | default('pypi') | wheelhouse.pypi.hosts_in(groups) }}"
  gather_facts: false
  tasks: [{ansible.builtin.debug: {msg: "on {{ inventory_hostname }}"}}]
"""


def test_a_missing_group_is_named(playbook: Playbook) -> None:
    done = playbook(PLAY, hosts="one,two,")
    text = " ".join((done.stdout + done.stderr).split())
    assert "There is no host to work on: the group pypi is not in the inventory." in text
    assert "pypi_hosts=GROUP" in text
    assert done.returncode, "Ansible itself would call it a success"


@pytest.mark.parametrize("pattern", ["all", "one", "all:!two", "o*"])
def test_patterns_that_match_are_as_they_were(playbook: Playbook, pattern: str) -> None:
    done = playbook(PLAY, "--extra-vars", f"pypi_hosts={pattern}", hosts="one,two,")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on one" in done.stdout


def test_a_syntax_check_needs_no_inventory(playbook: Playbook) -> None:
    done = playbook(PLAY, "--syntax-check", hosts="one,")
    assert done.returncode == 0, done.stdout + done.stderr
