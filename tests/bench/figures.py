"""Figures: what was measured, against what was aimed at."""

from __future__ import annotations

import operator
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        id: its name, for good.
        value: the median of the runs.
        unit: s, ratio, calls, passwords.
        target: such as "<= 1.3", or a number; empty where it is only stated.
        runs: what each run gave.
    """

    id: str
    value: float
    unit: str
    target: str
    runs: tuple[float, ...]

    @classmethod
    def seconds(cls, name: str, runs: Sequence[float], target: str = "") -> Figure:
        """A time."""
        return cls(name, statistics.median(runs), "s", target, tuple(runs))

    @classmethod
    def ratio(cls, name: str, above: Sequence[float], below: Sequence[float], target: str) -> Figure:
        """A ratio of things that were measured in turn, run by run."""
        runs = tuple(one / other for one, other in zip(above, below, strict=True))
        return cls(name, statistics.median(runs), "ratio", target, runs)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if not self.target:
            return None
        comparison, _space, number = self.target.rpartition(" ")
        return bool(_COMPARE.get(comparison, operator.eq)(self.value, float(number)))


def document(figures: Iterable[Figure]) -> dict[str, Any]:
    """Return what bench/results.json holds."""
    return {
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "system": platform.platform()},
        "figures": {
            figure.id: {
                "value": round(figure.value, 3),
                "unit": figure.unit,
                "target": figure.target,
                "runs": [round(run, 3) for run in figure.runs],
            }
            for figure in figures
        },
    }


def table(figures: Sequence[Figure]) -> str:
    """Return a line per figure: id, median, spread, target, and whether it is met."""
    rows = [("figure", "median", "spread", "target", "")]
    for figure in figures:
        verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
        spread = f"{min(figure.runs):.2f} to {max(figure.runs):.2f}" if len(figure.runs) > 1 else ""
        rows.append((figure.id, f"{figure.value:.2f} {figure.unit}", spread, figure.target, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
