"""CHANGELOG.rst has all that changelogs/changelog.yaml has, which has all modules and filters of its releases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RELEASES: dict[str, Any] = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))["releases"]
PAGE = " ".join((ROOT / "CHANGELOG.rst").read_text(encoding="utf-8").split())

_VERSION_ADDED = re.compile(r"^ *version_added: ([0-9.]+)$", re.MULTILINE)


def _objects(release: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the modules, plugins and playbooks of a release."""
    yield from release.get("modules", [])
    for kind in ("plugins", "objects"):
        for entries in release.get(kind, {}).values():
            yield from entries


@pytest.mark.parametrize("version", RELEASES)
def test_the_page_has_every_change(version: str) -> None:
    changes = dict(RELEASES[version]["changes"])
    said = [changes.pop("release_summary"), *(entry for entries in changes.values() for entry in entries)]
    assert [entry for entry in said if " ".join(entry.split()) not in PAGE] == []


@pytest.mark.parametrize("version", RELEASES)
def test_the_page_has_every_module_plugin_and_playbook(version: str) -> None:
    lines = [f"- wheelhouse.pypi.{found['name']} - {found['description']}" for found in _objects(RELEASES[version])]
    assert lines
    assert [line for line in lines if line not in PAGE] == []


def test_every_module_and_filter_of_a_release_is_in_it() -> None:
    listed = {found["name"] for release in RELEASES.values() for found in _objects(release)}
    files = [*ROOT.glob("plugins/modules/*.py"), *ROOT.glob("plugins/filter/*.yml")]
    added = {file.stem: _VERSION_ADDED.findall(file.read_text(encoding="utf-8")) for file in files}
    assert all(added.values())
    assert {name for name, (version, *_) in added.items() if version in RELEASES} - listed == set()
