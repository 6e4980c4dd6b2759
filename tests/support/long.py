"""What takes too long for every day: `make test-long` tries it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

only_long = pytest.mark.skipif(not os.environ.get("WHEELHOUSE_LONG"), reason="make test-long tries it")


def some(values: Sequence[Any], every: int) -> list[Any]:
    """Return the values of a parameter of which `make test` tries the first and each so-many-th, and `make test-long` all."""
    return [pytest.param(value, marks=() if at % every == 0 else only_long) for at, value in enumerate(values)]
