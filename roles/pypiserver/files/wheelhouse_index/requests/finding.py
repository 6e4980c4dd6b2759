"""Which files a form means."""

from __future__ import annotations

from ..files import names
from ..files.entry import Entry
from ..index.store import Store


def found(store: Store, name: str, version: str, filename: str) -> list[Entry]:
    """Return the files of a release, or those of one name, in whatever folder; signatures included.

    Args:
        store: the index.
        name: the project, in any spelling; empty for any.
        version: of it, in any spelling; empty for any.
        filename: the file; empty for all of the release.
    """
    entries = _known(store, name, version, filename)
    # Until it is read, a file may be of another project than its name alone says.
    if unread := {entry.project for entry in entries if not (entry.facts or entry.refused)}:
        store.read_unread(unread)
        entries = _known(store, name, version, filename)
    return entries


def _known(store: Store, name: str, version: str, filename: str) -> list[Entry]:
    with store.catalogue.reading() as known:
        if filename:
            entries = [entry for path in known.named(filename) if (entry := known.at(path))]
        else:
            entries = known.of_project(names.normalised(name))
    return [entry for entry in entries if _is_meant(entry, name, version)]


def _is_meant(entry: Entry, name: str, version: str) -> bool:
    release = entry.release
    return (not name or names.normalised(name) == release.project) and (
        not version or names.same_version(version, release.version)
    )
