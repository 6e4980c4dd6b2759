# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The password files as text: what is in them, what they are to become, and what NGINX reads about them.

Pure functions; the bytes come from and go to ``file_set``. Runs on the host: Python 3.8 and the standard library only.
No function here puts a hash into a message.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Collection, Iterable, Mapping, Sequence, Tuple

ALL_USERS = ".htpasswd"
# All who may change something.
PUBLISHERS = ".htpasswd-publish"
CREDENTIALS = "credentials.conf"
# Where earlier releases kept the rights of those who do not just publish; they are in CREDENTIALS now.
RIGHTS = "rights"
# By what pypi-server knows NGINX; made on the host, and never read by the controller.
SECRET = "peer/secret.conf"

NAME_LENGTH = 255
# What can be a login: printable ASCII without the separator; a line that starts with # would be a comment.
NAME = re.compile(r"(?!#)[!-9;-~]{1,%d}\Z" % NAME_LENGTH)

# The schemes that NGINX verifies on any system, by crypt() or itself, and that are worth having. Salts and digests are
# exact: crypt() writes a hash again and compares, and it never writes spare bits, leading zeros or other letters.
_LETTER = "[./A-Za-z0-9]"
SCHEMES = {
    "bcrypt": re.compile(
        r"\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$%s{21}[.Oeu]%s{30}[.CGKOSWaeimquy26]\Z" % (_LETTER, _LETTER)
    ),
    "sha256-crypt": re.compile(
        r"\$5\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?%s{0,16}\$%s{42}[./0-9A-D]\Z" % (_LETTER, _LETTER)
    ),
    "sha512-crypt": re.compile(
        r"\$6\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?%s{0,16}\$%s{85}[./01]\Z" % (_LETTER, _LETTER)
    ),
    "apr1": re.compile(r"\$apr1\$%s{0,8}\$%s{21}[./01]\Z" % (_LETTER, _LETTER)),
}
# What a core takes some seconds for; each first request of a login takes as long. SHA-crypt does a million in one.
BCRYPT_COST_LIMIT = 17
ROUNDS_LIMIT = 5000000
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$(?P<salt>%s{22})(?P<digest>%s{31})\Z" % (_LETTER, _LETTER))
_CRYPT = re.compile(
    r"\$(?P<scheme>5|6|apr1)\$(?:rounds=(?P<rounds>[^$]*)\$)?(?P<salt>[^$]*)\$(?P<digest>[^$]*)\Z", re.DOTALL
)
_LENGTHS = {"5": (16, 43), "6": (16, 86), "apr1": (8, 22)}
# Beginnings that may be named in a message. Anything else could be a password in plain text.
_KNOWN_BEGINNINGS = re.compile(
    r"(\{(?:SHA|SSHA|SHA256|SSHA256|SHA512|SSHA512|MD5|SMD5|CRYPT|PLAIN|PBKDF2(?:-SHA(?:1|256|512))?)\}"
    r"|\$(?:1|2|2a|2b|2x|2y|3|5|6|7|y|gy|md5|sha1|apr1|argon2(?:i|d|id)|scrypt|pbkdf2(?:-sha(?:1|256|512))?|bcrypt-sha256|P|H)\$)",
    re.IGNORECASE,
)


def scheme_of(password_hash: str) -> str | None:
    """Name of the scheme of a well-formed hash in one of the accepted schemes, else None."""
    for name, pattern in SCHEMES.items():
        if pattern.match(password_hash):
            return name
    return None


def describe(password_hash: str) -> str:
    """What a hash looks like, for messages; shows nothing of its salt or digest, or of a password put in its place."""
    if not password_hash:
        return "empty"
    match = _KNOWN_BEGINNINGS.match(password_hash)
    if match is None:
        return "plain text or an unknown scheme"
    accepted = re.match(r"\$(2[aby]|5|6|apr1)\$", password_hash) is not None
    if not accepted or scheme_of(password_hash) is not None:
        return match.group(1)
    return "%s, but not well-formed: %s" % (match.group(1), _fault(password_hash))


def _fault(password_hash: str) -> str:
    """What makes a hash of an accepted scheme one that no server verifies, without anything of salt or digest."""
    bcrypt, crypt = _BCRYPT.match(password_hash), _CRYPT.match(password_hash)
    if bcrypt is not None:
        if not 4 <= int(bcrypt.group("cost")) <= 31:
            return "its cost is not 04 to 31"
        part = "salt" if bcrypt.group("salt")[-1] not in ".Oeu" else "digest"
        return "the last letter of its %s has bits that do not belong to it" % part
    if crypt is not None:
        salt, digest = _LENGTHS[crypt.group("scheme")]
        rounds = crypt.group("rounds")
        if rounds is not None and (crypt.group("scheme") == "apr1" or not re.match(r"[1-9][0-9]{3,8}\Z", rounds)):
            return "rounds= is to be 1000 to 999999999, without zeros in front"
        if not re.match(r"%s{0,%d}\Z" % (_LETTER, salt), crypt.group("salt")):
            return "its salt has more than %d letters, or others than ./A-Za-z0-9" % salt
        if re.match(r"%s{%d}\Z" % (_LETTER, digest), crypt.group("digest")):
            return "the last letter of its digest has bits that do not belong to it"
    return "it is too short, too long, or has letters other than ./A-Za-z0-9"


def slowness(password_hash: str) -> str:
    """What makes each check of a well-formed hash take more than some seconds, in words; empty where nothing does."""
    cost = bcrypt_cost(password_hash)
    if cost is not None and cost > BCRYPT_COST_LIMIT:
        return "bcrypt of cost %d" % cost
    match = SCHEMES["sha256-crypt"].match(password_hash) or SCHEMES["sha512-crypt"].match(password_hash)
    rounds = int(match.group("rounds") or 0) if match else 0
    return "%d rounds" % rounds if rounds > ROUNDS_LIMIT else ""


def bcrypt_cost(password_hash: str) -> int | None:
    """Cost of a well-formed bcrypt hash, as the power of two of its rounds; None for anything else."""
    match = SCHEMES["bcrypt"].match(password_hash)
    return int(match.group("cost")) if match else None


# Some of "publish" and "delete", in this order; a reader has none.
Rights = Tuple[str, ...]
PUBLISHER: Rights = ("publish",)


@dataclass(frozen=True)
class Line:
    """One line of a password file. Comments, empty and malformed lines have neither ``name`` nor ``hash``."""

    text: str
    name: str | None = None
    hash: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class User:
    """What the caller wants of one login. ``hash`` is not used where ``present`` is false."""

    name: str
    hash: str = ""
    publish: bool = False
    present: bool = True
    delete: bool = False

    @property
    def rights(self) -> Rights:
        """What the login may, beside reading."""
        return tuple(right for right, has in (("publish", self.publish), ("delete", self.delete)) if has)


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


def as_bytes(lines: Iterable[Line]) -> bytes:
    """Content of a password file."""
    return "".join(line.text + "\n" for line in lines).encode("utf-8", "surrogateescape")


def hashes(lines: Iterable[Line]) -> dict[str, str]:
    """Login -> hash, as NGINX and passlib see them: the first line of a name counts."""
    found: dict[str, str] = {}
    for line in lines:
        if line.name is not None and line.hash is not None:
            found.setdefault(line.name, line.hash)
    return found


def merge(
    there: Iterable[Line],
    wanted: Sequence[User],
    everyone: Sequence[User],
    purge: bool,
    strict: bool,
) -> list[Line]:
    """Lines that a password file is to have.

    ``wanted``: the logins to be in it, in the order in which new ones are added. ``everyone``: all logins the caller
    speaks of; those of them that are not wanted go. Of the rest nothing is lost unless ``purge``. ``strict``: lines that
    are no credential go as well, because the reader of this file (passlib) fails on them.
    """
    missing = {user.name: user for user in wanted}
    spoken_of = {user.name for user in everyone}
    lines = []
    for line in there:
        if line.name is None:
            keep = not purge and not (strict and line.problem)
        elif line.name in spoken_of:
            keep = False
            user = missing.pop(line.name, None)
            if user is not None:
                lines.append(_line(user))
        else:
            keep = not purge
        if keep:
            lines.append(line)
    return lines + [_line(user) for user in wanted if user.name in missing]


def merge_both(
    all_there: Iterable[Line],
    publish_there: Iterable[Line],
    users: Sequence[User],
    purge: bool,
) -> tuple[list[Line], list[Line]]:
    """Lines that the file of all users and that of those who may change something are to have; see merge."""
    readers = [user for user in users if user.present]
    publishers = [user for user in readers if user.rights]
    return (
        merge(all_there, readers, users, purge, strict=False),
        merge(publish_there, publishers, users, purge, strict=True),
    )


def contents(
    all_lines: Sequence[Line], publish_lines: Sequence[Line], named: Mapping[str, Rights]
) -> dict[str, bytes | None]:
    """Content of each password file, and of what NGINX reads about them, by name.

    ``named``: rights of those in PUBLISHERS that do not just publish.
    """
    may = {name: named.get(name, PUBLISHER) for name in hashes(publish_lines)}
    return {
        ALL_USERS: as_bytes(all_lines),
        PUBLISHERS: as_bytes(publish_lines),
        CREDENTIALS: credentials(hashes(all_lines), may),
    }


def rights_before(
    content: bytes | None, publishers: Collection[str], earlier: bytes | None = None
) -> dict[str, Rights]:
    """Rights that logins have on the host until now, as far as they differ from publishing alone.

    ``content``: of CREDENTIALS; where it is missing or cut short, it grants nothing. ``publishers``: logins of
    PUBLISHERS. ``earlier``: content of RIGHTS, which earlier releases wrote; it counts until CREDENTIALS has rights.
    """
    if content is None or not content.endswith(b"}\n"):
        return dict.fromkeys(publishers, ())
    _before, has_map, entries_text = content.decode("utf-8", "surrogateescape").partition(_RIGHTS_MAP)
    named = {} if has_map else parse_rights(earlier)
    entries = entries_text.split("\n")
    found = {match.group(1): match.group(2) for match in map(_RIGHTS_ENTRY.match, entries) if match}
    for name in publishers:
        words = found.get(_map_key(name, exact=True))
        if words is not None:
            named[name] = _rights(words.split())
    return named


def parse_rights(content: bytes | None) -> dict[str, Rights]:
    """Login -> rights, as RIGHTS of earlier releases has them; what is no such line counts as no right at all."""
    found: dict[str, Rights] = {}
    for line in (content or b"").decode("utf-8", "surrogateescape").split("\n"):
        name, colon, rights = line.partition(":")
        if colon and not line.startswith("#"):
            found[name] = _rights(rights.replace(",", " ").split())
    return found


def _rights(words: Collection[str]) -> Rights:
    return tuple(right for right in ("publish", "delete") if right in words)


def new_secret() -> bytes:
    """Content of SECRET: 256 bits that nothing else knows, as a map of NGINX on one line."""
    return b'map "" $pypi_peer { default "%s"; }\n' % secrets.token_hex(32).encode()


def is_secret(content: bytes | None) -> bool:
    """Whether SECRET is as new_secret makes it."""
    return re.match(rb'map "" \$pypi_peer \{ default "[0-9a-f]{64}"; \}\n\Z', content or b"") is not None


def merge_rights(there: Mapping[str, Rights], users: Iterable[User]) -> dict[str, Rights]:
    """Rights of those who do not just publish: as wanted where the caller names a login, else as they were."""
    return {**there, **{user.name: user.rights for user in users}}


def _line(user: User) -> Line:
    return Line("%s:%s" % (user.name, user.hash), user.name, user.hash)


_RIGHTS_MAP = "map $remote_user $pypi_login_rights {\n"
_RIGHTS_ENTRY = re.compile(r'    (".+") "([a-z ]*)";\Z')


def credentials(users: Mapping[str, str], may: Mapping[str, Rights]) -> bytes:
    """Two maps of NGINX: from a login to a digest of its hash and rights, and to the rights themselves.

    The digest changes when, and only when, hash or rights do: a verdict that is cached under it ends with the credential
    it was given for. The rights go to pypi-server with an upload. A login that is not named has none, and names differ
    by case there.

    ``users``: login -> hash. ``may``: login -> rights, of those in PUBLISHERS.
    """
    folded: dict[bytes, int] = {}
    for name in users:
        folded[_fold(name)] = folded.get(_fold(name), 0) + 1
    lines = [
        "# Which credential a login stands for: made from %s and %s, never edited." % (ALL_USERS, PUBLISHERS),
        "# A cached verdict is keyed by it, so the verdict ends when the password or the rights change.",
        "map $remote_user $pypi_credential {",
        '    default "";',
    ]
    for name, password_hash in sorted(users.items()):
        key = _map_key(name, exact=folded[_fold(name)] > 1)
        rights = may.get(name, ())
        right = "reader" if not rights else "publisher" if rights == PUBLISHER else ",".join(rights)
        line = ("%s:%s:%s" % (name, password_hash, right)).encode("utf-8", "surrogateescape")
        lines.append('    %s "%s";' % (key, hashlib.sha256(line).hexdigest()[:32]))
    lines += ["}", "# What a login may change.", _RIGHTS_MAP.rstrip("\n"), '    default "";']
    lines += ['    %s "%s";' % (_map_key(name, exact=True), " ".join(rights)) for name, rights in sorted(may.items())]
    lines.append("}")
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


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


def what_changes(
    before: Mapping[str, tuple[str | None, Rights]], after: Mapping[str, tuple[str | None, Rights]]
) -> tuple[list[str], dict[str, str], list[str]]:
    """Logins added, updated (with what is new about them, in words) and removed; given login -> (hash, rights)."""
    updated = {}
    for name in sorted(before.keys() & after.keys()):
        changes = []
        if before[name][0] != after[name][0]:
            changes.append(_new_hash(before[name][0], after[name][0]))
        for right in ("publish", "delete"):
            if right in after[name][1] and right not in before[name][1]:
                changes.append("may %s now" % right)
            elif right in before[name][1] and right not in after[name][1]:
                changes.append("may not %s any more" % right)
        if changes:
            updated[name] = ", ".join(changes)
    return sorted(after.keys() - before.keys()), updated, sorted(before.keys() - after.keys())


def _new_hash(before: str | None, after: str | None) -> str:
    kinds = []
    for password_hash in (before or "", after or ""):
        cost = bcrypt_cost(password_hash)
        kinds.append("bcrypt of cost %d" % cost if cost else scheme_of(password_hash) or "another scheme")
    if kinds[0] == kinds[1]:
        return "password changed"
    return "hash changed from %s to %s" % tuple(kinds)


def shown(name: str) -> str:
    """A login for a message; one that was put in by hand may not even be text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def rights(
    users: Mapping[str, str], publishers: Mapping[str, str], named: Mapping[str, Rights]
) -> dict[str, tuple[str | None, Rights]]:
    """Login, as shown, -> (hash, rights) of everybody who is in either file."""
    return {
        shown(name): (users.get(name), named.get(name, PUBLISHER) if name in publishers else ())
        for name in users.keys() | publishers.keys()
    }


def called(rights: Rights) -> str:
    """What somebody with these rights is called."""
    return ("publisher" if "publish" in rights else "reader") + (" who may delete" if "delete" in rights else "")


def problems(files: Mapping[str, Sequence[Line]]) -> list[str]:
    """What is wrong in some files, by file and line number; never with the line, which may hold a secret."""
    return [
        "%s line %d %s" % (name, number, line.problem)
        for name, lines in sorted(files.items())
        for number, line in enumerate(lines, 1)
        if line.problem
    ]
