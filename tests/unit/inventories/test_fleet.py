"""inventories/fleet/: groups, one host's differences and the vaults count as its comments say."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Inventory, copied, hosts_of

PRODUCTION = ["pypi-1.example.com", "pypi-2.example.com"]
STAGING = ["pypi-staging.example.com"]


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    inventory = copied("fleet", tmp_path)
    inventory.vault("pypi", ci="secret-1", alice="secret-2")
    return inventory


def test_groups_and_one_host_differ(inventory: Inventory) -> None:
    listed = inventory.listed()
    assert hosts_of(listed, "pypi") == {*PRODUCTION, *STAGING}
    assert (listed["pypi_production"]["hosts"], listed["pypi_staging"]["hosts"]) == (PRODUCTION, STAGING)

    found = listed["_meta"]["hostvars"]
    names = ("ansible_host", "pypi_http_port", "pypi_overwrite", "pypi_log_retention", "pypi_max_upload")
    assert {host: [values.get(name) for name in names] for host, values in found.items()} == {
        # None is the collection's own default.
        "pypi-1.example.com": ["192.0.2.11", None, None, "365d", None],
        "pypi-2.example.com": ["192.0.2.12", None, None, "30d", "500m"],
        "pypi-staging.example.com": ["192.0.2.21", 8080, True, None, None],
    }
    assert {values["ansible_user"] for values in found.values()} == {"admin"}
    passwords = [values["vault_pypi_passwords"] for values in found.values()]
    assert passwords == [{"ci": "secret-1", "alice": "secret-2"}] * 3, "one vault is enough"


def test_a_vault_of_staging_takes_the_place_of_the_common_one(inventory: Inventory) -> None:
    inventory.vault("pypi_staging", ci="secret-3", alice="secret-4")
    found = inventory.listed()["_meta"]["hostvars"]
    common = {"ci": "secret-1", "alice": "secret-2"}
    assert {host: values["vault_pypi_passwords"] for host, values in found.items()} == {
        "pypi-1.example.com": common,
        "pypi-2.example.com": common,
        "pypi-staging.example.com": {"ci": "secret-3", "alice": "secret-4"},
    }
