"""``python3 -m wheelhouse_index give-back``: makes a private name free, so that upstream may answer for it."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from typing import Any

from ..fact_store import published
from ..fact_store.change_log import ChangeLog
from ..fact_store.recording import ConflictError
from ..fact_store.records import FactsError
from ..files import names
from ..index.store import Store
from ..server.settings import Settings

ACTION = "give_back"


def shown(store: Store, project: str) -> dict[str, Any]:
    """Return what is known of a project: its files, and all that were ever published, by whom."""
    damaged: list[str] = []
    with store.catalogue.reading() as known:
        files = sorted(entry.path for entry in known.of_project(project))
    found = published.published(store.facts.records.folder, damaged, project=project)
    return {
        "project": project,
        "files": files,
        "published": [{"file": one.file, **json.loads(one.record.text())} for one in found],
        "damaged": damaged,
    }


def main(words: list[str]) -> int:
    """Give a name back, or with ``--check`` only show what is known of it; return the exit code.

    A line of JSON says what was, or is, known of it. What is refused gets one line.
    """
    check, rest = "--check" in words, [word for word in words if word != "--check"]
    project = names.normalised(rest[0]) if len(rest) == 1 else ""
    if not names.is_project(project):
        print("usage: python3 -m wheelhouse_index give-back [--check] NAME", file=sys.stderr)
        return 2
    settings = Settings.of_environment()
    # As gunicorn's: what is written is the account's alone.
    os.umask(0o077)
    store = settings.store()
    try:
        store.facts.check()
        found = shown(store, project)
        if not check:
            store.give_back(project)
            files = {one["file"]: one["sha256"] for one in found["published"]}
            ChangeLog(settings.logs).note(ACTION, project=project, files=files)
    except (ConflictError, FactsError, OSError, sqlite3.Error) as error:
        print(f"give-back: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0
