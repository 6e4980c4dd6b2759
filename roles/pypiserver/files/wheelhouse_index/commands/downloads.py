"""``python3 -m wheelhouse_index downloads``: who downloaded what, and when, from the access log."""

from __future__ import annotations

import gzip
import hmac
import io
import json
import os
import re
import secrets
import sys
import zlib
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote

from ..common import places, times
from ..files import names
from .options import Options, end_of_pipe, moment, printable, project

# Of a file the whole, or a part.
_STATUSES = (200, 206)
# Where reading is open, a login may be sent along with any password.
_VERIFIED = ("200", "204")
_ROTATED = re.compile(r"access-.*\.log(?:\.gz)?")
_ROUTE = re.compile(rb'"route":"(?:file|public)"')
# The log is searched by the block: by the line would take several times as long.
_BLOCK_BYTES = 1024 * 1024
# A login of these letters alone is in the log as it is.
_PLAIN = re.compile(r"[A-Za-z0-9._+@-]+", re.ASCII)

# An opened file of the log.
BinaryLog = gzip.GzipFile | io.BufferedReader


@dataclass
class Download:
    """A file that was sent, or a part of it.

    Attributes:
        time: when the answer ended, as the log has it: ISO 8601.
        login: whose login, or the id of a token, was verified; empty where none was, as where reading is open.
        client: the client's address.
        project: its normalised name.
        version: as the file's name has it.
        file: the file's name.
        agent: what the client calls itself.
    """

    time: str
    login: str
    client: str
    project: str
    version: str
    file: str
    agent: str


@dataclass(frozen=True)
class Wanted:
    """Which downloads are wanted: those that have all of this. What is None is not asked for; times are in ns."""

    project: str | None = None
    version: str | None = None
    file: str | None = None
    login: str | None = None
    client: IPv4Network | IPv6Network | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, one: Download) -> bool:
        """Tell whether it is one of them."""
        return (
            (self.project is None or one.project == self.project)
            and (self.version is None or names.same_version(one.version, self.version))
            and (self.file is None or one.file == self.file)
            and (self.login is None or one.login == self.login)
            and (self.client is None or ip_address(one.client) in self.client)
            and (self.since is None or times.moment(one.time) >= self.since)
            and (self.until is None or times.moment(one.time) < self.until)
        )

    def signs(self) -> tuple[list[bytes], bool, re.Pattern[bytes]]:
        """Return what tells of a line, without parsing it, whether it may be one of them: most are none.

        Returns:
            Words of which such a line has at least one; whether these are in lower case, and it may have them in any; a pattern
            that it has.
        """
        if self.login and _PLAIN.fullmatch(self.login):
            user = f'"user":"{self.login}"'.encode()
            return [user], False, re.compile(re.escape(user))
        if self.project or self.file:
            name = re.escape(self.file) if self.file else _in_any_spelling(self.project or "") + "-"
            word = self.file.lower() if self.file else (self.project or "").rpartition("-")[2] + "-"
            own = f"public/{self.project}/" if self.project else ""
            # Clients may have encoded any letter.
            pattern = rf'"uri":"/(?:(?:[^"/]*/)+{name}{own and "|" + own}|[^"]*%)'
            words = [one.encode("utf-8", "surrogateescape") for one in (word, own, "%") if one]
            return words, word != word.upper(), re.compile(pattern.encode("utf-8", "surrogateescape"))
        return [b'"route":"file"', b'"route":"public"'], False, _ROUTE


def _in_any_spelling(project: str) -> str:
    """Return a pattern of a normalised name, as the names of files have it."""
    letters = {"-": "[-_.]+"}
    return "".join(letters.get(one, f"[{one}{one.upper()}]" if one.isalpha() else one) for one in project)


def downloads(folder: Path, wanted: Wanted, damaged: list[str]) -> Iterator[Download]:
    """Yield the downloads that the access logs of a folder have, those of the oldest log first.

    Args:
        folder: it.
        wanted: which.
        damaged: gets the files that cannot be read, or have lines that are none.

    Raises:
        OSError: if there is no such folder.
    """
    words, any_case, pattern = wanted.signs()
    for name, opened in _logs(folder, damaged):
        broken = 0
        try:
            with opened as log:
                for line in filter(pattern.search, _with(words, any_case, log)):
                    try:
                        found = of_line(line)
                        if found and wanted.takes(found):
                            yield found
                    except (ValueError, KeyError, TypeError):
                        broken += 1
        except (OSError, EOFError, zlib.error) as error:
            damaged.append(f"{name} ({error})")
        if broken:
            damaged.append(f"{broken} lines of {name}")


def _with(words: Sequence[bytes], any_case: bool, log: BinaryLog) -> Iterator[bytes]:
    """Yield the lines of a log that have any of these words; where wanted, words in lower case match any."""
    rest = b""
    while block := log.read1(_BLOCK_BYTES):
        begin, end = block.find(b"\n") + 1, block.rfind(b"\n") + 1
        if end:
            yield from _lines(words, any_case, rest + block[:begin], 0)
            yield from _lines(words, any_case, block[:end], begin)
            rest = b""
        rest += block[end:]
    yield from _lines(words, any_case, rest, 0)


def _lines(words: Sequence[bytes], any_case: bool, block: bytes, begin: int) -> Iterator[bytes]:
    """Yield whole lines of a block, from one that begins there on."""
    # That costs as much as all else.
    text = block.lower() if any_case else block
    # Where the next of each is: one that there is no more is not looked for again.
    nexts = [text.find(word, begin) for word in words]
    while (first := min((place for place in nexts if place >= 0), default=-1)) >= 0:
        end = block.find(b"\n", first) + 1 or len(block)
        yield block[block.rfind(b"\n", 0, first) + 1 : end]
        nexts = [text.find(word, end) if 0 <= place < end else place for word, place in zip(words, nexts)]


def _logs(folder: Path, damaged: list[str]) -> Iterator[tuple[str, BinaryLog]]:
    """Yield the files that the log was rotated to, whose names have the time, and the one that is written to.

    That one is opened first: meanwhile it may be rotated, and then it is one of the others as well.
    """
    with ExitStack() as stack:
        newest = folder / "access.log"
        live = stack.enter_context(open(newest, "rb")) if newest.exists() else None
        for file in sorted(one for one in folder.iterdir() if _ROTATED.fullmatch(one.name)):
            if file.suffix == ".gz" and file.with_suffix("").exists():
                # Still being compressed.
                continue
            try:
                opened = _opened(file)
            except OSError as error:
                damaged.append(f"{file.name} ({error})")
                continue
            if live and os.path.sameopenfile(opened.fileno(), live.fileno()):
                opened.close()
            else:
                yield file.name, opened
        if live:
            yield newest.name, live


def _opened(file: Path) -> BinaryLog:
    """Open a rotated file, which may be compressed meanwhile."""
    try:
        return gzip.open(file) if file.suffix == ".gz" else open(file, "rb")
    except FileNotFoundError:
        if file.suffix == ".gz":
            raise
        return _opened(file.with_name(f"{file.name}.gz"))


def of_line(line: bytes) -> Download | None:
    """Return the download that a line of the log tells of; None if it tells of something else.

    Raises:
        ValueError, KeyError, TypeError: if it is no line of this log.
    """
    # Clients may call themselves by bytes that are no text.
    said = json.loads(line.decode("utf-8", "replace"))
    if said["status"] not in _STATUSES or said["method"] != "GET" or said["route"] not in ("file", "public"):
        return None
    path = unquote(said["uri"].partition("?")[0])
    name = path.rpartition("/")[2]
    release = names.of_file(name)
    if release is None:
        # Metadata, provenance, a signature.
        return None
    own = path.split("/")[2] if said["route"] == "public" else release.project
    login = said["user"] if said["verdict"] in _VERIFIED else ""
    return Download(said["time"], login, said["client"], own, release.version, name, said["agent"])


class _Pseudonyms:
    """The same word for the same login or address within one listing, which leads to neither."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def of(self, one: Download) -> Download:
        """Return a download with words in place of its login and its address."""
        return replace(one, login=self._word(one.login), client=self._word(one.client))

    def _word(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(), "sha256").hex()[:12] if text else ""


def wanted(words: Sequence[str]) -> tuple[Wanted, bool, bool]:
    """Return which downloads options want, whether under pseudonyms, and whether as JSON.

    Raises:
        SystemExit: if they cannot be as they are; one line says why.
    """
    options = Options(
        prog="downloads",
        allow_abbrev=False,
        description="List who downloaded which file, a line each: time, login, address, project, version, file, client.",
    )
    options.add_argument("--project", metavar="NAME", type=project, help="of this project")
    options.add_argument("--version", metavar="VERSION", help="of this version")
    options.add_argument("--file", metavar="NAME", help="of this file")
    options.add_argument("--login", metavar="NAME", help="by this login or token; '' for those without one")
    options.add_argument("--client", metavar="ADDRESS", type=_network, help="from this address or network")
    options.add_argument("--since", metavar="TIME", type=moment, help="a day (UTC), or a time: 2026-11-20")
    options.add_argument("--until", metavar="TIME", type=moment, help="before this day or time")
    options.add_argument("--pseudonyms", action="store_true", help="with words in place of logins and addresses")
    options.add_argument("--json", action="store_true", help="as lines of JSON")
    found = vars(options.parse_args(words))
    pseudonyms, as_json = found.pop("pseudonyms"), found.pop("json")
    return Wanted(**found), pseudonyms, as_json


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ArgumentTypeError(f"{text[:80]!r} is not an address or a network") from None


def line(one: Download) -> str:
    """Return a download as a line."""
    return printable(" ".join(word or "-" for word in vars(one).values()))


def main(words: Sequence[str]) -> int:
    """List what the options ask for; return the exit code."""
    asked, pseudonyms, as_json = wanted(words)
    damaged: list[str] = []
    count = 0
    hidden = _Pseudonyms()
    try:
        for one in downloads(places.logs(), asked, damaged):
            count += 1
            shown = hidden.of(one) if pseudonyms else one
            print(json.dumps(vars(shown)) if as_json else line(shown))
        sys.stdout.flush()
    except BrokenPipeError:
        end_of_pipe()
    except OSError as error:
        print(f"downloads: {error}", file=sys.stderr)
        return 1
    if not count:
        print("downloads: nothing matches", file=sys.stderr)
    if damaged:
        print(f"downloads: cannot be read, and left out: {', '.join(damaged)}", file=sys.stderr)
        return 1
    return 0
