"""Packs each module once for many runs of ansible-playbook.

Ansible packs each module that a task needs, with all that it imports, and drops the packages when a run ends. For the
tests, which make hundreds of runs, that is a third of the controller's work. So they keep the packages: for a build of the
collection and a release of Ansible, in the folder of that build, or where ``WHEELHOUSE_MODULES`` says.

On the host, Python would compile a package with every task, as it keeps no bytecode of modules in archives. So to those of
a build, bytecode is added at the end of the run that has packed them, by the Python of one of its hosts that is a container.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import os
import pickle
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase

INSTALLED = Path(__file__).resolve().parents[3] / ".cache" / "collections"
ADD_BYTECODE = Path(__file__).resolve().parents[1] / "files" / "add_bytecode.py"
# Before it, packages were not locked against other runs.
LOCKED_SINCE = (2, 19)

DOCUMENTATION = """
name: kept_modules
type: aggregate
short_description: Packs each module once for many runs
description: For the tests of this project alone.
"""


class CallbackModule(CallbackBase):
    """Has Ansible look for packages in a folder that stays."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kept_modules"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self._kept: Path | None = None
        core = version("ansible-core")
        if tuple(map(int, core.split(".")[:2])) < LOCKED_SINCE:
            return
        own = os.environ.get("WHEELHOUSE_MODULES")
        folder = Path(own or INSTALLED.resolve())
        kept = folder / f"modules-{core}-{version('ansible')}"
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(kept)
        self._kept = None if own else kept

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Add bytecode to what this run has packed."""
        packed = self._kept.glob("*-none") if self._kept else []
        new = [path for path in packed if not path.with_name(f"{path.name}.compiled").exists()]
        hosts = sorted(set(stats.processed) - set(constants.LOCALHOST))
        if not new or not hosts:
            return
        packages = {path.name: pickle.loads(path.read_bytes()) for path in new}
        archives = compiled(hosts[0], {name: base64.b64decode(package.zip_data) for name, package in packages.items()})
        for path in new if archives else ():
            package = dataclasses.replace(packages[path.name], zip_data=base64.b64encode(archives[path.name]))
            # Others may read or pack it at the same time.
            aside = path.with_name(f"{path.name}.{os.getpid()}")
            aside.write_bytes(pickle.dumps(package))
            aside.rename(path)
            path.with_name(f"{path.name}.compiled").touch()


def compiled(container: str, archives: dict[str, bytes]) -> dict[str, bytes]:
    """Return archives with bytecode; none if that cannot be, as for a host that is no container."""
    given = io.BytesIO()
    with zipfile.ZipFile(given, "w") as every:
        for name, archive in archives.items():
            every.writestr(name, archive)
    command = ["docker", "exec", "--interactive", container, "python3", "-c", ADD_BYTECODE.read_text(encoding="utf-8")]
    done = subprocess.run(command, input=given.getvalue(), capture_output=True, check=False)
    if done.returncode:
        return {}
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as every:
        return {name: every.read(name) for name in every.namelist()}
