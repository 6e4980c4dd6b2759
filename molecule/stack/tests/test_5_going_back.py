"""A stack that starts and does not work is taken back by the run that brought it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import testinfra

from tests.support import faulty_images, hosts, packages
from tests.support.clients import Index, Login
from tests.support.fleet import bad_answers, gaps, reading
from tests.support.long import only_long
from tests.support.playbook import SITE, refused, running, says, site
from tests.support.stack import Stack

UNTOUCHED = "That was beside what serves, which goes on untouched: its files are back, and it was proved."
PROJECT = "wheelhouse-candidate-pypi-server"
CANDIDATE = f"{PROJECT}-pypi-server-1"
BACK = "The files and images that served before are back, and were proved."
FAULT = "fault:next"


def reached(host: Any, variables: Mapping[str, Any]) -> Index:
    """Return the index where it is now: a host that was without power may have another address."""
    return Index(f"http://{hosts.address(host)}:{variables['pypi_http_port']}")


@pytest.fixture
def index(host: Any, variables: Mapping[str, Any]) -> Index:
    return reached(host, variables)


@pytest.fixture(autouse=True)
def proved(
    host: Any, index: Index, variables: Mapping[str, Any], publisher: Login, tmp_path: Path, stack: Stack
) -> Iterator[str]:
    """Something is published before; afterwards it is there, and uploads work."""
    name = f"kept-{uuid4().hex}"
    assert index.upload(publisher, packages.wheel(tmp_path, name)).status == 200
    yield name
    index = reached(host, variables)
    assert index.request(f"/simple/{name}/", publisher).status == 200
    assert index.upload(publisher, packages.wheel(tmp_path, f"after-{uuid4().hex}")).status == 200
    assert not stack.host.file(f"{stack.home}/.unproved").exists


def images(stack: Stack) -> dict[str, str]:
    """Return the image of each service's container."""
    return {service: stack.inspect(service)["Image"] for service in ("pypi-server", "auth", "nginx")}


def no_candidate(host: Any, stack: Stack) -> None:
    """Fail if there is anything of a candidate."""
    assert not host.file(f"{stack.home}/.candidate").exists
    for what in ("ps --all", "network ls"):
        assert host.check_output(f"docker {what} --quiet --filter label=com.docker.compose.project={PROJECT}") == ""


@pytest.mark.parametrize(
    ("make", "change", "reason"),
    [
        pytest.param(
            faulty_images.crashing,
            {"pypi_image_pypiserver": FAULT},
            (f"{CANDIDATE} was healthy, and then ended. The log of {CANDIDATE} ends:", "out of luck"),
            id="pypiserver that ends after 20 s",
        ),
        pytest.param(
            faulty_images.refusing_logins,
            {"pypi_image_nginx": FAULT},
            ("/simple/ with a login as text/html answers 401", f"The log of {PROJECT}-nginx-1 ends:"),
            marks=only_long,
            id="NGINX that refuses logins",
        ),
        pytest.param(
            faulty_images.refusing_uploads,
            {"pypi_image_pypiserver": FAULT},
            ("an upload answers 500",),
            marks=only_long,
            id="pypiserver that answers uploads with 500",
        ),
    ],
)
def test_an_image_that_does_not_work_is_not_switched_to(
    host: Any,
    index: Index,
    reader: Login,
    stack: Stack,
    proved: str,
    make: Callable[[Any, str], None],
    change: dict[str, Any],
    reason: tuple[str, ...],
) -> None:
    make(host, FAULT)
    before, compose = stack.running(), host.file(f"{stack.home}/docker-compose.yml").content_string
    with reading(index, reader, f"/simple/{proved}/") as client:
        message = refused(**change, pypi_max_upload="2g")
    says(message, *reason, UNTOUCHED)
    assert (stack.running(), bad_answers(client)) == (before, {})
    assert host.file(f"{stack.home}/docker-compose.yml").content_string == compose
    assert "2g" not in host.check_output(f"grep client_max_body_size {stack.home}/nginx/conf.d/pypi.conf")
    no_candidate(host, stack)


def test_an_image_whose_tag_was_moved_is_taken_back_by_its_kept_name(
    host: Any, index: Index, reader: Login, stack: Stack, proved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = images(stack)
    host.check_output("docker tag nginx:1.30 good:nginx")
    faulty_images.refusing_logins(host, FAULT)
    host.check_output(f"docker tag {FAULT} nginx:1.30")
    try:
        with reading(index, reader, f"/simple/{proved}/") as client:
            # Nothing else changes: there is no candidate.
            says(refused(), "with a login as text/html answers 401", BACK)
        assert images(stack) == before
        assert (
            "image: wheelhouse/previous:pypi-server.auth"
            in host.file(f"{stack.home}/docker-compose.yml").content_string
        )
    finally:
        host.check_output("docker tag good:nginx nginx:1.30")
    site()
    longest = max((gap.seconds for gap in gaps(client.reads)), default=0.0)
    with capsys.disabled():
        print(f"\nLongest time without an answer: {longest:.1f} s; {bad_answers(client)}")


@pytest.mark.parametrize("how", ["the run is killed", pytest.param("the power is cut", marks=only_long)])
def test_what_is_cut_off_while_it_goes_back_is_mended_by_the_next_run(
    host: Any, stack: Stack, variables: Mapping[str, Any], how: str
) -> None:
    before, name = images(stack), str(variables["inventory_hostname"])
    host.check_output("docker tag nginx:1.30 good:nginx")
    faulty_images.refusing_logins(host, FAULT)
    host.check_output(f"docker tag {FAULT} nginx:1.30")
    try:
        with running(SITE):
            # Its files are back, and the containers are those that do not work.
            testinfra.get_host(f"docker://{name}").check_output(
                f"timeout 300 sh -c 'until grep -q wheelhouse/previous: {stack.home}/docker-compose.yml; do sleep 0.02; done'"
            )
            if how == "the power is cut":
                hosts.restart(name, power_cut=True)
        assert host.file(f"{stack.home}/.unproved").exists
        if how == "the power is cut":
            # With the cause still there, that one goes back as well.
            says(refused(), "with a login as text/html answers 401", BACK)
            assert images(stack) == before
    finally:
        host.check_output("docker tag good:nginx nginx:1.30")
    site()
    assert images(stack) == before


def test_what_a_killed_run_has_not_proved_the_next_one_proves_in_no_list_claim_or_log(
    host: Any, index: Index, publisher: Login, stack: Stack
) -> None:
    host.check_output(f"touch {stack.home}/.unproved && touch --date 2020-01-01 {stack.home}/.previous")
    host.check_output(
        f"mkdir {stack.home}/.candidate && docker network create --label com.docker.compose.project={PROJECT} left"
    )
    host.check_output(f"docker create --label com.docker.compose.project={PROJECT} --network left nginx:1.30")
    site()
    no_candidate(host, stack)
    assert host.file(f"{stack.home}/.previous").mtime.year > 2020

    assert "proof" not in index.request("/simple/", publisher).body.decode()
    found = host.run(f"find {stack.home}/packages {stack.home}/index -name '*wheelhouse*proof*'")
    assert found.stdout == "", found
    # The proof's own lines would be written within a second.
    time.sleep(2)
    users = {json.loads(line)["user"] for line in stack.log("nginx") if line.startswith("{")}
    assert users & {"", "publisher"} and "_proof" not in users
    assert host.run(f"grep -r _proof {stack.home} --include '*.log'").stdout == ""
    assert stack.compose("exec -T nginx ls /tmp").split().count("proof.conf") == 0
    # Nor is there anything left to do after all that has gone back.
    assert site().changed == 0
