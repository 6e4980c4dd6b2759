"""How hard hypothesis tries: HYPOTHESIS_PROFILE=long for an hour's quarter, else a few seconds a test."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# pytest would look for it with all import hooks, among them one of pypiserver's of an old kind.
import tests.unit.wheelhouse_index.public  # noqa: F401
from tests.support.index import Index

# An example makes files: its time says nothing, and shrinking one takes minutes. The long profile does it.
_QUICK = (Phase.explicit, Phase.generate)
for name, examples, phases in (("index", 8, _QUICK), ("long", 400, (*_QUICK, Phase.shrink))):
    settings.register_profile(
        name,
        max_examples=examples,
        phases=phases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "index"))
# It tells of each upload that it refuses.
logging.getLogger("pypiserver").setLevel(logging.CRITICAL)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder where nobody waits for a disk."""
    folder = Path(tempfile.mkdtemp(prefix="index-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def index(in_memory: Path) -> Index:
    """An index without a file, at which the keeper has looked."""
    found = Index(in_memory)
    found.keeper.step()
    return found
