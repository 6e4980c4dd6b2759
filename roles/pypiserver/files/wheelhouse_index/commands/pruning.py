"""``python3 -m wheelhouse_index prune``: what the playbook prune.yml asks for, a line of JSON on standard input.

It has the rules, and the releases that lock files name: ``{"pypi_keep": [{"names": ["nightly-*"], "kinds": ["dev"], "newest":
5}], "pins": {"nightly-tools": ["1.0.dev3"]}}``. The answer is a line of JSON: ``{"changed": [TEXT, ...], "files": 4, "bytes":
8192, "size": "8 KiB"}``. With ``{"stop": TEXT}`` in it, no more was done than it says.

The removals are those of the forms, under the same lock and in the same change log, without a login.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from ..common.times import time_text
from ..fact_store.change_log import PRUNE, ChangeLog
from ..files import names
from ..files.entry import Entry, Stamp
from ..index.quotas import shown
from ..index.store import Store
from ..server.settings import Settings
from .answering import answer
from .keeping import Release, Rule, check_patterns, first, is_pinned
from .variables import BadInputError

# Between two projects it rests so many times as long as the first one took: readers and publishers want the processors, the disk
# and the lock as well. And so many seconds at most: some of the time it has waited itself.
_REST, _LONGEST_REST = 3, 1.0


@dataclass(frozen=True)
class Request:
    """The rules, and the normal versions that stay whatever these say, by project."""

    rules: list[Rule]
    pins: dict[str, set[str]]

    @classmethod
    def of_variables(cls, found: Mapping[str, Any]) -> Request:
        """Return the request that these variables are.

        Raises:
            BadInputError: if they are none.
        """
        if not found["pypi_keep"]:
            raise BadInputError(
                'pypi_keep: missing; say what may go, such as [{names: ["nightly-*"], kinds: [dev], newest: 5}]'
            )
        pins: dict[str, set[str]] = {}
        for name, versions in found["pins"].items():
            pins.setdefault(names.normalised(name), set()).update(map(names.normal_version, versions))
        return cls([Rule.of(one) for one in found["pypi_keep"]], pins)


@dataclass
class Outcome:
    """What became of it.

    Attributes:
        changed: a line about each release that was removed; with ``--check``, that would be.
        files: how many files these have.
        bytes: how large they are together.
        size: the same for people.
    """

    changed: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    size: str = shown(0)


class Prune:
    """One run of the playbook.

    Args:
        store: the index.
        change_log: where each change is noted.
        request: what is to go.
        check: find out what would go, and change nothing.
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
            BadInputError: if rules match nothing, or all of a project that may be installed.
            FactsError, OSError, sqlite3.Error: if the index cannot do it, or not all of it.
        """
        self._store.facts.check()
        with self._store.catalogue.reading() as known:
            unread = known.with_unread()
        # Until it is read, a file may be of another release than its name says.
        self._store.read_unread(unread)
        with self._store.catalogue.reading() as known:
            projects = known.projects()
        # Files in quarantine are not known there, nor is a project whose last file was removed.
        others = self._store.facts.claims.names().union(self._store.facts.quarantine.projects())
        check_patterns(self._request.rules, others.union(projects))
        # All of them before anything changes, and each again when it comes to it: more may have been published or yanked.
        to_go = {project: gone for project in projects if (gone := self._to_go(project))}
        took = 0.0
        for project, releases in to_go.items():
            if took and not self._check:
                time.sleep(min(took * _REST, _LONGEST_REST))
            began = time.monotonic()
            if gone := releases if self._check else self._to_go(project):
                self._remove(project, gone)
            took = time.monotonic() - began

    def _to_go(self, project: str) -> dict[str, list[Entry]]:
        """Return the releases that go, each with its files."""
        rule = first(self._request.rules, project)
        if not rule:
            return {}
        with self._store.catalogue.reading() as known:
            entries = [entry for entry in known.of_project(project) if entry.facts]
            decisions = known.decisions(project)
        files: dict[str, list[Entry]] = {}
        for entry in entries:
            files.setdefault(names.normal_version(entry.release.version), []).append(entry)
        releases = [
            Release(
                version,
                max(one.time_ns for one in own),
                all(decisions.yank_of(one) for one in own if not one.is_signature),
            )
            for version, own in files.items()
        ]
        pins = self._request.pins.get(project, set())
        gone = [one for one in rule.lets_go(releases, time.time_ns()) if not is_pinned(one.version, pins)]
        stay = {*releases} - {*gone}
        if gone and all(one.yanked for one in stay) and not (stay and all(one.yanked for one in gone)):
            raise BadInputError(
                f"pypi_keep: the entry for {', '.join(rule.names)} would remove all releases of {project}"
                f"{' that are not yanked' if stay else ''}; keep some by newest, or remove the project by hand"
            )
        # What was copied over a file just now is another one.
        return {one.version: files[one.version] for one in gone if all(map(self._is_unchanged, files[one.version]))}

    def _is_unchanged(self, entry: Entry) -> bool:
        try:
            return Stamp.of(os.lstat(self._store.packages / entry.path)) == entry.stamp
        except FileNotFoundError:
            return False

    def _remove(self, project: str, releases: Mapping[str, list[Entry]]) -> None:
        entries = [entry for own in releases.values() for entry in own]
        if not self._check:
            self._store.remove(project, [entry.path for entry in entries])
            files = {entry.path: entry.facts.sha256 if entry.facts else "" for entry in entries}
            self._change_log.note(PRUNE, project=project, files=files)
        for own in releases.values():
            size, day = sum(one.stamp.size for one in own), time_text(max(one.time_ns for one in own))[:10]
            self.outcome.changed.append(
                f"{project} {own[0].version} (files: {len(own)}, {shown(size)}, published {day})"
            )
        self.outcome.files += len(entries)
        self.outcome.bytes += sum(one.stamp.size for one in entries)
        self.outcome.size = shown(self.outcome.bytes)


def main(check: bool, source: TextIO = sys.stdin, say: Callable[[str], Any] = print) -> int:
    """Do what a line on standard input asks for; return the exit code."""
    outcome = Outcome()

    def do(settings: Settings, store: Store, found: Mapping[str, Any]) -> None:
        Prune(store, ChangeLog(settings.logs), Request.of_variables(found), check, outcome).run()

    return answer(outcome, do, source, say)
