# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The password file as text: what is in it, what it is to become, and what NGINX reads about its logins.

Pure functions; the bytes come from and go to ``file_set``. Runs on the host: Python 3.8 and the standard library only.
No function here puts a hash into a message.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence, Tuple

from ansible_collections.wheelhouse.pypi.plugins.module_utils.hash_schemes import bcrypt_cost, scheme_of

ALL_USERS = ".htpasswd"
CREDENTIALS = "credentials.conf"

NAME_LENGTH = 255
# What can be a login: printable ASCII without the separator; a line that starts with # would be a comment.
NAME = re.compile(r"(?!#)[!-9;-~]{1,%d}\Z" % NAME_LENGTH)
# Which projects, by their normalised names: * stands for any letters, and alone is special. Each pattern matches a legal name.
PATTERN = r"[a-z0-9*]+(?:-[a-z0-9*]+)*"
# A right is a word, perhaps with a pattern behind a colon. Which words there are is in the argument spec (pypi_users), and what
# each allows is pypi-server's matter. What an earlier pypi-server cannot read, such as a pattern, grants nothing there.
RIGHT = re.compile(r"[a-z]+(?::%s)?\Z" % PATTERN)
# NGINX takes up to 4,095 bytes for a value of a map.
RIGHTS_BYTES = 3500

# What a login may do beside reading, such as ("publish:acme-*", "delete").
Rights = Tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One line of a password file. Comments, empty and malformed lines have neither ``name`` nor ``hash``."""

    text: str
    name: str | None = None
    hash: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class User:
    """What the caller wants of one login. ``hash`` and ``rights`` are not used where ``present`` is false."""

    name: str
    hash: str = ""
    rights: Rights = ()
    present: bool = True


def parse(content: bytes | None) -> list[Line]:
    """Lines of a password file, whatever is in it. None is a file that is not there."""
    lines: list[Line] = []
    names = set()
    text = (content or b"").decode("utf-8", "surrogateescape")
    # Not splitlines(), which would also split at characters that NGINX takes as part of a line.
    for line in text[:-1].split("\n") if text.endswith("\n") else text.split("\n") if text else []:
        line = line.rstrip("\r")
        if not line.strip() or line.startswith("#"):
            lines.append(Line(line))
            continue
        name, colon, rest = line.partition(":")
        # What follows a second colon is a remark to NGINX and htpasswd alike.
        password_hash = rest.partition(":")[0]
        if not colon:
            lines.append(Line(line, problem="has no colon"))
        elif not name:
            lines.append(Line(line, problem="has no name"))
        elif not password_hash:
            lines.append(Line(line, problem="has no hash"))
        elif re.search(r"[\x00-\x1f\x7f]", name + password_hash):
            lines.append(Line(line, problem="has a control character"))
        else:
            problem = "names a login a second time, which NGINX ignores" if name in names else None
            lines.append(Line(line, name, password_hash, problem))
            names.add(name)
    return lines


def problems(file: str, lines: Sequence[Line]) -> list[str]:
    """What is wrong in a file, by line number; never with the line, which may hold a secret."""
    return ["%s line %d %s" % (file, number, line.problem) for number, line in enumerate(lines, 1) if line.problem]


def as_bytes(lines: Iterable[Line]) -> bytes:
    """Content of a password file."""
    return "".join(line.text + "\n" for line in lines).encode("utf-8", "surrogateescape")


def hashes(lines: Iterable[Line]) -> dict[str, str]:
    """Login -> hash, as NGINX sees them: the first line of a name counts."""
    found: dict[str, str] = {}
    for line in lines:
        if line.name is not None and line.hash is not None:
            found.setdefault(line.name, line.hash)
    return found


def merge(there: Iterable[Line], users: Sequence[User], purge: bool) -> list[Line]:
    """Lines that the password file is to have.

    New logins come last, in the order of ``users``. Of what ``users`` does not name, nothing is lost unless ``purge``.
    """
    named = {user.name for user in users}
    missing = {user.name: user for user in users if user.present}
    lines = []
    for line in there:
        if line.name in missing:
            lines.append(_line(missing.pop(str(line.name))))
        elif line.name not in named and not purge:
            lines.append(line)
    return lines + [_line(user) for user in missing.values()]


def _line(user: User) -> Line:
    return Line("%s:%s" % (user.name, user.hash), user.name, user.hash)


# -- what NGINX reads --------------------------------------------------------------------------------------------------

_RIGHTS_MAP = "map $remote_user $pypi_login_rights {\n"
_RIGHTS_ENTRY = re.compile(r'    (".+") "([a-z0-9:* -]*)";\Z')


def credentials(users: Mapping[str, str], rights: Mapping[str, Rights]) -> bytes:
    """Two maps of NGINX: from a login to a digest of its hash, and to its rights.

    A verdict that is cached under the digest ends with the password that it was given for. The rights go to pypi-server
    with an upload. A login that is not named has none, and names differ by case there.

    ``users``: login -> hash. ``rights``: of those that have any.
    """
    folded: dict[bytes, int] = {}
    for name in users:
        folded[_fold(name)] = folded.get(_fold(name), 0) + 1
    lines = [
        "# Which credential a login stands for: made from %s, never edited." % ALL_USERS,
        "# A cached verdict is keyed by it, so the verdict ends when the password changes.",
        "map $remote_user $pypi_credential {",
        '    default "";',
    ]
    for name, password_hash in sorted(users.items()):
        key = _map_key(name, exact=folded[_fold(name)] > 1)
        line = ("%s:%s" % (name, password_hash)).encode("utf-8", "surrogateescape")
        lines.append('    %s "%s";' % (key, hashlib.sha256(line).hexdigest()[:32]))
    lines += ["}", "# What a login may change.", _RIGHTS_MAP.rstrip("\n"), '    default "";']
    lines += [
        '    %s "%s";' % (_map_key(name, exact=True), " ".join(words))
        for name, words in sorted(rights.items())
        if words
    ]
    lines.append("}")
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def is_whole(content: bytes | None) -> bool:
    """Whether CREDENTIALS is there, and not cut short."""
    return content is not None and content.endswith(b"}\n")


def rights_before(content: bytes | None, logins: Iterable[str]) -> dict[str, Rights]:
    """Rights of logins as CREDENTIALS has them; where it is missing or cut short, it grants nothing."""
    if content is None or not is_whole(content):
        return {}
    entries = content.decode("utf-8", "surrogateescape").partition(_RIGHTS_MAP)[2].split("\n")
    found = {match.group(1): match.group(2) for match in map(_RIGHTS_ENTRY.match, entries) if match}
    rights = {name: found.get(_map_key(name, exact=True), "").split() for name in logins}
    return {name: tuple(filter(RIGHT.match, words)) for name, words in rights.items() if any(map(RIGHT.match, words))}


def _fold(name: str) -> bytes:
    """As NGINX folds the strings of a map: ASCII letters only."""
    return name.encode("utf-8", "surrogateescape").lower()


def _map_key(name: str, exact: bool) -> str:
    """Source value of a map entry, quoted for NGINX's parser.

    A map strips one leading backslash, and a name behind one is never taken for ``default``, ``include`` or a regex.
    Strings match whatever their case; names that differ in nothing else (``exact``) therefore become regexes.
    """
    key = "~^%s$" % re.sub(r"([^A-Za-z0-9\x80-\U0010ffff])", r"\\\1", name) if exact else "\\" + name
    return '"%s"' % key.replace("\\", "\\\\").replace('"', '\\"')


# -- what a run says ---------------------------------------------------------------------------------------------------


def shown(name: str) -> str:
    """A login for a message; one that was put in by hand may not even be text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def logins(users: Mapping[str, str], rights: Mapping[str, Rights]) -> dict[str, tuple[str, Rights]]:
    """Login, as shown, -> (hash, rights)."""
    return {shown(name): (password_hash, rights.get(name, ())) for name, password_hash in users.items()}


def what_changes(
    before: Mapping[str, tuple[str, Rights]], after: Mapping[str, tuple[str, Rights]]
) -> tuple[list[str], dict[str, str], list[str]]:
    """Logins added, updated (with what is new about them, in words) and removed; given login -> (hash, rights)."""
    updated = {}
    for name in sorted(before.keys() & after.keys()):
        had, has = before[name][1], after[name][1]
        changes = [] if before[name][0] == after[name][0] else [_new_hash(before[name][0], after[name][0])]
        changes += new_rights(had, has)
        if changes:
            updated[name] = ", ".join(changes)
    return sorted(after.keys() - before.keys()), updated, sorted(before.keys() - after.keys())


def _by_right(rights: Rights) -> dict[str, str]:
    """Right -> the projects that it is on, in words; empty for all."""
    patterns: dict[str, list[str]] = {}
    for right in rights:
        word, _colon, pattern = right.partition(":")
        patterns.setdefault(word, []).append(pattern)
    return {word: "" if "" in those else " and ".join(those) for word, those in patterns.items()}


_ALL = "all projects"


def new_rights(before: Rights, after: Rights) -> list[str]:
    """What is new about rights, in words."""
    had, has = _by_right(before), _by_right(after)
    changes = ["may %s now" % _may(right, has[right]) for right in has if right not in had]
    changes += [
        "may %s now, was %s" % (_may(right, has[right] or _ALL), had[right] or _ALL)
        for right in has
        if right in had and has[right] != had[right]
    ]
    return changes + ["may not %s any more" % right for right in had if right not in has]


def may(rights: Rights) -> str:
    """What some rights allow, in words."""
    return "may " + (", ".join(_may(*item) for item in _by_right(rights).items()) or "nothing")


def _may(right: str, projects: str) -> str:
    return "%s %s" % (right, projects) if projects else right


def _new_hash(before: str, after: str) -> str:
    kinds = []
    for password_hash in (before, after):
        cost = bcrypt_cost(password_hash)
        kinds.append("bcrypt of cost %d" % cost if cost else scheme_of(password_hash) or "another scheme")
    if kinds[0] == kinds[1]:
        return "password changed"
    return "hash changed from %s to %s" % tuple(kinds)


def called(rights: Rights) -> str:
    """What a login with these rights is called."""
    projects = _by_right(rights)
    others = [_may(*item) for item in projects.items() if item[0] != "publish"]
    publisher = "publisher" + (" of %s" % projects["publish"] if projects.get("publish") else "")
    return (publisher if "publish" in projects else "reader") + (" who may " + " and ".join(others) if others else "")
