# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one shell command tells about a host, and what follows from it. Runs on the controller."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import shlex

# Plain POSIX shell and nothing that a minimal host lacks. Each answer stands behind a marker line.
# Docker's answers are empty where the client is missing or the engine is down.
_COMMAND = r"""
echo '@@python'; for python in {pythons}; do
    path=$(command -v "$python") && version=$("$path" -c '{version}') && echo "$path" && echo "$version" && break
done 2>/dev/null
echo '@@system'; (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null
echo '@@account'; getent passwd {user} 2>/dev/null
echo '@@daemon'; PATH=$PATH:/usr/sbin:/usr/local/sbin command -v dockerd 2>/dev/null
echo '@@engine'; docker version --format '{{{{.Server.Version}}}}' 2>/dev/null
echo '@@compose'; docker compose version --short 2>/dev/null
echo '@@packages'; dpkg-query --show --showformat '${{db:Status-Abbrev}}|${{Package}}\n' {packages} 2>/dev/null
rpm --query --queryformat 'ii |%{{NAME}}\n' {engines} 2>/dev/null
echo '@@settings'; grep -qs {line} {record} && echo there
echo '@@tree'; [ -e {home}/authentication/credentials.conf ] && [ -d {home}/nginx_cache ] && echo there
echo '@@images'; for image in {images}; do docker image inspect --format '' "$image" >/dev/null 2>&1 && echo "$image"; done
echo '@@published'; docker ps --format '{{{{.Label "com.docker.compose.project"}}}}|{{{{.Names}}}}|{{{{.Ports}}}}' 2>/dev/null
echo '@@sockets'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
echo '@@listeners'; ss -Hltnp 2>/dev/null
true"""

# What module engine_settings keeps of earlier runs; each index has a line there.
_RECORD = "/etc/docker/wheelhouse.pypi.json"
_LISTEN = "0A"
# dpkg's packages of an engine, whoever made them; each wants what it depends on finished before it.
_PACKAGES = ("docker*", "containerd*", "runc")
# Packages that hold an engine, and whose they are: those of one source replace those of the other. Debian's package
# docker is something else.
_ENGINES = {"docker-ce": "docker_ce", "docker.io": "distro", "moby-engine": "distro"}
# Second letter of dpkg's status: half-installed, unpacked, half-configured; installed.
_UNFINISHED = "HUF"
_PRESENT = _UNFINISHED + "i"
_VERSION = 'import sys; print("%d.%d" % sys.version_info[:2])'
_PUBLISHED = re.compile(r"(?P<address>[0-9.]+|\[[0-9a-f:]+\]|::):(?P<port>\d+)->")
_PROCESS = re.compile(r'users:\(\("(?P<name>[^"]+)",pid=(?P<pid>\d+)')


def survey_command(pythons: list[str], instance: str, user: str, home: str, images: list[str]) -> str:
    """Return the shell command whose output Survey.parse takes apart.

    It ends without a line break, because Ansible puts ``&& sleep 0`` behind a command that it runs without become.

    Args:
        pythons: names or paths of interpreters; the first that works counts.
        instance: the index.
        user: the service account.
        home: the folder of the index.
        images: image references to look for in the engine.
    """
    return _COMMAND.format(
        pythons=shlex.join(pythons),
        version=_VERSION,
        line=shlex.quote('^    "%s": {' % re.escape(instance)),
        record=_RECORD,
        user=shlex.quote(user),
        home=shlex.quote(home),
        images=shlex.join(images),
        packages=shlex.join(_PACKAGES),
        engines=shlex.join(_ENGINES),
    )


@dataclasses.dataclass(frozen=True)
class Survey:
    """The answers of one host, as text."""

    python: str = ""
    python_version: tuple[int, ...] = ()
    system: str = ""
    account: str = ""
    account_home: str = ""
    daemon: str = ""
    engine: str = ""
    compose: str = ""
    source: str = ""
    unfinished: tuple[str, ...] = ()
    settings: bool = False
    tree: bool = False
    images: tuple[str, ...] = ()
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
        packages = {
            name: status[1:2] for status, _bar, name in (one.partition("|") for one in sections.get("packages", ()))
        }
        return cls(
            python=first("python"),
            python_version=tuple(int(part) for part in "".join(sections.get("python", ())[1:2]).split(".") if part),
            system=first("system"),
            account=f"{passwd[2]}:{passwd[3]}" if passwd[2] else "",
            account_home=passwd[5],
            daemon=first("daemon"),
            engine=first("engine"),
            compose=first("compose").removeprefix("v"),
            source=next((whose for name, whose in _ENGINES.items() if packages.get(name, "?") in _PRESENT), ""),
            unfinished=tuple(name for name, status in packages.items() if status in _UNFINISHED),
            settings=first("settings") != "",
            tree=first("tree") != "",
            images=tuple(sections.get("images", ())),
            published=tuple(sections.get("published", ())),
            sockets=tuple(sections.get("sockets", ())),
            listeners=tuple(sections.get("listeners", ())),
        )

    def facts(self) -> dict[str, str | bool | list[str]]:
        """What other roles may read below ``ansible_facts['pypi_host']``."""
        return {
            "account": self.account,
            "daemon": self.daemon,
            "engine": self.engine,
            "compose": self.compose,
            "source": self.source,
            "unfinished": list(self.unfinished),
            "settings": self.settings,
            "tree": self.tree,
            "images": list(self.images),
        }


def port_holder(survey: Survey, instance: str, address: str, port: int) -> str:
    """Say who else holds ``address:port`` on the host; empty where nobody does, or we do."""
    ours = False
    for line in survey.published:
        project, name, ports = [*line.split("|", 2), "", ""][:3]
        for match in _PUBLISHED.finditer(ports):
            if int(match["port"]) == port and _overlap(match["address"].strip("[]"), address):
                if project != instance:
                    return f"the container {name}"
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
        one: where somebody listens. ``::`` may take IPv4 as well, which cannot be seen from outside.
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
