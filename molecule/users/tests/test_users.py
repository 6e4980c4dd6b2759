"""The password files have the logins of the inventory and no others; secrets are nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import bcrypt

from tests.support import playbook
from tests.support.playbook import Run

testinfra_hosts = ["ansible://pypi-users-1"]

FOLDER = "/home/pypi/pypi-server/authentication"
FILES = (".htpasswd", "credentials.conf", "tokens.conf")
PUBLISHER = {"name": "publisher", "password": "publisher-password", "publish": True}
YESCRYPT = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC"
READER = {"name": "reader", "password": "reader-password"}
SECRETS = ("publisher-password", "reader-password", "second-password", "given-password", "another-password", "$2y$")


PLAYBOOK = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/converge.yml"


def apply(*arguments: str, **variables: Any) -> Run:
    """Run the scenario's playbook on the first host."""
    return playbook.run(PLAYBOOK, "--limit", "pypi-users-1", *arguments, variables=variables)


def applied(*arguments: str, **variables: Any) -> Run:
    """Run it, and fail with its output if it fails."""
    return playbook.applied(PLAYBOOK, "--limit", "pypi-users-1", *arguments, **variables)


def lines(host: Any) -> dict[str, str]:
    """Return the hashes of the password file by login."""
    return dict(line.split(":", 1) for line in host.file(f"{FOLDER}/.htpasswd").content_string.splitlines())


@pytest.fixture(autouse=True)
def _as_converged(host: Any) -> Any:
    """After each test the files are as Molecule's converge left them."""
    saved = host.check_output(f"cd {FOLDER} && tar -c . | base64 --wrap 0")
    yield
    host.check_output(f"cd {FOLDER} && rm -rf .ht* * && echo '{saved}' | base64 --decode | tar -x")


def test_files_are_roots_and_readable_for_the_service_accounts_group(host: Any) -> None:
    for name in FILES:
        file = host.file(f"{FOLDER}/{name}")
        assert (file.user, file.group, file.mode) == ("root", "pypi", 0o640), name


def test_rights_are_in_a_map_of_nginx(host: Any) -> None:
    applied(pypi_users=[{**PUBLISHER, "delete": True}, {**READER, "delete": True}])
    rights = host.file(f"{FOLDER}/credentials.conf").content_string.partition("$pypi_login_rights")[2]
    assert '"~^publisher$" "publish delete";' in rights
    assert '"~^reader$" "delete";' in rights
    applied(pypi_users=[PUBLISHER, READER])
    assert "reader" not in host.file(f"{FOLDER}/credentials.conf").content_string.partition("$pypi_login_rights")[2]


def test_passwords_are_bcrypt_of_the_wanted_cost(host: Any) -> None:
    found = lines(host)
    assert list(found) == ["publisher", "reader", "given"]
    for login in ("publisher", "reader"):
        assert found[login].startswith("$2y$06$")
        assert bcrypt.verify(f"{login}-password", found[login])


def test_a_hash_is_taken_as_it_is(host: Any) -> None:
    assert bcrypt.verify("given-password", lines(host)["given"])
    assert lines(host)["given"].startswith("$2y$05$")


def test_a_password_is_hashed_once_for_all_hosts(host: Any) -> None:
    other = host.get_host(f"ansible://pypi-users-2?ansible_inventory={os.environ['MOLECULE_INVENTORY_FILE']}")
    assert list(lines(other)) == ["reader", "second"]
    assert lines(other)["reader"] == lines(host)["reader"]


def test_a_second_run_keeps_every_hash(host: Any) -> None:
    before = lines(host)
    assert applied().changed == 0
    assert lines(host) == before


def test_a_changed_password_is_replaced_and_the_others_stay(host: Any) -> None:
    before = lines(host)
    done = applied("--diff", pypi_users=[PUBLISHER, {**READER, "password": "another-password"}])
    after = lines(host)
    assert list(after) == ["publisher", "reader"]
    assert after["publisher"] == before["publisher"]
    assert bcrypt.verify("another-password", after["reader"])
    assert "reader: password changed" in done.output
    assert "given" in done.output
    assert not [secret for secret in SECRETS if secret in done.output]


def test_a_changed_right_is_replaced(host: Any) -> None:
    done = applied("--diff", pypi_users=[{**PUBLISHER, "publish": False}, {**READER, "publish": True}])
    assert "~ publisher: may not publish any more" in done.output
    assert "~ reader: may publish now" in done.output
    rights = host.file(f"{FOLDER}/credentials.conf").content_string.partition("$pypi_login_rights")[2]
    assert re.findall('"(~.*)" "(.*)";', rights) == [("~^reader$", "publish")]


def test_a_right_on_some_projects_is_in_the_map_and_in_the_differences(host: Any) -> None:
    some = {**PUBLISHER, "publish": ["widgets", "acme-*"], "yank": ["acme-*"], "delete": []}
    done = applied("--diff", pypi_users=[some, READER])
    assert "~ publisher: may yank acme-* now, may publish acme-* and widgets now, was all projects" in done.output
    rights = host.file(f"{FOLDER}/credentials.conf").content_string.partition("$pypi_login_rights")[2]
    assert re.findall('"(~.*)" "(.*)";', rights) == [("~^publisher$", "publish:acme-* publish:widgets yank:acme-*")]
    # In another order, and some twice, they are the same.
    assert applied(pypi_users=[{**some, "publish": ["acme-*", "widgets", "acme-*"]}, READER]).changed == 0
    done = applied("--diff", pypi_users=[{**some, "yank": False}, READER])
    assert "~ publisher: may not yank any more" in done.output


@pytest.mark.parametrize(
    "line",
    [
        "reader:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=",
        f"reader:{bcrypt.using(rounds=4, ident='2y').hash('reader-password')}",
    ],
    ids=["weak scheme", "lower cost"],
)
def test_a_weaker_hash_of_the_same_password_is_replaced(host: Any, line: str) -> None:
    host.check_output(f"printf '%s\\n' '{line}' > {FOLDER}/.htpasswd")
    applied()
    assert lines(host)["reader"].startswith("$2y$06$")


def test_who_leaves_the_list_leaves_the_host_unless_somebody_else_keeps_it(host: Any) -> None:
    by_hand = f"by-hand:{lines(host)['given']}\n# a remark: by hand\n"
    host.check_output(f"printf %s >> {FOLDER}/.htpasswd", by_hand)
    applied(pypi_users_purge=False)
    assert host.file(f"{FOLDER}/.htpasswd").content_string.endswith(by_hand)
    applied(pypi_users=[READER, {"name": "by-hand", "state": "absent"}], pypi_users_purge=False)
    assert list(lines(host)) == ["publisher", "reader", "given", "# a remark"]
    applied(pypi_users=[READER])
    assert list(lines(host)) == ["reader"]


def test_an_empty_list_empties_no_file(host: Any) -> None:
    before = lines(host)
    applied(pypi_users=[], pypi_authenticate=["update"], pypi_anonymous_uploads=True)
    assert lines(host) == before


def test_check_mode_says_what_would_change_and_changes_nothing(host: Any) -> None:
    before = lines(host)
    done = applied("--check", "--diff", pypi_users=[READER, {"name": "new", "password": "another-password"}])
    assert "+ new" in done.output
    assert "- publisher" in done.output
    assert not [secret for secret in SECRETS if secret in done.output]
    assert lines(host) == before


def test_no_password_or_hash_is_seen_anywhere(host: Any) -> None:
    users = [PUBLISHER, READER, {"name": "new", "password": "another-password"}]
    done = applied("-vvv", "--diff", pypi_users=users)
    assert not [secret for secret in SECRETS if secret in done.output]
    journal = host.check_output("journalctl --no-pager --output cat")
    assert not [secret for secret in SECRETS if secret in journal]
    assert host.run("grep -rlE 'publisher-password|another-password' /home /root /tmp /var/log /var/tmp").stdout == ""


def test_one_read_and_one_write_whatever_the_number_of_users(host: Any) -> None:
    done = applied("-vvv", pypi_users=[{"name": f"user{n}", "password": f"password-{n}"} for n in range(30)])
    assert len(lines(host)) == 30
    calls = [line for line in done.output.splitlines() if "Using module file" in line and "htpasswd" in line]
    assert len(calls) == 2, calls


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"name": "", "password": "another-password"}, ["entry 3 has no name"]),
        ({"name": "with:colon", "password": "another-password"}, ["'with...'", "colon"]),
        ({"name": "with\nnewline", "password": "another-password"}, ["'with...'", "line break"]),
        ({"name": "j\u00fcrgen", "password": "another-password"}, ["j\u00fcrgen", "ASCII"]),
        ({"name": "reader", "password": "another-password"}, ["reader", "2 times"]),
        ({"name": "alice", "password": ""}, ["alice", "password"]),
        ({"name": "alice", "password": "another-password" * 5}, ["alice", "72"]),
        ({"name": "alice", "hash": "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc="}, ["alice", "{SHA}"]),
        ({"name": "alice", "hash": "$2y$10$" + "a" * 53}, ["alice", "no server verifies", "htpasswd -nB -C 10"]),
        ({"name": "alice", "hash": "$2y$31$" + "e" * 53}, ["alice", "bcrypt of cost 31"]),
        ({"name": "alice", "password": "another-password\n"}, ["alice", "ends with a newline", "ansible-vault encrypt_string"]),
        ({"name": "alice", "hash": "another-password"}, ["alice", "plain"]),
        ({"name": "alice", "hash": YESCRYPT}, ["alice", "$y$"]),
    ],
    ids=[
        *("no name", "colon", "newline", "not ASCII", "twice", "no password", "too long", "SHA", "padding bits", "cost 31"),
        *("newline at the end", "plain text", "yescrypt"),
    ],
)  # fmt: skip
def test_a_bad_user_is_refused_and_nothing_is_written(host: Any, user: dict[str, str], words: list[str]) -> None:
    files = f"cd {FOLDER} && sha256sum {' '.join(FILES)} && ls -A"
    before = host.check_output(files)
    done = apply(pypi_users=[PUBLISHER, READER, user])
    assert done.code != 0
    message = done.message()
    for word in ("pypi_users", *words):
        assert word in message, message
    assert "another-password" not in message
    assert host.check_output(files) == before


# What passlib 1.7.4 does with bcrypt 5: it is there, and fails at the first password.
BROKEN = """
import sys, types
class bcrypt:
    def using(**settings): return bcrypt
    def verify(password, hash): return True
    def hash(password): raise ValueError("password cannot be longer than 72 bytes")
sys.modules["passlib.hash"] = types.SimpleNamespace(bcrypt=bcrypt)
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param("raise ImportError('no passlib')", ["libpass is missing on the controller"], id="missing"),
        pytest.param(BROKEN, ["hashing on the controller fails", "longer than 72 bytes"], id="broken"),
    ],
)
def test_a_missing_or_broken_library_is_told_with_the_command_that_mends_it(
    host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: list[str]
) -> None:
    before = lines(host)
    (tmp_path / "passlib.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    done = apply()
    assert done.code != 0
    for word in ("-m pip install", "libpass>=1.9", *words):
        assert word in done.message(), done.output
    assert lines(host) == before
