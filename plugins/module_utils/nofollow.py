# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders by descriptor, where an account that is not root may change their names at any moment.

A path is opened component by component, and a symbolic link on the way is followed only if it belongs to root: the
link itself is opened, judged and read through one descriptor, so it cannot be swapped in between. What is done then is
done to the descriptor.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shutil
import stat
from typing import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# As many links as the kernel follows.
_LINKS = 40


class ForeignLink(OSError):
    """A link that does not belong to root stands where root would have to follow it."""


def open_folder(path: str) -> int:
    """Return a descriptor of a folder; raise ForeignLink, or OSError as ``os.open`` does.

    Args:
        path: absolute.
    """
    waiting = _parts(path)
    here, shown = os.open("/", _FOLDER), "/"
    links = 0
    try:
        while waiting:
            part = waiting.pop(0)
            try:
                found = os.open(part, _FOLDER, dir_fd=here)
            except OSError as error:
                # A link answers ELOOP or ENOTDIR.
                target = _link(part, here, shown + part) if error.errno in (errno.ELOOP, errno.ENOTDIR) else None
                if target is None:
                    raise OSError(error.errno, error.strerror, shown + part) from error
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from error
                waiting = _parts(target) + waiting
                if os.path.isabs(target):
                    os.close(here)
                    here, shown = os.open("/", _FOLDER), "/"
                continue
            os.close(here)
            here, shown = found, "%s%s/" % (shown, part)
    except OSError:
        os.close(here)
        raise
    return here


@contextlib.contextmanager
def folder(path: str) -> Iterator[int]:
    """Have a folder open for a while."""
    descriptor = open_folder(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def subfolder(name: str, parent: int) -> Iterator[int]:
    """Have a folder open for a while that must be no link."""
    descriptor = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder(name: str, parent: int, mode: int = 0o700, uid: int = -1, gid: int = -1) -> int:
    """Make a folder in an open one, and return its descriptor; raise OSError where something is there.

    The folder that is opened is root's: one that another account has put in its place meanwhile is refused.
    """
    os.mkdir(name, 0o700, dir_fd=parent)
    descriptor = os.open(name, _FOLDER, dir_fd=parent)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise OSError(errno.EPERM, "was replaced while it was made", name)
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_folders(path: str, mode: int, uid: int = -1, gid: int = -1) -> tuple[int, list[str]]:
    """Make a folder where it is missing, and those above it; return its descriptor, and what was made, outermost first."""
    try:
        return open_folder(path), []
    except FileNotFoundError:
        parent, made = make_folders(os.path.dirname(path), mode, uid, gid)
        try:
            return make_folder(os.path.basename(path), parent, mode, uid, gid), [*made, path]
        finally:
            os.close(parent)


def hand_over(descriptor: int, uid: int, gid: int, mode: int) -> bool:
    """Give an open folder another owner, group and mode (-1 leaves an owner or a group); return whether that changed it.

    At no moment in between may its old or its new owner do less with it than before and after, as both may be serving
    from it.
    """
    status = os.fstat(descriptor)
    uid, gid = (status.st_uid if uid == -1 else uid), (status.st_gid if gid == -1 else gid)
    before = stat.S_IMODE(status.st_mode)
    if (status.st_uid, status.st_gid, before) == (uid, gid, mode):
        return False
    if (status.st_uid, status.st_gid) != (uid, gid):
        # The group first: what it may do from now on is not for the old one.
        os.fchown(descriptor, -1, gid)
        os.fchmod(descriptor, before | mode)
        os.fchown(descriptor, uid, -1)
    os.fchmod(descriptor, mode)
    return True


def remove_tree(name: str, folder: int) -> None:
    """Remove what has a name in an open folder, with all that is in it; what links lead to stays."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        # It opens what it has looked at, and compares the two.
        shutil.rmtree("/proc/self/fd/%d/%s" % (folder, name), ignore_errors=True)
    except OSError:
        pass


def name_of(uid: int) -> str:
    """Return the name of an account, or its number in words."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "uid %d" % uid


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _link(name: str, parent: int, shown: str) -> str | None:
    """Where a link leads; None where there is none. Raise ForeignLink where it is not root's."""
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISLNK(status.st_mode):
            return None
        target = os.readlink("", dir_fd=descriptor)
    finally:
        os.close(descriptor)
    if status.st_uid not in (0, os.geteuid()):
        text = (
            "is a link of %s to %s, and root follows none but its own: put there what it leads to, or make it root's "
            "(chown --no-dereference root %s)" % (name_of(status.st_uid), target, shown)
        )
        raise ForeignLink(errno.ELOOP, text, shown)
    return target
