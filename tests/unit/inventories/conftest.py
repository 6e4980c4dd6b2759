"""What the inventories' tests share: Ansible's own programs, run on a copy of an inventory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.constants import DEFAULT_VAULT_ID_MATCH  # noqa: F401  (loads the configuration that vault needs)
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.collection import ROOT, develop

# What of the machine would lead the clouds' SDKs elsewhere.
_OF_CLOUDS = re.compile(
    r"(aws|gcp|gce|google|cloudsdk)_|(.*_proxy|boto_config|requests_ca_bundle|curl_ca_bundle)\Z", re.I
)
VAULT_PASSWORD = "the key of the vault"


def plain(value: Any) -> Any:
    """Return what ansible-inventory prints without its marks of values that are never templates."""
    if isinstance(value, dict):
        return (
            value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else {k: plain(v) for k, v in value.items()}
        )
    return [plain(item) for item in value] if isinstance(value, list) else value


def ran(
    program: str, *arguments: str, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs, which sees of the machine's environment nothing that clouds' SDKs look at.

    Args:
        program: such as ``ansible-playbook``.
        arguments: what follows on the command line.
        environment: variables on top.
        folder: where it runs, and finds an ansible.cfg.
    """
    machine = {key: value for key, value in os.environ.items() if not _OF_CLOUDS.match(key)}
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(develop()), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        env={**machine, **environment, **paths},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass
class Inventory:
    """A copy of an inventory of the project, with vaults.

    Attributes:
        folder: where it lies; a test may change what is there.
        environment: variables that lead an SDK to an imitation.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of Ansible's programs with the inventory."""
        key = self.folder.parent / "vault-password"
        key.write_text(VAULT_PASSWORD, encoding="utf-8")
        options = ["--inventory", str(self.folder), "--vault-password-file", str(key)]
        return ran(program, *options, *arguments, environment=self.environment, folder=self.folder.parent)

    def listed(self) -> dict[str, Any]:
        """Return what ``ansible-inventory --list`` says."""
        done = self.run("ansible-inventory", "--list")
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(plain(json.loads(done.stdout)))

    def vault(self, group: str, **passwords: str) -> None:
        """Give a group the passwords of its vault.yml.example, encrypted as ansible-vault does it."""
        example = self.folder / "group_vars" / group / "vault.yml.example"
        text = example.read_text(encoding="utf-8")
        for name, password in passwords.items():
            assert f'  {name}: ""\n' in text, f"{example} has no place for {name}"
            text = text.replace(f'  {name}: ""\n', f"  {name}: {password}\n")
        assert ': ""' not in text, f"{example} wants more passwords"
        vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
        example.with_suffix("").write_bytes(vault.encrypt(text.encode()))


def copied(name: str, folder: Path, environment: Mapping[str, str] | None = None) -> Inventory:
    """Copy ``inventories/<name>`` into a folder of a test."""
    shutil.copytree(ROOT / "inventories" / name, folder / name)
    return Inventory(folder / name, environment or {})


def hosts_of(listed: Mapping[str, Any], group: str) -> set[str]:
    """Return the hosts of a group and of those below it."""
    found = set(listed.get(group, {}).get("hosts", []))
    return found.union(*(hosts_of(listed, child) for child in listed.get(group, {}).get("children", [])))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what a module's tests share."""
    return tmp_path_factory.mktemp("inventory")
