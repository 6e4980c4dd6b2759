"""What the containers of an index take: memory and processor, as the engine counts them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .hosts import ask
from .rollout import HOME
from .sides import Side

# Of each service. Both versions of cgroups.
_SCRIPT = r"""
import json, subprocess, sys

def asked(*command):
    return subprocess.check_output(["docker", *command], cwd=sys.argv[1], text=True).split()

found = {}
for service in asked("compose", "ps", "--services"):
    pid = asked("inspect", "--format", "{{.State.Pid}}", *asked("compose", "ps", "--quiet", service))[0]
    groups = {}
    for line in open(f"/proc/{pid}/cgroup"):
        _number, names, path = line.strip().split(":", 2)
        groups.update((name, f"/sys/fs/cgroup/{name}{path}") for name in names.split(","))
    old = "memory" in groups
    memory, cpu = (groups[name if old else ""] for name in ("memory", "cpuacct"))
    stat = dict(line.split() for line in open(f"{memory}/memory.stat"))
    usage = int(open(memory + ("/memory.usage_in_bytes" if old else "/memory.current")).read())
    nanoseconds = int(open(f"{cpu}/cpuacct.usage").read()) if old else int(open(f"{cpu}/cpu.stat").read().split()[1]) * 1000
    found[service] = [
        usage - int(stat["total_inactive_file" if old else "inactive_file"]),
        sum(int(stat[name]) for name in (["total_rss", "total_shmem"] if old else ["anon", "shmem"])),
        nanoseconds / 1e9,
    ]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Taken:
    """What a container takes.

    Attributes:
        memory: bytes that the engine counts, less what the kernel may drop at once.
        needed: bytes that the kernel cannot drop: of programs and of memory disks.
        processor: seconds, since its start.
    """

    memory: int
    needed: int
    processor: float


def taken(side: Side) -> dict[str, Taken]:
    """Return what the containers of an index take, by the names of their services."""
    found = json.loads(ask(side.host, "python3", "-c", _SCRIPT, HOME))
    return {service: Taken(*values) for service, values in found.items()}
