# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public projects behind the private ones: pypi_upstreams and what goes with it. No message shows a login."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import upstreams as model
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import logins
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.network import PORT, is_dns_name
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.passwords import edges
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import Complaints, instead, public

KEYS: Mapping[str, Mapping[str, Any]] = public()["pypi_upstreams"]["options"]
UNKNOWN_AGE = tuple(KEYS["no_upload_time"]["choices"])
_EXAMPLE = "https://public.example.org/simple/"
_HOST = "a host such as files.example.org or files.example.org:8443"
_NAMES = 'names and patterns in quotes, such as ["acme-*"]'
# What a path may have in it, so that it means the same to NGINX, to pypiserver and in the addresses of pages.
_PATH = re.compile(r"(?:/(?!\.{1,2}/)(?:[A-Za-z0-9._~+!-]|%[2-7][0-9A-Fa-f])+)*/\Z")
# The folder of an index that has the pages of projects in it (devpi has the second).
_SIMPLE = ("simple", "+simple")
_LOOPBACK = re.compile(r"localhost\Z|127(?:\.[0-9]+){3}\Z", re.IGNORECASE)
_LOGIN_TEXT = re.compile(r"[ -~]+\Z")
_SIZE = re.compile(r"([1-9][0-9]*)([kmg]?)\Z")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
# What the largest wheels need, and a little more than the cache's own bookkeeping.
_SMALLEST_CACHE = "1g"
_SHOWN = 100


def upstreams(value: Any) -> Complaints:
    """pypi_upstreams: each entry for itself, and what two of them share."""
    if not isinstance(value, (list, tuple)):
        yield "is not a list", f"give a list of URLs, such as [{_EXAMPLE}]"
        return
    for number, given in enumerate(value, 1):
        if not isinstance(given, (str, Mapping)):
            yield f"entry {number} is neither a URL nor a mapping", f"give a URL such as {_EXAMPLE}, or url and names"
            continue
        entry = model.entry(given)
        if found := list(_url(entry.get("url"))):
            yield from ((f"entry {number} {what}", mend) for what, mend in found)
        yield from ((f"{_called(entry, number)} {what}", mend) for what, mend in _besides_url(entry))
    yield from _together([model.entry(given) for given in value if isinstance(given, (str, Mapping))])


def private_names(value: Any) -> Complaints:
    """pypi_private_names; not given is said where it is known whether there are upstreams."""
    if value is not None:
        yield from _patterns(
            value, "then no upstream answers for any: name your own projects, or remove pypi_upstreams"
        )


def shadowed_names(value: Any) -> Complaints:
    """pypi_shadowed_names: names, as each is a decision of its own."""
    yield from _patterns(value, "name the projects")
    for name in value if isinstance(value, (list, tuple)) else ():
        if isinstance(name, str) and "*" in name and not model.matches_everything(name):
            yield f"has the pattern {name!r}", "name each project; pypi_private_names takes patterns"


def allowed(value: Any) -> Complaints:
    """pypi_upstream_allowed."""
    yield from _patterns(value, "leave the list empty, which allows all")


def denied(value: Any) -> Complaints:
    """pypi_upstream_denied: names, patterns, and names with versions."""
    yield from _requirements(value, 'give names such as evil, "acme-*" or urllib3<2')
    for text in value if isinstance(value, (list, tuple)) else ():
        if isinstance(text, str) and model.matches_everything(text):
            yield f"has {text!r}, which denies every project", "name the projects, or remove pypi_upstreams"


def exempt(value: Any) -> Complaints:
    """pypi_upstream_exempt: names, and names with versions."""
    yield from _requirements(value, "give names such as urgent or urgent==1.2.3")
    for text in value if isinstance(value, (list, tuple)) else ():
        if isinstance(text, str) and "*" in re.split("[<>=!~]", text, maxsplit=1)[0]:
            yield f"has the pattern {text!r}", "name each project, such as urgent or urgent==1.2.3"


def cache_size(value: Any) -> Complaints:
    """pypi_upstream_cache_size."""
    match = _SIZE.match(str(value))
    if not match:
        yield f"{value!r} is not a size", "give a number with m or g behind it, such as 20g"
    elif int(match[1]) * _UNITS[match[2]] < _UNITS["g"]:
        yield f"{value!r} is too small for large wheels", f"give at least {_SMALLEST_CACHE}"


def proxy(value: Any) -> Complaints:
    """pypi_upstream_proxy; may be empty. Never shown with a login in it."""
    text = "" if value is None else str(value)
    if not text:
        return
    shown = "has a login in it and" if "@" in text else repr(text)
    mend = "give scheme, host and port, such as http://proxy.example.com:3128"
    parts = _split(text)
    if parts is None or not parts.hostname:
        yield f"{shown} is not a URL", mend
    elif parts.scheme != "http":
        yield f"{shown} is not an http URL", f"{mend}; connections to upstreams are TLS through it"
    elif parts.port is None:
        yield f"{shown} names no port", mend
    elif _LOOPBACK.match(parts.hostname):
        yield f"{shown} names the container itself", "give an address of the host that containers reach"
    elif not _is_host(f"{parts.hostname}:{parts.port}") or text.rstrip("/") != f"http://{parts.netloc}":
        yield f"{shown} is not a proxy's URL", mend
    elif "@" in parts.netloc and not re.match(r"[!-~]+\Z", parts.netloc):
        yield f"{shown} has a letter in the login that is not printable ASCII", "percent-encode it"


def _url(value: Any) -> Complaints:
    """The address below which an upstream has the pages of its projects."""
    mend = f"give the address of its simple pages, such as {_EXAMPLE}"
    if value is None or value == "":
        yield "has no url", mend
    elif not isinstance(value, str):
        yield "has a url that is not text", mend
    elif "@" in value:
        # Not shown: it is a login.
        yield "has a login in its url", "give it as username and password"
    elif (parts := _split(value)) is None or not parts.hostname:
        yield f"has {value!r}, which is not an https URL", mend
    else:
        yield from ((f"has {value!r}, which {what}", then) for what, then in _parts_of_url(value, parts, mend))


def _parts_of_url(text: str, parts: SplitResult, mend: str) -> Complaints:
    folders = parts.path.rstrip("/").split("/")
    base = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme == "http":
        yield "is plain HTTP: upstreams are asked by TLS alone", f"give https://{parts.netloc}{parts.path}"
    elif parts.scheme != "https":
        yield "is not an https URL", mend
    elif parts.netloc != parts.netloc.lower():
        yield "has upper-case letters in its host", f"give {base.lower()}{parts.path}"
    elif found := list(_host(parts.netloc)):
        yield from found
    elif text != f"{base}{parts.path}":
        yield "has more than scheme, host and path", f"give {base}{parts.path}"
    elif not parts.path:
        yield "has no path", f"give {base}/simple/, or {base}/ if the pages are there"
    elif folders[-2:-1] and folders[-2] in _SIMPLE:
        yield "is the page of a project", f"give {base}{'/'.join(folders[:-1])}/; names limits it to projects"
    elif folders[-1] == "legacy":
        yield "is an address for uploads", mend
    elif not parts.path.endswith("/"):
        yield "has no slash at its end", f"give {text}/"
    elif not _PATH.match(parts.path):
        yield (
            "has a path that is not supported",
            "give letters, digits, single slashes and ._~+!-, without . and .. as folders",
        )


def _host(text: str) -> Complaints:
    """A host, perhaps with a port, that containers reach by TLS."""
    if text != text.lower():
        yield "has upper-case letters", f"give {text.lower()}"
    elif not _is_host(text):
        yield "has no valid host name", f"give {_HOST}"
    elif _LOOPBACK.match(text.partition(":")[0]):
        yield "is the container of NGINX itself", "give a name by which containers reach it"


def _is_host(text: str) -> bool:
    name, colon, port = text.partition(":")
    return is_dns_name(name) and (not colon or (port.isdecimal() and port.isascii() and int(port) in PORT))


def _split(text: str) -> SplitResult | None:
    """Take a URL apart; None where it is none."""
    try:
        parts = urlsplit(text)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _called(entry: Mapping[Any, Any], number: int) -> str:
    return f"entry {number}" if list(_url(entry.get("url"))) else f"upstream {entry['url']}"


def _besides_url(entry: Mapping[Any, Any]) -> Complaints:
    """Problems of one entry, its URL aside."""
    yield from logins.unknown_keys(entry, tuple(KEYS))
    if entry.get("names") is not None:
        yield from _names(entry["names"])
    yield from _login(entry.get("username"), entry.get("password"))
    yield from _file_hosts(entry.get("file_hosts"))
    unknown_age = entry.get("no_upload_time")
    if unknown_age is not None and unknown_age not in UNKNOWN_AGE:
        yield f"has the unknown no_upload_time {unknown_age!r}", instead(unknown_age, UNKNOWN_AGE)


def _names(value: Any) -> Complaints:
    everything = "leave names out: an upstream without names answers for all that the others do not"
    if isinstance(value, (list, tuple)) and not value:
        yield "has empty names, so that it would answer for no project", f"give {_NAMES}, or {everything}"
        return
    yield from ((f"has names that {_clause(what)}", mend) for what, mend in _patterns(value, everything))


def _clause(what: str) -> str:
    """Return what is wrong with a list as a clause about what is in it."""
    return what.replace("has ", "have ", 1) if what.startswith("has ") else what.replace("is ", "are ", 1)


def _login(username: Any, password: Any) -> Complaints:
    has = {"username": username not in (None, ""), "password": password not in (None, "")}
    if has["username"] != has["password"]:
        there, missing = ("username", "password") if has["username"] else ("password", "username")
        yield f"has a {there} without a {missing}", f"give {missing} as well, or neither"
        return
    for key, value in (("username", username), ("password", password)):
        if not has[key]:
            continue
        if not isinstance(value, str):
            yield f"has a {key} that is not text", "put it in quotes"
        elif found := list(edges(value)):
            yield from ((f"has a {key} that {what}", mend) for what, mend in found)
        elif not _LOGIN_TEXT.match(value):
            yield f"has a {key} that is not printable ASCII", "give one without other letters"
        elif key == "username" and ":" in value:
            yield "has a colon in the username", "give username and password apart"


def _file_hosts(value: Any) -> Complaints:
    if value is None:
        return
    if not isinstance(value, (list, tuple)):
        yield "has file_hosts that are not a list", f"give a list of hosts, such as [{_HOST.split()[-1]}]"
        return
    for given in value:
        if not isinstance(given, str):
            yield "has a host in file_hosts that is not text", f"give {_HOST}"
        elif "@" in given:
            yield "has a login in file_hosts", f"give {_HOST}; a login goes to the upstream's own host alone"
        elif "/" in given:
            parts = _split(given if "//" in given else f"//{given}")
            netloc = parts.netloc if parts and _is_host(parts.netloc) else ""
            yield f"has {given[:_SHOWN]!r} in file_hosts, which is a URL", f"give {netloc or _HOST}"
        elif "*" in given:
            yield f"has the pattern {given[:_SHOWN]!r} in file_hosts", "name each host"
        else:
            for what, mend in _host(given):
                yield f"has {given[:_SHOWN]!r} in file_hosts, which {what}", mend


def _patterns(value: Any, everything: str) -> Complaints:
    """A list of names and patterns of projects, in any spelling; ``everything`` is what to do instead of ``*``."""
    if not isinstance(value, (list, tuple)):
        yield "is not a list", f"give a list of {_NAMES}"
        return
    for pattern in value:
        if not isinstance(pattern, str):
            shown = repr(pattern) if isinstance(pattern, (int, float)) else "something"
            yield f"has {shown} that is not text", f"give {_NAMES}"
        elif model.matches_everything(pattern):
            yield f"has {pattern!r}, which matches every project", everything
        elif not model.is_pattern(pattern):
            yield (
                f"has {pattern[:_SHOWN]!r}, which matches no project",
                f"give letters, digits and single -, with * for any letters{logins.meant(pattern)}",
            )


def _requirements(value: Any, mend: str) -> Complaints:
    """A list of names of projects, some with version specifiers."""
    if not isinstance(value, (list, tuple)):
        yield "is not a list", mend
        return
    for text in value:
        if not isinstance(text, str):
            yield "has something that is not text", mend
            continue
        try:
            model.requirement(text)
        except ValueError:
            yield f"has {_without_login(text)!r}, which {_what_else(text)}", mend


def _without_login(text: str) -> str:
    return re.sub(r"@.*", "@...", text, flags=re.DOTALL)[:_SHOWN]


def _what_else(text: str) -> str:
    """Say what an entry is that is no requirement that counts."""
    name = r"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*"
    for pattern, what in (
        (rf"{name}\[", "has extras: files do not depend on them"),
        (r".*;", "has a marker, which is about a client"),
        (r".*@|.*://", "has a URL in it"),
        (rf"{name}[<>=!~]", "has an invalid version specifier"),
        (r"\s*[A-Za-z0-9._*-]+\s+v?[0-9]", "lacks an operator such as == before the version"),
    ):
        if re.match(pattern, text, re.DOTALL):
            return what
    return "is neither a name nor a name with version specifiers"


def _together(entries: Iterable[Mapping[Any, Any]]) -> Complaints:
    """What several upstreams share: each project belongs to one of them."""
    entries = [entry for entry in entries if not list(_url(entry.get("url")))]
    for url, count in Counter(str(entry["url"]) for entry in entries).items():
        if count > 1:
            yield f"{url} is listed {count} times", "give all its names in one entry"
    if len(everything := [str(entry["url"]) for entry in entries if entry.get("names") is None]) > 1:
        yield (
            f"{' and '.join(everything)} have no names, so that each would answer for all projects",
            "give names to all but one",
        )
    yield from _logins_of_hosts(entries)
    taken: list[tuple[str, str]] = []
    for entry in entries:
        own = list(dict.fromkeys(_readable(entry.get("names"))))
        for name in own:
            for other, url in taken:
                if model.covers(other, name):
                    same = f"{name!r} is" if other == name else f"{name!r} is part of {other!r}, which is"
                    yield (
                        f"upstream {entry['url']} is never asked for {name!r}: {same} among the names of {url} before it",
                        "give each name to one upstream; list the one with narrower patterns first",
                    )
        taken += [(name, str(entry["url"])) for name in own]


def _logins_of_hosts(entries: Iterable[Mapping[Any, Any]]) -> Complaints:
    """A login goes to a host, so all upstreams on it have the same, or none has one."""
    logins: dict[str, set[tuple[str, str]]] = {}
    for entry in entries:
        own = (str(entry.get("username") or ""), str(entry.get("password") or ""))
        logins.setdefault(model.host(urlsplit(str(entry["url"])).netloc), set()).add(own)
    for host, known in logins.items():
        if len(known) > 1:
            yield (
                f"the upstreams on {host} have different logins, and NGINX sends one login to a host",
                "give all of them the same username and password",
            )


def _readable(value: Any) -> list[str]:
    """Return the names and patterns of a list, normalised, as far as they are some."""
    given = value if isinstance(value, (list, tuple)) else ()
    return [model.normalised(name) for name in given if isinstance(name, str) and model.is_pattern(name)]


def _entries(variables: Mapping[str, Any]) -> list[Mapping[Any, Any]]:
    given = variables.get("pypi_upstreams")
    return [
        model.entry(entry)
        for entry in (given if isinstance(given, (list, tuple)) else ())
        if isinstance(entry, (str, Mapping))
    ]


def private_names_are_given(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Which names never come from upstream is decided, not forgotten."""
    if _entries(variables) and variables.get("pypi_private_names", "?") is None:
        yield Problem(
            "pypi_private_names",
            "is not set, while pypi_upstreams is",
            'name the projects that never come from upstream, such as ["acme-*", internal-tools]; [] reserves none beside those '
            "on the index",
        )


def names_are_not_private(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """An upstream is not asked for what is private."""
    private = _readable(variables.get("pypi_private_names"))
    for entry in _entries(variables):
        for name in _readable(entry.get("names")):
            for pattern in private:
                if not list(_url(entry.get("url"))) and model.covers(pattern, name):
                    yield Problem(
                        "pypi_upstreams",
                        f"upstream {entry['url']} is never asked for {name!r}: {pattern!r} of pypi_private_names reserves it",
                        "remove one of the two",
                    )


def upstreams_are_others(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """An index that asks itself has no end."""
    own = _split(str(variables.get("pypi_url") or ""))
    for entry in _entries(variables):
        if not own or not own.netloc or list(_url(entry.get("url"))):
            continue
        if model.host(urlsplit(entry["url"]).netloc) == model.host(own.netloc.lower()):
            yield Problem(
                "pypi_upstreams",
                f"upstream {entry['url']} is this index itself (pypi_url)",
                "give another index; private projects need no upstream",
            )


def warnings(variables: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed, yet may not be meant."""
    if "pypi_upstreams" not in variables or variables["pypi_upstreams"]:
        return
    idle = [name for name in _WITH_UPSTREAMS if variables.get(name) not in (None, [], public()[name]["default"])]
    if idle:
        yield f"pypi_upstreams is empty, so {', '.join(idle)} {'have' if len(idle) > 1 else 'has'} no effect"


_WITH_UPSTREAMS = (
    "pypi_private_names",
    "pypi_shadowed_names",
    *(name for name in public() if name.startswith("pypi_upstream_")),
)
CROSS_RULES: tuple[Callable[[Mapping[str, Any]], Iterator[Problem]], ...] = (
    private_names_are_given,
    names_are_not_private,
    upstreams_are_others,
)
