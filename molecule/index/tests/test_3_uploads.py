"""Uploads are whole, verified and published once, or leave nothing behind."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login, upload_form
from tests.support.stack import SlowUpload, Stack, eventually


def left(host: Any, stack: Stack) -> str:
    """Return what uploads have left that are over."""
    return str(host.check_output(f"ls -A {stack.home}/packages/.incoming"))


@pytest.mark.parametrize(("digest", "status"), [("right", 200), ("0" * 64, 400), ("nonsense", 400), ("", 200)])
def test_a_file_with_another_digest_is_refused(
    host: Any,
    index: Index,
    publisher: Login,
    tmp_path: Path,
    project: str,
    stack: Stack,
    files: Callable[[str], list[str]],
    digest: str,
    status: int,
) -> None:
    file = packages.wheel(tmp_path, project)
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    body, headers = upload_form(file, sha256_digest=right.upper() if digest == "right" else digest)
    answer = index.request("/", publisher, "POST", body, headers)
    assert answer.status == status, answer
    if status == 400:
        assert right.encode() in answer.body
        assert files(project) == []
        assert not host.file(f"{stack.home}/packages/{file.name}").exists
        # Once it is right, it is taken.
        assert index.upload(publisher, file).status == 200
    assert files(project) == [file.name]
    assert left(host, stack) == ""


def test_of_two_uploads_of_one_name_at_once_one_wins(
    host: Any, index: Index, publisher: Login, tmp_path: Path, project: str, stack: Stack
) -> None:
    for round_ in range(8):
        contenders = []
        for number in range(4):
            folder = tmp_path / f"{round_}-{number}"
            folder.mkdir()
            contenders.append(packages.wheel(folder, project, f"{round_}.0", padding=os.urandom(200_000)))
        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(lambda file: index.upload(publisher, file).status, contenders))
        assert sorted(statuses) == [200, 409, 409, 409]
        won = contenders[statuses.index(200)]
        there = host.check_output(f"sha256sum {stack.home}/packages/{won.name}").split()[0]
        assert there == hashlib.sha256(won.read_bytes()).hexdigest()
    assert left(host, stack) == ""


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
