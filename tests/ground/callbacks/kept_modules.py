"""Packs each module once for many runs of ansible-playbook.

Ansible packs each module that a task needs, with all that it imports, and drops the packages when a run ends. For the
tests, which make hundreds of runs, that is a third of the controller's work. So they keep the packages: for a build of the
collection and a release of Ansible, in the folder of that build, or where ``WHEELHOUSE_MODULES`` says.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from ansible import constants
from ansible.plugins.callback import CallbackBase

INSTALLED = Path(__file__).resolve().parents[3] / ".cache" / "collections"
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
        core = version("ansible-core")
        if tuple(map(int, core.split(".")[:2])) < LOCKED_SINCE:
            return
        folder = Path(os.environ.get("WHEELHOUSE_MODULES") or INSTALLED.resolve())
        kept = folder / f"modules-{core}-{version('ansible')}"
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(kept)
