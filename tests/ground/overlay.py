"""What is laid over a fresh root: the files of a recipe, and what only this machine knows."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .paths import FILES

SETUP = "ground-setup.sh"


def recipe_files(folders: tuple[str, ...]) -> dict[str, bytes]:
    """Return the files of the recipe's folders by their path in the image, the setup script among them."""
    found: dict[str, bytes] = {}
    for folder in folders:
        root = FILES / folder / "root"
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            found[path.relative_to(root).as_posix()] = path.read_bytes()
    return {**found, SETUP: setup(folders)}


def setup(folders: tuple[str, ...]) -> bytes:
    """Return the folders' setup scripts as one."""
    return b"#!/bin/sh\nset -eu\n" + b"".join((FILES / folder / "setup.sh").read_bytes() for folder in folders)


def mode(content: bytes) -> int:
    """Return a file's mode: scripts can be run, whatever the checkout made of their bits."""
    return 0o755 if content.startswith(b"#!") else 0o644


def _parents(name: str) -> list[str]:
    return [parent.as_posix() for parent in reversed(Path(name).parents)][1:]


def tree_files(folder: Path, below: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder of Python packages as they go below a path, without its scripts and caches."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] not in ("bin", ".lock") and "__pycache__" not in inside.parts:
            yield f"{below}/{inside.as_posix()}", path.read_bytes()


def write(files: Mapping[str, bytes], target: Path) -> None:
    """Write a tar with the files, owned by root: the same bytes for the same files."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        made: set[str] = set()
        for name in sorted(files):
            for parent in _parents(name):
                if parent not in made:
                    made.add(parent)
                    archive.addfile(_member(parent, 0o755, tarfile.DIRTYPE))
            member = _member(name, mode(files[name]), tarfile.REGTYPE)
            member.size = len(files[name])
            archive.addfile(member, io.BytesIO(files[name]))


def _member(name: str, bits: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type = bits, kind
    member.uname = member.gname = "root"
    return member
