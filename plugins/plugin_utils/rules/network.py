# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the index listens, and by which address clients and proxies reach it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem, matching
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, as_integer

# Opens metrics on purpose.
EVERYONE = "everyone"
PORT = range(1, 65536)
DNS_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){DNS_LABEL}(?:\.{DNS_LABEL})*\Z")

upload_size = matching(
    re.compile(r"[0-9]+[kKmMgG]?\Z"),
    "a size",
    "give a number with k, m or g behind it, such as 2g; 0 is without limit",
)


def address(value: Any) -> Complaints:
    """An IP address to listen on."""
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        yield (
            f"{value!r} is not an IP address",
            "give one of the host's addresses, 0.0.0.0 for all, or 127.0.0.1 for the host alone",
        )


def networks(value: Any) -> Complaints:
    """A list of IP networks."""
    if not isinstance(value, (list, tuple)):
        yield f"{value!r} is not a list", "give a list of networks, such as [192.0.2.0/24]"
        return
    for network in value:
        try:
            ipaddress.ip_network(str(network))
        except ValueError:
            try:
                right = ipaddress.ip_network(str(network), strict=False)
            except ValueError:
                yield (
                    f"{network!r} is not an IP network",
                    "give one such as 192.0.2.0/24, 2001:db8::/32 or a single address",
                )
            else:
                yield f"{network!r} is an address inside a network", f"give the network, {right}"


def readers_of_metrics(value: Any) -> Complaints:
    """A list of IP networks, or [everyone]; not the whole world without that word."""
    if value == [EVERYONE]:
        return
    found = list(networks(value))
    yield from found
    every = [] if found else [ipaddress.ip_network(str(network)) for network in value]
    whole: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
        *ipaddress.collapse_addresses(one for one in every if isinstance(one, ipaddress.IPv4Network)),
        *ipaddress.collapse_addresses(one for one in every if isinstance(one, ipaddress.IPv6Network)),
    ]
    if any(one.prefixlen == 0 for one in whole):
        yield "opens metrics to the world", f"give the networks of Prometheus, or [{EVERYONE}] if that is meant"


def origin_url(value: Any) -> Complaints:
    """A URL of a scheme and a host, nothing more; may be empty."""
    text = "" if value is None else str(value)
    if not text:
        return
    mend = "give scheme and host, such as https://pypi.example.com"
    if "@" in text:
        yield "contains credentials", mend  # not shown: they are credentials
        return
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        yield f"{text!r} is not a URL", mend
        return
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not port_is_right
        or not (is_dns_name(parts.hostname) or is_address(parts.hostname))
    ):
        yield f"{text!r} is not an http or https URL", mend
    elif text.rstrip("/") != f"{parts.scheme}://{parts.netloc}" or parts.netloc.endswith(":"):
        yield (
            f"{text!r} has more than scheme, host and port",
            f"give {parts.scheme}://{parts.netloc}; the index is at its root",
        )


def is_dns_name(text: str) -> bool:
    """Whether text is a name that DNS can have."""
    return bool(_DNS_NAME.match(text))


def is_address(text: str) -> bool:
    """Whether text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(variables: Mapping[str, Any]) -> bool | None:
    """Whether the index listens for the host alone; None where that is not known here."""
    try:
        return ipaddress.ip_address(str(variables["pypi_bind_address"])).is_loopback
    except (KeyError, ValueError):
        return None


def ports_differ(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """One port cannot speak HTTP and HTTPS."""
    http, https = as_integer(variables.get("pypi_http_port")), as_integer(variables.get("pypi_https_port"))
    if variables.get("pypi_tls", "none") != "none" and http is not None and http == https:
        yield Problem("pypi_https_port", f"{https} is also pypi_http_port", "give two ports")


def _is_ipv6_for_others(variables: Mapping[str, Any]) -> bool:
    """Whether the index listens on an IPv6 address that other machines reach."""
    return is_loopback(variables) is False and ":" in str(variables["pypi_bind_address"])


def ipv6_clients_are_strangers(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Docker forwards IPv6 from an IPv4 address of its own: to believe that one is to believe every client."""
    if not _is_ipv6_for_others(variables):
        return
    for name, each in (
        ("pypi_trusted_proxies", "each could choose the address that is logged and limited"),
        ("pypi_metrics_networks", "each could read the metrics"),
    ):
        for network in variables.get(name) or ():
            if ":" not in str(network) and network != EVERYONE:
                yield Problem(
                    name,
                    f"{network!r} is an IPv4 network, while pypi_bind_address is {variables['pypi_bind_address']}: all that "
                    f"come by IPv6 have an IPv4 address of Docker's for NGINX, so {each}",
                    "remove it, or give an IPv4 address as pypi_bind_address",
                )


def warnings(variables: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed, yet may not be meant."""
    if _is_ipv6_for_others(variables):
        yield (
            f"pypi_bind_address is {variables['pypi_bind_address']}: Docker forwards IPv6 from an address of its own. All IPv6 "
            "clients share it in the log, and pypi_logins_per_minute limits them together. Clients that come by IPv4 or "
            "through a proxy have their own addresses"
        )
