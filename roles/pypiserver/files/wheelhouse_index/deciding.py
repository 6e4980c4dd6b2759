"""Forms that decide on what is published: yank, unyank, set_status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from . import finding, names
from .answers import Refusal
from .decisions import STATUSES, Decision, Decisions
from .entry import Entry
from .forms import Form
from .store import Store
from .times import time_text

# What is answered, and whether anything changed.
Outcome = tuple[str, bool]
_REASON_LETTERS = 1000


def yank(store: Store, form: Form, login: str) -> Outcome:
    """Yank a release, or a file; return what was done, and whether anything was."""
    return _decide(store, form, partial(_yanked, Decision(_reason(form), login, time_text(time.time_ns()))))


def unyank(store: Store, form: Form, login: str) -> Outcome:
    """Take back the yank of a release with all its files, or of a file; return what was done, and whether anything was."""
    return _decide(store, form, _unyanked)


def set_status(store: Store, form: Form, login: str) -> Outcome:
    """Set the status of a project; return what was done, and whether anything was."""
    name, status = form.value("name"), form.value("status")
    if status not in STATUSES:
        raise Refusal(400, f"Unknown status {status[:40]!r}: give one of {', '.join(STATUSES)}.")
    project = names.normalised(name)
    store.check_facts()
    if not names.is_project(project) or not store.claimed(project):
        raise Refusal(404, f"There is no project {name[:200]} on this index: nothing was changed.")
    made = Decision(_reason(form), login, time_text(time.time_ns()), status)

    def change(before: Decisions) -> Decisions:
        is_same = (before.status.status, before.status.reason) == (made.status, made.reason)
        return before if is_same else before.changed(status=made)

    if store.decide(project, change):
        return f"{project} is {status} now.", True
    return f"Nothing to do: {project} is {status} already.", False


def _decide(store: Store, form: Form, change: Callable[[str, list[Entry], Decisions], Decisions]) -> Outcome:
    """Change the yank of what a form names.

    Args:
        store: the index.
        form: names a release, or a file.
        change: what becomes of the decisions; given the version (empty for a file alone), the files, and the decisions.
    """
    name, version, filename = (form.value(field) for field in ("name", "version", "filename"))
    if not filename and not (name and version):
        raise Refusal(400, "Name what is meant: 'name' and 'version', or 'filename'.")
    entries = [entry for entry in finding.found(store, name, version, filename) if not entry.is_signature]
    if not entries:
        raise Refusal(404, f"{(filename or f'{name} {version}')[:200]} is not on this index: nothing was changed.")
    normal = "" if filename else names.normal_version(version)
    changed = False
    for project in sorted({entry.project for entry in entries}):
        own = [entry for entry in entries if entry.project == project]
        changed |= store.decide(project, partial(change, normal, own))
    return f"{form.value(':action')}: {', '.join(sorted({entry.name for entry in entries}))}.", changed


def _yanked(made: Decision, version: str, entries: list[Entry], before: Decisions) -> Decisions:
    if version:
        return before.changed(releases={**before.releases, version: made})
    return before.changed(files={**before.files, **{entry.name: made for entry in entries}})


def _unyanked(version: str, entries: list[Entry], before: Decisions) -> Decisions:
    own = {names.normal_version(entry.release.version) for entry in entries}
    if not version and any(one in before.releases for one in own):
        raise Refusal(409, "The whole release is yanked: unyank it by name and version.")
    kept = {name: one for name, one in before.files.items() if name not in {entry.name for entry in entries}}
    releases = _without(before.releases, version)
    same = (len(kept), len(releases)) == (len(before.files), len(before.releases))
    return before if same else before.changed(files=kept, releases=releases)


def _without(releases: Mapping[str, Decision], version: str) -> dict[str, Decision]:
    return {own: one for own, one in releases.items() if own != version}


def _reason(form: Form) -> str:
    reason = form.value("reason")
    if len(reason) > _REASON_LETTERS or not reason.isprintable():
        raise Refusal(400, f"A reason is one line of at most {_REASON_LETTERS} printable characters.")
    return reason


ACTIONS: dict[str, Callable[[Store, Form, str], Outcome]] = {"yank": yank, "unyank": unyank, "set_status": set_status}
