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
import secrets
import shutil
import stat
import time
from dataclasses import dataclass, field
from typing import Callable, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.wheelhouse.pypi.plugins.module_utils import nofollow

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
        uid = _account_id(self.owner, lambda name: pwd.getpwnam(name).pw_uid, "user")
        if self.group is None:
            return uid, _primary_group(uid)
        return uid, _account_id(self.group, lambda name: grp.getgrnam(name).gr_gid, "group")


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


class Staging(NamedTuple):
    """The folder that files are written to before they go live: its path, and where it is open."""

    path: str
    descriptor: int


class FileSet:
    """The files of one folder that belong together. All names are relative to ``folder``, with ``/`` between parts.

    An account that may write there cannot lead root elsewhere: folders are opened as ``nofollow`` says, and files by their
    name in an open folder.
    """

    def __init__(self, folder: str, attributes: Attributes) -> None:
        """Take the folder, an absolute path that need not be there yet, and what its files are to be."""
        if not os.path.isabs(folder):
            raise FileSetError("path must be absolute, not %r" % folder)
        self.folder = os.path.normpath(folder)
        self.attributes = attributes

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether the folder is there; raise FileSetError where something else is."""
        with self._open_folder() as top:
            return top is not None

    @contextlib.contextmanager
    def _open_folder(self) -> Iterator[int | None]:
        """Have the folder open; None where there is none."""
        try:
            with _folder_in_words():
                descriptor = nofollow.open_folder(self.folder)
        except FileNotFoundError:
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _open_parent(self, name: str) -> Iterator[int | None]:
        """Have the folder open in which a file is; None where there is none. Not through a link inside the folder."""
        with contextlib.ExitStack() as stack:
            found = stack.enter_context(self._open_folder())
            shown = self.folder
            for part in posixpath.dirname(name).split("/"):
                if not part or found is None:
                    continue
                shown = os.path.join(shown, part)
                try:
                    found = stack.enter_context(nofollow.subfolder(part, found))
                except FileNotFoundError:
                    found = None
                except NotADirectoryError as error:
                    if os.path.islink(shown):
                        raise FileSetError("%s is a link, where a folder is to be" % shown) from error
                    found = None
            yield found

    def read(self, name: str) -> bytes | None:
        """Content of a file as it is, or None where there is no regular file of that name."""
        content, _status = self._look(name)
        return content

    def _look(self, name: str) -> tuple[bytes | None, os.stat_result | None]:
        path = os.path.join(self.folder, name)
        with self._open_parent(name) as parent:
            if parent is None:
                return None, None
            try:
                # Not through a link: the owner of the folder could point it anywhere, and we may be root.
                descriptor = os.open(
                    posixpath.basename(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent
                )
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
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

    def plan(self, files: Mapping[str, bytes | None]) -> list[Change]:
        """What it takes to make ``files`` (name -> content, None = absent) true, sorted by name; nothing is touched.

        An owner that does not exist yet counts as a difference, so that a dry run on a bare host can say what would happen.
        """
        wanted = dict(files)
        for name in wanted:
            _check_name(name)
        for name in wanted:
            parents = {name[:i] for i, letter in enumerate(name) if letter == "/"}
            if parents & wanted.keys():
                raise FileSetError("%s cannot be a file and a folder at once" % sorted(parents & wanted.keys())[0])
        changes = []
        for name, after in sorted(wanted.items()):
            before, status = self._look(name)
            differing = {} if status is None or after is None else self._differing(status)
            if before != after or differing or (after is None and self._is_there(name)):
                changes.append(Change(name, before, after, differing))
        return changes

    def _is_there(self, name: str) -> bool:
        with self._open_parent(name) as parent:
            return parent is not None and _exists(posixpath.basename(name), parent)

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
        with self._open_folder() as top:
            # By its descriptor, a folder has a path that leads nowhere else.
            folder = "/proc/self/fd/%d" % (-1 if top is None else top)
            for pattern in patterns:
                _check_name(pattern)
                for path in glob.glob(os.path.join(folder, pattern)):
                    name = os.path.relpath(path, folder)
                    if (os.path.islink(path) or os.path.isfile(path)) and not name.startswith(STAGING_PREFIX):
                        names.add(name)
        return sorted(names)

    # -- changing --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs off the folder, which must exist; the kernel lets go of the lock when the process dies."""
        with self._open_folder() as top:
            if top is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.folder)
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(top, fcntl.LOCK_EX | fcntl.LOCK_NB)
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

    def make_folder(self) -> list[str]:
        """Make the folder where it is missing; return the folders made, outermost first."""
        with _folder_in_words():
            descriptor, made = nofollow.make_folders(self.folder, *self._of_folders())
        os.close(descriptor)
        return made

    def _of_folders(self) -> tuple[int, int, int]:
        """Mode, owner and group of folders that are made."""
        return (self.attributes.directory_mode, *self.attributes.ids())

    def _make_one(self, name: str, parent: int) -> int:
        """Make a folder in an open one; return its descriptor."""
        return nofollow.make_folder(name, parent, *self._of_folders())

    def remove_leftovers(self) -> None:
        """Remove staging folders of runs that were killed; only while the folder is locked, or they may be in use."""
        with self._open_folder() as top:
            for name in [] if top is None else os.listdir(top):
                if name.startswith(STAGING_PREFIX) and top is not None:
                    nofollow.remove_tree(name, top)

    @contextlib.contextmanager
    def staged(self, files: Mapping[str, bytes], also: Sequence[str] = ()) -> Iterator[Staging]:
        """Write ``files``, with their final owner and mode, into a new folder; yield that, and remove it afterwards.

        ``also``: names of live files that are shown beside them, as hard links (copies where the file system has none).
        """
        name = STAGING_PREFIX + secrets.token_hex(4)
        with contextlib.ExitStack() as stack:
            with _in_words("write", self.folder):
                parent = stack.enter_context(nofollow.folder(self.folder))
                stack.callback(nofollow.remove_tree, name, parent)
                staging = self._make_one(name, parent)
                stack.callback(os.close, staging)
                for one, content in sorted(files.items()):
                    with self._make_parent(one, staging) as folder:
                        self._write(posixpath.basename(one), folder, content)
                for one in also:
                    if one not in files:
                        with self._open_parent(one) as live, self._make_parent(one, staging) as folder:
                            if live is not None:
                                _show(posixpath.basename(one), live, posixpath.basename(one), folder)
            yield Staging(os.path.join(self.folder, name), staging)

    @contextlib.contextmanager
    def _make_parent(self, name: str, top: int, undo: contextlib.ExitStack | None = None) -> Iterator[int]:
        """Have the folder of a file open, below an open one; what is missing is made, and ``undo`` can remove that."""
        with contextlib.ExitStack() as stack:
            for part in posixpath.dirname(name).split("/"):
                if not part:
                    continue
                try:
                    folder = stack.enter_context(nofollow.subfolder(part, top))
                except FileNotFoundError:
                    folder = self._make_one(part, top)
                    stack.callback(os.close, folder)
                    if undo is not None:
                        undo.callback(_quietly, os.rmdir, part, dir_fd=top)
                top = folder
            yield top

    def _write(self, name: str, folder: int, content: bytes) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            uid, gid = self.attributes.ids()
            status = os.fstat(descriptor)
            if uid not in (-1, status.st_uid) or gid not in (-1, status.st_gid):
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, self.attributes.mode)
            os.fsync(descriptor)

    def commit(self, changes: Iterable[Change], staging: Staging) -> None:
        """Make the changes true: rename from ``staging``, and remove what is to go.

        A file of which only owner or mode differs is replaced as well: what serves from it sees the old one or the new
        one, and what else the old one is called is left alone. Either all changes happen, or FileSetError is raised and the
        folder is as it was.
        """
        with contextlib.ExitStack() as open_folders, contextlib.ExitStack() as undo, _in_words("change", self.folder):
            backups = nofollow.make_folder(STAGING_PREFIX + "before", staging.descriptor)
            open_folders.callback(os.close, backups)
            touched = []
            for number, change in enumerate(changes):
                top = open_folders.enter_context(nofollow.folder(self.folder))
                live = open_folders.enter_context(self._make_parent(change.name, top, undo))
                name, backup = posixpath.basename(change.name), str(number)
                if _exists(name, live):
                    _show(name, live, backup, backups)
                    undo.callback(_quietly, os.replace, backup, name, src_dir_fd=backups, dst_dir_fd=live)
                elif change.after is not None:
                    undo.callback(_quietly, os.unlink, name, dir_fd=live)
                if change.after is None:
                    os.unlink(name, dir_fd=live)
                else:
                    with self._make_parent(change.name, staging.descriptor) as source:
                        os.replace(name, name, src_dir_fd=source, dst_dir_fd=live)
                touched.append(live)
            for live in touched:
                os.fsync(live)
            undo.pop_all()


def _check_name(name: str) -> None:
    parts = name.split("/")
    if (
        not name
        or "\0" in name
        or any(part in ("", ".", "..") for part in parts)
        or parts[0].startswith(STAGING_PREFIX)
    ):
        raise FileSetError("%r is not a file name relative to the folder" % name)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _show(source: str, source_folder: int, name: str, folder: int) -> None:
    """Make a file appear under another name: a hard link, or a copy where those cannot be made."""
    try:
        os.link(source, name, src_dir_fd=source_folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        status = os.stat(source, dir_fd=source_folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source, dir_fd=source_folder), name, dir_fd=folder)
            return
        there = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=source_folder)
        here = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        with os.fdopen(there, "rb") as old, os.fdopen(here, "wb") as new:
            shutil.copyfileobj(old, new)
            status = os.fstat(there)
            _quietly(os.fchown, here, status.st_uid, status.st_gid)
            os.fchmod(here, stat.S_IMODE(status.st_mode))
            os.utime(here, ns=(status.st_atime_ns, status.st_mtime_ns))


def _quietly(function: Callable[..., object], *arguments: object, **options: object) -> None:
    with contextlib.suppress(OSError):
        function(*arguments, **options)


@contextlib.contextmanager
def _folder_in_words() -> Iterator[None]:
    try:
        yield
    except nofollow.ForeignLink as error:
        raise FileSetError("%s %s" % (error.filename, error.strerror)) from error
    except NotADirectoryError as error:
        raise FileSetError("%s is not a folder" % error.filename) from error


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
