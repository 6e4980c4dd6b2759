# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several hosts that are one index: pypi_nodes, the names and addresses of the nodes, and what all of them share."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import durations
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.network import DNS_LABEL
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, is_true, public

# Each node is a folder of this name in packages/.wheelhouse/nodes/, beside the nodes' key.
_NAME = re.compile(r"(?!key\Z)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z")
_ADDRESS = re.compile(rf"(?=.{{1,253}}\Z){DNS_LABEL}(?:\.{DNS_LABEL})*\Z")
_ADDRESS_MEND = "give a name or an IP address at which the other nodes reach this one, without scheme and port"
# One node would otherwise refuse what another takes, or show what another hides.
SAME: tuple[str, ...] = (
    "pypi_nodes",
    "pypi_instance",
    "pypi_system_user",
    "pypi_url",
    "pypi_tls",
    "pypi_authenticate",
    "pypi_anonymous_uploads",
    "pypi_login_source",
    "pypi_login_source_url",
    "pypi_ldap",
    "pypi_users",
    "pypi_tokens",
    "pypi_max_upload",
    "pypi_quotas",
    "pypi_disk_reserve",
    "pypi_trash",
    "pypi_overwrite",
    "pypi_freshness",
    "pypi_change_log_retention",
    "pypi_image_pypiserver",
    "pypi_upstreams",
    "pypi_upstream_ca_file",
    "pypi_private_names",
    "pypi_shadowed_names",
    "pypi_upstream_minimum_age",
    "pypi_upstream_denied",
    "pypi_upstream_allowed",
    "pypi_upstream_exempt",
    "pypi_upstream_freshness",
)
_SECRET = ("pypi_users", "pypi_tokens", "pypi_ldap", "pypi_login_source_url", "pypi_upstreams")
_FRESHNESS = "30s"
MISSING = object()


def group_of_nodes(value: Any) -> Complaints:
    """pypi_nodes: the name of a group; may be empty."""
    if isinstance(value, (list, tuple, Mapping)):
        yield (
            "is the name of a group of the inventory, and not its hosts",
            "put the nodes into a group of their own, and give its name, such as pypi_nodes: pypi_eu",
        )


def node_address(value: Any) -> Complaints:
    """pypi_node_address: a host name or an IP address; may be empty."""
    text = "" if value is None else str(value)
    if text and not _is_address(text):
        yield f"{text!r} is not an address", _ADDRESS_MEND


def can_be_shared(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """What does not work on several hosts."""
    if not variables.get("pypi_nodes"):
        return
    if is_true(variables.get("pypi_overwrite", False)):
        yield Problem(
            "pypi_overwrite",
            "is not supported on several hosts: two nodes could give one name two contents",
            "set it to false, or remove pypi_nodes",
        )
    if variables.get("pypi_tls") == "acme":
        yield Problem(
            "pypi_tls",
            "acme does not work on several hosts: the server's challenge may reach another node than the one that asked",
            "set pypi_tls: provided, with one certificate for all nodes",
        )
    try:
        slow = durations.seconds(str(variables.get("pypi_freshness", "0s"))) > durations.seconds(_FRESHNESS)
    except ValueError:
        slow = False  # its own rule says so
    if slow:
        yield Problem(
            "pypi_freshness",
            f"{variables['pypi_freshness']} is too long for several hosts: after it, a node without contact counts as unwell",
            f"give at most {_FRESHNESS}, such as pypi_freshness: 2s",
        )
    if _is_loopback(str(variables.get("pypi_bind_address", ""))):
        yield Problem(
            "pypi_bind_address",
            f"{variables['pypi_bind_address']} is reached by this host alone, and nodes reach each other on that port",
            "give 0.0.0.0, or an address that the other nodes reach",
        )


def problems(
    group: str, host: str, groups: Mapping[str, Sequence[str]], value: Callable[[str, str], Any]
) -> Iterator[Problem]:
    """What is wrong with the nodes of a group, as the inventory has them.

    Args:
        group: pypi_nodes of the host.
        host: the host that is checked, by its name in the inventory.
        groups: the hosts of each group.
        value: what the inventory says of a host: its name and a variable -> the value, or ``MISSING``.
    """
    hosts = list(groups.get(group, ()))
    if group not in groups:
        known = ", ".join(sorted(name for name in groups if name not in ("all", "ungrouped"))) or "none"
        yield Problem("pypi_nodes", f"{group!r} is not a group of the inventory", f"name one; it has {known}")
    elif not hosts:
        yield Problem("pypi_nodes", f"the group {group} has no hosts", "add the nodes to it")
    elif host not in hosts:
        yield Problem(
            "pypi_nodes",
            f"{host} is not in the group {group}",
            f"add it there, or set pypi_nodes in group_vars/{group}.yml only",
        )
    elif len(hosts) < 2:
        yield Problem("pypi_nodes", f"the group {group} has {host} alone", "add a host, or remove pypi_nodes")
    else:
        yield from _names(hosts)
        yield from _addresses(hosts, value)
        yield from _same(host, hosts, value)


def name(host: str) -> str:
    """Return the name of a node, which is that of the host in the inventory."""
    return host.lower()


def address(host: str, value: Callable[[str, str], Any]) -> str:
    """Return where the other nodes reach a host."""
    for variable in ("pypi_node_address", "ansible_host"):
        given = value(host, variable)
        if given is not MISSING and given:
            return str(given)
    return host


def emptied(group: Any, removes_data: Any) -> Iterator[Problem]:
    """uninstall.yml, which would take the packages of all nodes with those of one."""
    if group and is_true(removes_data):
        yield Problem(
            "pypi_remove_data",
            f"packages/ belongs to all nodes of {group}",
            "remove the nodes without it, then delete packages/ in the shared folder by hand",
        )


def _names(hosts: Sequence[str]) -> Iterator[Problem]:
    for host in hosts:
        if not _NAME.match(name(host)):
            yield Problem(
                "pypi_nodes",
                f"{host!r} cannot be the name of a node",
                "rename the host in the inventory: letters, digits, ., - and _, a letter or digit first and last, and not key",
            )
    for one, count in Counter(map(name, hosts)).items():
        if count > 1:
            yield Problem(
                "pypi_nodes",
                f"{' and '.join(host for host in hosts if name(host) == one)} differ in case alone",
                "rename one of them in the inventory",
            )


def _addresses(hosts: Sequence[str], value: Callable[[str, str], Any]) -> Iterator[Problem]:
    mend = "set pypi_node_address of that host"
    at: dict[tuple[Any, ...], list[str]] = {}
    for host in hosts:
        where = address(host, value)
        if not _is_address(where):
            yield Problem("pypi_node_address", f"{host} is reached at {where!r}, which is not an address", mend)
        elif _is_loopback(where):
            yield Problem("pypi_node_address", f"{host} is reached at {where}, which is every host itself", mend)
        else:
            ports = (str(value(host, port)) for port in ("pypi_http_port", "pypi_https_port"))
            at.setdefault((where, *(port if port.strip().isdigit() else "" for port in ports)), []).append(host)
    for (where, *_ports), there in at.items():
        if len(there) > 1:
            yield Problem("pypi_node_address", f"{' and '.join(there)} have the same address, {where}", mend)
    yield from _of_another(hosts, value)


def _of_another(hosts: Sequence[str], value: Callable[[str, str], Any]) -> Iterator[Problem]:
    """Find an address that is given to one node, and by which Ansible reaches another one."""
    reached: dict[str, list[str]] = {}
    for host in hosts:
        found = value(host, "ansible_host")
        reached.setdefault(str(found) if found is not MISSING and found else host, []).append(host)
    for host in hosts:
        given = value(host, "pypi_node_address")
        owners = reached.get(str(given), []) if given is not MISSING and given else []
        # Hosts that Ansible reaches at one address, behind ports of their own, are told apart by another rule.
        if len(owners) == 1 and owners != [host] and address(owners[0], value) != str(given):
            yield Problem(
                "pypi_node_address",
                f"{host} has {given}, which is the address of {owners[0]}",
                f"give the address of {host} itself",
            )


def _same(host: str, hosts: Sequence[str], value: Callable[[str, str], Any]) -> Iterator[Problem]:
    """Compare with the first node, and as the first with all: each node that differs fails, and the first says why."""
    others = [other for other in hosts if other != host] if host == hosts[0] else hosts[:1]
    for variable in SAME:
        own = _value(host, variable, value)
        for other in others:
            theirs = _value(other, variable, value)
            if own == theirs:
                continue
            if variable in _SECRET:
                said = f"differs between {host} and {other}"
            else:
                said = f"is {_shown(own)} on {host} and {_shown(theirs)} on {other}"
            yield Problem(variable, said, "give all nodes the same value, in group_vars of their group")


def _value(host: str, variable: str, value: Callable[[str, str], Any]) -> Any:
    """Return what counts on a host: its value, else the default, as far as that is the same on all hosts."""
    found = value(host, variable)
    default = public()[variable]["default"]
    if found is MISSING and "{{" not in str(default):
        found = default
    if public()[variable]["type"] == "bool" and found is not MISSING:
        return is_true(found)
    if public()[variable]["type"] == "str" and found is not MISSING:
        return "" if found is None else str(found)
    return found


def _shown(value: Any) -> str:
    return "not set" if value is MISSING else repr(value)


def _is_address(text: str) -> bool:
    return _is_ip(text) or (bool(_ADDRESS.match(text)) and not re.match(r"[0-9.]+\Z", text))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # A zone belongs to one host.
    return "%" not in text


def _is_loopback(text: str) -> bool:
    return text.lower() == "localhost" or (_is_ip(text) and ipaddress.ip_address(text).is_loopback)
