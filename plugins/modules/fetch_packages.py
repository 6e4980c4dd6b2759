#!/usr/bin/python
# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_packages
short_description: Fetch the distribution files of another index to the host
version_added: 0.2.0
description:
  - Reads the pages of an index by the simple API, and fetches what this index does not have into a folder of root's, from
    which M(wheelhouse.pypi.import_packages) takes it. Each file is verified by the hash on its page, and gets its upload time.
  - What an earlier run has fetched is not fetched again. What is no longer on the pages is removed from the folder.
  - The login goes to the very server of the index only, not to others that files are on.
author: The wheelhouse.pypi developers (@wheelhouse)
options:
  url:
    description: Address of the index, before the name of a project.
    type: str
    required: true
  username:
    description: The login's name; empty without a login.
    type: str
    default: ''
  password:
    description: Its password or token.
    type: str
    default: ''
  projects:
    description: Names of projects, or patterns with C(*); without them, all.
    type: list
    elements: str
    default: []
  authorities:
    description: Certificates to trust instead of the host's, as PEM.
    type: str
    default: ''
  instance:
    description: The index to import into, which has to run on the host.
    type: str
    required: true
  home:
    description: The folder of that index.
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
    details: Only pages are read.
  diff_mode:
    support: full
    details: In check mode, names the files that would be fetched.
  platform: {platforms: posix}
notes:
  - The folder is temporary. So a run that fetches is not a change; what is imported then is.
"""

EXAMPLES = r"""
- name: Fetch the packages of another index
  wheelhouse.pypi.fetch_packages:
    url: https://old.example.com/simple/
    username: reader
    password: "{{ vault_old_password }}"
    instance: internal
    home: /home/pypi/internal
    suffixes: [.whl, .tar.gz]
"""

RETURN = r"""
folder:
  description: The folder that the files are in.
  type: str
  returned: always
fetched:
  description: Names of the files in it, or in check mode of those that would be.
  type: list
  elements: str
  returned: always
present:
  description: How many files this index had already.
  type: int
  returned: always
ignored:
  description: How many files are no distribution files.
  type: int
  returned: always
conflicts:
  description: Files that this index has with other content, each with the reason.
  type: list
  elements: str
  returned: always
refused:
  description: Files that were left out, each with the reason.
  type: list
  elements: str
  returned: always
yanked:
  description: What to yank on this index, in the words of the playbook C(yank.yml).
  type: list
  elements: dict
  returned: always
"""

import concurrent.futures
import contextlib
import dataclasses
import errno
import http.client
import os
import re
import urllib.parse
from typing import Any, Callable, Iterable, Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import nofollow
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import talk_to_own_engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.index_fetch import File, Refused, Source, hasher
from ansible_collections.wheelhouse.pypi.plugins.module_utils.index_import import Stopped, container_of, shown, some
from ansible_collections.wheelhouse.pypi.plugins.module_utils.upstream_pages import Wrong

FOLDER = ".import"
_AT_A_TIME = 4
_CHUNK = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,200}\Z")
# As long as a reason may be that an index takes.
_REASON_LETTERS = 1000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclasses.dataclass
class Outcome:
    """What became of the files."""

    folder: str
    fetched: list[str] = dataclasses.field(default_factory=list)
    present: int = 0
    ignored: int = 0
    conflicts: list[str] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)
    yanked: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def refuse(self, name: str, why: str) -> None:
        """Note a file that is left out."""
        self.refused.append("%s: %s" % (shown(name), why))


def each(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield what becomes of items, several of which are worked on at a time; the first error ends it."""
    pool = concurrent.futures.ThreadPoolExecutor(_AT_A_TIME)
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()
        pool.shutdown()


def listed(source: Source, projects: list[str], suffixes: tuple[str, ...], outcome: Outcome) -> list[File]:
    """Return the files on all pages that can be fetched and verified.

    Raises:
        Wrong, OSError: as for Source.
    """
    found, twice = {}, set()  # type: dict[str, File], set[str]
    pages = list(each(source.files, source.projects_of(projects)))
    if not any(pages):
        raise Wrong(
            "no page has any file; give the address that ends before a project's name, and correct projects' names"
        )
    for file in (file for page in pages for file in page):
        if not file.name.endswith(suffixes):
            outcome.ignored += 1
        elif not _NAME.match(file.name):
            outcome.refuse(file.name, "its name is not that of a distribution file")
        elif not file.digest:
            outcome.refuse(file.name, "its page has no hash of it, so that it cannot be verified")
        elif found.setdefault(file.name, file).digest != file.digest:
            twice.add(file.name)
    for name in twice:
        outcome.refuse(name, "pages have it more than once, with different hashes")
    return [found[name] for name in sorted({*found} - twice)]


def has(folder: int, file: File) -> bool | None:
    """Tell whether an open folder has a file with this content; None where it has none of the name."""
    try:
        descriptor = os.open(file.name, _READ, dir_fd=folder)
    except OSError:
        return None
    digest = hasher(file.algorithm)
    with os.fdopen(descriptor, "rb") as content:
        for data in iter(lambda: content.read(_CHUNK), b""):
            digest.update(data)
    return bool(digest.hexdigest() == file.digest)


@contextlib.contextmanager
def staging(home: int) -> Iterator[int]:
    """Have the folder open for a while that files are fetched to; it is made where it is missing."""
    try:
        folder = nofollow.make_folder(FOLDER, home)
    except FileExistsError:
        folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=home)
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            raise Stopped("%s in the folder of the index is not root's; remove it" % FOLDER)
        yield folder
    finally:
        os.close(folder)


def fetch(source: Source, folder: int, file: File) -> str:
    """Bring a file into an open folder; return why it cannot be had, or nothing."""
    part = "." + file.name
    try:
        with os.fdopen(os.open(part, _WRITE, 0o600, dir_fd=folder), "wb") as target:
            changed_ns = source.fetch(file, target)
            target.flush()
            time_ns = file.uploaded_ns or changed_ns
            if time_ns:
                os.utime(target.fileno(), ns=(time_ns, time_ns))
    except Refused as refused:
        # Also what an earlier page had another hash of.
        for name in (part, file.name):
            nofollow.remove_tree(name, folder)
        return str(refused)
    os.rename(part, file.name, src_dir_fd=folder, dst_dir_fd=folder)
    return ""


def check_room(home: int, packages: int, to_fetch: list[File]) -> None:
    """Raise Stopped where the disk lacks room for files and their import, as far as pages say how large they are."""
    size = sum(file.size for file in to_fetch)
    needed = 2 * size if os.fstat(home).st_dev == os.fstat(packages).st_dev else size
    disk = os.fstatvfs(home)
    free = disk.f_bavail * disk.f_frsize
    if needed > free:
        raise Stopped(
            "no room: fetching and importing takes %d MB, and %d MB are free; make room, or import some projects at a time: "
            "-e pypi_import_projects='a*,b*'" % (needed >> 20, free >> 20)
        )


def run(source: Source, parameters: dict[str, Any], check: bool, outcome: Outcome) -> None:
    """Fetch what the index does not have."""
    files = listed(source, parameters["projects"], tuple(parameters["suffixes"]), outcome)
    with nofollow.folder(parameters["home"]) as home, nofollow.folder(parameters["home"] + "/packages") as packages:
        there = dict(zip(files, each(lambda file: has(packages, file), files)))
        new = [file for file in files if there[file] is None]
        outcome.present = sum(same is True for same in there.values())
        outcome.conflicts += [
            "%s: the index has a file of this name with other content" % file.name
            for file in files
            if there[file] is False
        ]
        if check:
            check_room(home, packages, new)
            outcome.fetched = [file.name for file in new]
        else:
            with staging(home) as folder:
                missing = without(folder, new, outcome)
                check_room(home, packages, missing)
                bring(source, folder, missing, outcome)
    wanted = {file.name for file in files if there[file]} | {*outcome.fetched}
    outcome.yanked = [
        {"pypi_file": file.name, "pypi_reason": reason_of(file.yanked)}
        for file in files
        if file.yanked is not None and file.name in wanted
    ]


def without(folder: int, new: list[File], outcome: Outcome) -> list[File]:
    """Return which files an open folder lacks, and remove all others from it."""
    for name in {*os.listdir(folder)} - {file.name for file in new}:
        nofollow.remove_tree(name, folder)
    fetched = dict(zip(new, each(lambda file: has(folder, file), new)))
    outcome.fetched = [file.name for file in new if fetched[file]]
    return [file for file in new if not fetched[file]]


def bring(source: Source, folder: int, missing: list[File], outcome: Outcome) -> None:
    """Bring files into an open folder."""
    for file, problem in zip(missing, each(lambda file: fetch(source, folder, file), missing)):
        if problem:
            outcome.refuse(file.name, problem)
        else:
            outcome.fetched.append(file.name)


def reason_of(text: str) -> str:
    """Return a reason as an index takes it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_REASON_LETTERS]


def checked_url(parameters: dict[str, Any]) -> str:
    """Return the address with a slash at its end; raise Stopped where it cannot be what is meant."""
    url = parameters["url"]
    try:
        parts = urllib.parse.urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if "@" in url:
        raise Stopped("the address has a login in it; give that by pypi_import_username and pypi_import_password")
    if not is_address or "?" in url or "#" in url:
        raise Stopped("%s is not the address of an index; give one such as https://old.example.com/simple/" % url)
    if bool(parameters["username"]) != bool(parameters["password"]) or ":" in parameters["username"]:
        raise Stopped("give both pypi_import_username, without a colon, and pypi_import_password, or neither")
    return str(url).rstrip("/") + "/"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "projects": {"type": "list", "elements": "str", "default": []},
            "authorities": {"type": "str", "default": ""},
            "instance": {"type": "str", "required": True},
            "home": {"type": "path", "required": True},
            "suffixes": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    talk_to_own_engine()
    given = module.params
    outcome = Outcome("%s/%s" % (given["home"], FOLDER))
    problem = ""
    try:
        url = checked_url(given)
        container_of(module, given["instance"])
        if given["username"] and url.startswith("http:"):
            module.warn("The login of %s is sent unencrypted: use https where that index has it" % url)
        source = Source(url, given["username"], given["password"], given["authorities"])
        run(source, given, module.check_mode, outcome)
    except (Stopped, Wrong) as error:
        problem = str(error)
    except (OSError, http.client.HTTPException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            problem = "no room in %s; make room, then run it again" % outcome.folder
        else:
            reason = getattr(error, "reason", error) or repr(error)
            problem = "%s cannot be read from this host: %s; run it again once it can" % (given["url"], reason)
    outcome.conflicts.sort()
    outcome.refused.sort()
    result = dataclasses.asdict(outcome)
    result["changed"] = module.check_mode and bool(outcome.fetched)
    if module.check_mode:
        result["diff"] = {"prepared": "".join("+ %s\n" % name for name in outcome.fetched)}
    if outcome.conflicts:
        module.warn("Conflicts, not fetched: the index keeps what it has.%s" % some(outcome.conflicts))
    if outcome.refused:
        module.warn("Refused, not fetched:%s" % some(outcome.refused))
    if problem:
        kept = " Nothing was imported. %d files are fetched, and kept for the next run." % len(outcome.fetched)
        module.fail_json(msg="pypi_import_from: %s.%s" % (problem, kept if outcome.fetched else ""), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
