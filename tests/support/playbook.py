"""Running the collection's playbooks from a test, on the hosts of the Molecule scenario."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.support.clients import BIN

_RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+).* failed=(?P<failed>\d+)", re.M)


class Run:
    """One run of ansible-playbook.

    Attributes:
        code: its exit code.
        output: what a person saw.
        changed: how many tasks changed something, on all hosts together.
    """

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.output = done.stdout
        self.changed = sum(int(match["changed"]) for match in _RECAP.finditer(self.output))

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
    command = [str(BIN / "ansible-playbook"), "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], playbook]
    command += ["--extra-vars", json.dumps({"pypi_hosts": "all", **(variables or {})}), *arguments]
    return Run(
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    )


def site(*arguments: str, **variables: Any) -> Run:
    """Apply site.yml with these variables; fails with the whole output if the run does."""
    done = run("wheelhouse.pypi.site", *arguments, variables=variables)
    assert done.code == 0, done.output
    return done


def refused(*arguments: str, **variables: Any) -> str:
    """Apply site.yml with what it has to refuse, and return the message that a person sees."""
    done = run("wheelhouse.pypi.site", *arguments, variables=variables)
    assert done.code != 0, f"the run went through:\n{done.output}"
    return done.message()
