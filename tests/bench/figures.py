"""Figures: what was measured, against what was aimed at."""

from __future__ import annotations

import operator
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What is aimed at, by the id of the figure; what is not here is only stated.
TARGETS = {
    "page_vs_static": ">= 0.85",
    "wheel_vs_static": ">= 0.8",
    "miss_vs_static": ">= 0.6",
    "large_vs_sendfile": ">= 0.9",
    "tls_page_vs_static": ">= 0.7",
    "tls_wheel_vs_static": ">= 0.7",
    "page_vs_tutorial_sha": ">= 1000",
    "page_vs_tutorial_bcrypt": ">= 2000",
    "page_vs_devpi": ">= 50",
    "stale": "<= 0",
    "upload_ms": "<= 150",
    "upload_vs_put": "<= 0.7",
    "upload_vs_disk": "<= 2",
    "upload_http2_20ms": "<= 1.5",
    "upload_memory_mb": "<= 200",
    "upload_vs_devpi": ">= 1",
    "slow_publishers_page": "<= 1.5",
    "slow_publishers_upload": "<= 1.5",
    "page_vs_before": ">= 0.95",
    "wheel_vs_before": ">= 0.95",
    "miss_vs_before": ">= 0.95",
    "page_processor_vs_before": "<= 1.05",
    "wheel_processor_vs_before": "<= 1.05",
    "miss_processor_vs_before": "<= 1.05",
    "uploads_per_second": ">= 2",
    "upload_vs_before": "<= 0.45",
    "upload_vs_before_tls": "<= 0.45",
    "upload_vs_before_http2": "<= 0.45",
    "burst_p95_ms": "< 100",
    "burst_p99_ms": "< 250",
    "burst_errors": "<= 0",
    "flood_throughput": ">= 0.95",
    "flood_p99": "<= 2",
    "uploads_throughput": ">= 0.9",
    "restart_errors": "<= 0",
    "pip_vs_static": "<= 1.15",
    "uv_vs_static": "<= 1.15",
    "memory_mb": "<= 250",
    "upstream_page_vs_static_10": ">= 0.55",
    "upstream_page_vs_static_500": ">= 0.7",
    "upstream_wheel_vs_static": ">= 0.7",
    "upstream_large_vs_sendfile": ">= 0.9",
    "upstream_cold_vs_direct": "<= 1.3",
    "upstream_warm_vs_static": "<= 1.15",
    "upstream_first_byte": "<= 1.3",
    "private_under_fault": ">= 0.9",
    "upstream_page_vs_proxpi": ">= 20",
    "upstream_page_vs_devpi": ">= 20",
    "upstream_page_vs_simple_repository": ">= 20",
    "first_run_vs_script": "<= 1.3",
    "unchanged_one_host_s": "< 8",
    "unchanged_remote_calls": "< 25",
    "unchanged_four_vs_one": "< 2",
    "users_200_vs_loop": ">= 20",
    "unchanged_vs_before": "<= 1.1",
    "restore_vs_restic": "<= 1.3",
    "backup_increment": "<= 0.1",
    "reads_during_backup": ">= 0.85",
    "reads_during_restore": ">= 0.85",
    "reads_during_doctor": ">= 0.85",
    "reads_during_prune": ">= 0.85",
    "rollback_gap_pypiserver_s": "<= 1",
    "rollback_gap_nginx_s": "<= 8",
    "doctor_vs_sha256sum": "<= 2",
    "audit_vs_jq": ">= 5",
    "join_vs_copy": "<= 2",
    "join_read_files": "<= 0",
    "journal_cost": "<= 1.2",
}
_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        id: its name, for good.
        value: the median of the runs.
        unit: s, ms, ratio, requests/s, calls and so on.
        target: such as "<= 1.3", or a number; empty where it is only stated.
        runs: what each run gave.
    """

    id: str
    value: float
    unit: str
    target: str
    runs: tuple[float, ...]

    @classmethod
    def of(cls, name: str, unit: str, runs: Sequence[float]) -> Figure:
        """A figure: the median of its runs, against what TARGETS says."""
        return cls(name, statistics.median(runs), unit, TARGETS.get(name, ""), tuple(runs))

    @classmethod
    def quotient(cls, name: str, above: Sequence[float], below: Sequence[float]) -> Figure:
        """A ratio of things that were measured in turn, run by run."""
        return cls.of(name, "ratio", [one / other for one, other in zip(above, below, strict=True)])

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if not self.target:
            return None
        comparison, _space, number = self.target.rpartition(" ")
        return bool(_COMPARE.get(comparison, operator.eq)(self.value, float(number)))


def document(figures: Iterable[Figure], load: float) -> dict[str, Any]:
    """Return what bench/results.json holds.

    Args:
        figures: that were measured.
        load: the machine's load average before they were: of what else it was doing.
    """
    return {
        "machine": {
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            "system": platform.platform(),
            "load": round(load, 2),
        },
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


def merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results of a run, with the figures of an earlier one that this one has not measured."""
    return {**now, "figures": {**before.get("figures", {}), **now["figures"]}}


def number(value: float) -> str:
    """Write a number with as many digits as say something."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(figures: Iterable[Figure]) -> str:
    """Return the table of figures in Markdown, those with a target first: median, spread, target, whether it is met."""
    lines = ["| figure | median | spread | target | |", "|---|---:|---|---|---|"]
    for figure in sorted(figures, key=lambda figure: not figure.target):
        spread = f"{number(min(figure.runs))} to {number(max(figure.runs))}" if len(figure.runs) > 1 else ""
        verdict = {True: "met", False: "missed", None: ""}[figure.met]
        target = figure.target.replace("<=", "≤").replace(">=", "≥")
        lines.append(f"| `{figure.id}` | {number(figure.value)} {figure.unit} | {spread} | {target} | {verdict} |")
    return "\n".join(lines)
