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


@pytest.fixture
def moved(host: Any, digests: dict[str, str]) -> Iterator[str]:
    """The registry has another image for the tag of NGINX, and the host the former one; its digest there."""
    image = IMAGES["nginx"]
    assert playbook.applied(ROLE, **MIRROR).changed == 1
    host.check_output(f"mkdir -p /run/newer && tar -c -C /run newer | docker import - {image}")
    pushed = host.check_output(f"DOCKER_CONFIG=/run/pusher docker push {image} 2>&1")
    host.check_output(f"docker rmi {image} && docker tag {REGISTRY}/nginx@{digests['nginx']} {image}")
    yield re.findall(r"digest: (sha256:[0-9a-f]{64})", pushed)[0]
    host.check_output("systemctl start docker-registry")
    host.check_output(f"docker tag {REGISTRY}/nginx@{digests['nginx']} {image}")
    host.check_output(f"DOCKER_CONFIG=/run/pusher docker push {image}")


def digests_of(host: Any, image: str) -> str:
    return str(host.check_output("docker image inspect --format '{{json .RepoDigests}}' %s", image))


def test_a_newer_image_is_pulled_where_that_is_wanted_and_only_once(
    host: Any, digests: dict[str, str], moved: str
) -> None:
    newer = {**MIRROR, "pypi_images_pull": "newer"}
    with hosts.untouched(host):
        assert playbook.applied(ROLE, **MIRROR).changed == 0
        checked = playbook.applied(ROLE, "--check", **newer)
    playbook.says(checked.message(), f"for these tags: a run would pull {IMAGES['nginx']}.")
    assert digests["nginx"] in digests_of(host, IMAGES["nginx"])

    done = playbook.applied(ROLE, "-vvv", **newer)
    assert done.changed == 1
    assert PASSWORD not in done.output
    assert moved in digests_of(host, IMAGES["nginx"])
    assert digests["pypiserver"] in digests_of(host, IMAGES["pypiserver"])
    assert host.run(f"grep --recursive --files-with-matches '{REGISTRY}' /root /tmp /var/tmp").stdout == ""
    assert playbook.applied(ROLE, **newer).changed == 0


def test_a_registry_that_gives_no_newer_image_is_warned_of_and_stops_nothing(host: Any, moved: str) -> None:
    newer = {**MIRROR, "pypi_images_pull": "newer"}
    with hosts.untouched(host):
        refused = playbook.applied(ROLE, **{**newer, "pypi_images_password": "not-the-password"})
    playbook.says(refused.message(), f"these images stay as they are: {IMAGES['pypiserver']}: unauthorized")
    assert "not-the-password" not in refused.output
    host.check_output("systemctl stop docker-registry")
    with hosts.untouched(host):
        done = playbook.applied(ROLE, **newer)
    assert done.changed == refused.changed == 0
    playbook.says(done.message(), "WARNING: pypi_images_pull=newer", IMAGES["nginx"], "connection refused")
    # One that takes connections and says nothing.
    listen = "import socket, time; kept = socket.create_server(('127.0.0.1', 5000)); time.sleep(300)"
    host.check_output("systemd-run --unit silent python3 -c %s", listen)
    try:
        silent = playbook.applied(ROLE, **{**newer, "pypi_images_username": "", "pypi_images_password": ""})
    finally:
        host.check_output("systemctl stop silent")
    playbook.says(silent.message(), *(f"{image}: no answer within 8 s" for image in IMAGES.values()))
    # What is missing is another matter.
    missing = f"{REGISTRY}/nginx:missing"
    message = playbook.refused(playbook=ROLE, **newer, pypi_image_nginx=missing)
    playbook.says(message, f"The host lacks {missing}, and the pull failed")


def test_an_image_that_was_built_on_the_host_is_not_pulled_over(host: Any) -> None:
    image = IMAGES["nginx"]
    assert playbook.applied(ROLE, **MIRROR).changed == 1
    host.check_output(f"docker rmi {image} && mkdir -p /run/built && tar -c -C /run built | docker import - {image}")
    built = host.check_output("docker image inspect --format '{{.Id}}' %s", image)
    done = playbook.applied(ROLE, **MIRROR, pypi_images_pull="newer")
    assert done.changed == 0
    words = f"{image}: its registry does not know this image: built or loaded here, or removed there"
    playbook.says(done.message(), "these images stay as they are", words)
    assert host.check_output("docker image inspect --format '{{.Id}}' %s", image) == built


def test_newer_images_of_an_archive_are_refused_with_the_remedy(host: Any) -> None:
    with hosts.untouched(host):
        message = playbook.refused(playbook=ROLE, pypi_images_pull="newer")
    playbook.says(message, "pypi_images_pull: newer asks a registry", "remove pypi_images_archive")


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
