"""What is decided on a release or a project is what clients go by, and takes a right of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.auditing import Locked
from tests.clients.installers import INSTALLERS, Wanted, taken_releases
from tests.support import packages
from tests.support.clients import Answer, Index, Login
from tests.support.stack import Stack

Ask = Callable[..., Answer]
Page = Callable[[str], dict[str, Any]]


@pytest.fixture
def ask(index: Index, publisher: Login) -> Ask:
    """Send a form of these fields; as the publisher, who may do everything, if no other login is given."""

    def send(action: str, login: Login = publisher, **fields: str) -> Answer:
        parts = [
            f'--edge\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in {":action": action, **fields}.items()
        ]
        body = "".join((*parts, "--edge--\r\n")).encode()
        return index.request("/", login, "POST", body, {"Content-Type": "multipart/form-data; boundary=edge"})

    return send


@pytest.fixture
def two(index: Index, publisher: Login, tmp_path: Path, project: str) -> list[Path]:
    """Two releases of the project."""
    files = [packages.wheel(tmp_path, project, version) for version in ("1.0", "2.0")]
    for file in files:
        assert index.upload(publisher, file).status == 200
    return files


def installed(target: Path, project: str) -> str:
    """Return which version was installed."""
    (found,) = target.glob(f"{packages.escaped(project)}-*.dist-info")
    return found.name.removesuffix(".dist-info").rpartition("-")[2]


@pytest.mark.parametrize("client", ["pip_install", "uv_install"])
def test_a_yanked_release_is_installed_only_by_who_pins_it(
    index: Index, reader: Login, two: list[Path], project: str, tmp_path: Path, ask: Ask, client: str
) -> None:
    assert ask("yank", name=project, version="2.0", reason="breaks on Mondays").status == 200
    install = getattr(index, client)
    done = install(reader, tmp_path / "newest", project)
    assert done.returncode == 0, done.stderr
    assert installed(tmp_path / "newest", project) == "1.0"
    done = install(reader, tmp_path / "pinned", f"{project}==2.0")
    assert done.returncode == 0 and "breaks on Mondays" in done.stdout + done.stderr, done
    assert installed(tmp_path / "pinned", project) == "2.0"
    assert ask("unyank", name=project, version="2.0").status == 200
    done = install(reader, tmp_path / "again", project)
    assert installed(tmp_path / "again", project) == "2.0"


def test_a_quarantined_project_is_at_no_address_and_comes_back(
    index: Index, reader: Login, publisher: Login, two: list[Path], project: str, tmp_path: Path, ask: Ask, page: Page
) -> None:
    before = page(f"/simple/{project}/")
    assert ask("set_status", name=project, status="quarantined", reason="malware").status == 200
    for file in two:
        for path in (f"/packages/{file.name}", f"/packages/{file.name}.metadata"):
            assert index.request(path, reader).status == 404
    assert page(f"/simple/{project}/")["files"] == []
    assert page(f"/simple/{project}/")["project-status"] == {"status": "quarantined", "reason": "malware"}
    for install in (index.pip_install, index.uv_install):
        assert install(reader, tmp_path / "none", project).returncode != 0
    assert index.upload(publisher, packages.wheel(tmp_path, project, "3.0")).status == 403
    assert ask("set_status", name=project, status="active").status == 200
    assert page(f"/simple/{project}/") == before
    assert index.request(f"/packages/{two[0].name}", reader).body == two[0].read_bytes()


@pytest.mark.parametrize("status", ["deprecated", "archived"])
def test_projects_of_other_statuses_are_installed(
    index: Index, reader: Login, two: list[Path], project: str, tmp_path: Path, ask: Ask, page: Page, status: str
) -> None:
    assert ask("set_status", name=project, status=status, reason="use another").status == 200
    assert page(f"/simple/{project}/")["project-status"] == {"status": status, "reason": "use another"}
    for install in (index.pip_install, index.uv_install):
        done = install(reader, tmp_path / install.__name__, project)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["poetry", "pdm"])
def test_other_installers_go_by_decisions_as_well(
    index: Index, reader: Login, publisher: Login, tmp_path: Path, ask: Ask, name: str
) -> None:
    command, tools = INSTALLERS[name]
    tools[-1].install()
    wanted = Wanted(f"wanted-{uuid4().hex[:8]}", "", index.with_login(reader), index, reader)
    for version in ("1.0", "2.0"):
        assert index.upload(publisher, packages.wheel(tmp_path, wanted.project, version)).status == 200

    def installs(folder: str) -> tuple[bool, set[str]]:
        (tmp_path / folder).mkdir()
        done = command(tools[-1], tmp_path / folder, wanted)
        print(done.stdout)
        return done.returncode == 0, set(taken_releases(tmp_path / folder, done.stdout))

    assert ask("yank", name=wanted.project, version="2.0", reason="breaks on Mondays").status == 200
    assert ask("set_status", name=wanted.project, status="deprecated", reason="use another").status == 200
    assert installs("yanked") == (True, {f"{packages.escaped(wanted.project)}-1.0"})
    assert ask("set_status", name=wanted.project, status="quarantined", reason="malware").status == 200
    assert installs("quarantined") == (False, set())


def test_uv_audit_shows_statuses_to_who_may_read_and_nothing_of_yanks(
    index: Index, reader: Login, publisher: Login, project: str, tmp_path: Path, ask: Ask
) -> None:
    statuses = ("active", "archived", "deprecated", "quarantined")
    names = {status: f"{project}-{status}" for status in statuses}
    for name in names.values():
        assert index.upload(publisher, packages.wheel(tmp_path, name)).status == 200
    (tmp_path / "wants").mkdir()
    locked = Locked(tmp_path / "wants", index, reader, list(names.values()))
    for status in statuses[:3]:
        assert ask("set_status", name=names[status], status=status, reason=f"it is {status}").status == 200
    assert ask("yank", name=names["active"], version="1.0", reason="breaks on Mondays").status == 200

    assert locked.check(reader).returncode == 0
    assert ask("set_status", name=names["quarantined"], status="quarantined", reason="it is quarantined").status == 200

    found = locked.audit(reader)
    print(found.said)
    assert "Found no known vulnerabilities and 3 adverse project statuses in 4 packages" in found.said
    for status in statuses[1:]:
        assert f"- {names[status]} is {status}: it is {status}\n" in found.said
    assert "yank" not in found.said and "Mondays" not in found.said
    assert found.code == 0, "not even a quarantined project makes it fail"
    assert found.asked == set(names.values()), "the service gets the names of private projects"

    # Pages that it may not read are no adverse statuses, and no errors.
    found = locked.audit(Login(reader.name, "not-the-password"))
    print(found.said)
    assert "no adverse project statuses in 4 packages" in found.said
    assert found.code == 0
    # What docs/clients.md has instead.
    for login, reason in ((Login(reader.name, "not-the-password"), "401 Unauthorized"), (reader, names["quarantined"])):
        done = locked.check(login)
        print(done.stdout)
        assert done.returncode != 0 and reason in done.stdout


def test_it_takes_the_right_and_is_in_the_change_log(
    host: Any, stack: Stack, reader: Login, two: list[Path], project: str, ask: Ask
) -> None:
    fields = {"name": project, "version": "1.0"}
    for action in ("yank", "unyank", "set_status"):
        answer = ask(action, reader, **fields, status="archived")
        print(answer)
        assert answer.status == 403
        assert "changes need one with the right to make them" in answer.body.decode()
    assert ask("yank", **fields, reason="noted").status == 200
    lines = host.check_output(f"cat {stack.home}/logs/changes-*.log").splitlines()
    noted = [found for line in lines if project in (found := json.loads(line)).values()]
    assert [line["action"] for line in noted] == ["file_upload", "file_upload", "yank"]
    assert noted[-1].items() >= {"login": "publisher", "reason": "noted", "project": project, "version": "1"}.items()
    assert noted[-1]["files"] == noted[0]["files"]
    assert noted[-1]["address"]
