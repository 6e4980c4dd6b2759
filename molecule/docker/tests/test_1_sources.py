"""What one play has made of bare hosts of several distributions, each from the source that has Compose there."""

from __future__ import annotations

from typing import Any

from tests.support import hosts

testinfra_hosts = ["ansible://pypi-docker", "ansible://pypi-docker-12", "ansible://pypi-docker-el9"]
DISTRO = ("docker.io", "docker-cli", "docker-compose")
DOCKER_CE = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin")


def is_debian_13(host: Any) -> bool:
    return str(host.system_info.release) == "13"


def test_the_packages_are_those_of_the_source(host: Any) -> None:
    wanted, other = (DISTRO, DOCKER_CE) if is_debian_13(host) else (DOCKER_CE, DISTRO)
    assert [name for name in wanted if not host.package(name).is_installed] == []
    assert [name for name in other if host.package(name).is_installed] == []


def test_the_engine_runs_now_and_at_boot_and_compose_is_new_enough(host: Any) -> None:
    if is_debian_13(host):
        hosts.restart("pypi-docker")
    assert host.service("docker").is_enabled
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith("26.")
    version = host.check_output("docker compose version --short")
    assert [int(part) for part in version.split(".")[:2]] >= [2, 18], version


def test_containers_run_in_it(host: Any) -> None:
    # The host's own program, and the libraries that it wants.
    host.check_output(
        "tar --create --dereference --file - /bin/echo $(ldd /bin/echo | grep --only-matching '/[^ ]*')"
        " | docker import - own:1"
    )
    assert host.check_output("docker run --rm --network none own:1 /bin/echo it runs") == "it runs"


def test_the_repository_is_as_an_administrator_would_write_it(host: Any) -> None:
    sources = host.file("/etc/apt/sources.list.d/docker.sources")
    if is_debian_13(host):
        assert not sources.exists
        return
    if host.exists("apt-get"):
        entry = sources.content_string
        key = "Signed-By: /etc/apt/keyrings/docker.asc"
        address = "URIs: https://download.docker.com/linux/debian\n"
    else:
        entry = host.file("/etc/yum.repos.d/docker-ce.repo").content_string
        key = "gpgkey = file:///etc/pki/rpm-gpg/RPM-GPG-KEY-docker"
        address = "baseurl = https://download.docker.com/linux/centos/$releasever/$basearch/stable\n"
    assert address in entry
    assert key in entry
