"""The table in docs/one-url.md: which index passes which check, and why the others do not."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.checks import CHECKS
from tests.conformance.compared import OURS
from tests.peers.peer import PEERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "one-url.md"
PLACE = re.compile(
    r"(?<=<!-- conformance: made by `make conformance` -->\n).*?(?=<!-- end of conformance -->)", re.DOTALL
)
_NO_PROVENANCE = "pages do not say it"
_NO_TAG = "pages have no ETag"
_OPEN = "reading needs no login; one has to be asked for in front of it"
_NO_DIGEST = "pages announce the metadata of private files without a digest"
_NO_SIZE = "JSON has neither"
# What an index does instead, by the beginning of a check's title.
NOTES: Mapping[str, Mapping[str, str]] = {
    "proxpi": {
        "a private project": "a page has the files of all indexes that know the name",
        "a private name is": "each index is asked for each name",
        "a private name that": "each index is asked for each name",
        "JSON and HTML": _NO_SIZE,
        "provenance": _NO_PROVENANCE,
        "revalidation": _NO_TAG,
        "public pages and files": _OPEN,
        "a public file that comes altered": "digests are left to clients; the file stays until proxpi is restarted",
        "upstream away": "500 for all pages that have expired",
    },
    "devpi-server": {
        "metadata": "pages announce metadata without a digest",
        "JSON and HTML": _NO_SIZE,
        "provenance": _NO_PROVENANCE,
        "revalidation": _NO_TAG,
        "public pages and files": _OPEN + ", or by a plugin",
        "upstream away": "404 for a project that is not cached",
    },
    "simple-repository-server": {
        "uv installs": "files of a folder are listed without hashes, which uv takes into its lock",
        "files are what": "files of a folder are listed without hashes",
        "metadata": _NO_DIGEST,
        "provenance": _NO_PROVENANCE,
        "revalidation": _NO_TAG,
        "public pages and files": _OPEN,
        "upstream away": "pages are not cached: 500 for public ones",
    },
}


def note(name: str, title: str) -> str:
    """Return what an index does instead of what a check wants; an empty text where there is no note."""
    return next((text for start, text in NOTES.get(name, {}).items() if title.startswith(start)), "")


def made(found: Mapping[str, Mapping[str, str]], day: datetime.date) -> str:
    """Return the table of results by index and title, with a note for each check that fails.

    Raises:
        ValueError: where a note is missing, or of a check that passes.
    """
    names = [OURS, *(f"{peer.name} {peer.version}" for peer in PEERS.values())]
    lines = [f"On {day.day} {day:%B %Y}:", "", f"| check | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for title in CHECKS:
        cells = []
        for name in (OURS, *PEERS):
            reason, text = found[name][title], note(name, title)
            if bool(reason) != bool(text):
                raise ValueError(f"{name}: {title}: the note is {text!r}, and the check says {reason!r}")
            cells.append(f"no: {text}" if reason else "yes")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def write(found: Mapping[str, Mapping[str, str]]) -> None:
    """Put the results into the page."""
    text = made(found, datetime.datetime.now(datetime.UTC).date())
    page = PAGE.read_text(encoding="utf-8")
    if not PLACE.search(page):
        raise ValueError(f"{PAGE.name} has no place for the table")
    PAGE.write_text(PLACE.sub(lambda _: text, page), encoding="utf-8")
