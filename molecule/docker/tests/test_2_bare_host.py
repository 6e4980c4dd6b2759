"""A host without an engine: what check mode says, and what is refused before anything on it changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import hosts, playbook

NAME = "pypi-docker-broken"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
testinfra_hosts = [f"ansible://{NAME}"]
RELEASE = "/usr/lib/os-release"

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
DEBIAN_11 = 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\nVERSION_ID="11"\nID=debian\n'
ALPINE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n'


@contextmanager
def pretending(host: Any, release: str, debian_version: str = "") -> Iterator[None]:
    """The host says that it is another distribution, in the files that Ansible's facts are made of."""
    host.check_output("mv %s %s.true && mv /etc/debian_version /etc/debian_version.true", RELEASE, RELEASE)
    host.check_output("printf %%s %s > %s", release, RELEASE)
    if debian_version:
        host.check_output("echo %s > /etc/debian_version", debian_version)
    yield
    host.check_output("mv %s.true %s && mv /etc/debian_version.true /etc/debian_version", RELEASE, RELEASE)


def refused(*arguments: str, **variables: Any) -> str:
    return playbook.refused(*arguments, playbook=ROLE, pypi_hosts=NAME, **variables)


@pytest.mark.parametrize(
    ("source", "packages"),
    [
        ("auto", "docker.io, docker-cli, docker-compose (distro)"),
        ("docker_ce", "docker-ce, docker-ce-cli, containerd.io, docker-compose-plugin (docker_ce)"),
    ],
)
def test_check_mode_says_what_would_be_installed_and_started(host: Any, source: str, packages: str) -> None:
    with hosts.untouched(host):
        done = playbook.applied(ROLE, "--check", "--diff", pypi_hosts=NAME, pypi_docker_source=source)
    sentence = (
        f"This run would install {packages}, start the engine, and then bring the images and start the containers"
    )
    assert sentence in done.message(), done.output


@pytest.mark.parametrize(
    ("release", "debian_version", "name"),
    [
        pytest.param(ALPINE, "", "Alpine Linux 3.22.1", id="another family"),
        pytest.param(DEBIAN_11, "11.11", "Debian 11.11", id="too old"),
    ],
)
def test_an_unsupported_distribution_is_an_error(host: Any, release: str, debian_version: str, name: str) -> None:
    with pretending(host, release, debian_version), hosts.untouched(host):
        message = refused()
    assert f"{name} is not supported: Debian 12 and 13, Ubuntu 22.04 and later, RHEL" in message
    assert "Install Docker Engine and Compose 2.18.0 or newer there by hand, and run again" in message


def test_debian_12s_own_packages_have_no_compose_2_and_the_error_names_the_setting_that_helps(host: Any) -> None:
    with pretending(host, DEBIAN_12, "12.12"), hosts.untouched(host):
        message = refused(pypi_docker_source="distro")
    assert "The packages of Debian 12 itself have no Compose 2" in message
    assert "Set pypi_docker_source: docker_ce to take Docker's own" in message


def test_a_host_without_python_is_an_error_that_says_how_to_install_it(host: Any) -> None:
    host.check_output("mv /usr/bin/python3 /usr/bin/python3.hidden")
    with hosts.untouched(host):
        message = refused()
    host.check_output("mv /usr/bin/python3.hidden /usr/bin/python3")
    assert "Debian GNU/Linux 13 (trixie) has no python3, and Ansible's modules need Python 3.8 or newer" in message
    assert "apt-get install python3" in message
