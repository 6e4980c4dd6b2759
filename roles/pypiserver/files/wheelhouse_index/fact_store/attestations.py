"""Attestations that are kept: beside the file's record, and as lasting. What is served is made from them."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import disk
from ..common.times import time_text
from ..files.incoming import Upload
from . import strict
from .records import FactsError, read_fact

log = logging.getLogger(__name__)
SUFFIX = ".attestations"
# PEP 740 has the Trusted Publisher here by which the index knows where a file comes from. This one knows a login, which
# readers are not shown, and which says nothing of who has signed.
_PUBLISHER: dict[str, Any] = {"kind": "wheelhouse.pypi", "claims": {}}


@dataclass(frozen=True)
class Attested:
    """What is kept of a file's attestations.

    Attributes:
        sha256: of the file, in hexadecimal digits.
        login: who sent them; empty where none is known.
        time_ns: when, in ns since 1970.
        attestations: they.
    """

    sha256: str
    login: str
    time_ns: int
    attestations: list[dict[str, Any]]

    def text(self) -> str:
        """Return it as a line of JSON."""
        document = {
            "sha256": self.sha256,
            "upload-time": time_text(self.time_ns),
            "login": self.login,
            "attestations": self.attestations,
        }
        return json.dumps(document) + "\n"

    def provenance(self) -> bytes:
        """Return the object that clients get (PEP 740)."""
        bundle = {"publisher": _PUBLISHER, "attestations": self.attestations}
        return (json.dumps({"version": 1, "attestation_bundles": [bundle]}) + "\n").encode()

    @classmethod
    def of_text(cls, text: str) -> Attested:
        """Return what a text holds; raises ValueError if that is nothing of the kind."""
        found = strict.parsed(text)
        kept = strict.at(found, "attestations")
        if not isinstance(kept, list):
            raise ValueError("attestations is not a list")
        return cls(strict.sha256(found), strict.text(found, "login"), strict.moment(found), kept)


class Attestations:
    """Files of the folder files/ of the store of facts, where the records are.

    Args:
        folder: it.
        aside: a folder of the same mount, where files are written before they get their names.
    """

    def __init__(self, folder: Path, aside: Path) -> None:
        self._folder = folder
        self._aside = aside

    def at(self, project: str, name: str) -> Attested | None:
        """Return what is kept of a file, given by its project's normalised name and its own.

        Raises:
            FactsError: if that cannot be read.
        """
        return read_fact(self._place(project, name), Attested.of_text)

    def provenance(self, project: str, name: str, sha256: str) -> bytes:
        """Return what is served beside a file with this content; nothing where there is nothing."""
        try:
            found = self.at(project, name)
        except FactsError as error:
            log.error("%s is served without its provenance: %s", name, error)
            return b""
        # Where a file was replaced, they may be of what was there before.
        return found.provenance() if found and found.sha256 == sha256 else b""

    @contextmanager
    def publishing(self, project: str, uploads: Mapping[str, Upload], login: str) -> Iterator[set[str]]:
        """Keep what uploads bring along; take it back if what is done meanwhile fails. What is there of a content stays.

        Yields:
            The names of the files whose attestations are kept now, and were not before.

        Args:
            project: of all of them.
            uploads: by the names of the files that they are.
            login: who sends them.

        Raises:
            FactsError: if it cannot be found out what is there.
        """
        before: dict[str, Attested | None] = {}
        try:
            for name, upload in uploads.items():
                kept = self.at(project, name) if upload.attestations else None
                if upload.attestations and not (kept and kept.sha256 == upload.facts.sha256):
                    new = Attested(upload.facts.sha256, login, time.time_ns(), json.loads(upload.attestations))
                    before[name] = kept
                    if not self._make(project, name, new):
                        del before[name]
            yield set(before)
        except BaseException:
            for name, kept in before.items():
                self._take_back(project, name, kept)
            raise

    def has(self, project: str, name: str) -> bool:
        """Tell whether anything is kept of a file."""
        return os.path.exists(self._place(project, name))

    def names(self, project: str) -> set[str]:
        """Return the names of the files of a project of which anything is kept."""
        try:
            found = os.listdir(self._folder / project)
        except FileNotFoundError:
            return set()
        return {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}

    def put_back(self, project: str, name: str, sha256: str, provenance: bytes) -> bool:
        """Keep again what was lost, from what is served of it; return whether that is possible."""
        try:
            bundles = json.loads(provenance)["attestation_bundles"]
            found = [attestation for bundle in bundles for attestation in bundle["attestations"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        return self._make(project, name, Attested(sha256, "", time.time_ns(), found))

    def _make(self, project: str, name: str, attested: Attested) -> bool:
        """Keep attestations of a file, unless there are some of this content; return whether there were none."""
        place = self._place(project, name)
        if not disk.put_new(self._aside, place, attested.text().encode()):
            kept = self.at(project, name)
            if kept and kept.sha256 == attested.sha256:
                return False
            disk.put(self._aside, place, attested.text().encode())
        disk.sync([place, f"{self._folder}/{project}"])
        return True

    def _take_back(self, project: str, name: str, before: Attested | None) -> None:
        place = self._place(project, name)
        if before:
            disk.put(self._aside, place, before.text().encode())
        else:
            with suppress(FileNotFoundError):
                os.unlink(place)

    def _place(self, project: str, name: str) -> str:
        return f"{self._folder}/{project}/{name}{SUFFIX}"
