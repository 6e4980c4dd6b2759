"""Decisions on a project: what of it is yanked (PEP 592), and its status (PEP 792), each with a reason.

They lie in projects/<project>.json of the store of facts, with the ids of those that were replaced or taken back. So two
copies that were changed apart can be merged, in whatever order and however often: what was decided holds until it is
taken back by who has seen it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..common import disk
from ..files import names
from ..files.entry import Entry
from . import strict
from .records import FactsError

ACTIVE, ARCHIVED, DEPRECATED, QUARANTINED = STATUSES = ("active", "archived", "deprecated", "quarantined")
# These take no uploads.
CLOSED = (ARCHIVED, QUARANTINED)
# A yank has no status.
_STRICTNESS = ["", ACTIVE, DEPRECATED, ARCHIVED, QUARANTINED]

# What a decision is on: a kind, and a name or a version.
Subject = tuple[str, str]
_STATUS = "status"
_WHICH = (_STATUS, "release", "file")


@dataclass(frozen=True, order=True)
class Decision:
    """A status, or a yank of a release or a file. The later one is the greater one.

    Attributes:
        time: when it was made, as text (``times``).
        login: whose it is; empty for the operator's.
        reason: for people; empty where none was given.
        status: of the project; else empty.
        release: its version in its normal form; files that come later are yanked with the others. Else empty.
        file: its name; else empty.
    """

    time: str = ""
    login: str = ""
    reason: str = ""
    status: str = ""
    release: str = ""
    file: str = ""

    @property
    def subject(self) -> Subject:
        """What it is on: a decision replaces what was decided on the same before."""
        return ("file", self.file) if self.file else ("release", self.release) if self.release else (_STATUS, "")

    @property
    def id(self) -> str:
        """What tells it from all others."""
        return " ".join(
            filter(None, (self.time, self.subject[0], self.file or self.release or self.status, self.login))
        )

    def document(self) -> dict[str, str]:
        """Return it as JSON has it."""
        which = {name: value for name in _WHICH if (value := getattr(self, name))}
        return {**which, "reason": self.reason, "login": self.login, "time": self.time}

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Decision:
        """Return the decision that JSON has; raises AttributeError or ValueError if it is none."""
        which = [name for name in _WHICH if found.get(name)]
        if len(which) != 1:
            raise ValueError(f"a decision is on one of {', '.join(_WHICH)}")
        made = cls(**{name: strict.text(found, name) for name in ("time", "login", "reason", *which)})
        if made.status not in _STRICTNESS:
            raise ValueError(f"the status {made.status[:40]!r} is unknown")
        return made


@dataclass(frozen=True)
class Decisions:
    """All decisions on a project.

    Attributes:
        made: those that were neither replaced nor taken back. Several on one subject were made apart.
        over: the ids of those that were.
    """

    made: frozenset[Decision] = frozenset()
    over: frozenset[str] = frozenset()

    @cached_property
    def counting(self) -> Mapping[Subject, Decision]:
        """The decision that counts, by subject: of yanks the latest, of statuses the strictest."""
        found = sorted(self.made, key=lambda one: (_STRICTNESS.index(one.status), one))
        return {one.subject: one for one in found}

    @property
    def status(self) -> Decision:
        """The status of the project."""
        return self.counting.get((_STATUS, ""), _ACTIVE)

    def yank_of(self, entry: Entry) -> Decision | None:
        """Return the yank that a file is under; None where it is under none."""
        return self.yank(entry.name, names.normal_version(entry.release.version)) if self.made else None

    def yank(self, file: str, version: str) -> Decision | None:
        """Return the yank that a file of a release is under; its version in its normal form."""
        return self.counting.get(("file", file)) or self.counting.get(("release", version))

    @property
    def is_quarantined(self) -> bool:
        """Whether no file of the project is to be served."""
        return self.status.status == QUARANTINED

    def changed(self, new: Iterable[Decision] = (), back: Iterable[Subject] = ()) -> Decisions:
        """Return what follows upon new decisions, and upon taking back what was decided; the same object if nothing does."""
        made = frozenset(new)
        subjects = {*back, *(one.subject for one in made)}
        before = {one for one in self.made if one.subject in subjects}
        if not made and not before:
            return self
        return Decisions(self.made - before | made, (self.over | _ids(before)) - _ids(made))

    def merged(self, other: Decisions) -> Decisions:
        """Return what follows where both hold: what either has, but for what either has seen replaced or taken back."""
        over = self.over | other.over
        return Decisions(frozenset(one for one in self.made | other.made if one.id not in over), over)

    def text(self) -> str:
        """Return them as JSON."""
        document = {"decisions": [one.document() for one in sorted(self.made)], "over": sorted(self.over)}
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def of_text(cls, text: str) -> Decisions:
        """Return the decisions that a text holds.

        Raises:
            ValueError: if it holds none, or a status that this release does not know.
        """
        try:
            found = strict.parsed(text)
            made, over = found["decisions"], found.get("over", [])
            if not (isinstance(made, list) and isinstance(over, list)):
                raise TypeError("no lists")
            return cls(frozenset(map(Decision.of, made)), frozenset(strict.written(one, "over") for one in over))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it holds no decisions: {error}") from error


def _ids(decisions: Iterable[Decision]) -> frozenset[str]:
    return frozenset(one.id for one in decisions)


_ACTIVE = Decision(status=ACTIVE)
NOTHING = Decisions()
# Where it cannot be found out what was decided.
UNKNOWN = Decisions(
    frozenset([Decision(reason="What was decided on this project cannot be read.", status=QUARANTINED)])
)


class DecisionFiles:
    """The folder projects/ of the store of facts; arguments as for ``Records``."""

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder = folder
        self._aside = aside

    def projects(self) -> list[str]:
        """Return the projects on which anything was decided."""
        return [file.stem for file in self.folder.glob("*.json") if names.is_project(file.stem)]

    def at(self, project: str) -> Decisions | None:
        """Return what was decided on a project; None where nothing was.

        Raises:
            FactsError: if it cannot be read.
        """
        place = self._place(project)
        try:
            return Decisions.of_text(disk.read(place).decode())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise FactsError(f"{place} cannot be used: {error}") from error

    def says(self, project: str, text: str) -> bool:
        """Tell whether the file of a project has this text: then it need not be parsed."""
        with suppress(OSError):
            return disk.read(self._place(project)) == text.encode()
        return False

    def put(self, project: str, decisions: Decisions) -> None:
        """Keep what was decided: when this returns, it outlasts a loss of power."""
        disk.put(self._aside, self._place(project), decisions.text().encode())
        disk.sync([self.folder])

    def _place(self, project: str) -> Path:
        return self.folder / f"{project}.json"
