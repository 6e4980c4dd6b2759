# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of indexes in the engine's daemon.json, and how they come out again.

A *leaf* is a value at a path of keys; objects are merged, everything else (lists too) is a value as a whole. A record
beside the file keeps which leaves are whose, and what was there before. What somebody has changed by hand since then is
left as it is when the leaf goes.

Pure functions on the texts' contents. Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Iterator, Mapping, Sequence, Tuple

Path = Tuple[str, ...]
Leaves = Dict[Path, Any]

NOTE = "What the indexes of wheelhouse.pypi have put into daemon.json, and what was there before. Made by their runs."
HIDDEN = "***"


class SettingsError(Exception):
    """Something a person has to know, in words for that person."""


class _Nothing:
    """Where there is no value."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()

# What dockerd takes over without a restart, and the value that makes it forget one: a reload passes over most keys that
# are not in the file. NOTHING where it goes back to its default by itself. Read in moby's daemon/reload.go and
# cmd/dockerd/daemon.go, and tried; `runtimes` can be added to, but not emptied, and `features` are stored, but what
# they switch is built at the start.
RELOADABLE: dict[str, Any] = {
    "authorization-plugins": NOTHING,
    "debug": False,
    "default-runtime": "runc",
    "insecure-registries": [],
    "labels": [],
    "live-restore": False,
    "max-concurrent-downloads": NOTHING,
    "max-concurrent-uploads": NOTHING,
    "max-download-attempts": NOTHING,
    "registry-mirrors": [],
    "shutdown-timeout": 15,
}


@dataclass
class Record:
    """What is known of earlier runs.

    Attributes:
        indexes: the settings of each index, by its instance.
        before: what was at the path of each of their leaves; NOTHING where nothing was.
        made: objects that are there for the leaves in them; the empty path is the file.
        pending: keys of the file that the engine may not have taken over yet.
    """

    indexes: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: dict[Path, Any] = field(default_factory=dict)
    made: set[Path] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str) -> Record:
        """Read what ``text`` has written; raise ValueError for anything else."""
        try:
            data = json.loads(text)
            return cls(
                indexes={str(name): dict(settings) for name, settings in data["indexes"].items()},
                before={tuple(one["path"]): one.get("value", NOTHING) for one in data["before"]},
                made={tuple(path) for path in data["made"]},
                pending=[str(key) for key in data["pending"]],
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("it is not what a run has written") from error

    def text(self) -> str:
        """Write it down. The names of indexes are at the beginnings of lines, where the survey of a host finds them."""
        before = [
            {"path": list(path)} if value is NOTHING else {"path": list(path), "value": value}
            for path, value in sorted(self.before.items())
        ]
        data = {
            "note": NOTE,
            "indexes": self.indexes,
            "before": before,
            "made": sorted(list(path) for path in self.made),
            "pending": self.pending,
        }
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    def is_empty(self) -> bool:
        """Whether nothing of it is needed any more."""
        return not self.indexes and not self.pending


@dataclass
class Step:
    """A state of the two files, and what the engine needs to take it over.

    Attributes:
        content: of daemon.json; None where it is to be gone.
        record: to be written before daemon.json.
        keys: the file's keys that the engine has to take over.
        restart: whether it takes them over only by a restart; by a reload otherwise.
    """

    content: dict[str, Any] | None
    record: Record
    keys: list[str]
    restart: bool


def parse(text: str, path: str) -> dict[str, Any]:
    """Read the engine's file; raise SettingsError where it is broken. An empty file is what the engine takes it for."""
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        where = "line %d, column %d" % (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else ""
        raise SettingsError(
            "%s is not JSON (%s). Mend it, or move it away, and run again: it is not known what of it the engine "
            "has loaded" % (path, "%s at %s" % (getattr(error, "msg", error), where) if where else error)
        ) from error
    if not isinstance(content, dict):
        raise SettingsError("%s is not a JSON object: the engine wants {...}. Mend it, and run again" % path)
    return content


def as_text(content: Mapping[str, Any]) -> str:
    """The file's text; keys stay in their order."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def leaves(settings: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Values and their paths; an object without keys is a value."""
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def united(indexes: Mapping[str, Mapping[str, Any]]) -> Leaves:
    """All leaves that the indexes want; raise SettingsError, naming both, where two want different things."""
    found: Leaves = {}
    whose: dict[Path, str] = {}
    for name, settings in sorted(indexes.items()):
        for path, value in leaves(settings):
            for other in (*(path[:size] for size in range(1, len(path) + 1)), *_below(path, found)):
                if other in found and whose[other] != name and not _fit(path, value, other, found[other]):
                    raise SettingsError(
                        "pypi_docker_daemon: the indexes %s and %s want different values of %s, and their host has one "
                        "engine. Give both the same, or leave it to one of them"
                        % (whose[other], name, ".".join(path if len(path) < len(other) else other))
                    )
            if path not in found:
                found[path], whose[path] = value, name
    return found


def _below(path: Path, among: Iterable[Path]) -> list[Path]:
    return [other for other in among if len(other) > len(path) and other[: len(path)] == path]


def _fit(path: Path, value: Any, other: Path, others: Any) -> bool:
    """Whether two leaves go together: equal ones at one path, or an empty object above another."""
    if path == other:
        return bool(value == others and type(value) is type(others))
    return (value if len(path) < len(other) else others) == {}


def steps(live: Mapping[str, Any] | None, record: Record, instance: str, settings: Mapping[str, Any]) -> list[Step]:
    """What it takes to make the settings of one index true; nothing where all is so already.

    A key that goes, and that the engine would only forget by a restart, is first set to what it is without: two steps.
    So is live-restore before a restart.

    Args:
        live: content of daemon.json; None where there is none.
        record: of earlier runs.
        instance: the index.
        settings: all that it wants.

    Raises:
        SettingsError: the settings do not fit to those of another index, or to the file.
    """
    last = _step(live, record, instance, settings)
    if not last.keys:
        return [] if last.content == live and _same(last.record, record) else [last]
    gone = [key for key in last.keys if key not in (last.content or {})]
    if last.restart:
        # Whether containers outlive a restart is up to the engine that goes: it has to know before.
        first_keys = [key for key in last.keys if key == "live-restore"]
    else:
        first_keys = [key for key in gone if RELOADABLE[key] is not NOTHING]
    if not first_keys:
        return [last]
    neutral = {key: RELOADABLE[key] for key in first_keys if key in gone}
    first = _step(live, record, instance, {**settings, **neutral})
    # A killed run may have left them in the file, and the engine without.
    first.keys = first.record.pending = last.keys
    after = Record(first.record.indexes, first.record.before, first.record.made)
    if last.restart:
        first.restart, after.pending = False, last.keys
        return [first, _step(first.content, after, instance, settings)]
    return [first, _step(first.content, after, instance, settings, known=list(neutral))]


def _same(one: Record, other: Record) -> bool:
    return one.is_empty() == other.is_empty() and one.text() == other.text()


def _step(
    live: Mapping[str, Any] | None,
    record: Record,
    instance: str,
    settings: Mapping[str, Any],
    known: Sequence[str] = (),
) -> Step:
    """One state; ``known`` are keys that the engine has taken over, whatever changes in the file."""
    indexes = {name: one for name, one in record.indexes.items() if name != instance}
    old = united(record.indexes)
    if settings:
        indexes[instance] = copy.deepcopy(dict(settings))
    wanted = united(indexes)
    content: dict[str, Any] = copy.deepcopy(dict(live or {}))
    before: dict[Path, Any] = {}
    made = set(record.made)
    for path, value in old.items():
        if path not in wanted and _equal(_get(content, path), value):
            _set(content, path, record.before.get(path, NOTHING))
    if live is None and wanted:
        made.add(())
    for path, value in wanted.items():
        current = _get(content, path)
        untouched = path in old and _equal(current, old[path])
        before[path] = record.before.get(path, NOTHING) if untouched else current
        made |= _make_parents(content, path)
        if not (value == {} and isinstance(current, dict)):
            _set(content, path, copy.deepcopy(value))
    for path in sorted(made, key=len, reverse=True):
        if path and _get(content, path) == {} and path not in wanted:
            _set(content, path, NOTHING)
    made = {path for path in made if any(leaf[: len(path)] == path for leaf in wanted)}
    after = None if not content and not wanted and (live is None or () in record.made) else content
    now, then = after or {}, live or {}
    changed = [key for key in dict.fromkeys([*then, *now]) if not _equal(then.get(key, NOTHING), now.get(key, NOTHING))]
    keys = [key for key in dict.fromkeys([*changed, *record.pending]) if key not in known]
    if keys and not settings:
        # Until the engine has forgotten them, the next run has to know that there is something to do.
        indexes[instance] = {}
    return Step(after, Record(indexes, before, made, keys), keys, any(_restarts(key, now) for key in keys))


def _restarts(key: str, content: Mapping[str, Any]) -> bool:
    if key == "runtimes":
        return key not in content
    return key not in RELOADABLE


def done(record: Record) -> Record:
    """The record once the engine has taken everything over."""
    return Record(
        {name: settings for name, settings in record.indexes.items() if settings}, dict(record.before), set(record.made)
    )


def _equal(one: Any, other: Any) -> bool:
    """JSON's equality: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(*pair) for pair in zip(one, other))
    return bool(isinstance(one, bool) == isinstance(other, bool) and one == other)


def _get(content: Mapping[str, Any], path: Path) -> Any:
    value: Any = content
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return NOTHING
        value = value[key]
    return value


def _set(content: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value where its parents are; NOTHING takes away what is there."""
    parent = _get(content, path[:-1])
    if value is not NOTHING:
        parent[path[-1]] = value
    elif isinstance(parent, dict):
        parent.pop(path[-1], None)


def _make_parents(content: dict[str, Any], path: Path) -> set[Path]:
    """Make the objects above a leaf; return the paths of those that were not there."""
    made = set()
    for size in range(1, len(path)):
        parent = _get(content, path[:size])
        if parent is NOTHING:
            _set(content, path[:size], {})
            made.add(path[:size])
        elif not isinstance(parent, dict):
            raise SettingsError(
                "pypi_docker_daemon: %s has keys in it, and in daemon.json on the host it is no object. Mend the file, "
                "or the variable" % ".".join(path[:size])
            )
    return made


# -- what must not be shown ------------------------------------------------------------------------------------------

_TELLING = re.compile(r"token|passw|secret|credential|(?:access|api|private).?key\Z", re.IGNORECASE)
_LOGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)?(?P<login>[^\s/@]+)@", re.IGNORECASE)


def secrets(value: Any, telling: bool = False) -> set[str]:
    """Texts in a structure that nobody is to see: logins in addresses, and what is behind a key that says so."""
    if isinstance(value, Mapping):
        return set().union(*(secrets(one, telling or bool(_TELLING.search(str(key)))) for key, one in value.items()))
    if isinstance(value, (list, tuple)):
        return set().union(*(secrets(one, telling) for one in value))
    if not isinstance(value, str) or not value:
        return set()
    if telling:
        return {value}
    found = set()
    for match in _LOGIN.finditer(value):
        login = match["login"]
        _user, colon, password = login.partition(":")
        if colon:
            # A password of one or two letters alone would be found in every word.
            found |= {login, password} if len(password) > 2 else {login}
        elif match["scheme"] not in (None, "ssh://"):
            found.add(login)
    return found


def masked(value: Any, hidden: Iterable[str]) -> Any:
    """The same structure or text without the secrets."""
    if isinstance(value, Mapping):
        return {key: masked(one, hidden) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(one, hidden) for one in value]
    if isinstance(value, str):
        for secret in sorted(hidden, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
    return value


def as_diff(
    path: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, hidden: Iterable[str]
) -> dict[str, str]:
    """Ansible's diff of the file, with nothing in it that must not be seen."""
    texts = ["" if one is None else as_text(masked(one, hidden)) for one in (before, after)]
    if texts[0] == texts[1] and before != after:
        texts[1] += "(what is hidden here has changed)\n"
    return {"before_header": path, "after_header": path, "before": texts[0], "after": texts[1]}


def refusal(said: str, path: str) -> str:
    """Put into words why `dockerd --validate` did not take the file.

    Args:
        said: its output, with nothing in it that must not be seen.
        path: of the file that stays.
    """
    both = re.search(r"specified both as a flag and in the configuration file: (.*)", said)
    if both:
        names = re.findall(r"([\w-]+): \(from flag", both[1]) or [both[1]]
        return (
            "pypi_docker_daemon: %s %s on the command line of the engine too (%s), and it takes that from one place "
            "only. Take it out of pypi_docker_daemon, or out of the engine's unit (`systemctl edit docker.service`). "
            "%s stays as it is"
            % (" and ".join(names), "is" if len(names) == 1 else "are", both[1].strip(), path)
        )  # fmt: skip
    return "pypi_docker_daemon: the engine refuses these settings, and %s stays as it is: %s" % (path, said.strip())
