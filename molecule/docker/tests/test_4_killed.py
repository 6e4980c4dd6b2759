"""Runs that were killed while they installed the engine, each followed by one that has to cope with what it finds."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from tests.support import hosts, playbook

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

# dpkg tells this program whatever it does; at a certain point the program freezes dpkg.
FREEZER = """#!/bin/sh
while read -r line; do
    case "$line" in
    "$(cat /root/freeze-at)") pkill -STOP -x dpkg; touch /run/frozen ;;
    esac
done
"""


def freeze_at(host: Any, status: str) -> None:
    host.check_output("echo 'status-logger=/usr/local/sbin/freezer' > /etc/dpkg/dpkg.cfg.d/freezer")
    host.check_output("printf %%s %s > /usr/local/sbin/freezer && chmod +x /usr/local/sbin/freezer", FREEZER)
    host.check_output("echo %s > /root/freeze-at && rm -f /run/frozen", status)


def never_freeze(host: Any) -> None:
    host.check_output("rm /etc/dpkg/dpkg.cfg.d/freezer")


def wait_until_frozen(host: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not host.file("/run/frozen").exists:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"dpkg was not frozen: {process.communicate()[0]}")
        time.sleep(0.3)


def kill_a_run(host: Any, status: str, *, power_cut: bool) -> str:
    """Kill a run, and the host with it if wanted, when dpkg says this; return the state that docker.io is left in."""
    freeze_at(host, status)
    with playbook.running(ROLE, pypi_hosts=NAME) as process:
        wait_until_frozen(host, process)
    if power_cut:
        hosts.restart(NAME, power_cut=True)
    assert "docker.io" in host.check_output("dpkg --audit")
    return str(host.check_output("dpkg-query --show --showformat '${db:Status-Status}' docker.io"))


def test_the_next_run_repairs_what_killed_ones_left(host: Any) -> None:
    assert kill_a_run(host, "status: docker.io: half-installed", power_cut=True) == "half-installed"
    assert host.run("docker version").rc != 0
    assert kill_a_run(host, "status: docker.io: half-configured", power_cut=True) == "half-configured"

    never_freeze(host)
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
    kill_a_run(host, "status: docker.io: unpacked", power_cut=False)
    assert host.check_output("pgrep --exact dpkg")
    with playbook.running(ROLE, pypi_hosts=NAME) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "RETRYING" in line and host.file("/run/frozen").exists:
                never_freeze(host)
                host.check_output("rm /run/frozen && pkill -CONT -x dpkg")
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
