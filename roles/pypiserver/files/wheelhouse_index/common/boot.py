"""The time since the host's boot: it runs on while the host sleeps, is never set, and is the same in all its containers."""

from __future__ import annotations

from pathlib import Path

_CLOCK, _NAME = Path("/proc/uptime"), Path("/proc/sys/kernel/random/boot_id")


def now() -> float:
    """Return the seconds since the boot."""
    return float(_CLOCK.read_text(encoding="ascii").split()[0])


def name() -> str:
    """Return what tells one boot from another."""
    return _NAME.read_text(encoding="ascii").strip()
