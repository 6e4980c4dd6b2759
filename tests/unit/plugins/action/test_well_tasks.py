"""A node after a run has changed it, by Ansible: it is drained no more, and the run waits until it is well."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from tests.collection import ROOT

Playbook = Callable[..., subprocess.CompletedProcess[str]]
PLAY = f"""
- name: Node
  hosts: all
  gather_facts: false
  vars: {{__stack_scheme: http, __stack_local: 127.0.0.1}}
  tasks:
    - name: Wait
      ansible.builtin.include_tasks: {ROOT}/roles/stack/tasks/well.yml
    - name: After
      ansible.builtin.debug: {{msg: "it answers {{{{ __stack_health.status }}}}"}}
"""


class Health(BaseHTTPRequestHandler):
    """Says 503 as often as it is told, then 200."""

    unwell = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        self.send_response(503 if len(self.asked) <= self.unwell else 200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(Health, "asked", [])
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.one_core
@pytest.mark.parametrize(("unwell", "status"), [(0, 200), (1, 200), (99, 503)])
def test_a_node_is_used_again_when_it_is_well(
    playbook: Playbook, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, unwell: int, status: int
) -> None:
    monkeypatch.setattr(Health, "unwell", unwell)
    drained = tmp_path / "nginx/drained"
    drained.parent.mkdir()
    drained.touch()
    values = f"pypi_home={tmp_path} __stack_port={port} pypi_start_timeout=4s"
    done = playbook(PLAY, "--extra-vars", values, hosts="one,")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not drained.exists()
    assert f'"it answers {status}"' in done.stdout
    assert set(Health.asked) == {"/health"}
    assert len(Health.asked) == min(unwell + 1, 3)
