"""The index of the scenario, and who uses it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clients import Index, Login


@pytest.fixture(scope="module")
def index(host: Any) -> Index:
    address = host.check_output("ip -4 -o address show dev eth0 | awk '{print $4}' | cut -d/ -f1")
    return Index(f"http://{address}")


@pytest.fixture(scope="session")
def publisher() -> Login:
    return Login("publisher", "publisher-password")


@pytest.fixture(scope="session")
def reader() -> Login:
    return Login("reader", "reader-password")


@pytest.fixture(scope="session")
def home() -> str:
    return "/home/pypi/pypi-server"
