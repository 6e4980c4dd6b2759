"""Ways to look at an index that the modules of this scenario share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Answer, Index, Login, form
from tests.support.stack import Stack

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture(scope="module")
def page(index: Index, reader: Login) -> Callable[[str], dict[str, Any]]:
    """Return the page at a path, as installers read it."""

    def read(path: str) -> dict[str, Any]:
        answer = index.request(path, reader, headers={"Accept": JSON})
        assert answer.status == 200, (path, answer)
        return dict(json.loads(answer.body))

    return read


@pytest.fixture(scope="module")
def files(index: Index, reader: Login) -> Callable[[str], list[str]]:
    """Return the names of the files on a project's page; none where there is no page."""

    def read(project: str) -> list[str]:
        answer = index.request(f"/simple/{project}/", reader, headers={"Accept": JSON})
        assert answer.status in (200, 404), (project, answer)
        return [file["filename"] for file in json.loads(answer.body)["files"]] if answer.status == 200 else []

    return read


@pytest.fixture
def project() -> str:
    """A name that no other test uses."""
    return f"project-{uuid4().hex[:12]}"


@pytest.fixture
def uploaded(index: Index, publisher: Login, tmp_path: Path, project: str) -> Path:
    """A wheel of the project, published."""
    file = packages.wheel(tmp_path, project)
    assert index.upload(publisher, file).status == 200
    return file


@pytest.fixture
def remove_as(index: Index) -> Callable[[Login, str, str], Answer]:
    """Remove a release by pypiserver's form, as a login."""

    def ask(login: Login, name: str, version: str) -> Answer:
        body, headers = form({":action": "remove_pkg", "name": name, "version": version})
        return index.request("/", login, "POST", body, headers)

    return ask


@pytest.fixture
def remove(remove_as: Callable[[Login, str, str], Answer], publisher: Login) -> Callable[[str, str], Answer]:
    """Remove a release."""
    return lambda name, version: remove_as(publisher, name, version)


@pytest.fixture(scope="module")
def replicas(host: Any, stack: Stack) -> Callable[[], list[str]]:
    """Return the ids of pypiserver's containers."""
    return lambda: stack.compose("ps --quiet pypi-server").split()
