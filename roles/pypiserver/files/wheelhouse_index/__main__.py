"""``python3 -m wheelhouse_index run …``: takes the words of ``pypi-server``, and runs gunicorn.

Should this package not load in the image that is there, the backend that pypiserver ships serves, and says so.
"""

from __future__ import annotations

import os
import sys
import time
import traceback

SHIPPED = "simple-dir"


def shipped(words: list[str]) -> list[str]:
    """Return the command that does the same with a backend of pypiserver's own."""
    words = list(words)
    if "--backend" in words:
        words[words.index("--backend") + 1] = SHIPPED
    return [sys.executable, "-m", "wheelhouse_index.rights", *words]


def main() -> None:
    """Serve, one way or the other."""
    words = sys.argv[1:]
    try:
        from wheelhouse_index import app

        app.prepare(words)
    except Exception as error:
        # Whatever it is: an index that is slow is better than none.
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        print(f"wheelhouse_index does not load ({reason}); the backend {SHIPPED} serves", file=sys.stderr, flush=True)
        if "indexed" in words:
            _pages_are_not_served(reason)
        command = shipped(words)
        os.execv(command[0], command)
    app.serve(words)


def _pages_are_not_served(reason: str) -> None:
    """Take the pages away, which nobody keeps fresh now: what is not there, NGINX asks pypiserver for."""
    index = os.environ.get("WHEELHOUSE_INDEX", "/data/index")
    try:
        for name in ("simple", "index.html"):
            pages = os.path.join(index, name)
            if os.path.lexists(pages):
                # By renaming, which needs no room and no time. When this package loads again, it removes them.
                os.rename(pages, os.path.join(index, f".unserved-{name}-{time.time_ns()}"))
        with open(os.path.join(index, "not-loaded"), "w", encoding="utf-8") as note:
            note.write(reason + "\n")
    except OSError as error:
        print(f"wheelhouse_index leaves {index} as it is: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
