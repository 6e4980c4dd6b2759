"""What takes too long for every day: `make test-long` tries it."""

from __future__ import annotations

import os

import pytest

only_long = pytest.mark.skipif(not os.environ.get("WHEELHOUSE_LONG"), reason="make test-long tries it")
