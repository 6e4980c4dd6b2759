"""A host whose power fails while packages of a bundle are installed: the next run repairs it, without network."""

from __future__ import annotations

import os
from typing import Any

from tests.support import dpkg, hosts, playbook

NAME = "pypi-airgap-connected"
testinfra_hosts = [f"ansible://{NAME}"]

if os.environ.get("WHEELHOUSE_LONG"):

    def test_the_next_run_repairs_what_a_power_cut_left(host: Any) -> None:
        dpkg.freeze_at(host, "docker.io", "half-installed")
        with playbook.running(playbook.SITE, pypi_hosts=NAME) as process:
            dpkg.wait_until_frozen(host, process)
        hosts.restart(NAME, power_cut=True)
        assert "docker.io" in host.check_output("dpkg --audit")
        assert host.file("/var/cache/wheelhouse.pypi/packages").exists

        dpkg.never_freeze(host)
        host.check_output("ip route flush exact default; : > /etc/resolv.conf")
        assert playbook.site(pypi_hosts=NAME).changed > 0
        assert host.check_output("dpkg --audit") == ""
        assert host.check_output("docker ps --quiet")
        assert not host.file("/var/cache/wheelhouse.pypi").exists
        assert playbook.site(pypi_hosts=NAME).changed == 0
