"""logins_info on the host: who may what, until when, and when they last did; never a hash."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import htpasswd, logins_info

Run = Callable[..., dict[str, Any]]
BCRYPT = "$2y$10$" + "." * 53
TOKEN = hashlib.sha256(b"a token").hexdigest()
# 2027-04-01 begins.
END = 1806537600


def use(day: str, user: str, verdict: str = "204", uri: str = "/simple/") -> str:
    """A line of the access log, as NGINX writes it."""
    return (
        f'{{"time":"{day}T14:03:10+00:00","client":"192.0.2.1","user":"{user}","method":"GET","route":"projects",'
        f'"uri":"{uri}","status":405,"bytes":12,"received":1,"seconds":0.001,"upstream_seconds":"","verdict":"{verdict}","agent":"x"}}\n'
    )


@pytest.fixture
def home(tmp_path: Path, run_module: Run) -> Path:
    """An index with two logins and two tokens, and no log."""
    users = [
        {"name": "alice", "rights": ["publish", "delete:acme-*"], "state": "present"},
        {"name": 'b"ob', "rights": [], "state": "present"},
    ]
    tokens = [
        {"id": "ci-acme", "sha256": TOKEN, "rights": ["publish:acme-*"], "reads": True, "end": END},
        {"id": "uploader", "sha256": TOKEN[::-1], "rights": ["publish"], "reads": False, "end": None},
    ]
    hashes = {user["name"]: BCRYPT for user in users}
    (tmp_path / "logs").mkdir()
    assert run_module(htpasswd, path=f"{tmp_path}/authentication", users=users, hashes=hashes, tokens=tokens)["changed"]
    return tmp_path


@pytest.fixture
def info(run_module: Run, home: Path, assert_no_secret: Run) -> Run:
    """The module on that index; its result has no hash, and says the same in check mode."""

    def call(**arguments: Any) -> dict[str, Any]:
        result = run_module(logins_info, path=str(home), **arguments)
        assert run_module(logins_info, path=str(home), check=True, **arguments) == result
        assert_no_secret(result)
        assert TOKEN not in str(result) and not result.get("changed")
        return result

    return call


def test_each_is_listed_with_rights_expiry_and_last_use(info: Run, home: Path) -> None:
    (home / "logs/access.log").write_text(use("2026-11-27", "alice") + use("2026-11-28", "alice"))
    with gzip.open(home / "logs/access-2026-11-20T00-00-00Z.log.gz", "wt") as file:
        file.write(use("2026-10-01", "") + use("2026-11-19", "ci-acme") + use("2026-11-18", "alice"))
    (home / "logs/access-2026-11-26T00-00-00Z.log").write_text(use("2026-11-25", r"b\"ob"))
    result = info(expires={"alice": "2026-12-31"})
    # Logins first.
    assert result["lines"] == [
        "login alice (may read, publish, delete acme-*, until 2026-12-31): last used 2026-11-28 14:03 UTC",
        'login b"ob (may read, does not expire): last used 2026-11-25 14:03 UTC',
        "token ci-acme (may read, publish acme-*, until 2027-03-31): last used 2026-11-19 14:03 UTC",
        "token uploader (may publish, does not expire): not used since 2026-10-01 14:03 UTC, when the log begins",
    ]
    assert result["logins"][2] == {
        "name": "ci-acme",
        "kind": "token",
        "rights": ["read", "publish:acme-*"],
        "expires": "2027-03-31",
        "last_used": "2026-11-19T14:03:10+00:00",
    }
    assert result["log_begins"] == "2026-10-01T14:03:10+00:00"


def test_what_was_refused_is_no_use(info: Run, home: Path) -> None:
    # Without a verdict, the password was not looked at: a method that is not allowed, a page of another site.
    refused = [use("2026-11-28", "alice", verdict) for verdict in ("401", "429", "500", "")]
    # What a client writes cannot pass for a line of the log.
    forged = use("2026-11-28", "", "401", uri=r"/?\",\"user\":\"alice\",\"status\":200,\"bytes\":1,\"verdict\":\"204\"")
    (home / "logs/access.log").write_text("".join([use("2026-11-01", "alice", "200"), *refused, forged, "x\n", "{}"]))
    assert "last used 2026-11-01" in info()["lines"][0]


def test_a_token_that_may_not_read_and_tries_is_in_use(info: Run, home: Path) -> None:
    (home / "logs/access.log").write_text(use("2026-10-01", "") + use("2026-11-20", "uploader", "403"))
    assert info()["lines"][-1] == "token uploader (may publish, does not expire): last used 2026-11-20 14:03 UTC"


def test_without_a_log_it_says_so(info: Run, home: Path) -> None:
    assert all(line.endswith(": there is no access log") for line in info()["lines"])
    (home / "logs").rmdir()
    assert all(line.endswith(": there is no access log") for line in info()["lines"])


def test_nothing_in_the_folder_of_the_account_leads_elsewhere(info: Run, home: Path) -> None:
    logs = home / "logs"
    (home / "elsewhere").write_text(use("2026-11-28", "alice"))
    (logs / "access.log").symlink_to(home / "elsewhere")
    os.mkfifo(logs / "access-2026-11-26T00-00-00Z.log")
    (logs / "access-2026-11-25T00-00-00Z.log.gz").write_bytes(b"\x1f\x8b\x08 damaged")
    (logs / "access-2026-11-24T00-00-00Z.log").mkdir()
    (logs / "access-2026-11-23T00-00-00Z.log").write_text(use("2026-11-22", "alice"))
    assert "last used 2026-11-22" in info()["lines"][0]


def test_logins_of_another_source_are_left_out(info: Run) -> None:
    assert [entry["kind"] for entry in info(logins=False)["logins"]] == ["token", "token"]


def test_a_host_without_an_index_has_none(run_module: Run, tmp_path: Path) -> None:
    assert run_module(logins_info, path=f"{tmp_path}/none")["lines"] == []
