"""Logins of all kinds get in: every accepted scheme, odd names, many of them; and who is removed is out at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import apr_md5_crypt, bcrypt, sha256_crypt, sha512_crypt

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import site
from tests.support.stack import Stack

PASSWORD = "given-password"
SCHEMES = {
    "bcrypt-2a": bcrypt.using(rounds=5, ident="2a").hash(PASSWORD),
    "bcrypt-2b": bcrypt.using(rounds=5, ident="2b").hash(PASSWORD),
    "bcrypt-2y": bcrypt.using(rounds=5, ident="2y").hash(PASSWORD),
    "sha256-crypt": sha256_crypt.using(rounds=5000).hash(PASSWORD),
    "sha512-crypt": sha512_crypt.using(rounds=5000).hash(PASSWORD),
    "apr1": apr_md5_crypt.hash(PASSWORD),
}
# What a map of NGINX could take for something else, or for each other; one person's second login; the longest.
NAMES = [
    "alice+ci", "alice", "Alice", "ALICE", "default", "include", "hostnames", "volatile", "~alice", "~*a.*", "^a$",
    r"\alice", r"\\x", r"a\.b", 'quote"d', "sing'le", "$remote_user", "${host}", "{brace}", "semi;colon",
    "*.example.com", "a.b+c(d)[e]|f?", "A.B+C(D)[E]|F?", "back\\", "BACK\\", "\\", '"', "x" * 255, "X" * 255,
]  # fmt: skip
CROWD = [f"user{n}" for n in range(2000)]


def statuses(index: Index, names: list[str]) -> dict[str, int]:
    """Return what the list of projects answers to each login."""
    return {name: index.request("/simple/", Login(name, PASSWORD)).status for name in names}


@pytest.fixture(scope="module", autouse=True)
def _users() -> Iterator[None]:
    users = [{"name": name, "hash": hash, "publish": True} for name, hash in SCHEMES.items()]
    users += [{"name": name, "hash": SCHEMES["apr1"]} for name in (*NAMES, *CROWD)]
    site("--tags", "users", pypi_users=users)
    yield
    site("--tags", "users")


@pytest.mark.parametrize("name", SCHEMES)
def test_every_accepted_scheme_reads_and_publishes(index: Index, tmp_path: Path, name: str) -> None:
    login = Login(name, PASSWORD)
    assert index.request("/simple/", login).status == 200
    assert index.request("/simple/", Login(name, "wrong")).status == 401
    assert index.upload(login, packages.wheel(tmp_path, f"by-{name}")).status == 200


def test_a_login_that_somebody_takes_out_by_hand_is_out_at_once(host: Any, index: Index, stack: Stack) -> None:
    file = f"{stack.home}/authentication/.htpasswd"
    # No run has reloaded NGINX for it, so no verdict is cached for it.
    host.check_output(f"cp {file} /root/htpasswd && echo 'by-hand:{SCHEMES['apr1']}' >>{file}")
    assert statuses(index, ["by-hand"]) == {"by-hand": 200}
    host.check_output(f"cat /root/htpasswd >{file}")
    assert statuses(index, ["by-hand"]) == {"by-hand": 401}


def test_odd_names_get_in_and_are_told_apart_when_some_of_them_go(index: Index) -> None:
    assert statuses(index, NAMES) == dict.fromkeys(NAMES, 200)
    stay, go = NAMES[::2], NAMES[1::2]
    # All of them have a cached verdict now, kept under what makes them different.
    site("--tags", "users", pypi_users=[{"name": name, "hash": SCHEMES["apr1"]} for name in (*stay, *CROWD)])
    assert statuses(index, NAMES) == {**dict.fromkeys(stay, 200), **dict.fromkeys(go, 401)}
    assert statuses(index, CROWD[-1:]) == {CROWD[-1]: 200}
