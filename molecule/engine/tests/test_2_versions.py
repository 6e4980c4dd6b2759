"""The engine's version: pinned, held, and another only where it is asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support import hosts, playbook

from .conftest import Engine, said_gap

testinfra_hosts = ["ansible://pypi-engine", "ansible://pypi-engine-el9"]

LIVE = {"live-restore": True}
GROUP = ("docker-ce", "docker-ce-cli")


def versions(host: Any) -> set[str]:
    """Versions of the engine's packages, without those of the packaging."""
    return {host.package(name).version.split(":")[-1].split("-")[0] for name in GROUP}


def held(host: Any, version: str) -> set[str]:
    """Packages that are held; dnf's locks are on a version, apt's holds are not."""
    if host.exists("apt-mark"):
        return set(host.check_output("apt-mark showhold").split())
    locks = host.run("dnf --quiet versionlock list").stdout
    return {name for name in GROUP if re.search(rf"^{name}-\d+:{version}-", locks, re.MULTILINE)}


def test_the_version_is_there_and_held(host: Any, engine: Engine) -> None:
    assert versions(host) == {"26.1.4"}
    assert held(host, "26.1.4") == set(GROUP)


def test_an_upgrade_of_the_system_leaves_the_engine_alone(host: Any, engine: Engine) -> None:
    upgrade = "apt-get --simulate dist-upgrade" if host.exists("apt-get") else "dnf --assumeno upgrade"
    done = host.run(upgrade)
    # dnf that would upgrade something else, and was told not to, ends with 1.
    assert done.rc == 0 or "Operation aborted" in done.stderr, done
    assert "26.2.0" not in done.stdout


def test_compose_comes_back_and_the_engine_that_is_there_stays(host: Any, engine: Engine) -> None:
    process = engine.process()
    remove = "apt-get --yes" if host.exists("apt-get") else "dnf --assumeyes"
    host.check_output(f"{remove} remove docker-compose-plugin 2>&1")
    with engine.kept():
        # One of the hosts has an administrator's entry of the repository.
        done = engine.applied("--diff", pypi_docker_version="", pypi_docker_replace=True, pypi_docker_daemon=LIVE)
    assert "+ docker-compose-plugin" in done.output
    assert host.package("docker-compose-plugin").is_installed
    assert versions(host) == {"26.1.4"}
    assert engine.process() == process


def test_a_version_that_is_nowhere_is_an_error_that_says_what_there_is(host: Any, engine: Engine) -> None:
    with engine.kept():
        message = engine.refused(pypi_docker_version="26.3", pypi_docker_daemon=LIVE)
    playbook.says(
        message, "pypi_docker_version: the source of docker-ce has no version 26.3. It has 26.2.0, 26.1.5, 26.1.4."
    )
    assert versions(host) == {"26.1.4"}


def test_a_patch_keeps_containers_with_live_restore(host: Any, engine: Engine) -> None:
    engine.applied(pypi_docker_daemon=LIVE)
    process = engine.process()
    with engine.kept():
        done = engine.applied("--diff", pypi_docker_version="26.1.5", pypi_docker_daemon=LIVE)
    assert done.changed == 1
    assert "were down" not in done.output
    assert versions(host) == {"26.1.5"}
    assert held(host, "26.1.5") == set(GROUP)
    assert engine.process() != process


def test_the_version_that_is_there_is_left_alone(host: Any, engine: Engine) -> None:
    with hosts.untouched(host):
        assert engine.applied(pypi_docker_version="26.1", pypi_docker_daemon=LIVE).changed == 0


def test_without_live_restore_the_gap_is_told(host: Any, engine: Engine) -> None:
    if not host.exists("apt-get"):
        pytest.skip("the same as with apt; dnf alone is the matter here")
    would = engine.applied("--check", pypi_docker_version="26.2", pypi_docker_daemon={})
    assert "The engine would be upgraded from 26.1.5 to 26.2.0" in would.message()
    done = engine.applied(pypi_docker_version="26.2", pypi_docker_hold=False, pypi_docker_daemon={})
    assert "The engine was upgraded from 26.1.5 to 26.2.0." in done.message()
    assert abs(said_gap(done) - engine.gap()) < 0.1
    engine.answers()
    assert versions(host) == {"26.2.0"}
    assert held(host, "26.2.0") == set()
