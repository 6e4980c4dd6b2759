"""The plays of docs/docker.md do on hosts what the page says."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

from tests.support import playbook
from tests.support.long import only_long

pytestmark = only_long

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
BLOCKS = re.findall(r"^```yaml\n(- name: .*?)^```", (PROJECT / "docs/docker.md").read_text("utf-8"), re.M | re.S)
PLAYS = {play["name"]: play for block in BLOCKS for play in yaml.safe_load(block)}
PLUGIN = "/usr/local/lib/docker/cli-plugins/docker-compose"
testinfra_hosts = ["ansible://pypi-docker"]


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """Return a function that runs a play of the page, by its name, on a host."""

    def run(name: str, machine: str, **variables: Any) -> playbook.Run:
        file = tmp_path / "play.yml"
        file.write_text(yaml.safe_dump([{**PLAYS.pop(name), "hosts": machine}]))
        done = playbook.applied(str(file), **variables)
        assert done.changed > 0, done.output
        return done

    return run


def other(name: str) -> Any:
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


def test_an_authority_and_a_proxy(play: Any) -> None:
    host = other("pypi-docker-12")
    host.check_output("rm -f /usr/local/share/ca-certificates/authority.crt && update-ca-certificates --fresh")
    assert host.run("curl --silent https://download.docker.com/linux/debian/gpg").rc != 0
    play("Reach the mirror", "pypi-docker-12", authority=f"{PROJECT}/.cache/ground/archives/repositories/authority.crt")
    host.check_output("curl --silent --fail https://download.docker.com/linux/debian/gpg")
    assert "proxy.example.com:3128" in host.check_output("apt-config dump Acquire::https::Proxy")


def test_a_version_with_apt(play: Any) -> None:
    host = other("pypi-docker-12")
    assert host.package("docker-ce").version.startswith("5:26.2.0-")
    play("Keep Docker at a version", "pypi-docker-12", version="26.1")
    play("Upgrade or downgrade Docker", "pypi-docker-12", version="26.1")
    assert host.package("docker-ce").version.startswith("5:26.1.5-")
    assert "26.2.0" not in host.check_output("apt-get --simulate dist-upgrade")


def test_a_version_with_dnf(play: Any) -> None:
    host = other("pypi-docker-el9")
    assert host.package("docker-ce").version == "26.2.0"
    play("Keep Docker at a version with dnf", "pypi-docker-el9", version="26.1.4")
    assert host.package("docker-ce").version == "26.1.4"
    assert "26.2.0" not in host.run("dnf --assumeno upgrade").stdout


def test_settings_and_the_group(host: Any, play: Any) -> None:
    play("Configure the engine", "pypi-docker")
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["live-restore"] is True
    assert host.check_output("docker info --format '{{.LiveRestoreEnabled}}'") == "true"
    host.check_output("useradd deploy")
    play("Let an account use the engine", "pypi-docker")
    assert "docker" in host.user("deploy").groups


def test_compose_from_an_address(host: Any, play: Any) -> None:
    packaged = host.check_output("dpkg --listfiles docker-compose | grep cli-plugins/docker-compose")
    sha256 = hashlib.sha256(host.file(packaged).content).hexdigest()
    host.check_output(f"cp {packaged} /root/compose && apt-get --yes remove docker-compose 2>&1")
    play("Install Compose as a plugin of the engine", "pypi-docker", url="file:///root/compose", sha256=sha256)
    assert host.check_output("docker compose version --short").startswith("2.")
    assert playbook.applied(ROLE, pypi_hosts="pypi-docker").changed == 0
    host.check_output("rm %s", PLUGIN)


def test_an_engine_is_replaced_and_keeps_images_and_volumes(host: Any, play: Any) -> None:
    host.check_output("docker volume create kept")
    host.check_output("tar --create --file - --files-from /dev/null | docker import - kept:1")
    play("Remove the distribution's engine", "pypi-docker")
    playbook.applied(ROLE, pypi_hosts="pypi-docker", pypi_docker_source="docker_ce")
    assert host.package("docker-ce").is_installed
    assert host.check_output("docker volume ls --quiet --filter name=kept") == "kept"
    assert host.check_output("docker image ls --quiet kept:1")
    assert PLAYS == {}, "plays of the page that no test runs"
