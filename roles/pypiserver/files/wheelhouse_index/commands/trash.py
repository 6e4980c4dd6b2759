"""``python3 -m wheelhouse_index trash``: what the playbook trash.yml asks for, a line of JSON on standard input.

It names what was removed by the playbook's variables: ``{"pypi_trash_do": "restore", "pypi_project": "foo", "pypi_version":
"1.0"}``. A variable that is not set is missing. The answer is a line of JSON: ``{"changed": [FILE, ...], "found": [TEXT,
...]}``. With ``{"stop": TEXT}`` in it, no more was done than it says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from ..common.answers import some
from ..fact_store.change_log import EMPTY, RESTORE, ChangeLog
from ..fact_store.recording import ConflictError
from ..fact_store.trash import Trashed
from ..files import names
from ..index.quotas import shown as shown_size
from ..index.store import Store
from ..server.settings import Settings
from .answering import answer
from .variables import BadInputError, check_names, selector, shown, since, text

SHOW, RESTORE_IT, EMPTY_IT = _VERBS = ("show", "restore", "empty")
_SELECTORS = ("pypi_project", "pypi_version", "pypi_file", "pypi_since")
# How many of many names a message has.
_NAMED = 10


@dataclass(frozen=True)
class Request:
    """What is to be done to what of the trash; what is empty selects nothing. Since is a text (``times``)."""

    verb: str
    project: str
    version: str
    file: str
    since: str

    @classmethod
    def of_variables(cls, found: Mapping[str, Any]) -> Request:
        """Return the request that these variables are.

        Raises:
            BadInputError: if they are none.
        """
        check_names(found, ("pypi_trash_do", *_SELECTORS))
        verb = text("pypi_trash_do", found.get("pypi_trash_do", "")) or SHOW
        project, version, file, moment = (selector(name, found) for name in _SELECTORS)
        if verb not in _VERBS:
            raise BadInputError(f"pypi_trash_do: {shown(verb)} is unknown; give one of {', '.join(_VERBS)}")
        if version and not project:
            raise BadInputError(
                f"pypi_project: missing beside pypi_version ({shown(version)}); name the project as well"
            )
        if verb != SHOW and not (project or file or moment):
            raise BadInputError(
                "pypi_project, pypi_file, pypi_since: missing; name what is to come back or to be removed for good, such as"
                " -e pypi_project=NAME -e pypi_version=VERSION, or all since a day: -e pypi_since=2000-01-01"
            )
        return cls(verb, names.normalised(project), version, file, since(moment))

    def means(self, file: Trashed) -> bool:
        """Tell whether a file is one of those that are meant."""
        release = names.of_file(file.name.removesuffix(names.SIGNATURE))
        return (
            self.project in ("", file.project)
            and (not self.version or (release is not None and names.same_version(release.version, self.version)))
            and self.file in ("", file.name.removesuffix(names.SIGNATURE), file.name)
            and file.removed >= self.since
        )


@dataclass
class Outcome:
    """What became of it.

    Attributes:
        changed: files that came back, or were removed for good; with ``--check``, those that would.
        found: a line about each file that is meant.
    """

    changed: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


class Trashing:
    """One run of the playbook.

    Args:
        store: the index.
        change_log: where each change is noted.
        request: what is to be done.
        check: find out what would change, and change nothing.
        outcome: gets what was done, also after an error.
    """

    def __init__(self, store: Store, change_log: ChangeLog, request: Request, check: bool, outcome: Outcome) -> None:
        self._store = store
        self._change_log = change_log
        self._request = request
        self._check = check
        self.outcome = outcome

    def run(self) -> None:
        """Do it.

        Raises:
            BadInputError: if nothing is meant; nothing has changed then.
            ConflictError: if not all can come back.
            FactsError, OSError, sqlite3.Error: if the index cannot do it, or not all of it.
        """
        self._store.facts.check()
        # What was removed last comes back, if a name was removed more than once.
        meant = sorted(filter(self._request.means, self._store.facts.trash.files()), key=lambda one: one.removed)[::-1]
        self.outcome.found = [
            f"{one.path}: {one.project}, {shown_size(one.size)}, removed {one.removed[:19]}Z" for one in reversed(meant)
        ]
        if not meant and self._request.verb != SHOW:
            there = sorted({one.project for one in self._store.facts.trash.files()})
            known = f"it has files of {some(there, _NAMED)}" if there else "it is empty"
            raise BadInputError(f"the trash has none of these files; {known}")
        if self._request.verb == EMPTY_IT:
            self._empty(meant)
        if self._request.verb == RESTORE_IT:
            self._restore(meant)

    def _empty(self, meant: list[Trashed]) -> None:
        for one in meant:
            if not self._check:
                self._store.remove_trashed(one)
                self._change_log.note(EMPTY, project=one.project, files={one.path: ""})
            self.outcome.changed.append(one.path)

    def _restore(self, meant: list[Trashed]) -> None:
        stay = []
        # Signatures come back with their files.
        for one in sorted(meant, key=lambda one: one.name.endswith(names.SIGNATURE)):
            if one.path in self.outcome.changed:
                continue
            try:
                for path in self._store.restore_removed(one, self._check):
                    self.outcome.changed.append(path)
                    if not self._check:
                        record = self._store.facts.records.at(one.project, path.rpartition("/")[2])
                        self._change_log.note(
                            RESTORE, project=one.project, files={path: record.sha256 if record else ""}
                        )
            except ConflictError as error:
                stay.append(str(error))
        if not self._check:
            # Once for all of them.
            self._store.write_pending()
        if stay:
            raise ConflictError(f"Files stay in the trash: {some(stay, _NAMED)}. All others are done")


def main(check: bool, source: TextIO = sys.stdin, say: Callable[[str], Any] = print) -> int:
    """Do what a line on standard input asks for; return the exit code."""
    outcome = Outcome()

    def do(settings: Settings, store: Store, found: Mapping[str, Any]) -> None:
        Trashing(store, ChangeLog(settings.logs), Request.of_variables(found), check, outcome).run()

    return answer(outcome, do, source, say)
