"""What is asked of the catalogue, and what is noted in it, within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..fact_store.decisions import NOTHING, Decisions
from ..fact_store.journal import Place
from ..fact_store.records import COPIED, Record
from ..files.entry import Entry, Facts, Stamp
from ..files.names import Release
from . import schema

_READ = "own_name, own_version, requires_python, metadata_sha256"
_COLUMNS = f"path, size, mtime_ns, inode, sha256, unreadable, {_READ}, uploaded_ns, recorded, refused, attested"
_REMOVED = "project, name, sha256, size, uploaded_ns FROM removed"
_UNREAD = "sha256 IS NULL AND refused = ''"
_UNTRIED = "sha256 IS NULL AND unreadable = 0"
# A signature makes no project, nor does it count as a file.
_UNTRIED_FILES = f"files WHERE {_UNTRIED} AND name NOT LIKE '%.asc'"
_PROJECTS = f"SELECT project FROM projects UNION SELECT project FROM {_UNTRIED_FILES}"


def _entry(row: Sequence[Any]) -> Entry:
    path, size, mtime_ns, inode, sha256, unreadable, name, version, python, metadata_sha256, *rest = row
    uploaded_ns, recorded, refused, attested = rest
    facts = None if sha256 is None else Facts(sha256, Release(name, version), python, metadata_sha256)
    stamp = Stamp(size, mtime_ns, inode)
    return Entry(path, stamp, facts, bool(unreadable), uploaded_ns, bool(recorded), refused, bool(attested))


def _columns(entry: Entry) -> Sequence[Any]:
    facts, release, stamp = entry.facts, entry.release, entry.stamp
    return (
        *(entry.path, entry.name, release.project, stamp.size, stamp.mtime_ns, stamp.inode),
        *(facts and facts.sha256, entry.unreadable, release.name, release.version),
        *(facts.requires_python if facts else "", facts.metadata_sha256 if facts else ""),
        *(entry.uploaded_ns, entry.recorded, entry.refused, entry.attested),
    )


def entry_of(row: Sequence[Any]) -> Entry:
    """Return the file that a row of a journal is of; raises ValueError or TypeError if it is of none."""
    path, size, mtime_ns, inode, sha256, unreadable, *texts, uploaded_ns, recorded, refused, attested = row
    numbers = [size, mtime_ns, inode, unreadable, recorded, attested, *([] if uploaded_ns is None else [uploaded_ns])]
    words = [path, refused, *texts, *([] if sha256 is None else [sha256])]
    if not (
        all(isinstance(one, int) for one in numbers) and all(isinstance(one, str) for one in words) and len(texts) == 4
    ):
        raise TypeError("a column has another type")
    return _entry(row)


def _record(row: Sequence[Any]) -> Record:
    sha256, size, uploaded_ns = row
    # Its login is not kept here.
    return Record(sha256, size, uploaded_ns, COPIED)


@dataclass
class Changes:
    """What was changed since a transaction began, or since that was put into the journal.

    Attributes:
        paths: of files that were noted or removed.
        metadata: core metadata of some of them, by path.
        decided: projects on which was decided.
        given_back: projects whose names were given back.
        claimed: projects whose names are private, whatever else is known of them.
        freed: projects whose names are free, once all that others have journalled was read.
    """

    paths: set[str] = field(default_factory=set)
    metadata: dict[str, bytes] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    given_back: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)


class Known:
    """Questions to an open database, and changes in it.

    Attributes:
        changes: what was changed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.changes = Changes()

    def all(self) -> list[Entry]:
        """Return all files."""
        return [_entry(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM files")]

    def names(self) -> set[str]:
        """Return the names of all files."""
        return {name for (name,) in self._db.execute("SELECT DISTINCT name FROM files")}

    def paths(self) -> set[str]:
        """Return the paths of all files."""
        return {path for (path,) in self._db.execute("SELECT path FROM files")}

    def read_paths(self) -> set[str]:
        """Return the paths of the files that are served."""
        return {path for (path,) in self._db.execute("SELECT path FROM files WHERE sha256 IS NOT NULL")}

    def with_metadata(self) -> set[str]:
        """Return the paths of the files beside which core metadata are to be served."""
        return {path for (path,) in self._db.execute("SELECT path FROM files WHERE metadata_sha256 <> ''")}

    def with_provenance(self) -> set[str]:
        """Return the paths of the files beside which provenance is to be served."""
        return {path for (path,) in self._db.execute("SELECT path FROM files WHERE attested = 1")}

    def of_project(self, project: str) -> list[Entry]:
        """Return the files of a project, given by its normalised name."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE project = ?", (project,))
        return [_entry(row) for row in rows]

    def has_files(self, project: str) -> bool:
        """Tell whether a project, given by its normalised name, has files."""
        return self._db.execute("SELECT 1 FROM files WHERE project = ? LIMIT 1", (project,)).fetchone() is not None

    def versions(self, project: str) -> list[tuple[str, str]]:
        """Return the path of each file of a project, and its version, as the file spells it."""
        return self._db.execute("SELECT path, own_version FROM files WHERE project = ?", (project,)).fetchall()

    def unread(self, project: str) -> list[Entry]:
        """Return the files of a project that have not been read, or could not be."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE project = ? AND {_UNREAD}", (project,))
        return [_entry(row) for row in rows]

    def refused(self) -> list[Entry]:
        """Return the files that were read and are on no page."""
        return [_entry(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE refused <> ''")]

    def with_unread(self) -> list[str]:
        """Return the projects that have such files."""
        return [name for (name,) in self._db.execute(f"SELECT DISTINCT project FROM files WHERE {_UNREAD}")]

    def unread_count(self) -> int:
        """Return how many files have not been read."""
        return int(self._db.execute("SELECT count(*) FROM files WHERE sha256 IS NULL").fetchone()[0])

    def unrecorded(self, most: int, since_ns: int, until_ns: int) -> list[Entry]:
        """Return some of the files that have been read, and that the store of facts does not have yet.

        Args:
            most: how many.
            since_ns: what was changed since then, up to ``until_ns``, is left out.
            until_ns: see there.
        """
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM files WHERE {schema.UNRECORDED} "
            " AND (uploaded_ns IS NOT NULL OR NOT (mtime_ns > ? AND mtime_ns <= ?)) ORDER BY project, path LIMIT ?",
            (since_ns, until_ns, most),
        )
        return [_entry(row) for row in rows]

    def note_recorded(self, entries: Iterable[Entry]) -> None:
        """Note files that are in the store of facts, and when they were published."""
        entries = list(entries)
        self.changes.paths.update(entry.path for entry in entries)
        self._db.executemany(
            "UPDATE files SET uploaded_ns = ?, recorded = 1 WHERE path = ?",
            ((entry.uploaded_ns, entry.path) for entry in entries),
        )

    def recorded(self, projects: Iterable[str] | None = None) -> dict[str, dict[str, bool]]:
        """Return the names of the files that the store of facts has, by project, and whether with attestations.

        Args:
            projects: of which; all without.
        """
        found: dict[str, dict[str, bool]] = {}
        for project, name, attested in self._of("project, name, attested FROM files WHERE recorded = 1", projects):
            own = found.setdefault(project, {})
            own[name] = own.get(name, False) or bool(attested)
        return found

    def removed_of(self, projects: Iterable[str] | None = None) -> dict[str, dict[str, Record]]:
        """Return the records of files that were removed, by project and name; arguments as for ``recorded``."""
        found: dict[str, dict[str, Record]] = {}
        for project, name, *record in self._of(f"{_REMOVED} WHERE 1", projects):
            found.setdefault(project, {})[name] = _record(record)
        return found

    def removed(self, names: Iterable[str]) -> list[tuple[str, str, Record]]:
        """Return the records of files that had these names, whatever their projects, and were removed."""
        rows = (row for name in names for row in self._db.execute(f"SELECT {_REMOVED} WHERE name = ?", (name,)))
        return [(project, name, _record(record)) for project, name, *record in rows]

    def give_back(self, project: str) -> None:
        """Forget what is known of a project that has no files."""
        self.changes.given_back.add(project)
        for table in ("removed", "decisions"):
            self._db.execute(f"DELETE FROM {table} WHERE project = ?", (project,))

    def note_removed(self, files: Iterable[tuple[str, str, Record]]) -> None:
        """Note records of files that are not there."""
        self._db.executemany(
            "INSERT OR IGNORE INTO removed SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM files WHERE name = ?1)",
            ((name, project, one.sha256, one.size, one.uploaded_ns) for project, name, one in files),
        )

    def _of(self, what: str, projects: Iterable[str] | None) -> Iterator[Any]:
        """Yield rows of projects, or of all."""
        if projects is None:
            yield from self._db.execute(f"SELECT {what}")
        else:
            for project in projects:
                yield from self._db.execute(f"SELECT {what} AND project = ?", (project,))

    def note_lost(self, files: Iterable[tuple[str, str]]) -> None:
        """Note files, by project and name, that the store of facts does not have any more."""
        self._db.executemany("UPDATE files SET recorded = 0 WHERE project = ? AND name = ?", files)

    def has_recorded(self) -> bool:
        """Tell whether the store of facts has, or had, anything."""
        asked = (
            "SELECT 1 FROM files WHERE recorded = 1 UNION ALL SELECT 1 FROM removed UNION ALL SELECT 1 FROM decisions"
        )
        return self._db.execute(f"{asked} LIMIT 1").fetchone() is not None

    def decisions(self, project: str) -> Decisions:
        """Return what was decided on a project."""
        row = self._db.execute("SELECT decided FROM decisions WHERE project = ?", (project,)).fetchone()
        return Decisions.of_text(row[0]) if row else NOTHING

    def decided(self) -> dict[str, str]:
        """Return the projects on which anything was decided, each with the text of that."""
        return dict(self._db.execute("SELECT project, decided FROM decisions ORDER BY project").fetchall())

    def quarantined_with_files(self) -> list[str]:
        """Return the projects that have files in packages/, and were quarantined, or of which that is unknown."""
        rows = self._db.execute(
            "SELECT project FROM decisions WHERE decided LIKE '%quarantined%'"
            " AND EXISTS (SELECT 1 FROM files WHERE files.project = decisions.project)"
        )
        return [name for (name,) in rows.fetchall() if self.decisions(name).is_quarantined]

    def decide(self, project: str, decisions: Decisions) -> None:
        """Note what was decided on a project."""
        self.changes.decided.add(project)
        self._db.execute("INSERT OR REPLACE INTO decisions VALUES (?, ?)", (project, decisions.text()))

    @property
    def recorded_in(self) -> str:
        """The id of the store of facts that has the recorded files."""
        row = self._db.execute("SELECT id FROM recorded_in").fetchone()
        return str(row[0]) if row else ""

    @recorded_in.setter
    def recorded_in(self, own: str) -> None:
        if own != self.recorded_in:
            # Another one has none of them. When they were published is kept.
            self._db.execute("UPDATE files SET recorded = 0 WHERE recorded = 1")
            self._db.execute("DELETE FROM recorded_in")
            self._db.execute("INSERT INTO recorded_in VALUES (?)", (own,))

    @property
    def served_at(self) -> str:
        """The address of the index that pages name; empty where they name none."""
        row = self._db.execute("SELECT url FROM served_at").fetchone()
        return str(row[0]) if row else ""

    @served_at.setter
    def served_at(self, url: str) -> None:
        self._db.execute("DELETE FROM served_at")
        self._db.execute("INSERT INTO served_at VALUES (?)", (url,))

    def with_attested(self) -> list[str]:
        """Return the projects that have files with provenance."""
        return [name for (name,) in self._db.execute("SELECT DISTINCT project FROM files WHERE attested = 1")]

    def at(self, path: str) -> Entry | None:
        """Return the file with this path."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE path = ?", (path,)).fetchone()
        return _entry(row) if row else None

    def project_of(self, path: str) -> str | None:
        """Return the project of the file with this path; None where there is none."""
        row = self._db.execute("SELECT project FROM files WHERE path = ?", (path,)).fetchone()
        return str(row[0]) if row else None

    def unrecorded_named(self, name: str) -> list[Entry]:
        """Return the files that have this name, have been read, and that the store of facts does not have yet."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM files WHERE name = ? AND recorded = 0 AND sha256 IS NOT NULL", (name,)
        )
        return [_entry(row) for row in rows]

    def named(self, name: str) -> list[str]:
        """Return the paths of the files that have this name, in whatever folders."""
        return [path for (path,) in self._db.execute("SELECT path FROM files WHERE name = ?", (name,))]

    def stamps(self) -> dict[str, Stamp]:
        """Return the stamp of each file, by path."""
        rows = self._db.execute("SELECT path, size, mtime_ns, inode FROM files")
        return {path: Stamp(size, mtime_ns, inode) for path, size, mtime_ns, inode in rows}

    def projects(self) -> list[str]:
        """Return the normalised names of all projects, sorted: those with a file that has been read, or will be."""
        return [name for (name,) in self._db.execute(f"{_PROJECTS} ORDER BY 1")]

    def with_pages(self) -> set[str]:
        """Return the projects that have files on their pages."""
        return {name for (name,) in self._db.execute("SELECT project FROM projects")}

    def has_page(self, project: str) -> bool:
        """Tell whether a project has a file on its page."""
        return self._db.execute("SELECT 1 FROM projects WHERE project = ?", (project,)).fetchone() is not None

    def all_projects(self) -> list[str]:
        """Return the normalised names of all projects that have any file, whether it has been read or not."""
        return [name for (name,) in self._db.execute("SELECT DISTINCT project FROM files ORDER BY project")]

    def counts(self) -> tuple[int, int]:
        """Return how many projects and files there are on pages, or will be."""
        projects, files = self._db.execute("SELECT projects, files FROM counts").fetchone()
        more, unread = self._db.execute(
            "SELECT count(DISTINCT CASE WHEN project NOT IN (SELECT project FROM projects) THEN project END), count(*)"
            f" FROM {_UNTRIED_FILES}"
        ).fetchone()
        return projects + more, files + unread

    def has_sizes(self) -> bool:
        """Tell whether sizes are summed up."""
        return self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'size_removed'").fetchone() is not None

    def sum_sizes(self) -> None:
        """Have sizes summed up from now on."""
        for statement in () if self.has_sizes() else schema.SIZES:
            self._db.execute(statement)

    def size(self, project: str | None = None) -> int:
        """Return how many bytes the files of a project have, or all files, where that is summed up."""
        where = "size" if project is None else "sizes WHERE project = ?"
        row = self._db.execute(f"SELECT bytes FROM {where}", () if project is None else (project,)).fetchone()
        return int(row[0]) if row else 0

    def summed_size(self) -> int:
        """Sum up now how many bytes all files have."""
        return int(self._db.execute("SELECT coalesce(sum(size), 0) FROM files").fetchone()[0])

    def put(self, entry: Entry) -> None:
        """Note a file, whether it was known or not."""
        self.remove([entry.path])
        self.put_new([entry])

    def put_new(self, entries: Iterable[Entry]) -> None:
        """Note files, none of which is known; this is no change of them, and not journalled."""
        marks = ", ".join("?" * 16)
        self._db.executemany(f"INSERT INTO files VALUES ({marks})", map(_columns, entries))

    def remove(self, paths: Iterable[str]) -> None:
        """Forget files."""
        paths = list(paths)
        self.changes.paths.update(paths)
        self._db.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in paths))

    def row(self, path: str) -> list[Any] | None:
        """Return what is known of a file, as journals have it; None where there is none."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE path = ?", (path,)).fetchone()
        return list(row) if row else None

    @contextmanager
    def as_it_is(self) -> Iterator[None]:
        """Have questions answered by what is known now; others may change it all the same."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def rows(self) -> Iterator[list[Any]]:
        """Yield what is known of all files that have been read, as journals have it."""
        yield from map(
            list, self._db.execute(f"SELECT {_COLUMNS} FROM files WHERE sha256 IS NOT NULL OR refused <> ''")
        )

    def follow(self) -> None:
        """Have room for how far journals were read."""
        for statement in schema.FOLLOWED:
            self._db.execute(statement)

    def follows(self, nodes: Iterable[str]) -> bool:
        """Tell whether there is a place in the journals of all these nodes."""
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'followed'").fetchone()
        return found is not None and set(nodes) <= self.followed().keys()

    def followed(self) -> dict[str, Place]:
        """Return how far the journals of nodes were read, by their names."""
        rows = self._db.execute("SELECT node, file, offset FROM followed")
        return {node: Place(file, offset) for node, file, offset in rows}

    def note_followed(self, node: str, place: Place) -> None:
        """Note how far the journals of a node were read."""
        self._db.execute("INSERT OR REPLACE INTO followed VALUES (?, ?, ?)", (node, *place))

    def awaited(self) -> list[tuple[str, str, str, int]]:
        """Return files that are not as a journal says yet: path, node, record as text, and since when in ns since 1970."""
        return self._db.execute("SELECT path, node, record, since_ns FROM awaited").fetchall()

    def wait_for(self, path: str, node: str, record: str, since_ns: int) -> None:
        """Note a file that is not as the journal of a node says yet."""
        self._db.execute("INSERT OR REPLACE INTO awaited VALUES (?, ?, ?, ?)", (path, node, record, since_ns))

    def stop_waiting(self, path: str, node: str) -> None:
        """Note that a file is as the journal of a node says, or that a later record of it counts."""
        self._db.execute("DELETE FROM awaited WHERE path = ? AND node = ?", (path, node))

    def pending(self) -> dict[str, int]:
        """Return the projects whose pages have to be written, each with its mark."""
        return dict(self._db.execute("SELECT project, times FROM pending WHERE times > 0 ORDER BY project"))

    def outdated(self, most: int) -> list[str]:
        """Return some of the projects whose pages say what is known, in an older format."""
        rows = self._db.execute("SELECT project FROM pending WHERE times = 0 ORDER BY project LIMIT ?", (most,))
        return [name for (name,) in rows]

    def mark_outdated(self, projects: Iterable[str]) -> None:
        """Note projects whose pages are of an older format, unless they have to be written anyway."""
        self._db.executemany("INSERT OR IGNORE INTO pending VALUES (?, 0)", ((name,) for name in projects))

    def mark_dirty(self, projects: Iterable[str]) -> None:
        """Note projects whose pages have to be written."""
        # A mark that does not come again, also after the row is removed: who writes pages may still have an earlier one.
        self._db.executemany(
            "INSERT INTO pending VALUES (?, 1 + abs(random() / 2))"
            " ON CONFLICT (project) DO UPDATE SET times = excluded.times",
            ((name,) for name in projects),
        )

    def mark_of(self, project: str) -> int:
        """Return the mark of a project whose pages have to be written; 0 where they say what is known."""
        row = self._db.execute("SELECT times FROM pending WHERE project = ?", (project,)).fetchone()
        return int(row[0]) if row else 0

    def mark_written(self, projects: Mapping[str, int]) -> None:
        """Note projects whose pages are written, unless they have another mark than this by now."""
        self._db.executemany("DELETE FROM pending WHERE project = ? AND times = ?", projects.items())

    def written(self) -> list[tuple[str, int, int]]:
        """Return what was written into index/: path, size in bytes and time of change in ns."""
        return self._db.execute("SELECT path, size, mtime_ns FROM written").fetchall()

    def written_as(self, path: str) -> tuple[int, int] | None:
        """Return size and time of what was written to a path below index/."""
        found: tuple[int, int] | None = self._db.execute(
            "SELECT size, mtime_ns FROM written WHERE path = ?", (path,)
        ).fetchone()
        return found

    def note_written(self, files: Mapping[str, tuple[int, int] | None]) -> None:
        """Note what is written into index/, by path: its size and time; None where it is removed."""
        removed = [(path,) for path, status in files.items() if status is None]
        self._db.executemany("DELETE FROM written WHERE path = ?", removed)
        self._db.executemany(
            "INSERT INTO written VALUES (?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns"
            " WHERE (size, mtime_ns) <> (excluded.size, excluded.mtime_ns)",
            [(path, *status) for path, status in files.items() if status],
        )

    @property
    def pages_format(self) -> int:
        """The format of the pages that were written; 0 before any was."""
        row = self._db.execute("SELECT number FROM pages_format").fetchone()
        return int(row[0]) if row else 0

    @pages_format.setter
    def pages_format(self, number: int) -> None:
        self._db.execute("DELETE FROM pages_format")
        self._db.execute("INSERT INTO pages_format VALUES (?)", (number,))
