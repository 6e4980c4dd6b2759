"""Decisions on a project: what of it is yanked (PEP 592), and its status (PEP 792), each with a reason.

They lie in projects/<project>.json of the store of facts. Each change counts up a number in it, which
distinguishes a copy of an earlier day from what holds now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import disk, names
from .entry import Entry
from .records import FactsError

ACTIVE, ARCHIVED, DEPRECATED, QUARANTINED = STATUSES = ("active", "archived", "deprecated", "quarantined")
# These take no uploads.
CLOSED = (ARCHIVED, QUARANTINED)


@dataclass(frozen=True)
class Decision:
    """A yank, or a status.

    Attributes:
        reason: for people; empty where none was given.
        login: whose it is.
        time: when it was made, as text (``times``).
        status: of a project; empty for a yank.
    """

    reason: str = ""
    login: str = ""
    time: str = ""
    status: str = ""


@dataclass(frozen=True)
class Decisions:
    """All decisions on a project.

    Attributes:
        revision: how often it was changed.
        status: of the project.
        releases: yanks by version in its normal form; files that come later are yanked with the others.
        files: yanks by the file's name.
    """

    revision: int = 0
    status: Decision = field(default_factory=lambda: Decision(status=ACTIVE))
    releases: Mapping[str, Decision] = field(default_factory=dict)
    files: Mapping[str, Decision] = field(default_factory=dict)

    def yank_of(self, entry: Entry) -> Decision | None:
        """Return the yank that a file is under; None where it is under none."""
        if not self.files and not self.releases:
            return None
        return self.yank(entry.name, names.normal_version(entry.release.version))

    def yank(self, file: str, version: str) -> Decision | None:
        """Return the yank that a file of a release is under; its version in its normal form."""
        return self.files.get(file) or self.releases.get(version)

    @property
    def is_quarantined(self) -> bool:
        """Whether no file of the project is to be served."""
        return self.status.status == QUARANTINED

    def changed(self, **values: Any) -> Decisions:
        """Return what follows upon a change."""
        return replace(self, revision=self.revision + 1, **values)

    def text(self) -> str:
        """Return them as JSON."""
        document = {
            "revision": self.revision,
            "status": _document(self.status),
            "yanked": {
                "releases": {version: _document(one) for version, one in self.releases.items()},
                "files": {name: _document(one) for name, one in self.files.items()},
            },
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def of_text(cls, text: str) -> Decisions:
        """Return the decisions that a text holds.

        Raises:
            ValueError: if it holds none, or a status that this release does not know.
        """
        try:
            found = json.loads(text)
            yanked = found["yanked"]
            status = _decision(found["status"])
            releases, files = (
                {key: _decision(one) for key, one in yanked[kind].items()} for kind in ("releases", "files")
            )
            revision = int(found["revision"])
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"it holds no decisions: {error}") from error
        if status.status not in STATUSES:
            raise ValueError(f"the status {status.status[:40]!r} is unknown")
        return cls(revision, status, releases, files)


NOTHING = Decisions()
# Where it cannot be found out what was decided.
UNKNOWN = Decisions(status=Decision("What was decided on this project cannot be read.", status=QUARANTINED))


class DecisionFiles:
    """The folder projects/ of the store of facts; arguments as for ``Records``."""

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder = folder
        self._aside = aside

    def projects(self) -> list[str]:
        """Return the projects on which anything was decided."""
        return [file.stem for file in self.folder.glob("*.json")]

    def at(self, project: str) -> Decisions | None:
        """Return what was decided on a project; None where nothing was.

        Raises:
            FactsError: if it cannot be read.
        """
        place = self._place(project)
        try:
            return Decisions.of_text(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise FactsError(f"{place} cannot be used: {error}") from error

    def put(self, project: str, decisions: Decisions) -> None:
        """Keep what was decided: when this returns, it outlasts a loss of power."""
        disk.put(self._aside, self._place(project), decisions.text().encode())
        disk.sync([self.folder])

    def _place(self, project: str) -> Path:
        return self.folder / f"{project}.json"


def _document(decision: Decision) -> dict[str, str]:
    status = {"status": decision.status} if decision.status else {}
    return {**status, "reason": decision.reason, "login": decision.login, "time": decision.time}


def _decision(found: Mapping[str, Any]) -> Decision:
    return Decision(str(found["reason"]), str(found["login"]), str(found["time"]), str(found.get("status", "")))
