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
echo '@@python'; command -v {python} 2>/dev/null
echo '@@system'; (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null
echo '@@account'; getent passwd {user} 2>/dev/null
echo '@@daemon'; PATH=$PATH:/usr/sbin:/usr/local/sbin command -v dockerd 2>/dev/null
echo '@@engine'; docker version --format '{{{{.Server.Version}}}}' 2>/dev/null
echo '@@compose'; docker compose version --short 2>/dev/null
echo '@@unfinished'; dpkg-query --show --showformat '${{db:Status-Abbrev}}|${{Package}}\n' {packages} 2>/dev/null
echo '@@images'; for image in {images}; do docker image inspect --format '' "$image" >/dev/null 2>&1 && echo "$image"; done
echo '@@published'; docker ps --format '{{{{.Label "com.docker.compose.project"}}}}|{{{{.Names}}}}|{{{{.Ports}}}}' 2>/dev/null
echo '@@sockets'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
echo '@@listeners'; ss -Hltnp 2>/dev/null
true"""

_LISTEN = "0A"
# dpkg's packages of an engine, whoever made them; each wants what it depends on finished before it.
_PACKAGES = ("docker*", "containerd*", "runc")
# Second letter of dpkg's status: half-installed, unpacked, half-configured.
_UNFINISHED = "HUF"
_PUBLISHED = re.compile(r"(?P<address>[0-9.]+|\[[0-9a-f:]+\]|::):(?P<port>\d+)->")
_PROCESS = re.compile(r'users:\(\("(?P<name>[^"]+)",pid=(?P<pid>\d+)')


def survey_command(python: str, user: str, images: list[str]) -> str:
    """Return the shell command whose output Survey.parse takes apart.

    It ends without a line break, because Ansible puts ``&& sleep 0`` behind a command that it runs without become.
    """
    return _COMMAND.format(
        python=shlex.quote(python), user=shlex.quote(user), images=shlex.join(images), packages=shlex.join(_PACKAGES)
    )


@dataclasses.dataclass(frozen=True)
class Survey:
    """The answers of one host, as text."""

    python: str = ""
    system: str = ""
    account: str = ""
    daemon: str = ""
    engine: str = ""
    compose: str = ""
    unfinished: tuple[str, ...] = ()
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

        return cls(
            python=first("python"),
            system=first("system"),
            account=":".join(first("account").split(":")[2:4]),
            daemon=first("daemon"),
            engine=first("engine"),
            compose=first("compose").removeprefix("v"),
            unfinished=tuple(
                line.rpartition("|")[2] for line in sections.get("unfinished", ()) if line[1:2] in _UNFINISHED
            ),
            images=tuple(sections.get("images", ())),
            published=tuple(sections.get("published", ())),
            sockets=tuple(sections.get("sockets", ())),
            listeners=tuple(sections.get("listeners", ())),
        )

    def facts(self) -> dict[str, str | list[str]]:
        """What other roles may read below ``ansible_facts['pypi_host']``."""
        return {
            "python": self.python,
            "system": self.system,
            "account": self.account,
            "daemon": self.daemon,
            "engine": self.engine,
            "compose": self.compose,
            "unfinished": list(self.unfinished),
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
    """Tell whether two sockets on these addresses would be in each other's way."""
    wildcards = {"0.0.0.0", "::"}
    return one in wildcards or other in wildcards or one == other


def _process(listeners: tuple[str, ...], port: int) -> str:
    """Name the process on a port from the lines of ``ss -Hltnp``, as far as they tell."""
    for line in listeners:
        fields = line.split()
        if len(fields) > 3 and fields[3].endswith(f":{port}"):
            match = _PROCESS.search(line)
            if match:
                return f"{match['name']} (process {match['pid']})"
    return "another process"
