# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time on an index of a host: a file in /run names the run that holds it.

The line in the file is ``IDENTITY SINCE WHO``. The identity is the process of ansible-playbook on its machine, and the
inventory's name of the host; it tells whether that process still runs. The preflight of the run writes it.
"""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import os
import shlex
import socket
import time
from pathlib import Path
from urllib.parse import quote

FOLDER = "/run/wheelhouse.pypi"
# A run of another machine cannot be looked at. One that began this long ago has ended without a word, say because its
# machine lost power; the longest run, a rollout to a fleet, takes less.
STALE_SECONDS = 6 * 3600

_TAKE = r"""
(umask 077; mkdir -p {folder} && exec 9<{folder} && flock 9 && {{
    found=$(cat {file} 2>/dev/null)
    case $found in
    '' | {dead}) found={mine}; printf '%s\n' "$found" >{file} || exit ;;
    {identity}' '*) touch {file} || exit ;;
    esac
    printf '%s %s\n' "$(($(date +%s) - $(stat --format %Y {file})))" "$found"
}}) 2>&1"""
_LOOK = r"""
[ ! -e {file} ] ||
    printf '%s %s\n' "$(($(date +%s) - $(stat --format %Y {file})))" "$(cat {file})" 2>/dev/null"""
_RELEASE = r"""
[ -d {folder} ] && exec 9<{folder} && flock 9 || exit 0
case $(cat {file}) in {identity}' '*) rm {file} ;; esac
true"""


@dataclasses.dataclass(frozen=True)
class Holder:
    """The run that holds an index.

    Attributes:
        pid: of ansible-playbook.
        started: when that process was started, in the clock ticks of its machine.
        machine: a digest that no other machine, boot or container has.
        host: the inventory's name of the host.
        since: when it took the index, in seconds since 1970.
        who: user and machine, for people.
    """

    pid: int
    started: str
    machine: str
    host: str
    since: int
    who: str

    @property
    def identity(self) -> str:
        """What tells this run from any other."""
        return f"{self.pid}:{self.started}:{self.machine}:{self.host}"

    def __str__(self) -> str:
        """The line of the file."""
        return f"{self.identity} {self.since} {self.who}"

    @classmethod
    def parse(cls, line: str) -> Holder | None:
        """Read a line; None for anything else."""
        try:
            identity, since, who = line.split(" ")
            pid, started, machine, host = identity.split(":")
            return cls(int(pid), started, machine, host, int(since), who)
        except ValueError:
            return None


def this_run(host: str) -> Holder:
    """The run that an action plugin is part of: workers are children of ansible-playbook."""
    pid = os.getppid()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an unnamed account
        user = f"uid-{os.getuid()}"
    who = f"{quote(user)}@{quote(socket.gethostname())}"
    return Holder(pid, _started(pid), _machine(), quote(host, safe=""), int(time.time()), who)


def _machine() -> str:
    parts = [socket.gethostname()]
    for path, read in (("/proc/sys/kernel/random/boot_id", Path.read_text), ("/proc/self/ns/pid", os.readlink)):
        try:
            parts.append(str(read(Path(path))).strip())
        except OSError:  # no Linux
            continue
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _started(pid: int) -> str:
    """When a process was started; empty where there is none, or /proc tells nothing."""
    try:
        # The name of the program, which may have blanks and brackets, ends with the last bracket.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def take(instance: str, mine: Holder | None, dead: str = "") -> str:
    """Shell that takes an index for a run, or refreshes that, and prints who holds it then: seconds, and the line.

    Where it cannot, it prints why instead, so a run without such a line holds nothing.

    Args:
        instance: the index.
        mine: the run; None only looks.
        dead: the line of a run that has ended and is replaced.
    """
    values = {"folder": FOLDER, "file": shlex.quote(path(instance))}
    if mine is None:
        return _LOOK.format(**values)
    return _TAKE.format(
        **values, mine=shlex.quote(str(mine)), identity=shlex.quote(mine.identity), dead=shlex.quote(dead)
    )


def release(instance: str, mine: Holder) -> str:
    """Shell that ends the hold of a run, if it is this one's."""
    return _RELEASE.format(folder=FOLDER, file=shlex.quote(path(instance)), identity=shlex.quote(mine.identity))


def path(instance: str) -> str:
    """The file of an index on its host."""
    return f"{FOLDER}/{instance}.lock"


def has_ended(holder: Holder | None, age: int) -> bool:
    """Whether the run that holds an index is over: its process, or any sign of it.

    Args:
        holder: None where the line in the file says nothing.
        age: seconds since it looked at the host.
    """
    if holder is None or holder.machine != _machine():
        return age > STALE_SECONDS
    return not _is_running(holder)


def _is_running(holder: Holder) -> bool:
    if holder.started:
        return _started(holder.pid) == holder.started
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def not_held(instance: str, reason: str) -> str:
    """Say why a run cannot take an index, and what to do.

    Args:
        instance: the index.
        reason: what the host has said instead of who holds it.
    """
    return (
        f"cannot hold the index {instance} on this host: {reason or 'it does not say why'}. Nothing was changed. A run keeps "
        f"others off by a file in {FOLDER}, as root and with flock (of util-linux): mend that, then run again."
    )


def problem(instance: str, holder: Holder | None, mine: Holder) -> str:
    """Say who else holds an index, and what to do."""
    if holder is not None and (holder.pid, holder.started, holder.machine) == (mine.pid, mine.started, mine.machine):
        return (
            f"pypi_instance: this run is at work on {instance} of this host already, as {holder.host}: two hosts of the "
            "inventory are one machine. Give each index there a pypi_instance of its own, or take one of them out."
        )
    who = "Another run"
    if holder is not None:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since))
        who = f"Another run (process {holder.pid} of {holder.who}, on this host since {since})"
    return (
        f"{who} is at work on the index {instance}. Nothing was changed. Wait until it has finished, then run again. "
        f"If it does not run any more, remove {path(instance)} on this host."
    )
