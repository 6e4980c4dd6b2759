"""``python3 -m wheelhouse_index yank``: what the playbook yank.yml asks for, a line of JSON on standard input.

It names a release, a file, or what a login has published since a day, by the playbook's variables: ``{"pypi_project": "foo",
"pypi_version": "1.0", "pypi_reason": "broken"}``. The answer is a line of JSON: ``{"changed": [FILE, ...], "same": 3,
"warnings": [TEXT, ...]}``. With ``{"stop": TEXT}`` in it, no more was done than it says. The playbook import.yml gives a list of
those; in it, what is not on the index is a warning.

The yanks are those of the forms, under the same lock and in the same change log, without a login.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from ..common import times
from ..common.answers import Refusal, some
from ..fact_store.change_log import ChangeLog
from ..fact_store.decisions import Decisions
from ..fact_store.published import Published, published
from ..fact_store.records import FactsError
from ..files import names
from ..index.store import Store
from ..requests import deciding
from ..requests.deciding import Target
from ..server.settings import Settings
from .answering import answer
from .variables import BadInputError, check_names, selector, shown, since, text

_SELECTORS = ("pypi_project", "pypi_version", "pypi_file", "pypi_login", "pypi_since")
_REASON, _UNYANK = "pypi_reason", "pypi_unyank"
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
# How many of many names a message has.
_NAMED = 10
_WHAT = (
    "name a release (-e pypi_project=NAME -e pypi_version=VERSION), a file (-e pypi_file=NAME), or what a login has"
    " published (-e pypi_login=NAME -e pypi_since=2026-11-20)"
)


@dataclass(frozen=True)
class Request:
    """What is to be yanked or unyanked; arguments as the playbook's variables, since as text (``times``)."""

    project: str = ""
    version: str = ""
    file: str = ""
    login: str = ""
    since: str = ""
    reason: str = ""
    unyank: bool = False

    @classmethod
    def of_variables(cls, found: Mapping[str, Any]) -> Request:
        """Return the request that these variables are.

        Raises:
            BadInputError: if they are none.
        """
        check_names(found, (*_SELECTORS, _REASON, _UNYANK))
        values = {name.removeprefix("pypi_"): selector(name, found) for name in _SELECTORS}
        request = cls(**values, reason=text(_REASON, found.get(_REASON, "")), unyank=_flag(found.get(_UNYANK, False)))
        request._check()
        return Request(**{**vars(request), "since": since(request.since)})

    def _check(self) -> None:
        """Raise BadInputError where it is not one selection with all that belongs to it."""
        given = [
            [f"pypi_{name}" for name in group if getattr(self, name)]
            for group in (("project", "version"), ("file",), ("login", "since"))
        ]
        selections = [group for group in given if group]
        if not selections:
            raise BadInputError(f"pypi_project, pypi_file, pypi_login: missing; {_WHAT}")
        if len(selections) > 1:
            values = ", ".join(f"{name} ({shown(getattr(self, name[5:]))})" for group in selections for name in group)
            raise BadInputError(f"{values}: more than one selection; {_WHAT}")
        for one, other in (("project", "version"), ("login", "since")):
            for name, missing in ((one, other), (other, one)):
                if getattr(self, name) and not getattr(self, missing):
                    value = shown(getattr(self, name))
                    raise BadInputError(f"pypi_{missing}: missing beside pypi_{name} ({value}); {_WHAT}")
        if self.unyank and self.reason:
            raise BadInputError(
                f"pypi_reason: {shown(self.reason)} does not go with pypi_unyank; leave one of them out"
            )


def _flag(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise BadInputError(f"{_UNYANK}: {shown(value)} is neither true nor false; give -e {_UNYANK}=true")
    return text in _TRUE


@dataclass
class Outcome:
    """What became of it.

    Attributes:
        changed: files that are yanked now, or unyanked.
        same: how many files were so already.
        warnings: what else is to be known.
    """

    changed: list[str] = field(default_factory=list)
    same: int = 0
    warnings: list[str] = field(default_factory=list)


class Yank:
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
        # Facts that cannot be read.
        self._left_out: list[str] = []
        self.outcome = outcome

    def run(self) -> None:
        """Do it.

        Raises:
            BadInputError: if what is meant is not there; nothing has changed then.
            FactsError, OSError, sqlite3.Error: if the index cannot do it, or not all of it.
        """
        change = self._change()
        self._store.facts.check()
        targets = self._targets()
        for target in targets:
            changed = self._would_change(target, change) if self._check else self._decide(target, change)
            self.outcome.changed += changed
            self.outcome.same += len(target.files) - len(changed)
        self.outcome.changed.sort()
        if not self._check:
            # Once for all of them; also what a run has left that was killed before.
            self._store.write_pending()
        if self._left_out:
            raise FactsError(
                f"{len(self._left_out)} facts cannot be read, so it is unknown whose files these are:"
                f" {some(self._left_out, _NAMED)}. All others are done. Restore these from the backup, then run it again"
            )

    def _change(self) -> deciding.Change:
        if self._request.unyank:
            return deciding.taken_back
        try:
            return deciding.to_yanked(self._request.reason, login="")
        except Refusal as error:
            raise BadInputError(f"pypi_reason: {shown(self._request.reason)}: {error.reason}") from error

    def _targets(self) -> list[Target]:
        asked = self._request
        if asked.login:
            return self._of_login()
        variables = "pypi_file" if asked.file else "pypi_project, pypi_version"
        try:
            return deciding.targets(self._store, asked.project, asked.version, asked.file)
        except Refusal as error:
            raise BadInputError(f"{variables}: {error.reason} {self._remedy()}") from error

    def _remedy(self) -> str:
        """Return what there is instead of a release or a file that is not there."""
        project = names.normalised(self._request.project)
        if self._request.file:
            return "Give the name of the file as its project's page has it."
        with self._store.catalogue.reading() as known:
            versions = sorted({entry.version for entry in known.of_project(project)})
        if not versions:
            return "There is no file of this project; correct pypi_project."
        return f"There is {some(versions, _NAMED)}; correct pypi_version."

    def _of_login(self) -> list[Target]:
        """Return what a login has published: also what was removed or is in quarantine, as it may come back."""
        folder, damaged = self._store.facts.records.folder, list[str]()
        own = list(published(folder, damaged, self._request.login, day=self._request.since[:10]))
        if damaged:
            self._left_out = damaged
        if not own and not any(published(folder, [], self._request.login)):
            logins = {one.record.login for one in published(folder, [])} - {""}
            known = f"These have: {some(sorted(logins), _NAMED)}" if logins else "No login has"
            login = shown(self._request.login)
            raise BadInputError(f"pypi_login: {login} has not published anything on this index. {known}; correct it")
        since = [one for one in own if times.time_text(one.record.uploaded_ns) >= self._request.since]
        return _by_project(since)

    def _would_change(self, target: Target, change: deciding.Change) -> list[str]:
        with self._store.catalogue.reading() as known:
            before = known.decisions(target.project)
        after = change(target, before)
        self._note_staying(target, after)
        return target.changed(before, after)

    def _decide(self, target: Target, change: deciding.Change) -> list[str]:
        """Decide on a project, and note it; return the files that it changes."""
        changed: list[str] = []

        def decided(before: Decisions) -> Decisions:
            after = change(target, before)
            changed[:] = target.changed(before, after)
            self._note_staying(target, after)
            return after

        if self._store.decide(target.project, decided, at_once=False):
            self._note(target, changed)
        return changed

    def _note_staying(self, target: Target, after: Decisions) -> None:
        """Warn of files that stay yanked, as their whole releases are."""
        if not self._request.unyank or target.version:
            return
        staying = sorted(file for file, version in target.files.items() if ("release", version) in after.counting)
        if staying:
            self.outcome.warnings.append(
                f"Yanked as before with the whole release; unyank that by pypi_project and pypi_version: {some(staying, _NAMED)}"
            )

    def _note(self, target: Target, files: list[str]) -> None:
        """Note a change in the change log, as the form would."""
        action = "unyank" if self._request.unyank else "yank"
        if not self._change_log.note(action, **target.line(files, self._request.reason)):
            self.outcome.warnings.append(f"The change log lacks this, as logs/ cannot be written to: {target.project}")


def _by_project(files: list[Published]) -> list[Target]:
    found: dict[str, Target] = {}
    for one in files:
        release = names.of_file(one.file)
        target = found.setdefault(one.project, Target(one.project, "", {}, {}))
        target.files[one.file] = names.normal_version(release.version) if release else ""
        target.digests[one.file] = one.record.sha256
    return list(found.values())


def main(check: bool, source: TextIO = sys.stdin, say: Callable[[str], Any] = print) -> int:
    """Do what a line on standard input asks for; return the exit code."""
    outcome = Outcome()

    def do(settings: Settings, store: Store, asked: Any) -> None:
        change_log = ChangeLog(settings.logs)
        for one in asked if isinstance(asked, list) else [asked]:
            try:
                Yank(store, change_log, Request.of_variables(one), check, outcome).run()
            except BadInputError as error:
                if one is asked:
                    raise
                outcome.warnings.append(str(error))

    return answer(outcome, do, source, say)
