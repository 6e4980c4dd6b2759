"""Something is wrong with the second of three hosts: the third is left alone, all serve on, and the next run mends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from molecule.rollout.tests.conftest import FILE
from tests.support import faulty_images
from tests.support.fleet import Client, Member, bad_answers
from tests.support.long import only_long
from tests.support.playbook import SITE, run, says, site
from tests.support.stack import Stack

testinfra_hosts = ["docker://pypi-rollout-2"]

IMAGE = faulty_images.PYPISERVER
NEXT = "pypiserver/pypiserver:next"
# What is wrong with a new image is found on the second host; the others, which go on with the old one, are done in no time.
NEXT_THERE = f"{{{{ '{NEXT}' if inventory_hostname == 'pypi-rollout-2' else '{IMAGE}' }}}}"


def images(stack: Stack) -> list[str]:
    """Return the image of each container."""
    return [container["Image"] for container in stack.inspect_all()]


@contextmanager
def full_disk(second: Member) -> Iterator[None]:
    """There is no space on the index's disk."""
    second.host.run("dd if=/dev/zero of=/srv/pypi/filler bs=1M; dd if=/dev/zero of=/srv/pypi/last bs=1 count=1M")
    assert second.host.run("cp /etc/passwd /srv/pypi/test").rc != 0, "the disk is not full"
    yield
    second.host.check_output("rm -f /srv/pypi/filler /srv/pypi/last /srv/pypi/test")


@contextmanager
def unreachable(second: Member) -> Iterator[None]:
    """SSH is off, and connections that Ansible has kept are cut."""
    second.host.check_output("systemctl stop ssh")
    second.host.run("pkill -u admin")
    yield
    second.host.check_output("systemctl start ssh")


@contextmanager
def broken_image(second: Member) -> Iterator[None]:
    """Under the name of the new pypiserver something else has come to the host."""
    second.host.check_output(f"docker tag nginx:1.30 {NEXT}")
    yield
    second.host.check_output(f"docker tag {IMAGE} {NEXT}")


@contextmanager
def image_that_cannot_cope(second: Member) -> Iterator[None]:
    """The new pypiserver there works beside the index, and ends with what the index holds."""
    faulty_images.crashing_over(second.host, NEXT, FILE)
    yield
    second.host.check_output(f"docker tag {IMAGE} {NEXT}")


FAULTS = [
    pytest.param(
        full_disk,
        {"pypi_max_upload": "4g"},
        ("no space left on the file system of /srv/pypi/pypi-server",),
        id="full disk",
        marks=only_long,
    ),
    pytest.param(unreachable, {"pypi_max_upload": "5g"}, ("UNREACHABLE!",), id="unreachable", marks=only_long),
    pytest.param(
        broken_image,
        {"pypi_max_upload": "6g", "pypi_image_pypiserver": NEXT_THERE},
        ("pypi-server: not found",),
        id="broken image",
        marks=only_long,
    ),
    # Of the faults the one with which the host has switched, and goes back.
    pytest.param(
        image_that_cannot_cope,
        {"pypi_max_upload": "7g", "pypi_image_pypiserver": NEXT_THERE},
        # Between them a busy host has said that it starts again.
        ("out of luck", "The files and images that served before are back, and were proved."),
        id="image that cannot cope",
    ),
]


@pytest.mark.parametrize(("fault", "change", "reason"), FAULTS)
def test_a_fault_on_the_second_host_stops_the_rollout_and_the_next_run_mends_it(
    fleet: list[Member], reading: dict[str, Client], fault: Any, change: dict[str, Any], reason: tuple[str, ...]
) -> None:
    first, second, third = fleet
    variables = {"pypi_serial": 1, "pypi_log_max_size": "4m", **change}
    wanted = f"client_max_body_size {change['pypi_max_upload']}"
    # Who went back has a new container of the old image.
    look = images if fault is image_that_cannot_cope else Stack.running
    old_second, old_third = look(second.stack), third.state()
    with fault(second):
        done = run(SITE, variables=variables)
        message = done.message()
        assert done.code != 0, done.output
        says(message, *reason)
        assert f"repeat the run with --limit {second.name},{third.name} to continue" in message, done.output
        assert first.loaded() == wanted
        assert third.state() == old_third
        assert look(second.stack) == old_second
        assert second.loaded() != wanted
    # Both at once: that they follow each other is another test's.
    mended = site("--limit", f"{second.name},{third.name}", **{**variables, "pypi_serial": 2})
    assert [member.loaded() for member in fleet] == [wanted] * 3
    assert mended.message().count("all containers are healthy") == 2, mended.output
    # Whatever went wrong on the way, nobody who reads has seen it on any of the three.
    for member in fleet:
        assert len(reading[member.name].reads) > 50, "there was hardly any traffic"
        assert bad_answers(reading[member.name]) == {}, member.name
