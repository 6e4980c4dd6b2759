"""The collection where Ansible and Python find it.

``python -m tests.collection`` builds the archive and installs it into ``.cache/collections``, as users do; it does
nothing when no file has changed. ``python -m tests.collection develop`` makes ``.cache/dev``, a folder of collections
with links to this tree, for tests and linters that look at the files themselves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
BUILDS = CACHE / "builds"
INSTALLED = CACHE / "collections"
DEVELOPED = CACHE / "dev"
FOLDER = Path("ansible_collections", "wheelhouse", "pypi")
# What of the tree Ansible and Python look at; not all of it, so that nothing that walks the links comes back here.
_LINKED = ("galaxy.yml", "meta", "playbooks", "plugins", "roles")
# How many builds stay, for runs that still use an older one.
_KEPT = 8


def tracked(root: Path = ROOT) -> list[Path]:
    """Return the files that git knows or would take, relative to the root and sorted."""
    # The tree may belong to somebody else, as it does for root in a container.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return sorted({Path(name) for name in listed.split("\0") if name and (root / name).is_file()})


def digest(root: Path, files: Iterable[Path]) -> str:
    """Return a digest of names, modes and contents."""
    found = hashlib.sha256()
    for file in files:
        path = root / file
        found.update(f"{file}\0{path.stat().st_mode:o}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def develop() -> Path:
    """Make ``.cache/dev`` and return it: a folder of collections whose files are this tree's own."""
    home = DEVELOPED / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    for name in _LINKED:
        link = home / name
        target = Path(*[".."] * len(home.relative_to(ROOT).parts), name)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return DEVELOPED


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process builds."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "collection.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def shipped(files: Iterable[Path], ignored: Iterable[str]) -> list[Path]:
    """Return the files that an archive takes, given the patterns of ``build_ignore``."""
    patterns = list(ignored)
    return [
        file
        for file in files
        if not any(fnmatch(str(part), pattern) for part in (file, *file.parents[:-1]) for pattern in patterns)
    ]


def install() -> Path:
    """Build the archive and install it, if a file of it has changed since the last time; return the archive.

    Each state of the files is installed to a folder of its own, and ``.cache/collections`` leads to the last one: what
    runs from an older one is not disturbed.

    Raises:
        subprocess.CalledProcessError: when ansible-galaxy fails; it has said why.
    """
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    manifest = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    with _alone():
        home = BUILDS / digest(ROOT, shipped(tracked(), manifest["build_ignore"]))[:12]
        if not (home / "complete").is_file():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            run = [str(galaxy), "collection"]
            subprocess.run([*run, "build", "--output-path", str(home)], cwd=ROOT, check=True)
            # What galaxy.yml depends on is in the package `ansible`, so that Galaxy is not asked.
            install = [*run, "install", "--force", "-p", str(home), str(next(home.glob("*.tar.gz")))]
            subprocess.run(install, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(home)}, check=True)
            (home / "complete").touch()
        target = home.relative_to(CACHE)
        if not INSTALLED.is_symlink() or INSTALLED.readlink() != target:
            link = INSTALLED.with_name("collections.new")
            link.unlink(missing_ok=True)
            link.symlink_to(target)
            if INSTALLED.is_dir() and not INSTALLED.is_symlink():
                shutil.rmtree(INSTALLED)
            link.replace(INSTALLED)
        home.touch()
        for old in sorted(BUILDS.iterdir(), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old)
        return next(home.glob("*.tar.gz"))


if __name__ == "__main__":
    print(develop() if sys.argv[1:] == ["develop"] else install())
