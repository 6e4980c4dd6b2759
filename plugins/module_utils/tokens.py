# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of tokens as text: what NGINX reads of each, and what is new about them.

Pure functions; the bytes come from and go to ``file_set``. Runs on the host: Python 3.8 and the standard library only. The
file has the SHA-256 of each token. 256 random bits cannot be guessed from that, so it needs neither salt nor bcrypt.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ansible_collections.wheelhouse.pypi.plugins.module_utils import htpasswd

TOKENS = "tokens.conf"
# In NGINX's files and in logs: nothing that has to be quoted there.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# What NGINX reads for a token that does not expire.
_NEVER = "never"
_HEAD = """\
# Tokens by their SHA-256: when each ends (seconds since 1970), its id, whether it reads, and its rights. Made from pypi_tokens.
"""
_ENTRY = re.compile(
    r'"(?P<sha256>[0-9a-f]{64})" "(?P<end>never|[0-9]+) (?P<id>[A-Za-z0-9][A-Za-z0-9._@+-]*) (?P<reads>read|-)'
    r'(?P<rights>(?: [a-z0-9:*-]+)*)";\Z'
)


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        id: its name in logs and messages.
        sha256: of the whole token, in lower-case hexadecimal digits.
        rights: what it may change, as those of a login.
        reads: whether it may list and download.
        end: the first second, since 1970, in which it is no longer valid; None for one that does not expire.
    """

    id: str
    sha256: str
    rights: htpasswd.Rights = ()
    reads: bool = True
    end: int | None = None


def token(entry: Mapping[str, Any]) -> Token:
    """Return a token out of a mapping of its attributes; raise ValueError, without its hash, if it would spoil the file."""
    name, end = str(entry["id"]), entry["end"]
    if not ID.match(name):
        raise ValueError("%r cannot be the id of a token" % name[:40])
    if not SHA256.match(str(entry["sha256"])):
        raise ValueError("token %r: the hash is not a SHA-256" % name)
    if not all(htpasswd.RIGHT.match(right) for right in entry["rights"]):
        raise ValueError(
            "token %r: a right is a word in lower case, perhaps with a pattern of projects behind a colon" % name
        )
    return Token(name, entry["sha256"], tuple(entry["rights"]), bool(entry["reads"]), None if end is None else int(end))


def as_bytes(tokens: Iterable[Token]) -> bytes:
    """Content of the file: entries of a map of NGINX."""
    lines = []
    for one in sorted(tokens, key=lambda one: one.id):
        words = [_NEVER if one.end is None else str(one.end), one.id, "read" if one.reads else "-", *one.rights]
        lines.append('"%s" "%s";\n' % (one.sha256, " ".join(words)))
    return (_HEAD + "".join(lines)).encode("ascii")


def parse(content: bytes | None) -> list[Token]:
    """Tokens of a file, whatever is in it; None is a file that is not there."""
    text = (content or b"").decode("utf-8", "replace")
    return [
        Token(
            entry["id"],
            entry["sha256"],
            tuple(entry["rights"].split()),
            entry["reads"] == "read",
            None if entry["end"] == _NEVER else int(entry["end"]),
        )
        for entry in map(_ENTRY.match, text.split("\n"))
        if entry
    ]


def what_changes(before: Iterable[Token], after: Iterable[Token]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the tokens that are added (id -> what it may), updated (id -> what is new) and removed."""
    had, has = {one.id: one for one in before}, {one.id: one for one in after}
    updated = {}
    for name in sorted(had.keys() & has.keys()):
        changes = ["replaced by another token"] if had[name].sha256 != has[name].sha256 else []
        changes += htpasswd.new_rights(_words(had[name]), _words(has[name]))
        if had[name].end != has[name].end:
            changes.append("%s, was: %s" % (until(has[name].end), until(had[name].end)))
        if changes:
            updated[name] = ", ".join(changes)
    added = {name: called(has[name]) for name in sorted(has.keys() - had.keys())}
    return added, updated, sorted(had.keys() - has.keys())


def as_lines(added: Mapping[str, str], updated: Mapping[str, str], removed: Iterable[str]) -> list[str]:
    """What changes, as lines of a difference."""
    lines = ["+ token %s (%s)" % item for item in added.items()]
    lines += ["~ token %s: %s" % item for item in updated.items()]
    return lines + ["- token %s" % name for name in removed]


def called(one: Token) -> str:
    """What a token may, and until when."""
    return "%s, %s" % (htpasswd.may(_words(one)), until(one.end))


def until(end: int | None) -> str:
    """The last day of a token, in words."""
    return "does not expire" if end is None else "until %s" % last_day(end)


def last_day(end: int) -> str:
    """The last valid day of a token, given the first second in which it is no longer valid."""
    last = datetime.datetime.fromtimestamp(end, datetime.timezone.utc) - datetime.timedelta(days=1)
    return last.date().isoformat()


def _words(one: Token) -> htpasswd.Rights:
    return (*(("read",) if one.reads else ()), *one.rights)
