"""playbooks/token.yml as ansible-playbook runs it: what it makes on the controller, and where the token shows."""

from __future__ import annotations

import ctypes
import datetime
import hashlib
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import rules
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import tokens

from tests.collection import DEVELOPED, ROOT

Play = Callable[..., subprocess.CompletedProcess[str]]
PLAYBOOK = str(ROOT / "playbooks/token.yml")
SHOWN = re.compile(r"wheelhouse_[0-9a-f]{72}")
INVENTORY: dict[str, Any] = {
    "pypi": {
        # Reached by nothing: the play works on the controller alone.
        "hosts": {"one.invalid": {"ansible_connection": "ssh"}, "two.invalid": {}},
        "vars": {
            "pypi_users": [
                {
                    "name": "alice",
                    "hash": "$apr1$JI4wh3am$AmhephVqLTUyAVpFQeHZC0",
                    "expires": datetime.date(2099, 1, 31),
                }
            ],
        },
    }
}


@pytest.fixture
def play(tmp_path: Path, kept_modules: dict[str, str]) -> Play:
    """Run token.yml on an inventory in the folder of the test; arguments are extra variables."""
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(INVENTORY))

    def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        words = [option for name, value in variables.items() for option in ("-e", f"pypi_{name}={value}")]
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", *options, *words, PLAYBOOK],
            cwd=tmp_path,
            env={
                **os.environ,
                **kept_modules,
                "PWD": str(tmp_path),
                "ANSIBLE_COLLECTIONS_PATH": str(DEVELOPED),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.mark.one_core
def test_a_token_is_printed_with_the_line_for_the_inventory(play: Play) -> None:
    done = play(token_id="ci-acme", token_publish="acme-*,widgets", token_yank="true", token_expires="2099-03-31")
    assert done.returncode == 0, done.stdout
    (token,) = set(SHOWN.findall(done.stdout))
    (line,) = re.findall(r'Add below pypi_tokens in the inventory: (- .*)"', done.stdout)
    assert line.startswith("- {id: ci-acme, hash: ") and line.endswith(
        "publish: [acme-*, widgets], yank: true, expires: '2099-03-31'}"
    )
    (entry,) = yaml.safe_load(line)
    assert entry == {
        "id": "ci-acme",
        "hash": digest(token),
        "publish": ["acme-*", "widgets"],
        "yank": True,
        "expires": "2099-03-31",
    }
    assert rules.problems({"pypi_tokens": [entry]}) == []
    assert rules.problems({"pypi_tokens": [{"id": "kept-in-vault", "secret": token}]}) == [], "its checksum is right"
    assert f"vault_pypi_token_ci_acme: {token}" in done.stdout


def test_a_token_goes_into_a_file_and_its_entry_into_the_inventory(play: Play, tmp_path: Path) -> None:
    file, group = tmp_path / "token", tmp_path / "group_vars/pypi/tokens.yml"
    group.parent.mkdir(parents=True)
    # One as the shell completes it.
    where = {"token_file": str(file), "token_inventory": "group_vars/pypi/tokens.yml"}
    checked = play("--check", "--diff", token_id="a", token_publish="acme-*", token_read="false", **where)
    assert checked.returncode == 0, checked.stdout
    assert not file.exists()
    assert not group.exists()
    assert not SHOWN.search(checked.stdout)

    done = play("-vvv", "--diff", token_id="a", token_publish="acme-*", token_read="false", **where)
    assert done.returncode == 0, done.stdout
    token = file.read_text()
    assert tokens.SECRET.match(token)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not SHOWN.search(done.stdout), "not even at -vvv"
    first = {"id": "a", "hash": digest(token), "publish": ["acme-*"], "read": False}
    assert yaml.safe_load(group.read_text()) == {"pypi_tokens": [first]}

    # The same id, and the same file.
    again = play(token_id="a", token_yank="true", **where)
    assert again.returncode != 0
    assert (
        "pypi_token_id: the inventory has a token a already; give another id, or remove that entry first"
        in again.stdout
    )
    again = play(token_id="b", token_yank="true", **where)
    assert again.returncode != 0
    assert f"pypi_token_file: {file} exists, or its folder is missing; give the path of a new file" in again.stdout
    assert file.read_text() == token

    done = play(token_id="b", token_yank="true", token_file=f"{file}-b", token_inventory=str(group))
    assert done.returncode == 0, done.stdout
    assert [entry["id"] for entry in yaml.safe_load(group.read_text())["pypi_tokens"]] == ["b", "a"]


@pytest.mark.one_core
def test_an_entry_goes_nowhere_but_to_the_other_tokens(play: Play, tmp_path: Path) -> None:
    first, group = tmp_path / "group_vars/pypi/a.yml", tmp_path / "group_vars/pypi/tokens.yml"
    first.parent.mkdir(parents=True)
    assert play(token_id="a", token_inventory=str(first)).returncode == 0
    # Ansible would take this file's pypi_tokens and not the first one's; the next run of users.yml would revoke token a.
    done = play(token_id="b", token_inventory=str(group), token_file=str(tmp_path / "token"))
    assert done.returncode != 0
    assert (
        f"the entry cannot be added to {group}; give the unencrypted YAML file that has the line pypi_tokens: of"
        in done.stdout
    )
    assert not group.exists()
    assert not (tmp_path / "token").exists()


# Of inotify(7).
IN_ATTRIB, IN_MOVED_TO, IN_CREATE = 0x4, 0x80, 0x100


def events(watch: int) -> Iterator[tuple[str, int]]:
    """What happened in a watched folder: name of the file, and event."""
    data = os.read(watch, 65536)
    while data:
        _, mask, _, length = struct.unpack("iIII", data[:16])
        yield data[16 : 16 + length].rstrip(b"\0").decode(), mask
        data = data[16 + length :]


@pytest.mark.one_core
def test_the_file_of_a_token_has_its_mode_from_the_first_moment(play: Play, tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init()
    libc.inotify_add_watch(watch, bytes(folder), IN_ATTRIB | IN_MOVED_TO | IN_CREATE)
    try:
        done = play(token_id="a", token_file=f'"{folder}/token"')
        assert done.returncode == 0, done.stdout
        seen = list(events(watch))
    finally:
        os.close(watch)
    # Made under its name, and its mode was never set.
    assert seen == [("token", IN_CREATE)], seen
    assert (folder / "token").stat().st_mode & 0o777 == 0o600
    assert tokens.SECRET.match((folder / "token").read_text())


@pytest.mark.one_core
def test_secrets_beside_the_entry_are_not_shown(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "tokens.yml"
    file.write_text(
        "pypi_users:\n- {name: bob, password: hunter2-in-clear}\npypi_tokens:\n- {id: x, secret: %s}\n" % ("5" * 64)
    )
    done = play("--diff", "-vvv", token_id="a", token_inventory=str(file))
    assert done.returncode == 0, done.stdout
    assert "hunter2" not in done.stdout
    assert "5" * 64 not in done.stdout


# Other files, and what is no place for an entry: plugin_utils/test_token_entries.py.
@pytest.mark.one_core
def test_what_else_is_in_the_file_of_the_inventory_stays(play: Play, tmp_path: Path) -> None:
    before = "pypi_tokens:  # as\r\n  # the first\r\n  -\r\n    id: x\r\n    hash: '%s'\r\nother: 1\r\n" % ("5" * 64)
    file = tmp_path / "tokens.yml"
    file.write_bytes(before.encode())
    file.chmod(0o640)
    done = play(token_id="a", token_inventory=str(file))
    assert done.returncode == 0, done.stdout
    assert file.stat().st_mode & 0o777 == 0o640
    had, has = yaml.safe_load(before), yaml.safe_load(file.read_text())
    assert has["pypi_tokens"].pop(0)["id"] == "a"
    assert has == had
    lines = file.read_bytes().decode().splitlines(keepends=True)
    assert [line for line in lines if "{id: a," not in line] == before.splitlines(keepends=True)


@pytest.mark.one_core
def test_a_file_that_an_entry_cannot_be_added_to_stays_as_it_is(play: Play, tmp_path: Path) -> None:
    before = "$ANSIBLE_VAULT;1.1;AES256\n3061\n"
    file = tmp_path / "tokens.yml"
    file.write_text(before)
    done = play(token_id="a", token_inventory=str(file), token_file=str(tmp_path / "token"))
    assert done.returncode != 0
    assert f"pypi_token_inventory: the entry cannot be added to {file}; give the unencrypted YAML file" in done.stdout
    assert file.read_text() == before
    assert not (tmp_path / "token").exists()


@pytest.mark.one_core
@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        ({}, ["pypi_token_id is missing; name the token: --extra-vars pypi_token_id=ci-acme"]),
        (
            {"token_id": "a", "token_expires": "2020-01-31"},
            ["pypi_token_expires: 2020-01-31 is over; give the last valid day"],
        ),
        # As Ansible reads --extra-vars: a second word is no part of the value.
        (
            {"token_id": "a", "token_publish": "acme-*, widgets"},
            ["--extra-vars: widgets belongs to no variable; separate"],
        ),
        (
            {
                "token_id": "alice",
                "token_publish": "Acme_*",
                "token_expires": "31.01.2099",
                "token_expire": "2099-03-31",
            },
            [
                "has an invalid expires: '31.01.2099'; give the last day of",
                "token 'alice' has the name of a login in pypi_users",
                "did you mean acme-*?",
                "did you mean pypi_token_expires?",
            ],
        ),
        (
            {"token_id": "a", "token_inventory": "missing/tokens.yml"},
            ["has no tokens yet, a new file in a folder that exists"],
        ),
        ({"token_id": "a", "token_inventory": "group_vars", "token_file": "new"}, ["cannot be added to"]),
        ({"token_id": "a", "token_inventory": "/proc/new.yml", "token_file": "new"}, ["so no token was made"]),
    ],
)
def test_what_is_wrong_is_named_and_no_token_is_made(
    play: Play, tmp_path: Path, variables: dict[str, str], sentences: list[str]
) -> None:
    (tmp_path / "group_vars").mkdir()
    done = play(**variables)
    assert done.returncode != 0
    assert [sentence for sentence in sentences if sentence not in done.stdout] == [], done.stdout
    assert not SHOWN.search(done.stdout)
    assert not (tmp_path / "new").exists()
