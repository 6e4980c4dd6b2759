"""Hosts of the benchmarks: made like those of the scenarios, reached over SSH."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ground.paths import ROOT

BIN = ROOT / ".venv" / "bin"
WORK = ROOT / ".cache" / "bench"
PLAYS = Path(__file__).resolve().parent / "plays"
HOSTS = tuple(f"bench-{number}" for number in range(1, 5))
_PLATFORMS = [{"name": name, "image": "engine", "labels": {"ssh": "true"}, "groups": ["pypi"]} for name in HOSTS]
# As docs/fleets.md recommends it for fleets.
_ENVIRONMENT = {
    "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_INJECT_FACT_VARS": "false",
    "ANSIBLE_FORKS": "10",
    "ANSIBLE_NOCOLOR": "1",
    "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
    "MOLECULE_EPHEMERAL_DIRECTORY": str(WORK),
}


class BenchError(Exception):
    """A measurement that could not be made, with what was printed."""


def play(playbook: str, *arguments: str, variables: Mapping[str, Any] | None = None) -> str:
    """Run a playbook and return its output.

    Raises:
        BenchError: if it fails.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    extra = WORK / "variables.json"
    extra.write_text(json.dumps(dict(variables or {})), encoding="utf-8")
    command = [str(BIN / "ansible-playbook"), "--inventory", str(WORK / "inventory"), playbook]
    return _run([*command, "--extra-vars", f"@{extra}", *arguments])


def on(host: str, script: Path, *arguments: str) -> None:
    """Run a shell script on a host, as root over SSH, as an administrator without Ansible would."""
    _run([*_ssh(host), "sudo", "sh", "-s", "--", *arguments], script.read_text(encoding="utf-8"))


def ask(host: str, *command: str) -> str:
    """Run a command in a host, past SSH, and return what it prints."""
    return _run(["docker", "exec", host, *command])


@contextmanager
def made() -> Iterator[None]:
    """Make the hosts, and remove them in the end."""
    inventory = WORK / "inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    _molecule("create.yml")
    try:
        (inventory / "groups.json").write_text(
            json.dumps({"all": {"children": {"pypi": {"hosts": {name: {} for name in HOSTS}}}}}), encoding="utf-8"
        )
        yield
    finally:
        _molecule("destroy.yml")


def _molecule(name: str) -> None:
    extra = json.dumps({"molecule_yml": {"platforms": _PLATFORMS}})
    _run([str(BIN / "ansible-playbook"), str(ROOT / ".config" / "molecule" / name), "--extra-vars", extra])


def variables_of(host: str) -> dict[str, Any]:
    """Return how Ansible reaches a host."""
    command = [str(BIN / "ansible-inventory"), "--inventory", str(WORK / "inventory"), "--host", host]
    found: dict[str, Any] = json.loads(_run(command))
    return found


def _ssh(host: str) -> list[str]:
    known = variables_of(host)
    return [
        *("ssh", "-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-i", str(known["ansible_ssh_private_key_file"]), f"{known['ansible_user']}@{known['ansible_host']}"),
    ]


def _run(command: Sequence[str], text: str | None = None) -> str:
    done = subprocess.run(
        command,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **_ENVIRONMENT},
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command[:6])} … failed:\n{done.stdout[-4000:]}")
    return done.stdout
