"""Sizes of batches."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.filter.filters import batch_sizes
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import batches
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import names

BAD = [0, "0", "x", -1, 1.5, "1.5", "0%", "101%", "%", "", [], [1, 0], [[1]], True, None, {"a": 1}]


@pytest.mark.parametrize(
    ("value", "sizes", "largest_of_ten"),
    [
        (1, [1], 1),
        ("2", [2], 2),
        (" 3 ", [3], 3),
        ("25%", ["25%"], 2),
        ("5%", ["5%"], 1),
        ("100%", ["100%"], 10),
        ([1, "50%"], [1, "50%"], 5),
        (["1", 50], [1, 50], 50),
    ],
)
def test_sizes(value: Any, sizes: list[Any], largest_of_ten: int) -> None:
    assert batch_sizes(value) == sizes
    assert batches.largest(value, 10) == largest_of_ten
    assert names.serial(value, min(largest_of_ten, 10), 10) == []


@pytest.mark.parametrize("value", BAD)
def test_a_size_that_cannot_be_lets_the_play_begin_and_is_a_problem(value: Any) -> None:
    assert batch_sizes(value) == ["100%"]
    (problem,) = names.serial(value, 3, 3)
    assert "is not a batch size; give a number of hosts from 1 on, a share such as 25%" in str(problem)


def test_a_size_that_the_play_has_not_read_is_a_problem() -> None:
    assert str(*names.serial(1, 3, 3)) == (
        "pypi_serial: 1 was not read in time: the batch has 3 of 3 hosts, as a play is cut into batches before Ansible reads "
        "the inventory's variables; give it on the command line: -e pypi_serial=1"
    )
    assert names.serial([1, "50%"], 6, 10)
    # Hosts that have failed are not counted.
    assert names.serial(5, 2, 10) == []
