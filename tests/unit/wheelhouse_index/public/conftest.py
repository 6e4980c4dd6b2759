"""An index with a policy, and an outlet that stands in for NGINX and upstream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import outlet as stand_in
from tests.support.outlet import Outlet
from tests.support.public import Public


@pytest.fixture
def outlet() -> Iterator[Outlet]:
    """NGINX's socket by which upstream is asked."""
    with stand_in.outlet() as own:
        yield own


@pytest.fixture
def public(in_memory: Path, outlet: Outlet) -> Public:
    """An index that serves public projects."""
    own = Public(in_memory, outlet)
    own.open()
    return own
