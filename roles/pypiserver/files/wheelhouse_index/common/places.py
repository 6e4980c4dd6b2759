"""Where things lie that a command reads without all else that settings know, and import."""

from __future__ import annotations

import os
from pathlib import Path

LOGS = "/data/logs"


def logs() -> Path:
    """Return the folder of the access log and the change log (WHEELHOUSE_LOGS)."""
    return Path(os.environ.get("WHEELHOUSE_LOGS", LOGS))
