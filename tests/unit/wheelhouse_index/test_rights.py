"""Who may publish and who may delete, as the extension decides it; pypiserver itself is in the scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index import rights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rights").write_text("# made by a run\nboth:publish,delete\n#odd:delete\ndeleter:delete\nnone:\n")
    return tmp_path


@pytest.mark.parametrize(
    ("login", "action", "allowed"),
    [
        ("publisher", "file_upload", True),
        ("publisher", "remove_pkg", False),
        ("both", "file_upload", True),
        ("both", "remove_pkg", True),
        ("deleter", "file_upload", False),
        ("deleter", "remove_pkg", True),
        ("none", "file_upload", False),
        ("none", "remove_pkg", False),
        ("Both", "remove_pkg", False),
        ("#odd", "remove_pkg", False),
        ("", "file_upload", False),
        ("", "remove_pkg", False),
        *(("both", action, False) for action in ("doc_upload", "submit", "verify")),
        # What pypiserver does not know, it refuses itself.
        ("publisher", "", True),
        ("publisher", "file_upload ", True),
    ],
)
def test_what_a_login_may(folder: Path, login: str, action: str, allowed: bool) -> None:
    assert (rights.refusal(action, login, rights.may(folder, login)) == "") is allowed


def test_nobody_deletes_where_nobody_has_the_right(tmp_path: Path) -> None:
    has = rights.may(tmp_path, "publisher")
    assert rights.refusal("file_upload", "publisher", has) == ""
    assert rights.refusal("remove_pkg", "publisher", has) == "The login publisher may not delete."


@pytest.mark.parametrize(
    ("header", "has"),
    [("", ("publish",)), ("publish,delete", ("publish", "delete")), ("delete", ("delete",)), ("none", ("none",))],
)
def test_a_service_of_the_operators_own_says_what_somebody_may(header: str, has: tuple[str, ...]) -> None:
    assert rights.by_header({rights.RIGHTS: header}) == has


@pytest.mark.parametrize(("action", "allowed"), [("file_upload", True), ("remove_pkg", True), ("doc_upload", False)])
def test_everybody_may_where_changes_need_no_login(action: str, allowed: bool) -> None:
    assert (rights.refusal(action, "", None) == "") is allowed


def asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, method: str, form: Callable[[Any], tuple[str, list[str]]]
) -> tuple[str, bytes]:
    """Send a request through the guard; return status and body."""
    told: list[str] = []

    def pypiserver(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"pypiserver"]

    monkeypatch.setattr(rights, "_asked", form)
    monkeypatch.setenv("WHEELHOUSE_AUTHENTICATION", str(folder))
    guard = rights.guarded(pypiserver, ["update"])
    environ = {"REQUEST_METHOD": method, "HTTP_X_WHEELHOUSE_LOGIN": "publisher"}
    body = b"".join(guard(environ, lambda status, _headers: told.append(status)))
    return told[0], body


def test_a_refusal_never_reaches_pypiserver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, body = asked(folder, monkeypatch, "POST", lambda _environ: ("remove_pkg", []))
    assert (status, body) == ("403 Forbidden", b"The login publisher may not delete.\n")


def test_what_is_allowed_and_what_only_reads_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(folder, monkeypatch, "POST", lambda _environ: ("file_upload", ["a.whl"]))[1] == b"pypiserver"
    assert asked(folder, monkeypatch, "GET", lambda _environ: ("remove_pkg", []))[1] == b"pypiserver"


def test_a_name_that_no_file_can_have_is_the_clients_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a" * rights.NAME_BYTES
    assert asked(folder, monkeypatch, "POST", lambda _environ: ("file_upload", [name]))[1] == b"pypiserver"
    assert asked(folder, monkeypatch, "POST", lambda _environ: ("file_upload", [name + "a"]))[0] == "400 Bad Request"


def test_a_form_that_cannot_be_read_is_the_clients_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_environ: Any) -> tuple[str, list[str]]:
        raise ValueError("no boundary")

    assert asked(folder, monkeypatch, "POST", broken)[0] == "400 Bad Request"
