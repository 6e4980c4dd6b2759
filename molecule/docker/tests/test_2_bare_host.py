"""A host without an engine: what check mode says, and what is refused before anything on it changes."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.support import hosts, playbook

NAME = "pypi-docker-broken"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
testinfra_hosts = [f"ansible://{NAME}"]

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
MINT = 'PRETTY_NAME="Linux Mint 22"\nNAME="Linux Mint"\nVERSION_ID="22"\nID=linuxmint\nID_LIKE="ubuntu debian"\n'
DEBIAN_11 = 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\nVERSION_ID="11"\nID=debian\n'


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
        pytest.param(hosts.ALPINE, "", "Alpine Linux 3.22.1", id="another family"),
        pytest.param(MINT, "trixie/sid", "Linux Mint 22", id="another of the family"),
        pytest.param(DEBIAN_11, "11.11", "Debian 11.11", id="too old"),
    ],
)
def test_an_unsupported_distribution_is_an_error(host: Any, release: str, debian_version: str, name: str) -> None:
    with hosts.pretending(host, release, debian_version), hosts.untouched(host):
        message = refused()
    playbook.says(
        message,
        f"{name} is not supported: Debian 12, Ubuntu 22.04, RedHat 9, ",
        "Install Docker Engine and Compose 2.18.0 or newer there by hand, and run again",
    )


def test_debian_12s_own_packages_have_no_compose_2_and_the_error_names_the_setting_that_helps(host: Any) -> None:
    with hosts.pretending(host, DEBIAN_12, "12.12"), hosts.untouched(host):
        message = refused(pypi_docker_source="distro")
    playbook.says(
        message,
        "The packages of Debian 12 itself have no Compose 2",
        "Set pypi_docker_source: docker_ce to take Docker's own",
    )


def test_a_host_without_python_is_an_error_that_says_how_to_install_it(host: Any) -> None:
    host.check_output("mv /usr/bin/python3 /usr/bin/python3.hidden")
    try:
        with hosts.untouched(host):
            message = refused()
    finally:
        host.check_output("mv /usr/bin/python3.hidden /usr/bin/python3")
    playbook.says(
        message,
        "Debian GNU/Linux 13 (trixie) has no /usr/bin/python3, and modules of ansible-core",
        "need Python 3.8 or newer there",
        "apt-get install python3",
    )
