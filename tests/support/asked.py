"""Tasks that ask the index, run by Ansible on this machine: the index is its program, which one in the place of docker starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.collection import ROOT
from tests.support import packages as made

Playbook = Callable[..., subprocess.CompletedProcess[str]]
# By host, its variables and what it is refused with.
Rows = Mapping[str, tuple[Mapping[str, object], str]]

_DOCKER = f"""#!/bin/sh
case "$*" in
ps*com.docker.compose.project=internal*com.docker.compose.service=pypi-server*oneoff=False*) cat "$HOME/containers"; exit ;;
exec*--interactive\\ 0123456789ab\\ python3*) shift 4 ;;
*) exit 125 ;;
esac
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={ROOT}/roles/pypiserver/files
export WHEELHOUSE_PACKAGES="$HOME/packages" WHEELHOUSE_INDEX="$HOME/index" WHEELHOUSE_LOGS="$HOME"
export WHEELHOUSE_UPSTREAMS="$HOME/upstreams.json"
exec {sys.executable} "$@"
"""
_SCAN = """
from wheelhouse_index.public.opening import Opening
from wheelhouse_index.server.keeper import Keeper
from wheelhouse_index.server.settings import Settings
settings = Settings.of_environment()
store = settings.store()
store.prepare()
Keeper(store, 0.0, opening=Opening(store, settings.upstreams)).step()
"""


def play(tasks: str, **variables: Any) -> str:
    """Return a play of a task file of the role pypiserver."""
    return f"""
- hosts: all
  gather_facts: false
  vars_files: [{ROOT}/roles/pypi/vars/main.yml, {ROOT}/roles/pypiserver/vars/main.yml]
  vars: {json.dumps({"pypi_instance": "internal", **variables})}
  tasks:
    - ansible.builtin.include_tasks: {ROOT}/roles/pypiserver/tasks/{tasks}.yml
"""


def index(folder: Path, monkeypatch: pytest.MonkeyPatch, files: Iterable[str]) -> Path:
    """Make an index that runs, with these files, which were copied in a while ago; return its folder."""
    home = folder / "home"
    for name in ("packages", "index", "bin"):
        (home / name).mkdir(parents=True)
    for name in files:
        (home / "packages" / name).write_bytes(made.file(name))
        os.utime(home / "packages" / name, (1_790_000_000, 1_790_000_000))
    (home / "containers").write_text("0123456789ab\nba9876543210\n")
    (home / "bin/docker").write_text(_DOCKER)
    (home / "bin/docker").chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    # Where Ansible looks for what a role has in files/.
    (folder / "files").mkdir()
    shutil.copy(ROOT / "roles/pypiserver/files/ask_index.sh", folder / "files")
    scan(home)
    return home


def scan(home: Path) -> None:
    """Have the index take in what is in packages/."""
    subprocess.run([home / "bin/docker", "exec", "--interactive", "0123456789ab", "python3", "-c", _SCAN], check=True)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a person sees, in one line."""
    return " ".join((done.stdout + done.stderr).split())


def refused(playbook: Playbook, text: str, rows: Rows, folder: Path) -> None:
    """Run a play on a host for each row; fail where one of them is not refused in its words."""
    inventory = folder / "inventory.json"
    inventory.write_text(
        json.dumps({"all": {"hosts": {name: variables for name, (variables, _words) in rows.items()}}})
    )
    done = playbook(text, hosts=str(inventory))
    assert done.returncode == 2
    for name, (_variables, words) in rows.items():
        (fatal,) = [line for line in done.stdout.splitlines() if line.startswith(f"fatal: [{name}]")]
        assert words in " ".join(fatal.split()), done.stdout
    assert done.stdout.count("changed=0") == len(rows)
