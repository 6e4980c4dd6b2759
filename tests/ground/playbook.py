"""Running a playbook for people who want to see that it works, not all that it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .paths import LOGS, ROOT, VENV
from .shell import GroundError, Step, say

# What Ansible's own output says of a task, and of a host at the end.
_TASK = re.compile(r"(?:TASK|RUNNING HANDLER) \[(?:wheelhouse\.pypi\.)?(?P<name>.*)\] \**$")
_RESULT = re.compile(r"(?P<word>ok|changed|skipping|included|fatal|failed|FAILED - RETRYING|PLAY|\[[A-Z ]+\])[: ]")
_CHANGED = re.compile(r" changed=(\d+) ")
# Beside the name of a task that changes something, a person sees what stands behind these, to its end.
_SHOWN = ("fatal", "failed", "FAILED - RETRYING", "[WARNING]", "[ERROR]", "[DEPRECATION WARNING]")
_END_SECONDS = 20.0


@dataclass(frozen=True)
class Sums:
    """How many tasks a run had, and how many changed something."""

    tasks: int
    changed: int


class Watch:
    """What Ansible prints, line by line: which task is being done, what changed, and what a person is to see of it."""

    def __init__(self) -> None:
        self.task = ""
        self.tasks = self.changed = 0
        self._began = 0.0
        self._noted = self._shown = False

    def line(self, line: str) -> str:
        """Take a line; return what to show, which may be nothing."""
        if task := _TASK.match(line):
            self.task, self._began = task["name"], time.monotonic()
            self.tasks += 1
            self._noted = self._shown = False
        elif result := _RESULT.match(line):
            self._shown = result["word"] in _SHOWN
            if result["word"] == "changed" and not self._noted:
                self._noted = True
                return f"{self.task} … {time.monotonic() - self._began:.1f} s"
            if result["word"] in ("fatal", "failed"):
                return f"{self.task}\n  {line}"
        elif found := _CHANGED.search(line):
            self.changed += int(found[1])
        return line if self._shown else ""


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
    watch = Watch()
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
                shown = watch.line(line.rstrip())
                step.detail = watch.task
                if shown:
                    say(f"  {shown}")
        except KeyboardInterrupt:
            # At a terminal Ansible got the same signal, and ends its workers.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.terminate()
            raise
    if process.returncode:
        raise GroundError(f"Ansible failed with code {process.returncode} (see above; all of it is in {log})")
    return Sums(watch.tasks, watch.changed)


def _settings() -> dict[str, str]:
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_DISPLAY_OK_HOSTS": "true",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
        "PYTHONPATH": str(ROOT),
    }
