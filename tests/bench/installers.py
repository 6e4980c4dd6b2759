"""Figures of installers: what pip and uv take for 20 packages, beside the same from open static files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from .figures import Figure
from .hosts import BIN, BenchError
from .pace import Pace, in_turn
from .sides import Side
from .store import kilos

_PACKAGES = 20


def figures(pace: Pace, ours: Side, static: Side) -> Iterator[Figure]:
    """Wall times with empty caches."""
    for name, installer in (("pip", _pip), ("uv", _uv)):
        # Once before it counts: Python's own files are read from disk then.
        for side in (ours, static):
            installer(side)
        here, there = in_turn(pace.rounds, *(partial(installer, side) for side in (ours, static)))
        yield Figure.quotient(f"{name}_vs_static", here, there)
        yield Figure.of(f"{name}_20_packages_s", "s", here)


def _pip(side: Side) -> float:
    host = urlsplit(side.url).hostname or ""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--trusted-host", host, "--dest"]
    return _timed(command, {"PIP_INDEX_URL": _address(side), "PIP_CONFIG_FILE": os.devnull})


def _uv(side: Side) -> float:
    command = [str(BIN / "uv"), "pip", "install", "--quiet", "--no-cache", "--no-config", "--no-deps"]
    command += ["--python", sys.executable, "--target"]
    return _timed(command, {"UV_DEFAULT_INDEX": _address(side)})


def _address(side: Side) -> str:
    return side.index.with_login(side.login)


def _timed(command: list[str], variables: dict[str, str]) -> float:
    """Run an installer for the packages into a fresh folder, and return the seconds.

    Raises:
        BenchError: if it does not bring all of them.
    """
    names = [release.project for release in kilos(_PACKAGES)]
    others = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS")
    environment = {name: value for name, value in os.environ.items() if name not in others}
    environment |= {"NO_PROXY": "*", "no_proxy": "*", **variables}
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [*command, folder, *names], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        took = time.perf_counter() - began
        brought = {path.name.partition("-")[0] for path in Path(folder).glob("project_*")}
    if done.returncode or len(brought) != _PACKAGES:
        raise BenchError(f"{command[0]} brought {len(brought)} of {_PACKAGES} packages:\n{done.stdout}{done.stderr}")
    return took
