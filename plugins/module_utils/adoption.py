# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that was set up by hand in the folder of an index: what of it is whose, and what is done with it.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import pwd
import re
import shutil
import stat
import time
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd

# Every container of an index has this label; its value is the index's name.
LABEL = "org.wheelhouse.instance"
# Words that only files of these roles have: the Compose file, and NGINX's two.
OURS = r"org\.wheelhouse\.|/etc/pypi-(nginx|auth)/"
# Files that roles write over, where somebody may have had his own.
REPLACED = ("docker-compose.yml", "nginx/nginx.conf", "nginx/conf.d/pypi.conf")
# What Compose reads instead of docker-compose.yml, or on top of it.
INSTEAD = ("compose.yaml", "compose.yml", "docker-compose.yaml")
BESIDE = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
    ".env",
)
PASSWORDS = "authentication/" + htpasswd.ALL_USERS
CREDENTIALS = "authentication/" + htpasswd.CREDENTIALS
# Where the files of before are kept.
KEPT = "adopted"
# There from the first copy until the old containers are replaced: by then nothing else need be left of the old server.
UNFINISHED = KEPT + "/unfinished"
# What belongs to the service account with all that is in it; a cache, too, or NGINX could not use it.
TREES = ("packages", "authentication", "nginx", "nginx_cache")

_FLAGS = ("-o", "--overwrite", "--disable-fallback", "-v", "-vv", "-vvv", "--verbose", "run")


# -- containers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Container:
    """A container that was made by hand. ``mounts``: destination -> (source on the host, name of a volume or '')."""

    id: str
    name: str
    image: str
    project: str
    ports: tuple[str, ...]
    running: bool
    arguments: tuple[str, ...]
    mounts: Mapping[str, tuple[str, str]]

    @property
    def is_pypiserver(self) -> bool:
        """Whether it has the packages: by its image, by where pypiserver's image has them, or by what it is told."""
        return (
            "pypiserver" in self.image
            or "/data/packages" in self.mounts
            or any(part.startswith(("-P", "--passwords")) or "pypi-server" in part for part in self.arguments)
        )

    def on_host(self, path: str) -> str:
        """Where a path of the container is on the host; empty where it is in the container itself."""
        for destination in sorted(self.mounts, key=len, reverse=True):
            if path == destination or path.startswith(destination.rstrip("/") + "/"):
                return self.mounts[destination][0] + path[len(destination.rstrip("/")) :]
        return ""


def by_hand(inspected: Iterable[Mapping[str, Any]], instance: str, home: str) -> list[Container]:
    """The containers of a server that was set up by hand in ``home``, out of what ``docker inspect`` says of all.

    Compose says which folder it was run in; version 1 did not always, and there the mounts tell.
    """
    found = []
    for one in inspected:
        labels = one["Config"].get("Labels") or {}
        project = labels.get("com.docker.compose.project", "")
        folder = labels.get("com.docker.compose.project.working_dir", "")
        mounts = {
            mount["Destination"]: (mount.get("Source", ""), mount.get("Name", "") if mount["Type"] == "volume" else "")
            for mount in one.get("Mounts") or ()
        }
        here = (
            os.path.realpath(folder) == os.path.realpath(home)
            if folder
            else any(_below(source, home) for source, _volume in mounts.values())
        )
        if not project or LABEL in labels or not (here or project == instance):
            continue
        bindings = (one.get("HostConfig") or {}).get("PortBindings") or {}
        found.append(
            Container(
                id=one["Id"],
                name=one["Name"].lstrip("/"),
                image=one["Config"].get("Image", ""),
                project=project,
                ports=tuple(sorted({port["HostPort"] for ports in bindings.values() for port in ports or ()})),
                running=bool((one.get("State") or {}).get("Running")),
                arguments=tuple(one.get("Args") or ()),
                mounts=mounts,
            )
        )
    return sorted(found, key=lambda container: container.name)


def _below(path: str, folder: str) -> bool:
    return bool(path) and (os.path.realpath(path) + "/").startswith(os.path.realpath(folder) + "/")


class Settings(NamedTuple):
    """What pypiserver was told: its password file, what needs a login, and where the packages are."""

    passwords: str
    authenticate: tuple[str, ...]
    roots: tuple[str, ...]


def settings(arguments: Sequence[str]) -> Settings:
    """Read the arguments of pypiserver. ``.`` as password file or as list of actions is none; it defaults to update."""
    values = {"P": "", "a": "update"}
    names = {"-P": "P", "--passwords": "P", "-a": "a", "--authenticate": "a"}
    roots = []
    before = ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if before in names:
            values[names[before]] = argument
        elif equals and option in names:
            values[names[option]] = value
        elif argument[:2] in ("-P", "-a") and len(argument) > 2:
            values[argument[1]] = argument[2:]
        elif argument.startswith("/") and (not before.startswith("-") or before in _FLAGS):
            roots.append(argument)
        # The value of an option is no option itself.
        before = "" if before in names else argument
    actions = tuple(part.strip() for part in values["a"].split(",") if part.strip() not in ("", "."))
    passwords = "" if values["P"] == "." else values["P"]
    return Settings(passwords, actions, tuple(roots) or ("/data/packages",))


def legible(arguments: Sequence[str]) -> bool:
    """Whether they are pypiserver's own: not a text for a shell, or for another program that starts it."""
    before = ""
    for argument in arguments:
        if re.match(r"-[a-z]*c\Z", before) or re.match(r"\S*pypi-?server\S*[\s(]", argument):
            return False
        if re.search(r"[\s(]", argument) and not argument.startswith(("-", "/")) and not before.startswith("-"):
            return False
        before = argument
    return True


def misplaced(container: Container, home: str) -> list[str]:
    """What of the old server is not where the index looks for it, so that it would be lost; with what to do first."""
    if not legible(container.arguments):
        return [
            "what %s runs is a text for a shell or another program, which does not tell where packages and passwords "
            "are: let it run pypiserver's own words before (in its Compose file, entrypoint: [pypi-server] and command: "
            "[run, -P, ..., -a, ..., /data/packages])" % container.name
        ]
    told = settings(container.arguments)
    found = []
    packages = os.path.join(home, "packages")
    for root in told.roots:
        source = container.on_host(root)
        lacking = missing(source, packages) if source else ["?"]
        if lacking:
            where = source or "%s inside the container" % root
            count = "its packages" if not source else "%d of its packages" % len(lacking)
            found.append(
                "%s of %s are in %s, and not in %s: copy them there before (docker cp %s:%s/. %s/)"
                % (count, container.name, where, packages, container.name, root, packages)
                + ("" if source else ", and remove the container")
            )
    # Once a run has written the logins, those of pypi_users with state: absent are not there any more.
    if told.passwords and not os.path.exists(os.path.join(home, CREDENTIALS)):
        source, target = container.on_host(told.passwords), os.path.join(home, PASSWORDS)
        if not source or set(logins(source)) - set(logins(target)):
            make = "" if os.path.isdir(os.path.dirname(target)) else "mkdir --parents %s && " % os.path.dirname(target)
            found.append(
                "the password file of %s is %s, and not %s: copy it there before (%sdocker cp %s:%s %s)"
                % (container.name, source or told.passwords, target, make, container.name, told.passwords, target)
                + ("" if source else ", and remove the container")
            )
    return found


def exposed(container: Container, home: str) -> list[str]:
    """What a container could not read any more from the moment when ``home`` is the account's alone; what to do first."""
    if not container.running:
        return []
    return [
        "%s mounts %s as %s, and %s is closed to it before it is replaced: mount packages/, authentication/ and what else "
        "it needs by themselves before" % (container.name, source, destination, home)
        for destination, (source, volume) in sorted(container.mounts.items())
        if source and not volume and _below(home, source)
    ]


def missing(source: str, target: str) -> list[str]:
    """Files below ``source`` that are not, with the same size, below ``target``; none where the two are the same."""
    if os.path.realpath(source) == os.path.realpath(target):
        return []
    lacking = []
    for folder, _folders, files in os.walk(source):
        for file in files:
            path = os.path.join(folder, file)
            twin = os.path.join(target, os.path.relpath(path, source))
            if os.path.isfile(path) and not (os.path.isfile(twin) and os.path.getsize(twin) == os.path.getsize(path)):
                lacking.append(os.path.relpath(path, source))
    return sorted(lacking)


# -- files -------------------------------------------------------------------------------------------------------------


def real(home: str, name: str) -> str:
    """Path of something below ``home`` without links.

    Raise OSError at a link that is not root's: the account, or whoever writes there so far, could have it lead anywhere.
    """
    path = os.path.realpath(home)
    for part in name.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            if os.lstat(path).st_uid != os.geteuid():
                raise OSError(errno.ELOOP, "is a link that is not root's", path)
            path = os.path.realpath(path)
    return path


def linked(home: str) -> list[str]:
    """Links of others than root in the place of what is read or given away; with what to do first."""
    found = {}
    for name in (KEPT, *TREES, *replaced(home), *in_the_way_of_compose(home), *in_the_way_of_nginx(home)):
        try:
            real(home, name)
        except OSError as error:
            path = error.filename
            found[path] = "%s is a link of %s to %s, and root follows none but its own: %s" % (
                path,
                _name(os.lstat(path).st_uid),
                os.readlink(path),
                "put there what it leads to, or make it root's before (chown --no-dereference root %s)" % path,
            )
    return list(found.values())


def replaced(home: str) -> list[str]:
    """Files of somebody else that roles write over: configuration, and passwords that no run has written yet."""
    found = [name for name in REPLACED if _is_foreign(os.path.join(home, name))]
    if os.path.isfile(os.path.join(home, PASSWORDS)) and not os.path.exists(os.path.join(home, CREDENTIALS)):
        found.append(PASSWORDS)
    return found


def _is_foreign(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return re.search(OURS, stream.read()) is None
    except (FileNotFoundError, NotADirectoryError):
        return False


def in_the_way_of_compose(home: str) -> list[str]:
    """Files that Compose would read instead of ours, or on top of it."""
    return [name for name in INSTEAD + BESIDE if os.path.isfile(os.path.join(home, name))]


def in_the_way_of_nginx(home: str) -> list[str]:
    """Files that our NGINX would load beside its own; they were written for another one."""
    folder = os.path.join(home, "nginx", "conf.d")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return ["nginx/conf.d/" + name for name in names if name.endswith(".conf") and name != "pypi.conf"]


def keep(home: str, names: Iterable[str], owner: tuple[int, int], now: time.struct_time, dry: bool) -> list[str]:
    """Copy files into ``adopted/<date and time>/``, unless an earlier run has; return the copies' paths below ``home``.

    The folder appears as a whole: a run that was killed leaves none, and one that goes on adds no second.
    """
    top = real(home, KEPT)
    earlier = [os.path.join(top, name) for name in (sorted(os.listdir(top)) if os.path.isdir(top) else [])]
    sources = {name: real(home, name) for name in names}
    todo = [
        name
        for name, source in sources.items()
        if not any(_same(source, os.path.join(folder, name)) for folder in earlier)
    ]
    folder = time.strftime("%Y-%m-%d-%H%M%S", now)
    if todo and not dry:
        partial = os.path.join(top, ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial, 0o700)
        with _ours(partial) as inside:
            for name in todo:
                copy = os.path.join(inside, name)
                os.makedirs(os.path.dirname(copy), 0o700, exist_ok=True)
                _copy(sources[name], copy)
            for path in reversed(list(_everything(inside))):
                os.chown(path, *owner)
        os.rename(partial, os.path.join(top, folder))
    return ["/".join((KEPT, folder, name)) for name in todo]


@contextlib.contextmanager
def _ours(folder: str) -> Iterator[str]:
    """A path of a folder that was just made, which stays the same folder whatever the account puts in its place."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise OSError(errno.EPERM, "somebody else has put it there meanwhile", folder)
        yield "/proc/self/fd/%d" % descriptor
    finally:
        os.close(descriptor)


def _copy(source: str, copy: str) -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as there, open(copy, "xb") as here:
        os.fchmod(here.fileno(), 0o600)
        shutil.copyfileobj(there, here)
        status = os.fstat(descriptor)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def begin(home: str, owner: tuple[int, int]) -> None:
    """Note that a server is being taken over, which is so until ``finish``."""
    top = real(home, KEPT)
    os.makedirs(top, 0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(os.path.join(top, os.path.basename(UNFINISHED)), os.O_CREAT | os.O_EXCL, 0o600))
    os.chown(top, *owner, follow_symlinks=False)


def finish(home: str) -> None:
    """Note that nothing is left to be done."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(home, UNFINISHED))


def _same(one: str, other: str) -> bool:
    return os.path.isfile(other) and filecmp.cmp(one, other, shallow=False)


def _everything(top: str) -> Iterator[str]:
    for folder, _folders, files in os.walk(top):
        yield folder
        for file in files:
            yield os.path.join(folder, file)


# -- owners ------------------------------------------------------------------------------------------------------------


def strangers(home: str, trees: Iterable[str], owner: tuple[int, int]) -> dict[str, dict[str, int]]:
    """By tree, how many files and folders of whom the account does not own, or cannot read and write."""
    found: dict[str, dict[str, int]] = {}
    for tree in trees:
        for _folder, _entry, status in _entries(real(home, tree)):
            if _differs(status, owner):
                counts = found.setdefault(tree, {})
                whose = _name(status.st_uid)
                counts[whose] = counts.get(whose, 0) + 1
    return found


def give(home: str, trees: Iterable[str], owner: tuple[int, int]) -> int:
    """Make the account the owner of trees, able to read and write; return how many entries that changed.

    What a link leads to is left alone, but for a tree that is a link of root's itself, such as one to a larger disk.
    """
    changed = 0
    for tree in trees:
        for folder, name, status in _entries(real(home, tree)):
            if _differs(status, owner):
                # Never through a link: who may write here could put one in the way meanwhile.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
                try:
                    os.fchown(descriptor, *owner)
                    os.fchmod(descriptor, stat.S_IMODE(status.st_mode) | _needed(status))
                except OSError as error:
                    path = os.readlink("/proc/self/fd/%d" % descriptor)
                    raise OSError(error.errno, error.strerror, path) from error
                finally:
                    os.close(descriptor)
                changed += 1
    return changed


def try_to_give(home: str, trees: Iterable[str]) -> None:
    """Give each tree to whom it belongs; raise OSError where that is refused, as by NFS, or something read-only.

    Better now than in the moment when the old containers are stopped and the new ones not yet there.
    """
    for tree in trees:
        top = real(home, tree)
        try:
            status = os.lstat(top)
            os.chown(top, status.st_uid, status.st_gid, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            text = "root cannot give it to another account (%s)" % error.strerror
            raise OSError(error.errno, text, top) from error


def _entries(top: str) -> Iterator[tuple[int, str, os.stat_result]]:
    """Every file and folder from ``top`` on: a descriptor of the folder it is in, its name there, its status."""
    if not os.path.isdir(top):
        return
    for _path, _folders, files, folder in os.fwalk(top, onerror=_raise):
        yield folder, ".", os.stat(".", dir_fd=folder)
        for name in files:
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue  # whoever still serves may remove a release
            if stat.S_ISREG(status.st_mode):
                yield folder, name, status


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _needed(status: os.stat_result) -> int:
    return 0o700 if stat.S_ISDIR(status.st_mode) else 0o600


def _differs(status: os.stat_result, owner: tuple[int, int]) -> bool:
    needed = _needed(status)
    return (status.st_uid, status.st_gid) != owner or status.st_mode & needed != needed


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "uid %d" % uid


# -- logins ------------------------------------------------------------------------------------------------------------


def logins(path: str) -> dict[str, str]:
    """Login -> what is weak about its hash, empty where nothing is; of a password file that may be missing."""
    try:
        with open(path, "rb") as stream:
            lines = htpasswd.parse(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {
        htpasswd.shown(name): htpasswd.weakness(password_hash) for name, password_hash in htpasswd.hashes(lines).items()
    }


def open_to_others(home: str) -> list[str]:
    """Folders that others may enter so far, and the account alone in the end; ``.`` is ``home`` itself."""
    found = []
    for name in (".", *TREES):
        path = os.path.join(home, name)
        if os.path.isdir(path) and not os.path.islink(path) and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            found.append(name)
    return found


def close(home: str) -> None:
    """Close to others what the old containers, each with an account of its own, had to read until they stopped."""
    names = (htpasswd.ALL_USERS, htpasswd.PUBLISHERS, htpasswd.ADOPTED, htpasswd.CREDENTIALS)
    for name in ("packages", "authentication", "nginx_cache", *("authentication/" + name for name in names)):
        try:
            descriptor = os.open(os.path.join(home, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            # As the role layout has it: a link to a larger disk is the user's to set up.
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                continue
            raise
        try:
            os.fchmod(descriptor, _needed(os.fstat(descriptor)))
        finally:
            os.close(descriptor)
