"""What is known of each file, so that nothing is read or hashed twice: a SQLite database in index/.

All processes of all replicas share it. It is derived from packages/ and may be deleted at any time: the keeper makes
another. Each number of the schema has a file of its own, so that another release finds its own as it left it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import schema
from .known import Known

log = logging.getLogger(__name__)
_BUSY_SECONDS = 30.0
# As many connections are kept.
_IDLE = 4
# A file that is shorter than it was.
_DAMAGE = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}


class TornError(sqlite3.OperationalError):
    """Files of the database were removed; it is replaced within moments."""


class Catalogue:
    """The database.

    Who uses it has a connection alone, so threads need no care. A process that holds one keeps those that are done with as well:
    a new one would read the schema first, which takes longer than most questions.

    Args:
        file: where it is.
        mend: has it replaced, where files of it were removed.
    """

    def __init__(self, file: Path, mend: Callable[[], None] = lambda: None) -> None:
        self.file = file
        self._mend = mend
        # Gets what a transaction has changed, before it counts.
        self.before_commit: Callable[[Known], None] = lambda _known: None
        self._holding = False
        self._held: tuple[int, sqlite3.Connection] | None = None
        # Connections to the database that the held one is to, which nobody uses at the moment.
        self._idle: list[sqlite3.Connection] = []
        self._files_beside = f"{file}-wal", f"{file}-shm"
        # They, as they were when the connection was opened.
        self._beside: list[int] = []
        self._lock = threading.Lock()
        # Whether something that was asked could not be answered, as the database is damaged.
        self.damaged = False

    def hold(self) -> None:
        """Keep a connection open from now on; not before a fork.

        Without any, SQLite would remove the files beside the database after each use: it would wait for the disk then,
        and could not make them again where the disk is full.
        """
        self._holding = True

    @contextmanager
    def reading(self) -> Iterator[Known]:
        """Look at what is known."""
        if not self.is_whole():
            self._mend()
        with self._open() as connection:
            yield Known(connection)

    @contextmanager
    def writing(self) -> Iterator[Known]:
        """Change what is known: all of it or, after an error, nothing."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            known = Known(connection)
            yield known
            self.before_commit(known)
            connection.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        inode = _inode(self.file)
        connection = self._idle_to(inode) or self._connect()
        is_done = False
        try:
            yield connection
            is_done = True
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self.damaged = True
            raise
        finally:
            if not (is_done and self._keep(inode, connection)):
                # Takes back what was not committed.
                connection.close()

    def _idle_to(self, inode: int) -> sqlite3.Connection | None:
        """Return a connection that was kept, if it is to this database and nothing beside it was removed."""
        if not self.is_whole():
            return None
        with self._lock:
            if self._held and self._held[0] != inode:
                self._forget_idle()
            return self._idle.pop() if self._idle else None

    def _keep(self, inode: int, connection: sqlite3.Connection) -> bool:
        """Keep a connection for the next use, if it is to the database that is held; return whether it is kept."""
        with self._lock:
            if connection.in_transaction or not self._held or inode != self._held[0] or len(self._idle) >= _IDLE:
                return False
            self._idle.append(connection)
            return True

    def _forget_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def prepare(self, fill: Callable[[Known], None]) -> None:
        """Make the database where it is missing, damaged, or another version's.

        Args:
            fill: notes what files there are before the new database is in use: without it, projects that were not looked for yet
                would be answered with 404.

        Raises:
            sqlite3.OperationalError: if it cannot be looked at now, for want of room for example; that is no damage.
        """
        if self.file.exists():
            whole = self.is_whole()
            if whole and self._usable():
                return
            if not whole and self._rescue():
                log.warning("Restored the files beside %s, which were removed", self.file)
                return
            log.warning("%s is damaged or of another version: making it from packages/", self.file)
        self.replace(fill)

    def replace(self, fill: Callable[[Known], None]) -> None:
        """Make a new database in place of what is there; ``fill`` as for ``prepare``."""
        new = self._new()
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.executescript(f"BEGIN; {schema.TABLES}")
            fill(Known(connection))
            connection.execute("COMMIT")
        finally:
            connection.close()
        self._put_in_place(new)

    def _rescue(self) -> bool:
        """Copy what the connection that this process holds still sees, though files beside the database were removed."""
        new = self._new()
        with self._lock:
            if not self._held or self._held[0] != _inode(self.file):
                return False
            try:
                self._held[1].execute("VACUUM INTO ?", (str(new),))
            except sqlite3.DatabaseError:
                return False
        if not self._usable(new):
            return False
        self._put_in_place(new)
        return True

    def _new(self) -> Path:
        """Return where a database is made, with nothing there."""
        new = self.file.with_suffix(".new")
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{new}{suffix}").unlink(missing_ok=True)
        return new

    def _put_in_place(self, new: Path) -> None:
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            # Readers and the writer do not wait for each other. Only now: all is in the one file that gets the name.
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        for suffix in ("-wal", "-shm", "-journal"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        os.replace(new, self.file)
        self.damaged = False

    def is_whole(self) -> bool:
        """Tell whether the database has the files beside it that this process has opened.

        Without them, processes would not see each other's changes, and spoil the database. Other than SQLite's own
        errors, this is known before anything is asked or written.
        """
        with self._lock:
            if not self._held or self._held[0] != _inode(self.file):
                # Not opened yet, or replaced; the next use opens the new one.
                return self.file.exists()
            return self._beside == self._inodes_beside()

    def _inodes_beside(self) -> list[int]:
        return list(map(_inode, self._files_beside))

    def _connect(self) -> sqlite3.Connection:
        if not self.is_whole():
            raise TornError(f"{self.file} or a file beside it was removed")
        # An empty database, as SQLite would make it in place of a removed one, knows of no projects.
        connection = sqlite3.connect(
            f"{self.file.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            # One thread at a time has it.
            check_same_thread=False,
        )
        # Without an fsync a commit: after a loss of power the last ones may be missing, which `stat` tells.
        connection.execute("PRAGMA synchronous = NORMAL")
        if self._holding:
            self._hold()
        return connection

    def _hold(self) -> None:
        with self._lock, suppress(FileNotFoundError):
            inode = self.file.stat().st_ino
            if self._held and self._held[0] == inode:
                return
            self._forget_idle()
            if self._held:
                self._held[1].close()
            held = sqlite3.connect(f"{self.file.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
            self._held = (inode, held)
            # It is opened with the first question.
            held.execute("SELECT count(*) FROM pages_format").fetchone()
            self._beside = self._inodes_beside()

    def _usable(self, other: Path | None = None) -> bool:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(other) if other else self._connect()
            version = connection.execute("PRAGMA user_version").fetchone()
            return version == (schema.VERSION,) and connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) in _DAMAGE:
                return False
            raise
        except sqlite3.DatabaseError:
            return False
        finally:
            if connection:
                connection.close()


def _inode(file: Path | str) -> int:
    """Return a file's inode; 0 where there is none."""
    try:
        return os.stat(file).st_ino
    except FileNotFoundError:
        return 0
