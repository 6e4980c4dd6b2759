"""Control groups on machines whose init has not mounted them: an engine, and systemd in its hosts, need them."""

from __future__ import annotations

from pathlib import Path

from .paths import LOGS
from .shell import as_root, run_logged

_TREE = Path("/sys/fs/cgroup")
_UNIFIED = _TREE / "cgroup.controllers"


def hierarchies(text: str) -> list[str]:
    """Return what there is to mount, from the text of ``/proc/cgroups``: the controllers that are switched on.

    Those that have been mounted together before (``net_cls,net_prio``) can only be mounted together again.
    """
    together: dict[str, list[str]] = {}
    for line in text.splitlines():
        row = line.split()
        if len(row) == 4 and row[3] == "1":
            name, number = row[:2]
            together.setdefault(name if number == "0" else number, []).append(name)
    return [",".join(names) for names in together.values()]


def mounted(mountinfo: str, target: str) -> bool:
    """Say whether something is mounted at a path, from the text of ``/proc/self/mountinfo``."""
    return any(line.split()[4] == target for line in mountinfo.splitlines() if line)


def commands(cgroups: str, mountinfo: str) -> list[list[str]]:
    """Return the commands that mount what is missing of the version 1 hierarchies, a folder for each."""
    todo: list[list[str]] = []
    if not mounted(mountinfo, str(_TREE)):
        todo.append(["mount", "-t", "tmpfs", "-o", "mode=755,nosuid,nodev,noexec", "cgroup", str(_TREE)])
    options = {name: name for name in hierarchies(cgroups)} | {"systemd": "none,name=systemd"}
    for name, option in options.items():
        folder = str(_TREE / name)
        if not mounted(mountinfo, folder):
            todo.append(["mkdir", "-p", folder])
            todo.append(["mount", "-t", "cgroup", "-o", option, "cgroup", folder])
    return todo


def ensure() -> None:
    """Mount control groups where nobody has; a tree that is there, of either version, is left as it is."""
    mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    if _UNIFIED.exists() or mounted(mountinfo, str(_TREE / "memory")):
        return
    for command in commands(Path("/proc/cgroups").read_text(encoding="utf-8"), mountinfo):
        run_logged(as_root(command), LOGS / "cgroups.log", "The engine needs control groups under /sys/fs/cgroup.")
