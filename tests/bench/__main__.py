"""``python3 -m tests.bench [--quick] [PART…]``: measures, writes bench/results.json, prints a table."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from http.client import HTTPException

from tests.ground.paths import ROOT
from tests.ground.shell import say

from . import before, growth, nodes, operation, pace, rollout, serving, uploads, upstream
from .figures import Figure, document, merged, table
from .hosts import BEFORE, HOSTS, SERVING, BenchError, made

RESULTS = ROOT / "bench" / "results.json"
PARTS = ("serving", "uploads", "growth", "upstream", "operation", "nodes", "before", "rollout")
# What a measurement may fail with: what was measured before it still counts.
_FAILURES = (BenchError, AssertionError, OSError, HTTPException)
# Measurements, one after the other, each with figures that are had or lost together.
Measure = Callable[[], Iterator[Iterator[Figure]]]


def main() -> int:
    """Run the benchmarks; a figure that misses its target is told, and is no failure."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench")
    parser.add_argument(
        "--quick", action="store_true", help="few short rounds; of the parts, serving alone unless named"
    )
    parser.add_argument("--keep", action="store_true", help="leave the hosts running, to look around on them")
    parser.add_argument("--before", metavar="COMMIT", help="what part before compares with; without it there is none")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if "before" in arguments.parts and not arguments.before:
        parser.error("part before needs --before COMMIT")
    # Those of rollouts alone take longer than a quick run is to take.
    parts = arguments.parts or (["serving"] if arguments.quick else PARTS)
    found: list[Figure] = []
    failed: list[str] = []
    whole = False
    load = os.getloadavg()[0]
    try:
        for hosts, measurements in _plan(parts, arguments.quick, arguments.before):
            with made(hosts, keep=arguments.keep) if hosts else nullcontext():
                for measure in measurements:
                    run(measure, found, failed)
        whole = not (arguments.parts or failed)
    except _FAILURES as error:
        failed.append(str(error))
    finally:
        # What has been measured until then is not lost.
        _write(found, load, fresh=whole)
    for message in failed:
        print(f"ERROR: {message}", file=sys.stderr)
    return int(bool(failed))


def run(measure: Measure, found: list[Figure], failed: list[str]) -> None:
    """Measure; what cannot be measured costs its own figures, not those that come after.

    Args:
        measure: the measurements.
        found: gets the figures, one by one: what comes later may end the run.
        failed: gets what has failed.
    """
    for figures in measure():
        try:
            for figure in figures:
                say(f"{figure.id}: {figure.value:.2f} {figure.unit}")
                found.append(figure)
        except _FAILURES as error:
            say(f"ERROR: {error}")
            failed.append(str(error))


def _write(found: Sequence[Figure], load: float, *, fresh: bool) -> None:
    """Write the figures and print them; those of an earlier run stay beside them unless this one has all."""
    RESULTS.parent.mkdir(exist_ok=True)
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() and not fresh else {}
    RESULTS.write_text(json.dumps(merged(before, document(found, load)), indent=2) + "\n", encoding="utf-8")
    print(f"\n{table(found)}\n\nwritten to {RESULTS.relative_to(ROOT)}")


def _plan(parts: Sequence[str], quick: bool, commit: str | None) -> Iterator[tuple[Sequence[str], list[Measure]]]:
    """Return which hosts are made, each time with what is measured on them."""
    size = pace.QUICK if quick else pace.FULL
    here: list[Measure] = []
    if "serving" in parts:
        here.append(lambda: serving.figures(size))
    if "uploads" in parts:
        here.append(lambda: uploads.figures(size))
    if "growth" in parts:
        here.append(growth.figures)
    if here:
        yield [SERVING], here
    if "upstream" in parts:
        yield [SERVING], [lambda: upstream.figures(size)]
    if "operation" in parts:
        yield [SERVING], [lambda: operation.figures(size)]
    if "nodes" in parts:
        yield [], [lambda: nodes.figures(size)]
    if "before" in parts and commit:
        yield [SERVING, BEFORE], [lambda: before.figures(size, commit)]
    if "rollout" in parts:
        yield HOSTS, [lambda: rollout.figures(1 if quick else 3)]


if __name__ == "__main__":
    sys.exit(main())
