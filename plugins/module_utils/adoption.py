# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that was set up by hand in the folder of an index: what of it is whose, and what is done with it.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd, nofollow

# Every container of an index has this label; its value is the index's name.
LABEL = "org.wheelhouse.instance"
# Words that only files of these roles have: the Compose file, and NGINX's two.
OURS = r"org\.wheelhouse\.|/etc/pypi-(nginx|auth)/"
# Files that roles write over, where an administrator may have had other ones.
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
# What belongs to the service account with all that is in it (a cache, too, or NGINX could not use it), and what to root and
# the account's group.
OF_ACCOUNT = ("packages", "nginx_cache")
OF_ROOT = ("authentication", "nginx")
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


def linked(home: str) -> list[str]:
    """Links of others than root in the place of what is read or given away; with what to do first."""
    found = {}
    for name in (KEPT, *TREES, *replaced(home), *in_the_way_of_compose(home), *in_the_way_of_nginx(home)):
        try:
            os.close(nofollow.open_file(os.path.join(home, name)))
        except nofollow.ForeignLink as error:
            found[error.filename] = "%s %s" % (error.filename, error.strerror)
        except OSError:
            continue
    return list(found.values())


def replaced(home: str) -> list[str]:
    """Files of others that roles write over: configuration, and passwords that no run has written yet."""
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
    top = os.path.join(home, KEPT)
    earlier = sorted(os.listdir(top)) if os.path.isdir(top) else []
    contents = {name: _content(os.path.join(home, name)) for name in names}
    todo = [name for name in contents if all(contents[name] != _kept(home, one, name) for one in earlier)]
    folder = time.strftime("%Y-%m-%d-%H%M%S", now)
    if todo and not dry:
        with _open_kept(home, owner) as kept:
            nofollow.remove_tree(".partial", kept)
            with contextlib.ExitStack() as stack:
                partial = _make(".partial", kept, owner, stack)
                for name in todo:
                    _copy(contents[name] or b"", name, partial, owner)
            os.rename(".partial", folder, src_dir_fd=kept, dst_dir_fd=kept)
    return ["/".join((KEPT, folder, name)) for name in todo]


def _content(path: str) -> bytes:
    with os.fdopen(nofollow.open_file(path), "rb") as stream:
        return stream.read()


def _kept(home: str, folder: str, name: str) -> bytes | None:
    """Content of an earlier copy; None where there is none."""
    try:
        return _content(os.path.join(home, KEPT, folder, name))
    except OSError:
        return None


@contextlib.contextmanager
def _open_kept(home: str, owner: tuple[int, int]) -> Iterator[int]:
    """Have the folder of the copies open, which is root's, and made where it is missing."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(nofollow.folder(home))
        try:
            kept = _make(KEPT, top, owner, stack)
        except FileExistsError:
            kept = stack.enter_context(nofollow.folder(os.path.join(home, KEPT)))
            nofollow.hand_over(kept, os.getuid(), owner[1], 0o750)
        yield kept


def _make(name: str, parent: int, owner: tuple[int, int], stack: contextlib.ExitStack) -> int:
    """Make a folder of root's that the account's group may read, and have it open."""
    descriptor = nofollow.make_folder(name, parent)
    stack.callback(os.close, descriptor)
    nofollow.hand_over(descriptor, os.getuid(), owner[1], 0o750)
    return descriptor


def _copy(content: bytes, name: str, folder: int, owner: tuple[int, int]) -> None:
    """Write a file below a folder, with the folders on the way."""
    with contextlib.ExitStack() as stack:
        *parents, last = name.split("/")
        for part in parents:
            try:
                folder = _make(part, folder, owner, stack)
            except FileExistsError:
                folder = stack.enter_context(nofollow.subfolder(part, folder))
        descriptor = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            nofollow.hand_over(descriptor, os.getuid(), owner[1], 0o640)


def secure(home: str, owner: tuple[int, int]) -> None:
    """Make the folder itself root's: from now on the account cannot replace what is in it."""
    with nofollow.folder(home) as top:
        nofollow.hand_over(top, os.getuid(), owner[1], 0o750)


def begin(home: str, owner: tuple[int, int]) -> None:
    """Note that a server is being taken over, which is so until ``finish``."""
    with _open_kept(home, owner) as kept, contextlib.suppress(FileExistsError):
        os.close(os.open(os.path.basename(UNFINISHED), os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=kept))


def finish(home: str) -> None:
    """Note that nothing is left to be done."""
    with contextlib.suppress(FileNotFoundError), nofollow.folder(os.path.join(home, KEPT)) as kept:
        os.unlink(os.path.basename(UNFINISHED), dir_fd=kept)


def take_away(home: str, names: Iterable[str]) -> None:
    """Remove files of the folder itself."""
    with nofollow.folder(home) as top:
        for name in names:
            os.unlink(name, dir_fd=top)


# -- owners ------------------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """Who is to own what is in a tree, and the least that files and folders of it allow."""

    owner: tuple[int, int]
    file: int
    folder: int


def wanted(tree: str, owner: tuple[int, int]) -> Wanted:
    """Say it of one tree; ``owner`` is the service account, with its group."""
    if tree in OF_ROOT:
        return Wanted((os.getuid(), owner[1]), 0o640, 0o750)
    return Wanted(owner, 0o600, 0o700)


def strangers(home: str, trees: Iterable[str], owner: tuple[int, int]) -> dict[str, dict[str, int]]:
    """By tree, how many files and folders of whom do not belong to whom they are to, or cannot be read and written."""
    found: dict[str, dict[str, int]] = {}
    for tree in trees:
        for _folder, _entry, status in _entries(os.path.join(home, tree)):
            if _differs(status, wanted(tree, owner)):
                counts = found.setdefault(tree, {})
                whose = nofollow.name_of(status.st_uid)
                counts[whose] = counts.get(whose, 0) + 1
    return found


def give(home: str, trees: Iterable[str], owner: tuple[int, int]) -> int:
    """Give trees to whom they are to belong, able to read and write; return how many entries that changed.

    What a link leads to is left alone, but for a tree that is a link of root's itself, such as one to a larger disk.
    """
    changed = 0
    for tree in trees:
        to = wanted(tree, owner)
        for folder, name, status in _entries(os.path.join(home, tree)):
            if _differs(status, to):
                # Never through a link: who may write here could put one in the way meanwhile.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
                try:
                    os.fchown(descriptor, *to.owner)
                    os.fchmod(descriptor, stat.S_IMODE(status.st_mode) | _needed(status, to))
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
        top = os.path.join(home, tree)
        try:
            with nofollow.folder(top) as descriptor:
                status = os.fstat(descriptor)
                os.fchown(descriptor, status.st_uid, status.st_gid)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except nofollow.ForeignLink:
            raise
        except OSError as error:
            text = "root cannot give it to another account (%s)" % error.strerror
            raise OSError(error.errno, text, top) from error


def _entries(top: str) -> Iterator[tuple[int, str, os.stat_result]]:
    """Every file and folder from ``top`` on: a descriptor of the folder it is in, its name there, its status."""
    try:
        start = nofollow.open_folder(top)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        for _path, _folders, files, folder in os.fwalk(".", onerror=_raise, dir_fd=start):
            yield folder, ".", os.stat(".", dir_fd=folder)
            for name in files:
                try:
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue  # the old server may still remove a release
                if stat.S_ISREG(status.st_mode):
                    yield folder, name, status
    finally:
        os.close(start)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _needed(status: os.stat_result, to: Wanted) -> int:
    return to.folder if stat.S_ISDIR(status.st_mode) else to.file


def _differs(status: os.stat_result, to: Wanted) -> bool:
    needed = _needed(status, to)
    return (status.st_uid, status.st_gid) != to.owner or status.st_mode & needed != needed


# -- logins ------------------------------------------------------------------------------------------------------------


def logins(path: str) -> dict[str, str]:
    """Login -> what is weak about its hash, empty where nothing is; of a password file that may be missing."""
    try:
        lines = htpasswd.parse(_content(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {
        htpasswd.shown(name): htpasswd.weakness(password_hash) for name, password_hash in htpasswd.hashes(lines).items()
    }


def open_to_others(home: str) -> list[str]:
    """Folders that others may enter so far, and root and the account alone in the end; ``.`` is ``home`` itself."""
    found = []
    for name in (".", *TREES):
        path = os.path.join(home, name)
        if os.path.isdir(path) and not os.path.islink(path) and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            found.append(name)
    return found


def close(home: str) -> None:
    """Close to others what the old containers, each with an account of its own, had to read until they stopped."""
    names = (htpasswd.ALL_USERS, htpasswd.PUBLISHERS, htpasswd.ADOPTED, htpasswd.CREDENTIALS)
    modes = {"packages": 0o700, "nginx_cache": 0o700, "authentication": 0o750}
    modes.update(("authentication/" + name, 0o640) for name in names)
    for name, mode in modes.items():
        try:
            with nofollow.folder(os.path.join(home, os.path.dirname(name))) as folder:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                descriptor = os.open(os.path.basename(name), flags, dir_fd=folder)
        except OSError as error:
            # As the role layout has it: a link to a larger disk is the user's to set up.
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                continue
            raise
        try:
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
