"""The page of benchmarks: no number is typed by hand, and each figure with a target is described."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.bench import plot
from tests.bench.figures import TARGETS, Figure, document, merged

_FIGURES = {
    figure.id: figure
    for figure in (
        Figure("page_per_second", 24_700.4, "requests/s", "", (24_000.0, 24_700.4, 25_000.0)),
        Figure("page_tutorial_sha_per_second", 17.25, "requests/s", "", (17.25,)),
        Figure("page_vs_static", 0.85, "ratio", ">= 0.6", (0.8, 0.85, 0.9)),
    )
}

_MACHINE = {"cores": 2, "load": 0.1}


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.853, "0.85"), (17.25, "17.2"), (24_700.4, "24,700"), (2.0, "2")]
)
def test_numbers_have_the_digits_that_say_something(value: float, text: str) -> None:
    assert plot.number(value) == text


def test_figures_with_a_target_come_first() -> None:
    assert plot.rows(_FIGURES).splitlines()[2:] == [
        "| `page_vs_static` | 0.85 ratio | 0.80 to 0.90 | ≥ 0.6 | met |",
        "| `page_per_second` | 24,700 requests/s | 24,000 to 25,000 |  |  |",
        "| `page_tutorial_sha_per_second` | 17.2 requests/s |  |  |  |",
    ]


def test_growth_has_a_table_with_a_column_for_each_number_of_files() -> None:
    grown = {
        name: Figure(name, value, unit, "", (value,))
        for name, value, unit in (
            ("growth_start_s_10000", 1.5, "s"),
            ("growth_start_s_100", 1.25, "s"),
            ("growth_list_ms_100", 3.0, "ms"),
        )
    }
    assert plot.growth(grown).splitlines() == [
        "| files | 100 | 10,000 |",
        "|---|---:|---:|",
        "| `growth_start_s_*` | 1.25 s | 1.50 s |",
        "| `growth_list_ms_*` | 3 ms |  |",
    ]
    page = "<!-- results: begin -->\n<!-- results: end -->\n"
    assert plot.filled(page, {**_FIGURES, **grown}, _MACHINE).count("growth_start_s") == 1
    assert plot.growth(_FIGURES) == ""


def test_a_page_that_is_filled_again_has_one_table() -> None:
    page = "before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n"
    once = plot.filled(page, _FIGURES, _MACHINE)
    assert once.startswith("before\n") and once.endswith("\nafter\n") and "old" not in once
    assert plot.filled(once, _FIGURES, _MACHINE) == once


def test_bars_are_longer_for_more_requests() -> None:
    drawn = ElementTree.fromstring(plot.svg(_FIGURES))
    bars = [rect for rect in drawn.iter("{http://www.w3.org/2000/svg}rect") if rect.get("class") in ("bar", "ours")]
    widths = [float(bar.get("width", "")) for bar in bars]
    assert len(widths) == 2
    assert widths[0] > widths[1] > 0


def test_results_are_read_as_they_were_written() -> None:
    assert plot.read(document(_FIGURES.values(), 0.1))["page_vs_static"] == _FIGURES["page_vs_static"]


def test_a_part_that_is_measured_again_leaves_the_others_figures() -> None:
    before = document(_FIGURES.values(), 0.1)
    now = document([Figure("page_vs_static", 0.7, "ratio", ">= 0.6", (0.7,))], 0.1)
    found = plot.read(merged(before, now))
    assert (found["page_vs_static"].value, found["page_per_second"].value) == (0.7, 24_700.4)


def test_each_figure_with_a_target_is_described() -> None:
    described = set(
        re.findall(r"`([a-z0-9_]+)`", plot.PAGE.read_text(encoding="utf-8").partition("## The last run")[0])
    )
    assert described >= set(TARGETS)
