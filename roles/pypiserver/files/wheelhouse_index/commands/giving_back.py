"""``python3 -m wheelhouse_index give-back``: what the playbook give_back.yml asks for, a line of JSON on standard input.

It names a project by the playbook's variables: ``{"pypi_project": "torch", "pypi_give_back_confirm": "torch"}``. The answer is a
line of JSON: ``{"changed": true, "messages": [TEXT, ...]}``. The messages say what is known of the name: its files, also those
that were removed, who published them and when. With ``{"stop": TEXT}`` in it, nothing was changed.

Without the second variable, and with ``--check``, nothing changes. With both, the name is free from then on: upstream answers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from ..common.answers import some
from ..common.times import time_text
from ..fact_store.change_log import ChangeLog
from ..fact_store.published import Published, published
from ..files import names
from ..index.store import Store
from ..public import policies
from ..public.policy import Policy
from ..server.settings import Settings
from .answering import answer
from .variables import BadInputError, check_names, shown, text

ACTION = "give_back"
_PROJECT, _CONFIRM = "pypi_project", "pypi_give_back_confirm"
# How many of many names a message has.
_NAMED = 10
_AGAIN = "run wheelhouse.pypi.site, then run this again"
_REMOVE = "Remove them first (docs/releases.md#remove)"


@dataclass(frozen=True)
class Request:
    """Which name, normalised, and whether to give it back or only to show what is known of it."""

    project: str
    confirmed: bool

    @classmethod
    def of_variables(cls, found: Mapping[str, Any]) -> Request:
        """Return the request that these variables are.

        Raises:
            BadInputError: if they are none.
        """
        check_names(found, (_PROJECT, _CONFIRM))
        spelt, confirm = (text(name, found.get(name, "")) for name in (_PROJECT, _CONFIRM))
        if not spelt:
            raise BadInputError(f"{_PROJECT}: missing; name the project, as in -e {_PROJECT}=torch")
        project = names.normalised(spelt)
        if not names.is_project(project) or len(project) > names.NAME_BYTES:
            raise BadInputError(f"{_PROJECT}: {shown(spelt)} is not the name of a project; give one such as torch")
        if confirm and names.normalised(confirm) != project:
            raise BadInputError(
                f"{_CONFIRM}: {shown(confirm)} is another name than {_PROJECT} ({shown(spelt)}); give the same one, or leave"
                f" {_CONFIRM} out to see what is known of {project}"
            )
        return cls(project, bool(confirm))


@dataclass(frozen=True)
class Known:
    """What is known of a name.

    Attributes:
        is_private: whether it is: it has a claim, or had files.
        files: paths of the files that are there.
        quarantined: names of those in quarantine.
        published: all that were ever published.
        damaged: paths of records that cannot be read.
    """

    is_private: bool
    files: list[str]
    quarantined: list[str]
    published: list[Published]
    damaged: list[str]

    @classmethod
    def of(cls, store: Store, project: str) -> Known:
        """Return what an index knows of a project; changes nothing."""
        damaged: list[str] = []
        found = list(published(store.facts.records.folder, damaged, project=project))
        with store.catalogue.reading() as known:
            files = sorted(entry.path for entry in known.of_project(project))
            is_private = bool(files or found or damaged or known.removed_of([project]))
        folder = store.facts.quarantine.folder / project
        quarantined = sorted(path.name for path in folder.rglob("*") if names.suffix(path.name))
        is_private = is_private or bool(quarantined) or store.facts.claims.has(project)
        return cls(is_private, files, quarantined, found, damaged)

    def lines(self) -> list[str]:
        """Return a line for each file."""
        there = {path.rpartition("/")[2] for path in self.files}
        recorded = {one.file for one in self.published}
        found = [f"{one.file}: {_origin(one)}, {self._place(one.file, there)}" for one in self.published]
        # Copied in by hand, a moment ago.
        return found + [f"{file}: not recorded yet, still here" for file in sorted(there - recorded)]

    def _place(self, file: str, there: set[str]) -> str:
        return "still here" if file in there else "in quarantine" if file in self.quarantined else "removed"

    def obstacle(self, project: str) -> str:
        """Return what keeps the name from being given back, with the remedy; empty where nothing does."""
        if self.damaged:
            return (
                f"Who published files of {project} cannot be read: {some(self.damaged, _NAMED)}. Restore these from the backup,"
                " then run this again"
            )
        if self.quarantined:
            named = some(self.quarantined, _NAMED)
            return f"{project} has files in quarantine: {named}. Set its status to active, then remove them"
        if self.files:
            return f"{project} still has files: {some(self.files, _NAMED)}. {_REMOVE}, then run this again"
        return ""


def _origin(one: Published) -> str:
    by = f" by {one.record.login}" if one.record.login else ", by no login"
    # To the second.
    return f"published {time_text(one.record.uploaded_ns)[:19]}Z ({one.record.source}){by}"


@dataclass
class Outcome:
    """What became of it.

    Attributes:
        changed: whether the name was given back; with ``--check``, whether it would be.
        messages: what a person is to know.
    """

    changed: bool = False
    messages: list[str] = field(default_factory=list)


def source(policy: Policy | None, project: str) -> str:
    """Return the URL of the upstream that would answer for a project.

    Raises:
        BadInputError: if none would.
    """
    if policy is None:
        raise BadInputError(
            f"pypi_upstreams: this index has none, so nothing would answer for {project}; set it, {_AGAIN}"
        )
    if pattern := policy.private.match(project):
        raise BadInputError(
            f"pypi_private_names: {pattern} reserves {project} for private packages; remove or narrow it, {_AGAIN}"
        )
    number = policy.upstream_of(project)
    if number is None:
        raise BadInputError(f"pypi_upstreams: none answers for {project}; add it to the names of one, {_AGAIN}")
    return policy.upstreams[number].url


def _remarks(policy: Policy, project: str) -> list[str]:
    """Return what the policy makes of a name that is public again."""
    found = []
    if pattern := policy.shadowed.match(project):
        found.append(
            f"pypi_shadowed_names: {pattern} lets an upload take {project} again. Remove it, unless that is meant."
        )
    if held := policy.held(project):
        found.append(held.reason)
    return found


def give_back(store: Store, change_log: ChangeLog, policy: Policy | None, request: Request, check: bool) -> Outcome:
    """Give a name back, or show what is known of it.

    Raises:
        BadInputError, ConflictError: if it cannot be given back; nothing has changed then.
        FactsError, OSError, sqlite3.Error: if the index cannot do it; the name stays private then.
    """
    project = request.project
    url = source(policy, project)
    store.facts.check()
    known = Known.of(store, project)
    if not known.is_private:
        return Outcome(messages=[f"{project} is not private on this index: there is nothing to give back."])
    obstacle = known.obstacle(project)
    if request.confirmed and obstacle:
        raise BadInputError(obstacle)
    if not request.confirmed:
        then = f"{obstacle or f'To give it back to {url}, add -e {_CONFIRM}={project}'}."
        return Outcome(messages=[f"{project} is private on this index. Nothing was changed.", *known.lines(), then])
    outcome = Outcome(
        True, [f"{project} {'would be' if check else 'was'} given back: {url} answers for it.", *known.lines()]
    )
    outcome.messages += _remarks(policy, project) if policy else []
    if not check:
        store.give_back(project)
        files = {one.file: one.record.sha256 for one in known.published}
        if not change_log.note(ACTION, project=project, files=files):
            outcome.messages.append(f"The change log lacks this, as logs/ cannot be written to: {project}")
    return outcome


def main(check: bool, stdin: TextIO = sys.stdin, say: Callable[[str], Any] = print) -> int:
    """Do what a line on standard input asks for; return the exit code."""
    outcome = Outcome()

    def do(settings: Settings, store: Store, found: Mapping[str, Any]) -> None:
        request, policy = Request.of_variables(found), policies.read(settings.upstreams)
        done = give_back(store, ChangeLog(settings.logs), policy, request, check)
        outcome.changed, outcome.messages = done.changed, done.messages

    return answer(outcome, do, stdin, say)
