"""What lies on a host and would lead root elsewhere: variables of Docker and Compose, files that Compose obeys by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import Index, Login
from tests.support.long import only_long
from tests.support.playbook import SETTINGS, refused, says, site
from tests.support.stack import SERVICES, Stack

# What /etc/environment or root's profile could say: each run's commands are started by this shell.
SHELL = "/usr/local/bin/led-elsewhere"
VARIABLES = {
    "COMPOSE_PROJECT_NAME": "second",
    "COMPOSE_FILE": "/srv/elsewhere.yml",
    "COMPOSE_PROFILES": "second",
    "COMPOSE_ENV_FILES": "/srv/elsewhere.env",
    "COMPOSE_IGNORE_ORPHANS": "true",
    "COMPOSE_PARALLEL_LIMIT": "none",
    "DOCKER_HOST": "tcp://192.0.2.1:2375",
    "DOCKER_CONTEXT": "elsewhere",
    "DOCKER_CONFIG": "/srv/elsewhere",
}
PRIVILEGED = "services: {nginx: {privileged: true, volumes: ['/:/host']}}"


@pytest.fixture
def led_elsewhere(host: Any) -> Iterator[dict[str, str]]:
    lines = ["#!/bin/sh", *(f"export {name}={value}" for name, value in VARIABLES.items()), 'exec /bin/sh "$@"']
    host.check_output("printf '%%s\\n' %s >%s && chmod 755 %s", "\n".join(lines), SHELL, SHELL)
    yield {"ansible_shell_executable": SHELL}
    host.check_output(f"rm {SHELL}")


def projects(host: Any) -> set[str]:
    """Return the Compose projects that have a container on the host."""
    listed = "docker ps --all --format '{{.Label \"com.docker.compose.project\"}}'"
    return set(host.check_output(listed).split())


@only_long
def test_a_run_does_not_listen_to_variables_of_docker_and_compose(
    host: Any, index: Index, reader: Login, stack: Stack, led_elsewhere: dict[str, str]
) -> None:
    shown = host.check_output(f"{SHELL} -c env")
    assert all(f"{name}={value}" in shown for name, value in VARIABLES.items()), shown
    # What tests before this one have left is put right.
    site()
    before = stack.running()
    assert site(**led_elsewhere).changed == 0
    assert stack.running() == before
    # Files, containers and the reload are checked, made and asked for in the right place.
    done = site(*SETTINGS, **led_elsewhere, pypi_container_memory="900m", pypi_max_upload="3g")
    after = stack.running()
    assert all(after[service] != before[service] for service in SERVICES), done.output
    assert projects(host) == {"pypi-server"}, done.output
    assert index.request("/simple/", reader).status == 200
    assert site(*SETTINGS).changed > 0
    assert projects(host) == {"pypi-server"}


def test_files_that_compose_would_obey_are_refused_by_name_before_anything_changes(host: Any, stack: Stack) -> None:
    before = stack.running()
    names = ("docker-compose.override.yml", "compose.override.yaml", ".env")
    for name in names:
        host.check_output("echo %s >%s/%s && chown pypi %s/%s", PRIVILEGED, stack.home, name, stack.home, name)
    try:
        says(refused(pypi_container_memory="900m"), f"{stack.home} has ", *names, "no role writes", "Then remove it")
        assert stack.running() == before
    finally:
        host.check_output(f"cd {stack.home} && rm {' '.join(names)}")


def test_what_root_starts_is_what_the_controller_says_whatever_lies_in_the_tree(host: Any, stack: Stack) -> None:
    before = stack.running()
    file = f"{stack.home}/docker-compose.yml"
    listed = host.file(file)
    assert (listed.user, listed.mode) == ("root", 0o640)
    # As with the rights of the account that owns a folder above: another tree, with another Compose file in it.
    host.check_output(f"mv {file} /root/ && echo %s >{file} && chown pypi {file}", PRIVILEGED)
    try:
        done = site("--tags", "stack")
    finally:
        host.check_output(f"rm -f /root/docker-compose.yml; chown root {file}")
    assert "privileged" not in host.file(file).content_string, done.output
    for service in SERVICES:
        assert not stack.inspect(service)["HostConfig"]["Privileged"]
    assert stack.running() == before, done.output
