"""Repositories that are wrong in one way each: one clear error on apt and on dnf, and the hosts as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import testinfra

from tests.support import playbook

DEBIAN = "pypi-docker-broken"
EL9 = "pypi-docker-el9-broken"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
testinfra_hosts = [f"ansible://{DEBIAN}"]

LIST = "/etc/apt/sources.list.d/docker.list"
REPO = "/etc/yum.repos.d/docker-ce.repo"
REPO_URL = "https://download.docker.com/linux/centos/docker-ce.repo"
# Configuration and keys of the package managers, and what is installed.
STATE = (
    "find /etc -type f -exec sha256sum {} + | sort",
    "find /etc -printf '%p %m %U:%G %l\\n' | sort",
    "dpkg-query --show 2>/dev/null; rpm --query --all 2>/dev/null | sort",
)


@contextmanager
def as_they_were(*hosts: Any) -> Iterator[None]:
    """Neither files below /etc nor packages and keys change on the hosts."""
    before = [[host.run(question).stdout for question in STATE] for host in hosts]
    assert all(len(answer[0].splitlines()) > 50 for answer in before)
    yield
    after = [[host.run(question).stdout for question in STATE] for host in hosts]
    for one, other in zip(before, after, strict=True):
        for old, new in zip(one, other, strict=True):
            assert sorted(set(old.splitlines()) ^ set(new.splitlines())) == []


@pytest.fixture(scope="module", autouse=True)
def real_dates() -> Iterator[None]:
    """The image that the host is from does not look at dates, as real hosts do."""
    host = testinfra.get_host(testinfra_hosts[0], ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
    host.check_output(
        """printf 'Acquire::Check-Date "true";\nAcquire::Check-Valid-Until "true";\n' > /etc/apt/apt.conf.d/zz-dates"""
    )
    yield
    host.check_output("rm /etc/apt/apt.conf.d/zz-dates")


@pytest.fixture(scope="module")
def el9() -> Any:
    """Return the other host."""
    return testinfra.get_host(f"ansible://{EL9}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


BACK = "No package was installed, and what the run had added of the repository is taken back"
UNTOUCHED = "Nothing has been changed"


@pytest.mark.parametrize(
    ("bad", "apt", "dnf"),
    [
        pytest.param(
            "wrong-key-file",
            ("linux/debian/gpg, has the fingerprint", "is expected: it is not used", UNTOUCHED),
            ("linux/centos/gpg, has the fingerprint", "is expected: it is not used", UNTOUCHED),
            id="key file of somebody else",
        ),
        pytest.param(
            "unsigned",
            ("linux/debian: it, or a package in it, is not signed", BACK),
            ("linux/centos: it, or a package in it, is not signed", BACK),
            id="unsigned",
        ),
        pytest.param(
            "wrong-key",
            ("linux/debian: it is signed by another key than", BACK),
            ("linux/centos: it is signed by another key than", BACK),
            id="signed by somebody else",
        ),
        pytest.param(
            "altered",
            ("linux/debian: something in it was altered after it was signed", BACK),
            ("linux/centos: something in it was altered after it was signed", BACK),
            id="package altered",
        ),
        # An index of RPMs has no date of expiry: there is no such folder.
        pytest.param(
            "expired",
            ("linux/debian: its index has expired", BACK),
            ("linux/centos/gpg: there is nothing", UNTOUCHED),
            id="expired",
        ),
    ],
)
def test_a_bad_repository_is_one_clear_error_and_leaves_the_host_as_it_was(
    host: Any, el9: Any, bad: str, apt: tuple[str, ...], dnf: tuple[str, ...]
) -> None:
    with as_they_were(host, el9):
        message = playbook.refused(
            playbook=ROLE, pypi_hosts=f"{DEBIAN}:{EL9}", pypi_docker_source="docker_ce",
            pypi_docker_repository_url=f"https://download.docker.com/{bad}/linux",
        )  # fmt: skip
    playbook.says(message, *apt, *dnf)


def test_an_unreachable_repository_is_an_error_that_names_the_ways_out(host: Any, el9: Any) -> None:
    key = os.environ["MOLECULE_PROJECT_DIRECTORY"] + "/.cache/ground/archives/repositories/docker.asc"
    with as_they_were(host, el9):
        message = playbook.refused(
            playbook=ROLE, pypi_hosts=f"{DEBIAN}:{EL9}", pypi_docker_source="docker_ce",
            pypi_docker_repository_url="https://mirror.example.com:1/linux", pypi_docker_repository_key_file=key,
        )  # fmt: skip
    playbook.says(
        message,
        "Docker cannot be installed from https://mirror.example.com:1/linux/debian: it cannot be reached",
        "Docker cannot be installed from https://mirror.example.com:1/linux/centos: it cannot be reached",
        "pypi_docker_repository_proxy where the host needs one",
        BACK,
    )


def test_what_others_have_left_is_named_before_anything_changes(host: Any, el9: Any) -> None:
    host.check_output("echo 'deb [trusted=yes] https://download.docker.com/linux/debian trixie stable' > %s", LIST)
    el9.check_output(
        "dnf --assumeyes install podman-docker runc && curl --silent --fail --output %s %s", REPO, REPO_URL
    )
    try:
        with as_they_were(host, el9):
            message = playbook.refused(
                playbook=ROLE, pypi_hosts=f"{DEBIAN}:{EL9}", pypi_docker_source="docker_ce"
            )  # fmt: skip
    finally:
        host.check_output("rm %s", LIST)
    playbook.says(
        message,
        f"{LIST} names the same repository",
        f"{REPO} names the same repository",
        "the package runc, beside which",
        "the package podman-docker, beside which",
        "Set pypi_docker_replace: true",
    )


def test_with_replace_what_others_have_left_goes_and_dockers_engine_comes(el9: Any) -> None:
    assert el9.package("podman-docker").is_installed
    done = playbook.applied(ROLE, pypi_hosts=EL9, pypi_docker_replace=True)
    assert done.changed > 0
    assert not el9.package("podman-docker").is_installed
    assert not el9.file(REPO).exists
    assert el9.check_output("docker version --format '{{.Server.Version}}'")
