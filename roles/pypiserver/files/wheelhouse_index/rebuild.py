"""``python3 -m wheelhouse_index.rebuild``: has all files read and all pages written once more, while the old ones serve."""

from __future__ import annotations

import fcntl
import sqlite3
import sys
import time
from contextlib import suppress

from .index.store import Store
from .server.keeper import LOCK
from .server.settings import Settings

# Seconds: between looks at what the server's keeper has done, and until one that does nothing is given up.
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 300.0


def main() -> None:
    """Forget what is known, and wait until all of it is known again."""
    settings = Settings.of_environment()
    try:
        print(rebuilt(settings.store()))
    except Exception as error:
        sys.exit(f"The pages are not rebuilt: {type(error).__name__}: {error}")


def rebuilt(store: Store) -> str:
    """Rebuild an index.

    Returns:
        What was done.

    Raises:
        TimeoutError: if a server is to do it, and does not.
    """
    store.forget()
    store.check_pages()
    with open(store.output.folder / LOCK, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _wait(store)
        else:
            # No server runs that would do it.
            store.write_pending()
    with store.catalogue.reading() as known:
        projects, files = known.counts()
        unread = known.unread_count()
    cannot = (
        f" {unread:,} of them cannot be read, and are on no page; the log of pypi-server names them." if unread else ""
    )
    return f"All pages are written (projects: {projects:,}, files: {files:,}).{cannot}"


def _wait(store: Store) -> None:
    """Wait until the server's keeper has read all files and written all pages."""
    last, since = (-1, -1), time.monotonic()
    while True:
        with suppress(sqlite3.OperationalError), store.catalogue.reading() as known:
            left = len(known.pending()), known.unread_count()
            if not left[0]:
                return
            if left != last:
                last, since = left, time.monotonic()
        if time.monotonic() - since > _PATIENCE_SECONDS:
            raise TimeoutError(f"{last[0]} projects wait for their pages; the log of pypi-server says why")
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
