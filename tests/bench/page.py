"""``python3 -m tests.bench.page``: docs/benchmarks.md gets the last run's table."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from tests.ground.paths import ROOT

from .figures import Figure, number, table

_RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
_GROWTH = re.compile(r"growth_(\w+)_(\d+)")
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"


def read(document: Mapping[str, Any]) -> dict[str, Figure]:
    """Return the figures of a results.json by their ids."""
    return {
        name: Figure(name, found["value"], found["unit"], found["target"], tuple(found["runs"]))
        for name, found in document["figures"].items()
    }


def growth(figures: Mapping[str, Figure]) -> str:
    """Return the table of what is measured with ever more files: a line for each figure, a column for each number."""
    found: dict[str, dict[int, Figure]] = {}
    for name, figure in figures.items():
        if match := _GROWTH.fullmatch(name):
            found.setdefault(match[1], {})[int(match[2])] = figure
    numbers = sorted({files for row in found.values() for files in row})
    lines = [f"| files |{''.join(f' {files:,} |' for files in numbers)}", f"|---|{'---:|' * len(numbers)}"]
    for name, row in found.items():
        values = (f"{number(row[files].value)} {row[files].unit}" if files in row else "" for files in numbers)
        lines.append(f"| `growth_{name}_*` | {' | '.join(values)} |")
    return "\n".join(lines) if found else ""


def filled(page: str, figures: Mapping[str, Figure], machine: Mapping[str, Any]) -> str:
    """Return the page with the table of a run between its marks; the machine is that of results.json."""
    before, _begin, rest = page.partition(_BEGIN)
    _old, _end, after = rest.partition(_END)
    where = (
        f"Measured on a machine with {machine['cores']} cores, which clients and servers share. Its load average was "
        f"{machine['load']} before the run: what is more than a few tenths is other work, and in the way."
    )
    several = [figure for name, figure in figures.items() if not _GROWTH.fullmatch(name)]
    tables = "\n\n".join(filter(None, (where, table(several), growth(figures))))
    return f"{before}{_BEGIN}\n{tables}\n{_END}{after}"


def main() -> int:
    """Write the page."""
    if not _RESULTS.exists():
        print(f"{_RESULTS.relative_to(ROOT)} is not there: `make bench` writes it", file=sys.stderr)
        return 1
    document = json.loads(_RESULTS.read_text(encoding="utf-8"))
    figures = read(document)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), figures, document["machine"]), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
