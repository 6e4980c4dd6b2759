"""The three hosts, and what is read from them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import packages
from tests.support.clients import Login
from tests.support.fleet import Client, Member, clients

FILE = "fleet_test-1.0-py3-none-any.whl"
PATHS = ("/simple/", "/simple/fleet-test/", f"/packages/{FILE}")
HOMES = {
    "pypi-rollout-1": "/home/pypi/pypi-server",
    "pypi-rollout-2": "/srv/pypi/pypi-server",
    "pypi-rollout-3": "/home/pypi/pypi-server",
}
PUBLISHER = Login("publisher", "publisher-password")
READER = Login("reader", "reader-password")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> list[Member]:
    """The hosts in the order of the rollout, each with one package."""
    members = [Member(name, home) for name, home in HOMES.items()]
    file = packages.wheel(tmp_path_factory.mktemp("packages"), "fleet-test")
    assert file.name == FILE
    for member in members:
        assert member.index.upload(PUBLISHER, file).status in (200, 409)
    return members


@pytest.fixture
def reading(fleet: list[Member]) -> Iterator[dict[str, Client]]:
    """Somebody reads from all three hosts as long as the test lasts."""
    with clients(fleet, READER, PATHS) as found:
        yield found
