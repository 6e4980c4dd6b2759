"""Tools that people publish and install with: each does here what the table in docs/clients.md says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients import table
from tests.clients.every import CORE, TOOLS, attempt
from tests.clients.installers import Wanted, seed
from tests.support.clients import Index, Login

LONG = bool(os.environ.get("WHEELHOUSE_LONG"))


@pytest.fixture(scope="module")
def wanted(index: Index, publisher: Login, reader: Login, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    """What tools are to install; the index has nothing else that could take its place."""
    return seed(index, publisher, reader, tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def token(variables: Mapping[str, Any]) -> Login:
    """As CI publishes; with a password of their own, tools install."""
    (entry,) = (entry for entry in variables["pypi_tokens"] if entry["id"] == "tools")
    return Login("__token__", entry["secret"])


@pytest.mark.parametrize("name", TOOLS if LONG else CORE)
def test_a_tool_does_what_the_documentation_says(name: str, wanted: Wanted, token: Login, tmp_path: Path) -> None:
    installs, publishes = attempt(name, wanted, token, tmp_path, newest=not LONG)
    print(*(f"{one.tool.name} {one.tool.version} {text}" for one in (*installs, *publishes) for text in one.wrong))
    row, documented = table.row(name, installs, publishes), table.documented()[name]
    if LONG:
        assert row == documented
    else:
        # The newest release alone was tried: what it does is what the row says of it. Old pips: unit tests of pages.
        assert not any(one.wrong for one in (*installs, *publishes))
        assert table.shown(publishes) == documented.split("|")[4].strip()
