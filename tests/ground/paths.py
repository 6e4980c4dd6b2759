"""Where the proving ground keeps its things."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "ground"
# Mounted read-only into every host as /srv/ground: nothing else may lie in there.
ARCHIVES = CACHE / "archives"
# Of builds; what a killed one left there goes with the next.
WORK = CACHE / "work"
LOGS = CACHE / "logs"
FILES = Path(__file__).resolve().parent / "files"
VENV = ROOT / ".venv"
