"""What has changed in packages/ by other ways than uploads: by rsync, by hand.

There is no watcher: folders tell by their time that names in them have changed, files by their stamp that they have.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from .entry import Stamp, is_distribution

# Within one tick of the kernel's clock a folder can change twice and keep its time.
_TICK_NS = 50_000_000


class Scanner:
    """Compares packages/ with what it was at the last look.

    Args:
        packages: the folder.
        seen: the stamps of the files that are known already, by path.
    """

    def __init__(self, packages: Path, seen: Mapping[str, Stamp]) -> None:
        self._root = str(packages)
        # Folder below packages/ -> its time in ns, and the stamps of the files in it by name.
        self._folders: dict[str, int] = {}
        self._files: dict[str, dict[str, Stamp]] = {}
        for path, stamp in seen.items():
            folder, _slash, name = path.rpartition("/")
            self._files.setdefault(folder, {})[name] = stamp

    def changes(self, thorough: bool) -> tuple[dict[str, Stamp], list[str]]:
        """Return files that are new or changed, with their stamps, and files that are gone.

        Args:
            thorough: look at every file, instead of at folders whose time has changed and new names in them. Finds
                files that were written to in place.
        """
        found: dict[str, Stamp] = {}
        gone: list[str] = []
        waiting = list({"", *self._folders, *self._files})
        done: set[str] = set()
        while waiting:
            folder = waiting.pop()
            if folder in done:
                continue
            done.add(folder)
            waiting += self._look(folder, thorough, found, gone)
        return found, gone

    def _look(self, folder: str, thorough: bool, found: dict[str, Stamp], gone: list[str]) -> list[str]:
        """Look at a folder; return the folders in it, where its names were looked at."""
        place = os.path.join(self._root, folder)
        before = self._files.get(folder, {})
        now: dict[str, Stamp] = {}
        folders: list[str] = []
        try:
            # Before its names: a change in between is found by the next look.
            changed_ns = os.stat(place).st_mtime_ns
            if not thorough and self._folders.get(folder) == changed_ns:
                return []
            with os.scandir(place) as entries:
                for one in entries:
                    if one.name.startswith("."):
                        continue
                    if one.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}/{one.name}" if folder else one.name)
                    elif is_distribution(one.name) and (stamp := _stamp(one, before.get(one.name), thorough)):
                        now[one.name] = stamp
        except FileNotFoundError:
            if not folder:
                # Not a store without files, but a store that is not there.
                raise
            self._folders.pop(folder, None)
        else:
            self._folders[folder] = changed_ns if time.time_ns() - changed_ns > _TICK_NS else -1
        prefix = f"{folder}/" if folder else ""
        found.update({prefix + name: stamp for name, stamp in now.items() if before.get(name) != stamp})
        gone += [prefix + name for name in before if name not in now]
        if folder in self._folders:
            self._files[folder] = now
        else:
            self._files.pop(folder, None)
        return folders


def _stamp(entry: os.DirEntry[str], before: Stamp | None, thorough: bool) -> Stamp | None:
    """Return a file's stamp; without a look at it where its name and inode are known."""
    if before and not thorough and not entry.is_symlink() and entry.inode() == before.inode:
        return before
    try:
        return Stamp.of(entry.stat()) if entry.is_file() else None
    except OSError:
        return None
