#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: import_packages
short_description: Import distribution files from a folder of the host into an index
version_added: 0.1.0
description:
  - Reads the distribution files below a folder, whoever owns them, and hands them to the index, which takes each as it takes
    an upload, verified and on its page at once. The index serves meanwhile. Files keep their times.
  - A file that the index has already is not sent. One that it has with other content is a conflict, and is left out, as are
    files that are not what their name says.
  - The folder is only read. Symbolic links in it are not followed.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  path:
    description: The folder. Hidden files and folders in it are left out.
    type: str
    required: true
  instance:
    description: The index, which has to run on the host.
    type: str
    required: true
  home:
    description: The folder of the index.
    type: path
    required: true
  suffixes:
    description: What names of distribution files end with. Other files are left out.
    type: list
    elements: str
    required: true
extends_documentation_fragment: [ansible.builtin.action_common_attributes]
attributes:
  check_mode:
    support: full
    details: Each file that the index does not have is verified, so it takes as long as the import.
  diff_mode:
    support: full
    details: Names the files that are new.
  platform: {platforms: posix}
"""

EXAMPLES = r"""
- name: Import the packages of an older server
  wheelhouse.pypi.import_packages:
    path: /home/deploy/pypi-server/packages
    instance: internal
    home: /home/pypi/internal
    suffixes: [.whl, .tar.gz]
"""

RETURN = r"""
imported:
  description: Files that are new, by path below O(path).
  type: list
  elements: str
  returned: always
doubtful:
  description: Imported files that no client can install, each with the reason. An upload of such a file is refused.
  type: list
  elements: str
  returned: always
present:
  description: How many files the index had already.
  type: int
  returned: always
ignored:
  description: How many files are no distribution files.
  type: int
  returned: always
conflicts:
  description: Files that the index has with other content, each with the reason.
  type: list
  elements: str
  returned: always
refused:
  description: Files that were left out, each with the reason.
  type: list
  elements: str
  returned: always
"""

import dataclasses
import errno
import os
import stat
from typing import Iterable, Iterator, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import nofollow
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.index_import import (
    Done,
    Index,
    Stopped,
    container_of,
    shown,
    some,
)

_SIGNATURE = ".asc"
# Folders in folders: each is open while it is read.
_DEPTH = 32


class Found(NamedTuple):
    """Something in the folder: its path below it, the open folder that it is in, and why it is left out."""

    path: str
    folder: int
    problem: str = ""


@dataclasses.dataclass
class Outcome:
    """What became of the files."""

    imported: list[str] = dataclasses.field(default_factory=list)
    doubtful: list[str] = dataclasses.field(default_factory=list)
    present: int = 0
    ignored: int = 0
    conflicts: list[str] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)

    def note_all(self, done: Iterable[Done]) -> None:
        """Count files by what the index says became of them."""
        for path, became, why in done:
            self.note(path, became, why)

    def note(self, path: str, became: str, why: str) -> None:
        """Count a file by what the index says became of it."""
        if became == "imported":
            self.imported.append(shown(path))
            if why:
                self.doubtful.append("%s: %s" % (shown(path), why))
        elif became == "present":
            self.present += 1
        else:
            (self.conflicts if became == "conflict" else self.refused).append("%s: %s" % (shown(path), why))


def walk(folder: int, suffixes: tuple[str, ...], outcome: Outcome, above: str = "", depth: int = 0) -> Iterator[Found]:
    """Yield what may be a distribution file below an open folder, a file before its signature; no link is followed."""
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        path = above + entry.name
        if entry.name.startswith("."):
            outcome.ignored += 1
        elif entry.is_dir(follow_symlinks=False):
            if depth == _DEPTH:
                yield Found(path, folder, "more than %d folders above each other" % _DEPTH)
                continue
            try:
                with nofollow.subfolder(entry.name, folder) as inner:
                    yield from walk(inner, suffixes, outcome, path + "/", depth + 1)
            except OSError as error:
                yield Found(path, folder, "cannot be read: %s" % error.strerror)
        elif entry.is_symlink():
            yield Found(path, folder, "a symbolic link, which is not followed: put what it leads to in its place")
        elif not entry.is_file(follow_symlinks=False):
            yield Found(path, folder, "neither a file nor a folder")
        elif entry.name.endswith(suffixes) or entry.name.endswith(tuple(one + _SIGNATURE for one in suffixes)):
            yield Found(path, folder)
        else:
            outcome.ignored += 1


def open_source(path: str, home: str) -> int:
    """Return a descriptor of the folder; raise Stopped where it cannot be what is meant."""
    if not path:
        raise Stopped(
            "missing; name the folder with the packages: -e pypi_import_from=/home/deploy/pypi-server/packages, or give the "
            "address of another index"
        )
    if not path.startswith("/") or "\0" in path:
        raise Stopped("%r is not an absolute path; give one that begins with /" % path)
    try:
        folder = nofollow.open_folder(path)
    except OSError as error:
        known = {
            errno.ELOOP: "%s %s" % (error.filename, error.strerror),
            errno.ENOENT: "%s does not exist on this host" % path,
            errno.ENOTDIR: "%s is not a folder; name the folder that has the files" % path,
        }
        raise Stopped(known.get(error.errno or 0, "%s cannot be read: %s" % (path, error.strerror))) from error
    source = os.path.realpath("/proc/self/fd/%d" % folder)
    packages = os.path.realpath(os.path.join(home, "packages"))
    if os.path.commonpath([source, packages]) in (source, packages):
        os.close(folder)
        raise Stopped("%s and %s are in each other; name a folder outside of the index" % (path, packages))
    return folder


def send_all(folder: int, suffixes: tuple[str, ...], index: Index, outcome: Outcome) -> None:
    """Hand all files of a folder to the index."""
    for found in walk(folder, suffixes, outcome):
        if found.problem:
            outcome.note(found.path, "refused", found.problem)
            continue
        try:
            # What has taken its place since: a pipe may have no writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(os.path.basename(found.path), flags, dir_fd=found.folder)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(0, "it is no file")
                done = index.take(found.path, file)
        except OSError as error:
            outcome.note(found.path, "refused", "cannot be read: %s" % error.strerror)
        else:
            outcome.note_all(done)
    outcome.note_all(index.finish())


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "instance": {"type": "str", "required": True},
            "home": {"type": "path", "required": True},
            "suffixes": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    talk_to_own_engine()
    outcome = Outcome()
    problem = ""
    try:
        folder = open_source(module.params["path"], module.params["home"])
        index = Index(container_of(module, module.params["instance"]), module.check_mode)
        try:
            send_all(folder, tuple(module.params["suffixes"]), index, outcome)
        finally:
            index.kill()
            os.close(folder)
    except Stopped as error:
        problem = str(error)
    except OSError as error:
        problem = "%s cannot be read: %s" % (module.params["path"], error.strerror)
    for names in (outcome.imported, outcome.doubtful, outcome.conflicts, outcome.refused):
        names.sort()
    result = dataclasses.asdict(outcome)
    result["changed"] = bool(outcome.imported)
    result["diff"] = {"prepared": "".join("+ %s\n" % path for path in outcome.imported)}
    if outcome.conflicts:
        module.warn("Conflicts, not imported: the index keeps what it has.%s" % some(outcome.conflicts))
    if outcome.doubtful:
        module.warn("Imported, though no client can install them:%s" % some(outcome.doubtful))
    if outcome.refused:
        module.warn("Refused, not imported:%s" % some(outcome.refused))
    if problem:
        so_far = " (%d files were imported before)" % len(outcome.imported) if outcome.imported else ""
        module.fail_json(msg="pypi_import_from: %s%s" % (problem, so_far), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
