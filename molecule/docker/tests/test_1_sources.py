"""What one play has made of bare hosts of several distributions, each from the source that it was to take."""

from __future__ import annotations

import os
from typing import Any

import pytest

ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
FROM_DOCKER = ["ansible://pypi-docker-ce13", "ansible://pypi-docker-ce12", "ansible://pypi-docker-el9"]
testinfra_hosts = FROM_DOCKER
KEYS = {"debian": "/etc/apt/keyrings/docker.asc", "rocky": "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"}


def test_dockers_own_engine_and_compose_are_there_and_nothing_else_is(host: Any) -> None:
    for package in ("docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin"):
        assert host.package(package).is_installed
    for package in ("docker.io", "runc", "containerd", "podman-docker"):
        assert not host.package(package).is_installed


def test_the_engine_runs_now_and_at_boot_and_compose_is_new_enough(host: Any) -> None:
    assert host.service("docker").is_enabled
    assert host.check_output("docker version --format '{{.Server.Version}}'")
    version = host.check_output("docker compose version --short")
    assert [int(part) for part in version.split(".")[:2]] >= [2, 18], version


def test_the_repositorys_key_is_the_one_with_the_fingerprint(host: Any) -> None:
    published = host.check_output("cat /srv/ground/repositories/docker.asc")
    assert host.file(KEYS[host.system_info.distribution]).content_string.strip() == published.strip()


def test_containers_run_in_it(host: Any) -> None:
    host.check_output("tar --create --file - --files-from /dev/null | docker import - empty:1")
    assert host.check_output("docker create empty:1 /nothing")


@pytest.mark.parametrize("path", ["/etc/apt/sources.list.d/docker.list", "/etc/apt/trusted.gpg.d/docker.asc"])
def test_what_somebody_had_left_is_gone_where_that_was_asked_for(host: Any, path: str) -> None:
    assert not host.file(path).exists
