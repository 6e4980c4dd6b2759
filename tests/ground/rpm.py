"""RPMs from their data: the text of spec files."""

from __future__ import annotations

from collections.abc import Sequence

from .packages import Package

_HEAD = "Summary: {name}, an imitation for tests\nLicense: ASL 2.0\n"
_DESCRIPTION = "Made from Debian's packages for tests; not the vendor's."
_GROUP = "%pre\ngetent group {group} >/dev/null || groupadd --system {group}"
# What the vendor's own macros for systemd come to.
_UNITS = """\
%post
if [ $1 -eq 1 ]; then systemctl --no-reload preset {units} >/dev/null 2>&1 || :; fi
%preun
if [ $1 -eq 0 ]; then systemctl --no-reload disable --now {units} >/dev/null 2>&1 || :; fi
%postun
systemctl daemon-reload >/dev/null 2>&1 || :
if [ $1 -ge 1 ]; then systemctl try-restart {units} >/dev/null 2>&1 || :; fi"""


def _tags(package: Package) -> list[str]:
    about = package.rpm
    lines = [f"Epoch: {about.epoch}"] if about.epoch else []
    lines += [f"Version: {package.version}", f"Release: {about.release}"]
    for tag, values in (
        ("Requires", about.requires),
        ("Provides", about.provides),
        ("Conflicts", about.conflicts),
        ("Obsoletes", about.obsoletes),
    ):
        lines += [f"{tag}: {value}" for value in values]
    return lines


def spec(package: Package, contents: str) -> str:
    """Return the spec of a package.

    Args:
        package: the package.
        contents: folder with its files, as they go below the root.
    """
    lines = [f"Name: {package.name}", _HEAD.format(name=package.name).rstrip(), "AutoReqProv: no", *_tags(package)]
    lines += ["%description", _DESCRIPTION, "%install", f"cp -al {contents}/. %{{buildroot}}/"]
    if package.group:
        lines.append(_GROUP.format(group=package.group))
    if package.units:
        lines.append(_UNITS.format(units=" ".join(package.units)))
    return "\n".join([*lines, "%files", *(f"/{path}" for path in package.files), ""])


def stubs(packages: Sequence[Package]) -> str:
    """Return one spec that makes many packages without files, and none of its own name."""
    lines = ["Name: stubs", "Version: 1", "Release: 1", _HEAD.format(name="stubs").rstrip(), "BuildArch: noarch"]
    lines += ["AutoReqProv: no", "%description", _DESCRIPTION]
    for package in packages:
        lines += [f"%package -n {package.name}", f"Summary: {package.name}, a stub for tests", *_tags(package)]
        lines += [f"%description -n {package.name}", _DESCRIPTION, f"%files -n {package.name}"]
    return "\n".join([*lines, ""])
