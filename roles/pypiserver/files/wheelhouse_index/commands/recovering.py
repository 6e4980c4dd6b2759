"""Bring back what a backup has: ``restore FOLDER SECONDS``, ``removed SECONDS``, ``settled``, ``drill SECONDS``; docs/backup.md.

FOLDER holds what the role backup has read from a snapshot: files/, as packages/ without its facts, and store/.wheelhouse/.
``restore`` moves from there what packages/ lacks, and merges what was decided on projects; nothing is replaced or removed. What
was removed since the snapshot, by the change log of this host, goes to the trash, from where it can come back. Where the index
has several nodes, standard input has what ``removed`` says on each of the others, by their names.
``settled`` waits until every file of packages/ is on its page. ``drill`` makes pages of what was restored into an empty folder,
and compares them with those of the index that serves; SECONDS since 1970 is when the snapshot was begun.

Answers are a line of JSON. With ``{"stop": TEXT}``, it was not done.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..common import disk, priority
from ..common.times import nanoseconds, time_text
from ..fact_store import history
from ..fact_store.decisions import NOTHING, QUARANTINED, DecisionFiles
from ..fact_store.facts import FOLDER, RESTORING, FactStore
from ..fact_store.records import FactsError
from ..files import incoming, names
from ..files.entry import guessed
from ..index.scan import Scanner
from ..index.store import Store
from ..server.settings import Settings

# The index that serves, as the container of a drill sees it.
LIVE = Path("/wheelhouse")
_PAGES = "simple/*/index.json"
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 300.0
# This node, among those that say what was removed; and how far clocks of nodes may be apart (docs/nodes.md), twice.
_OWN, _CLOCKS_NS = "", 10 * 10**9
# Of what is in the store beside decisions and quarantine: none of it changes.
_FACTS = ("names", "files", "given-back", "trash")


class CannotError(Exception):
    """What was asked for is not possible. Says why, and the remedy."""


@dataclass
class Restored:
    """What was brought in.

    Attributes:
        files: how many distribution files the snapshot has.
        added: how many of them packages/ lacked.
        kept: paths of those beside which there is another content, which stays.
        removed: paths of those that were removed since, and lie in the trash.
        unread: what of the change log cannot be read, by file names: removals that it tells of are not known.
    """

    files: int = 0
    added: int = 0
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def restore(
    source: Path,
    packages: Path,
    index: Path,
    logs: Path,
    began: int,
    elsewhere: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Restored:
    """Bring in what a snapshot has and packages/ lacks.

    Args:
        source: what was read from the snapshot.
        packages: the index's.
        index: its pages.
        logs: its change log, if there is one.
        began: when the snapshot was begun, in s since 1970.
        elsewhere: what ``removed`` says on other nodes, by their names.

    Raises:
        CannotError: if the snapshot has no facts, or packages/ has those of another index.
        FactsError: if decisions cannot be read.
    """
    incoming.prepare(incoming.folder_of(packages))
    theirs, facts = source / "store" / FOLDER, FactStore(packages, index)
    store = _begun(theirs, facts)
    for name in _FACTS:
        for path in _files(theirs / name):
            _place(theirs / name / path, facts.folder / name / path)
    _merge_decisions(theirs, facts)
    # Of the newest snapshot: what was decided since holds on a bare host too.
    _merge_decisions(source / "newest/store" / FOLDER, facts)
    said = {_OWN: removed(logs, began), **elsewhere}
    bringing = _Bringing(facts, _removed_since(said, began))
    bringing.found.unread = [f"{node}: {one}" if node else one for node in said for one in said[node]["unread"]]
    quarantine = theirs / facts.quarantine.folder.name
    for path in _files(quarantine):
        project, _slash, below = path.partition("/")
        back = names.is_project(project) and _status(facts, project) not in ("", QUARANTINED)
        target, below = (packages, below) if back else (facts.quarantine.folder, path)
        bringing.bring(quarantine / path, target, below)
    # After those in quarantine, which say what is in it where no decision does.
    for path in _files(source / "files"):
        if path.split("/", 1)[0] not in (FOLDER, incoming.FOLDER):
            project = guessed(path.rpartition("/")[2]).project
            # A quarantine that is younger than the snapshot holds: its files are not served for a moment.
            shut = _status(facts, project) == QUARANTINED
            bringing.bring(source / "files" / path, facts.quarantine.folder / project if shut else packages, path)
    # While files were brought in.
    bringing.take_back(_removed_since({_OWN: removed(logs, began), **elsewhere}, began))
    os.sync()
    _continue(store, facts)
    return bringing.found


def removed(logs: Path, began: int) -> dict[str, Any]:
    """Return what the change log of this host tells of files that came or were removed since a day.

    Args:
        logs: its folder.
        began: a time on that day, in s since 1970.

    Returns:
        ``files``: by name, when that was (``times``), the project, and whether it was removed. ``unread``: what of the change
        log cannot be read.
    """
    damaged: list[str] = []
    found = history.came_and_went(logs, time_text(began * 10**9), damaged)
    return {
        "files": {name: [one.time, one.project, one.action == history.REMOVED] for name, one in found.items()},
        # Operators know the folder under another name than a container.
        "unread": [one.removeprefix(f"{logs}/") for one in damaged],
    }


def _removed_since(said: Mapping[str, Mapping[str, Any]], began: int) -> dict[str, str]:
    """Return the projects of files that were removed since a snapshot was begun and have not come back, by name.

    Args:
        said: what ``removed`` says, by node.
        began: when that was, in s since 1970, by the clock of this one.
    """
    last: dict[str, list[_Last]] = {}
    for node, answer in said.items():
        slack = _CLOCKS_NS if node != _OWN else 0
        for name, (moment, project, is_removed) in answer["files"].items():
            if names.is_project(project):
                last.setdefault(name, []).append(_Last(nanoseconds(moment), slack, project, is_removed))
    found = {}
    for name, own in last.items():
        for one in (one for one in own if one.is_removed and one.time_ns + one.slack_ns >= began * 10**9):
            # What is in doubt goes to the trash, where nothing of it is lost.
            if not any(other.time_ns > one.time_ns + _CLOCKS_NS for other in own if not other.is_removed):
                found[name] = one.project
    return found


class _Last(NamedTuple):
    """What happened last to a file on a node: when by its clock, how far that may be behind, and what."""

    time_ns: int
    slack_ns: int
    project: str
    is_removed: bool


class _Bringing:
    """Brings distribution files in; ``found`` is what became of them.

    Args:
        facts: of the index.
        removed: projects of files that were removed since the snapshot, by their names.
    """

    def __init__(self, facts: FactStore, removed: Mapping[str, str]) -> None:
        self.found = Restored()
        self._removed = removed
        self._trashed = {one.name for one in facts.trash.files()} if removed else set()
        self._trash = facts.trash.folder / time_text(time.time_ns())
        # Where files were put, by name.
        self._added: dict[str, tuple[Path, str]] = {}

    def bring(self, source: Path, target: Path, path: str) -> None:
        """Bring a file in, below a folder."""
        name = path.rpartition("/")[2]
        project = self._removed.get(name.removesuffix(names.SIGNATURE))
        self.found.files += 1
        if project and not os.path.lexists(target / path):
            self.found.removed.append(path)
            if name not in self._trashed:
                _place(source, self._trash / project / path)
        elif _place(source, target / path):
            self.found.added += 1
            self._added[name] = target, path
        elif not _is_same(source, target / path):
            self.found.kept.append(path)

    def take_back(self, removed: Mapping[str, str]) -> None:
        """Put those files into the trash that were removed while they were brought in."""
        for name, (target, path) in self._added.items():
            if project := removed.get(name.removesuffix(names.SIGNATURE)):
                self.found.added -= 1
                self.found.removed.append(path)
                if os.path.lexists(target / path):
                    _place(target / path, self._trash / project / path)
                    (target / path).unlink(missing_ok=True)


def _status(facts: FactStore, project: str) -> str:
    """Return the status of a project: quarantined where it cannot be found out; empty where nothing was decided."""
    try:
        if decided := facts.decisions.at(project):
            return decided.status.status
    except FactsError:
        return QUARANTINED
    return QUARANTINED if facts.quarantine.has(project) else ""


def _begun(theirs: Path, facts: FactStore) -> bytes:
    """Begin to bring a store in; return what names it, for ``_continue``.

    Unless it is there already, its name comes last: until then nothing that serves takes what is missing yet for removed, or for
    what may be published.
    """
    try:
        wanted = disk.read(theirs / "format")
    except OSError as error:
        raise CannotError(f"the snapshot has no facts ({error}); name another one in pypi_restore_snapshot") from error
    # Of one that was cut off before.
    own = _content(facts.folder / RESTORING) or _content(facts.folder / "format")
    if own and own != wanted and any(os.scandir(facts.claims.folder)):
        raise CannotError(
            "packages/ of this host has packages of another index than the snapshot; restore to a host or a pypi_instance"
            " without packages"
        )
    for folder in (facts.folder, *facts.folders()):
        folder.mkdir(mode=0o700, exist_ok=True)
    if _content(facts.folder / "format") != wanted:
        disk.put(facts.folder.parent / incoming.FOLDER, facts.folder / RESTORING, wanted)
        (facts.folder / "format").unlink(missing_ok=True)
    return wanted


def _continue(store: bytes, facts: FactStore) -> None:
    """Have the store of the snapshot continued here."""
    if _content(facts.folder / "format") != store:
        disk.put(facts.folder.parent / incoming.FOLDER, facts.folder / "format", store)
    (facts.folder / RESTORING).unlink(missing_ok=True)


def _content(place: Path) -> bytes:
    """Return what a file holds; nothing where there is none."""
    try:
        return disk.read(place)
    except FileNotFoundError:
        return b""


def _merge_decisions(theirs: Path, facts: FactStore) -> None:
    snapshot = DecisionFiles(theirs / "projects", facts.folder)
    for project in snapshot.projects():
        try:
            own = facts.decisions.at(project) or NOTHING
            merged = own.merged(snapshot.at(project) or NOTHING)
        except FactsError:
            # It stops its own project, and the index says why.
            _place(snapshot.folder / f"{project}.json", facts.decisions.folder / f"{project}.json")
            continue
        if merged != own:
            facts.decisions.put(project, merged)


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths of regular files below a folder; links are not followed, and left out."""
    for place, _folders, found in os.walk(folder):
        for name in found:
            path = f"{place}/{name}"
            if os.path.isfile(path) and not os.path.islink(path):
                yield path[len(str(folder)) + 1 :]


def _place(source: Path, target: Path) -> bool:
    """Give a file its place, unless there is something; return whether there was nothing."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:
        # packages/ is on another disk.
        if os.path.lexists(target):
            return False
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            shutil.copy2(source, part)
            # An upload may have got the name meanwhile.
            os.link(part, target)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
    return True


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        if os.path.samefile(one, other):
            return True
        with open(one, "rb") as first, open(other, "rb") as second:
            return incoming.sha256(first) == incoming.sha256(second)
    return False


def settled(store: Store) -> dict[str, Any]:
    """Wait until the server has every file of packages/ on its page; return how many there are, and which are on none.

    Raises:
        CannotError: if that makes no progress.
    """
    last, since = None, time.monotonic()
    while True:
        with store.catalogue.reading() as known:
            stamps, pending, counts, unread = known.stamps(), len(known.pending()), known.counts(), known.with_unread()
            refused = [entry.path for entry in known.refused()]
            unread = [entry.path for project in unread for entry in known.unread(project)]
        found, removed = Scanner(store.packages, stamps).changes(thorough=True)
        left = len(found) + len(removed) + pending
        if not left:
            return {"projects": counts[0], "pages_files": counts[1], "unread": unread, "refused": refused}
        if left != last:
            last, since = left, time.monotonic()
        if time.monotonic() - since > _PATIENCE_SECONDS:
            raise CannotError(f"{left} files or pages are not there; the log of pypi-server says why")
        time.sleep(_LOOK_SECONDS)


def drill(store: Store, began: int) -> dict[str, Any]:
    """Make pages of what was restored, and compare them with those of the index that serves.

    Args:
        store: what was restored.
        began: when the snapshot was begun, in s since 1970.
    """
    store.prepare()
    store.write_pending()
    with store.catalogue.reading() as known:
        projects, files = known.counts()
        problems = [f"{entry.path} is on no page: its content is not what was published" for entry in known.refused()]
        if unread := known.unread_count() - len(problems):
            problems.append(f"{unread} files cannot be read")
    compared = time.monotonic()
    restored, live = _listed(store.output.folder), _listed(LIVE / "index")
    newer = live.keys() - restored.keys()
    problems += [f"{name} is not in the snapshot" for name in sorted(newer) if _is_older(name, began)]
    problems += [
        f"{name} has another content"
        for name in sorted(live.keys() & restored.keys())
        if live[name]["hashes"] != restored[name]["hashes"]
    ]
    both = live.keys() & restored.keys()
    return {
        "projects": projects,
        "files": files,
        "same": sum(live[name] == restored[name] for name in both),
        "changed_since": sum(live[name] != restored[name] for name in both),
        "removed_since": len(restored.keys() - live.keys()),
        "newer": len(newer),
        "problems": problems,
        "compare_seconds": round(time.monotonic() - compared, 1),
    }


def _listed(index: Path) -> dict[str, dict[str, Any]]:
    """Return the files on all pages by project and name, each as its page has it."""
    found = {}
    for page in index.glob(_PAGES):
        with suppress(FileNotFoundError):
            for file in json.loads(page.read_bytes())["files"]:
                # Its address is the index's own, which a drill has none of.
                file["provenance"] = "provenance" in file
                found[f"{page.parent.name}/{file['filename']}"] = file
    return found


def _is_older(name: str, began: int) -> bool:
    """Tell whether a file that serves, given by its project and name, was published before a moment."""
    places = (LIVE / "packages" / FOLDER / "files" / f"{name}.json", LIVE / "packages" / name.rpartition("/")[2])
    with suppress(OSError):
        record, file = (os.stat(place) for place in places)
        # What was restored meanwhile has its old record, and is a new file.
        return max(record.st_mtime, file.st_ctime) < began
    return False


def main(words: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    settings = Settings.of_environment()
    try:
        if words[0] == "restore":
            settings.index.mkdir(exist_ok=True)
            settings.packages.mkdir(exist_ok=True)
            places = settings.packages, settings.index, settings.logs
            answer = asdict(restore(Path(words[1]), *places, int(words[2]), json.load(sys.stdin) or {}))
        elif words[0] == "removed":
            answer = removed(settings.logs, int(words[1]))
        else:
            store = settings.store()
            if words[0] == "drill":
                priority.give_way()
            answer = settled(store) if words[0] == "settled" else drill(store, int(words[1]))
    except (CannotError, FactsError, OSError) as error:
        answer = {"stop": str(error)}
    print(json.dumps(answer))
    return int("stop" in answer)
