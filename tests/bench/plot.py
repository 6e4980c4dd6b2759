"""``python3 -m tests.bench.plot``: docs/benchmarks.md gets the last run's table, and docs/pictures/ its plot."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from html import escape
from typing import Any

from tests.ground.paths import ROOT

from .figures import Figure

_RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
_PICTURE = ROOT / "docs" / "pictures" / "benchmarks.svg"
_GROWTH = re.compile(r"growth_(\w+)_(\d+)")
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"
# What the plot has, from fast to slow: the figure, and what it is called.
_BARS = {
    "page_static_per_second": "open static page",
    "page_per_second": "this collection, bcrypt-10",
    "page_devpi_per_second": "devpi-server, open",
    "page_tutorial_sha_per_second": "the tutorial, {SHA}",
    "page_tutorial_bcrypt_per_second": "the tutorial, bcrypt-10",
}
_OURS = "page_per_second"
_LEFT, _WIDTH, _ROW, _TOP = 230, 960, 44, 64
# The axis is logarithmic: from 1 to this power of ten.
_DECADES = 5
_STYLE = """
    text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 14px; fill: #1f2328; }
    .head { font-weight: 600; font-size: 15px; }
    .small { font-size: 12.5px; fill: #57606a; }
    .paper { fill: #ffffff; stroke: #d0d7de; }
    .bar { fill: #8c959f; }
    .ours { fill: #0969da; }
    .line { stroke: #d0d7de; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .small { fill: #9da7b3; }
      .paper { fill: #0d1117; stroke: #30363d; }
      .bar { fill: #6e7681; }
      .ours { fill: #58a6ff; }
      .line { stroke: #30363d; }
    }"""


def read(document: Mapping[str, Any]) -> dict[str, Figure]:
    """Return the figures of a results.json by their ids."""
    return {
        name: Figure(name, found["value"], found["unit"], found["target"], tuple(found["runs"]))
        for name, found in document["figures"].items()
    }


def number(value: float) -> str:
    """Write a number with as many digits as say something."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def rows(figures: Mapping[str, Figure]) -> str:
    """Return the table of figures in Markdown: those with a target first."""
    lines = ["| figure | median | spread | target | |", "|---|---:|---|---|---|"]
    for figure in sorted(figures.values(), key=lambda figure: not figure.target):
        spread = f"{number(min(figure.runs))} to {number(max(figure.runs))}" if len(figure.runs) > 1 else ""
        verdict = {True: "met", False: "missed", None: ""}[figure.met]
        target = figure.target.replace("<=", "≤").replace(">=", "≥")
        lines.append(f"| `{figure.id}` | {number(figure.value)} {figure.unit} | {spread} | {target} | {verdict} |")
    return "\n".join(lines)


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
    several = {name: figure for name, figure in figures.items() if not _GROWTH.fullmatch(name)}
    tables = "\n\n".join(filter(None, (where, rows(several), growth(figures))))
    return f"{before}{_BEGIN}\n{tables}\n{_END}{after}"


def svg(figures: Mapping[str, Figure]) -> str:
    """Return the plot: a bar for each side, on a logarithmic axis of requests a second."""
    there = {name: label for name, label in _BARS.items() if name in figures}
    height = _TOP + _ROW * len(there) + 40
    said = "; ".join(f"{label}: {number(figures[name].value)}" for name, label in there.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="title desc">',
        '  <title id="title">Requests a second for one project\'s page</title>',
        f'  <desc id="desc">{escape(said)}</desc>',
        f"  <style>{_STYLE}\n  </style>",
        f'  <rect class="paper" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
        '  <text class="head" x="24" y="34">Requests a second for one project\'s page (logarithmic)</text>',
    ]
    for power in range(_DECADES + 1):
        place = _at(10**power)
        parts.append(f'  <line class="line" x1="{place}" y1="{_TOP - 8}" x2="{place}" y2="{height - 36}"/>')
        parts.append(f'  <text class="small" x="{place}" y="{height - 16}" text-anchor="middle">{10**power:,}</text>')
    for row, (name, label) in enumerate(there.items()):
        top, value = _TOP + _ROW * row, figures[name].value
        kind = "ours" if name == _OURS else "bar"
        parts.append(f'  <text x="{_LEFT - 12}" y="{top + 20}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'  <rect class="{kind}" x="{_LEFT}" y="{top}" width="{_at(value) - _LEFT}" height="28" rx="3"/>')
        parts.append(f'  <text class="small" x="{_at(value) + 8}" y="{top + 19}">{number(value)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _at(value: float) -> int:
    """Return where a number of requests a second is on the axis."""
    return round(_LEFT + (_WIDTH - _LEFT - 80) * max(math.log10(max(value, 1)), 0) / _DECADES)


def main() -> int:
    """Write the page and the plot."""
    if not _RESULTS.exists():
        print(f"{_RESULTS.relative_to(ROOT)} is not there: `make bench` writes it", file=sys.stderr)
        return 1
    document = json.loads(_RESULTS.read_text(encoding="utf-8"))
    figures = read(document)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), figures, document["machine"]), encoding="utf-8")
    _PICTURE.write_text(svg(figures), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}, {_PICTURE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
