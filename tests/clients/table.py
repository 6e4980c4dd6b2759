"""The table in docs/clients.md: which tool installs and publishes, since which release, and what it shows of a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.clients.publishers import Tried

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
HEAD = (
    "| tool | installs, since | publishes, since | shows why the index refuses | tried with |\n|---|---|---|---|---|\n"
)
_PLACE = re.compile(r"(?<=<!-- tools: made by `make tools` -->\n).*?(?=<!-- end of tools -->)", re.DOTALL)
_NONE = "–"


def row(name: str, installs: Sequence[Tried], publishes: Sequence[Tried]) -> str:
    """Return the row of a tool; what was tried goes from old to new."""
    versions = list(dict.fromkeys(tried.tool.version for tried in (*installs, *publishes)))
    cells = [name, since(installs), since(publishes), shown(publishes), ", ".join(versions)]
    return f"| {' | '.join(cells)} |\n"


def since(tried: Sequence[Tried]) -> str:
    """Return the oldest release that works with all after it."""
    found = _NONE
    for one in reversed(tried):
        if one.wrong:
            return found if found != _NONE else "no"
        found = one.tool.version
    return found


def shown(tried: Sequence[Tried]) -> str:
    """Say which reasons the newest release shows."""
    if not tried:
        return _NONE
    hidden = tried[-1].hidden
    return f"not of {', '.join(hidden)}" if hidden else "yes"


def documented() -> dict[str, str]:
    """Return the rows of the page by tool."""
    match = _PLACE.search(PAGE.read_text(encoding="utf-8"))
    assert match, f"{PAGE.name} has no place for the table"
    rows = [line for line in match[0].splitlines(keepends=True) if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in rows[1:]}


def write(rows: Mapping[str, str], order: Sequence[str]) -> None:
    """Put rows into the page's table, in place of those of the same tools.

    Args:
        rows: by tool.
        order: of the tools.
    """
    every = {**documented(), **rows}
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        _PLACE.sub(lambda _: HEAD + "".join(every[name] for name in order if name in every), text), encoding="utf-8"
    )
