"""What commands have in common that a playbook asks by a line of JSON on standard input, and that answer by one."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from typing import Any, TextIO

from ..fact_store.recording import ConflictError
from ..fact_store.records import FactsError
from ..index.store import Store
from ..public.policy import PolicyError
from ..requests.changes import is_full
from ..server.peers import WAY_OUT, Peers
from ..server.settings import Settings
from .variables import BadInputError

FULL = "the disk of the index is full; make room, then run it again"


def spread(settings: Settings, store: Store) -> None:
    """Have the other nodes know what a command has changed, before it says so; those that do not are not well by then."""
    if settings.nodes:
        store.tell = Peers(store, settings.sockets / WAY_OUT, settings.freshness).tell
        store.spread()


def answer(outcome: Any, do: Callable[[Settings, Store, Any], None], source: TextIO, say: Callable[[str], Any]) -> int:
    """Have a line done, and say what became of it; returns the exit code.

    Args:
        outcome: its attributes are the answer, also after an error; ``changed`` is what was done.
        do: does what the line's JSON asks for, and changes ``outcome``.
        source: has the line.
        say: gets the answer.
    """
    settings = Settings.of_environment()
    # As gunicorn's: what is written is the account's alone.
    os.umask(0o077)
    store, stop = settings.store(), ""
    try:
        store.catalogue.hold()
        try:
            do(settings, store, json.loads(source.readline()))
        finally:
            spread(settings, store)
    except (BadInputError, ConflictError, FactsError, PolicyError) as error:
        stop = str(error)
    except (OSError, sqlite3.Error) as error:
        stop = FULL if is_full(error) else f"the index cannot use its folders: {error}"
        if outcome.changed:
            stop += f" (done before: {len(outcome.changed)})"
    say(json.dumps({**vars(outcome), **({"stop": stop} if stop else {})}))
    return 1 if stop else 0
