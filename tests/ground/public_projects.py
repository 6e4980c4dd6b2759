"""Wheels of real projects for the stand-in of a public index (public_index), downloaded by pip once."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from .paths import ARCHIVES, LOGS, VENV
from .shell import run_logged, say, step

# Below the folder that hosts find as /srv/ground.
LINK = ARCHIVES / "public"
# What installs on any Python; several releases of some, of which click 8.2.2 and urllib3 2.0.1 were yanked.
PINNED = (
    *("anyio==4.16.0", "attrs==26.1.0", "attrs==25.3.0", "blinker==1.9.0", "cachetools==8.0.2", "cachetools==5.5.2"),
    *("certifi==2026.10.19.post1", "click==8.5.1", "click==8.2.2", "click==8.1.8", "colorama==0.4.6"),
    *("docopt-ng==0.9.0", "exceptiongroup==1.3.2", "filelock==4.3.1", "flask==3.1.3", "flask==2.3.3", "h11==0.16.0"),
    *("httpcore==1.0.9", "httpx==0.28.1", "httpx==0.27.2", "humanize==4.17.0", "idna==3.20", "iniconfig==2.3.1"),
    *("itsdangerous==2.2.0", "jinja2==3.1.6", "markdown-it-py==4.3.0", "mdurl==0.1.2", "more-itertools==11.2.1"),
    *("packaging==26.4", "packaging==24.2", "pip==25.3", "platformdirs==4.14.8", "pluggy==1.7.0", "pygments==2.21.0"),
    *("pyparsing==3.3.3", "pytest==9.2.0", "pytest==8.3.5", "python-dateutil==4.0.0", "requests==2.34.2"),
    *("requests==2.32.5", "rich==15.0.0", "rich==13.9.4", "tabulate==0.10.0", "tqdm==4.70.1"),
    *("typing-extensions==4.16.0", "urllib3==2.8.0", "urllib3==2.2.3", "urllib3==2.0.1", "urllib3==1.26.20"),
    *("werkzeug==3.1.9", "werkzeug==2.3.8", "zipp==4.1.2", "six==1.17.0"),
)
# What is compiled: a wheel for each Python that tests and hosts have.
COMPILED = ("markupsafe==3.0.4", "charset-normalizer==3.5.3")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def folder() -> Path:
    """Return the folder that these wheels have, downloaded or not."""
    pins = "\n".join((*PINNED, *COMPILED, *PYTHONS))
    return ARCHIVES / f"public-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"


def ensure() -> None:
    """Download what is missing, and point the stable name to it.

    Raises:
        GroundError: with the end of the log.
    """
    target = folder()
    if target.is_dir():
        say(f"public projects: there ({target.name})")
    else:
        with step("downloading public projects"):
            _download(target)
    link = LINK.with_name(".public.link")
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(LINK)
    for other in ARCHIVES.glob("public-*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)


def _download(target: Path) -> None:
    aside = target.with_name(f".{target.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    python = str(VENV / "bin" / "python") if (VENV / "bin" / "python").exists() else sys.executable
    pip = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    pip += ["--only-binary", ":all:", "--dest", str(aside)]
    # pip takes one release of a project at a time.
    batches: list[list[str]] = []
    for pin in PINNED:
        name = pin.partition("==")[0]
        free = next((one for one in batches if not any(other.startswith(f"{name}==") for other in one)), None)
        if free is None:
            batches.append(free := [])
        free.append(pin)
    commands = [[*pip, "--python-version", "3.13", *batch] for batch in batches]
    commands += [[*pip, "--python-version", version, *COMPILED] for version in PYTHONS]
    for number, command in enumerate(commands):
        run_logged(command, LOGS / f"public-projects-{number}.log", "Is PyPI, or pip's index-url, reachable?")
    aside.replace(target)
