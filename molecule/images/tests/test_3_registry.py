"""Images from a registry with a login: Debian's docker-registry, on the host itself, with small images in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import hosts, playbook

NAME = "pypi-images"
testinfra_hosts = [f"ansible://{NAME}"]
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
REGISTRY = "127.0.0.1:5000"
PASSWORD = "registry-password"
LOGIN = {"pypi_images_username": "robot", "pypi_images_password": PASSWORD}
# Without the archive with which the scenario converged.
MIRROR = {"pypi_images_archive": "", "pypi_images_mirror": REGISTRY, **LOGIN}
IMAGES = {"nginx": f"{REGISTRY}/nginx:1.30", "pypiserver": f"{REGISTRY}/pypiserver/pypiserver:v2.4.2"}

# Stands before Docker's client, and notes what everybody on the host could see while that runs.
SPY = r"""#!/bin/sh
for process in /proc/[0-9]*; do tr '\0' ' ' <$process/cmdline; echo; done >>/root/process-list 2>/dev/null
exec /usr/bin/docker "$@"
"""


@pytest.fixture(scope="module", autouse=True)
def digests(host: Any) -> Iterator[dict[str, str]]:
    """The registry has both images; these are their digests. The host forgets the login and the images again."""
    docker = "DOCKER_CONFIG=/run/pusher docker"
    host.check_output(f"echo {PASSWORD} | {docker} login --username robot --password-stdin {REGISTRY} 2>/dev/null")
    found = {}
    for name, image in IMAGES.items():
        host.check_output(f"mkdir -p /run/{name} && tar -c -C /run {name} | docker import - {image}")
        pushed = host.check_output(f"{docker} push {image} 2>&1")
        found[name] = re.findall(r"digest: (sha256:[0-9a-f]{64})", pushed)[0]
    yield found
    host.check_output("systemctl start docker-registry")


@pytest.fixture(autouse=True)
def _nothing_is_there(host: Any, digests: dict[str, str]) -> None:
    """Neither image is on the host."""
    host.run(
        f"docker image rm --force $(docker image ls --quiet '{REGISTRY}/*'; docker image ls --quiet '{REGISTRY}/*/*')"
    )
    for image in IMAGES.values():
        assert host.run("docker image inspect %s", image).rc != 0


def test_images_are_pulled_through_the_mirror_with_a_login_that_nobody_sees(host: Any) -> None:
    host.run("printf %%s %s > /usr/local/bin/docker && chmod +x /usr/local/bin/docker", SPY)
    done = playbook.applied(ROLE, "-vvv", "--diff", **MIRROR)
    assert done.changed == 1
    for image in IMAGES.values():
        assert host.run("docker image inspect %s", image).rc == 0

    seen = host.check_output("rm /usr/local/bin/docker && cat /root/process-list && rm /root/process-list")
    assert "docker login --username robot --password-stdin 127.0.0.1:5000" in seen
    assert f"docker pull --quiet {IMAGES['nginx']}" in seen
    assert PASSWORD not in seen
    assert PASSWORD not in done.output
    assert PASSWORD not in host.check_output("journalctl --no-pager")
    assert host.run(f"grep --recursive --files-with-matches '{REGISTRY}' /root /tmp /var/tmp").stdout == ""


def test_a_digest_pins_an_image_and_an_unchanged_run_asks_no_registry(host: Any, digests: dict[str, str]) -> None:
    pinned = {
        "pypi_image_nginx": f"{REGISTRY}/nginx@{digests['nginx']}",
        "pypi_image_pypiserver": f"{IMAGES['pypiserver']}@{digests['pypiserver']}",
    }
    assert playbook.applied(ROLE, **MIRROR, **pinned).changed == 1
    for image in pinned.values():
        assert host.run("docker image inspect %s", image).rc == 0
    host.check_output("systemctl stop docker-registry")
    with hosts.untouched(host):
        assert playbook.applied(ROLE, **MIRROR, **pinned).changed == 0
    host.check_output("systemctl start docker-registry")


def test_a_login_is_for_the_registry_that_the_images_are_named_after(host: Any) -> None:
    names = {"pypi_image_nginx": IMAGES["nginx"], "pypi_image_pypiserver": IMAGES["pypiserver"]}
    assert playbook.applied(ROLE, pypi_images_archive="", **LOGIN, **names).changed == 1
    assert host.run("docker image inspect %s", IMAGES["nginx"]).rc == 0


def test_a_wrong_password_is_an_error_that_does_not_show_it(host: Any) -> None:
    with hosts.untouched(host):
        message = playbook.refused(playbook=ROLE, **{**MIRROR, "pypi_images_password": "not-the-password"})
    playbook.says(
        message,
        f"The host lacks {IMAGES['pypiserver']} and {IMAGES['nginx']}, and the pull failed:",
        "401 Unauthorized",
        "Check the names, the network, pypi_images_mirror and the login",
    )
    assert "not-the-password" not in message
