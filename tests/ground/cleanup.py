"""Removing what the proving ground made."""

from __future__ import annotations

import shutil
import subprocess

from .images import REPOSITORY
from .paths import CACHE
from .shell import output, step

LABEL = "wheelhouse-ground"


def _lines(command: list[str]) -> list[str]:
    return (output(command) or "").split()


def clean() -> None:
    """Remove our containers with their volumes, our images, archives and logs; the engine stays as it is."""
    with step("cleaning"):
        containers = _lines(["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}"])
        if containers:
            subprocess.run(
                ["docker", "rm", "--force", "--volumes", *containers], check=False, stdout=subprocess.DEVNULL
            )
        names = _lines(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{REPOSITORY}/*"])
        if names:
            subprocess.run(["docker", "image", "rm", "--force", *names], check=False, stdout=subprocess.DEVNULL)
        for folder in ("archives", "roots"):
            shutil.rmtree(CACHE / folder, ignore_errors=True)
