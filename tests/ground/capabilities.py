"""The capabilities that hosts get: what systemd and an engine inside need, on machines that may lack some themselves.

`--privileged` asks for all there are, and fails where one is missing. Engines differ: version 20.10 has to be told what
to leave out of "all", version 26 refuses to leave out what is not there. Naming them one by one works with both.
"""

from __future__ import annotations

from pathlib import Path

# By number, as in the kernel's linux/capability.h; version 20.10 of the engine knows none of the later ones.
NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)  # fmt: skip
# With it, hosts could raise limits that tests shall meet as they are everywhere.
_WITHHELD = "SYS_RESOURCE"


def granted(status: str) -> list[str]:
    """Return the capabilities for hosts, from the text of ``/proc/<pid>/status`` of a process of this machine."""
    bounding = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    return [name for number, name in enumerate(NAMES) if bounding >> number & 1 and name != _WITHHELD]


def machine() -> list[str]:
    """Return the capabilities that hosts can have on this machine."""
    return granted(Path("/proc/self/status").read_text(encoding="utf-8"))
