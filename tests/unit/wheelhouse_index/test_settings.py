"""The settings that the extension reads are those that Compose passes to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wheelhouse_index.server.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


def test_what_compose_tells_the_extension_is_a_setting_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = (ROOT / "roles/stack/templates/docker-compose.yml.j2").read_text(encoding="utf-8")
    names = re.findall(r"^ +(WHEELHOUSE_\w+):", compose, re.M)
    assert names
    default = Settings.of_environment()
    for name in names:
        with monkeypatch.context() as patch:
            # A node is one of all.
            for one in ("WHEELHOUSE_NODE", "WHEELHOUSE_NODES") if "NODE" in name else (name,):
                patch.setenv(one, "1")
            assert Settings.of_environment() != default, name
