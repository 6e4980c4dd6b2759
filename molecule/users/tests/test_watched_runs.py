"""Runs that are watched: what processes and files they leave to see, and how often they hash."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbook import applied, running

testinfra_hosts = ["ansible://pypi-users-1"]

PLAYBOOK = str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml"))
FOLDER = "/home/pypi/pypi-server/authentication"
PASSWORDS = ("publisher-password", "reader-password", "second-password")
WATCH = "while sleep 0.02; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done >/run/watched 2>/dev/null"


@pytest.fixture(autouse=True)
def bare_hosts(host: Any) -> None:
    """Both hosts are without password files, so that a run has to make all of them."""
    other = host.get_host(f"ansible://pypi-users-2?ansible_inventory={os.environ['MOLECULE_INVENTORY_FILE']}")
    for each in (host, other):
        each.check_output(f"rm -f {FOLDER}/.htpasswd {FOLDER}/credentials.conf {FOLDER}/tokens.conf")


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
    host: Any, watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Modules go to the host as files, whose names are then seen in its process list.
    monkeypatch.setenv("ANSIBLE_PIPELINING", "false")
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(tmp_path))
    here: set[str] = set()
    with running(PLAYBOOK) as process, ThreadPoolExecutor(1) as pool:
        output = pool.submit(process.communicate)
        while process.poll() is None:
            here.update(processes_here())
            time.sleep(0.05)
        assert process.returncode == 0, output.result()[0]
    # What is asked of the host from here on is not the run's.
    host.check_output("systemctl stop watch")
    hashes = re.findall(r"\$2y\$[^\s:]+", host.file(f"{FOLDER}/.htpasswd").content_string)
    assert len(hashes) == 3

    # The watch saw the run.
    assert any("ansible-playbook" in shown for shown in here), here
    assert host.run(f"grep -aq AnsiballZ_htpasswd.py {watched}").rc == 0
    for secret in (*PASSWORDS, *hashes):
        assert not [shown for shown in here if secret in shown]
        assert host.run(f"grep -aF -- '{secret}' {watched}").stdout == ""

    assert host.check_output("find /root/.ansible /tmp /var/tmp -type f") == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    journal = host.check_output("journalctl --no-pager --output cat")
    assert "AnsiballZ" in journal or "ansible-wheelhouse.pypi.htpasswd" in journal, journal
    assert not [secret for secret in (*PASSWORDS, *hashes) if secret in journal]


def test_a_password_is_hashed_or_verified_once_in_a_run_for_all_hosts() -> None:
    # Three passwords for four logins on two hosts; the fourth password has a ready-made hash.
    for counts in (("3", "0"), ("0", "3")):
        output = applied(PLAYBOOK, "-v", pypi_no_log=False).output
        found = [re.findall(rf"^\s+{word}: (\d+)$", output, re.MULTILINE) for word in ("hashed", "verified")]
        assert found == [[count] for count in counts], output
