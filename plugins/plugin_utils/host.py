# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has to know of a host before anything on it changes: one shell command, and its answers taken apart."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import shlex
from typing import Any, NamedTuple

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import AWAKE_DOCKER, OWN_DOCKER

# Plain POSIX shell and nothing that a minimal host lacks. Each answer stands behind a marker line.
# Docker's answers are empty where the client is missing or the engine is down.
_COMMAND = r"""
{own_docker}
echo '@@lock'; {lock}
echo '@@python'; for python in {pythons}; do
    path=$(command -v "$python") && version=$("$path" -c '{version}') && echo "$path" && echo "$version" && break
done 2>/dev/null
echo '@@system'; (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null
echo '@@release'; (. /etc/os-release && echo "$ID ${{VERSION_ID:-$VERSION_CODENAME}}") 2>/dev/null
echo '@@machine'; uname -m
echo '@@account'; getent passwd {user} 2>/dev/null
uid=$(getent passwd {user} 2>/dev/null | cut -d: -f3); gid=$(getent passwd {user} 2>/dev/null | cut -d: -f4)
# Who else is in its group; or in the group of its name, which a run would take.
echo '@@group'; name={user}; getent group "${{gid:-$name}}" 2>/dev/null
echo '@@sharing'; [ -z "$gid" ] || getent passwd 2>/dev/null | sed -n "s/^\([^:]*\):[^:]*:[^:]*:$gid:.*/\1/p"
# Where another than root can write, files are read as the account: a link put there leads to nothing that the account
# could not read itself.
as_account() {{
    if [ -n "$uid" ] && [ "$(id -u)" = 0 ]; then
        setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"
    else
        "$@"
    fi
}}
safely() {{
    if [ "$(find . nginx nginx/conf.d authentication -maxdepth 0 \( ! -user 0 -o -perm /022 \) 2>/dev/null)" ]; then
        as_account "$@"
    else
        "$@"
    fi
}}
# A name with a line break in it must not begin another answer.
one_line() {{ tr '\n\0' '?\n'; }}
echo '@@parents'; stat --dereference --format '%u %U %g %G %a %n' {parents} 2>/dev/null
echo '@@space'; df -Pk {parents} 2>/dev/null
# Whether what is mounted later is seen in containers: of the deepest folders that are there.
echo '@@propagation'; for folder in {parents} {home}/packages; do
    [ ! -d "$folder" ] || findmnt --noheadings --first-only --output PROPAGATION --target "$folder"
done 2>/dev/null
echo '@@daemon'; PATH=$PATH:/usr/sbin:/usr/local/sbin command -v dockerd 2>/dev/null
echo '@@engine'; docker version --format '{{{{.Server.Version}}}}' 2>/dev/null
echo '@@compose'; docker compose version --short 2>/dev/null
echo '@@packages'; dpkg-query --show --showformat '${{db:Status-Abbrev}}|${{Package}}\n' {packages} 2>/dev/null
rpm --query --queryformat 'ii |%{{NAME}}.rpm\n' {engines} 2>/dev/null
echo '@@folder'; (cd {home} && pwd -P) 2>/dev/null
echo '@@owners'; (cd {home} && find packages index nginx_cache logs -maxdepth 0 -type d -printf '%U:%G %u %p\0'
    cd {home} && find index/ -mindepth 1 -maxdepth 1 -printf '%U:%G %u %p\0') 2>/dev/null | one_line | head -n 100
echo '@@index'; (cd {home} && safely sed -n 's/^ *{label}: "\(.*\)"$/\1/p' docker-compose.yml) 2>/dev/null
echo '@@store'; (cd {home} && [ -f packages/.wheelhouse/format ] &&
    as_account sed -n 's/.*"format": *\([0-9]\{{1,9\}}\)[^0-9].*/\1/p' packages/.wheelhouse/format) 2>/dev/null
echo '@@nodes'; (cd {home} && [ -d packages/.wheelhouse/nodes ] &&
    as_account find packages/.wheelhouse/nodes -mindepth 1 -maxdepth 1 -printf '%f\0') 2>/dev/null | one_line | head -n 100
echo '@@foreign'; (cd {home} && {{
    # In a tree that is ours, a file without our words is one that is broken, and the run writes it again.
    for file in {only_ours}; do [ ! -e "$file" ] || exit 0; done
    ! safely grep -qE {marks} docker-compose.yml || exit 0
    for file in {written}; do [ ! -f "$file" ] || safely grep -qE {marks} "$file" || echo "$file"; done
    for file in {instead} {passwords}; do [ ! -f "$file" ] || echo "$file"; done
}}) 2>/dev/null
echo '@@tree'; (cd {home} && find . -maxdepth 3 -printf '%y %p\0' \
    \( -path ./packages -o -path ./index -o -path './nginx_cache/*' -o -path './logs/*' \
    -o -path './sockets/*' -o -path './.previous/*' -o -path './.candidate/*' \) -prune) 2>/dev/null | one_line
echo '@@images'; for image in {images}; do
    docker image inspect --format '{{{{.Id}}}}' "$image" >/dev/null 2>&1 && echo "$image"
done
echo '@@published'; docker ps --all --format '{published}' 2>/dev/null
echo '@@sockets'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
echo '@@listeners'; ss -Hltnp 2>/dev/null
true"""

# Every container of an index has this label; its value is the index's name.
_LABEL = "org.wheelhouse.instance"
# Files that roles write, and words that only ours have.
_WRITTEN = ("docker-compose.yml", "nginx/nginx.conf", "nginx/conf.d/pypi.conf")
_OURS = r"org\.wheelhouse\.|/etc/pypi-(nginx|auth)/"
# What Compose reads instead of docker-compose.yml.
INSTEAD = ("compose.yaml", "compose.yml", "docker-compose.yaml")
# dpkg's packages of an engine, of any vendor; each wants what it depends on finished before it.
_PACKAGES = ("docker*", "containerd*", "runc")
# Packages that hold an engine, and whose they are: those of one source replace those of the other. Debian's package
# docker is something else, while Amazon Linux calls its engine that.
_ENGINES = {
    "docker-ce": "docker_ce",
    "docker.io": "distro",
    "moby-engine": "distro",
    "docker-ce.rpm": "docker_ce",
    "moby-engine.rpm": "distro",
    "docker.rpm": "distro",
}
# Second letter of dpkg's status: half-installed, unpacked, half-configured; installed.
_UNFINISHED = "HUF"
_PRESENT = _UNFINISHED + "i"
_VERSION = 'import sys; print("%d.%d" % sys.version_info[:2])'
# What is said of each container on the host, running or not.
_NEIGHBOUR = "|".join(
    (
        '{{.Label "com.docker.compose.project"}}',
        "{{.Names}}",
        "{{.Ports}}",
        '{{.Label "%s"}}' % _LABEL,
        '{{.Label "com.docker.compose.project.working_dir"}}',
    )
)
_HELD = re.compile(r"(?P<age>-?\d+)(?: (?P<line>.*))?")
_AVAILABLE = re.compile(r"\s(?P<kilobytes>\d+)\s+\d+%\s")


def command(
    pythons: list[str],
    user: str,
    home: str,
    images: list[str],
    lock: str = "",
    diagnosing: bool = False,
) -> str:
    """Return the shell command whose output Host.parse takes apart.

    It ends without a line break, because Ansible puts ``&& sleep 0`` behind a command that it runs without become.

    Args:
        pythons: names or paths of interpreters; the first that works counts.
        user: the service account.
        home: the folder of the index.
        images: image references to look for in the engine.
        lock: what takes the index for a run, or looks who has it; from plugin_utils/run_lock.py.
        diagnosing: a stopped engine is left alone, which a question would start.
    """
    return _COMMAND.format(
        own_docker=(OWN_DOCKER + (AWAKE_DOCKER if diagnosing else "")).strip(),
        lock=lock.strip(),
        parents=shlex.join(_above(home)),
        pythons=shlex.join(pythons),
        version=_VERSION,
        user=shlex.quote(user),
        home=shlex.quote(home),
        images=shlex.join(images),
        packages=shlex.join(_PACKAGES),
        engines=shlex.join(name[:-4] for name in _ENGINES if name.endswith(".rpm")),
        published=_NEIGHBOUR,
        marks=shlex.quote(_OURS),
        written=shlex.join(_WRITTEN),
        instead=shlex.join(INSTEAD),
        passwords="authentication/" + htpasswd.ALL_USERS,
        only_ours=shlex.quote("authentication/" + htpasswd.CREDENTIALS),
        label=re.escape(_LABEL),
    )


def _above(home: str) -> list[str]:
    """Return a folder and all those above it, the highest first."""
    home = posixpath.normpath(home)
    above = posixpath.dirname(home)
    return [home] if above in ("", home) else [*_above(above), home]


class Folder(NamedTuple):
    """A folder on the way to the index, or the index's own."""

    uid: str
    owner: str
    gid: str
    group: str
    mode: int
    path: str


class Owned(NamedTuple):
    """Something that containers write to, below the folder of the index."""

    uid: str
    gid: str
    owner: str
    name: str


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A container of the host, ours or not. ``index`` names the index that it is of, ``folder`` is its project's."""

    project: str
    name: str
    ports: str
    index: str
    folder: str

    def __str__(self) -> str:
        """As it is called in a message."""
        return f"the container {self.name}"


@dataclasses.dataclass(frozen=True)
class Host:
    """The answers of one host, as text."""

    python: str = ""
    python_version: tuple[int, ...] = ()
    system: str = ""
    distribution: str = ""
    architecture: str = ""
    account: str = ""
    account_home: str = ""
    # The other accounts that are in its group, and the name of that.
    group: str = ""
    sharing: tuple[str, ...] = ()
    # The folder of the index and those above it, and how many kilobytes are free there; and whose the folders are that
    # containers write to.
    parents: tuple[Folder, ...] = ()
    free: int | None = None
    propagation: tuple[str, ...] = ()
    owners: tuple[Owned, ...] = ()
    # Seconds since the run that holds the index has looked at the host, and the line that names it.
    lock: tuple[int, str] | None = None
    # What the host said instead, where the index could not be taken.
    lock_refused: str = ""
    daemon: str = ""
    engine: str = ""
    compose: str = ""
    source: str = ""
    unfinished: tuple[str, ...] = ()
    # The folder of the index without links on the way to it, the index that its Compose file is of, and files of
    # another server in the place of ours.
    folder: str = ""
    index: str = ""
    foreign: tuple[str, ...] = ()
    # The format of packages/.wheelhouse/; 0 where that is missing or says none.
    store: int = 0
    # What says of packages/ that nodes share it: their names, and their key.
    nodes: tuple[str, ...] = ()
    # Files and folders of the tree: relative path -> type, in find's letters.
    tree: dict[str, str] = dataclasses.field(default_factory=dict)
    images: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    sockets: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Host:
        """Take the output of the command apart; a section that is missing stays empty."""
        sections: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("@@"):
                lines = sections.setdefault(line[2:].strip(), [])
            elif line.strip():
                lines.append(line.strip())

        def of(name: str) -> list[str]:
            return sections.get(name, [])

        def first(name: str) -> str:
            return next(iter(of(name)), "")

        passwd = [*first("account").split(":"), *[""] * 6]
        group = [*first("group").split(":"), *[""] * 3]
        held = next((found for found in map(_HELD.fullmatch, of("lock")) if found), None)
        # The deepest folder that is there comes last.
        free = [int(found["kilobytes"]) for found in map(_AVAILABLE.search, of("space")) if found]
        packages = {name: status[1:2] for status, _bar, name in (one.partition("|") for one in of("packages"))}
        return cls(
            python=first("python"),
            python_version=tuple(int(part) for part in "".join(of("python")[1:2]).split(".") if part),
            system=first("system"),
            distribution=distribution(*[*first("release").split(), "", ""][:2]),
            architecture=first("machine"),
            account=f"{passwd[2]}:{passwd[3]}" if passwd[2] else "",
            account_home=passwd[5],
            group=group[0],
            sharing=tuple(sorted({*group[3].split(","), *of("sharing")} - {"", "root", passwd[0]})),
            parents=tuple(_folder(line) for line in of("parents") if line.count(" ") >= 5),
            free=free[-1] if free else None,
            propagation=tuple(of("propagation")),
            owners=tuple(_owned(line) for line in of("owners") if line.count(" ") >= 2),
            lock=(int(held["age"]), held["line"] or "") if held else None,
            lock_refused="" if held else "; ".join(of("lock")),
            daemon=first("daemon"),
            engine=first("engine"),
            compose=first("compose").removeprefix("v"),
            source=next((whose for name, whose in _ENGINES.items() if packages.get(name, "?") in _PRESENT), ""),
            unfinished=tuple(name for name, status in packages.items() if status in _UNFINISHED),
            folder=first("folder"),
            index=first("index"),
            foreign=tuple(of("foreign")),
            store=int(first("store") or 0),
            nodes=tuple(of("nodes")),
            tree={path[2:] or ".": kind for kind, _space, path in (line.partition(" ") for line in of("tree"))},
            images=tuple(of("images")),
            neighbours=tuple(Neighbour(*[*line.split("|"), *[""] * 4][:5]) for line in of("published")),
            sockets=tuple(of("sockets")),
            listeners=tuple(of("listeners")),
        )

    def result(self) -> dict[str, Any]:
        """Return what roles may read; see RETURN in plugins/modules/preflight.py."""
        return {
            "distribution": self.distribution,
            "architecture": self.architecture,
            "account": self.account,
            "daemon": self.daemon,
            "engine": self.engine,
            "compose": self.compose,
            "source": self.source,
            "unfinished": list(self.unfinished),
            "shared": bool(self.propagation) and all("shared" in one.split(",") for one in self.propagation),
            "images": list(self.images),
            "there": sorted(self.tree),
        }


def _folder(line: str) -> Folder:
    uid, owner, gid, group, mode, path = line.split(" ", 5)
    return Folder(uid, owner, gid, group, int(mode, 8), path)


def _owned(line: str) -> Owned:
    ids, owner, name = line.split(" ", 2)
    uid, _colon, gid = ids.partition(":")
    return Owned(uid, gid, owner, name)


def distribution(identifier: str, version: str) -> str:
    """Return the name of a distribution and its release, such as debian-13, whose hosts can share packages.

    Args:
        identifier: ID in /etc/os-release.
        version: VERSION_ID there, or the code name where it has none, as Debian's testing and unstable. Only Ubuntu's
            two numbers name a release; what others have behind the first is how far it is updated.
    """
    release = version if identifier == "ubuntu" else version.partition(".")[0]
    return "-".join(part for part in (identifier, release) if part) if identifier else ""
