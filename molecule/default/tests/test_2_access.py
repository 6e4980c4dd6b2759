"""What leaves the index, and what is open where that is said. Who may do what: scenario access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login
from tests.support.playbook import site
from tests.support.routes import reads

PROJECT = "access-project"
FILE = "access_project-1.0-py3-none-any.whl"
READS = reads(PROJECT, FILE)


def upload(index: Index, login: Login, tmp_path: Path, version: str) -> int:
    """Upload a release, and return the status."""
    return index.upload(login, packages.wheel(tmp_path, PROJECT, version)).status


@pytest.fixture(scope="module", autouse=True)
def _published(index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert upload(index, publisher, tmp_path_factory.mktemp("dist"), "1.0") in (200, 409)


@pytest.mark.parametrize(
    "route",
    ["/packages/.upload-1.whl", "/packages/%2e%2e/authentication/.htpasswd", "/packages/../docker-compose.yml",
     "/packages/notes.txt", "/packages/.hidden/a-1.0-py3-none-any.whl"],
)  # fmt: skip
def test_only_distribution_files_leave_packages(
    index: Index, publisher: Login, host: Any, home: str, route: str
) -> None:
    inside = f"cd {home}/packages && "
    host.check_output(inside + "mkdir .hidden && touch .upload-1.whl notes.txt .hidden/a-1.0-py3-none-any.whl")
    try:
        answer = index.request(route, publisher)
        # Where dots lead to a name at the top, that is taken for a project's.
        assert answer.status in (400, 404) or answer.headers["location"].startswith("/simple/"), answer
    finally:
        host.check_output(inside + "rm -r .hidden .upload-1.whl notes.txt")


def test_reading_and_uploading_are_open_where_that_is_said_twice_and_the_run_says_so(
    index: Index, tmp_path: Path
) -> None:
    done = site(pypi_authenticate=["update"], pypi_anonymous_uploads=True)
    assert "A login is needed to remove and yank." in done.message()
    assert "Without one, all may list and download (pypi_authenticate)." in done.message()
    assert "Without one, all may upload (pypi_anonymous_uploads)." in done.message()
    for route, _action, status in READS:
        assert index.request(route).status == status, route
    assert upload(index, NOBODY, tmp_path, "3.0") == 200
    # The tutorial's own command, against the base of the address.
    installed = index.pip_install(NOBODY, tmp_path / "target", "access_project==1.0", path="")
    assert installed.returncode == 0, installed.stderr


def test_it_is_closed_again_by_the_next_run(index: Index) -> None:
    site()
    assert index.request("/simple/").status == 401
