"""Running the collection's playbooks from a test, on the hosts of the Molecule scenario."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.clients import BIN

SITE = "wheelhouse.pypi.site"
# What applies other variables to an index that is there: neither its engine nor its folders and images are looked at.
SETTINGS = ("--tags", "users,pypiserver,nginx,stack")
_RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+).* failed=(?P<failed>\d+)", re.M)


class Run:
    """One run of ansible-playbook.

    Attributes:
        code: its exit code.
        output: what a person saw.
        changed: how many tasks changed something, on all hosts together.
    """

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output
        self.changed = sum(int(match["changed"]) for match in _RECAP.finditer(self.output))

    @property
    def proved_candidate(self) -> bool:
        """Whether a candidate was proved beside what serves."""
        return bool(re.search(r"Candidate \| Use it as clients do\] \*+\nok: ", self.output))

    def message(self) -> str:
        """Return the output with its line breaks and indents folded, as a sentence is searched in it."""
        return " ".join(self.output.split())


def run(playbook: str, *arguments: str, variables: Mapping[str, Any] | None = None) -> Run:
    """Run a playbook of the installed collection on the scenario's hosts.

    Args:
        playbook: a name such as wheelhouse.pypi.site, or a path.
        arguments: further arguments of ansible-playbook.
        variables: extra variables.
    """
    with _started(playbook, arguments, variables) as process:
        output, _ = process.communicate()
    return Run(process.returncode, output)


@contextmanager
def _started(
    playbook: str, arguments: Sequence[str], variables: Mapping[str, Any] | None
) -> Iterator[subprocess.Popen[str]]:
    """Start ansible-playbook; its extra variables are in a file, as a command line has no room for thousands of users."""
    # Molecule wants colours, which would be between the words.
    environment = {key: value for key, value in os.environ.items() if key not in ("ANSIBLE_FORCE_COLOR", "PY_COLORS")}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"pypi_hosts": "all", **(variables or {})}, file)
        file.flush()
        # The whole folder: in a file of its own there is who is reached over SSH.
        inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        command = [str(BIN / "ansible-playbook"), "--inventory", str(inventory), playbook]
        with subprocess.Popen(
            [*command, "--extra-vars", f"@{file.name}", *arguments],
            env={**environment, "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            yield process


@contextmanager
def running(playbook: str, *arguments: str, **variables: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a playbook in the background; what of it still runs at the end is killed, as by a lost controller."""
    with _started(playbook, arguments, variables) as process:
        try:
            yield process
        finally:
            for pid in [*_descendants(process.pid), process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Return the processes below one; Ansible's workers are in sessions of their own."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *_descendants(child))]


def applied(playbook: str, *arguments: str, **variables: Any) -> Run:
    """Run a playbook with these variables; fails with the whole output if the run does."""
    done = run(playbook, *arguments, variables=variables)
    assert done.code == 0, done.output
    return done


def site(*arguments: str, **variables: Any) -> Run:
    """Apply site.yml with these variables; fails with the whole output if the run does."""
    return applied(SITE, *arguments, **variables)


def refused(*arguments: str, playbook: str = SITE, **variables: Any) -> str:
    """Apply site.yml, or another playbook, with what it has to refuse, and return the message that a person sees."""
    done = run(playbook, *arguments, variables=variables)
    assert done.code != 0, f"the run went through:\n{done.output}"
    return done.message()


def says(message: str, *sentences: str) -> None:
    """Fail with the whole message if one of the sentences is not in it."""
    missing = [sentence for sentence in sentences if sentence not in message]
    assert not missing, f"these were not said: {missing}\nin: {message}"
