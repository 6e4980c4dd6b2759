"""Images from an archive: of the controller, as the scenario converged, and of the host."""

from __future__ import annotations

import os
from typing import Any

from tests.support import hosts, playbook

NAME = "pypi-images"
testinfra_hosts = [f"ansible://{NAME}"]
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
HOME = "/home/pypi/pypi-server"
WANTED = {"nginx:1.30", "pypiserver/pypiserver:v2.4.2"}


def images(host: Any) -> set[str]:
    return set(host.check_output("docker image ls --format '{{.Repository}}:{{.Tag}}'").split())


def test_the_images_are_there_under_the_names_that_were_asked_for(host: Any) -> None:
    assert images(host) == WANTED | {"nginx:1.26"}


def test_the_copy_of_the_archive_is_gone_from_the_host(host: Any) -> None:
    assert host.run("find %s /root /var/tmp /tmp -type f -size +1M", HOME).stdout == ""
    assert not host.file(f"{HOME}/.images").exists


def test_a_second_run_does_nothing_and_needs_no_archive(host: Any) -> None:
    with hosts.untouched(host):
        done = playbook.applied(ROLE, pypi_images_archive="/nowhere/images.tar")
    assert done.changed == 0


def test_check_mode_changes_nothing_where_an_image_is_missing(host: Any) -> None:
    host.check_output("docker image rm nginx:1.30 2>/dev/null || true")
    with hosts.untouched(host):
        assert playbook.applied(ROLE, "--check", "--diff").changed > 0


def test_what_a_killed_run_has_left_of_its_copy_is_removed(host: Any) -> None:
    host.check_output("mkdir %s/.images && touch %s/.images/.ansible_tmp1234images.tar", HOME, HOME)
    assert playbook.applied(ROLE, pypi_image_nginx="nginx:1.26").changed == 1
    assert not host.file(f"{HOME}/.images").exists


def test_an_archive_of_the_host_is_loaded_and_only_read(host: Any) -> None:
    host.check_output("docker image rm pypiserver/pypiserver:v2.4.2")
    archive = "/var/lib/docker/here.tar"
    host.check_output("cp /srv/ground/stack.tar %s", archive)
    settings = {"pypi_images_archive": archive}
    before = host.check_output("stat --format '%%i %%s %%y %%z' %s", archive)
    assert playbook.applied(ROLE, **settings).changed == 1
    assert images(host) == WANTED | {"nginx:1.26"}
    assert host.check_output("stat --format '%%i %%s %%y %%z' %s", archive) == before
    host.check_output("rm %s", archive)
    # It is not even looked for where nothing is missing.
    assert playbook.applied(ROLE, **settings).changed == 0
