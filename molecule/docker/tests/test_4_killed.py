"""Runs that were killed while they installed the engine, each followed by one that has to cope with what it finds."""

from __future__ import annotations

import os
from typing import Any

from tests.support import dpkg, hosts, playbook
from tests.support.long import only_long

pytestmark = only_long

NAME = "pypi-docker-killed"
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
testinfra_hosts = [f"ansible://{NAME}"]

FOREIGN = """Package: foreign
Version: 1
Architecture: all
Maintainer: Somebody <somebody@example.com>
Description: something that is not ours
Depends: nowhere-to-be-had
"""


def kill_a_run(host: Any, state: str, *, power_cut: bool) -> str:
    """Kill a run, and the host with it if wanted, when docker.io gets into a state; return the one that it is left in."""
    dpkg.freeze_at(host, "docker.io", state)
    with playbook.running(ROLE, pypi_hosts=NAME) as process:
        dpkg.wait_until_frozen(host, process)
    if power_cut:
        hosts.restart(NAME, power_cut=True)
    assert "docker.io" in host.check_output("dpkg --audit")
    return str(host.check_output("dpkg-query --show --showformat '${db:Status-Status}' docker.io"))


def test_the_next_run_repairs_what_killed_ones_left(host: Any) -> None:
    assert kill_a_run(host, "half-installed", power_cut=True) == "half-installed"
    assert host.run("docker version").rc != 0
    assert kill_a_run(host, "half-configured", power_cut=True) == "half-configured"

    dpkg.never_freeze(host)
    done = playbook.applied(ROLE, pypi_hosts=NAME)
    assert done.changed > 0
    assert_good(host)


def test_a_package_left_half_configured_beside_a_running_engine_is_finished(host: Any) -> None:
    host.check_output("sed -i '/^Package: docker-compose$/,/^$/s/ok installed/ok unpacked/' /var/lib/dpkg/status")
    assert "docker-compose" in host.check_output("dpkg --audit")
    engine = host.check_output("systemctl show --property MainPID docker")
    playbook.applied(ROLE, pypi_hosts=NAME)
    assert_good(host)
    assert host.check_output("systemctl show --property MainPID docker") == engine


def test_a_run_waits_for_the_installation_that_a_lost_one_left_at_work(host: Any) -> None:
    host.check_output("apt-get --yes purge docker.io 2>&1")
    # Unpacking takes the longest: a state that dpkg soon leaves could be over before it is frozen.
    kill_a_run(host, "half-installed", power_cut=False)
    assert host.check_output("pgrep --exact dpkg")
    with playbook.running(ROLE, pypi_hosts=NAME) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "RETRYING" in line and dpkg.frozen(host):
                dpkg.thaw(host)
        assert process.wait() == 0, "".join(lines)
    assert any("RETRYING" in line for line in lines), "".join(lines)
    assert_good(host)
    assert playbook.applied(ROLE, pypi_hosts=NAME).changed == 0


def test_what_somebody_else_has_left_unfinished_is_named_and_not_removed(host: Any) -> None:
    host.check_output("mkdir -p /root/foreign/DEBIAN && printf %%s %s > /root/foreign/DEBIAN/control", FOREIGN)
    host.check_output("apt-get --yes remove docker-compose 2>&1 && dpkg-deb --build /root/foreign")
    host.run("dpkg --unpack /root/foreign.deb")
    try:
        message = playbook.refused(playbook=ROLE, pypi_hosts=NAME)
        assert host.run("dpkg-query --show --showformat '${db:Status-Status}' foreign").stdout == "unpacked"
    finally:
        host.check_output("dpkg --purge foreign")
    playbook.says(message, "apt said: ", "foreign : Depends: nowhere-to-be-had")
    playbook.applied(ROLE, pypi_hosts=NAME)
    assert_good(host)


def assert_good(host: Any) -> None:
    """The engine answers and starts at boot, and dpkg has nothing left to do."""
    assert host.check_output("dpkg --audit") == ""
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith("26.")
    assert host.service("docker").is_enabled
