"""Images from an archive: of the controller, as the scenario converged, and of the host."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.support import hosts, playbook

NAME = "pypi-images"
testinfra_hosts = [f"ansible://{NAME}"]
ROLES = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
HOME = "/home/pypi/pypi-server"
WANTED = {"nginx:1.30", "pypiserver/pypiserver:v2.4.2"}
ON_THE_HOST = {"pypi_images_archive": "/srv/ground/stack.tar", "pypi_images_archive_on": "host"}


def images(host: Any) -> set[str]:
    return set(host.check_output("docker image ls --format '{{.Repository}}:{{.Tag}}'").split())


def test_the_images_are_there_under_the_names_that_were_asked_for(host: Any) -> None:
    assert images(host) == WANTED | {"nginx:1.26"}


def test_the_copy_of_the_archive_is_gone_from_the_host(host: Any) -> None:
    assert host.run("find %s /root /var/tmp /tmp -type f -size +1M", HOME).stdout == ""
    assert not host.file(f"{HOME}/.images").exists


def test_a_second_run_does_nothing(host: Any) -> None:
    with hosts.untouched(host):
        done = playbook.applied(ROLES)
    assert done.changed == 0
    assert "Archive | File is there] ***" in done.output
    assert "skipping" in done.output.split("Archive | File is there] ***")[1].splitlines()[1]


@pytest.mark.parametrize("settings", [{}, ON_THE_HOST], ids=["controller", "host"])
def test_check_mode_changes_nothing_where_an_image_is_missing(host: Any, settings: dict[str, str]) -> None:
    host.check_output("docker image rm nginx:1.30 2>/dev/null || true")
    with hosts.untouched(host):
        playbook.applied(ROLES, "--check", "--diff", **settings)


def test_what_a_killed_run_has_left_of_its_copy_is_removed(host: Any) -> None:
    host.check_output("mkdir %s/.images && touch %s/.images/.ansible_tmp1234images.tar", HOME, HOME)
    assert playbook.applied(ROLES, pypi_image_nginx="nginx:1.26").changed == 1
    assert not host.file(f"{HOME}/.images").exists


def test_an_archive_of_the_host_is_loaded_and_only_read(host: Any) -> None:
    host.check_output("docker image rm pypiserver/pypiserver:v2.4.2")
    host.check_output("cp /srv/ground/stack.tar /var/lib/docker/here.tar")
    settings = {**ON_THE_HOST, "pypi_images_archive": "/var/lib/docker/here.tar"}
    before = host.check_output("stat /var/lib/docker/here.tar | grep -v ^Access:")
    assert playbook.applied(ROLES, **settings).changed == 1
    assert images(host) == WANTED | {"nginx:1.26"}
    assert host.check_output("stat /var/lib/docker/here.tar | grep -v ^Access:") == before
    host.check_output("rm /var/lib/docker/here.tar")
    # It is not even looked for where nothing is missing.
    assert playbook.applied(ROLES, **settings).changed == 0
