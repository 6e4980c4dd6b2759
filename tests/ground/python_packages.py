"""PyPI's distributions for an image, fetched by this machine's uv: its index and certificates stay outside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import uvenv
from .paths import LOGS, ROOT, VENV
from .recipes import StandIn
from .shell import GroundError, run_logged


def uv() -> Path:
    """Return the path of uv in ``.venv``, which is made where it is missing."""
    program = VENV / "bin" / "uv"
    if not program.exists():
        code = subprocess.call([str(ROOT / "tests" / "ground" / "bootstrap.sh"), "uv"], stdout=2)
        if code:
            raise GroundError("uv could not be installed (see above)")
    return program


def install(recipe: StandIn, folder: Path) -> Path:
    """Install the recipe's distributions, wheels only, into a folder, and return it.

    Raises:
        GroundError: with the end of the log.
    """
    settings = {**uvenv.uv_environment(), "UV_PYTHON_DOWNLOADS": "never"}
    command = [str(uv()), "pip", "install", "--quiet", "--target", str(folder), "--link-mode", "copy"]
    command += ["--python-version", recipe.python_version, "--only-binary", ":all:", *recipe.python]
    os.environ.update({name: value for name, value in settings.items() if name not in os.environ})
    run_logged(command, LOGS / f"{recipe.name}-python.log", "Is PyPI, or pip's index-url, reachable?")
    return folder
