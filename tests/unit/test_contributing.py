"""CONTRIBUTING.md leads to files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In code style, from the top of the checkout; those with <name> stand for any.
_PATH = re.compile(r"`((?:\.config|\.github|docs|inventories|molecule|playbooks|plugins|roles|tests)/[\w./-]*)`")


def test_every_path_exists() -> None:
    paths = set(_PATH.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
