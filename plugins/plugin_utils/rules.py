# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What public variables must be, beyond their types, alone and together.

A rule is a function from a value to its problems, and ``RULES`` says which variable it judges; ``CROSS_RULES`` look at
several. To add one, write a function and put it into its table. Problems never show a password or a hash, nor anything
that could be one put in the wrong place.
"""

from __future__ import annotations

import datetime
import difflib
import ipaddress
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import (
    BCRYPT_COST_LIMIT,
    ROUNDS_LIMIT,
    SCHEMES,
    bcrypt_cost,
    describe,
    scheme_of,
    slowness,
)
from ansible_collections.wheelhouse.pypi.plugins.module_utils.htpasswd import NAME, NAME_LENGTH
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import batches, durations
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import (
    Complaints,
    as_integer,
    complaints,
    instead,
    is_boolean,
    is_true,
    of_login,
    public,
    rights,
)

# bcrypt takes no cost below 4. A core that checks a password of cost 10 in 50 ms needs 6 s at cost 17, and every step
# doubles it: beyond that the first request of each login runs into timeouts.
BCRYPT_COSTS = range(4, BCRYPT_COST_LIMIT + 1)
# What `htpasswd -B` makes without more words is 5: hundreds of guesses a second on one core.
_BCRYPT_LOW = 8
# bcrypt looks at no more; what comes after would be no part of the password.
PASSWORD_BYTES = 72

ACTIONS = tuple(public()["pypi_authenticate"]["choices"])
USER_KEYS = tuple(of_login())
USER_STATES = tuple(of_login()["state"]["choices"])

# Folders that belong to the system: the index is to have one of its own below, or elsewhere.
SYSTEM_FOLDERS = frozenset(
    {
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root"),
        *("/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/log"),
    }
)

_DNS_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_DNS_LABEL}(?:\.{_DNS_LABEL})*\Z")
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")
_SIZE = re.compile(r"[0-9]+[kKmMgG]?\Z")
_ABSOLUTE = re.compile(r"/[^\x00-\x1f\x7f]*\Z")
_LOG_SIZE = re.compile(r"[1-9][0-9]*[kmg]?\Z")
_PROCESSORS = re.compile(r"(?!0*\.?0*\Z)[0-9]+(?:\.[0-9]+)?\Z")
_IMAGE = re.compile(
    rf"(?:(?:{_DNS_LABEL}(?:\.{_DNS_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?\Z"
)


class Problem(NamedTuple):
    """What is wrong with a variable (its value named, unless it is a secret), and what to write instead."""

    variable: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.problem}; {self.mend}"


Rule = Callable[[Any], Complaints]


# -- values of one variable --------------------------------------------------------------------------------------------


def between(allowed: range, mend: str = "") -> Rule:
    """A whole number out of a range."""

    def rule(value: Any) -> Complaints:
        number = as_integer(value)
        if number is None or number not in allowed:
            yield (
                f"{value!r} is not a whole number from {allowed[0]} to {allowed[-1]}",
                mend or "give one in that range",
            )

    return rule


def lasting(least: str, most: str) -> Rule:
    """A duration, such as 10m, between two others."""

    def rule(value: Any) -> Complaints:
        text = str(value)
        try:
            allowed = durations.seconds(least) <= durations.seconds(text) <= durations.seconds(most)
        except ValueError:
            yield f"{value!r} is not a duration", "give a number with s, m, h or d behind it, such as 10m or 7d"
        else:
            if not allowed:
                yield f"{text} is not between {least} and {most}", "give a duration in that range"

    return rule


def one_of(*choices: str) -> Rule:
    """One of some words."""

    def rule(value: Any) -> Complaints:
        if value not in choices:
            yield f"{value!r} is unknown", instead(value, choices)

    return rule


def matching(pattern: re.Pattern[str], what: str, mend: str, empty: bool = False) -> Rule:
    """Text that a pattern matches; ``empty`` allows it to be missing."""

    def rule(value: Any) -> Complaints:
        text = "" if value is None else str(value)
        if not (empty and not text) and not pattern.match(text):
            yield f"{value!r} is not {what}", mend

    return rule


def actions(value: Any) -> Complaints:
    """pypi_authenticate: without a login, reading alone can be open."""
    if not isinstance(value, (list, tuple)):
        yield f"{value!r} is not a list", f"give a list of {', '.join(ACTIONS)}; [update] opens reading"
        return
    if not value:
        yield "is empty, which would open uploads and removal", _OPEN
        return
    for action in dict.fromkeys(str(action) for action in value):
        if action not in ACTIONS:
            yield f"{action!r} is unknown", instead(action, ACTIONS)
        if sum(action == str(other) for other in value) > 1:
            yield f"{action!r} is listed more than once", "name it once"
    if "update" not in value and all(action in ACTIONS for action in value):
        yield f"[{', '.join(map(str, value))}] lacks update, which would open uploads and removal", _OPEN


_OPEN = (
    "write [update] to open reading. pypi_anonymous_uploads: true opens uploads beside that, on purpose; removal always "
    "needs a login"
)


def home(value: Any) -> Complaints:
    """pypi_home: becomes the source of container mounts, and is owned by the service user as a whole."""
    path = str(value)
    normal = re.sub("/+", "/", posixpath.normpath(path))
    if not path.startswith("/"):
        yield f"{path!r} is not absolute", "give a path that begins with /, such as /home/pypi/pypi-server"
    elif ".." in path.split("/"):
        yield f"{path!r} contains ..", "give the path without it"
    elif re.search(r"""[\s:$'"`\\,\x00-\x1f\x7f]""", path):
        yield (
            f"{path!r} contains a space, colon, comma, dollar sign, quote or backslash, which container mounts do not support",
            "give a path without",
        )
    elif normal in SYSTEM_FOLDERS:
        yield f"{path!r} is a system folder", "give a folder below it that is for the index alone"
    elif path != normal:
        # Paths on the host are compared with it, letter by letter.
        yield f"{path!r} is not normalised", f"give {normal}"


def account(value: Any) -> Complaints:
    """pypi_system_user."""
    if value == "root":
        yield "'root' must not run the containers", "give an account of its own; the run creates it if it is missing"
    else:
        yield from matching(
            _ACCOUNT, "a name of an account", "give letters, digits, _ . and -, at most 32, no digit first"
        )(value)


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
        or not (_DNS_NAME.match(parts.hostname) or _is_address(parts.hostname))
    ):
        yield f"{text!r} is not an http or https URL", mend
    elif parts.path not in ("", "/") or parts.query or parts.fragment:
        yield (
            f"{text!r} has more than scheme, host and port",
            f"give {parts.scheme}://{parts.netloc}; the index is at its root",
        )


def address_of_files(value: Any) -> Complaints:
    """An http or https URL with a path; may be empty."""
    text = "" if value is None else str(value)
    mend = "give one such as https://mirror.example.com/docker"
    if "@" in text:
        yield "contains credentials", "give it without: apt's auth.conf.d and dnf's configuration keep logins"
    elif text and not re.match(r"""https?://[^\s"'\\/]+(?:/[^\s"'\\]*)?\Z""", text):
        yield f"{text!r} is not an http or https URL", mend


def service(value: Any) -> Complaints:
    """Where a service of the operator's own verifies logins; may be empty."""
    text = "" if value is None else str(value)
    mend = "give one such as https://auth.example.com/pypi"
    if "@" in text:
        yield "contains credentials", mend  # not shown: they are credentials
    elif text and not re.match(r"""https?://[^\s"'\\/$;{}?#]+/[^\s"'\\$;{}#]*\Z""", text):
        yield f"{text!r} is not an http or https URL with a path", mend


def acme_directory(value: Any) -> Complaints:
    """Where an ACME server is asked; may be empty."""
    text = "" if value is None else str(value)
    if text and not re.match(r"""https://[^\s"'\\/@$]+/[^\s"'\\$]*\Z""", text):
        yield f"{text!r} is not an https URL of a directory", "give one such as https://acme.example.com/directory"


def file_on_controller(value: Any) -> Complaints:
    """An absolute path of a file that is there; may be empty."""
    path = "" if value is None else str(value)
    if path and not path.startswith("/"):
        yield f"{path!r} is not absolute", "give one that begins with /, such as {{ inventory_dir }}/../docker.asc"
    elif path and not os.path.isfile(path):
        yield f"there is no file {path} where Ansible runs", "give the path of the file that is meant"


def size(value: Any) -> Complaints:
    """A size as NGINX reads it."""
    yield from matching(_SIZE, "a size", "give a number with k, m or g behind it, such as 2g; 0 is without limit")(
        value
    )


def image(value: Any) -> Complaints:
    """A reference to a container image."""
    match = _IMAGE.match(str(value))
    if not match:
        yield (
            f"{value!r} is not an image reference",
            "give [registry/]name:tag or [registry/]name@sha256:digest, in lower case",
        )
    elif not match["tag"] and not match["digest"]:
        yield f"{value!r} has no tag", "give one, or a digest: what 'latest' is changes without notice"


# -- users -------------------------------------------------------------------------------------------------------------


def users(value: Any) -> Complaints:
    """pypi_users: each entry for itself, and names that are there twice."""
    if not isinstance(value, (list, tuple)):
        yield "is not a list", "give a list of users, each with a name and a password or hash"
        return
    names: dict[str, int] = {}
    for number, user in enumerate(value, 1):
        if not isinstance(user, Mapping):
            yield f"entry {number} is not a mapping", "give name and password or hash"
            continue
        name = user.get("name")
        yield from ((f"{_called(name, number)} {what}", mend) for what, mend in _user(user))
        if isinstance(name, str) and name:
            names[name] = names.get(name, 0) + 1
    for name, count in names.items():
        if count > 1:
            yield (
                f"user {_shown(name)} is listed {count} times",
                "name each login once; a second credential is a login of its own, such as alice+ci",
            )


def _shown(name: str) -> str:
    """A name for a message; what is behind a colon or after a space or newline may be a password."""
    safe = re.split(r"[:\s]", name, maxsplit=1)[0]
    return repr(safe if safe == name else safe + "...")[:NAME_LENGTH]


def _called(name: Any, number: int) -> str:
    return f"user {_shown(name)}" if isinstance(name, str) and name else f"entry {number}"


def _user(user: Mapping[Any, Any]) -> Complaints:
    """Problems of one entry."""
    for key in user:
        if key not in USER_KEYS:
            # A key that is not like any could be a secret: "alice: secret".
            near = difflib.get_close_matches(str(key), USER_KEYS, 1)
            if near:
                yield f"has the unknown key {key!r}", f"did you mean {near[0]}?"
            else:
                yield "has an unknown key", f"give {', '.join(USER_KEYS)}"
    yield from _user_name(user.get("name"))
    state = user.get("state") or "present"
    if state not in USER_STATES:
        yield f"has the unknown state {state!r}", instead(state, USER_STATES)
    for right in rights():
        if user.get(right) is not None and not is_boolean(user[right]):
            yield f"has a {right} that is neither true nor false", "give true or false"
    yield from _user_end(user.get("expires"))
    if state != "absent":
        yield from _user_secret(user.get("password"), user.get("hash"))


def _edges(text: str) -> Complaints:
    """What does not belong to a value, at its ends: most come from files and vaults that end with a line break."""
    if text.endswith(("\n", "\r")):
        windows = " as Windows writes it" if text.endswith(("\r\n", "\r")) else ""
        yield (
            f"ends with a newline{windows}",
            "remove it. To encrypt a value without one: "
            'printf %s "$value" | ansible-vault encrypt_string --stdin-name NAME',
        )
    elif re.search(r"[\r\n]", text):
        yield "has a line break in it", "give it on one line"
    elif text != text.strip():
        yield "begins or ends with a space, which clients and their configuration files strip", "remove it"


def secret(value: Any) -> Complaints:
    """A password or a name for another server; may be empty."""
    if value is not None and not isinstance(value, str):
        yield "is not text", "put it in quotes"
    elif value:
        yield from _edges(value)


def _user_name(name: Any) -> Complaints:
    mend = "give printable ASCII letters without spaces and colons"
    if name is None or name == "":
        yield "has no name", "give one"
    elif not isinstance(name, str):
        yield "has a name that is not text", "put it in quotes"
    elif ":" in name:
        yield "has a colon in the name", mend
    elif found := list(_edges(name)):
        yield from ((f"has a name that {what}", then) for what, then in found)
    elif len(name) > NAME_LENGTH:
        yield f"has a name of {len(name)} letters", f"give at most {NAME_LENGTH}"
    elif not NAME.match(name):
        if name.startswith("#"):
            yield "has a name that begins with #, which would make the line a comment", mend
        elif not name.isascii():
            yield "has a letter in the name that is not ASCII, which clients encode in different ways", mend
        else:
            yield "has a space or control character in the name", mend


def _user_end(expires: Any) -> Complaints:
    if expires in (None, ""):
        return
    try:
        datetime.date.fromisoformat(str(expires))
    except ValueError:
        yield (
            f"has an invalid expires: {str(expires)[:40]!r}",
            "give the last day of the login, such as 2027-03-31",
        )


def _user_secret(password: Any, password_hash: Any) -> Complaints:
    # An empty password is given, and wrong; `hash: ""` and null come from templates and mean "none".
    has_password, has_hash = password is not None, password_hash not in (None, "")
    if has_password and has_hash:
        yield "has both a password and a hash", "give one of them"
    elif not has_password and not has_hash:
        yield "has neither a password nor a hash", "give one of them, or state: absent"
    elif has_password:
        yield from _password(password)
    elif not isinstance(password_hash, str):
        yield "has a hash that is not text", "put it in quotes"
    else:
        yield from _hash(password_hash)


def _hash(password_hash: str) -> Complaints:
    again = "make it again with htpasswd -nB -C 10 NAME, and give only what follows the colon"
    if found := list(_edges(password_hash)):
        yield from ((f"has a hash that {what}", mend) for what, mend in found)
    elif scheme_of(password_hash.partition(":")[2]):
        yield "has a hash that begins with a login", "give only what follows the colon"
    elif scheme_of(password_hash) is None and ", but not well-formed" in describe(password_hash):
        yield f"has a hash that no server verifies: {describe(password_hash)}", again
    elif scheme_of(password_hash) is None:
        yield (
            f"has a hash in a scheme that is not accepted: {describe(password_hash)}",
            f"give {', '.join(SCHEMES)} ($2a$, $2b$, $2y$, $5$, $6$, $apr1$), or a password",
        )
    elif slowness(password_hash):
        yield (
            f"has a hash that takes too long to check: {slowness(password_hash)}",
            f"give bcrypt of cost 4 to {BCRYPT_COST_LIMIT}, or at most {ROUNDS_LIMIT} rounds: each first request of a login "
            "takes as long as a check",
        )


def _password(password: Any) -> Complaints:
    if isinstance(password, (int, float)):
        yield "has a password that YAML reads as a number or boolean", "put it in quotes"
    elif not isinstance(password, str):
        yield "has a password that is not text", "put it in quotes"
    elif not password:
        yield "has an empty password", "give one, or state: absent"
    elif found := list(_edges(password)):
        yield from ((f"has a password that {what}", mend) for what, mend in found)
    elif not re.fullmatch(r"[ -~]+", password):
        yield (
            "has a password with letters that are not printable ASCII, which clients encode in different ways",
            "give another",
        )
    elif len(password) > PASSWORD_BYTES:
        yield f"has a password of more than {PASSWORD_BYTES} bytes, and bcrypt looks at no more", "give a shorter one"


def listed_users(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The users that are to exist some day or other, as far as they can be made out."""
    value = variables.get("pypi_users")
    return [
        user
        for user in (value if isinstance(value, (list, tuple)) else ())
        if isinstance(user, Mapping) and user.get("state") != "absent"
    ]


def present_users(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The users that are to exist today."""
    return [user for user in listed_users(variables) if not has_expired(user)]


def has_expired(user: Mapping[str, Any], today: datetime.date | None = None) -> bool:
    """Whether the last day of a login is over; ``today`` is today's date in UTC."""
    try:
        last = datetime.date.fromisoformat(str(user.get("expires") or "9999-12-31"))
    except ValueError:
        return False  # which its own rule says
    return last < (today or datetime.datetime.now(datetime.UTC).date())


# -- several variables -------------------------------------------------------------------------------------------------


def authentication_needs_users(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Without a login, all requests would be refused, and no message would say why."""
    if variables.get("pypi_login_source") == "http":
        return
    closed = variables.get("pypi_authenticate")
    if not isinstance(closed, (list, tuple)):
        return  # which its own rule says
    needed = [str(action) for action in closed if not (action == "update" and anonymous_uploads(variables))]
    if needed and "pypi_users" in variables and not listed_users(variables):
        yield Problem(
            "pypi_users",
            f"is empty, but {', '.join(needed)} need{'s' * (len(needed) == 1)} a login (pypi_authenticate)",
            "give at least one user",
        )


def anonymous_uploads(variables: Mapping[str, Any]) -> bool:
    """Whether uploads are open on purpose."""
    return is_true(variables.get("pypi_anonymous_uploads"))


def auth_has_a_service(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Somebody has to verify logins."""
    if variables.get("pypi_login_source") == "http" and not variables.get("pypi_login_source_url", "?"):
        yield Problem(
            "pypi_login_source_url", "is empty, while pypi_login_source is http", "give the address of your service"
        )


def registry_login_is_whole(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A name without its password, or the other way round, is a slip."""
    name, password = "pypi_images_username", "pypi_images_password"
    if name in variables and password in variables and bool(variables[name]) != bool(variables[password]):
        missing, there = (password, name) if variables[name] else (name, password)
        yield Problem(missing, f"is empty, while {there} is not", "give both, or neither")


def ports_differ(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """One port cannot speak HTTP and HTTPS."""
    http, https = as_integer(variables.get("pypi_http_port")), as_integer(variables.get("pypi_https_port"))
    if variables.get("pypi_tls", "none") != "none" and http is not None and http == https:
        yield Problem("pypi_https_port", f"{https} is also pypi_http_port", "give two ports")


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
    elif tls == "acme" and _is_address(name):
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


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


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
    """Somebody has to be asked."""
    if variables.get("pypi_tls") == "acme" and not variables.get("pypi_acme_directory", "?"):
        yield Problem(
            "pypi_acme_directory", "is empty, while pypi_tls is acme", "give the address of the server's directory"
        )


def _is_ipv6_for_others(variables: Mapping[str, Any]) -> bool:
    """Whether the index listens on an IPv6 address that other machines reach."""
    try:
        address = ipaddress.ip_address(str(variables["pypi_bind_address"]))
    except (KeyError, ValueError):
        return False
    return address.version == 6 and not address.is_loopback


def proxies_differ_from_clients(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Docker forwards IPv6 from an IPv4 address of its own: to believe that one is to believe every client."""
    if not _is_ipv6_for_others(variables):
        return
    for network in variables.get("pypi_trusted_proxies") or ():
        if ":" not in str(network):
            yield Problem(
                "pypi_trusted_proxies",
                f"{network!r} is an IPv4 network, while pypi_bind_address is {variables['pypi_bind_address']}: all that "
                "come by IPv6 have an IPv4 address of Docker's for NGINX, so each could choose the address that is logged "
                "and limited",
                "remove it, or give an IPv4 address as pypi_bind_address",
            )


PORT = range(1, 65536)
RULES: Mapping[str, Rule] = {
    "pypi_instance": matching(
        _INSTANCE, "a name of a Compose project", "give lower case letters, digits, _ and -, a letter or digit first"
    ),
    "pypi_system_user": account,
    "pypi_home": home,
    "pypi_http_port": between(PORT),
    "pypi_https_port": between(PORT),
    "pypi_bind_address": address,
    "pypi_url": origin_url,
    "pypi_trusted_proxies": networks,
    "pypi_tls": one_of("none", "provided", "on_host", "self_signed", "acme"),
    "pypi_tls_certificate": matching(
        _ABSOLUTE,
        "an absolute path",
        "give one that begins with /, such as {{ inventory_dir }}/../pypi.pem",
        empty=True,
    ),
    "pypi_tls_key": matching(
        _ABSOLUTE,
        "an absolute path",
        "give one that begins with /, such as {{ inventory_dir }}/../pypi.key",
        empty=True,
    ),
    "pypi_acme_directory": acme_directory,
    "pypi_acme_ca_file": file_on_controller,
    "pypi_authenticate": actions,
    "pypi_login_source": one_of("file", "http"),
    "pypi_login_source_url": service,
    "pypi_users": users,
    "pypi_bcrypt_cost": between(BCRYPT_COSTS, "each step doubles the time of a check: 10 is about 50 ms, 17 about 6 s"),
    "pypi_logins_per_minute": between(range(1, 100001)),
    "pypi_verdict_lifetime": lasting("1s", "1d"),
    "pypi_max_upload": size,
    "pypi_freshness": lasting("0s", "1h"),
    "pypi_replicas": between(range(1, 17)),
    "pypi_workers": between(range(1, 33)),
    "pypi_container_memory": matching(_LOG_SIZE, "a size", "give a number with k, m or g behind it, such as 512m"),
    "pypi_container_cpus": matching(_PROCESSORS, "a number of processors", "give one such as 2 or 1.5", empty=True),
    "pypi_log_max_size": matching(_LOG_SIZE, "a size", "give a number with k, m or g behind it, such as 10m"),
    "pypi_log_retention": lasting("1d", "3650d"),
    "pypi_images_archive": matching(
        _ABSOLUTE,
        "an absolute path",
        "give one that begins with /, such as {{ inventory_dir }}/../images.tar",
        empty=True,
    ),
    "pypi_image_pypiserver": image,
    "pypi_image_nginx": image,
    "pypi_docker_source": one_of("auto", "distro", "docker_ce"),
    "pypi_docker_repository_url": address_of_files,
    "pypi_docker_repository_key_file": file_on_controller,
    "pypi_images_username": secret,
    "pypi_images_password": secret,
    "pypi_bundle": matching(
        _ABSOLUTE,
        "an absolute path",
        "give one that begins with /, such as {{ inventory_dir }}/../bundle.tar",
        empty=True,
    ),
    "pypi_start_timeout": lasting("1s", "1h"),
}
CROSS_RULES: tuple[Callable[[Mapping[str, Any]], Iterator[Problem]], ...] = (
    authentication_needs_users,
    auth_has_a_service,
    registry_login_is_whole,
    ports_differ,
    url_is_of_tls,
    tls_has_a_name,
    provided_is_whole,
    acme_has_a_directory,
    proxies_differ_from_clients,
)


# What playbooks read and no role has a default for: hosts, size of a batch, a folder to import from.
_OF_PLAYS = ("pypi_hosts", "pypi_serial", "pypi_bundle_hosts", "pypi_import_from")
# And the facts that roles set, and what the inventories of clouds could not make sense of.
_NO_ROLES = frozenset(
    {
        *_OF_PLAYS,
        *(
            "pypi_host",
            "pypi_host_before",
            "pypi_logins",
            "pypi_unknown_tags",
        ),
    }
)
# How much a name must be like a public one to be taken for a slip: an inventory may have names of its own.
_LIKENESS = 0.85


_COMPOSE = "install the plugin by ansible.builtin.get_url (docs/docker.md#compose-from-an-address)"
_VERSION = "pin and hold the packages by the host's package manager (docs/docker.md#a-version)"
_KEY = "give the key itself in pypi_docker_repository_key_file"
# Variables of earlier releases, each with what to do instead.
REMOVED: Mapping[str, str] = {
    "pypi_acme_email": "remove it: each run says when the certificate ends, and warns if it was not renewed",
    "pypi_adopt": (
        "remove it: set up the index beside the other server, then import its packages with wheelhouse.pypi.import "
        "(docs/import.md)"
    ),
    "pypi_auth": "use pypi_login_source",
    "pypi_auth_url": "use pypi_login_source_url",
    "pypi_backend": "remove it: there is one way to serve now, pages as files",
    "pypi_bundle_distribution": "remove it: a run refuses a bundle for another distribution than the host's",
    "pypi_bundle_sha256": "remove it: compare `sha256sum` of the file with what wheelhouse.pypi.bundle printed",
    "pypi_cache_size": "remove it: pages are files in index/, and no cache keeps them",
    "pypi_debug_headers": "remove it: no cache keeps pages, so X-Cache had nothing left to say",
    "pypi_docker_compose_by": _COMPOSE,
    "pypi_docker_compose_sha256": _COMPOSE,
    "pypi_docker_compose_url": _COMPOSE,
    "pypi_docker_daemon": "write /etc/docker/daemon.json by a role of your own (docs/docker.md#settings)",
    "pypi_docker_group": "add the account by ansible.builtin.user (docs/docker.md#the-group-docker)",
    "pypi_docker_hold": _VERSION,
    "pypi_docker_replace": "remove what is in the way before (docs/docker.md#replace-an-engine)",
    "pypi_docker_repository_ca_file": "add the authority to those of the host (docs/docker.md#a-mirror)",
    "pypi_docker_repository_key_fingerprint": _KEY,
    "pypi_docker_repository_key_url": _KEY,
    "pypi_docker_repository_proxy": "name the proxy in the settings of apt or dnf (docs/docker.md#a-mirror)",
    "pypi_docker_version": _VERSION,
    "pypi_external_url": "use pypi_url",
    "pypi_fallback": (
        "remove it: an unknown project is a 404. Clients that need the public index name it as a second one "
        "(docs/clients.md)"
    ),
    "pypi_freshness_seconds": "use pypi_freshness, a duration such as 2s",
    "pypi_images_archive_on": "remove it: pypi_images_archive is looked for on the controller, then on the host",
    "pypi_images_source": "remove it: with pypi_images_archive images come from that file, without it from a registry",
    "pypi_log_days": "use pypi_log_retention, a duration such as 90d",
    "pypi_log_max_files": "remove it: five files of pypi_log_max_size are kept for each container",
    "pypi_server_name": "use pypi_url, such as https://pypi.example.com",
    "pypi_tls_files_on": "remove it, and set pypi_tls: on_host for files of the host",
    "pypi_user": "use pypi_system_user",
    "pypi_verdict_seconds": "use pypi_verdict_lifetime, a duration such as 10m",
}


def removed(names: Iterable[str]) -> list[Problem]:
    """Return a problem for each name of a variable that an earlier release had: what it says would silently not count."""
    return [Problem(name, "was removed from the collection", REMOVED[name]) for name in sorted({*names} & {*REMOVED})]


def undefined(name: str, message: str) -> Problem:
    """A variable whose value refers to another one that is missing; ``message`` is Ansible's own."""
    missing = message.strip().rstrip(".")
    mend = "define it. Passwords are usually in vault.yml, in the folder of group_vars/ of the inventory that runs"
    return Problem(name, missing, mend)


def misspelt(names: Iterable[str], public: Collection[str]) -> list[Problem]:
    """Names that begin with pypi_ and are almost those of public variables: what they say would silently not count."""
    strange = sorted(name for name in names if name.startswith("pypi_") and name not in {*public, *_NO_ROLES, *REMOVED})
    return [
        Problem(name, "unknown variable", f"did you mean {near[0]}?")
        for name in strange
        if (near := difflib.get_close_matches(name, [*public, *_OF_PLAYS], 1, _LIKENESS))
    ]


def serial(value: Any, batch: int, hosts: int) -> list[Problem]:
    """pypi_serial, which counts only if the play that runs has read it.

    Args:
        value: what the host has for it.
        batch: how many hosts are in the batch that runs.
        hosts: how many the play has.
    """
    try:
        most = batches.largest(value, hosts)
    except ValueError as error:
        return [
            Problem(
                "pypi_serial",
                f"{error.args[0]!r} is not a batch size",
                "give a number of hosts from 1 on, a share such as 25%, or a list of these",
            )
        ]
    if batch <= most:
        return []
    return [
        Problem(
            "pypi_serial",
            f"{value!r} does not count: the batch has {batch} of {hosts} hosts, as a play is cut into batches before "
            "Ansible reads the inventory's variables",
            f"give it on the command line: -e pypi_serial={value if isinstance(value, (str, int)) else '...'}",
        )
    ]


def unknown_tags(tags: Any) -> list[Problem]:
    """Tags or labels of a cloud's instance that look like settings and are none; inventories/aws and gcp collect them."""
    return [
        Problem(f"tag {tag}", "is unknown to the inventory", "correct or remove it; docs/clouds.md lists them all")
        for tag in sorted(map(str, tags or ()))
    ]


def problems(variables: Mapping[str, Any], specs: Mapping[str, Mapping[str, Any]] | None = None) -> list[Problem]:
    """Every problem of some variables, in their order; rules about others are not applied.

    Args:
        variables: values by name.
        specs: argument specs by name; types and choices of variables without one are not checked.
    """
    found = [
        Problem(name, *problem) for name, value in variables.items() for problem in _of_one(name, value, specs or {})
    ]
    return found + [problem for rule in CROSS_RULES for problem in rule(variables)]


def _of_one(name: str, value: Any, specs: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The problems of one variable: by its own rule, whose words are better, else by its spec."""
    found = list(RULES[name](value)) if name in RULES else []
    return found or list(complaints(value, specs[name]) if name in specs else [])


def in_clear(variables: Mapping[str, Any]) -> bool:
    """Whether logins come over a network without TLS, as far as the variables that are given tell."""
    try:
        loopback = ipaddress.ip_address(str(variables["pypi_bind_address"])).is_loopback
    except (KeyError, ValueError):
        return False
    outside = str(variables.get("pypi_url") or "")
    return variables.get("pypi_tls") == "none" and not loopback and not outside.startswith("https://")


def warnings(variables: Mapping[str, Any]) -> list[str]:
    """What is allowed, yet may not be meant."""
    found = [
        f"pypi_users: the login of {_shown(str(user.get('name')))} expired after {user['expires']}; this run removes it"
        for user in listed_users(variables)
        if has_expired(user)
    ]
    closed = variables.get("pypi_authenticate")
    if anonymous_uploads(variables):
        found.append(
            "pypi_anonymous_uploads is true: everyone who reaches the index may upload files; removing needs a login"
        )
    elif (
        closed
        and variables.get("pypi_login_source") != "http"
        and present_users(variables)
        and not any(is_true(user.get("publish")) for user in present_users(variables))
    ):
        found.append("no login may upload: no user in pypi_users has publish: true")
    found += [
        f"pypi_users: the hash of {_shown(str(user.get('name')))} is bcrypt of cost {cost}, which is guessed quickly; "
        "htpasswd -nB -C 10 makes a better one"
        for user in present_users(variables)
        if (cost := bcrypt_cost(str(user.get("hash") or ""))) is not None and cost < _BCRYPT_LOW
    ]
    if closed and in_clear(variables):
        found.append(
            f"pypi_tls is none, and the index listens on {variables['pypi_bind_address']}: passwords travel in clear. Set "
            "pypi_tls. Behind a proxy that speaks TLS, set pypi_bind_address: 127.0.0.1 if it is on the host, else set "
            "pypi_url to its address"
        )
    if _is_ipv6_for_others(variables):
        found.append(
            f"pypi_bind_address is {variables['pypi_bind_address']}: Docker forwards IPv6 from an address of its own. All IPv6 "
            "clients share it in the log, and pypi_logins_per_minute limits them together. Clients that come by IPv4 or "
            "through a proxy have their own addresses"
        )
    if variables.get("pypi_tls") == "acme" and as_integer(variables.get("pypi_http_port")) != 80:
        found.append(
            f"pypi_http_port is {variables.get('pypi_http_port')}: ACME servers connect to port 80 of the name, so that port "
            "has to be forwarded to it"
        )
    return found
