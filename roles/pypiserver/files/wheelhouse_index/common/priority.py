"""How a process stands beside others that want a processor."""

from __future__ import annotations

import ctypes
import platform

# The system call sched_setscheduler by its number (asm/unistd.h), as musl's does nothing, and its policy (linux/sched.h).
_SCHED_SETSCHEDULER = {"x86_64": 144, "aarch64": 119}.get(platform.machine())
_SCHED_IDLE = 5


def give_way() -> bool:
    """Have this process, and those that it will start, run where no other wants to; return whether this system can.

    A processor that runs nothing else counts as a free one: what serves is woken there, as it is not beside what is merely nice.
    """
    if _SCHED_SETSCHEDULER is None:
        return False
    own, priority = 0, ctypes.c_int(0)
    return bool(ctypes.CDLL(None).syscall(_SCHED_SETSCHEDULER, own, _SCHED_IDLE, ctypes.byref(priority)) == 0)
