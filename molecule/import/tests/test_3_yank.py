"""The playbook yank.yml: what a login has published since a time, a release, a file; real pip obeys, and ``list`` tells."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.hosts import untouched
from tests.support.playbook import Run, applied, says

testinfra_hosts = ["ansible://pypi-import"]

YANK = "wheelhouse.pypi.yank"
OTHER = Login("pypi-user", "sha-password")
REASON = "token leaked: do not use"
# Another one in each run: the second upload of a file keeps the time of the first.
PROJECT = f"hasty{int(time.time())}"
NEW = f"{PROJECT}-2.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def home() -> str:
    return "/home/pypi/internal"


@pytest.fixture(scope="module")
def since(host: Any, index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two logins publish a release each of one project; returns when that was."""
    folder = tmp_path_factory.mktemp("dist")
    moment = str(host.check_output("date --utc +%FT%TZ"))
    for login, version in ((OTHER, "1.0"), (publisher, "2.0")):
        assert index.upload(login, packages.wheel(folder, PROJECT, version)).status == 200
    return moment


def yanked(*arguments: str, **variables: Any) -> tuple[Run, int]:
    """Run the playbook; return the run, and how many files it names as yanked or unyanked."""
    done = applied(YANK, *arguments, **variables)
    match = re.search(r"Files (?:to be )?(?:un)?yanked: (\d+)\. Unchanged: \d+\.", done.message())
    assert match, done.output
    return done, int(match[1])


def installed(index: Index, login: Login, folder: Path, *what: str) -> str:
    """Install by pip; return what it says."""
    done = index.pip_install(login, folder, *what)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def listed(host: Any, *options: str) -> str:
    # As docs/releases.md has it.
    words = " ".join(f"'{option}'" for option in options)
    return str(host.check_output(f"docker exec internal-pypi-server-1 python3 -m wheelhouse_index list {words}"))


def test_what_a_login_published_is_yanked_and_pip_goes_around_it(
    host: Any, index: Index, reader: Login, since: str, tmp_path: Path
) -> None:
    own = {"pypi_login": "publisher", "pypi_since": since}
    with untouched(host):
        done, count = yanked("--check", "--diff", **own, pypi_reason=REASON)
    assert count == 1
    says(done.message(), NEW)
    done, count = yanked(**own, pypi_reason=REASON)
    assert (count, done.changed) == (1, 1)
    assert f"Successfully installed {PROJECT}-1.0" in installed(index, reader, tmp_path / "any", PROJECT)
    said = installed(index, reader, tmp_path / "pinned", f"{PROJECT}==2.0")
    assert f"Successfully installed {PROJECT}-2.0" in said
    assert f"Reason for being yanked: {REASON}" in said, said
    done, count = yanked(**own, pypi_reason=REASON)
    assert (count, done.changed) == (0, 0)


def test_list_says_who_did_what_and_the_facts_belong_to_the_service_account(host: Any, since: str, home: str) -> None:
    found = listed(host, "--project", PROJECT, "--since", since).splitlines()
    assert [line.partition(" ")[2] for line in found] == [
        f"published pypi-user {PROJECT} {PROJECT}-1.0-py3-none-any.whl",
        f"published publisher {PROJECT} {NEW}",
        f"yanked - {PROJECT} {NEW} ({REASON})",
    ], found
    (line,) = listed(host, "--login", "publisher", "--since", since).splitlines()
    assert line.endswith(f"published publisher {PROJECT} {NEW}"), line
    decided = f"{home}/packages/.wheelhouse/projects/{PROJECT}.json"
    assert host.check_output(f"stat --format '%U %a' {decided}") == "pypi 600"
    done = host.run("docker exec internal-pypi-server-1 python3 -m wheelhouse_index list --since yesterday")
    assert (done.rc, done.stderr.count("\n")) == (2, 1), done.stderr


def test_it_is_taken_back(host: Any, index: Index, reader: Login, since: str, tmp_path: Path) -> None:
    done, count = yanked(pypi_login="publisher", pypi_since=since, pypi_unyank=True)
    assert (count, done.changed) == (1, 1)
    assert f"Successfully installed {PROJECT}-2.0" in installed(index, reader, tmp_path, PROJECT)
    done, count = yanked(pypi_project=PROJECT.upper(), pypi_version="2", pypi_unyank=True)
    assert (count, done.changed) == (0, 0)
