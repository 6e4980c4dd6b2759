"""Uploads are whole or leave nothing behind. Of two at once, and of another digest: unit tests with real servers."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.stack import SlowUpload, Stack, eventually


def left(host: Any, stack: Stack) -> str:
    """Return what uploads have left that are over."""
    return str(host.check_output(f"ls -A {stack.home}/packages/.incoming"))


def test_an_upload_that_the_client_gives_up_leaves_nothing(
    host: Any, index: Index, publisher: Login, tmp_path: Path, project: str, stack: Stack
) -> None:
    file = packages.wheel(tmp_path, project, padding=os.urandom(4 * 1024 * 1024))
    upload = SlowUpload(index, publisher, file)
    upload.give_up()
    assert not host.file(f"{stack.home}/packages/{file.name}").exists
    assert left(host, stack) == ""
    assert index.upload(publisher, file).status == 200


def test_pypiserver_may_be_killed_at_any_moment(
    host: Any,
    index: Index,
    publisher: Login,
    tmp_path: Path,
    project: str,
    stack: Stack,
    files: Callable[[str], list[str]],
    replicas: Callable[[], list[str]],
) -> None:
    answers: dict[str, int] = {}
    wheels = [packages.wheel(tmp_path, project, f"1.{number}", padding=os.urandom(300_000)) for number in range(60)]

    def upload_all() -> None:
        for file in wheels:
            answers[file.name] = index.upload(publisher, file).status

    thread = Thread(target=upload_all)
    thread.start()
    pause = 0.3
    while thread.is_alive():
        for container in replicas():
            time.sleep(pause)
            # All of the container at once; the engine starts it again.
            host.run(f"docker kill --signal KILL {container} && docker start {container}")
            pause = 0.3 + (pause * 1.7) % 0.5
    stack.wait_until_healthy("pypi-server")
    assert set(answers.values()) <= {200, 503, 409}, answers

    def settled() -> bool:
        there = {name for name in host.check_output(f"ls {stack.home}/packages").split() if name in answers}
        return there == set(files(project))

    eventually(settled, "the page lists what is there", 15)
    listed = set(files(project))
    assert {name for name, status in answers.items() if status == 200} <= listed
    sums = dict(
        line.split()[::-1] for line in host.check_output(f"cd {stack.home}/packages && sha256sum *.whl").splitlines()
    )
    for file in wheels:
        if file.name in listed:
            assert sums[file.name] == hashlib.sha256(file.read_bytes()).hexdigest(), file.name
        else:
            assert index.upload(publisher, file).status == 200
    assert left(host, stack) == ""
