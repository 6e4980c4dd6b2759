"""What has changed in packages/ by other ways than uploads: by rsync, by hand.

There is no watcher: folders tell by their time that names in them have changed, files by their stamp that they have.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..files.entry import Stamp, inode
from ..files.names import is_folder, is_misnamed, is_served

# Within one tick of the kernel's clock a folder can change twice and keep its time.
_TICK_NS = 50_000_000
_LOOK_AGAIN = -1


@dataclass
class _Folder:
    """A folder as it was at the last look: its time in ns, the folders and the files in it by name."""

    changed_ns: int = _LOOK_AGAIN
    folders: list[str] = field(default_factory=list)
    files: dict[str, Stamp] = field(default_factory=dict)


class Scanner:
    """Compares packages/ with what it was at the last look.

    Args:
        packages: the folder.
        seen: the stamps of the files that are known already, by path.
        settle: seconds for which a file must not have changed; one that is still being written is not looked at.

    Attributes:
        misnamed: files of which the last look has found that they are called almost like distribution files, by path.
        unreadable: folders that were there at the last look, and could not be looked into, by path.
    """

    def __init__(self, packages: Path, seen: Mapping[str, Stamp], settle: float = 0.0) -> None:
        self._root = str(packages)
        self._settle_ns = int(settle * 1e9)
        # By the path below packages/.
        self._folders: dict[str, _Folder] = {}
        self.misnamed: list[str] = []
        self.unreadable: list[str] = []
        for path, stamp in seen.items():
            folder, _slash, name = path.rpartition("/")
            self._folders.setdefault(folder, _Folder()).files[name] = stamp

    def changes(self, thorough: bool) -> tuple[dict[str, Stamp], list[str]]:
        """Return files that are new or changed, with their stamps, and files that were removed.

        Args:
            thorough: look at every file, instead of at folders whose time has changed and new names in them. Finds
                files that were written to in place.

        Raises:
            OSError: if packages/ itself cannot be looked at; a new scanner has to begin then.
        """
        found: dict[str, Stamp] = {}
        removed: list[str] = []
        self.misnamed, self.unreadable = [], []
        before, self._folders = self._folders, {}
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            was = before.pop(folder, None) or _Folder()
            try:
                now = self._look(folder, was, thorough)
            except OSError as error:
                if not folder:
                    # Not a store without files, but a store that is not there.
                    raise
                # Removed meanwhile, or not readable: these files are not served.
                if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    self.unreadable.append(folder)
                now = _Folder()
            if now is not was:
                new = {name: stamp for name, stamp in now.files.items() if was.files.get(name) != stamp}
                found.update(zip(_paths(folder, new), new.values()))
                removed += _paths(folder, was.files.keys() - now.files.keys())
            self._folders[folder] = now
            waiting += _paths(folder, now.folders)
        for folder, was in before.items():
            removed += _paths(folder, was.files)
        return found, removed

    def _look(self, folder: str, was: _Folder, thorough: bool) -> _Folder:
        """Return what a folder is now: the same object where nothing tells that it has changed."""
        place = os.path.join(self._root, folder)
        # Before its names: a change in between is found by the next look.
        changed_ns = os.stat(place).st_mtime_ns
        if not thorough and was.changed_ns == changed_ns:
            return was
        clock_ns = time.time_ns()
        now = _Folder(changed_ns if clock_ns - changed_ns > _TICK_NS else _LOOK_AGAIN)
        with os.scandir(place) as entries:
            for entry in entries:
                known = was.files.get(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if is_folder(entry.name):
                        now.folders.append(entry.name)
                elif stamp := _stamp(entry, known, thorough):
                    if stamp != known and 0 <= clock_ns - stamp.mtime_ns < self._settle_ns:
                        now.changed_ns = _LOOK_AGAIN
                        stamp = known
                    if stamp:
                        now.files[entry.name] = stamp
                elif is_misnamed(entry.name) and entry.is_file(follow_symlinks=False):
                    self.misnamed += _paths(folder, [entry.name])
        return now


def _paths(folder: str, names: Iterable[str]) -> list[str]:
    return [f"{folder}/{name}" for name in names] if folder else list(names)


def _stamp(entry: os.DirEntry[str], before: Stamp | None, thorough: bool) -> Stamp | None:
    """Return a file's stamp; without a look at it where its name and inode are known."""
    if before is None and not is_served(entry.name):
        return None
    if before and not thorough and inode(entry.inode()) == before.inode:
        return before
    try:
        # NGINX follows no link: what one leads to is not listed.
        return Stamp.of(entry.stat(follow_symlinks=False)) if entry.is_file(follow_symlinks=False) else None
    except OSError:
        return None
