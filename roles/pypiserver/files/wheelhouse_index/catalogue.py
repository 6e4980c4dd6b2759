"""What is known of each file, so that nothing is read or hashed twice: a SQLite database in index/.

All processes of all replicas share it. It is derived from packages/ and may be deleted at any time: the keeper makes
it anew.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from .entry import Entry, Facts, Stamp

# Another number has all files read anew.
SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE files (
    path TEXT PRIMARY KEY,          -- below packages/
    name TEXT NOT NULL,
    project TEXT NOT NULL,          -- normalized
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    sha256 TEXT,                    -- null while nobody has read the file
    requires_python TEXT NOT NULL DEFAULT '',
    metadata_sha256 TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX files_by_project ON files (project);
CREATE INDEX files_by_name ON files (name);
CREATE INDEX files_unread ON files (project) WHERE sha256 IS NULL;

-- How many files a project has: counting them in `files` would take the longer the more there are.
CREATE TABLE projects (project TEXT PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    INSERT INTO projects VALUES (new.project, 1) ON CONFLICT (project) DO UPDATE SET files = files + 1;
END;
CREATE TRIGGER file_removed AFTER DELETE ON files BEGIN
    UPDATE projects SET files = files - 1 WHERE project = old.project;
    DELETE FROM projects WHERE project = old.project AND files = 0;
END;

-- Projects whose pages have to be written: files to read, or pages that are older than what is known. Who has written
-- them knows by the number whether somebody has put them off again meanwhile.
CREATE TABLE pending (project TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pages_format (number INTEGER NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
"""
_COLUMNS = "path, size, mtime_ns, inode, sha256, requires_python, metadata_sha256"
_BUSY_SECONDS = 30.0


def _entry(row: tuple[str, int, int, int, str | None, str, str]) -> Entry:
    path, size, mtime_ns, inode, sha256, requires_python, metadata_sha256 = row
    facts = Facts(sha256, requires_python, metadata_sha256) if sha256 is not None else None
    return Entry(path, Stamp(size, mtime_ns, inode), facts)


class Catalogue:
    """The database.

    Connections are made for each use: it takes a fraction of a millisecond, threads need no care, and a database that was
    replaced is seen at once.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._holding = False
        self._held: tuple[int, sqlite3.Connection] | None = None
        self._lock = threading.Lock()

    def hold(self) -> None:
        """Keep a connection open from now on; not before a fork.

        Without any, SQLite would remove the files beside the database after each use: it would wait for the disk then,
        and could not make them again where the disk is full.
        """
        self._holding = True

    @contextmanager
    def reading(self) -> Iterator[Known]:
        """Look at what is known."""
        connection = self._connect()
        try:
            yield Known(connection)
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[Known]:
        """Change what is known: all of it or, after an error, nothing."""
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield Known(connection)
            connection.execute("COMMIT")
        finally:
            # Takes back what was not committed.
            connection.close()

    def prepare(self, fill: Callable[[Known], None]) -> None:
        """Make the database where it is missing, damaged, or another version's.

        Args:
            fill: notes what files there are, before anybody sees the new database: nobody is to be told that there
                is no such project because nobody has looked yet.

        Raises:
            sqlite3.OperationalError: if it cannot be looked at now, for want of room for example; that is no damage.
        """
        if self.file.exists() and self._usable():
            return
        new = self.file.with_suffix(".new")
        for file in (self.file, new):
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.executescript(f"BEGIN; {_SCHEMA}")
            fill(Known(connection))
            connection.execute("COMMIT")
            # Readers and the one who writes do not wait for each other. Only now: all is in the one file that gets the name.
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        os.replace(new, self.file)

    def _connect(self) -> sqlite3.Connection:
        # An empty database, as SQLite would make it in place of one that is gone, knows of no projects.
        connection = sqlite3.connect(
            f"{self.file.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
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
            if self._held:
                self._held[1].close()
            held = sqlite3.connect(f"{self.file.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
            self._held = (inode, held)
            # It is opened with the first question.
            held.execute("SELECT count(*) FROM pages_format").fetchone()

    def _usable(self) -> bool:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._connect()
            version = connection.execute("PRAGMA user_version").fetchone()
            return bool(version == (SCHEMA_VERSION,) and connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            return False
        finally:
            if connection:
                connection.close()


class Known:
    """Questions to an open database, and changes in it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def all(self) -> list[Entry]:
        """Return all files."""
        return [_entry(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM files")]

    def of_project(self, project: str) -> list[Entry]:
        """Return the files of a project, given by its normalized name."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE project = ?", (project,))
        return [_entry(row) for row in rows]

    def unread(self, project: str) -> list[Entry]:
        """Return the files of a project that nobody has read."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE project = ? AND sha256 IS NULL", (project,))
        return [_entry(row) for row in rows]

    def with_unread(self) -> list[str]:
        """Return the projects that have such files."""
        return [name for (name,) in self._db.execute("SELECT DISTINCT project FROM files WHERE sha256 IS NULL")]

    def at(self, path: str) -> Entry | None:
        """Return the file with this path."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE path = ?", (path,)).fetchone()
        return _entry(row) if row else None

    def named(self, name: str) -> list[str]:
        """Return the paths of the files that have this name, in whatever folders."""
        return [path for (path,) in self._db.execute("SELECT path FROM files WHERE name = ?", (name,))]

    def stamps(self) -> dict[str, Stamp]:
        """Return the stamp of each file, by path."""
        rows = self._db.execute("SELECT path, size, mtime_ns, inode FROM files")
        return {path: Stamp(size, mtime_ns, inode) for path, size, mtime_ns, inode in rows}

    def projects(self) -> list[str]:
        """Return the normalized names of all projects, sorted."""
        return [name for (name,) in self._db.execute("SELECT project FROM projects ORDER BY project")]

    def counts(self) -> tuple[int, int]:
        """Return how many projects and files there are."""
        projects, files = self._db.execute("SELECT count(*), coalesce(sum(files), 0) FROM projects").fetchone()
        return projects, files

    def put(self, entry: Entry) -> None:
        """Note a file, whether it was known or not."""
        self.remove([entry.path])
        facts = entry.facts or Facts("")
        self._db.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(entry.path, entry.name, entry.project, entry.stamp.size, entry.stamp.mtime_ns, entry.stamp.inode),
                *(entry.facts and facts.sha256, facts.requires_python, facts.metadata_sha256),
            ),
        )

    def remove(self, paths: Iterable[str]) -> None:
        """Forget files."""
        self._db.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in paths))

    def pending(self) -> dict[str, int]:
        """Return the projects whose pages have to be written, and how often they have been put off."""
        return dict(self._db.execute("SELECT project, times FROM pending ORDER BY project"))

    def put_off(self, projects: Iterable[str]) -> None:
        """Note projects whose pages have to be written."""
        self._db.executemany(
            "INSERT INTO pending VALUES (?, 1) ON CONFLICT (project) DO UPDATE SET times = times + 1",
            ((name,) for name in projects),
        )

    def times_put_off(self, project: str) -> int:
        """Return how often a project has been put off; 0 where its pages are written."""
        row = self._db.execute("SELECT times FROM pending WHERE project = ?", (project,)).fetchone()
        return int(row[0]) if row else 0

    def done(self, projects: Mapping[str, int]) -> None:
        """Note projects whose pages are written, unless they have been put off more often than that."""
        self._db.executemany("DELETE FROM pending WHERE project = ? AND times = ?", projects.items())

    @property
    def pages_format(self) -> int:
        """The format of the pages that were written; 0 before any was."""
        row = self._db.execute("SELECT number FROM pages_format").fetchone()
        return int(row[0]) if row else 0

    @pages_format.setter
    def pages_format(self, number: int) -> None:
        self._db.execute("DELETE FROM pages_format")
        self._db.execute("INSERT INTO pages_format VALUES (?)", (number,))
