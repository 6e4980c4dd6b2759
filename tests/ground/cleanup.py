"""Removing what the proving ground made."""

from __future__ import annotations

import shutil
import subprocess

from . import engine, images
from .paths import CACHE
from .shell import GroundError, output, say, step

LABEL = "wheelhouse-ground"


def clean() -> None:
    """Remove our containers with their volumes, our images, archives and logs, and stop the engine if it is ours."""
    if CACHE.exists() and shutil.which("docker") and not engine.answers():
        try:
            engine.up()  # containers and images are on its disk
        except GroundError as error:
            say(f"{error}\nContainers and images of the proving ground, if it has any, are still there.")
    with step("cleaning"):
        _remove(["container", "rm", "--force", "--volumes"], _containers())
        _remove(["image", "rm", "--force"], list(images.here()))
        for folder in ("archives", "roots"):
            shutil.rmtree(CACHE / folder, ignore_errors=True)
    engine.retire()


def _containers() -> list[str]:
    listed = output(["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}"])
    return (listed or "").split()


def _remove(command: list[str], names: list[str]) -> None:
    if names:
        subprocess.run(["docker", *command, *names], check=False, stdout=subprocess.DEVNULL)
