"""Hashing: once for each login, good hashes kept, and clear words where the controller cannot."""

from __future__ import annotations

import builtins
import sys
import threading
import types
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import bcrypt_cost
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import hashing
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.hashing import HashingError, Login

ALICE = Login("alice", "S3cret", 4)


@pytest.fixture(scope="module")
def bcrypt() -> Any:
    return hashing.load_bcrypt()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, bcrypt: Any) -> list[str]:
    """The real bcrypt, with a list of what it was asked to do."""
    calls: list[str] = []

    class Counting:
        @staticmethod
        def verify(password: str, password_hash: str) -> bool:
            calls.append("verify")
            return bcrypt.verify(password, password_hash)

        @staticmethod
        def using(**options: Any) -> Any:
            calls.append("hash")
            return bcrypt.using(**options)

    monkeypatch.setattr(hashing, "load_bcrypt", lambda: Counting)
    return calls


def hashed(login: Login, ident: str = "2y") -> str:
    return hashing.load_bcrypt().using(rounds=login.cost, ident=ident).hash(login.password)


def test_a_fresh_hash_is_2y_of_the_cost_and_verifies(bcrypt: Any) -> None:
    done = hashing.hash_all([ALICE], [], {})
    password_hash = done.hashes[ALICE]
    assert password_hash.startswith("$2y$04$")
    assert bcrypt.verify("S3cret", password_hash)
    assert (done.fresh, done.verified) == (1, 0)


@pytest.mark.parametrize("ident", ["2a", "2b", "2y"])
def test_a_good_hash_is_kept_for_all_hosts(ident: str) -> None:
    there = hashed(ALICE, ident)
    done = hashing.hash_all([ALICE], [{}, {"alice": there}, {"bob": "x"}], {})
    assert done.hashes[ALICE] == there
    assert (done.fresh, done.verified) == (0, 1)


@pytest.mark.parametrize(
    "there",
    [
        hashed(Login("alice", "other", 4)),
        hashed(Login("alice", "S3cret", 5)),
        "$apr1$JI4wh3am$AmhephVqLTUyAVpFQeHZC0",
        "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=",
        "S3cret",
        "",
        "$2y$04$" + "e" * 53,
        "$2y$04$" + "." * 53,
    ],
)
@pytest.mark.filterwarnings("ignore:encountered a bcrypt salt")
def test_any_other_hash_is_replaced(there: str) -> None:
    done = hashing.hash_all([ALICE], [{"alice": there}], {})
    assert done.hashes[ALICE] != there
    assert bcrypt_cost(done.hashes[ALICE]) == 4
    assert done.fresh == 1


def test_a_login_is_worked_on_once_for_all_hosts(counted: list[str]) -> None:
    bob = Login("bob", "S3cret", 4)
    there = hashed(bob)
    counted.clear()
    done = hashing.hash_all([ALICE, bob] * 100, [{"bob": there}] * 100, {})
    assert sorted(counted) == ["hash", "verify"]
    assert done.hashes[bob] == there


def test_two_logins_with_one_password_have_two_hashes() -> None:
    other = ALICE._replace(name="bob")
    done = hashing.hash_all([ALICE, other], [], {})
    assert done.hashes[ALICE] != done.hashes[other]


def test_hosts_come_to_agree_on_the_most_frequent_good_hash() -> None:
    one, two, bad = hashed(ALICE), hashed(ALICE), hashed(ALICE._replace(password="old"))
    present = [{"alice": value} for value in (bad, one, bad, two, bad, two)]
    assert hashing.hash_all([ALICE], present, {}).hashes[ALICE] == two


def test_a_later_batch_of_the_run_repeats_nothing(counted: list[str]) -> None:
    first = hashing.hash_all([ALICE], [], {})
    counted.clear()
    second = hashing.hash_all([ALICE], [{"alice": "other"}], first.known)
    assert second.hashes == first.hashes
    assert counted == []


def test_what_is_known_tells_nothing_outside_the_run(monkeypatch: pytest.MonkeyPatch, counted: list[str]) -> None:
    known = hashing.hash_all([ALICE], [], {}).known
    assert "S3cret" not in str(known)
    monkeypatch.setattr(hashing, "_RUN_KEY", b"another run")
    counted.clear()
    hashing.hash_all([ALICE], [], known)
    assert counted == ["hash"]


def test_all_cores_work_at_once(monkeypatch: pytest.MonkeyPatch, bcrypt: Any) -> None:
    """Four workers must be inside bcrypt at the same time, or the barrier breaks."""
    barrier = threading.Barrier(4, timeout=10)

    class Meeting:
        @staticmethod
        def using(**options: Any) -> Any:
            barrier.wait()
            return bcrypt.using(**options)

    monkeypatch.setattr(hashing, "load_bcrypt", lambda: Meeting)
    monkeypatch.setattr(hashing, "_cores", lambda: 4)
    assert hashing.hash_all([ALICE._replace(name=f"u{i}") for i in range(8)], [], {}).fresh == 8


def test_nothing_to_do_needs_nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "load_bcrypt", lambda: pytest.fail("not needed"))
    assert hashing.hash_all([], [{"alice": "x"}], {}).hashes == {}


def test_a_missing_library_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_passlib(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("passlib"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_passlib)
    with pytest.raises(HashingError) as caught:
        hashing.hash_all([ALICE], [], {})
    assert f"{sys.executable} -m pip install 'libpass>=1.9.3' 'bcrypt>=3.2'" in str(caught.value)
    assert f"{sys.executable} -m pip install -r " in str(caught.value)
    assert "libpass is missing on the controller" in str(caught.value)
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize("error", [ValueError("password cannot be longer than 72 bytes"), RuntimeError("no backend")])
def test_a_broken_library_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The first one is what passlib 1.7.4 raises for any password when it finds bcrypt 5."""

    class Broken:
        @staticmethod
        def using(**options: Any) -> Any:
            raise error

        verify = using

    monkeypatch.setitem(sys.modules, "passlib.hash", types.SimpleNamespace(bcrypt=Broken))
    with pytest.raises(HashingError) as caught:
        hashing.hash_all([ALICE], [], {})
    assert "pip install" in str(caught.value)
    assert str(error) in str(caught.value)


def test_requirements_agree_with_the_file_that_ships() -> None:
    from pathlib import Path

    text = Path(hashing.__file__).resolve().parents[2].joinpath("requirements.txt").read_text()
    assert all(requirement in text.split() for requirement in hashing.REQUIREMENTS)
