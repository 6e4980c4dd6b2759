"""What can go wrong on the way to new images, while a container of an old one runs and goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import hosts, playbook

NAME = "pypi-images"
testinfra_hosts = [f"ansible://{NAME}"]
ROLE = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"
ARCHIVES = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], ".cache/ground/archives")
HOME = "/home/pypi/pypi-server"
NGINX = "nginx:1.30"


@pytest.fixture(autouse=True)
def the_old_container_runs_on(host: Any) -> Iterator[None]:
    """One of the wanted images is missing, and a container of the old one runs, before and after."""
    question = "docker inspect --format '{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.Config.Image}}' old"
    host.run("docker image rm nginx:1.30")
    before = host.check_output(question)
    assert before.endswith("nginx:1.26")
    yield
    assert host.check_output(question) == before
    assert host.check_output("docker exec old nginx -v 2>&1").startswith("nginx version")
    assert host.run("docker image inspect nginx:1.30").rc != 0


def refused(host: Any, **variables: Any) -> str:
    """Return the message of a run that fails and leaves the host as it was."""
    with hosts.untouched(host):
        return playbook.refused(playbook=ROLE, **variables)


@contextmanager
def little_space(host: Any, folder: str) -> Iterator[None]:
    """A folder is on a file system of its own, with 16 MB, and nothing is left there."""
    host.check_output("mount -t tmpfs -o size=16m,mode=0700 tmpfs %s", folder)
    try:
        yield
        left = host.check_output("find %s -type f", folder)
    finally:
        host.check_output("umount %s", folder)
    assert left == ""


def test_an_archive_that_is_missing_is_an_error_that_says_how_to_make_it(host: Any) -> None:
    message = refused(host, pypi_images_archive="/srv/no-such.tar")
    playbook.says(
        message,
        f"there is no file /srv/no-such.tar on the host or the controller, and the host lacks {NGINX}",
        f"`docker save --output images.tar {NGINX}`",
    )


def test_an_archive_without_the_wanted_image_is_an_error_that_names_it(host: Any) -> None:
    message = refused(host, pypi_images_archive="/srv/ground/nginx-1.26.tar")
    playbook.says(
        message,
        f"/srv/ground/nginx-1.26.tar was loaded, and {NGINX} is still missing",
        "pypi_image_pypiserver and pypi_image_nginx, or make an archive with those",
    )


def test_a_truncated_archive_is_an_error_that_says_how_to_check_it(host: Any, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.tar"
    with truncated.open("wb") as target:
        subprocess.run(["head", "--bytes=30000000", ARCHIVES / "stack.tar"], stdout=target, check=True)
    message = refused(host, pypi_images_archive=str(truncated))
    playbook.says(
        message,
        f"The images of {truncated} could not be loaded:",
        "unexpected EOF",
        "The running containers were not touched. Check the file",
    )


def test_no_space_for_the_copy_of_an_archive_is_an_error_that_names_the_folder(host: Any) -> None:
    with little_space(host, HOME):
        message = refused(host, pypi_images_archive=str(ARCHIVES / "nginx-1.26.tar"))
    playbook.says(
        message,
        "No space left on device",
        "Check the file (`docker load --input` takes it) and the free space: on its way it is in Ansible's",
        f"{HOME} and /var/lib/docker",
    )


def test_no_space_for_an_image_is_an_error_that_names_dockers_folder(host: Any) -> None:
    # Where the engine unpacks what it loads.
    with little_space(host, "/var/lib/docker/tmp"):
        message = refused(host, pypi_images_archive="/srv/ground/stack.tar")
    playbook.says(
        message,
        "no space left on device",
        f"the free space: on its way it is in Ansible's remote_tmp, {HOME} and /var/lib/docker",
    )


def test_a_registry_that_is_out_of_reach_is_an_error_that_says_what_else_there_is(host: Any) -> None:
    message = refused(host, pypi_images_archive="", pypi_images_mirror="127.0.0.1:5999")
    playbook.says(
        message,
        "The host lacks 127.0.0.1:5999/pypiserver/pypiserver:v2.4.2 and 127.0.0.1:5999/nginx:1.30, and",
        "the pull failed: Error response from daemon: ",
        "connect: connection refused. The running containers were not touched. Check the names",
    )
