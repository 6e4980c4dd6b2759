"""Bare hosts: what check mode says, and what is refused, with the hosts as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import testinfra

from tests.support import hosts, playbook
from tests.support.long import only_long

DEBIAN, EL9 = "pypi-docker-bare", "pypi-docker-bare-el9"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
KEYS = os.environ["MOLECULE_PROJECT_DIRECTORY"] + "/.cache/ground/archives/repositories"
BOTH: dict[str, Any] = {"playbook": ROLE, "pypi_hosts": f"{DEBIAN}:{EL9}", "pypi_docker_source": "docker_ce"}
testinfra_hosts = [f"ansible://{DEBIAN}"]

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
# The repositories of apt and dnf, which keys rpm trusts, and what is installed of Docker.
STATE = (
    "find /etc/apt/sources.list* /etc/apt/apt.conf.d /etc/yum.repos.d -type f -exec sha256sum {} + | sort",
    # dnf may trust its distribution's key meanwhile.
    "rpm --query --all gpg-pubkey --queryformat '%{summary}\n' 2>/dev/null | grep -v '<base@'",
    "command -v dockerd docker containerd",
)


@pytest.fixture(scope="module")
def el9() -> Any:
    """Return the other host."""
    return testinfra.get_host(f"ansible://{EL9}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


@pytest.fixture(scope="module", autouse=True)
def real_dates() -> None:
    """The image that the host is from does not look at dates, as real hosts do."""
    host = testinfra.get_host(testinfra_hosts[0], ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
    dates = 'Acquire::Check-Date "true"; Acquire::Check-Valid-Until "true";'
    host.check_output("echo %s > /etc/apt/apt.conf.d/zz-dates", dates)


@contextmanager
def as_they_were(*machines: Any) -> Iterator[None]:
    """Repositories, keys and packages stay as they are."""
    before = [[host.run(question).stdout for question in STATE] for host in machines]
    assert all(state[0] for state in before)
    yield
    assert [[host.run(question).stdout for question in STATE] for host in machines] == before


def test_check_mode_says_what_a_run_would_do(host: Any, el9: Any) -> None:
    with hosts.untouched(host), hosts.untouched(el9):
        done = playbook.applied(ROLE, "--check", "--diff", pypi_hosts=f"{DEBIAN}:{EL9}")
    playbook.says(
        done.message(),
        "This run would install docker.io, docker-cli, docker-compose, start the engine, and then bring the images",
        "This run would add the repository https://download.docker.com/linux/centos, install docker-ce, docker-ce-cli, "
        "containerd.io, docker-compose-plugin, start the engine, and then bring the images",
    )


def test_an_unsupported_distribution_is_an_error(host: Any) -> None:
    with hosts.pretending(host, hosts.ALPINE), hosts.untouched(host):
        message = playbook.refused(playbook=ROLE, pypi_hosts=DEBIAN)
    playbook.says(
        message,
        "Alpine Linux 3.22.1 is not supported: Debian 12, Ubuntu 22.04, RedHat 9, ",
        "Install Docker Engine and Compose 2.18.0 or newer there by hand, and run again",
    )


def test_debian_12s_own_packages_have_no_compose_2_and_the_error_names_the_setting_that_helps(host: Any) -> None:
    with hosts.pretending(host, DEBIAN_12, "12.12"), hosts.untouched(host):
        message = playbook.refused(playbook=ROLE, pypi_hosts=DEBIAN, pypi_docker_source="distro")
    playbook.says(message, "The packages of Debian 12 itself have no Compose 2", "Set pypi_docker_source: docker_ce")


def test_a_host_without_python_is_an_error_that_says_how_to_install_it(host: Any) -> None:
    host.check_output("mv /usr/bin/python3 /usr/bin/python3.hidden")
    try:
        with hosts.untouched(host):
            message = playbook.refused(playbook=ROLE, pypi_hosts=DEBIAN)
    finally:
        host.check_output("mv /usr/bin/python3.hidden /usr/bin/python3")
    playbook.says(message, "has no /usr/bin/python3, and modules of ansible-core", "apt-get install python3")


BAD = [
    pytest.param("unsigned", "trixie Release' is not signed", "is not signed", id="unsigned"),
    pytest.param("wrong-key", "is not signed", "key", id="signed by another key"),
]
if os.environ.get("WHEELHOUSE_LONG"):
    BAD += [
        pytest.param(
            "altered", "Hash Sum mismatch", "Failed to validate GPG signature", id="altered after it was signed"
        ),
        # dnf's index has no date: there is no such folder.
        pytest.param("expired", "is expired", "All mirrors were tried", id="expired"),
    ]


@pytest.mark.parametrize(("bad", "apt", "dnf"), BAD)
def test_a_bad_repository_is_refused_by_apt_and_dnf_in_their_own_words(
    host: Any, el9: Any, bad: str, apt: str, dnf: str
) -> None:
    with as_they_were(host, el9):
        message = playbook.refused(**BOTH, pypi_docker_repository_url=f"https://download.docker.com/{bad}/linux/")
    print(message)
    for folder, manager, words in (("debian", "apt", apt), ("centos", "dnf", dnf)):
        sentence = (
            f"Docker could not be installed from https://download.docker.com/{bad}/linux/{folder}. {manager} said: "
        )
        said = message.partition(sentence)[2]
        assert words in said[:2000], said


def test_without_a_key_file_only_dockers_own_key_counts(host: Any, el9: Any) -> None:
    with as_they_were(host, el9):
        message = playbook.refused(**BOTH, pypi_docker_repository_key_file="")
    print(message)
    playbook.says(message, "linux/debian. apt said: ", "linux/centos. dnf said: The specified fingerprint")


@only_long
def test_a_server_that_cannot_be_reached_is_named(host: Any, el9: Any) -> None:
    with as_they_were(host, el9):
        message = playbook.refused(**BOTH, pypi_docker_repository_url="https://mirror.example.com:1/linux")
    playbook.says(message, "https://mirror.example.com:1/linux/debian. apt said: ")
    playbook.says(message, "https://mirror.example.com:1/linux/centos. dnf said: ")


def test_what_conflicts_is_named_and_stays(host: Any, el9: Any) -> None:
    host.check_output("apt-get --yes install runc 2>&1")
    el9.check_output("dnf --assumeyes install podman-docker")
    with as_they_were(host, el9):
        message = playbook.refused(**BOTH)
    print(message)
    playbook.says(message, "Packages need to be removed but remove is disabled", "podman-docker")
    assert host.package("runc").is_installed
    assert el9.package("podman-docker").is_installed
    host.check_output("apt-get --yes remove runc 2>&1")
    el9.check_output("dnf --assumeyes remove podman-docker")


@only_long
def test_a_fetched_key_is_trusted_if_it_is_the_expected_one() -> None:
    with open(f"{KEYS}/docker.fingerprint", encoding="ascii") as file:
        imitated = file.read().strip()
    names = (DEBIAN, "pypi-docker-bare-12", EL9)
    playbook.applied(
        ROLE, pypi_hosts=":".join(names), pypi_docker_source="docker_ce", pypi_docker_repository_key_file="",
        __docker_fingerprints={"apt": imitated, "dnf": imitated},
    )  # fmt: skip
    for name in names:
        machine = testinfra.get_host(f"ansible://{name}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
        assert machine.package("docker-ce").is_installed
        assert machine.check_output("docker version --format '{{.Server.Version}}'")
