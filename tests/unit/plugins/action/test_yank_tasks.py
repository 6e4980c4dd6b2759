# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of the playbook yank.yml, run by Ansible on the index itself, which a program in the place of docker starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collection import ROOT
from tests.support import packages as made

Playbook = Callable[..., subprocess.CompletedProcess[str]]

WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
PLAY = f"""
- hosts: all
  gather_facts: false
  vars_files: [{ROOT}/roles/pypi/vars/main.yml, {ROOT}/roles/pypiserver/vars/main.yml]
  vars: {{pypi_instance: internal}}
  tasks:
    - ansible.builtin.include_tasks: {ROOT}/roles/pypiserver/tasks/yank.yml
"""
DOCKER = f"""#!/bin/sh
case "$*" in
ps*com.docker.compose.project=internal*com.docker.compose.service=pypi-server*oneoff=False*) cat "$HOME/containers"; exit ;;
exec*--interactive\\ 0123456789ab\\ python3*) shift 4 ;;
*) exit 125 ;;
esac
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={ROOT}/roles/pypiserver/files
export WHEELHOUSE_PACKAGES="$HOME/packages" WHEELHOUSE_INDEX="$HOME/index" WHEELHOUSE_LOGS="$HOME"
exec {sys.executable} "$@"
"""
SCAN = """
import sys
from pathlib import Path
from wheelhouse_index.server.keeper import Keeper
from wheelhouse_index.index.store import Store
store = Store(*map(Path, sys.argv[1:]))
store.prepare()
Keeper(store, 0.0).step()
"""
RELEASE = ("-e", "pypi_project=foo", "-e", "pypi_version=1.0")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with two files of a release, which runs; ``docker`` in it is its program."""
    home = tmp_path / "home"
    for folder in ("packages", "index", "bin"):
        (home / folder).mkdir(parents=True)
    for name in (WHEEL, SDIST):
        (home / "packages" / name).write_bytes(made.file(name))
    (home / "containers").write_text("0123456789ab\nba9876543210\n")
    (home / "bin/docker").write_text(DOCKER)
    (home / "bin/docker").chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/roles/pypiserver/files", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", SCAN, home / "packages", home / "index"], env=environment, check=True)
    # Where Ansible looks for what a role has in files/.
    (tmp_path / "files").mkdir()
    shutil.copy(ROOT / "roles/pypiserver/files/ask_index.sh", tmp_path / "files")
    return home


def yanked(home: Path) -> dict[str, str]:
    document = json.loads((home / "index/simple/foo/index.json").read_text())
    return {file["filename"]: file["yanked"] for file in document["files"] if "yanked" in file}


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a person sees, in one line."""
    return " ".join((done.stdout + done.stderr).split())


def test_a_check_says_what_a_run_does_and_a_second_run_changes_nothing(playbook: Playbook, home: Path) -> None:
    variables = (*RELEASE, "-e", """pypi_reason='it is "broken" & $HOME {x}'""")
    checked = playbook(PLAY, "--check", "--diff", *variables)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f'"Files to be yanked: 2. Unchanged: 0.", "{WHEEL}", "{SDIST}"' in said(checked)
    assert "changed=1" in checked.stdout and yanked(home) == {}
    done = playbook(PLAY, *variables)
    assert f'"Files yanked: 2. Unchanged: 0.", "{WHEEL}", "{SDIST}"' in said(done)
    assert "changed=1" in done.stdout
    assert yanked(home) == dict.fromkeys([WHEEL, SDIST], 'it is "broken" & $HOME {x}')
    again = playbook(PLAY, *variables)
    assert '"Files yanked: 0. Unchanged: 2."' in said(again)
    assert "changed=0" in again.stdout
    back = playbook(PLAY, *RELEASE, "-e", "pypi_unyank=true")
    assert '"Files unyanked: 2. Unchanged: 0."' in said(back)
    assert yanked(home) == {}


# By host, what is said of it and what it is refused with.
BAD_INPUT: dict[str, tuple[dict[str, object], str]] = {
    "nothing": (
        {},
        "pypi_project, pypi_file, pypi_login: missing; name a release (-e pypi_project=NAME -e pypi_version=VERSION)",
    ),
    "missing": (
        {"pypi_file": "foo-2.0.tar.gz"},
        "pypi_file: foo-2.0.tar.gz is not on this index: nothing was changed.",
    ),
    "number": (
        {"pypi_project": "foo", "pypi_version": 1.0},
        "pypi_version: 1.0 is not a text; quote it where it is set, as in pypi_version: '1.10'",
    ),
    "bell": (
        {"pypi_project": "foo", "pypi_version": "1.0", "pypi_reason": "a\x07b"},
        "A reason is one line of at most 1000 printable characters.",
    ),
    "maybe": (
        {"pypi_project": "foo", "pypi_version": "1.0", "pypi_unyank": "maybe"},
        "pypi_unyank: 'maybe' is neither true nor false",
    ),
}


@pytest.mark.one_core
def test_bad_input_fails_with_one_message(playbook: Playbook, home: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.json"
    hosts = {name: variables for name, (variables, _message) in BAD_INPUT.items()}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    done = playbook(PLAY, hosts=str(inventory))
    assert done.returncode == 2
    for name, (_variables, message) in BAD_INPUT.items():
        (fatal,) = [line for line in done.stdout.splitlines() if line.startswith(f"fatal: [{name}]")]
        assert message in " ".join(fatal.split()), done.stdout
    assert done.stdout.count("changed=0") == len(BAD_INPUT) and yanked(home) == {}


@pytest.mark.one_core
@pytest.mark.parametrize("check", [(), ("--check",)])
def test_an_index_that_does_not_run_is_named(playbook: Playbook, home: Path, check: tuple[str, ...]) -> None:
    (home / "containers").write_text("")
    done = playbook(PLAY, *RELEASE, *check)
    assert done.returncode == 2
    assert "pypi_instance: the index internal does not run on this host; run wheelhouse.pypi.site first" in said(done)
    (home / "bin/docker").write_text("#!/bin/sh\nexit 1\n")
    done = playbook(PLAY, *RELEASE, *check)
    assert done.returncode == 2
    assert "Docker does not answer on this host: nothing was changed. Start it, then run this again" in said(done)


@pytest.mark.one_core
@pytest.mark.parametrize(
    ("says", "code", "messages"),
    [
        ("echo No such container >&2", 1, ["No such container", "The run in the container ended with 1"]),
        # What Docker itself says of a process that it cannot start.
        ("echo OCI runtime exec failed", 126, ["OCI runtime exec failed", "The run in the container ended with 126"]),
        ("true", 137, ["The run in the container ended with 137, and did not say what it has done. Run it again"]),
    ],
)
def test_an_index_that_cannot_do_it_fails_the_run(
    playbook: Playbook, home: Path, says: str, code: int, messages: list[str]
) -> None:
    docker = home / "bin/docker"
    docker.write_text(docker.read_text().replace("shift 4", f"{says}; exit {code}"))
    done = playbook(PLAY, *RELEASE)
    assert done.returncode == 2 and "changed=0" in done.stdout, done.stdout
    assert all(message in said(done) for message in messages), done.stdout


@pytest.mark.one_core
def test_a_yank_that_the_change_log_lacks_is_said(playbook: Playbook, home: Path) -> None:
    docker = home / "bin/docker"
    docker.write_text(docker.read_text().replace('WHEELHOUSE_LOGS="$HOME"', "WHEELHOUSE_LOGS=/nonexistent"))
    done = playbook(PLAY, *RELEASE)
    assert done.returncode == 0 and yanked(home)
    assert "The change log lacks this, as logs/ cannot be written to: foo" in said(done)
