"""Compose from an address, on an engine whose source has none."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import hosts, playbook

NAME = "pypi-docker-distro12"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
PLUGIN = "/usr/local/lib/docker/cli-plugins/docker-compose"
testinfra_hosts = [f"ansible://{NAME}"]


@pytest.fixture
def near(host: Any, tmp_path: Path) -> Iterator[str]:
    """Serve the plugin where Ansible runs and hosts cannot reach it; return its address."""
    (tmp_path / "compose").write_bytes(host.file(PLUGIN).content)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/compose"
        server.shutdown()


def test_the_host_has_fetched_it_for_the_distributions_engine(host: Any) -> None:
    assert host.package("docker.io").is_installed
    assert host.file(PLUGIN).mode == 0o755
    assert host.check_output("docker compose version --short").startswith("2.26.1")


def test_the_controller_brings_it_to_hosts_that_have_no_way_out(host: Any, near: str, tmp_path: Path) -> None:
    checksum = hashlib.sha256((tmp_path / "compose").read_bytes()).hexdigest()
    host.check_output("rm %s", PLUGIN)
    done = playbook.applied(
        ROLE, pypi_hosts=NAME, pypi_docker_compose_by="controller", pypi_docker_compose_url=near,
        pypi_docker_compose_sha256=checksum,
    )  # fmt: skip
    assert done.changed > 0
    assert host.check_output("docker compose version --short").startswith("2.26.1")


@pytest.mark.parametrize("by", ["host", "controller"])
def test_a_file_with_another_checksum_is_refused(host: Any, near: str, by: str) -> None:
    host.check_output("mv %s /root/compose", PLUGIN)
    address = {"pypi_docker_compose_url": near} if by == "controller" else {}
    try:
        with hosts.untouched(host):
            message = playbook.refused(
                playbook=ROLE,
                pypi_hosts=NAME,
                pypi_docker_compose_by=by,
                pypi_docker_compose_sha256="0" * 64,
                **address,
            )
    finally:
        host.check_output("mv /root/compose %s", PLUGIN)
    assert "checksum" in message
