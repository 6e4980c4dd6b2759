"""Who may do what: all routes and methods, for everybody, in all combinations of what needs a login."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Answer, Index, Login, form
from tests.support.playbook import SETTINGS, site
from tests.support.routes import reads
from tests.support.stack import Stack

PROJECT = "access-project"
FILE = "access_project-1.0-py3-none-any.whl"
WHO = {
    "reader": Login("reader", "reader-password"),
    "publisher": Login("publisher", "publisher-password"),
    "deleter": Login("deleter", "deleter-password"),
    "owner": Login("owner", "owner-password"),
    "ci-acme": Login("ci-acme", "ci-acme-password"),
    # They come last: they must not get cached answers to requests of the others.
    "nobody": NOBODY,
    "wrong": Login("owner", "not-the-password"),
    "unknown": Login("stranger", "whatever"),
}
STRANGERS = ("nobody", "wrong", "unknown")
# The rights of the last one are on other projects.
MAY = {"publisher": {"publish"}, "deleter": {"delete"}, "owner": {"publish", "delete"}, "ci-acme": {"elsewhere"}}
READS = reads(PROJECT, FILE)
CLOSED = [(route, 404) for route in ("/RPC2", "/health", "/_upload", "/_verdict/login", "/_refused/401")]
# What a form's :action needs, and what it gets then. The very file is there already, and the release is none.
CHANGES = [
    ("file_upload", "publish", 200),
    ("remove_pkg", "delete", 404),
    ("doc_upload", "any", 400),
    ("submit", "any", 400),
    ("verify", "any", 400),
    ("unheard_of", "any", 400),
    ("", "any", 400),
]
ALL_COMBINATIONS = [
    [action for action, is_in in zip(("list", "download"), which, strict=True) if is_in] + ["update"]
    for which in itertools.product((True, False), repeat=2)
]
# `make test-long` has all four.
COMBINATIONS = ALL_COMBINATIONS if os.environ.get("WHEELHOUSE_LONG") else [ALL_COMBINATIONS[0], ["update"]]


def change(index: Index, login: Login, action: str, file: Path | None = None, **fields: str) -> Answer:
    """Send a form with an action."""
    body, headers = form({**({":action": action} if action else {}), **fields}, file)
    return index.request("/", login, "POST", body, headers)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.wheel(tmp_path_factory.mktemp("dist"), PROJECT)


@pytest.fixture(scope="module", autouse=True)
def _published(index: Index, wheel: Path) -> None:
    assert index.upload(WHO["publisher"], wheel).status in (200, 409)


def expected_read(who: str, needs: str, closed: list[str], otherwise: int) -> int:
    """Return the status of a request that reads."""
    return 401 if needs in closed and who in STRANGERS else otherwise


def expected_change(who: str, right: str, otherwise: int) -> int:
    """Return the status of one that changes; ``right`` any is what one of the rights is for."""
    if who in STRANGERS:
        return 401
    rights = MAY.get(who, set())
    if not rights:
        return 403
    return otherwise if right == "any" or right in rights else 403


def table(index: Index, closed: list[str], wheel: Path) -> Iterator[tuple[tuple[str, str, str], int, int]]:
    """Yield who asked for what, the status that is expected, and the one that came."""
    for who, login in WHO.items():
        for (route, needs, status), method in itertools.product(READS, ("GET", "HEAD")):
            answer = index.request(route, login, method)
            if answer.status == 401:
                assert answer.headers["www-authenticate"].startswith("Basic "), answer
                assert PROJECT.encode() not in answer.body, answer
            yield (who, method, route), expected_read(who, needs, closed, status), answer.status
        for route, status in CLOSED:
            yield (who, "GET", route), status, index.request(route, login).status
        for route, method in itertools.product(
            ("/simple/", f"/packages/{FILE}", "/RPC2", "/_upload"), ("POST", "PUT", "DELETE")
        ):
            yield (who, method, route), 405, index.request(route, login, method).status
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "COPY", "MOVE", "TRACE"):
            yield (who, method, "/"), 405, index.request("/", login, method).status
        for action, right, status in CHANGES:
            fields = {"name": "access_project", "version": "1.0" if action == "file_upload" else "99"}
            got = change(index, login, action, wheel if action == "file_upload" else None, **fields).status
            yield (who, "POST", action), expected_change(who, right, status), got


@pytest.mark.parametrize("closed", COMBINATIONS, ids=["+".join(closed) for closed in COMBINATIONS])
def test_everybody_may_what_the_table_says(index: Index, wheel: Path, closed: list[str]) -> None:
    if closed != COMBINATIONS[0]:
        site(*SETTINGS, pypi_authenticate=closed)
    rows = list(table(index, closed, wheel))
    wrong = [f"{asked}: {got} instead of {expected}" for asked, expected, got in rows if got != expected]
    assert not wrong, "\n".join(wrong)
    assert len(rows) > 300


def test_a_deleter_removes_a_release_and_a_publisher_does_not(
    index: Index, tmp_path: Path, host: Any, home: str
) -> None:
    name = f"removed_{uuid4().hex}"
    file = packages.wheel(tmp_path, name)
    assert index.upload(WHO["publisher"], file).status == 200
    assert change(index, WHO["publisher"], "remove_pkg", name=name, version="1.0").status == 403
    assert host.file(f"{home}/packages/{file.name}").exists
    assert change(index, WHO["deleter"], "remove_pkg", name=name, version="1.0").status == 200
    assert not host.file(f"{home}/packages/{file.name}").exists


def missing(right: str, project: str) -> str:
    """Return the line that refuses a login the right on a project."""
    return (
        f"The login ci-acme has no right to {right} {project}. "
        f"Ask the operator of this index for the right '{right}' on {project}."
    )


def test_a_login_changes_only_the_projects_that_its_rights_name(
    index: Index, tmp_path: Path, host: Any, home: str
) -> None:
    login, number = WHO["ci-acme"], uuid4().hex
    for name, right, status in (
        (f"acme_{number}", "", 200),
        (f"Acme.{number}_tools", "yank", 200),
        (f"acme{number}", "", 403),
        (f"the_acme_{number}", "", 403),
    ):
        project = name.lower().replace("_", "-").replace(".", "-")
        file = packages.wheel(tmp_path, name.replace(".", "_"))
        for body, headers in (
            form({":action": "file_upload", "name": name, "version": "1.0"}, file),
            # The project's name behind the file, and in the file alone.
            form_with_the_file_first({":action": "file_upload", "name": name, "version": "1.0"}, file),
            form({":action": "file_upload"}, file),
        ):
            answer = index.request("/", login, "POST", body, headers)
            assert answer.status == status, answer
            assert status == 200 or answer.reason == missing("publish", project)
            assert answer.body == (answer.reason.encode() + b"\n" if status == 403 else answer.body)
        assert host.file(f"{home}/packages/{file.name}").exists == (status == 200)
        assert host.check_output(f"ls --almost-all {home}/packages/.incoming") == ""
        if status == 403:
            assert index.upload(WHO["publisher"], file).status == 200
        # To publish is neither to yank nor to remove.
        for fields in ({"name": name, "version": "1.0"}, {"filename": file.name}):
            for action in ("yank", "unyank"):
                answer = change(index, login, action, None, **fields)
                assert answer.status == (200 if right else 403), answer
                assert right or answer.reason == missing("yank", project)
            answer = change(index, login, "remove_pkg", None, **fields)
            assert answer.status == 403 and "no right to delete. Ask the operator" in answer.reason
        assert host.file(f"{home}/packages/{file.name}").exists
        assert index.request(f"/packages/{file.name}", login).status == 200


def test_a_login_may_have_a_long_list_of_projects(index: Index, tmp_path: Path) -> None:
    login = Login("many", "many-password")
    for project, statuses in (
        ("project-no-1000", (200, 409)),
        ("project-no-1144", (200, 409)),
        ("project-no-114", (403,)),
    ):
        assert index.upload(login, packages.wheel(tmp_path, project)).status in statuses, project


def form_with_the_file_first(fields: dict[str, str], file: Path) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a form that names the project behind the file."""
    body, headers = form({}, file)
    rest, _headers = form(fields)
    return body.removesuffix(b"--edge--\r\n") + rest, headers


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_publishers_show_which_right_on_which_project_is_missing(index: Index, tmp_path: Path, client: str) -> None:
    publish = index.twine_upload if client == "twine" else index.uv_publish
    number = uuid4().hex
    done = publish(WHO["ci-acme"], packages.wheel(tmp_path, f"acme_{number}"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = publish(WHO["ci-acme"], packages.wheel(tmp_path, f"widgets_{number}"))
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    # twine wraps its lines, within words where they are long.
    assert "".join(missing("publish", f"widgets-{number}").split()) in "".join(output.split()), output
    assert index.request(f"/simple/widgets-{number}/", WHO["reader"]).status == 404


def test_uploads_are_open_where_that_is_said_and_removing_never_is(
    index: Index, tmp_path: Path, host: Any, home: str
) -> None:
    # Reading, which the test before this one may have opened, is closed again.
    site(*SETTINGS, pypi_anonymous_uploads=True)
    try:
        assert index.request("/simple/").status == 401
        for who, login in WHO.items():
            name = f"open_{who}_{uuid4().hex}"
            file = packages.wheel(tmp_path, name)
            assert index.upload(login, file).status == 200, who
            status = change(index, login, "remove_pkg", name=name, version="1.0").status
            assert (status == 200) == ("delete" in MAY.get(who, ())), (who, status)
            assert host.file(f"{home}/packages/{file.name}").exists == (status != 200)
        body, headers = form({":action": "remove_pkg", "name": PROJECT, "version": "1.0"})
        claims = {"X-Wheelhouse-Login": "owner", "X-Wheelhouse-Rights": "delete"}
        for who in STRANGERS:
            assert index.request("/", WHO[who], "POST", body, {**headers, **claims}).status in (401, 403), who
        assert index.request("/", NOBODY, "POST", body, {**headers, "Origin": "https://elsewhere"}).status == 403
    finally:
        site(*SETTINGS)
    assert index.upload(NOBODY, file).status == 401


@pytest.mark.parametrize("header", ["X-Wheelhouse-Login", "x-wheelhouse-rights", "X_Wheelhouse_Rights", "X-Rights"])
def test_a_client_cannot_say_who_it_is_nor_what_it_may(index: Index, header: str) -> None:
    body, headers = form({":action": "remove_pkg", "name": "access_project", "version": "99"})
    value = "owner" if header.lower().endswith("login") else "publish delete"
    answer = index.request("/", WHO["publisher"], "POST", body, {**headers, header: value})
    assert answer.status == 403
    assert b"publisher" in answer.body


@pytest.mark.parametrize("actions", [("file_upload", "remove_pkg"), ("remove_pkg", "file_upload")])
def test_a_form_with_two_actions_is_one_of_them_for_both(index: Index, actions: tuple[str, str]) -> None:
    parts = [f'--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\n{action}\r\n' for action in actions]
    parts += ['--edge\r\nContent-Disposition: form-data; name="name"\r\n\r\naccess_project\r\n']
    parts += ['--edge\r\nContent-Disposition: form-data; name="version"\r\n\r\n1.0\r\n--edge--\r\n']
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    index.request("/", WHO["publisher"], "POST", "".join(parts).encode(), headers)
    assert index.request(f"/packages/{FILE}", WHO["reader"]).status == 200


def test_the_log_names_the_login(index: Index, stack: Stack) -> None:
    mark = f"/simple/?{uuid4().hex}"
    index.request(mark, WHO["deleter"])
    assert stack.requests(mark)[0]["user"] == "deleter"
