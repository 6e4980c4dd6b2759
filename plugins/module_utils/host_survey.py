# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one shell command tells about a host, and what follows from it. Runs on the controller."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import posixpath
import re
import shlex
from typing import Any, Collection, Iterable, NamedTuple

from ansible_collections.wheelhouse.pypi.plugins.module_utils import adoption
from ansible_collections.wheelhouse.pypi.plugins.module_utils.docker_cli import OWN_DOCKER

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
echo '@@bundle'; [ -e /var/cache/wheelhouse.pypi/install ] && echo left
echo '@@account'; getent passwd {user} 2>/dev/null
uid=$(getent passwd {user} 2>/dev/null | cut -d: -f3); gid=$(getent passwd {user} 2>/dev/null | cut -d: -f4)
# Who else is in its group; or in the group of its name, which a run would take.
echo '@@group'; name={user}; getent group "${{gid:-$name}}" 2>/dev/null
echo '@@sharing'; [ -z "$gid" ] || getent passwd 2>/dev/null | sed -n "s/^\([^:]*\):[^:]*:[^:]*:$gid:.*/\1/p"
# Where another than root can write in the tree, its files are read as the account: a link put there leads to nothing that
# the account could not read itself.
safely() {{
    if [ -n "$uid" ] && [ "$(id -u)" = 0 ] && [ "$(find . nginx nginx/conf.d nginx/tls authentication authentication/peer \
        pypiserver pypiserver/wheelhouse_index -maxdepth 0 \( ! -user 0 -o -perm /022 \) 2>/dev/null)" ]; then
        setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"
    else
        "$@"
    fi
}}
echo '@@parents'; stat --dereference --format '%u %U %g %G %a %n' {parents} 2>/dev/null
echo '@@daemon'; PATH=$PATH:/usr/sbin:/usr/local/sbin command -v dockerd 2>/dev/null
echo '@@engine'; docker version --format '{{{{.Server.Version}}}}' 2>/dev/null
echo '@@compose'; docker compose version --short 2>/dev/null
echo '@@packages'; dpkg-query --show --showformat '${{db:Status-Abbrev}}|${{Package}}\n' {packages} 2>/dev/null
rpm --query --queryformat 'ii |%{{NAME}}.rpm\n' {engines} 2>/dev/null
echo '@@tree'; [ -e {home}/authentication/credentials.conf ] && [ -d {home}/nginx_cache ] && echo there
echo '@@folder'; (cd {home} && pwd -P) 2>/dev/null
echo '@@owners'; (cd {home} && find packages index nginx_cache logs -maxdepth 0 -type d -printf '%U:%G %u %p\n'
    cd {home} && find index/ -mindepth 1 -maxdepth 1 -printf '%U:%G %u %p\n' | head -n 100) 2>/dev/null
echo '@@index'; (cd {home} && safely sed -n 's/^ *{label}: "\(.*\)"$/\1/p' docker-compose.yml) 2>/dev/null
echo '@@foreign'; (cd {home} && {{
    # In a tree that is ours, a file without our words is one that is broken, and written anew.
    [ -e {credentials} ] && [ ! -f {unfinished} ] ||
        for file in {replaced}; do [ ! -f "$file" ] || safely grep -qE {marks} "$file" || echo "$file"; done
    for file in {instead}; do [ ! -f "$file" ] || echo "$file"; done
    [ ! -f {passwords} ] || [ -e {credentials} ] || echo {passwords}
    [ ! -f {unfinished} ] || echo {unfinished}
}}) 2>/dev/null
echo '@@files'; (cd {home} && find . -maxdepth 3 -printf '%y %04m %U:%G %p\n' \
    \( -path ./packages -o -path ./index -o -path './nginx_cache/*' \) -prune) 2>/dev/null
echo '@@sums'; (cd {home} && safely find docker-compose.yml nginx authentication pypiserver -type f -size -1024k \
    -exec sha256sum {{}} +) 2>/dev/null
# Public: the key is not looked at.
echo '@@certificate'; (cd {home} && safely cat nginx/tls/certificate.pem) 2>/dev/null
echo; echo '@@authority'; (cd {home} && safely cat nginx/tls/authority.pem) 2>/dev/null
timer() {{
    systemctl show --property=ActiveState,UnitFileState,NeedDaemonReload "$1.timer"
    systemctl show --property=NeedDaemonReload "$1.service"
}} 2>/dev/null
echo; echo '@@renewal'; cat {renewal} 2>/dev/null | sha256sum; timer wheelhouse-{instance}-certificate
echo '@@rotation'; cat {rotation} 2>/dev/null | sha256sum; timer wheelhouse-{instance}-logs
echo '@@certbot'; command -v certbot
echo '@@images'; for image in {images}; do
    docker image inspect --format "{{{{.Id}}}} $image" "$image" 2>/dev/null
done
# Compose runs as root here, so it is shown what root alone can have written: a file is looked at once it is open.
echo '@@services'; (cd {home} && [ -f docker-compose.yml ] && exec 9<docker-compose.yml &&
    [ "$(find -L /proc/self/fd/9 -maxdepth 0 -type f -user 0 ! -perm /022)" ] &&
    docker compose --project-name {instance} --project-directory {home} --env-file /dev/null --file - \
        config --hash '*' <&9) 2>/dev/null
# Without containers of `docker compose run`, which are of no service that the Compose file starts.
ours() {{
    docker ps --no-trunc --filter label=com.docker.compose.project={instance} \
        --filter label=com.docker.compose.oneoff=False "$@" 2>/dev/null
}}
echo '@@containers'; ours --all --format '{container}'
echo '@@revision'; for service in nginx:8081 auth:8080; do
    for id in $(ours --quiet --filter "label=com.docker.compose.service=${{service%:*}}"); do
        printf '%s ' "${{service%:*}}"
        docker exec "$id" curl --silent --max-time 5 "http://127.0.0.1:${{service#*:}}/health"
        echo
    done
done 2>/dev/null
echo '@@answer'; "$path" -c '{answer}' {address} {port} {tls} 2>/dev/null
echo '@@published'; docker ps --all --format '{published}' 2>/dev/null
echo '@@sockets'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
echo '@@listeners'; ss -Hltnp 2>/dev/null
true"""

# The service that may have several containers.
PYPISERVER = "pypi-server"
_LISTEN = "0A"
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
# What the index says to a client without a login, through its published port.
# Its certificate is no question here: it is for a name, and this is an address of the host itself.
_ANSWER = (
    "import socket, ssl, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); "
    "s = ssl._create_unverified_context().wrap_socket(s) if sys.argv[3:] else s; "
    's.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n"); print(s.recv(64).split()[1].decode())'
)
_CONTAINER = "|".join(
    (
        "{{.ID}}",
        "{{.State}} {{.Status}}",
        "{{.Image}}",
        *('{{.Label "com.docker.compose.%s"}}' % label for label in ("service", "config-hash", "image")),
    )
)
_HEALTHY = re.compile(r"running .*\(healthy\)")
# Where a socket that listens everywhere is reached from the host itself.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
# What is told of each container on the host, running or not.
_NEIGHBOUR = "|".join(
    (
        '{{.Label "com.docker.compose.project"}}',
        "{{.Names}}",
        "{{.Ports}}",
        '{{.Label "%s"}}' % adoption.LABEL,
        '{{.Label "com.docker.compose.project.working_dir"}}',
        '{{.Label "org.wheelhouse.settings"}}',
    )
)
_PUBLISHED = re.compile(r"(?P<address>[0-9.]+|\[[0-9a-f:]+\]|::):(?P<port>\d+)->")
_HELD = re.compile(r"(?P<age>-?\d+)(?: (?P<line>.*))?")
_PROCESS = re.compile(r'users:\(\("(?P<name>[^"]+)",pid=(?P<pid>\d+)')


# What renews a certificate by itself, for each index: written by role nginx.
RENEWAL = (
    "/etc/wheelhouse.pypi/{instance}/renew.sh",
    "/etc/wheelhouse.pypi/{instance}/authorities.pem",
    "/etc/systemd/system/wheelhouse-{instance}-certificate.service",
    "/etc/systemd/system/wheelhouse-{instance}-certificate.timer",
)
# What rotates the access log of each index: written by role stack.
ROTATION = (
    "/etc/wheelhouse.pypi/{instance}/rotate.sh",
    "/etc/systemd/system/wheelhouse-{instance}-logs.service",
    "/etc/systemd/system/wheelhouse-{instance}-logs.timer",
)
# A timer that systemd runs, now and after a boot, as its files are.
_RUNS = {"ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no"}
_NOTHING = hashlib.sha256(b"").hexdigest()


def survey_command(
    pythons: list[str],
    instance: str,
    user: str,
    home: str,
    images: list[str],
    address: str,
    port: int | None,
    tls: bool = False,
    lock: str = "",
) -> str:
    """Return the shell command whose output Survey.parse takes apart.

    It ends without a line break, because Ansible puts ``&& sleep 0`` behind a command that it runs without become.

    Args:
        pythons: names or paths of interpreters; the first that works counts.
        instance: the index, which is also its Compose project.
        user: the service account.
        home: the folder of the index.
        images: image references to look for in the engine.
        address: where the index listens.
        port: its port; nothing is asked there without one.
        tls: it speaks TLS there.
        lock: what takes the index for a run, or looks who has it; from plugin_utils/run_lock.py.
    """
    return _COMMAND.format(
        own_docker=OWN_DOCKER.strip(),
        lock=lock.strip(),
        parents=shlex.join(_above(home)),
        pythons=shlex.join(pythons),
        version=_VERSION,
        user=shlex.quote(user),
        home=shlex.quote(home),
        images=shlex.join(images),
        packages=shlex.join(_PACKAGES),
        engines=shlex.join(name[:-4] for name in _ENGINES if name.endswith(".rpm")),
        instance=shlex.quote(instance),
        container=_CONTAINER,
        answer=_ANSWER,
        address=shlex.quote(_EVERYWHERE.get(address, address)),
        port=port or "",
        tls="tls" if tls else "",
        renewal=shlex.join(path.format(instance=instance) for path in RENEWAL),
        rotation=shlex.join(path.format(instance=instance) for path in ROTATION),
        published=_NEIGHBOUR,
        marks=shlex.quote(adoption.OURS),
        replaced=shlex.join(adoption.REPLACED),
        instead=shlex.join(adoption.INSTEAD),
        passwords=adoption.PASSWORDS,
        credentials=adoption.CREDENTIALS,
        unfinished=adoption.UNFINISHED,
        label=re.escape(adoption.LABEL),
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
class Container:
    """A container of the index's Compose project.

    ``reference`` is what its image is called, ``image`` the id of the image that Compose made it of.
    """

    id: str
    state: str
    reference: str
    service: str
    config_hash: str
    image: str

    @property
    def healthy(self) -> bool:
        """Whether it runs and its health check passes."""
        return _HEALTHY.match(self.state) is not None


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A container of the host, ours or not.

    ``index`` names the index that it is of, ``folder`` is its project's. ``settings`` has every pypiserver of ours.
    """

    project: str
    name: str
    ports: str
    index: str
    folder: str
    settings: str = ""

    def __str__(self) -> str:
        """As it is called in a message."""
        return f"the container {self.name}"


@dataclasses.dataclass(frozen=True)
class Survey:
    """The answers of one host, as text."""

    python: str = ""
    python_version: tuple[int, ...] = ()
    system: str = ""
    distribution: str = ""
    architecture: str = ""
    bundle_left: bool = False
    account: str = ""
    account_home: str = ""
    # The other accounts that are in its group, and the name of that.
    group: str = ""
    sharing: tuple[str, ...] = ()
    # The folder of the index and those above it; and whose the folders are that containers write to.
    parents: tuple[Folder, ...] = ()
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
    tree: bool = False
    # The folder of the index without links on the way to it, the index that its Compose file is of, and files of
    # others in the place of ours.
    folder: str = ""
    index: str = ""
    foreign: tuple[str, ...] = ()
    # Files and folders of the tree: relative path -> {type, mode, owner (uid:gid), sha256 of configuration files}.
    files: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    # In PEM form: what the index shows to clients, and the authority that a run has made for it.
    certificate: str = ""
    authority: str = ""
    # Digest of what renews it by itself, with " stopped" behind it where its timer does not run; empty where there is nothing.
    renewal: str = ""
    # The same of what rotates the access log.
    rotation: str = ""
    certbot: bool = False
    # Reference -> id.
    images: dict[str, str] = dataclasses.field(default_factory=dict)
    # Service of the Compose file -> digest of what it says.
    services: dict[str, str] = dataclasses.field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    revision: str = ""
    answer: str = ""
    published: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Survey:
        """Take the output of survey_command apart; a section that is missing stays empty."""
        sections: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("@@"):
                lines = sections.setdefault(line[2:].strip(), [])
            elif line.strip():
                lines.append(line.strip())

        def first(name: str) -> str:
            return next(iter(sections.get(name, [])), "")

        passwd = [*first("account").split(":"), *[""] * 6]
        group = [*first("group").split(":"), *[""] * 3]
        held = next((found for found in map(_HELD.fullmatch, sections.get("lock", ())) if found), None)
        packages = {
            name: status[1:2] for status, _bar, name in (one.partition("|") for one in sections.get("packages", ()))
        }
        return cls(
            python=first("python"),
            python_version=tuple(int(part) for part in "".join(sections.get("python", ())[1:2]).split(".") if part),
            system=first("system"),
            distribution=distribution(*[*first("release").split(), "", ""][:2]),
            architecture=first("machine"),
            bundle_left=first("bundle") != "",
            account=f"{passwd[2]}:{passwd[3]}" if passwd[2] else "",
            account_home=passwd[5],
            group=group[0],
            sharing=tuple(sorted({*group[3].split(","), *sections.get("sharing", ())} - {"", "root", passwd[0]})),
            parents=tuple(_folder(line) for line in sections.get("parents", ()) if line.count(" ") >= 5),
            owners=tuple(_owned(line) for line in sections.get("owners", ()) if line.count(" ") >= 2),
            lock=(int(held["age"]), held["line"] or "") if held else None,
            lock_refused="" if held else "; ".join(sections.get("lock", ())),
            daemon=first("daemon"),
            engine=first("engine"),
            compose=first("compose").removeprefix("v"),
            source=next((whose for name, whose in _ENGINES.items() if packages.get(name, "?") in _PRESENT), ""),
            unfinished=tuple(name for name, status in packages.items() if status in _UNFINISHED),
            tree=first("tree") != "",
            folder=first("folder"),
            index=first("index"),
            foreign=tuple(sections.get("foreign", ())),
            files=_files(sections.get("files", ()), sections.get("sums", ())),
            certificate="\n".join(sections.get("certificate", ())),
            authority="\n".join(sections.get("authority", ())),
            renewal=_timer(sections.get("renewal", [])),
            rotation=_timer(sections.get("rotation", [])),
            certbot=first("certbot") != "",
            images={name: identity for identity, _space, name in _pairs(sections.get("images", ()))},
            services={name: digest for name, _space, digest in _pairs(sections.get("services", ()))},
            containers=tuple(
                Container(*line.split("|")) for line in sections.get("containers", ()) if line.count("|") == 5
            ),
            revision=_agreed(sections.get("revision", ())),
            answer=first("answer"),
            published=tuple(sections.get("published", ())),
            sockets=tuple(sections.get("sockets", ())),
            listeners=tuple(sections.get("listeners", ())),
        )

    @property
    def neighbours(self) -> list[Neighbour]:
        """All containers of the host."""
        return [Neighbour(*[*line.split("|", 5), "", "", "", "", ""][:6]) for line in self.published]

    def settled(self, replicas: int) -> bool:
        """Whether all containers are what the Compose file says, of the images that are there, and healthy.

        Args:
            replicas: how many containers pypiserver is to have; of other services there is one.
        """
        wanted = []
        for service in self.services.items():
            wanted += [service] * (replicas if service[0] == PYPISERVER else 1)
        return (
            bool(wanted)
            and sorted((one.service, one.config_hash) for one in self.containers) == sorted(wanted)
            and all(one.healthy and one.image in self.images.values() for one in self.containers)
        )

    def facts(self, replicas: int = 1) -> dict[str, Any]:
        """What other roles may read below ``ansible_facts['pypi_host']``.

        Args:
            replicas: how many containers pypiserver is to have.
        """
        containers: dict[str, dict[str, Any]] = {}
        for one in sorted(self.containers, key=lambda container: container.id):
            # Those of a service count as one: of several ids, and healthy if all are.
            before = containers.get(one.service, {"id": "", "healthy": True})
            containers[one.service] = {
                "id": " ".join(filter(None, (before["id"], one.id))),
                "image": one.reference,
                "healthy": before["healthy"] and one.healthy,
            }
        return {
            # Until a task changes something that is told here.
            "current": True,
            "distribution": self.distribution,
            "architecture": self.architecture,
            "bundle_left": self.bundle_left,
            "account": self.account,
            "daemon": self.daemon,
            "engine": self.engine,
            "compose": self.compose,
            "source": self.source,
            "unfinished": list(self.unfinished),
            "tree": self.tree,
            "images": list(self.images),
            "certificate": self.certificate,
            "authority": self.authority,
            "renewal": self.renewal,
            "rotation": self.rotation,
            "certbot": self.certbot,
            "files": self.files,
            "containers": containers,
            "settled": self.settled(replicas),
            "revision": self.revision,
            "answer": self.answer,
        }


def _agreed(lines: Iterable[str]) -> str:
    """Return the revision that NGINX and auth have loaded (lines ``service revision``); empty where they do not agree."""
    loaded = {service: revision for service, _space, revision in _pairs(lines)}
    agreed = set(loaded.values())
    return agreed.pop() if set(loaded) == {"nginx", "auth"} and len(agreed) == 1 else ""


def _timer(lines: list[str]) -> str:
    """Return the digest of a timer's files (the first line), and " stopped" where systemd (the others) does not run it so.

    Empty where there are neither files nor a timer that has outlived them.
    """
    digest = "".join(lines[:1]).partition(" ")[0].replace(_NOTHING, "")
    runs = {*lines[1:]}
    if runs == _RUNS or not (digest or "ActiveState=active" in runs):
        return digest
    return f"{digest} stopped"


def _folder(line: str) -> Folder:
    uid, owner, gid, group, mode, path = line.split(" ", 5)
    return Folder(uid, owner, gid, group, int(mode, 8), path)


def _owned(line: str) -> Owned:
    ids, owner, name = line.split(" ", 2)
    uid, _colon, gid = ids.partition(":")
    return Owned(uid, gid, owner, name)


def _pairs(lines: Iterable[str]) -> list[tuple[str, str, str]]:
    return [line.partition(" ") for line in lines]


def _files(entries: Iterable[str], sums: Iterable[str]) -> dict[str, dict[str, str]]:
    """Put lines of find (``type mode uid:gid ./path``) and sha256sum (``digest  path``) together, by path."""
    found = {}
    for line in entries:
        kind, mode, owner, path = [*line.split(" ", 3), "", "", ""][:4]
        found[path[2:] or "."] = {"type": kind, "mode": mode, "owner": owner}
    for line in sums:
        digest, _spaces, path = line.partition("  ")
        if path in found:
            found[path]["sha256"] = digest
    return found


def distribution(identifier: str, version: str) -> str:
    """Return the name of a distribution and its release, such as debian-13, whose hosts can share packages.

    Args:
        identifier: ID in /etc/os-release.
        version: VERSION_ID there, or the code name where it has none, as Debian's testing and unstable. Only Ubuntu's
            two numbers name a release; what others have behind the first is how far it is updated.
    """
    release = version if identifier == "ubuntu" else version.partition(".")[0]
    return "-".join(part for part in (identifier, release) if part) if identifier else ""


def port_holder(survey: Survey, instance: str, address: str, port: int, going: Collection[str] = ()) -> str | Neighbour:
    """Say who else holds ``address:port`` on the host; empty where it is free, or ours.

    Args:
        survey: the host.
        instance: the Compose project whose containers are ours.
        address: where we want to listen.
        port: the port there.
        going: names of containers that are going to be replaced.

    Returns:
        The container, or the process in words.
    """
    ours = False
    for container in survey.neighbours:
        for match in _PUBLISHED.finditer(container.ports):
            if int(match["port"]) == port and _overlap(match["address"].strip("[]"), address):
                if container.project != instance and container.name not in going:
                    return container
                ours = True
    if ours:
        return ""
    if any(_overlap(bound, address) for bound in _listening(survey.sockets, port)):
        return _process(survey.listeners, port)
    return ""


def _listening(sockets: tuple[str, ...], port: int) -> list[str]:
    """Return the addresses on which something listens, from lines of /proc/net/tcp and tcp6."""
    found = []
    for line in sockets:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            raw, _colon, number = fields[1].rpartition(":")
            if int(number, 16) == port:
                found.append(_address(raw))
    return found


def _address(raw: str) -> str:
    """Decode the kernel's notation: 32-bit words in the byte order of the machine (little endian)."""
    words = [bytes.fromhex(raw[at : at + 8])[::-1] for at in range(0, len(raw), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _overlap(one: str, other: str) -> bool:
    """Tell whether two sockets on these addresses would be in each other's way.

    Args:
        one: where a process listens. ``::`` may take IPv4 as well, which cannot be seen from outside.
        other: where we want to; Docker's ``::`` is IPv6 alone.
    """
    if one == "::":
        return True
    if (":" in one) != (":" in other):
        return False
    return one == other or one == "0.0.0.0" or other in ("0.0.0.0", "::")


def _process(listeners: tuple[str, ...], port: int) -> str:
    """Name the process on a port from the lines of ``ss -Hltnp``, as far as they tell."""
    for line in listeners:
        fields = line.split()
        if len(fields) > 3 and fields[3].endswith(f":{port}"):
            match = _PROCESS.search(line)
            if match:
                return f"{match['name']} (process {match['pid']})"
    return "another process"
