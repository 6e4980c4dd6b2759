"""The distribution's engine replaced by Docker's own, where that is asked for."""

from __future__ import annotations

import os
from typing import Any

from tests.support import playbook

NAME = "pypi-docker"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
testinfra_hosts = [f"ansible://{NAME}"]


def test_an_engine_without_compose_is_replaced_when_the_other_source_is_named_and_allowed(host: Any) -> None:
    host.check_output("apt-get --yes remove docker-compose 2>&1")
    host.check_output("docker volume create kept")
    host.check_output("tar --create --file - --files-from /dev/null | docker import - kept:1")
    asked = {"pypi_hosts": NAME, "pypi_docker_source": "docker_ce"}
    playbook.says(
        playbook.refused(playbook=ROLE, **asked),
        "would replace it and stop every container",
        "pypi_docker_replace: true",
    )

    shown = playbook.applied(ROLE, "--check", "--diff", pypi_docker_replace=True, **asked)
    playbook.says(shown.message(), "+ docker-ce", "- docker.io")
    assert host.package("docker.io").is_installed

    playbook.applied(ROLE, pypi_docker_replace=True, **asked)
    assert host.package("docker-ce").is_installed
    assert not host.package("docker.io").is_installed
    assert host.check_output("docker volume ls --quiet --filter name=kept") == "kept"
    assert host.check_output("docker image ls --quiet kept:1")
    assert playbook.applied(ROLE, pypi_docker_replace=True, **asked).changed == 0
