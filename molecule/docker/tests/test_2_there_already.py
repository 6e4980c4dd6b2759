"""An engine that is there already: it is used as it is, and never replaced."""

from __future__ import annotations

import os
from typing import Any

from tests.support import hosts, playbook

NAME = "pypi-docker"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
testinfra_hosts = [f"ansible://{NAME}"]

# An old Compose where an administrator puts one by hand; the client takes it before the package's.
PLUGINS = "/usr/local/lib/docker/cli-plugins"
OLD_COMPOSE = """#!/bin/sh
case "$1" in
docker-cli-plugin-metadata) echo '{"SchemaVersion": "0.1.0", "Vendor": "Docker Inc.", "Version": "v2.17.3"}' ;;
*) echo 2.17.3 ;;
esac
"""


def applied(*arguments: str, **variables: Any) -> playbook.Run:
    return playbook.applied(ROLE, *arguments, pypi_hosts=NAME, **variables)


def test_an_engine_is_used_on_any_distribution_whatever_the_source_is_in_a_few_tasks(host: Any) -> None:
    with hosts.pretending(host, hosts.ALPINE), hosts.untouched(host):
        done = applied(pypi_docker_source="docker_ce")
    assert done.changed == 0
    assert done.output.count("TASK [wheelhouse.pypi.docker :") <= 3, done.output


def test_a_stopped_engine_is_started_and_not_replaced(host: Any) -> None:
    packages = host.check_output("dpkg --list")
    host.check_output("systemctl disable --now docker.service docker.socket 2>&1")
    done = applied(pypi_docker_source="docker_ce")
    assert done.changed == 1, done.output
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    assert host.check_output("dpkg --list") == packages


def test_compose_too_old_is_an_error_and_the_engine_goes_on(host: Any) -> None:
    host.check_output("mkdir -p %s", PLUGINS)
    host.run("printf %%s %s > %s/docker-compose && chmod +x %s/docker-compose", OLD_COMPOSE, PLUGINS, PLUGINS)
    try:
        assert host.check_output("docker compose version --short") == "2.17.3"
        with hosts.untouched(host):
            message = playbook.refused(playbook=ROLE, pypi_hosts=NAME)
    finally:
        host.check_output("rm %s/docker-compose", PLUGINS)
    playbook.says(
        message,
        "The host has Compose 2.17.3, and 2.18.0 or newer is needed",
        "Upgrade its package (docker-compose-plugin, docker-compose-v2 or docker-compose), or remove it",
    )


def test_an_engine_without_compose_gets_it_from_where_the_engine_is_from(host: Any) -> None:
    host.check_output("apt-get --yes remove docker-compose 2>&1")
    process = host.check_output("systemctl show --property MainPID docker")
    applied(pypi_docker_source="docker_ce")
    assert host.package("docker-compose").is_installed
    assert not host.package("docker-compose-plugin").is_installed
    assert host.check_output("systemctl show --property MainPID docker") == process
