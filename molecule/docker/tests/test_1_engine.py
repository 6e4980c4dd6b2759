"""The engine of a host that had none, and what later runs do to it: nothing."""

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


def test_the_distributions_own_packages_are_installed(host: Any) -> None:
    for package in ("docker.io", "docker-cli", "docker-compose"):
        assert host.package(package).is_installed
    assert host.check_output("dpkg --audit") == ""


def test_compose_is_new_enough(host: Any) -> None:
    version = host.check_output("docker compose version --short")
    assert [int(part) for part in version.split(".")[:2]] >= [2, 18], version


def test_the_engine_runs_after_a_restart_of_the_host(host: Any) -> None:
    assert host.service("docker").is_enabled
    hosts.restart(NAME)
    assert host.service("docker").is_running
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith("26.")


def test_a_second_run_leaves_the_engine_and_apt_alone(host: Any) -> None:
    with hosts.untouched(host):
        assert playbook.site("--tags", "docker", pypi_hosts=NAME).changed == 0


def test_a_run_over_hosts_that_are_ready_is_a_few_tasks_and_changes_nothing() -> None:
    done = playbook.applied(ROLE, pypi_hosts="pypi")
    assert done.changed == 0
    # Its variables are validated, and what there may be to do is skipped by whole files.
    assert done.output.count("TASK [wheelhouse.pypi.docker :") <= 5, done.output


def test_an_engine_that_is_good_enough_is_used_on_any_distribution_and_not_replaced_by_another(host: Any) -> None:
    with hosts.pretending(host, hosts.ALPINE), hosts.untouched(host):
        done = applied("--check", "--diff", pypi_docker_source="docker_ce")
    assert done.changed == 0
    assert "This run would" not in done.message()


def test_a_stopped_engine_is_started_and_not_replaced(host: Any) -> None:
    packages = host.check_output("dpkg --list")
    host.check_output("systemctl disable --now docker.service docker.socket 2>&1")
    done = applied(pypi_docker_source="docker_ce")
    assert done.changed == 1, done.output
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    assert host.check_output("dpkg --list") == packages


def test_an_engine_without_compose_is_not_replaced_by_that_of_another_source(host: Any) -> None:
    plugin = host.check_output("dpkg --listfiles docker-compose | grep cli-plugins/docker-compose")
    host.check_output(f"mv {plugin} /root/compose")
    try:
        with hosts.untouched(host):
            message = playbook.refused(playbook=ROLE, pypi_hosts=NAME, pypi_docker_source="docker_ce")
    finally:
        host.check_output(f"mv /root/compose {plugin}")
    playbook.says(
        message,
        "The host has an engine of its distribution and no Compose 2.18.0 or newer",
        "The packages of pypi_docker_source: docker_ce would replace it and stop every container on the host",
        "Install Compose as a plugin for it",
    )


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
