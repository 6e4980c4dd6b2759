# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other servers and indexes on a host: which of them have the folder, the name or the port that an index is to have."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable, Mapping

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import INSTEAD, Host, Neighbour

# What Compose reads on top of a Compose file.
_BESIDE = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
    ".env",
)
# A sentence names no more than this, and counts the rest.
_NAMES = 20
# A socket that listens, in /proc/net/tcp.
_LISTEN = "0A"
_PUBLISHED = re.compile(r"(?P<address>[0-9.]+|\[[0-9a-f:]+\]|::):(?P<port>\d+)->")
_PROCESS = re.compile(r'users:\(\("(?P<name>[^"]+)",pid=(?P<pid>\d+)')


def here(host: Host, instance: str, home: str, removing: bool) -> str:
    """Refuse a folder that holds a server which is no index of ours.

    Args:
        host: what was found.
        instance: pypi_instance.
        home: pypi_home.
        removing: the index is to be removed.
    """
    found = _another_server(host, instance, home)
    if not found:
        return ""
    if removing:
        return (
            f"{home} holds another server ({named(found)}), and no index. Nothing was changed: this playbook removes only "
            "what wheelhouse.pypi.site has set up."
        )
    return (
        f"{home} holds another server ({named(found)}). Nothing was changed. Set up the index beside it, with another "
        f"pypi_instance than {instance} (and another pypi_home and pypi_http_port, where these are set), then bring its "
        f"packages in: wheelhouse.pypi.import with pypi_import_from={home}/packages (docs/import.md)."
    )


def _another_server(host: Host, instance: str, home: str) -> list[str]:
    """Return the files and containers by which a server in the folder of the index is known."""
    folders = _folders(host, home)
    return [
        *host.foreign,
        *(
            one.name
            for one in host.neighbours
            if not one.index and one.project and (one.folder in folders or (one.project == instance and not one.folder))
        ),
    ]


def obeyed_by_hand(host: Host, home: str) -> str:
    """Refuse files in the tree of an index that a run does not read, and `docker compose` there would: none is ours."""
    found = [name for name in INSTEAD + _BESIDE if name in host.tree]
    if not found:
        return ""
    return (
        f"pypi_home: {home} has {named(found)}, which no role writes and `docker compose` obeys there. Nothing was changed. "
        "Look at what it says and who wrote it: with the service account's rights it could have been put there to gain "
        "root's. Then remove it (what it set belongs into variables), and run again."
    )


def elsewhere(host: Host, instance: str, home: str) -> str:
    """Refuse an index whose folder or name another one has: one would lose its files, or its containers, to the other."""
    folders = _folders(host, home)
    indexes = {one.index for one in host.neighbours if one.folder in folders}
    other = next((name for name in sorted(indexes | {host.index}) if name not in ("", instance)), "")
    if other:
        return (
            f"pypi_home: {home} is the folder of the index {other}. Give {instance} one of its own, or run with "
            f"pypi_instance: {other}. To give that index another name, remove it first (wheelhouse.pypi.uninstall; its "
            "packages and logins stay)."
        )
    others = [one for one in host.neighbours if one.project == instance and one.folder and one.folder not in folders]
    if not others:
        return ""
    names, folder = named(one.name for one in others), others[0].folder
    if others[0].index:
        return (
            f"pypi_instance: {instance} is the name of the index in {folder}, with the containers {names}, and pypi_home "
            f"is {home}. Give this one another pypi_instance and pypi_http_port. If it is the same index and has moved, "
            f"remove these containers first (docker rm --force)."
        )
    return (
        f"pypi_instance: {instance} is the name of the Compose project in {folder}, with the containers {names}. Give the "
        f"index another pypi_instance and pypi_http_port. If that is a package index, bring its packages in afterwards: "
        f"wheelhouse.pypi.import with pypi_import_from={folder}/packages (docs/import.md)."
    )


def port_taken(host: Host, instance: str, address: str, ports: Mapping[str, int | None]) -> str:
    """Refuse ports that another container or process has.

    Args:
        host: what was found.
        instance: pypi_instance.
        address: pypi_bind_address.
        ports: what the index listens on, by the variable that says so.
    """
    for variable, port in ports.items():
        holder = port_holder(host, instance, address, port) if port else ""
        if holder:
            return (
                f"{variable}: port {port} on {address} is taken by {holder}. "
                f"Stop that, or set {variable} (or pypi_bind_address) to one that is free."
                + (_hint(holder) if isinstance(holder, Neighbour) else "")
            )
    return ""


def _hint(holder: Neighbour) -> str:
    """Say more about a container in the way, where it is of a Compose project."""
    if not holder.project or not holder.folder:
        return ""
    if holder.index:
        return f" It is of the index in {holder.folder}."
    return (
        f" If that is the package index in {holder.folder} which this one replaces: let it run, set up this one on another "
        "port, import the packages, then switch (docs/import.md)."
    )


def named(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    names = list(names)
    if len(names) > _NAMES:
        return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _folders(host: Host, home: str) -> set[str]:
    """Return the folder of the index, as it is named and as it is without links."""
    return {posixpath.normpath(home), host.folder} - {""}


def port_holder(host: Host, instance: str, address: str, port: int) -> str | Neighbour:
    """Say who else holds ``address:port`` on the host; empty where it is free, or ours.

    Args:
        host: what was found.
        instance: the Compose project whose containers are ours.
        address: where we want to listen.
        port: the port there.

    Returns:
        The container, or the process in words.
    """
    ours = False
    for container in host.neighbours:
        for match in _PUBLISHED.finditer(container.ports):
            if int(match["port"]) == port and _overlap(match["address"].strip("[]"), address):
                if container.project != instance:
                    return container
                ours = True
    if ours:
        return ""
    if any(_overlap(bound, address) for bound in _listening(host.sockets, port)):
        return _process(host.listeners, port)
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
    """Name the process on a port from the lines of ``ss -Hltnp``, as far as they say."""
    for line in listeners:
        fields = line.split()
        if len(fields) > 3 and fields[3].endswith(f":{port}"):
            match = _PROCESS.search(line)
            if match:
                return f"{match['name']} (process {match['pid']})"
    return "another process"
