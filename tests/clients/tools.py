"""Tools, and releases of them, each in a virtual environment of its own below .cache/clients."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ground.uvenv import uv_environment

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "clients"
UV = Path(sys.executable).with_name("uv")
# What an index that is the only one also has to have: environments and isolated builds begin with these.
SEEDS = ("pip", "setuptools", "wheel", "flit_core")


@dataclass(frozen=True)
class Tool:
    """A release of a tool.

    Attributes:
        name: of its project on PyPI.
        version: the release.
        until: for an old release, the day whose newest dependencies it gets; what came later may not fit.
        more: packages beside it.
    """

    name: str
    version: str
    until: str = ""
    more: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return CACHE / f"{self.name}-{self.version}"

    def program(self, name: str = "") -> str:
        """Return the path of a program of it."""
        return str(self.folder / "bin" / (name or self.name))

    def install(self) -> None:
        """Install it from PyPI, unless it is there.

        Raises:
            subprocess.CalledProcessError: when uv fails; it has said why.
        """
        done = self.folder / ".installed"
        if done.exists():
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("w") as lock:
            # Two scenarios may want it at once.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                self._install()
                done.touch()

    def _install(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        environment = {**os.environ, **uv_environment()}
        python = self.folder / "bin" / "python"
        newest = ["--exclude-newer", self.until] if self.until else []
        wanted = [f"{self.name}=={self.version}", *self.more]
        # pip-tools runs the pip of its environment, and needs one of its time.
        wanted += ["pip", "setuptools", "wheel"] if self.name in ("pip-tools", "build") else []
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, self.folder], env=environment, check=True)
        install = [str(UV), "pip", "install", "--quiet", "--python", str(python), *newest, *wanted]
        subprocess.run(install, env=environment, check=True)


# Old releases from the time before the newest one of 2024; of uv the oldest that is still met in frozen images.
TWINE = (Tool("twine", "4.0.2", "2024-01-01"), Tool("twine", "5.1.1", "2024-08-01"), Tool("twine", "7.0.0"))
UVS = (Tool("uv", "0.5.31", "2025-03-01"), Tool("uv", "0.13.9"))
POETRY = (Tool("poetry", "1.8.5", "2025-01-01"), Tool("poetry", "2.0.1", "2025-02-01"), Tool("poetry", "2.5.1"))
PDM = (Tool("pdm", "2.20.1", "2024-11-15"), Tool("pdm", "2.29.4", more=("hishel<2",)))
HATCH = (Tool("hatch", "1.12.0", "2024-08-01"), Tool("hatch", "1.18.2"))
FLIT = (Tool("flit", "3.9.0", "2024-01-01"), Tool("flit", "4.2.0"))
MATURIN = (Tool("maturin", "1.7.0", "2024-08-01"), Tool("maturin", "1.16.0"))
PIPENV = (Tool("pipenv", "2024.0.1", "2024-09-01"), Tool("pipenv", "2026.10.3"))
PIP_TOOLS = (Tool("pip-tools", "7.4.1", "2024-06-01"), Tool("pip-tools", "7.6.2"))
PIPX = (Tool("pipx", "1.7.1", "2024-09-01"), Tool("pipx", "1.18.4"))
PEX = (Tool("pex", "2.20.0", "2024-10-01"), Tool("pex", "2.105.2"))
BUILD = (Tool("build", "1.2.1", "2024-06-01"), Tool("build", "1.6.1"))
TOX_UV = (Tool("tox", "4.67.15", more=("tox-uv",)),)


def seeds() -> list[Path]:
    """Return the wheels that environments and isolated builds begin with; they are fetched once."""
    folder = CACHE / "seeds"
    if not folder.is_dir():
        fetch = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", f"{folder}.part", *SEEDS]
        subprocess.run([sys.executable, "-m", "pip", *fetch], check=True)
        Path(f"{folder}.part").rename(folder)
    return sorted(folder.iterdir())


def environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with a home of its own, and none of this machine's settings of tools and proxies."""
    unwanted = r"(PIP|UV|TWINE|POETRY|PDM|HATCH|FLIT|MATURIN|PIPENV|PIPX|PEX|TOX|XDG|VIRTUAL_ENV|PYTHON)(_|$)|.*proxy"
    kept = {name: value for name, value in os.environ.items() if not re.match(unwanted, name, re.IGNORECASE)}
    home.mkdir(exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "NO_PROXY": "*",
        "no_proxy": "*",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "200",
        "CI": "1",
        **variables,
    }


def run(
    command: list[str], folder: Path, variables: Mapping[str, str], seconds: float = 180, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a tool in a folder, with this standard input; what it says on both outputs is in `stdout`."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder / "home", variables),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
