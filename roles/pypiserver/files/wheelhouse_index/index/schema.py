"""The tables of the catalogue: what is kept of each file and project, and what of other nodes."""

from __future__ import annotations

# Another number is another file.
VERSION = 4
NAME = f"catalogue-{VERSION}.sqlite"
_ON_PAGE = "{row}.sha256 IS NOT NULL AND {row}.name NOT LIKE '%.asc'"
UNRECORDED = "recorded = 0 AND sha256 IS NOT NULL AND name NOT LIKE '%.asc'"
TABLES = f"""
CREATE TABLE files (
    path TEXT PRIMARY KEY,          -- below packages/
    name TEXT NOT NULL,
    project TEXT NOT NULL,          -- normalised
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    sha256 TEXT,                    -- null while the file has not been read
    unreadable INTEGER NOT NULL,    -- 1 where that was tried, and failed
    own_name TEXT NOT NULL DEFAULT '',  -- project and version as the file, or its name, spells them
    own_version TEXT NOT NULL DEFAULT '',
    requires_python TEXT NOT NULL DEFAULT '',
    metadata_sha256 TEXT NOT NULL DEFAULT '',
    uploaded_ns INTEGER,            -- null where only the file's own time tells
    recorded INTEGER NOT NULL DEFAULT 0, -- 1 where the store of facts has it
    refused TEXT NOT NULL DEFAULT '',   -- its digest, where it was read and is on no page
    attested INTEGER NOT NULL DEFAULT 0 -- 1 where its provenance is served
) WITHOUT ROWID;
CREATE INDEX files_by_project ON files (project);
CREATE INDEX files_by_name ON files (name);
CREATE INDEX files_unread ON files (project) WHERE sha256 IS NULL;
CREATE INDEX files_unrecorded ON files (project, path) WHERE {UNRECORDED};
CREATE INDEX files_untried ON files (project) WHERE sha256 IS NULL AND unreadable = 0;
CREATE INDEX files_refused ON files (path) WHERE refused <> '';
CREATE INDEX files_attested ON files (project) WHERE attested = 1;

-- How many files the page of a project has, and how many projects and files are on pages: counting them in `files` would
-- take the longer the more there are. What has not been read is on no page, and a signature is not a file of its own there.
CREATE TABLE projects (project TEXT PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE counts (projects INTEGER NOT NULL, files INTEGER NOT NULL);
INSERT INTO counts VALUES (0, 0);
CREATE TRIGGER file_added AFTER INSERT ON files WHEN {_ON_PAGE.format(row="new")} BEGIN
    INSERT INTO projects VALUES (new.project, 1) ON CONFLICT (project) DO UPDATE SET files = files + 1;
    UPDATE counts SET files = files + 1;
END;
CREATE TRIGGER file_removed AFTER DELETE ON files WHEN {_ON_PAGE.format(row="old")} BEGIN
    UPDATE projects SET files = files - 1 WHERE project = old.project;
    DELETE FROM projects WHERE project = old.project AND files = 0;
    UPDATE counts SET files = files - 1;
END;
CREATE TRIGGER project_added AFTER INSERT ON projects BEGIN UPDATE counts SET projects = projects + 1; END;
CREATE TRIGGER project_removed AFTER DELETE ON projects BEGIN UPDATE counts SET projects = projects - 1; END;

-- Files that the store of facts has, and that are in packages/ no more: their names stay theirs, also where it loses them.
CREATE TABLE removed (
    name TEXT NOT NULL, project TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, uploaded_ns INTEGER NOT NULL,
    PRIMARY KEY (name, project)
) WITHOUT ROWID;
CREATE INDEX removed_by_project ON removed (project);
CREATE TRIGGER recorded_removed AFTER DELETE ON files WHEN old.recorded = 1 AND old.sha256 IS NOT NULL BEGIN
    INSERT OR REPLACE INTO removed
        VALUES (old.name, old.project, old.sha256, old.size, max(coalesce(old.uploaded_ns, old.mtime_ns), 0));
END;
CREATE TRIGGER recorded_back AFTER INSERT ON files WHEN new.recorded = 1 BEGIN
    DELETE FROM removed WHERE name = new.name AND project = new.project;
END;

-- Projects whose pages have to be written: files to read, or pages that are older than what is known. Who has written
-- them knows by the number whether they were marked again meanwhile. 0: they say what is known, in an older format.
CREATE TABLE pending (project TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pages_format (number INTEGER NOT NULL);
CREATE TABLE recorded_in (id TEXT NOT NULL);
-- The address that pages with provenance name.
CREATE TABLE served_at (url TEXT NOT NULL);

-- What was decided on projects, as JSON: what is lost of it in packages/ does not count as taken back.
CREATE TABLE decisions (project TEXT PRIMARY KEY, decided TEXT NOT NULL) WITHOUT ROWID;

-- What was written into index/ last: pages and metadata that are otherwise were changed by other hands.
CREATE TABLE written (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
# How many bytes the files of each project have, and all of them: summing them up for each upload would take the longer the more
# there are. Made where quotas are set. The number above stays: triggers keep the sums right under a release that knows nothing
# of them.
SIZES = (
    "CREATE TABLE sizes (project TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE size (bytes INTEGER NOT NULL)",
    "INSERT INTO sizes SELECT project, sum(size) FROM files GROUP BY project",
    "INSERT INTO size SELECT coalesce(sum(bytes), 0) FROM sizes",
    """CREATE TRIGGER size_added AFTER INSERT ON files BEGIN
        INSERT INTO sizes VALUES (new.project, new.size) ON CONFLICT (project) DO UPDATE SET bytes = bytes + excluded.bytes;
        UPDATE size SET bytes = bytes + new.size;
    END""",
    """CREATE TRIGGER size_removed AFTER DELETE ON files BEGIN
        UPDATE sizes SET bytes = bytes - old.size WHERE project = old.project;
        DELETE FROM sizes WHERE project = old.project AND bytes = 0;
        UPDATE size SET bytes = bytes - old.size;
    END""",
)
# How far the journals of nodes were read, and files that a journal names and that are not as it says yet. Made where the index
# has several nodes; the number above stays, as another release has no use for them.
FOLLOWED = (
    "CREATE TABLE IF NOT EXISTS followed (node TEXT PRIMARY KEY, file TEXT NOT NULL, offset INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS awaited"
    " (path TEXT, node TEXT, record TEXT NOT NULL, since_ns INTEGER NOT NULL, PRIMARY KEY (path, node))",
)
