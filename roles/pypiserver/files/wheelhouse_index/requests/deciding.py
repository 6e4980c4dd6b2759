"""Forms that decide on what is published: yank, unyank, set_status."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..common.answers import Refusal
from ..common.times import time_text
from ..fact_store.decisions import STATUSES, Decision, Decisions, Subject
from ..fact_store.quarantine import StayedError
from ..fact_store.records import FactsError
from ..files import names
from ..index.store import Store
from . import finding, rights
from .forms import Form

_REASON_LETTERS = 1000


@dataclass(frozen=True)
class Target:
    """What of a project is to be yanked or unyanked.

    Attributes:
        project: its normalised name.
        version: the release, in its normal form; empty where files alone are meant.
        files: the releases of the files, as normal versions, by the names of the files.
        digests: of their contents (SHA-256), by the names of the files; empty where it is not known.
    """

    project: str
    version: str
    files: dict[str, str]
    digests: dict[str, str]

    def changed(self, before: Decisions, after: Decisions) -> list[str]:
        """Return the files of which a change of the decisions has changed the yank."""
        return sorted(
            file for file, version in self.files.items() if before.yank(file, version) != after.yank(file, version)
        )

    def line(self, changed: Iterable[str], reason: str) -> dict[str, Any]:
        """Return what the change log has of a yank, or of its end: a release with its files, or the files that it changed."""
        files = {name: self.digests[name] for name in sorted(self.files if self.version else changed)}
        more = {"version": self.version, "reason": reason}
        return {"project": self.project, "files": files, **{name: value for name, value in more.items() if value}}


Change = Callable[[Target, Decisions], Decisions]
# Notes in the change log what was done.
Note = Callable[..., object]


def yank(store: Store, form: Form, login: str, check: rights.Check, note: Note) -> str:
    """Yank a release, or a file; return what was done."""
    return _decide(store, form, to_yanked(form.value("reason"), login), check, note)


def unyank(store: Store, form: Form, _login: str, check: rights.Check, note: Note) -> str:
    """Take back the yank of a release with all its files, or of a file; return what was done."""
    return _decide(store, form, _unyanked, check, note)


def set_status(store: Store, form: Form, login: str, check: rights.Check, note: Note) -> str:
    """Set the status of a project; return what was done."""
    name, status = form.value("name"), form.value("status")
    if status not in STATUSES:
        raise Refusal(400, f"Unknown status {status[:40]!r}: give one of {', '.join(STATUSES)}.")
    project = names.normalised(name)
    check(project)
    store.check_facts()
    if not names.is_project(project) or not store.claimed(project):
        raise Refusal(404, f"There is no project {name[:200]} on this index: nothing was changed.")
    made = Decision(time_text(time.time_ns()), login, _checked(form.value("reason")), status)

    def change(before: Decisions) -> Decisions:
        is_same = (before.status.status, before.status.reason) == (made.status, made.reason)
        return before if is_same else before.changed([made])

    reason = {"reason": made.reason} if made.reason else {}
    if _done(store, project, change, partial(note, project=project, status=status, **reason)):
        return f"{project} is {status} now."
    return f"Nothing to do: {project} is {status} already."


def _done(store: Store, project: str, change: Callable[[Decisions], Decisions], note: Note) -> bool:
    """Decide on a project, and note it; return whether anything changed."""
    try:
        changed = store.decide(project, change)
    except StayedError:
        note()
        raise
    if changed:
        note()
    return changed


# What an answer says of a change, and of one that was not needed.
_DONE = {"yank": ("Yanked", "already yanked"), "unyank": ("Unyanked", "not yanked")}


def _decide(store: Store, form: Form, change: Change, check: rights.Check, note: Note) -> str:
    """Change the yank of what a form names; return what was done.

    Args:
        store: the index.
        form: names a release, or a file.
        change: what becomes of the decisions.
        check: refuses projects, also those that the form names by a file alone.
        note: notes what was done.
    """
    name, version, filename = (form.value(field) for field in ("name", "version", "filename"))
    if not filename and not (name and version):
        raise Refusal(400, "Name what is meant: 'name' and 'version', or 'filename'.")
    reason = _checked(form.value("reason"))
    meant = targets(store, name, version, filename)
    check(*(target.project for target in meant))
    changed = False
    for target in meant:
        line = target.line(target.files, reason)
        changed |= _done(store, target.project, partial(change, target), partial(note, **line))
    files = ", ".join(sorted({name for target in meant for name in target.files}))
    done, already = _DONE[form.value(":action")]
    return f"{done} {files}." if changed else f"Nothing to do, {already}: {files}."


def targets(store: Store, name: str, version: str, filename: str) -> list[Target]:
    """Return what a release, or a file, is on the index; arguments as for ``finding.found``.

    Raises:
        Refusal: if it is not there.
    """
    found = [
        (entry.project, entry.name, entry.release.version, entry.facts.sha256 if entry.facts else "")
        for entry in finding.found(store, name, version, filename)
        if not entry.is_signature
    ] or [
        (project, file, own, _digest(store, project, file))
        for project, file, own in quarantined(store, name, version, filename)
    ]
    if not found:
        raise Refusal(404, f"{(filename or f'{name} {version}')[:200]} is not on this index: nothing was changed.")
    normal = "" if filename else names.normal_version(version)
    # Copied files of one name may be of several projects.
    meant = {project: Target(project, normal, {}, {}) for project, *_file in sorted(found)}
    for project, file, own, sha256 in found:
        meant[project].files[file] = names.normal_version(own)
        meant[project].digests[file] = sha256
    return list(meant.values())


def _digest(store: Store, project: str, file: str) -> str:
    """Return the digest of a file that is not served; empty where its record cannot be read."""
    with suppress(FactsError):
        if record := store.facts.records.at(project, file):
            return record.sha256
    return ""


def quarantined(store: Store, name: str, version: str, filename: str) -> list[tuple[str, str, str]]:
    """Return project, name and version of files of a quarantined project: what is yanked now is so when they are back."""
    guessed = names.of_file(filename)
    project = names.normalised(name) if name else guessed.project if guessed else ""
    with store.catalogue.reading() as known:
        if not known.decisions(project).is_quarantined:
            return []
    released = ((file, names.of_file(file)) for file in store.facts.records.names(project))
    return [
        (project, file, release.version)
        for file, release in released
        if release and filename in ("", file) and (not version or names.same_version(version, release.version))
    ]


def to_yanked(reason: str, login: str) -> Change:
    """Return the change that yanks; what is yanked with the same reason stays as it is.

    Raises:
        Refusal: if that is no reason.
    """
    return partial(_yanked, Decision(time_text(time.time_ns()), login, _checked(reason)))


def _yanked(made: Decision, target: Target, before: Decisions) -> Decisions:
    def is_same(subject: Subject) -> bool:
        old = before.counting.get(subject)
        return old is not None and old.reason == made.reason

    files: list[Subject] = [("file", name) for name in target.files]
    if target.version:
        new = [replace(made, release=target.version)]
        # What was said of its files alone counts no more.
        back = [file for file in files if not is_same(file)]
    else:
        new, back = [replace(made, file=name) for _file, name in files], []
    return before.changed([one for one in new if not is_same(one.subject)], back)


def _unyanked(target: Target, before: Decisions) -> Decisions:
    if not target.version and any(("release", version) in before.counting for version in target.files.values()):
        raise Refusal(409, "The whole release is yanked: unyank it by name and version.")
    return taken_back(target, before)


def taken_back(target: Target, before: Decisions) -> Decisions:
    """Return decisions without the yanks of a target; files stay yanked by the yank of their whole release."""
    return before.changed(back=[("release", target.version), *(("file", name) for name in target.files)])


def _checked(reason: str) -> str:
    if len(reason) > _REASON_LETTERS or not reason.isprintable():
        raise Refusal(400, f"A reason is one line of at most {_REASON_LETTERS} printable characters.")
    return reason


ACTIONS: dict[str, Callable[[Store, Form, str, rights.Check, Note], str]] = {
    "yank": yank,
    "unyank": unyank,
    "set_status": set_status,
}
