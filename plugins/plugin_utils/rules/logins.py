# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what: pypi_users, one entry after the other, and the variables about logins together."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import bcrypt_cost
from ansible_collections.wheelhouse.pypi.plugins.module_utils.htpasswd import NAME, NAME_LENGTH, PATTERN, RIGHTS_BYTES
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.passwords import credential, edges
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules.values import Problem
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.specs import (
    Complaints,
    instead,
    is_boolean,
    is_true,
    of_login,
    public,
    rights,
)

# What `htpasswd -B` makes without more words is 5: hundreds of guesses a second on one core.
_BCRYPT_LOW = 8
_PATTERN = re.compile(rf"{PATTERN}\Z")
_PATTERN_SHOWN = 80
_RIGHT_LIKE = re.compile(r"[a-z_]{1,20}\Z")
ACTIONS = tuple(public()["pypi_authenticate"]["choices"])
KEYS = tuple(of_login())
STATES = tuple(of_login()["state"]["choices"])
# fromisoformat takes 20270331 and 2027-W13-3 as well.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_OPEN = (
    "write [update] to open reading. pypi_anonymous_uploads: true opens uploads beside that, on purpose; removal always "
    "needs a login"
)


def actions(value: Any) -> Complaints:
    """pypi_authenticate: without a login, reading alone can be open. That each is one of the choices is left to its spec."""
    if not isinstance(value, (list, tuple)):
        yield f"{value!r} is not a list", f"give a list of {', '.join(ACTIONS)}; [update] opens reading"
    elif not value:
        yield "is empty, which would open uploads and removal", _OPEN
    elif all(action in ACTIONS for action in value):
        yield from (
            (f"{action!r} is listed more than once", "name it once") for action in ACTIONS if value.count(action) > 1
        )
        if "update" not in value:
            yield f"[{', '.join(value)}] lacks update, which would open uploads and removal", _OPEN


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
                f"user {shown(name)} is listed {count} times",
                "name each login once; a second credential is a login of its own, such as alice+ci",
            )


def shown(name: str) -> str:
    """A name for a message; what is behind a colon or after a space or newline may be a password."""
    safe = re.split(r"[:\s]", name, maxsplit=1)[0]
    return repr(safe if safe == name else safe + "...")[:NAME_LENGTH]


def _called(name: Any, number: int) -> str:
    return f"user {shown(name)}" if isinstance(name, str) and name else f"entry {number}"


def _user(user: Mapping[Any, Any]) -> Complaints:
    """Problems of one entry."""
    yield from unknown_keys(user, KEYS)
    yield from _user_name(user.get("name"))
    state = user.get("state") or "present"
    if state not in STATES:
        yield f"has the unknown state {state!r}", instead(state, STATES)
    yield from rights_of(user)
    yield from last_day(user.get("expires"), "login")
    if state != "absent":
        yield from credential(user.get("password"), user.get("hash"))


def unknown_keys(entry: Mapping[Any, Any], keys: Sequence[str]) -> Complaints:
    """Keys of an entry that do not count."""
    for key in entry:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, 1)
            # A key that is not like any could be a secret: "alice: secret".
            grants = set(rights()) <= set(keys)
            if grants and isinstance(entry[key], (list, tuple)) and not near and _RIGHT_LIKE.match(str(key)):
                yield f"has the unknown right {key!r}", f"the rights are {', '.join(rights())}"
            elif near:
                yield f"has the unknown key {key!r}", f"did you mean {near[0]}?"
            else:
                yield "has an unknown key", f"give {', '.join(keys)}"


def rights_of(entry: Mapping[Any, Any]) -> Complaints:
    """Problems of the rights of a login or token, alone and together."""
    for right in rights():
        yield from _right(right, entry.get(right))
    if len(" ".join(granted(entry))) > RIGHTS_BYTES:
        yield (
            f"has rights of more than {RIGHTS_BYTES} letters, which is too long for NGINX",
            "give patterns that match more projects, or several logins",
        )


def _user_name(name: Any) -> Complaints:
    mend = "give printable ASCII letters without spaces and colons"
    if name is None or name == "":
        yield "has no name", "give one"
    elif not isinstance(name, str):
        yield "has a name that is not text", "put it in quotes"
    elif ":" in name:
        yield "has a colon in the name", mend
    elif found := list(edges(name)):
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


def _right(right: str, value: Any) -> Complaints:
    """Problems of a right: all projects, none, or those that patterns match."""
    if value is None or is_boolean(value):
        return
    if not isinstance(value, (list, tuple)):
        yield (
            f"has a {right} that is neither true nor false nor a list of projects",
            f'give true, false, or names and patterns such as {right}: ["acme-*"]',
        )
        return
    yield from patterns(right, value)


def patterns(key: str, value: Sequence[Any]) -> Complaints:
    """Problems of the patterns of projects' names that an entry has by a key."""
    for pattern in value:
        if not isinstance(pattern, str):
            # A dictionary may be the next login with its password, one indent too deep.
            what = repr(pattern) if isinstance(pattern, (int, float)) else "something"
            yield (
                f"has {what} in {key} that is not text",
                f'give names and patterns in quotes, such as {key}: ["acme-*"]',
            )
        elif not _PATTERN.match(pattern):
            yield (
                f"has {pattern[:_PATTERN_SHOWN]!r} in {key}, which matches no project",
                f"give lower-case letters, digits and single -, with * for any letters{meant(pattern)}",
            )


def meant(pattern: str) -> str:
    """Return a question about what a pattern that matches no project may mean; empty where it could be anything."""
    # Who ends it with a separator means what begins like that.
    normal = re.sub(r"-\Z", "-*", re.sub(r"\A-", "*-", re.sub(r"[-_.]+", "-", pattern).lower()))
    return f"; did you mean {normal}?" if _PATTERN.match(normal) and re.search("[a-z0-9]", normal) else ""


def granted(user: Mapping[Any, Any]) -> list[str]:
    """Return the rights of an entry as the host gets them: publish for all projects, publish:acme-* for some."""
    words = []
    for right in rights():
        value = user.get(right)
        if isinstance(value, (list, tuple)):
            words += [f"{right}:{pattern}" for pattern in sorted({*map(str, value)})]
        elif is_true(value):
            words.append(right)
    return words


def last_day(expires: Any, what: str) -> Complaints:
    """Problems of the last day of a login or token; it may be missing."""
    if expires in (None, ""):
        return
    try:
        day = datetime.date.fromisoformat(str(expires) if _DAY.match(str(expires)) else "")
    except ValueError:
        yield (
            f"has an invalid expires: {str(expires)[:40]!r}",
            f"give the last day of the {what}, such as 2027-03-31",
        )
    else:
        # Python knows no day after 9999-12-31.
        if day.year == datetime.MAXYEAR:
            yield f"has an expires that is too late: {expires}", f"leave it out for a {what} that does not expire"


def entries(variables: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The entries of pypi_users or pypi_tokens, as far as they can be made out."""
    value = variables.get(name)
    return [entry for entry in (value if isinstance(value, (list, tuple)) else ()) if isinstance(entry, Mapping)]


def listed_users(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The users that are to exist some day or other."""
    return [user for user in entries(variables, "pypi_users") if user.get("state") != "absent"]


def present_users(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The users that are to exist today."""
    return [user for user in listed_users(variables) if not has_expired(user)]


def has_expired(entry: Mapping[str, Any], today: datetime.date | None = None) -> bool:
    """Whether the last day of a login or token is over; ``today`` is today's date in UTC."""
    try:
        last = datetime.date.fromisoformat(str(entry.get("expires") or "9999-12-31"))
    except ValueError:
        return False  # which its own rule says
    return last < (today or datetime.datetime.now(datetime.UTC).date())


def authentication_needs_users(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Without a login, all requests would be refused, and no message would say why."""
    if variables.get("pypi_login_source") in ("http", "ldap"):
        return
    closed = variables.get("pypi_authenticate")
    if not isinstance(closed, (list, tuple)):
        return  # which its own rule says
    needed = [str(action) for action in closed if not (action == "update" and anonymous_uploads(variables))]
    if needed and "pypi_users" in variables and not listed_users(variables) and not variables.get("pypi_tokens"):
        yield Problem(
            "pypi_users",
            f"is empty, but {', '.join(needed)} need{'s' * (len(needed) == 1)} a login (pypi_authenticate)",
            "give at least one user",
        )


def anonymous_uploads(variables: Mapping[str, Any]) -> bool:
    """Whether uploads are open on purpose."""
    return is_true(variables.get("pypi_anonymous_uploads"))


def auth_has_a_service(variables: Mapping[str, Any]) -> Iterator[Problem]:
    """A service verifies logins."""
    if variables.get("pypi_login_source") == "http" and not variables.get("pypi_login_source_url", "?"):
        yield Problem(
            "pypi_login_source_url", "is empty, while pypi_login_source is http", "give the address of your service"
        )


def warnings(variables: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed, yet may not be meant."""
    for user in listed_users(variables):
        if has_expired(user):
            login = shown(str(user.get("name")))
            yield f"pypi_users: the login of {login} expired after {user['expires']}; wheelhouse.pypi.users removes it"
    users = present_users(variables)
    if anonymous_uploads(variables):
        yield "pypi_anonymous_uploads is true: everyone who reaches the index may upload files; removing needs a login"
    elif (
        variables.get("pypi_authenticate")
        and variables.get("pypi_login_source", "file") == "file"
        and users
        and not any(granted({"publish": user.get("publish")}) for user in [*users, *entries(variables, "pypi_tokens")])
    ):
        yield "no login may upload: no user in pypi_users has publish: true"
    for user in users:
        cost = bcrypt_cost(str(user.get("hash") or ""))
        if cost is not None and cost < _BCRYPT_LOW:
            yield (
                f"pypi_users: the hash of {shown(str(user.get('name')))} is bcrypt of cost {cost}, which is guessed quickly; "
                "htpasswd -nB -C 10 makes a better one"
            )
