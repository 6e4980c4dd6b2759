"""What is known of each file, so that nothing is read or hashed twice: a SQLite database in index/.

All processes of all replicas share it. It is derived from packages/ and may be deleted at any time, with a stop of
pypiserver around it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

-- How many files a project has: counting them in `files` would take the longer the more there are.
CREATE TABLE projects (project TEXT PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    INSERT INTO projects VALUES (new.project, 1) ON CONFLICT (project) DO UPDATE SET files = files + 1;
END;
CREATE TRIGGER file_removed AFTER DELETE ON files BEGIN
    UPDATE projects SET files = files - 1 WHERE project = old.project;
    DELETE FROM projects WHERE project = old.project AND files = 0;
END;

-- Projects whose pages have to be written: files to read, or pages that are older than what is known.
CREATE TABLE pending (project TEXT PRIMARY KEY) WITHOUT ROWID;
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

    Connections are made for each use: it takes a fraction of a millisecond, threads and forks need no care, and a
    database that was replaced is seen at once.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

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

    def prepare(self) -> None:
        """Make the database where it is missing, damaged, or another version's."""
        try:
            if self._version() == SCHEMA_VERSION and self._sound():
                return
        except sqlite3.DatabaseError:
            pass
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        connection = self._connect()
        try:
            # Readers and the one who writes do not wait for each other.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=_BUSY_SECONDS, isolation_level=None)
        # Without an fsync a commit: after a loss of power the last ones may be missing, which `stat` tells.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _version(self) -> int:
        connection = self._connect()
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()

    def _sound(self) -> bool:
        connection = self._connect()
        try:
            return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
        finally:
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

    def at(self, path: str) -> Entry | None:
        """Return the file with this path."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE path = ?", (path,)).fetchone()
        return _entry(row) if row else None

    def has_name(self, name: str) -> bool:
        """Tell whether a file has this name, in whatever folder."""
        return self._db.execute("SELECT 1 FROM files WHERE name = ?", (name,)).fetchone() is not None

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

    def pending(self) -> list[str]:
        """Return the projects whose pages have to be written."""
        return [name for (name,) in self._db.execute("SELECT project FROM pending ORDER BY project")]

    def put_off(self, projects: Iterable[str]) -> None:
        """Note projects whose pages have to be written."""
        self._db.executemany("INSERT OR IGNORE INTO pending VALUES (?)", ((name,) for name in projects))

    def done(self, projects: Iterable[str]) -> None:
        """Note projects whose pages are written."""
        self._db.executemany("DELETE FROM pending WHERE project = ?", ((name,) for name in projects))

    @property
    def pages_format(self) -> int:
        """The format of the pages that were written; 0 before any was."""
        row = self._db.execute("SELECT number FROM pages_format").fetchone()
        return int(row[0]) if row else 0

    @pages_format.setter
    def pages_format(self, number: int) -> None:
        self._db.execute("DELETE FROM pages_format")
        self._db.execute("INSERT INTO pages_format VALUES (?)", (number,))
