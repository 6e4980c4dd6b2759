"""The table of docs/one-url.md is of the checks and the peers that there are."""

from __future__ import annotations

import datetime

from tests.conformance import table
from tests.conformance.checks import CHECKS
from tests.conformance.compared import OURS
from tests.peers.peer import PEERS


def documented() -> str:
    """Return the table in the page."""
    match = table.PLACE.search(table.PAGE.read_text(encoding="utf-8"))
    assert match
    return match[0]


def test_the_page_has_what_the_notes_say_of_these_releases() -> None:
    found = {name: {title: table.note(name, title) for title in CHECKS} for name in (OURS, *PEERS)}
    _day, rows = documented().split("\n", 1)
    assert rows == table.made(found, datetime.date(2026, 1, 1)).split("\n", 1)[1]


def test_each_note_is_of_a_check() -> None:
    starts = [start for notes in table.NOTES.values() for start in notes]
    unknown = [start for start in starts if not any(title.startswith(start) for title in CHECKS)]
    assert not unknown
