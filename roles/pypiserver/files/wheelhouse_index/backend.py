"""Pypiserver's extension point: a backend that costs what a project costs, not what the store does."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pypiserver.backend import Backend, digest_file
from pypiserver.bottle_wrapper import HTTPError, request
from pypiserver.config import RunConfig
from pypiserver.core import PkgFile
from pypiserver.pkg_helpers import normalize_pkgname

from . import incoming
from .entry import Entry, is_listed
from .store import Store

log = logging.getLogger(__name__)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The second: one of the files beside a database cannot be made.
_FULL_DATABASE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}


def says_full(error: BaseException | None) -> bool:
    """Tell whether an error means that there is no room."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) in _FULL_DATABASE
    return isinstance(error, OSError) and error.errno in _FULL


class IndexedBackend(Backend):
    """Answers from the catalogue, and changes store and pages together.

    What arrives by other ways than pypiserver is seen when the keeper has seen it.
    """

    def __init__(self, config: RunConfig, store: Store) -> None:
        super().__init__(config)
        self._store = store
        self._root = str(store.packages)
        self._overwrite = config.overwrite

    def get_all_packages(self) -> Iterable[PkgFile]:
        """Return all files."""
        with self._store.catalogue.reading() as known:
            return [self._package(entry) for entry in known.all()]

    def find_project_packages(self, project: str) -> Iterable[PkgFile]:
        """Return the files of a project, in whatever spelling."""
        with self._store.catalogue.reading() as known:
            return [self._package(entry) for entry in known.of_project(normalize_pkgname(project))]

    def find_version(self, name: str, version: str) -> Iterable[PkgFile]:
        """Return the files of a release, spelt as in the files' names."""
        found = self.find_project_packages(name)
        return [package for package in found if (package.pkgname, package.version) == (name, version)]

    def get_projects(self) -> Iterable[str]:
        """Return the normalized names of all projects."""
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
        """Return a file's digest as simple pages write it; read only where nobody has read it before."""
        if self.hash_algo is None or pkg.relfn is None:
            return None
        if self.hash_algo != "sha256":
            return digest_file(str(pkg.fn), self.hash_algo)
        with self._store.catalogue.reading() as known:
            entry = known.at(pkg.relfn)
        if entry and not entry.facts:
            entry = self._store.read(entry)
        return f"sha256={entry.facts.sha256}" if entry and entry.facts else None

    def add_package(self, filename: str, stream: BinaryIO) -> None:
        """Publish an upload.

        Raises:
            HTTPError: 400 where it is not what the client says that it has sent, or has the name of a hidden file, 409
                (400 for twine, as pypiserver does) where there is such a file, 507 where there is no room.
        """
        if not is_listed(filename):
            raise HTTPError(400, f"Bad filename: {filename}")
        # The digest is that of the distribution file, not of its signature.
        digest = "" if filename.endswith(".asc") else request.forms.get("sha256_digest", "")
        try:
            with incoming.received(self._store.packages, filename, stream, digest) as upload:
                self._store.add(upload, self._overwrite)
        except incoming.WrongDigestError as error:
            raise HTTPError(400, str(error)) from error
        except FileExistsError as error:
            status = 400 if "twine" in request.headers.get("User-Agent", "") else 409
            raise HTTPError(status, f"Package {filename!r} already exists!") from error
        except (OSError, sqlite3.Error) as error:
            if not says_full(error):
                raise
            log.error("There is no room for %s: %s", filename, error)
            raise HTTPError(507, f"There is no room for {filename}; nothing of it was kept.") from error

    def remove_package(self, pkg: PkgFile) -> None:
        """Remove a file."""
        if pkg.relfn is not None:
            self._store.remove(pkg.relfn)

    def _package(self, entry: Entry) -> PkgFile:
        name, version = entry.guessed
        return PkgFile(name, version, str(Path(self._root, entry.path)), self._root, entry.path)
