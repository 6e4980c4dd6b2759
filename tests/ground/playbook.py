"""Running a playbook for people who want to see that it works, not all that it says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .paths import LOGS, ROOT, VENV
from .shell import GroundError, Step, say

# What callback/progress.py says to us: the task that is being done, and the two sums at the end.
NOW, STATS = "» ", "= "
_END_SECONDS = 20.0


@dataclass(frozen=True)
class Sums:
    """How many tasks a run had, and how many changed something."""

    tasks: int
    changed: int


def parse_sums(line: str) -> Sums:
    """Read the callback's last line."""
    tasks, changed = line.removeprefix(STATS).split()
    return Sums(int(tasks), int(changed))


def run(playbook: str, inventory: Path, variables: Mapping[str, object], step: Step) -> Sums:
    """Run a playbook; what changes is said at once, everything is in a log.

    Args:
        playbook: path, or name in a collection.
        inventory: folder or file.
        variables: extra ones.
        step: shows the task that is being done.

    Raises:
        GroundError: when it fails; Ansible has said why.
    """
    command = [str(VENV / "bin" / "ansible-playbook"), "--inventory", str(inventory), playbook]
    command += ["--extra-vars", json.dumps(variables)]
    sums = Sums(0, 0)
    log = LOGS / f"playbook-{Path(playbook.removesuffix('.yml')).name.rpartition('.')[2]}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8", buffering=1) as kept,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **_settings()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                if line.startswith(NOW):
                    step.detail = line.removeprefix(NOW).strip()
                elif line.startswith(STATS):
                    sums = parse_sums(line)
                elif line.strip():
                    say(f"  {line.rstrip()}")
        except KeyboardInterrupt:
            # At a terminal Ansible got the same signal, and ends its workers.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.terminate()
            raise
    if process.returncode:
        raise GroundError(f"Ansible failed with code {process.returncode} (see above; all of it is in {log})")
    return sums


def _settings() -> dict[str, str]:
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback"),
        "ANSIBLE_STDOUT_CALLBACK": "progress",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
        "PYTHONPATH": str(ROOT),
    }
