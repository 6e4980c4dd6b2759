"""A host whose power fails while packages of a bundle are installed: the next run repairs it, without network."""

from __future__ import annotations

import time
from typing import Any

from tests.support import hosts, playbook

NAME = "pypi-airgap-connected"
testinfra_hosts = [f"ansible://{NAME}"]

# dpkg tells this program whatever it does; at a certain point the program freezes dpkg.
FREEZER = """#!/bin/sh
while read -r line; do
    case "$line" in
    "status: docker.io: half-installed") pkill -STOP -x dpkg; touch /run/frozen ;;
    esac
done
"""


def test_the_next_run_repairs_what_a_power_cut_left(host: Any) -> None:
    host.check_output("echo 'status-logger=/usr/local/sbin/freezer' > /etc/dpkg/dpkg.cfg.d/freezer")
    host.check_output("printf %%s %s > /usr/local/sbin/freezer && chmod +x /usr/local/sbin/freezer", FREEZER)
    with playbook.running(playbook.SITE, pypi_hosts=NAME) as process:
        deadline = time.monotonic() + 180
        while not host.file("/run/frozen").exists:
            assert process.poll() is None and time.monotonic() < deadline, "dpkg was not frozen"
            time.sleep(0.3)
    hosts.restart(NAME, power_cut=True)
    assert "docker.io" in host.check_output("dpkg --audit")
    assert host.file("/var/cache/wheelhouse.pypi/packages").exists

    host.check_output("rm /etc/dpkg/dpkg.cfg.d/freezer")
    host.check_output("ip route flush exact default; : > /etc/resolv.conf")
    assert playbook.site(pypi_hosts=NAME).changed > 0
    assert host.check_output("dpkg --audit") == ""
    assert host.check_output("docker ps --quiet")
    assert not host.file("/var/cache/wheelhouse.pypi").exists
    assert playbook.site(pypi_hosts=NAME).changed == 0
