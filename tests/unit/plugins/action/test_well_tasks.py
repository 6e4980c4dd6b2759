"""A node after a run has changed it, by Ansible: it is drained no more, and the run waits until it is well."""

from __future__ import annotations

import json
import socket
import subprocess
import time
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


REFUSED = f"""
- name: Node
  hosts: all
  gather_facts: false
  vars:
    ansible_failed_result: {{msg: "NGINX has refused the files."}}
    __stack_reload: {{rc: 3}}
  tasks:
    - name: Read the words
      ansible.builtin.include_vars: {ROOT}/roles/stack/vars/main.yml
    - name: Go back
      ansible.builtin.include_tasks: {ROOT}/roles/stack/tasks/back.yml
"""


OTHERS = f"""
- name: Node
  hosts: HOSTS
  gather_facts: false
  vars:
    pypi_bind_address: 127.0.0.1
    pypi_tls: none
    __pypi_nodes: [one, two, three]
    __pypi_peers:
      - {{name: two, at: "127.0.0.1:{{{{ two }}}}"}}
      - {{name: three, at: "127.0.0.1:{{{{ three }}}}"}}
  tasks:
    - name: Read the words
      ansible.builtin.include_vars: {ROOT}/roles/stack/vars/main.yml
    - name: Ask
      ansible.builtin.include_tasks: {ROOT}/roles/stack/tasks/others.yml
    - name: After
      ansible.builtin.debug: {{msg: "not well: {{{{ __stack_others_unwell | join(' ') }}}}"}}
"""


class Health(BaseHTTPRequestHandler):
    """Says 503 as often as it is told, then 200."""

    unwell = 0
    asked: ClassVar[list[str]] = []
    times: ClassVar[list[float]] = []

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        self.times.append(time.monotonic())
        self.send_response(503 if len(self.asked) <= self.unwell else 200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(Health, "asked", [])
    monkeypatch.setattr(Health, "times", [])
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
    if status == 503:
        assert Health.times[-1] - Health.times[0] >= 4, "it gave up before pypi_start_timeout"


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("", ""),
        (
            "pypi_eu",
            "it stays so: /health is 503 until a run has proved it, or until you remove /srv/one/nginx/drained.",
        ),
    ],
)
def test_a_node_that_did_not_go_back_may_stay_drained_and_that_is_said(
    playbook: Playbook, nodes: str, words: str
) -> None:
    done = playbook(
        REFUSED, "--extra-vars", f"pypi_home=/srv/one pypi_nodes={nodes} role_path={ROOT}/roles/stack", hosts="one,"
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "NGINX has refused the files." in done.stdout
    assert words in done.stdout
    assert ("it stays so" in done.stdout) == (words != "")


@pytest.mark.one_core
@pytest.mark.parametrize(
    ("batch", "well", "unwell", "never_served", "words"),
    [
        ("one", ("one", "three"), 0, [], "not well: "),
        ("one", ("one",), 0, [], "not well: two three"),
        # Nothing of these was there before.
        ("one", ("one",), 0, ["two"], "not well: three"),
        ("one", ("one",), 0, ["two", "three"], "not well: "),
        # It says that it is not well: there is nothing to lose.
        ("one", ("one",), 99, [], "not well: "),
        # This run leads it to another port.
        ("one", (), 0, [], "not well: two three"),
        # The one that is well changes together with it.
        ("one,two", ("one", "two"), 0, [], "not well: three"),
    ],
)
def test_a_node_knows_whether_another_one_serves_while_it_is_drained(
    playbook: Playbook,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    batch: str,
    well: tuple[str, ...],
    unwell: int,
    never_served: list[str],
    words: str,
) -> None:
    monkeypatch.setattr(Health, "unwell", unwell)
    with socket.socket() as none:
        none.bind(("127.0.0.1", 0))
        ports = {name: port if name in well else none.getsockname()[1] for name in ("one", "two", "three")}
        values = {"pypi_http_port": ports["one"], "two": ports["two"], "three": ports["three"]}
        facts = "".join(
            f"    - name: Note what {name} lacks\n"
            f"      ansible.builtin.set_fact: {{__pypi_preflight: {{there: []}}}}\n"
            f"      delegate_to: {name}\n      delegate_facts: true\n"
            for name in never_served
        )
        play = OTHERS.replace("  tasks:\n", "  tasks:\n" + facts).replace("HOSTS", batch)
        done = playbook(play, "--extra-vars", json.dumps(values), hosts="one,two,three,")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"{words}"' in done.stdout, done.stdout
