"""Who may publish and who may delete, by what NGINX says; and who is NGINX."""

from __future__ import annotations

from pathlib import Path

import pytest
from wheelhouse_index import rights

from tests.support.index import BY_NGINX, SECRET, Index, call, form
from tests.support.packages import file

WHEEL = "foo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("login", "said", "action", "allowed"),
    [
        ("ci", "publish", "file_upload", True),
        ("ci", "publish", "remove_pkg", False),
        ("ci", "publish delete", "remove_pkg", True),
        ("ci", "publish,delete", "remove_pkg", True),
        ("ci", "delete", "file_upload", False),
        ("ci", "", "file_upload", False),
        ("ci", "Publish", "file_upload", False),
        ("ci", "publisher", "file_upload", False),
        ("", "publish delete", "file_upload", False),
        ("", "publish delete", "remove_pkg", False),
    ],
)
def test_a_right_that_is_not_said_is_not_there(login: str, said: str, action: str, allowed: bool) -> None:
    environ = {rights.LOGIN: login, rights.RIGHTS: said}
    assert (rights.refusal(action, environ, False) == "") is allowed


def test_headers_that_are_missing_grant_nothing() -> None:
    assert rights.refusal("file_upload", {}, False) == "Log in to publish: this request came without a login."
    assert rights.refusal("remove_pkg", {}, True) == "Log in to delete: this request came without a login."


def test_uploads_that_are_open_to_everybody_open_nothing_else() -> None:
    assert rights.refusal("file_upload", {}, True) == ""
    assert "no right to delete" in rights.refusal("remove_pkg", {rights.LOGIN: "ci", rights.RIGHTS: "publish"}, True)


@pytest.mark.parametrize("said", ["", "0" * 64, SECRET[:-1], SECRET + "0", SECRET.upper(), "übung"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_anybody_but_nginx_nothing_is_taken(in_memory: Path, said: str, method: str) -> None:
    index = Index(in_memory)
    assert index.upload(WHEEL, file(WHEEL)).status == 200
    body, kind = form({":action": "remove_pkg", "name": "foo", "version": "1.0"}, {})
    headers = {**BY_NGINX, "X-Wheelhouse-Peer": said, "Content-Type": kind}
    answer = call(index.application, method, "/" if method == "POST" else "/simple/foo/", body, headers)
    assert answer.status == 403
    assert index.projects() == {"foo"}
    assert call(index.application, "GET", "/health").status == 200


def test_without_the_secret_everybody_is_a_stranger_and_a_new_one_counts_at_once(in_memory: Path) -> None:
    index = Index(in_memory)
    secret = in_memory / "secret.conf"
    for content in ("", "not a secret", f'"{SECRET[:-1]}"'):
        secret.write_text(content)
        assert index.get("/simple/").status == 403
    secret.unlink()
    assert index.get("/simple/").status == 403
    secret.write_text(f'map "" $pypi_peer {{ default "{SECRET}"; }}\n')
    assert index.get("/simple/").status == 200
