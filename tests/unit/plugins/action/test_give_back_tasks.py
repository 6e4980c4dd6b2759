# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of the playbook give_back.yml, run by Ansible on the index itself, which a program in the place of docker starts."""

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

WHEEL = "torch-1.0-py3-none-any.whl"
UPSTREAM = "https://public.example.org/simple/"
PLAY = f"""
- hosts: all
  gather_facts: false
  vars_files: [{ROOT}/roles/pypi/vars/main.yml, {ROOT}/roles/pypiserver/vars/main.yml]
  vars: {{pypi_instance: internal}}
  tasks:
    - ansible.builtin.include_tasks: {ROOT}/roles/pypiserver/tasks/give_back.yml
"""
DOCKER = f"""#!/bin/sh
case "$*" in
ps*com.docker.compose.project=internal*com.docker.compose.service=pypi-server*oneoff=False*) echo 0123456789ab; exit ;;
exec*--interactive\\ 0123456789ab\\ python3*) shift 4 ;;
*) exit 125 ;;
esac
exec {sys.executable} "$@"
"""
SCAN = """
import sys
from wheelhouse_index.public.opening import Opening
from wheelhouse_index.server.keeper import Keeper
from wheelhouse_index.server.settings import Settings
settings = Settings.of_environment()
store = settings.store()
store.prepare()
Keeper(store, 0.0, opening=Opening(store, settings.upstreams)).step()
"""
POLICY = {
    "digest": "0123456789ab",
    "upstreams": [{"url": UPSTREAM, "names": [], "hosts": ["public.example.org"], "no_upload_time": "refuse"}],
    "private": ["acme-*"],
    "shadowed": [],
    "minimum_age": 0,
    "denied": [],
    "allowed": [],
    "exempt": [],
    "freshness": 600,
}
CONFIRMED = ("-e", "pypi_project=Torch", "-e", "pypi_give_back_confirm=torch")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with a file of a project that upstream has, too; ``docker`` in it is its program."""
    home = tmp_path / "home"
    for folder in ("packages", "index", "logs", "bin"):
        (home / folder).mkdir(parents=True)
    (home / "packages" / WHEEL).write_bytes(made.file(WHEEL))
    # As it was copied in a while ago, it is recorded at once.
    os.utime(home / "packages" / WHEEL, (1_790_000_000, 1_790_000_000))
    (home / "upstreams.json").write_text(json.dumps(POLICY))
    (home / "bin/docker").write_text(DOCKER)
    (home / "bin/docker").chmod(0o755)
    # Not by tests.support.index_server: pypiserver's bottle, which that imports, keeps pytest from loading other conftest files.
    own = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}/roles/pypiserver/files",
        "PYTHONDONTWRITEBYTECODE": "1",
        "WHEELHOUSE_PACKAGES": str(home / "packages"),
        "WHEELHOUSE_INDEX": str(home / "index"),
        "WHEELHOUSE_LOGS": str(home / "logs"),
        "WHEELHOUSE_UPSTREAMS": str(home / "upstreams.json"),
        "HOME": str(home),
    }
    for name, value in {**own, "PATH": f"{home}/bin:{os.environ['PATH']}"}.items():
        if name.startswith("WHEELHOUSE_") or name in ("HOME", "PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
            monkeypatch.setenv(name, value)
    scan()
    # Where Ansible looks for what a role has in files/.
    (tmp_path / "files").mkdir()
    shutil.copy(ROOT / "roles/pypiserver/files/ask_index.sh", tmp_path / "files")
    return home


def scan() -> None:
    subprocess.run([sys.executable, "-c", SCAN], check=True)


def is_private(home: Path) -> bool:
    return (home / "packages/.wheelhouse/names/torch").exists()


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a person sees, in one line."""
    return " ".join((done.stdout + done.stderr).split())


def test_a_name_is_shown_then_given_back_and_a_second_run_changes_nothing(playbook: Playbook, home: Path) -> None:
    shown = playbook(PLAY, "-e", "pypi_project=torch")
    assert '"torch is private on this index. Nothing was changed."' in said(shown), shown.stdout
    assert f'"{WHEEL}: published 2026-09-21T14:13:20Z (copied), by no login, still here"' in said(shown), shown.stdout
    refused = playbook(PLAY, *CONFIRMED)
    assert refused.returncode == 2 and f"torch still has files: {WHEEL}. Remove them first" in said(refused)
    (home / "packages" / WHEEL).unlink()
    scan()
    checked = playbook(PLAY, "--check", "--diff", *CONFIRMED)
    assert f'"torch would be given back: {UPSTREAM} answers for it."' in said(checked), checked.stdout
    assert "changed=1" in checked.stdout and is_private(home)
    done = playbook(PLAY, *CONFIRMED)
    assert f'"torch was given back: {UPSTREAM} answers for it."' in said(done) and ", removed" in said(done)
    assert "changed=1" in done.stdout and not is_private(home)
    again = playbook(PLAY, *CONFIRMED)
    assert again.returncode == 0 and "changed=0" in again.stdout
    assert "torch is not private on this index: there is nothing to give back." in said(again)


# By host, what is said of it and what it is refused with.
BAD_INPUT: dict[str, tuple[dict[str, object], str]] = {
    "nothing": ({}, "pypi_project: missing; name the project, as in -e pypi_project=torch"),
    "path": ({"pypi_project": "../x"}, "pypi_project: '../x' is not the name of a project"),
    "other": (
        {"pypi_project": "torch", "pypi_give_back_confirm": "torc"},
        "pypi_give_back_confirm: 'torc' is another name than pypi_project ('torch')",
    ),
    "reserved": (
        {"pypi_project": "acme-x", "pypi_give_back_confirm": "acme-x"},
        "pypi_private_names: acme-* reserves acme-x for private packages",
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
    assert done.stdout.count("changed=0") == len(BAD_INPUT) and is_private(home)
