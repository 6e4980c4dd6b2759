"""Debian packages from their data: the files of their control archives."""

from __future__ import annotations

from .packages import Package

# Debian's numbers, which the vendor's versions name.
NUMBERS = {"bookworm": 12, "trixie": 13}

_GROUP = "getent group {group} >/dev/null || groupadd --system {group}"
# What debhelper makes of packages with units.
_START = """\
if [ "$1" = configure ]; then
    for unit in {units}; do
        deb-systemd-helper unmask "$unit" >/dev/null || :
        if deb-systemd-helper --quiet was-enabled "$unit"; then
            deb-systemd-helper enable "$unit" >/dev/null || :
        else
            deb-systemd-helper update-state "$unit" >/dev/null || :
        fi
    done
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || :
        if [ -n "$2" ]; then action=restart; else action=start; fi
        deb-systemd-invoke $action {units} >/dev/null || :
    fi
fi"""
_STOP = """\
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop {units} >/dev/null || :
fi"""
_FORGET = """\
[ ! -d /run/systemd/system ] || systemctl --system daemon-reload >/dev/null || :
if [ "$1" = purge ]; then
    for unit in {units}; do deb-systemd-helper purge "$unit" >/dev/null || :; done
fi"""


def version(package: Package, suite: str) -> str:
    """Return a package's full version in a suite."""
    epoch = f"{package.deb.epoch}:" if package.deb.epoch else ""
    release = package.deb.release.format(number=NUMBERS[suite], suite=suite)
    return f"{epoch}{package.version}-{release}"


def control(package: Package, suite: str, architecture: str) -> dict[str, str]:
    """Return the files of a package's control archive by name.

    Args:
        package: the package.
        suite: Debian's code name.
        architecture: as Debian calls it.
    """
    about = package.deb
    fields = {
        "Package": package.name,
        "Version": version(package, suite),
        "Architecture": architecture,
        "Maintainer": "Imitation <imitation@example.com>",
        "Section": "admin",
        "Priority": "optional",
        "Depends": ", ".join(about.requires),
        "Conflicts": ", ".join(about.conflicts),
        "Provides": ", ".join(about.provides),
        "Replaces": ", ".join(about.obsoletes),
        "Description": f"{package.name}, an imitation for tests\n Made from Debian's packages; not the vendor's.",
    }
    files = {"control": "".join(f"{name}: {value}\n" for name, value in fields.items() if value)}
    setup = [_GROUP.format(group=package.group)] if package.group else []
    if package.units:
        units = " ".join(package.units)
        setup.append(_START.format(units=units))
        files |= {"prerm": _script(_STOP.format(units=units)), "postrm": _script(_FORGET.format(units=units))}
    if setup:
        files["postinst"] = _script("\n".join(setup))
    return files


def _script(body: str) -> str:
    return f"#!/bin/sh\nset -e\n{body}\n"
