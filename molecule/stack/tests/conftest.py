"""What is tried of this scenario."""

from __future__ import annotations

import os

# Takes 16 GB of disk.
collect_ignore = [] if os.environ.get("WHEELHOUSE_LONG") else ["test_9_large.py"]
