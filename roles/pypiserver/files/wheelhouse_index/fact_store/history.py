"""What happened on the index: from the facts, which last, and from the change log, which alone has removals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.times import nanoseconds, time_text
from ..files import names
from . import change_log
from .decisions import Decisions
from .facts import FactStore
from .published import attested, published
from .records import COPIED, IMPORT, UPLOAD, FactsError

PUBLISHED, ATTESTED, IMPORTED, REMOVED, RESTORED, YANKED, UNYANKED, STATUS = (
    "published", "attested", "imported", "removed", "restored", "yanked", "unyanked", "status"
)  # fmt: skip
# As the change log calls it.
_ACTIONS = {
    "file_upload": PUBLISHED,
    change_log.ATTEST: ATTESTED,
    "import": IMPORTED,
    "remove_pkg": REMOVED,
    change_log.PRUNE: REMOVED,
    change_log.RESTORE: RESTORED,
    "yank": YANKED,
    "unyank": UNYANKED,
    "set_status": STATUS,
}
# As records call it.
_SOURCES = {UPLOAD: PUBLISHED, IMPORT: IMPORTED, COPIED: COPIED}


@dataclass(frozen=True)
class Wanted:
    """Which events are wanted.

    Attributes:
        login: whose; None for all, empty for those of no login.
        project: of which, by its normalised name; empty for all.
        since: from when on, as text (``times``); empty for all.
    """

    login: str | None = None
    project: str = ""
    since: str = ""


@dataclass(frozen=True)
class Event:
    """Something that happened: to a file, else to a release, else to a project.

    Attributes:
        time: as text (``times``).
        action: published, attested, imported, copied, removed, restored, yanked, unyanked or status.
        login: whose it was; empty where there was none.
        project: its normalised name.
        file: the file's name; empty for a release or a project.
        version: of a release, in its normal form; empty for a file or a project.
        status: that the project got; else empty.
        reason: for people.
        sha256: of a file; empty where the facts alone tell of its yank.
        address: from where; empty where that is not known.
    """

    time: str
    action: str
    login: str
    project: str
    file: str = ""
    version: str = ""
    status: str = ""
    reason: str = ""
    sha256: str = ""
    address: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other events, time aside: facts and change log have it both."""
        sha256 = "" if self.action in (YANKED, UNYANKED) else self.sha256
        return self.action, self.login, self.project, self.file, sha256, self.version, self.status


def events(store: FactStore, logs: Path, wanted: Wanted, damaged: list[str]) -> list[Event]:
    """Return what happened, in the order of time.

    Args:
        store: the facts.
        logs: the folder of the change log.
        wanted: which events.
        damaged: gets the paths of what cannot be read.
    """
    by_key: dict[tuple[str, ...], list[Event]] = {}
    for event in _logged(logs, wanted.since[:10], damaged):
        if _is_wanted(event, wanted):
            by_key.setdefault(event.key, []).append(event)
    found: list[Event] = []
    for event in _known(store, wanted, damaged):
        logged = by_key.get(event.key, [])
        at = next((at for at, one in enumerate(logged) if one.time >= event.time), None)
        if at is None:
            found.append(event)
        elif event.action != IMPORTED:
            # A fact has the time that counts, the log, written moments later, the address.
            also = logged.pop(at)
            found.append(replace(event, address=also.address, sha256=also.sha256))
        # The fact of an imported file has the time of the file, the log that of the import.
    found += [event for logged in by_key.values() for event in logged]
    return sorted((event for event in found if event.time >= wanted.since), key=lambda event: (event.time, event.key))


def came_and_went(logs: Path, since: str, damaged: list[str]) -> dict[str, Event]:
    """Return the last event of each file that came or was removed since the day of a time, by name; of the change log.

    ``damaged`` gets the paths of what cannot be read.
    """
    found: dict[str, Event] = {}
    for event in sorted(_logged(logs, since[:10], damaged), key=lambda event: event.time):
        if event.action in (REMOVED, PUBLISHED, IMPORTED, RESTORED):
            try:
                nanoseconds(event.time)
            except ValueError as error:
                damaged.append(f"{event.file}: {error}")
                continue
            found[event.file.rpartition("/")[2]] = event
    return found


def _is_wanted(event: Event, wanted: Wanted) -> bool:
    return wanted.login in (None, event.login) and wanted.project in ("", event.project)


def _known(store: FactStore, wanted: Wanted, damaged: list[str]) -> Iterator[Event]:
    """Yield what the facts tell."""
    which = wanted.login, wanted.project, wanted.since[:10]
    for one in published(store.records.folder, damaged, *which):
        record = one.record
        action, moment = _SOURCES.get(record.source, record.source), time_text(record.uploaded_ns)
        yield Event(moment, action, record.login, one.project, one.file, sha256=record.sha256)
    for own, file, kept in attested(store.records.folder, damaged, *which):
        yield Event(time_text(kept.time_ns), ATTESTED, kept.login, own, file, sha256=kept.sha256)
    for project in [wanted.project] if wanted.project else store.decisions.projects():
        try:
            decisions = store.decisions.at(project)
        except FactsError as error:
            damaged.append(str(error))
            continue
        if decisions:
            yield from (event for event in _decided(project, decisions) if _is_wanted(event, wanted))


def _decided(project: str, decisions: Decisions) -> Iterator[Event]:
    for one in decisions.made:
        what = {"file": one.file, "version": one.release, "status": one.status, "reason": one.reason}
        yield Event(one.time, STATUS if one.status else YANKED, one.login, project, **what)


def _logged(logs: Path, day: str, damaged: list[str]) -> Iterator[Event]:
    """Yield what the change log tells of a day and those after it."""
    for place in change_log.files(logs, day):
        try:
            with place.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        yield from _of_line(json.loads(line))
                    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                        damaged.append(f"{place}, line {number}")
        except (OSError, ValueError):
            damaged.append(str(place))


def _of_line(line: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the events of a line of the change log: of a project, of a release, or one for each file."""
    event = Event(
        str(line["time"]),
        _ACTIONS.get(line["action"], str(line["action"])),
        str(line["login"]),
        str(line["project"]),
        **{field: str(line.get(field, "")) for field in ("version", "status", "reason", "address")},
    )
    if event.version or event.status:
        yield event
        return
    for file, sha256 in line["files"].items():
        if names.suffix(file):
            yield replace(event, file=file, sha256=str(sha256))
