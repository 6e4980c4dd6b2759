"""Figures of the benchmarks: medians, ratios run by run, whether a target is met, and what the page says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.bench import page
from tests.bench.__main__ import main, run
from tests.bench.figures import TARGETS, Figure, document, merged, table
from tests.bench.hosts import BenchError


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [(1.3, "<= 1.3", True), (1.31, "<= 1.3", False), (8.0, "< 8", False), (20.0, ">= 20", True), (50.0, "50", True)],
)
def test_targets(value: float, target: str, met: bool) -> None:
    assert Figure("figure", value, "ratio", target, (value,)).met is met


def test_what_has_no_target_is_stated() -> None:
    assert Figure.of("figure", "s", [1.0, 5.0, 2.0]) == Figure("figure", 2.0, "s", "", (1.0, 5.0, 2.0))
    assert Figure.of("figure", "s", [1.0]).met is None


def test_a_ratio_is_that_of_the_median_run() -> None:
    ratio = Figure.quotient("unchanged_four_vs_one", [2.0, 9.0, 4.0], [2.0, 6.0, 1.0])
    assert (ratio.runs, ratio.value, ratio.target, ratio.met) == ((1.0, 1.5, 4.0), 1.5, "< 2", True)


def test_results_for_machines_and_people() -> None:
    figures = [Figure.of("a_s", "s", [1.0, 3.0, 2.0]), Figure.quotient("first_run_vs_script", [3.0], [2.0])]
    assert document(figures, 0.1)["figures"]["first_run_vs_script"] == {
        "value": 1.5, "unit": "ratio", "target": "<= 1.3", "runs": [1.5]
    }  # fmt: skip
    assert table(figures).splitlines()[2:] == [
        "| `first_run_vs_script` | 1.50 ratio |  | ≤ 1.3 | missed |",
        "| `a_s` | 2 s | 1 to 3 |  |  |",
    ]


@pytest.mark.parametrize(
    "error", [BenchError("it is slow"), ConnectionResetError("it is gone"), AssertionError("wrong")]
)
def test_what_cannot_be_measured_costs_its_own_figures(error: Exception) -> None:
    def several(last: Exception | None, *names: str) -> Iterator[Figure]:
        yield from (Figure(name, 1.0, "s", "", (1.0,)) for name in names)
        if last:
            raise last

    def measurements() -> Iterator[Iterator[Figure]]:
        yield several(None, "first")
        yield several(error, "second")
        yield several(None, "third", "fourth")

    found: list[Figure] = []
    failed: list[str] = []
    run(measurements, found, failed)
    assert [figure.id for figure in found] == ["first", "second", "third", "fourth"]
    assert failed == [str(error)]


def test_a_part_that_is_measured_again_leaves_the_figures_of_the_others() -> None:
    before = document([Figure.of("first_s", "s", [1.0]), Figure.of("second_s", "s", [2.0])], 0.1)
    found = page.read(merged(before, document([Figure.of("second_s", "s", [3.0])], 0.1)))
    assert {name: figure.value for name, figure in found.items()} == {"first_s": 1.0, "second_s": 3.0}


def test_the_page_is_filled_once_and_describes_each_figure_with_a_target() -> None:
    figures = {"page_vs_static": Figure("page_vs_static", 0.85, "ratio", ">= 0.6", (0.8, 0.85, 0.9))}
    text = page.PAGE.read_text(encoding="utf-8")
    once = page.filled(text, figures, {"cores": 2, "load": 0.1})
    assert "| `page_vs_static` | 0.85 ratio | 0.80 to 0.90 | ≥ 0.6 | met |" in once
    assert page.filled(once, figures, {"cores": 2, "load": 0.1}) == once
    assert set(re.findall(r"`([a-z0-9_]+)`", text.partition("## The last run")[0])) >= set(TARGETS)


def test_a_comparison_with_another_commit_needs_to_know_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "before"])
    with pytest.raises(SystemExit):
        main()
    assert "part before needs --before COMMIT" in capsys.readouterr().err
