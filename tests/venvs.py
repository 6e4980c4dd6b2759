"""Virtual environments beside ``.venv``: ``python -m tests.venvs core-2.18 importer`` makes them.

``.venv-NAME`` has what ``tests/requirements/NAME.txt`` says, and is made anew when that changes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.ground import bytecode
from tests.ground.uvenv import uv_environment

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "tests" / "requirements"
DEVELOPMENT = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
# Made of requirements-dev.txt, with the packages of their own file in place of the ones there.
OVERRIDING = frozenset({"core-2.18", "core-2.21"})
# These have what is newest today, and so are looked after each time.
NEWEST = frozenset({"pypiserver-newest"})


def folder(name: str) -> Path:
    """Return the folder of a virtual environment."""
    return ROOT / f".venv-{name}"


def sources(name: str) -> list[Path]:
    """Return the files that say what is in a virtual environment."""
    own = REQUIREMENTS / f"{name}.txt"
    return [own, *DEVELOPMENT] if name in OVERRIDING else [own]


def install_command(name: str, uv: Path) -> list[str]:
    """Return the command that installs what is in a virtual environment."""
    own = REQUIREMENTS / f"{name}.txt"
    wanted = ["-r", str(DEVELOPMENT[-1]), "--override", str(own)] if name in OVERRIDING else ["-r", str(own)]
    return [str(uv), "pip", "install", "--quiet", "--python", str(folder(name) / "bin" / "python"), *wanted]


def ensure(name: str) -> None:
    """Make a virtual environment if it is not there or not what its files say; bring it up to date if that is wanted.

    Raises:
        subprocess.CalledProcessError: when uv fails; it has said why.
    """
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources(name))).hexdigest()
    home = folder(name)
    stamp = home / "requirements.sha256"
    made = stamp.is_file() and stamp.read_text(encoding="utf-8") == digest
    if made and name not in NEWEST:
        return
    uv = ROOT / ".venv" / "bin" / "uv"  # also on the controller, whose Python is the system's
    environment = {**os.environ, **uv_environment()}
    if made:
        subprocess.run([*install_command(name, uv), "--upgrade"], env=environment, check=True)
        bytecode.ensure(home)
        return
    shutil.rmtree(home, ignore_errors=True)
    print(f"installing tests/requirements/{name}.txt into {home.name}", flush=True)
    subprocess.run([str(uv), "venv", "--quiet", "--python", sys.executable, str(home)], env=environment, check=True)
    subprocess.run(install_command(name, uv), env=environment, check=True)
    bytecode.ensure(home)
    stamp.write_text(digest, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the virtual environments that are named; return the exit code."""
    names = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    parser = argparse.ArgumentParser(prog="python -m tests.venvs", description="Makes virtual environments.")
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    try:
        for name in parser.parse_args(arguments).names:
            ensure(name)
    except subprocess.CalledProcessError as error:
        print(f"uv failed with code {error.returncode}: its message is above", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
