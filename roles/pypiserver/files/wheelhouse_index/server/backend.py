"""Pypiserver's extension point: a backend that costs what a project costs, not what the store does. It only reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NoReturn

from pypiserver.backend import Backend, digest_file
from pypiserver.config import RunConfig
from pypiserver.core import PkgFile

from ..files.entry import Entry
from ..index.store import Store


class IndexedBackend(Backend):
    """Answers from the catalogue.

    What arrives by other ways than uploads is seen when the keeper has seen it.
    """

    def __init__(self, config: RunConfig, store: Store) -> None:
        super().__init__(config)
        self._store = store
        self._root = str(store.packages)

    def get_all_packages(self) -> Iterable[PkgFile]:
        """Return all files."""
        with self._store.catalogue.reading() as known:
            return [self._package(entry) for entry in known.all() if not entry.unreadable]

    def get_projects(self) -> Iterable[str]:
        """Return the normalised names of all projects."""
        with self._store.catalogue.reading() as known:
            return set(known.projects())

    def package_count(self) -> int:
        """Return how many files there are."""
        with self._store.catalogue.reading() as known:
            return known.counts()[1]

    def exists(self, filename: str) -> bool:
        """Tell whether a file has this name, in whatever folder."""
        with self._store.catalogue.reading() as known:
            paths = [filename, *known.named(filename)]
        return any(os.path.lexists(os.path.join(self._root, path)) for path in paths)

    def digest(self, pkg: PkgFile) -> str | None:
        """Return a file's digest as simple pages write it; read only where it has not been read before."""
        if self.hash_algo is None or pkg.relfn is None:
            return None
        if self.hash_algo != "sha256":
            return digest_file(str(pkg.fn), self.hash_algo)
        with self._store.catalogue.reading() as known:
            entry = known.at(pkg.relfn)
        if entry and not entry.facts:
            entry = self._store.read(entry)
        return f"sha256={entry.facts.sha256}" if entry and entry.facts else None

    def add_package(self, filename: str, stream: BinaryIO) -> NoReturn:
        """Refuse: ``changes`` publishes."""
        raise NotImplementedError

    def remove_package(self, pkg: PkgFile) -> NoReturn:
        """Refuse: ``changes`` removes."""
        raise NotImplementedError

    def _package(self, entry: Entry) -> PkgFile:
        release = entry.release
        return PkgFile(release.name, release.version, str(Path(self._root, entry.path)), self._root, entry.path)
