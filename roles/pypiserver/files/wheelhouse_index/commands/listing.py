"""``python3 -m wheelhouse_index list``: what was published, removed and yanked, by whom, since when."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..common import times
from ..common.answers import some
from ..fact_store.facts import FactStore
from ..fact_store.history import Event, Wanted, events
from ..fact_store.records import FactsError
from ..files import names
from ..server.settings import Settings

# What other hands may have written into the files: a terminal would obey it.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ALWAYS = ("time", "action", "login", "project")


class _Options(argparse.ArgumentParser):
    """Options, of which a bad one gets one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def wanted(words: Sequence[str]) -> tuple[Wanted, bool]:
    """Return which events options want, and whether as JSON.

    Raises:
        SystemExit: if they cannot be as they are; one line says why.
    """
    options = _Options(
        prog="list",
        allow_abbrev=False,
        description="List what was published, removed and yanked, a line each, in the order of time.",
    )
    options.add_argument("--login", metavar="NAME", help="of this login; '' for what no login did")
    options.add_argument("--project", metavar="NAME", type=_project, help="of this project")
    options.add_argument("--since", metavar="TIME", type=_since, help="a day (UTC), or a time: 2026-11-20")
    options.add_argument("--json", action="store_true", help="as lines of JSON")
    found = options.parse_args(words)
    return Wanted(found.login, found.project or "", found.since or ""), found.json


def _project(text: str) -> str:
    name = names.normalised(text)
    if not names.is_project(name):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not the name of a project")
    return name


def _since(text: str) -> str:
    try:
        return times.time_text(times.moment(text))
    except (ValueError, OverflowError):
        wanted_form = "2026-11-20 or 2026-11-20T14:30:00Z"
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is not a day or a time; give one such as {wanted_form}"
        ) from None


def line(event: Event) -> str:
    """Return an event as a line: time, action, login, project, what of it, and the reason in brackets."""
    what = event.file or event.version or event.status
    reason = f"({event.reason})" if event.reason else ""
    words = (event.time, event.action, event.login or "-", event.project or "-", what or "-", reason)
    return _UNPRINTABLE.sub("?", " ".join(filter(None, words)))


def document(event: Event) -> str:
    """Return an event as a line of JSON, without what it does not have."""
    return json.dumps({name: value for name, value in vars(event).items() if value or name in _ALWAYS})


def main(words: Sequence[str]) -> int:
    """List what the options ask for; return the exit code."""
    asked, as_json = wanted(words)
    settings = Settings.of_environment()
    store = FactStore(settings.packages, settings.index)
    damaged: list[str] = []
    try:
        store.check()
        found = events(store, settings.logs, asked, damaged)
    except (FactsError, OSError) as error:
        print(f"list: {error}", file=sys.stderr)
        return 1
    try:
        for event in found:
            print(document(event) if as_json else line(event))
        if not found:
            print("list: nothing matches", file=sys.stderr)
        sys.stdout.flush()
    except BrokenPipeError:
        # As of `head`. What is left is not written at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if damaged:
        print(f"list: cannot be read, and left out: {some(damaged)}", file=sys.stderr)
        return 1
    return 0
