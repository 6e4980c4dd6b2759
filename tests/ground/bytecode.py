"""Compiles what a virtual environment's programs import: ``python -m tests.ground.bytecode .venv``.

Where PYTHONDONTWRITEBYTECODE is set, as for tests, Python would compile it again with every run of Ansible.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Ansible compiles collections by itself, and keeps nothing; of the others hardly anything is ever imported.
_LEFT_OUT = "/site-packages/(ansible_collections|ansible_test|black|botocore|docutils|moto|mypy|setuptools)/"


def command(folder: Path) -> list[str]:
    """Return the command that compiles a virtual environment's packages by its own Python."""
    return [str(folder / "bin" / "python"), "-m", "compileall", "-q", "-q", "-x", _LEFT_OUT, str(folder / "lib")]


def ensure(folder: Path) -> None:
    """Compile what has changed. Some packages bring files that are no Python, or not this one's: that is no error."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command(folder), env=environment, check=False)


if __name__ == "__main__":
    ensure(Path(sys.argv[1]))
