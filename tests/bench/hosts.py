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
# A fleet for rollouts, and the one that all sides of the serving figures run on.
HOSTS = tuple(f"bench-{number}" for number in range(1, 5))
SERVING = "bench-serving"
# An index of another commit beside it.
BEFORE = "bench-before"
COLLECTIONS = ROOT / ".cache" / "collections"
# As docs/fleets.md recommends it for fleets.
_ENVIRONMENT = {
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_INJECT_FACT_VARS": "false",
    "ANSIBLE_FORKS": "10",
    "ANSIBLE_NOCOLOR": "1",
    "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
    "MOLECULE_EPHEMERAL_DIRECTORY": str(WORK),
}


class BenchError(Exception):
    """A measurement that could not be made, with what was printed."""


def play(
    playbook: str, *arguments: str, variables: Mapping[str, Any] | None = None, collections: Path = COLLECTIONS
) -> str:
    """Run a playbook of the collection in a folder, and return its output.

    Raises:
        BenchError: if it fails.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    extra = WORK / "variables.json"
    extra.write_text(json.dumps(dict(variables or {})), encoding="utf-8")
    command = [str(BIN / "ansible-playbook"), "--inventory", str(WORK / "inventory"), playbook]
    return run([*command, "--extra-vars", f"@{extra}", *arguments], collections=collections)


def on(host: str, script: Path, *arguments: str) -> None:
    """Run a shell script on a host, as root over SSH, as an administrator without Ansible would."""
    run([*_ssh(host), "sudo", "sh", "-s", "--", *arguments], script.read_text(encoding="utf-8"))


def ask(host: str, *command: str) -> str:
    """Run a command in a host, past SSH, and return what it prints."""
    return run(["docker", "exec", host, *command])


def send(host: str, source: Path, target: str, *, owner: str = "0:0") -> None:
    """Copy a folder's files into a folder of a host, as one stream.

    Raises:
        BenchError: if they do not arrive.
    """
    user, group = owner.split(":")
    ask(host, "install", "-d", "-o", user, "-g", group, target)
    # What is there already is not touched: a backup takes a file for a changed one if but its owner was set again.
    owned = [f"--owner={user}", f"--group={group}", "--numeric-owner"]
    packed = subprocess.Popen(["tar", "-c", *owned, "-C", str(source), "."], stdout=subprocess.PIPE)
    unpack = ["tar", "-x", "--same-owner", "--numeric-owner", "--no-overwrite-dir", "-C", target, "-f", "-"]
    done = subprocess.run(
        ["docker", "exec", "-i", host, *unpack], stdin=packed.stdout, capture_output=True, check=False
    )
    if packed.wait() or done.returncode:
        raise BenchError(f"{source} did not get to {host}: {done.stderr.decode()[-2000:]}")


def address(host: str) -> str:
    """Return the address at which this machine reaches a host."""
    return ask(host, "sh", "-c", "ip -4 -o address show dev eth0 | awk '{print $4}' | cut -d/ -f1").strip()


@contextmanager
def made(names: Sequence[str], *, keep: bool = False) -> Iterator[None]:
    """Make hosts, and remove them in the end unless somebody wants to look at them."""
    inventory = WORK / "inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    _molecule("create.yml", names)
    try:
        (inventory / "groups.json").write_text(
            json.dumps({"all": {"children": {"pypi": {"hosts": {name: {} for name in names}}}}}), encoding="utf-8"
        )
        yield
    finally:
        if not keep:
            _molecule("destroy.yml", names)


def _molecule(playbook: str, names: Sequence[str]) -> None:
    platforms = [{"name": name, "image": "engine", "labels": {"ssh": "true"}, "groups": ["pypi"]} for name in names]
    extra = json.dumps({"molecule_yml": {"platforms": platforms}})
    run([str(BIN / "ansible-playbook"), str(ROOT / ".config" / "molecule" / playbook), "--extra-vars", extra])


def variables_of(host: str) -> dict[str, Any]:
    """Return how Ansible reaches a host."""
    command = [str(BIN / "ansible-inventory"), "--inventory", str(WORK / "inventory"), "--host", host]
    found: dict[str, Any] = json.loads(run(command))
    return found


def _ssh(host: str) -> list[str]:
    known = variables_of(host)
    return [
        *("ssh", "-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-i", str(known["ansible_ssh_private_key_file"]), f"{known['ansible_user']}@{known['ansible_host']}"),
    ]


def run(command: Sequence[str], text: str | None = None, *, collections: Path = COLLECTIONS) -> str:
    """Run a command with some text as its input, and return what it prints.

    Raises:
        BenchError: if it fails.
    """
    done = subprocess.run(
        command,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **_ENVIRONMENT, "ANSIBLE_COLLECTIONS_PATH": str(collections)},
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command[:6])} … failed:\n{done.stdout[-4000:]}")
    return done.stdout
