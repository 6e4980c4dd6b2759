"""``python3 -m wheelhouse_index.rebuild``: has all files read anew and all pages written, while the old ones serve."""

from __future__ import annotations

import os
from pathlib import Path

from .store import Store


def main() -> None:
    """Forget what is known; the keeper does the rest."""
    packages, index = (os.environ.get(f"WHEELHOUSE_{name}", f"/data/{name.lower()}") for name in ("PACKAGES", "INDEX"))
    store = Store(Path(packages), Path(index))
    store.prepare()
    store.forget()
    print("Files are read anew, and pages follow; those that are there are served meanwhile.")


if __name__ == "__main__":
    main()
