"""What one play has made of bare hosts of several distributions, each from the source that it was to take."""

from __future__ import annotations

import os
from typing import Any

import pytest
import testinfra

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
    # The host's own program, and the libraries that it wants.
    host.check_output(
        "tar --create --dereference --file - /bin/echo $(ldd /bin/echo | grep --only-matching '/[^ ]*')"
        " | docker import - own:1"
    )
    assert host.check_output("docker run --rm --network none own:1 /bin/echo it runs") == "it runs"


def asked(proxy: Any) -> list[str]:
    """Return whom the proxy was asked for."""
    lines = proxy.check_output("journalctl --unit proxy --output cat").splitlines()
    return [line.split()[1] for line in lines if line.startswith("CONNECT ")]


@pytest.mark.parametrize("name", ["pypi-docker-ce13", "pypi-docker-el9"])
def test_the_repository_is_reached_by_its_proxy_and_nothing_else_is(name: str) -> None:
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    behind = testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory)
    proxy = testinfra.get_host("ansible://pypi-docker-repositories", ansible_inventory=inventory)
    before = asked(proxy)
    assert set(before) == {"download.docker.com:443"}
    refresh = "dnf --disablerepo=* --enablerepo=docker-ce-stable --refresh makecache"
    if behind.exists("apt-get"):
        refresh = "apt-get --error-on=any update --option Dir::Etc::sourcelist=sources.list.d/docker.sources"
    behind.check_output(f"{refresh} 2>&1")
    assert len(asked(proxy)) > len(before)


def test_an_authority_that_only_the_inventory_knows_is_trusted_for_the_repository_alone() -> None:
    host = testinfra.get_host("ansible://pypi-docker-ce13", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
    assert host.package("docker-ce").is_installed
    assert "certificate" in host.run("curl --silent --show-error https://download.docker.com/linux/").stderr


@pytest.mark.parametrize("path", ["/etc/apt/sources.list.d/docker.list", "/etc/apt/trusted.gpg.d/docker.asc"])
def test_what_somebody_had_left_is_gone_where_that_was_asked_for(host: Any, path: str) -> None:
    assert not host.file(path).exists
