"""inventories/gcp/ as its users have it, asked of an imitation of Compute Engine (tests/support/google_compute.py).

google.cloud, google-auth and Ansible are the real ones, and so are their requests, down to TLS, the token and the pages of an
answer. That proves what the plugin and the project's file make of answers of the documented shape, and that the filters
leave the machine as written. It does not prove that Google reads those filters so, nor anything else of Google's own:
permissions, names of fields that may change, firewall rules. No account at Google was ever used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collection import ROOT
from tests.support.google_compute import TOKENS, Google, instance, serve

from .conftest import Inventory, copied, hosts_of

INSTANCES = [
    instance(
        "pypi-1",
        "10.1.0.4",
        labels={"pypi": "index", "pypi_environment": "production", "pypi_ansible_user": "ubuntu"},
        metadata={
            "pypi-url": "https://pypi.example.com",
            "pypi-trusted-proxies": "10.1.0.0/24 10.2.0.0/24",
            "ssh-keys": "admin:ssh-ed25519 AAAA",
        },
    ),
    instance(
        "pypi-2",
        "10.1.0.5",
        zone="europe-west3-b",
        labels={"pypi": "index", "pypi_environment": "staging", "pypi_http_port": "8080", "pypi_instance": "pypi-dev"},
        metadata={"pypi-url": "http://dev.example.com:8080"},
    ),
    instance(
        "wrong",
        "10.1.0.6",
        labels={"pypi": "index", "pypi_environment": "staging", "pypi_port": "8080"},
        metadata={"pypi-url": "{{ 6 * 7 }}", "pypi_url": "http://dev.example.com"},
    ),
    instance("without-label", "10.1.0.7"),
    instance("other-role", "10.1.0.8", labels={"pypi": "builder"}),
    instance("stopped", "10.1.0.9", labels={"pypi": "index"}, status="TERMINATED"),
]


@pytest.fixture(scope="module")
def google(folder: Path) -> Iterator[Google]:
    with serve(folder, INSTANCES) as google:
        yield google


@pytest.fixture(scope="module")
def inventory(google: Google, folder: Path) -> Inventory:
    inventory = copied("gcp", folder, google.environment)
    inventory.vault("pypi_production", ci="secret-1", alice="secret-2")
    inventory.vault("pypi_staging", ci="secret-3")
    return inventory


@pytest.fixture(scope="module")
def listed(inventory: Inventory) -> dict[str, Any]:
    return inventory.listed()


def test_running_instances_with_the_label_are_hosts_by_environment(listed: dict[str, Any]) -> None:
    assert hosts_of(listed, "pypi") == set(listed["_meta"]["hostvars"]) == {"pypi-1", "pypi-2", "wrong"}
    assert {"pypi_production", "pypi_staging"} == set(listed["pypi"]["children"])
    assert listed["pypi_production"]["hosts"] == ["pypi-1"]
    assert sorted(listed["pypi_staging"]["hosts"]) == ["pypi-2", "wrong"]


def test_the_filters_and_the_credentials_are_those_of_the_file_and_the_sdk(
    google: Google, listed: dict[str, Any]
) -> None:
    queries = [query["filter"] for _, _, path, query in google.asked if path.endswith("/aggregated/instances")]
    assert queries and all(query == ["(labels.pypi = index) (status = RUNNING)"] for query in queries)
    # An answer without the token is a 401 there.
    assert ("POST", TOKENS, "/token", {}) in google.asked
    assert google.refused == [], "the plugin asks nobody else"


def test_labels_and_metadata_become_settings(listed: dict[str, Any]) -> None:
    def settings(name: str) -> dict[str, Any]:
        found = listed["_meta"]["hostvars"][name]
        return {key: value for key, value in found.items() if re.match(r"pypi_(?!users)|ansible_(user|host)", key)}

    assert settings("pypi-1") == {
        "ansible_host": "10.1.0.4",
        "ansible_user": "ubuntu",
        "pypi_url": "https://pypi.example.com",
        "pypi_trusted_proxies": ["10.1.0.0/24", "10.2.0.0/24"],
        "pypi_unknown_tags": [],
    }
    assert settings("pypi-2") == {
        "ansible_host": "10.1.0.5",
        "ansible_user": "admin",
        "pypi_http_port": "8080",
        "pypi_instance": "pypi-dev",
        "pypi_overwrite": True,
        "pypi_url": "http://dev.example.com:8080",
        "pypi_unknown_tags": [],
    }


def test_public_addresses_where_the_file_says_so(google: Google, tmp_path: Path) -> None:
    other = copied("gcp", tmp_path, google.environment)
    source = other.folder / "pypi.gcp.yml"
    text = source.read_text(encoding="utf-8")
    address = re.search(r"Over the internet: (\S+)", text)
    assert address
    private = "ansible_host: networkInterfaces[0].networkIP"
    assert private in text
    source.write_text(text.replace(private, f"ansible_host: {address[1]}"), encoding="utf-8")
    assert other.listed()["_meta"]["hostvars"]["pypi-1"]["ansible_host"] == "203.0.113.4"


def test_what_is_wrong_is_refused_before_the_host_is_asked(inventory: Inventory) -> None:
    done = inventory.run("ansible-playbook", "wheelhouse.pypi.site", "--limit", "wrong")
    assert done.returncode == 2, done.stdout + done.stderr
    for words in (
        "tag pypi_port: is unknown to the inventory",
        "tag pypi_url: is unknown to the inventory",
        "pypi_url: '{{ 6 * 7 }}' is not an http or https URL",
    ):
        assert words in done.stdout + done.stderr
    assert "UNREACHABLE" not in done.stdout
    assert "Check the host" not in done.stdout


def test_the_page_names_what_the_file_knows() -> None:
    text = (ROOT / "inventories" / "gcp" / "pypi.gcp.yml").read_text(encoding="utf-8")
    used = {
        name for pair in re.findall(r"labels\.(pypi_\w+)|metadata\['(pypi-[\w-]+)'\]", text) for name in pair if name
    }
    known = set(re.findall(r"'(pypi[_-][\w-]+)'", text.partition("pypi_unknown_tags")[2]))
    assert used == known
    page = (ROOT / "docs" / "clouds.md").read_text(encoding="utf-8")
    assert used <= set(re.findall(r"(?:label|metadata) `(pypi[_-][\w-]+)`", page))
