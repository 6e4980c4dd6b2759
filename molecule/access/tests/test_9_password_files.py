"""The password files have the logins of the inventory and no others; secrets are nowhere else.

Two indexes beside the scenario's, on its host, of which password files are all that there is; their lists differ. What is
refused, kept and replaced: tests/unit/plugins.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import bcrypt

from tests.support import playbook
from tests.support.playbook import Run

PLAYBOOK = os.environ["MOLECULE_SCENARIO_DIRECTORY"] + "/password_files.yml"
FOLDER, OTHER_FOLDER = "/srv/first/authentication", "/srv/second/authentication"
FILES = (".htpasswd", "credentials.conf", "tokens.conf")
GIVEN = "$2y$05$mhDutzNb4qWoWRCg4lQXJOVn1nSmCN7qqCKd4yEOcvwLCpNtEsZ/S"
PUBLISHER = {"name": "publisher", "password": "publisher-password", "publish": True}
READER = {"name": "reader", "password": "reader-password"}
SECOND = {"name": "second", "password": "second-password"}
PASSWORDS = ("publisher-password", "reader-password", "second-password")
SECRETS = (*PASSWORDS, "given-password", "another-password", "$2y$")
WATCH = "while sleep 0.02; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done >/run/watched 2>/dev/null"


@pytest.fixture(scope="module")
def inventory(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two names of the scenario's host, each with an index of its own."""
    users = {"first": [PUBLISHER, READER, {"name": "given", "hash": GIVEN}], "second": [READER, SECOND]}
    hosts = {
        name: {
            "ansible_host": host.backend.hostname,
            "pypi_instance": name,
            "pypi_home": f"/srv/{name}",
            "pypi_http_port": port,
            "pypi_users": users[name],
        }
        for port, name in enumerate(users, 8081)
    }
    # Cheap, because the tests hash a lot.
    variables = {"ansible_connection": "community.docker.docker", "pypi_bcrypt_cost": 6}
    file = tmp_path_factory.mktemp("inventory") / "password_files.json"
    file.write_text(json.dumps({"password_files": {"hosts": hosts, "vars": variables}}))
    return file


@pytest.fixture(scope="module")
def first(inventory: Path) -> tuple[str, ...]:
    """Arguments of ansible-playbook for the first index alone."""
    return ("--inventory", str(inventory), "--limit", "first")


@pytest.fixture(scope="module", autouse=True)
def converged(host: Any, inventory: Path) -> list[str]:
    """Both indexes have their files; what was said of hashing, in that run and the next."""
    # As an earlier verify of the scenario has left them.
    host.check_output("rm -rf /srv/first /srv/second")
    outputs = []
    for changed in (True, False):
        done = playbook.applied(PLAYBOOK, "--inventory", str(inventory), "-v", pypi_no_log=False)
        assert (done.changed > 0) == changed, done.output
        outputs.append(done.output)
    return outputs


@pytest.fixture(autouse=True)
def _as_converged(host: Any, converged: list[str]) -> Iterator[None]:
    """After each test the files are as that run left them."""
    saved = host.check_output(f"cd {FOLDER} && tar -c . | base64 --wrap 0")
    yield
    host.check_output(f"cd {FOLDER} && rm -rf .ht* * && echo '{saved}' | base64 --decode | tar -x")


def applied(first: tuple[str, ...], *arguments: str, **variables: Any) -> Run:
    """Run the playbook on the first index, and fail with its output if it fails."""
    return playbook.applied(PLAYBOOK, *first, *arguments, **variables)


def lines(host: Any, folder: str = FOLDER) -> dict[str, str]:
    """Return the hashes of the password file by login."""
    return dict(line.split(":", 1) for line in host.file(f"{folder}/.htpasswd").content_string.splitlines())


def rights(host: Any) -> list[tuple[str, str]]:
    """Return the map of logins to rights."""
    content = host.file(f"{FOLDER}/credentials.conf").content_string
    return re.findall('"(~.*)" "(.*)";', content.partition("$pypi_login_rights")[2])


def test_files_are_roots_and_readable_for_the_service_accounts_group(host: Any) -> None:
    for name in FILES:
        file = host.file(f"{FOLDER}/{name}")
        assert (file.user, file.group, file.mode) == ("root", "pypi", 0o640), name


def test_passwords_are_bcrypt_of_the_wanted_cost(host: Any) -> None:
    found = lines(host)
    assert list(found) == ["publisher", "reader", "given"]
    for login in ("publisher", "reader"):
        assert found[login].startswith("$2y$06$")
        assert bcrypt.verify(f"{login}-password", found[login])


def test_a_hash_is_taken_as_it_is(host: Any) -> None:
    assert lines(host)["given"] == GIVEN
    assert bcrypt.verify("given-password", GIVEN)


def test_a_password_is_hashed_or_verified_once_in_a_run_for_all_hosts(host: Any, converged: list[str]) -> None:
    # Three passwords for four logins on two hosts; the fourth password has a ready-made hash.
    for output, counts in zip(converged, (("3", "0"), ("0", "3")), strict=True):
        found = [re.findall(rf"^\s+{word}: (\d+)$", output, re.MULTILINE) for word in ("hashed", "verified")]
        assert found == [[count] for count in counts], output
    assert list(lines(host, OTHER_FOLDER)) == ["reader", "second"]
    assert lines(host, OTHER_FOLDER)["reader"] == lines(host)["reader"]


def test_what_changes_is_replaced_and_the_rest_stays(host: Any, first: tuple[str, ...]) -> None:
    before = lines(host)
    users = [{**PUBLISHER, "publish": False}, {**READER, "password": "another-password", "publish": True}]
    done = applied(first, "--diff", pypi_users=users)
    after = lines(host)
    assert list(after) == ["publisher", "reader"]
    assert after["publisher"] == before["publisher"]
    assert bcrypt.verify("another-password", after["reader"])
    for change in ("~ reader: password changed", "- given"):
        assert change in done.output, done.output
    assert "~ publisher: may not publish any more" in done.output
    assert "may publish now" in done.output
    assert rights(host) == [("~^reader$", "publish")]
    assert not [secret for secret in SECRETS if secret in done.output]


def test_who_leaves_the_list_leaves_the_host_unless_somebody_else_keeps_it(host: Any, first: tuple[str, ...]) -> None:
    by_hand = f"by-hand:{lines(host)['given']}\n# a remark: by hand\n"
    host.check_output(f"printf %s >> {FOLDER}/.htpasswd", by_hand)
    applied(first, pypi_users_purge=False)
    assert host.file(f"{FOLDER}/.htpasswd").content_string.endswith(by_hand)
    applied(first, pypi_users=[READER])
    assert list(lines(host)) == ["reader"]


def test_an_empty_list_empties_no_file(host: Any, first: tuple[str, ...]) -> None:
    before = lines(host)
    applied(first, pypi_users=[], pypi_authenticate=["update"], pypi_anonymous_uploads=True)
    assert lines(host) == before


def test_many_users_are_one_read_and_one_write_and_no_secret_is_seen(host: Any, first: tuple[str, ...]) -> None:
    many = [{"name": f"user{n}", "password": f"another-password-{n}"} for n in range(30)]
    done = applied(first, "-vvv", "--diff", pypi_users=[PUBLISHER, READER, *many])
    assert len(lines(host)) == 32
    calls = [line for line in done.output.splitlines() if "Using module file" in line and "htpasswd" in line]
    assert len(calls) == 2, calls
    assert not [secret for secret in SECRETS if secret in done.output]
    journal = host.check_output("journalctl --no-pager --output cat")
    assert not [secret for secret in SECRETS if secret in journal]
    assert (
        host.run("grep -rlE 'publisher-password|another-password' /home /srv/first /root /tmp /var/log /var/tmp").stdout
        == ""
    )


@pytest.fixture
def watched(host: Any) -> Iterator[Path]:
    """What the host's processes show of themselves from now on, in a file there."""
    host.check_output("systemd-run --quiet --unit watch sh -c %s", WATCH)
    yield Path("/run/watched")
    host.check_output("systemctl stop watch; rm /run/watched")


def processes_here() -> Iterator[str]:
    """What the processes of this scenario on the controller show of themselves."""
    ours = f"MOLECULE_SCENARIO_NAME={os.environ['MOLECULE_SCENARIO_NAME']}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            if ours in environment.split(b"\0"):
                yield ((process / "cmdline").read_bytes() + environment).decode(errors="replace")
        except OSError:
            continue


def test_no_password_or_hash_is_in_a_process_list_or_left_in_a_file(
    host: Any, inventory: Path, watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without password files a run has to make all of them.
    for folder in (FOLDER, OTHER_FOLDER):
        host.check_output(f"cd {folder} && rm {' '.join(FILES)}")
    # Modules go to the host as files, whose names are then seen in its process list.
    monkeypatch.setenv("ANSIBLE_PIPELINING", "false")
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(tmp_path))
    # Docker has one of runc's for as long as a health check runs.
    find = "find /root/.ansible /tmp /var/tmp -type f ! -name 'runc-process*'"
    files = host.check_output(find)
    here: set[str] = set()
    with playbook.running(PLAYBOOK, "--inventory", str(inventory)) as process, ThreadPoolExecutor(1) as pool:
        output = pool.submit(process.communicate)
        while process.poll() is None:
            here.update(processes_here())
            time.sleep(0.05)
        assert process.returncode == 0, output.result()[0]
    # What is asked of the host from here on is not the run's.
    host.check_output("systemctl stop watch")
    hashes = [*lines(host).values(), *lines(host, OTHER_FOLDER).values()]
    assert len(set(hashes)) == 4

    # The watch saw the run.
    assert any("ansible-playbook" in shown for shown in here), here
    assert host.run(f"grep -aq AnsiballZ_htpasswd.py {watched}").rc == 0
    for secret in (*PASSWORDS, *hashes):
        assert not [shown for shown in here if secret in shown]
        assert host.run(f"grep -aF -- '{secret}' {watched}").stdout == ""

    assert host.check_output(find) == files
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    journal = host.check_output("journalctl --no-pager --output cat")
    assert "AnsiballZ" in journal or "ansible-wheelhouse.pypi.htpasswd" in journal, journal
    assert not [secret for secret in (*PASSWORDS, *hashes) if secret in journal]
