# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the variables of TLS go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.network import is_address, is_loopback
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem, file_on_controller
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import as_integer


def url_is_of_tls(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Where the index speaks TLS, plain HTTP leads to pypi_url, which must not lead back."""
    tls, url = variables.get("pypi_tls", "none"), str(variables.get("pypi_url") or "")
    if tls != "none" and url.startswith("http://"):
        yield Problem("pypi_url", f"{url!r} is plain HTTP, while pypi_tls is {tls}", "give it with https://")


def tls_has_a_name(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A certificate is for a name, and an ACME server has to find it."""
    tls, name = variables.get("pypi_tls"), name_of_index(variables)
    if tls not in ("provided", "on_host", "acme") or name is None:
        return
    if not name:
        yield Problem(
            "pypi_url",
            f"is not set, and pypi_tls: {tls} needs the name that the certificate is for",
            "give the address that clients use, such as https://pypi.example.com",
        )
    elif tls == "acme" and is_address(name):
        yield Problem(
            "pypi_url",
            f"{name} is an address, and an ACME server verifies names",
            "give a URL with a host name, such as https://pypi.example.com",
        )


def name_of_index(variables: Mapping[str, Any]) -> str | None:
    """The name that clients use, empty where none is set; None where that is not known here."""
    if "pypi_url" not in variables:
        return None
    try:
        return urlsplit(str(variables["pypi_url"] or "")).hostname or ""
    except ValueError:
        return None  # not a URL, which its own rule says


def provided_is_whole(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A certificate has a key, and both are files."""
    tls = variables.get("pypi_tls")
    if tls not in ("provided", "on_host"):
        return
    for name, what in (("pypi_tls_certificate", "certificate"), ("pypi_tls_key", "key")):
        if not variables.get(name, "?"):
            yield Problem(name, f"is empty, while pypi_tls is {tls}", f"give the path of the {what}'s PEM file")
        elif tls == "provided" and str(variables.get(name)).startswith("/"):
            yield from (Problem(name, *complaint) for complaint in file_on_controller(variables[name]))


def acme_has_a_directory(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A certificate comes from somewhere."""
    if variables.get("pypi_tls") == "acme" and not variables.get("pypi_acme_directory", "?"):
        yield Problem(
            "pypi_acme_directory", "is empty, while pypi_tls is acme", "give the address of the server's directory"
        )


def in_clear(variables: Mapping[str, Any]) -> bool:
    """Whether logins come over a network without TLS, as far as the variables that are given tell."""
    outside = str(variables.get("pypi_url") or "")
    return (
        variables.get("pypi_tls") == "none" and is_loopback(variables) is False and not outside.startswith("https://")
    )


def warnings(variables: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed, yet may not be meant."""
    if variables.get("pypi_authenticate") and in_clear(variables):
        yield (
            f"pypi_tls is none, and the index listens on {variables['pypi_bind_address']}: passwords travel in clear. Set "
            "pypi_tls. Behind a proxy that speaks TLS, set pypi_bind_address: 127.0.0.1 if it is on the host, else set "
            "pypi_url to its address"
        )
    if variables.get("pypi_tls") == "acme" and as_integer(variables.get("pypi_http_port")) != 80:
        yield (
            f"pypi_http_port is {variables.get('pypi_http_port')}: ACME servers connect to port 80 of the name, so that port "
            "has to be forwarded to it"
        )
