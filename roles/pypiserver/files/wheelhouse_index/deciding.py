"""Forms that decide on what is published: yank, unyank, set_status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from . import finding, names, rights
from .answers import Refusal
from .decisions import STATUSES, Decision, Decisions
from .forms import Form
from .store import Store
from .times import time_text

# What is answered, and whether anything changed.
Outcome = tuple[str, bool]
_REASON_LETTERS = 1000


@dataclass(frozen=True)
class Target:
    """What of a project is to be yanked or unyanked.

    Attributes:
        project: its normalised name.
        version: the release, in its normal form; empty where files alone are meant.
        files: the releases of the files, as normal versions, by the names of the files.
    """

    project: str
    version: str
    files: Mapping[str, str]

    def changed(self, before: Decisions, after: Decisions) -> list[str]:
        """Return the files of which a change of the decisions has changed the yank."""
        return sorted(
            file for file, version in self.files.items() if before.yank(file, version) != after.yank(file, version)
        )


Change = Callable[[Target, Decisions], Decisions]


def yank(store: Store, form: Form, login: str, check: rights.Check) -> Outcome:
    """Yank a release, or a file; return what was done, and whether anything was."""
    return _decide(store, form, to_yanked(form.value("reason"), login), check)


def unyank(store: Store, form: Form, login: str, check: rights.Check) -> Outcome:
    """Take back the yank of a release with all its files, or of a file; return what was done, and whether anything was."""
    return _decide(store, form, _unyanked, check)


def set_status(store: Store, form: Form, login: str, check: rights.Check) -> Outcome:
    """Set the status of a project; return what was done, and whether anything was."""
    name, status = form.value("name"), form.value("status")
    if status not in STATUSES:
        raise Refusal(400, f"Unknown status {status[:40]!r}: give one of {', '.join(STATUSES)}.")
    project = names.normalised(name)
    check(project)
    store.check_facts()
    if not names.is_project(project) or not store.claimed(project):
        raise Refusal(404, f"There is no project {name[:200]} on this index: nothing was changed.")
    made = Decision(_checked(form.value("reason")), login, time_text(time.time_ns()), status)

    def change(before: Decisions) -> Decisions:
        is_same = (before.status.status, before.status.reason) == (made.status, made.reason)
        return before if is_same else before.changed(status=made)

    if store.decide(project, change):
        return f"{project} is {status} now.", True
    return f"Nothing to do: {project} is {status} already.", False


def _decide(store: Store, form: Form, change: Change, check: rights.Check) -> Outcome:
    """Change the yank of what a form names.

    Args:
        store: the index.
        form: names a release, or a file.
        change: what becomes of the decisions.
        check: refuses projects, also those that the form names by a file alone.
    """
    name, version, filename = (form.value(field) for field in ("name", "version", "filename"))
    if not filename and not (name and version):
        raise Refusal(400, "Name what is meant: 'name' and 'version', or 'filename'.")
    meant = targets(store, name, version, filename)
    check(*(target.project for target in meant))
    changed = False
    for target in meant:
        changed |= store.decide(target.project, partial(change, target))
    files = ", ".join(sorted({name for target in meant for name in target.files}))
    return f"{form.value(':action')}: {'' if changed else 'nothing to do for '}{files}.", changed


def targets(store: Store, name: str, version: str, filename: str) -> list[Target]:
    """Return what a release, or a file, is on the index; arguments as for ``finding.found``.

    Raises:
        Refusal: if it is not there.
    """
    found = [
        (entry.project, entry.name, entry.release.version)
        for entry in finding.found(store, name, version, filename)
        if not entry.is_signature
    ] or quarantined(store, name, version, filename)
    if not found:
        raise Refusal(404, f"{(filename or f'{name} {version}')[:200]} is not on this index: nothing was changed.")
    normal = "" if filename else names.normal_version(version)
    files: dict[str, dict[str, str]] = {}
    # Copied files of one name may be of several projects.
    for project, file, own in found:
        files.setdefault(project, {})[file] = names.normal_version(own)
    return [Target(project, normal, files[project]) for project in sorted(files)]


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
    return partial(_yanked, Decision(_checked(reason), login, time_text(time.time_ns())))


def _yanked(made: Decision, target: Target, before: Decisions) -> Decisions:
    def is_same(old: Decision | None) -> bool:
        return old is not None and old.reason == made.reason

    if target.version:
        # What was said of its files alone counts no more.
        others = {name: one for name, one in before.files.items() if name not in target.files or is_same(one)}
        if is_same(before.releases.get(target.version)):
            return before if len(others) == len(before.files) else before.changed(files=others)
        return before.changed(files=others, releases={**before.releases, target.version: made})
    new = {name: made for name in target.files if not is_same(before.files.get(name))}
    return before.changed(files={**before.files, **new}) if new else before


def _unyanked(target: Target, before: Decisions) -> Decisions:
    if not target.version and any(version in before.releases for version in target.files.values()):
        raise Refusal(409, "The whole release is yanked: unyank it by name and version.")
    return taken_back(target, before)


def taken_back(target: Target, before: Decisions) -> Decisions:
    """Return decisions without the yanks of a target; files stay yanked by the yank of their whole release."""
    kept = {name: one for name, one in before.files.items() if name not in target.files}
    releases = _without(before.releases, target.version)
    same = (len(kept), len(releases)) == (len(before.files), len(before.releases))
    return before if same else before.changed(files=kept, releases=releases)


def _without(releases: Mapping[str, Decision], version: str) -> dict[str, Decision]:
    return {own: one for own, one in releases.items() if own != version}


def _checked(reason: str) -> str:
    if len(reason) > _REASON_LETTERS or not reason.isprintable():
        raise Refusal(400, f"A reason is one line of at most {_REASON_LETTERS} printable characters.")
    return reason


ACTIONS: dict[str, Callable[[Store, Form, str, rights.Check], Outcome]] = {
    "yank": yank,
    "unyank": unyank,
    "set_status": set_status,
}
