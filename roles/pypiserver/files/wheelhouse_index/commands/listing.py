"""``python3 -m wheelhouse_index list``: what was published, removed and yanked, by whom, since when."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ..common import times
from ..common.answers import some
from ..fact_store.facts import FactStore
from ..fact_store.history import Event, Wanted, events
from ..fact_store.records import FactsError
from ..server.settings import Settings
from .options import Options, end_of_pipe, moment, printable, project

_ALWAYS = ("time", "action", "login", "project")


def wanted(words: Sequence[str]) -> tuple[Wanted, bool]:
    """Return which events options want, and whether as JSON.

    Raises:
        SystemExit: if they cannot be as they are; one line says why.
    """
    options = Options(
        prog="list",
        allow_abbrev=False,
        description="List what was published, removed and yanked, a line each, in the order of time.",
    )
    options.add_argument("--login", metavar="NAME", help="of this login; '' for what no login did")
    options.add_argument("--project", metavar="NAME", type=project, help="of this project")
    options.add_argument("--since", metavar="TIME", type=moment, help="a day (UTC), or a time: 2026-11-20")
    options.add_argument("--json", action="store_true", help="as lines of JSON")
    found = options.parse_args(words)
    since = "" if found.since is None else times.time_text(found.since)
    return Wanted(found.login, found.project or "", since), found.json


def line(event: Event) -> str:
    """Return an event as a line: time, action, login, project, what of it, and the reason in brackets."""
    what = event.file or event.version or event.status
    reason = f"({event.reason})" if event.reason else ""
    words = (event.time, event.action, event.login or "-", event.project or "-", what or "-", reason)
    return printable(" ".join(filter(None, words)))


def document(event: Event) -> str:
    """Return an event as a line of JSON, without what it does not have."""
    return json.dumps({name: value for name, value in vars(event).items() if value or name in _ALWAYS})


def main(words: Sequence[str]) -> int:
    """List what the options ask for; return the exit code."""
    asked, as_json = wanted(words)
    settings = Settings.of_environment()
    store = FactStore(settings.packages, settings.index, settings.nodes)
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
        end_of_pipe()
    if damaged:
        print(f"list: cannot be read, and left out: {some(damaged)}", file=sys.stderr)
        return 1
    return 0
