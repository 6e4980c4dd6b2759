"""Limits of the machine's kernel that many hosts at once run into."""

from __future__ import annotations

from pathlib import Path

from .shell import GroundError, as_root, output, say

_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
# A host that boots systemd and runs an engine holds six or seven, all of the same user; the usual limit of 128 ends at
# some twenty hosts, whose systemd then stops half-way through its boot.
_WANTED = 512


def ensure() -> None:
    """Raise what is too low, until the machine's next boot; where that is not allowed, say what may come of it."""
    if int(_INSTANCES.read_text(encoding="ascii")) >= _WANTED:
        return
    try:
        raised = output(as_root(["sysctl", "-q", "-w", f"fs.inotify.max_user_instances={_WANTED}"])) is not None
    except GroundError:
        raised = False
    say(
        f"fs.inotify.max_user_instances: raised to {_WANTED} until the next boot, for many hosts at once"
        if raised
        else f"fs.inotify.max_user_instances is below {_WANTED} and cannot be raised: some twenty hosts at once is the end"
    )
