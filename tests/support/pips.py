"""Releases of pip, each run from its unpacked wheel: what people's machines have, from a distribution or a frozen image."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "pips"
# 20.3 and 21.3 ask for HTML alone, from 22.2 on JSON comes first. 22.3.1 to 23.1.2 look for metadata by the name that
# PEP 714 has taken back; Debian 12 has 23.0.1.
OLD = ("20.3", "21.3", "22.2", "22.3.1", "23.0.1", "23.1.2", "23.2", "24.0", "25.0")
# The one of .venv.
NEWEST = "newest"
VERSIONS = (*OLD, NEWEST)
ASKS_FOR_JSON = VERSIONS[VERSIONS.index("22.2") :]
READS_METADATA = VERSIONS[VERSIONS.index("23.2") :]


def command(version: str) -> list[str]:
    """Return the command that is this pip, from .cache/pips, where it is fetched to once.

    Raises:
        subprocess.CalledProcessError: when it cannot be fetched; pip has said why.
    """
    if version == NEWEST:
        return [sys.executable, "-m", "pip"]
    # Unpacked: Python compiles what is in a zip at each start.
    folder = CACHE / f"pip-{version}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as aside:
            fetch = ["download", "--quiet", "--no-deps", "--no-input", "--dest", aside, f"pip=={version}"]
            subprocess.run([sys.executable, "-m", "pip", *fetch], check=True)
            (wheel,) = Path(aside).iterdir()
            shutil.unpack_archive(wheel, Path(aside) / "pip", "zip")
            # Another run may have been faster.
            with suppress(OSError):
                os.replace(Path(aside) / "pip", folder)
    if not (folder / "pip" / "__pycache__").exists():
        # Python would compile it at each start where PYTHONDONTWRITEBYTECODE is set.
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run([sys.executable, "-m", "compileall", "-q", "-q", str(folder)], env=plain, check=False)
    return [sys.executable, str(folder / "pip")]


def run(version: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a pip with none of this machine's settings."""
    return subprocess.run(
        [*command(version), *map(str, arguments)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def download(version: str, address: str, dest: Path, projects: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Download projects and all that they need from one index."""
    options = ["--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-input"]
    host = re.sub(r"^\w+://([^/]*@)?([^/:]+).*", r"\2", address)
    return run(version, "download", *options, "--trusted-host", host, "--index-url", address, "--dest", dest, *projects)


def environment() -> dict[str, str]:
    """Return the environment without settings of pip, uv and proxies."""
    kept = {name: value for name, value in os.environ.items() if not re.match("(PIP|UV)_|.*proxy", name, re.IGNORECASE)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "*", "no_proxy": "*"}
