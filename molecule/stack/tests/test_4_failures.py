"""What goes wrong on a host, and what people see of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login
from tests.support.long import only_long
from tests.support.playbook import refused, site
from tests.support.stack import SERVICES, Stack, eventually

LISTENER = "python3 -m http.server --bind 127.0.0.1 9090"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_killed_comes_back(
    host: Any, index: Index, publisher: Login, stack: Stack, service: str
) -> None:
    before = stack.inspect(service)
    host.check_output(f"kill -9 {before['State']['Pid']}")

    def is_back() -> bool:
        after = stack.inspect(service)
        return after["RestartCount"] > before["RestartCount"] and bool(after["State"]["Running"])

    eventually(is_back, f"{service} is started again")
    # Neither from disk or cache nor from that of verdicts: all three services have to do their part.
    eventually(lambda: index.request(f"/packages/?{uuid4().hex}", publisher).status == 200, "lists are made")
    stranger = Login("publisher", uuid4().hex)
    eventually(lambda: index.request("/simple/", stranger).status == 401, "passwords are verified")


def test_pages_and_files_are_served_to_readers_while_pypiserver_is_away(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack
) -> None:
    name = f"known-{uuid4().hex}"
    file = packages.wheel(tmp_path, name)
    assert index.upload(publisher, file).status == 200
    stack.compose("stop pypi-server")
    try:
        for path in (f"/simple/{name}/", "/simple/", "/", f"/packages/{file.name}", f"/packages/{file.name}.metadata"):
            assert index.request(path, reader).status == 200, (path, stack.log("nginx")[-5:])
            assert index.request(path, NOBODY).status == 401, path
            assert index.request(path, Login("reader", "wrong")).status == 401, path
        # All projects are on disk. What is not known is not said to be missing.
        assert index.request(f"/simple/unknown-{name}/", reader).status == 404
        for path in (f"/simple/Unknown-{name}/", "/packages/"):
            answer = index.request(path, reader)
            assert (answer.status, b"pypi-server does not answer" in answer.body) == (503, True), answer
        answer = index.upload(publisher, packages.wheel(tmp_path, "away"))
        assert (answer.status, "pypi-server does not answer" in answer.reason) == (503, True), answer
    finally:
        stack.compose("start pypi-server")
    eventually(lambda: index.request(f"/simple/Unknown-{name}/", reader).status == 301, "pypiserver answers")


def test_a_stack_that_was_stopped_by_hand_is_started_by_hand_and_the_next_run_finds_it_as_it_is(
    index: Index, reader: Login, stack: Stack
) -> None:
    stack.compose("down")
    assert site("--tags", "users").changed == 0
    assert stack.compose("ps --all --quiet") == ""
    stack.compose("up --detach --wait")
    assert index.request("/simple/", reader).status == 200
    assert site("--tags", "stack").changed == 0


def test_a_container_that_does_not_become_healthy_says_why(
    host: Any, index: Index, publisher: Login, stack: Stack
) -> None:
    before = stack.running()
    host.check_output(f"echo 'raise SystemExit(\"no such luck\")' >>{stack.home}/pypiserver/gunicorn.conf.py")
    message = refused("--tags", "stack", pypi_start_timeout="20s")
    waited = re.search(r"The containers are not healthy after (\d+) s; pypi_start_timeout is 20 s", message)
    assert waited and 20 <= int(waited[1]) <= 25, message
    assert "Waited for: wheelhouse-candidate-pypi-server-pypi-server-1 is " in message, message
    assert "no such luck" in message, message
    # The lines of containers that are well would bury these.
    assert "pypi-server-nginx-1 is" not in message, message
    assert stack.running() == before

    # The wrong image: there, and not pypiserver's.
    message = refused("--tags", "stack", pypi_image_pypiserver="nginx:1.30")
    assert "Compose could not start the containers" in message, message
    assert 'exec: "python3": executable file not found' in message, message
    assert "wheelhouse-candidate-pypi-server-pypi-server-1 is created" in message, message

    site("--tags", "pypiserver,stack")
    assert index.request(f"/packages/?{uuid4().hex}", publisher).status == 200


def test_a_run_right_after_the_cause_was_mended_waits_for_what_restarts(host: Any, stack: Stack) -> None:
    file = f"{stack.home}/packages"
    host.check_output(f"chmod 0 {file}")
    try:
        stack.compose("restart pypi-server")
        # The engine waits longer each time before it starts the container again.
        eventually(lambda: int(stack.inspect("pypi-server")["RestartCount"]) >= 5, "it has failed five times")
    finally:
        host.check_output(f"chmod 0700 {file}")
    assert stack.inspect("pypi-server")["State"]["Health"]["Status"] != "healthy"
    site("--tags", "stack")
    assert stack.inspect("pypi-server")["State"]["Status"] == "running"
    stack.wait_until_healthy("pypi-server")


def test_a_port_that_another_process_has_is_named_with_its_holder(host: Any, index: Index, stack: Stack) -> None:
    before = stack.running()
    host.check_output(f"systemd-run --quiet --unit listener {LISTENER}")
    try:
        eventually(lambda: host.socket("tcp://127.0.0.1:9090").is_listening, "the listener listens")
        message = refused("--tags", "stack", pypi_http_port=9090)
    finally:
        host.check_output("systemctl stop listener")
    for part in ("pypi_http_port", "9090", "python3 (process ", "Stop that, or set pypi_http_port"):
        assert part in message, message
    assert stack.running() == before
    assert index.request("/").status == 401


@only_long
def test_a_port_that_another_stack_has_is_named_with_its_holder(host: Any, stack: Stack) -> None:
    before = stack.running()
    host.check_output("docker run --detach --rm --name squatter --publish 9091:80 nginx:1.30")
    try:
        message = refused("--tags", "stack", pypi_http_port=9091)
    finally:
        host.check_output("docker rm --force squatter")
    assert "port 9091 on 0.0.0.0 is taken by the container squatter" in message, message
    assert stack.running() == before
