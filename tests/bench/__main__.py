"""``python3 -m tests.bench [--quick]``: measures, writes bench/results.json, prints a table."""

from __future__ import annotations

import argparse
import json
import sys

from tests.ground.paths import ROOT
from tests.ground.shell import say

from . import rollout
from .figures import Figure, document, table
from .hosts import BenchError, made

RESULTS = ROOT / "bench" / "results.json"


def main() -> int:
    """Run all benchmarks; a figure that misses its target is told, and is no failure."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench")
    parser.add_argument("--quick", action="store_true", help="each once, instead of three times")
    arguments = parser.parse_args()
    found: list[Figure] = []
    try:
        with made():
            for figure in rollout.figures(1 if arguments.quick else 3):
                say(f"{figure.id}: {figure.value:.2f} {figure.unit}")
                found.append(figure)
    except BenchError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document(found), indent=2) + "\n", encoding="utf-8")
    print(f"\n{table(found)}\n\nwritten to {RESULTS.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
