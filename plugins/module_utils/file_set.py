# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set of files in one folder that change together, or not at all.

Everything new is first written and fsynced in a staging folder inside the destination (so on its file system), where a
checker may judge it, and only then renamed into place file by file. What goes wrong before the first rename leaves the
live files untouched; what goes wrong between renames is rolled back. A process that is killed leaves at most a staging
folder, which the next run removes, and a mixture of complete old and complete new files, which it completes.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import grp
import os
import posixpath
import pwd
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass, field
from typing import Callable, Iterable, Iterator, Mapping, Sequence

STAGING_PREFIX = ".staged-"
LOCK_SECONDS = 60


class FileSetError(Exception):
    """Something a person has to know, in words for that person."""


@dataclass(frozen=True)
class Attributes:
    """Who owns the files and what they may do with them; ``None`` leaves it as it is (or as the process makes it).

    ``owner`` and ``group`` are names or numbers in text; with an owner and no group it is the owner's primary group.
    ``mode`` and ``directory_mode`` are permission bits.
    """

    owner: str | None = None
    group: str | None = None
    mode: int = 0o600
    directory_mode: int = 0o700

    def ids(self) -> tuple[int, int]:
        """Numeric owner and group, -1 for "leave it"; raise FileSetError if there is no such account."""
        uid = _account_id(self.owner, _uid_of, "user")
        return uid, _primary_group(uid) if self.group is None else _account_id(self.group, _gid_of, "group")


def _uid_of(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _gid_of(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _account_id(name: str | None, lookup: Callable[[str], int], kind: str) -> int:
    if name is None:
        return -1
    try:
        return lookup(name)
    except KeyError:
        if name.isdigit():
            return int(name)
    raise FileSetError("there is no %s %r on this host" % (kind, name))


def _primary_group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid if uid != -1 else -1
    except KeyError:
        return -1


def parse_mode(value: object) -> int:
    """Permission bits of an Ansible ``mode``: octal text ('0640', '0o640') or a number, as YAML reads an unquoted 0640.

    Raise FileSetError for anything else; symbolic modes are relative, and there may be no file yet to be relative to.
    """
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise FileSetError("mode must be octal and quoted, such as '0640', not %r" % (value,))
    return mode


@dataclass
class Change:
    """What would happen to one file. ``before`` is None where no regular file is, ``after`` where none is to be."""

    name: str
    before: bytes | None
    after: bytes | None
    # attribute -> (as it is, as it is to be), where they differ in a file that is there
    attributes: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def content_differs(self) -> bool:
        """True if more than owner or mode differs."""
        return self.before != self.after


class FileSet:
    """The files of one folder that belong together. All names are relative to ``folder``, with ``/`` between parts."""

    def __init__(self, folder: str, attributes: Attributes) -> None:
        """Take the folder, an absolute path that need not be there yet, and what its files are to be."""
        if not os.path.isabs(folder):
            raise FileSetError("path must be absolute, not %r" % folder)
        self.folder = os.path.normpath(folder)
        self.attributes = attributes

    # -- looking ---------------------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """Content of a file as it is, or None where there is no regular file of that name."""
        content, _status = self._look(name)
        return content

    def _look(self, name: str) -> tuple[bytes | None, os.stat_result | None]:
        path = self._live(name)
        try:
            # Not through a link: the owner of the folder could point it anywhere, and we may be root.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                return None, None
            raise FileSetError("cannot read %s: %s" % (path, error.strerror)) from error
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise FileSetError("%s is a folder, where a file is to be" % path)
            if not stat.S_ISREG(status.st_mode):
                return None, None
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return stream.read(), status
        finally:
            os.close(descriptor)

    def plan(self, files: Mapping[str, bytes | None], prune: Iterable[str] = ()) -> list[Change]:
        """What it takes to make ``files`` (name -> content, None = absent) true, sorted by name; nothing is touched.

        ``prune``: patterns of files that go unless they are in ``files``. An owner that does not exist yet counts as a
        difference, so that a dry run on a bare host can say what would happen.
        """
        wanted = dict(files)
        for name in wanted:
            _check_name(name)
        for name in self.matching(prune):
            wanted.setdefault(name, None)
        for name in wanted:
            parents = {name[:i] for i, letter in enumerate(name) if letter == "/"}
            if parents & wanted.keys():
                raise FileSetError("%s cannot be a file and a folder at once" % sorted(parents & wanted.keys())[0])
        changes = []
        for name, after in sorted(wanted.items()):
            before, status = self._look(name)
            differing = {} if status is None or after is None else self._differing(status)
            if before != after or differing or (after is None and os.path.lexists(self._live(name))):
                changes.append(Change(name, before, after, differing))
        return changes

    def _differing(self, status: os.stat_result) -> dict[str, tuple[str, str]]:
        differing = {}
        mode = stat.S_IMODE(status.st_mode)
        if mode != self.attributes.mode:
            differing["mode"] = ("%04o" % mode, "%04o" % self.attributes.mode)
        there = {"owner": status.st_uid, "group": status.st_gid}
        names = {"owner": self.attributes.owner, "group": self.attributes.group}
        try:
            wanted = dict(zip(names, self.attributes.ids()))
        except FileSetError:
            # An account that does not exist yet.
            wanted = {key: -2 for key, name in names.items() if name is not None}
        for key, number in wanted.items():
            if number not in (-1, there[key]):
                differing[key] = (str(there[key]), names[key] or str(number))
        return differing

    def matching(self, patterns: Iterable[str]) -> list[str]:
        """Names of the files, links included, that match a pattern; ``*`` matches no ``/`` and no leading dot."""
        names = set()
        for pattern in patterns:
            _check_name(pattern)
            for path in glob.glob(os.path.join(glob.escape(self.folder), pattern)):
                name = os.path.relpath(path, self.folder)
                if (os.path.islink(path) or os.path.isfile(path)) and not name.startswith(STAGING_PREFIX):
                    names.add(name)
        return sorted(names)

    # -- changing --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs off the folder, which must exist; the kernel lets go of the lock when the process dies."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                    if time.monotonic() > deadline:
                        raise FileSetError(
                            "another run has been writing into %s for %d s; try again" % (self.folder, LOCK_SECONDS)
                        ) from error
                    time.sleep(0.1)
            yield
        finally:
            os.close(descriptor)

    def make_folder(self) -> list[str]:
        """Make the folder where it is missing; return the folders made, outermost first."""
        return self._make_folders(self.folder)

    def _make_folders(self, folder: str) -> list[str]:
        owner = self.attributes.ids()
        made: list[str] = []
        missing = []
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        inside = folder == self.folder or folder.startswith(self.folder + os.sep)
        if not os.path.isdir(folder) or (inside and folder != self.folder and os.path.islink(folder)):
            raise FileSetError("%s is not a folder" % folder)
        for path in reversed(missing):
            os.mkdir(path, self.attributes.directory_mode)
            made.append(path)
            os.chown(path, *owner)
            os.chmod(path, self.attributes.directory_mode)
        return made

    def remove_leftovers(self) -> None:
        """Remove staging folders of runs that were killed; only while the folder is locked, or they may be in use."""
        for path in glob.glob(os.path.join(glob.escape(self.folder), STAGING_PREFIX + "*")):
            _remove_tree(path)

    @contextlib.contextmanager
    def staged(self, files: Mapping[str, bytes], also: Sequence[str] = (), where: str | None = None) -> Iterator[str]:
        """Write ``files``, with their final owner and mode, into a new folder; yield its path, and remove it afterwards.

        ``also``: names of live files that are shown beside them, as hard links (copies where the file system has none).
        ``where``: another place than the destination, for a dry run where that does not exist.
        """
        with _in_words("write", self.folder):
            staging = tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=where or self.folder)
        try:
            with _in_words("write", self.folder):
                os.chown(staging, *self.attributes.ids())
                for name, content in sorted(files.items()):
                    path = os.path.join(staging, name)
                    self._make_parents(staging, name)
                    self._write(path, content)
                for name in also:
                    if name not in files:
                        self._make_parents(staging, name)
                        _show(self._live(name), os.path.join(staging, name))
            yield staging
        finally:
            _remove_tree(staging)

    def _make_parents(self, base: str, name: str) -> None:
        for part in posixpath.dirname(name).split("/"):
            base = os.path.join(base, part)
            if part and not os.path.isdir(base):
                os.mkdir(base, 0o700)
                os.chown(base, *self.attributes.ids())

    def _write(self, path: str, content: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            self._set_attributes(descriptor)
            os.fsync(descriptor)

    def _set_attributes(self, descriptor: int) -> None:
        uid, gid = self.attributes.ids()
        status = os.fstat(descriptor)
        if uid not in (-1, status.st_uid) or gid not in (-1, status.st_gid):
            os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, self.attributes.mode)

    def commit(self, changes: Iterable[Change], staging: str) -> None:
        """Make the changes true: rename from ``staging``, remove what is to go, repair owner and mode of what stays.

        Either all content changes happen, or FileSetError is raised and the folder is as it was.
        """
        changes = list(changes)
        undo = contextlib.ExitStack()
        touched = set()
        with undo, _in_words("change", self.folder):
            backups = os.path.join(staging, STAGING_PREFIX + "before")
            os.mkdir(backups, 0o700)
            for number, change in enumerate(
                change for change in changes if change.content_differs or change.after is None
            ):
                live = self._live(change.name)
                for folder in self._make_folders(os.path.dirname(live)) if change.after is not None else ():
                    undo.callback(_quietly, os.rmdir, folder)
                if os.path.lexists(live):
                    backup = os.path.join(backups, str(number))
                    _show(live, backup)
                    undo.callback(_quietly, os.replace, backup, live)
                elif change.after is not None:
                    undo.callback(_quietly, os.unlink, live)
                if change.after is None:
                    os.unlink(live)
                else:
                    os.replace(os.path.join(staging, change.name), live)
                touched.add(os.path.dirname(live))
            for change in changes:
                if change.attributes and not change.content_differs:
                    descriptor = os.open(self._live(change.name), os.O_RDONLY | os.O_NOFOLLOW)
                    try:
                        self._set_attributes(descriptor)
                    finally:
                        os.close(descriptor)
            for folder in touched:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            undo.pop_all()

    def _live(self, name: str) -> str:
        """Path of a file. Not through a link inside the folder: the folder's owner could point that anywhere."""
        parent = self.folder
        for part in posixpath.dirname(name).split("/"):
            parent = os.path.join(parent, part)
            if part and os.path.islink(parent):
                raise FileSetError("%s is a link, where a folder is to be" % parent)
        return os.path.join(self.folder, name)


def _check_name(name: str) -> None:
    parts = name.split("/")
    if (
        not name
        or "\0" in name
        or any(part in ("", ".", "..") for part in parts)
        or parts[0].startswith(STAGING_PREFIX)
    ):
        raise FileSetError("%r is not a file name relative to the folder" % name)


def _show(source: str, destination: str) -> None:
    """Make ``source`` appear as ``destination``: a hard link, or a copy where those cannot be made."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        shutil.copy2(source, destination, follow_symlinks=False)
        if not os.path.islink(destination):
            status = os.stat(source)
            _quietly(os.chown, destination, status.st_uid, status.st_gid)


def _quietly(function: Callable[..., object], *arguments: object) -> None:
    with contextlib.suppress(OSError):
        function(*arguments)


def _remove_tree(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        _quietly(os.unlink, path)
    else:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _in_words(verb: str, folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "no space left on its file system (%s); free some and run again" % error.strerror
        elif error.errno == errno.EROFS:
            reason = "its file system is read-only"
        else:
            reason = error.strerror or str(error)
        raise FileSetError(
            "cannot %s files in %s: %s. The files there are as they were" % (verb, folder, reason)
        ) from error
