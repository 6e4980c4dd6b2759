"""What a root is given to make packages in it: specs, control archives and lists, below /build until its setup ends."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence

from . import deb, packages, rpm
from .packages import Package

FOLDER = "build"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Return this machine's architecture as Debian calls it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def stubs(wanted: Sequence[Package]) -> dict[str, bytes]:
    """Return what a root needs to make packages without files."""
    return {f"{FOLDER}/stubs.spec": rpm.stubs(wanted).encode()}


def docker(wanted: Sequence[Package], other: str) -> dict[str, bytes]:
    """Return what a root needs to make Docker's packages for both families.

    Args:
        wanted: packages, in all their versions.
        other: apt's sources for what does not come from the root's own suite.
    """
    files = {f"{FOLDER}/other.sources": other.encode()}
    files[f"{FOLDER}/downloads"] = _lines((suite, name, start) for name, (suite, start) in packages.SOURCES.items())
    files[f"{FOLDER}/contents"] = _lines(
        (f"{package.name}-{package.version}", package.version, source, target)
        for package in wanted
        for target, source in package.files.items()
    )
    files[f"{FOLDER}/engine-built"] = f"{packages.ENGINE_BUILT}\n".encode()
    for package in wanted:
        name = f"{package.name}-{package.version}"
        files[f"{FOLDER}/specs/{name}.spec"] = rpm.spec(package, f"/{FOLDER}/stage/{name}").encode()
        for suite in deb.NUMBERS:
            for member, text in deb.control(package, suite, architecture()).items():
                files[f"{FOLDER}/control/{suite}/{name}/{member}"] = text.encode()
    return files
