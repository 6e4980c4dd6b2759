"""htpasswd and htpasswd_info on the host: the files follow the list, and no hash leaves them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import htpasswd, htpasswd_info

Run = Callable[..., dict[str, Any]]
ALICE, BOB, CAROL = ("$2y$10$" + letter * 53 for letter in ".eu")
HASHES = {"alice": ALICE, "bob": BOB}


def wanted(name: str, *rights: str, state: str = "present") -> dict[str, Any]:
    """A user as the action plugin sends it."""
    return {"name": name, "rights": rights, "state": state}


USERS = [wanted("alice", "publish"), wanted("bob")]


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(run_module: Run, tmp_path: Path, assert_no_secret: Run) -> Run:
    """The htpasswd module on a folder; every result is searched for secrets, and every check run touches nothing."""

    def call(**arguments: Any) -> dict[str, Any]:
        arguments = {"path": str(tmp_path), "users": USERS, "hashes": HASHES, **arguments}
        before = contents(tmp_path)
        predicted = run_module(htpasswd, check=True, **arguments)
        assert contents(tmp_path) == before
        real = run_module(htpasswd, **arguments)
        assert_no_secret(predicted, real)
        for result in (predicted, real):
            result.pop("invocation", None)  # of ansible-core up to 2.20
            del result["logged"]
        assert predicted == real, "check mode predicts exactly"
        return real

    return call


def test_files_are_made_from_the_list(run: Run, tmp_path: Path) -> None:
    result = run()
    assert (result["added"], result["updated"], result["removed"]) == (["alice", "bob"], [], [])
    assert (tmp_path / ".htpasswd").read_text() == f"alice:{ALICE}\nbob:{BOB}\n"
    assert '"~^alice$" "publish";' in (tmp_path / "credentials.conf").read_text()
    assert '"\\\\alice" "' in (tmp_path / "credentials.conf").read_text()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.is_file()} == {0o600}
    assert result["diff"]["prepared"].splitlines()[1:3] == ["+ alice (publisher)", "+ bob (reader)"]


def test_second_run_changes_nothing(run: Run, tmp_path: Path) -> None:
    run()
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    result = run()
    assert not result["changed"]
    assert "diff" not in result
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "updated", "line"),
    [
        ({"hashes": {"alice": CAROL, "bob": BOB}}, ["alice"], "~ alice: password changed"),
        ({"users": [wanted("alice"), wanted("bob")]}, ["alice"], "~ alice: may not publish any more"),
        (
            {"users": [wanted("alice", "publish"), wanted("bob", "publish", "delete")]},
            ["bob"],
            "~ bob: may publish now, may delete now",
        ),
        (
            {"users": [wanted("alice", "publish:acme-*"), wanted("bob")]},
            ["alice"],
            "~ alice: may publish acme-* now, was all projects",
        ),
    ],
)
def test_changes_are_told(run: Run, tmp_path: Path, change: dict[str, Any], updated: list[str], line: str) -> None:
    run()
    before = (tmp_path / "credentials.conf").read_text().splitlines()
    result = run(**change)
    assert result["changed"]
    assert result["updated"] == updated
    assert line in result["diff"]["prepared"]
    after = (tmp_path / "credentials.conf").read_text().splitlines()
    different = sorted(set(after) ^ set(before))
    assert all(updated[0] in line for line in different), "only this user's verdict ends"
    assert (f'"\\\\{updated[0]}"' in different[0]) is ("password" in line), "and for a password only"


def test_users_that_are_not_in_the_list_go(run: Run, tmp_path: Path) -> None:
    run()
    result = run(users=[wanted("bob")])
    assert result["removed"] == ["alice"]
    assert "- alice" in result["diff"]["prepared"]
    assert "alice" not in (tmp_path / "credentials.conf").read_text()


def test_without_purge_others_keep_their_place_and_rights(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".htpasswd").write_text(f"# by hand\nzoe:{CAROL}\nnonsense\nalice:{ALICE}\n")
    result = run(users=[wanted("alice", "delete"), wanted("bob")], purge=False)
    assert (result["added"], result["updated"], result["removed"]) == (["bob"], ["alice"], [])
    assert (tmp_path / ".htpasswd").read_text() == f"# by hand\nzoe:{CAROL}\nnonsense\nalice:{ALICE}\nbob:{BOB}\n"
    assert "credentials.conf is missing, so zoe may read only" in str(result["warnings"])
    assert ".htpasswd line 3 has no colon" in str(result["warnings"])
    assert "nonsense" not in str(result)
    result = run(users=[wanted("bob", "publish")], purge=False)
    assert result["updated"] == ["bob"]
    assert "may read only" not in str(result["warnings"])
    rights = (tmp_path / "credentials.conf").read_text().partition("$pypi_login_rights")[2]
    assert '"~^alice$" "delete";' in rights
    assert '"~^bob$" "publish";' in rights
    assert "zoe" not in rights


def test_state_absent_removes_without_a_hash(run: Run) -> None:
    run()
    result = run(users=[wanted("bob", state="absent")], purge=False, hashes={})
    assert result["removed"] == ["bob"]
    assert not run(users=[wanted("bob", state="absent")], purge=False)["changed"]


def test_drift_of_modes_is_repaired(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / ".htpasswd").chmod(0o644)
    result = run()
    assert result["changed"]
    assert result["updated"] == []
    assert result["diff"]["prepared"].splitlines()[1:] == ["~ file .htpasswd: mode 0644 -> 0600"]
    assert not run()["changed"]


@pytest.mark.parametrize("name", [".htpasswd", "credentials.conf"])
def test_a_file_that_is_missing_or_cut_short_is_repaired(run: Run, tmp_path: Path, name: str) -> None:
    run()
    good = contents(tmp_path)
    (tmp_path / name).unlink()
    run()
    assert contents(tmp_path) == good
    (tmp_path / name).write_text(good[name][:20])
    run()
    assert contents(tmp_path) == good


@pytest.mark.parametrize("function", ["replace", "fsync", "fchmod"])
@pytest.mark.parametrize("number", range(2))
def test_a_failure_leaves_all_files(
    run: Run,
    run_module: Run,
    assert_no_secret: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    number: int,
) -> None:
    run()
    before = contents(tmp_path)
    real, calls = getattr(os, function), []

    def failing(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == number + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, failing)
        users = [wanted("carol", "publish")]
        result = run_module(htpasswd, path=str(tmp_path), users=users, hashes={"carol": CAROL})
    assert result["failed"]
    assert "no space left" in result["msg"]
    assert_no_secret(result)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hashes": {"alice": ALICE}}, "user 'bob': the hash is empty"),
        ({"hashes": {"alice": ALICE, "bob": "{SHA}S3cret"}}, "user 'bob': the hash is {SHA}"),
        ({"hashes": {"alice": ALICE, "bob": "S3cret"}}, "plain text"),
        ({"users": [wanted("a:b")]}, "'a' cannot be a login"),
        ({"users": [wanted("a\nb")]}, "cannot be a login"),
        ({"users": [wanted("bob"), wanted("bob")]}, "more than once"),
        ({"users": [wanted("bob", 'publish";')]}, "user 'bob': a right is a word in lower case"),
        ({"users": [wanted("bob", "publish:Acme")]}, "user 'bob': a right is a word in lower case"),
        ({"users": [wanted("bob", "publish:a b")]}, "user 'bob': a right is a word in lower case"),
        ({"mode": "u=rw"}, "mode must be octal"),
        ({"owner": "no-such-user"}, "no user 'no-such-user'"),
    ],
)
def test_what_would_spoil_the_files_is_refused(
    run: Run, run_module: Run, assert_no_secret: Run, tmp_path: Path, arguments: Any, words: str
) -> None:
    run()
    before = contents(tmp_path)
    changed = {"users": [*USERS], "hashes": {**HASHES, "alice": CAROL}, **arguments}
    result = run_module(htpasswd, path=str(tmp_path), **changed)
    assert result["failed"]
    assert words in result["msg"]
    assert_no_secret(result)
    assert contents(tmp_path) == before


def test_a_bare_host_is_predicted(run_module: Run, tmp_path: Path) -> None:
    result = run_module(
        htpasswd,
        check=True,
        path=f"{tmp_path}/x/y",
        users=USERS,
        hashes=HASHES,
        owner="no-such-user",
        group="no-such-group",
    )
    assert result["changed"]
    assert result["added"] == ["alice", "bob"]
    assert list(tmp_path.iterdir()) == []


def test_info_tells_what_is_there(run: Run, run_module: Run, tmp_path: Path) -> None:
    assert run_module(htpasswd_info, path=f"{tmp_path}/none")["users"] == {}
    run()
    with (tmp_path / ".htpasswd").open("ab") as stream:
        stream.write(b"alice:shadowed\nS3cret\n\xff:x\nold:{SHA}x\n")
    result = run_module(htpasswd_info, path=str(tmp_path))
    assert not result["changed"]
    assert result["users"] == {"alice": ALICE, "bob": BOB, "old": "{SHA}x"}


def test_info_names_what_it_cannot_read(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / ".htpasswd").mkdir()
    result = run_module(htpasswd_info, path=str(tmp_path))
    assert result["failed"]
    assert "is a folder" in result["msg"]
