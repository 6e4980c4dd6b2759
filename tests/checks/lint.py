"""All linters over all files, side by side: ``python -m tests.checks.lint``, or ``… lint ruff mypy`` for some."""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.collection import DEVELOPED, ROOT, develop, tracked

PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Finished:
    """A linter that has run: its name, exit code, what it said, and how long it took in seconds."""

    name: str
    code: int
    output: str
    seconds: float


def linters(files: Sequence[Path]) -> dict[str, list[str]]:
    """Return the linters by name, each with its command; the slow ones first.

    Args:
        files: all files of the project, for linters that want a list.
    """
    yaml = [
        str(file) for file in files if file.suffix in (".yml", ".yaml") or file.name in (".ansible-lint", ".yamllint")
    ]
    shell = [str(file) for file in files if file.suffix in (".sh", ".bash") or file.parts[0] == ".ci"]
    return {
        "ansible-lint": ["ansible-lint", "--nocolor"],
        "mypy": ["mypy", "--no-color-output"],
        # By its path: by its name it would be the package Molecule. Side by side with the other, hence its own cache.
        "mypy-molecule": ["mypy", "--no-color-output", "--cache-dir", ".cache/mypy-molecule", "molecule"],
        "ruff": ["ruff", "check", "--output-format", "concise"],
        "format": ["ruff", "format", "--check"],
        "yamllint": ["yamllint", "--strict", "--format", "parsable", *yaml],
        "shellcheck": ["shellcheck", *filter(has_shebang, shell)],
        # Run by `sh -c`, as a text.
        "shellcheck-sh": ["shellcheck", "--shell=sh", *itertools.filterfalse(has_shebang, shell)],
        "changelog": ["antsibull-changelog", "lint"],
        "reference": ["python", "-m", "tests.reference", "--check"],
    }


def has_shebang(file: str) -> bool:
    """Say whether a script names its shell."""
    return (ROOT / file).read_bytes()[:2] == b"#!"


def run(name: str, command: Sequence[str]) -> Finished:
    """Run a linter to its end."""
    began = time.monotonic()
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(DEVELOPED),
    }
    done = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Finished(name, done.returncode, done.stdout.strip(), time.monotonic() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run linters, print what the failing ones said, and return the exit code."""
    every = linters(tracked())
    parser = argparse.ArgumentParser(prog="python -m tests.checks.lint", description="Runs linters over all files.")
    parser.add_argument("names", nargs="*", choices=[*every, []], metavar="NAME", help=", ".join(every))
    names = parser.parse_args(arguments).names or list(every)
    develop()
    with ThreadPoolExecutor(max_workers=2) as pool:
        finished = list(pool.map(lambda name: run(name, every[name]), names))
    for linter in finished:
        if linter.code:
            print(f"--- {linter.name}\n{linter.output}\n")
    for linter in finished:
        print(f"{linter.name:14} {'failed' if linter.code else 'passed'} {linter.seconds:6.1f} s")
    return 1 if any(linter.code for linter in finished) else 0


if __name__ == "__main__":
    sys.exit(main())
