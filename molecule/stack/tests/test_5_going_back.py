"""A stack that starts and does not work is taken back by the run that brought it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import faulty_images, packages
from tests.support.clients import Index, Login
from tests.support.fleet import bad_answers, gaps, reading
from tests.support.long import only_long
from tests.support.playbook import refused, says, site
from tests.support.stack import Stack

BACK = "The files and images that served before are back, and were proved."
FAULT = "fault:next"


@pytest.fixture(autouse=True)
def proved(index: Index, publisher: Login, tmp_path: Path, stack: Stack) -> Iterator[str]:
    """Something is published before; afterwards it is there, uploads work, and a run finds nothing to do."""
    name = f"kept-{uuid4().hex}"
    assert index.upload(publisher, packages.wheel(tmp_path, name)).status == 200
    yield name
    assert index.request(f"/simple/{name}/", publisher).status == 200
    assert index.upload(publisher, packages.wheel(tmp_path, f"after-{uuid4().hex}")).status == 200
    assert site().changed == 0
    assert not stack.host.file(f"{stack.home}/.unproved").exists


def images(stack: Stack) -> dict[str, str]:
    """Return the image of each service's container."""
    return {service: stack.inspect(service)["Image"] for service in ("pypi-server", "auth", "nginx")}


@pytest.mark.parametrize(
    ("make", "change", "reason"),
    [
        pytest.param(
            faulty_images.crashing,
            {"pypi_image_pypiserver": FAULT},
            (
                "pypi-server-pypi-server-1 was healthy, and then ended. The log of pypi-server-pypi-server-1 ends:",
                "out of luck",
            ),
            id="pypiserver that ends after 20 s",
        ),
        pytest.param(
            faulty_images.refusing_logins,
            {"pypi_image_nginx": FAULT},
            ("/simple/ with a login as text/html answers 401", "The log of pypi-server-nginx-1 ends:"),
            id="NGINX that refuses logins",
            marks=only_long,
        ),
    ],
)
def test_an_image_that_does_not_work_is_taken_back(
    host: Any,
    index: Index,
    reader: Login,
    stack: Stack,
    proved: str,
    make: Callable[[Any, str], None],
    change: dict[str, Any],
    reason: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(host, FAULT)
    before, compose = images(stack), host.file(f"{stack.home}/docker-compose.yml").content_string
    with reading(index, reader, f"/simple/{proved}/") as client:
        message = refused(**change, pypi_max_upload="2g")
    says(message, *reason, BACK)
    assert images(stack) == before
    assert host.file(f"{stack.home}/docker-compose.yml").content_string == compose
    assert "2g" not in host.check_output(f"grep client_max_body_size {stack.home}/nginx/conf.d/pypi.conf")
    longest = max((gap.seconds for gap in gaps(client.reads)), default=0.0)
    with capsys.disabled():
        print(f"\nLongest time without an answer: {longest:.1f} s; {bad_answers(client)}")


def test_a_proof_is_in_no_list_claim_or_log(host: Any, index: Index, publisher: Login, stack: Stack) -> None:
    site("--tags", "stack", pypi_overwrite=True)
    site("--tags", "stack")
    assert "proof" not in index.request("/simple/", publisher).body.decode()
    found = host.run(f"find {stack.home}/packages {stack.home}/index -name '*wheelhouse*proof*'")
    assert found.stdout == "", found
    # The proof's own lines would be written within a second.
    time.sleep(2)
    users = {json.loads(line)["user"] for line in stack.log("nginx") if line.startswith("{")}
    assert users & {"", "publisher"} and "_proof" not in users
    assert host.run(f"grep -r _proof {stack.home} --include '*.log'").stdout == ""
    assert stack.compose("exec -T nginx ls /tmp").split().count("proof.conf") == 0


def test_what_a_killed_run_has_not_proved_the_next_one_proves(host: Any, stack: Stack) -> None:
    host.check_output(f"touch {stack.home}/.unproved && touch --date 2020-01-01 {stack.home}/.previous")
    site()
    assert host.file(f"{stack.home}/.previous").mtime.year > 2020


@only_long
def test_an_image_whose_tag_has_moved_comes_back_by_the_kept_name(host: Any, stack: Stack) -> None:
    before = images(stack)
    host.check_output("docker tag nginx:1.30 good:nginx")
    faulty_images.refusing_logins(host, FAULT)
    host.check_output(f"docker tag {FAULT} nginx:1.30")
    try:
        says(refused(), "with a login as text/html answers 401", BACK)
        assert images(stack) == before
        assert (
            "image: wheelhouse/previous:pypi-server.auth"
            in host.file(f"{stack.home}/docker-compose.yml").content_string
        )
    finally:
        host.check_output("docker tag good:nginx nginx:1.30")
    site()
