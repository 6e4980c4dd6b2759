# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with an index, from what doctor.yml has collected: pure functions, a check each."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import certificates
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.rules import quotas

Facts = Mapping[str, Any]
OK, WARNING, ERROR = "ok", "warning", "error"
LEVELS = (OK, WARNING, ERROR)
# Milliseconds until the front page; days.
_SLOW, _SLOWEST = 500, 5000
_SOON_DAYS, _UNUSED_DAYS, _OLD_IMAGE_DAYS, _DRILL_DAYS = 14, 90, 180, 35
_CERTIFICATE_ERROR_DAYS = 7
# Ten minutes.
_STARTING_DAYS = 10 / 60 / 24
# So many times as old as when it was overdue: two scheduled ones have failed to come then.
_BACKUP_ERROR = 4
# Seconds that a host's clock may differ from the controller's: tokens end and uploads are dated by it.
_CLOCK_SECONDS, _CLOCK_ERROR_SECONDS = 5, 300
# After which a node that lives has said so: several times the longest pypi_freshness of nodes, and clocks may be apart.
_SILENT_SECONDS = 120
# Percent of a file system, or of its inodes, that are left.
_LOW, _LOWEST = 15, 5
# A warning comes while so many times the reserve are left.
_NEAR_RESERVE = 2
# The exit code of a container that was killed, for want of memory.
_KILLED = 137
# Builds that can be repeated say that they are of 1970, or of the year 1.
_NO_DATE = "2000"
# How many requests may fail before that is an error, and which share of them.
_FAILED, _FAILING = 10, 0.01
_SITE = "run wheelhouse.pypi.site"
_ROOM = "make room, or enlarge the file system (docs/operations.md#disk-full)"
_REBUILD = "run `docker compose exec pypi-server python3 -m wheelhouse_index.rebuild` in the index's folder"
_RESTORE = "move aside what is there, then restore from a backup (docs/backup.md)"
# What Python's ssl says of a certificate that it refuses.
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_TRUST = (
    "see the finding on the certificate; if that is fine, the controller does not trust who signed it: copy the file "
    "pypi_tls_authority_file to the controller (self_signed), or add the authority to those that its system trusts"
)
_FRACTION = re.compile(r"[.]\d+")

# What the module newer_images_info finds of images that are not newer.
_UNCHANGED = {
    "same": "{name} has the digest that its registry has",
    "pinned": "{name} is pinned by its digest: no registry is asked for a newer one",
    "local": "{name}: its registry does not know this image: built or loaded on the host, or removed there",
    "unasked": "{name}: its registry could not be asked for a newer one: {reason}",
}

# Of each kind of problem that `wheelhouse_index inspect` finds: level, what has it, and the remedy.
STORE = {
    "file altered": (ERROR, "files that are not what was published, which clients refuse", _RESTORE),
    "file missing": (ERROR, "files on pages and not on disk", _RESTORE),
    "file unreadable": (ERROR, "unreadable files", "check the disk and the files' owner, the service account"),
    "file on no page": (WARNING, "files on no page", "`docker compose logs pypi-server` names the reason"),
    "unreadable folder": (ERROR, "unreadable folders of packages/", "give them to the service account"),
    "page missing": (ERROR, "pages that are missing", _REBUILD),
    "page damaged": (ERROR, "damaged pages", _REBUILD),
    "facts unusable": (ERROR, "unusable facts", "do what it says"),
    "fact missing": (
        WARNING,
        "files without a record in packages/.wheelhouse/",
        f"after a large copy, wait; else {_REBUILD}",
    ),
    "fact damaged": (ERROR, "damaged records of files", f"{_RESTORE}, with packages/.wheelhouse/"),
    "fact differs": (ERROR, "files with another hash on their page than in their record", _RESTORE),
    "name not claimed": (ERROR, "projects without a claim, for which upstream could answer", _REBUILD),
}


class Finding(NamedTuple):
    """What a check has found.

    Attributes:
        check: its name.
        level: ok, warning or error.
        text: what there is to know.
        remedy: what to do; empty where there is nothing to do.
    """

    check: str
    level: str
    text: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The finding for people."""
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.level:<7}  {self.check}: {self.text}{remedy}"


def findings(facts: Facts, at: datetime.datetime) -> list[Finding]:
    """Return what all checks find, errors first.

    Args:
        facts: what __stack_examined in roles/stack/vars/main.yml collects.
        at: the time.
    """
    found: list[Finding] = []
    for name, check in CHECKS.items():
        found += [Finding(name, *one) for one in check(facts, at)]
    return sorted(found, key=lambda finding: -LEVELS.index(finding.level))


def verdict(found: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as doctor.yml takes them: the worst level, a line each for people, and a mapping each for programs."""
    return {
        "level": max((finding.level for finding in found), key=LEVELS.index, default=OK),
        "lines": [finding.line for finding in found],
        "findings": [finding._asdict() for finding in found],
    }


# Level, text, remedy.
Said = Iterator[tuple[str, ...]]


def _answer(facts: Facts, at: datetime.datetime) -> Said:
    expected = int(facts["expected_status"])
    for name, where, remedy in (
        ("local", "on the host itself", f"see the findings on containers; {_SITE} to start what is missing"),
        (
            "public",
            "under its public name",
            "check DNS, firewalls, proxies and pypi_url; the host itself is asked as well",
        ),
    ):
        answer = facts["answers"].get(name)
        if not answer:
            continue
        asked, status = f"{answer['url']}, asked {where},", answer["status"]
        took = answer["milliseconds"]
        if _UNTRUSTED in answer["error"]:
            yield ERROR, f"{asked} has a certificate that the controller refuses: {answer['error']}", _TRUST
        elif not status:
            yield ERROR, f"{asked} does not answer: {answer['error']}", remedy
        elif status >= 500:
            yield ERROR, f"{asked} answers {status}", remedy
        elif status != expected:
            wrong = f"{asked} answers {status} instead of {expected}"
            yield WARNING, wrong, f"{_SITE}, which puts pypi_authenticate in force; or a proxy in front answers"
        elif took >= _SLOW:
            level = ERROR if took >= _SLOWEST else WARNING
            yield level, f"{asked} takes {took:.0f} ms", "see what keeps the host busy, such as `top` and `iostat`"
        else:
            yield OK, f"{asked} answers {status} in {took:.1f} ms"


def _certificate(facts: Facts, at: datetime.datetime) -> Said:
    tls, chain = facts["tls"], facts["certificate"]
    renew = {
        "acme": "`systemctl status wheelhouse-*-certificate.service` on the host says why it was not renewed",
        "self_signed": _SITE,
    }.get(tls, "renew it, then run wheelhouse.pypi.site")
    if tls == "none":
        return
    if not chain:
        yield ERROR, "there is none, or it cannot be read", _SITE
        return
    certificate = certificates.about(chain[0], at)
    for problem in certificates.problems(chain, facts["name"], at):
        yield ERROR, problem, renew
    if certificate.not_after > at:
        until = f"good for {certificate.days} days, until {certificate.not_after:%Y-%m-%d}"
        level = ERROR if certificate.days < _CERTIFICATE_ERROR_DAYS else WARNING
        yield (level, until, renew) if certificate.due else (OK, until)


def _clock(facts: Facts, at: datetime.datetime) -> Said:
    looked, said = facts["looked"], _said(facts, "time")
    if not said:
        yield ERROR, "the host does not say its time", "check that `date` works there"
        return
    # The controller's time before and after; text before ansible-core 2.19.
    seconds = float(said[0])
    behind, ahead = float(looked["begin"]) - seconds, seconds - float(looked["end"])
    off = max(behind, ahead, 0.0)
    remedy = "start a time service, such as chrony or systemd-timesyncd, on the host and on the controller"
    if off > _CLOCK_SECONDS:
        where = "behind" if behind > ahead else "ahead of"
        level = ERROR if off > _CLOCK_ERROR_SECONDS else WARNING
        yield level, f"{off:.0f} seconds {where} the controller's", remedy
    elif _said(facts, "synchronised") == ["no"]:
        yield WARNING, "right, and not synchronised by any service that systemd knows", remedy
    else:
        yield OK, "right"


def _disk(facts: Facts, at: datetime.datetime) -> Said:
    systems: dict[str, tuple[list[str], list[int]]] = {}
    for folder, system, *numbers in _fields(facts, "disk"):
        size, *counts = map(int, numbers)
        # A file system that two folders are on is one.
        systems.setdefault(f"{system} {counts[0]}", ([], [size, *counts]))[0].append(folder)
    if not systems:
        yield ERROR, "the folders of the index are missing", _SITE
    for folders, (size, blocks, free, inodes, free_inodes) in systems.values():
        where = folders[0] if len(folders) == 1 else f"{folders[0]} and {len(folders) - 1} more"
        room = 100 * free // max(blocks, 1)
        # Some file systems have as many as they need.
        rest = 100 * free_inodes // inodes if inodes else 100
        text = f"{where}: free are {_bytes(free * size)} ({room} %) and {rest} % of the inodes"
        # Of the first folder, packages/.
        reserve = quotas.reserved(facts["reserve"], blocks * size) if folders[0].endswith("/packages") else 0
        if reserve > free * size:
            yield ERROR, f"{text}; uploads get 507, as {_bytes(reserve)} have to stay so (pypi_disk_reserve)", _ROOM
        elif min(room, rest) < _LOW or _NEAR_RESERVE * reserve > free * size:
            soon = f"; uploads get 507 when {_bytes(reserve)} are left (pypi_disk_reserve)" if reserve else ""
            yield ERROR if min(room, rest) < _LOWEST else WARNING, text + soon, _ROOM
        else:
            yield OK, text


def _containers(facts: Facts, at: datetime.datetime) -> Said:
    if _said(facts, "stopped"):
        yield ERROR, "Docker is stopped", "`systemctl start docker` on the host starts it, and the containers"
        return
    if not _said(facts, "engine"):
        yield ERROR, "Docker does not answer", "`systemctl status docker` on the host says why; start it"
        return
    found = [dict(zip(_CONTAINER, fields)) for fields in _fields(facts, "container")]
    expected: Counter[str] = Counter(facts["services"])
    missing = expected - Counter(one["service"] for one in found)
    if missing:
        names = (
            name if expected[name] == 1 else f"{count} of {expected[name]} {name}" for name, count in missing.items()
        )
        yield ERROR, f"missing: {', '.join(sorted(names))}", _SITE
    for one in found:
        name, state = one["service"], one["health"] or one["status"]
        log = f"`docker compose logs {name}` in the index's folder says why"
        if one["status"] != "running":
            yield ERROR, f"{name} is {one['status']}", f"{_SITE}, which starts it; {log}"
        elif state not in ("healthy", "running", "starting"):
            yield ERROR, f"{name} is {state}", log
        elif state == "starting" and _days(one["started"], at) > _STARTING_DAYS:
            yield WARNING, f"{name} has been starting since {one['started'][:16]}", log
        if one["out_of_memory"] == "true":
            yield ERROR, f"{name} ran out of memory", "raise pypi_container_memory"
        elif int(one["restarts"]) and _days(one["started"], at) < 1:
            yield WARNING, f"{name} was restarted {one['restarts']} times, last on {one['started'][:16]}", log
    running = [one for one in found if one["status"] == "running"]
    if running:
        yield OK, f"{len(running)} run: {', '.join(sorted(one['service'] for one in running))}"


def _images(facts: Facts, at: datetime.datetime) -> Said:
    found = [dict(zip(_CONTAINER, fields)) for fields in _fields(facts, "container")]
    for image, built in sorted({(one["image"], one["built"]) for one in found if one["built"]}):
        if built < _NO_DATE:
            continue
        days = _days(built, at)
        text = f"{image} was built {days:.0f} days ago"
        if days > _OLD_IMAGE_DAYS:
            yield WARNING, text, "look for a newer release, and set pypi_image_pypiserver or pypi_image_nginx"
        else:
            yield OK, text
    if facts["images_from_file"]:
        yield OK, "they come from a file: no registry is asked for newer ones"
    for one in facts["images"]:
        name = one["name"]
        if one["found"] == "newer":
            yield WARNING, f"{name} has a newer digest in its registry", f"{_SITE} with -e pypi_images_pull=newer"
        else:
            yield OK, _UNCHANGED[one["found"]].format(**one)


def _timers(facts: Facts, at: datetime.datetime) -> Said:
    units = dict(fields for fields in _fields(facts, "unit") if len(fields) == 2)
    for unit in facts["timers"]:
        if units.get(unit) != "active":
            yield ERROR, f"{unit} is {units.get(unit, 'missing')}", f"{_SITE}, which starts it"
    for unit, state in units.items():
        if state == "failed":
            yield ERROR, f"{unit} has failed", f"`journalctl --unit {unit}` on the host says why"
    if "active" in units.values():
        yield OK, f"active: {', '.join(unit for unit, state in units.items() if state == 'active')}"


def _store(facts: Facts, at: datetime.datetime) -> Said:
    found = facts["store"]
    if int(facts["store_code"]) == _KILLED:
        yield ERROR, "could not be compared: the container ran out of memory", "raise pypi_container_memory"
        return
    if not found:
        yield (
            ERROR,
            f"could not be compared: {' '.join(facts['store_error'].split())[:300]}",
            "mend what it names, then run this again",
        )
        return
    for kind, those in found["problems"].items():
        level, text, remedy = STORE[kind]
        more = f" and {those['count'] - len(those['some'])} more" if those["count"] > len(those["some"]) else ""
        yield level, f"{text} ({those['count']}): {', '.join(those['some'])}{more}", remedy
    read = "all" if found["hashed"] == found["files"] else f"{found['hashed']:,}"
    yield (
        OK,
        f"{found['projects']:,} projects, {found['files']:,} files, {_bytes(found['bytes'])}; hashes verified of {read} "
        f"({_bytes(found['hashed_bytes'])})",
    )


def _backup(facts: Facts, at: datetime.datetime) -> Said:
    if not facts["backup"]:
        return
    last = _result(facts, "backup")
    days = _days(last["succeeded"], at) if last.get("succeeded") else None
    age = "there is no backup" if days is None else f"the last backup is {days:.1f} days old"
    if last.get("outcome", "ok") != "ok":
        error = last.get("error", "it was cut off")
        yield ERROR, f"the last one failed: {error}; {age}", "do what it says, then run wheelhouse.pypi.backup"
    elif days is None or (last.get("overdue") and _time(last["overdue"]) < at):
        level = WARNING
        if days is None or days > _BACKUP_ERROR * (days - _days(last["overdue"], at)):
            level = ERROR
        yield level, age, "run wheelhouse.pypi.backup; `systemctl list-timers` on the host shows when it runs by itself"
    else:
        yield OK, age


def _drill(facts: Facts, at: datetime.datetime) -> Said:
    if not facts["backup"]:
        return
    last = _result(facts, "drill")
    if not last:
        yield WARNING, "no restore was ever tried", "run wheelhouse.pypi.drill"
    elif last["outcome"] != "ok":
        error = last.get("error", "it was cut off")
        yield ERROR, f"the last one failed: {error}", "do what it says, then run wheelhouse.pypi.drill"
    else:
        days = _days(last["finished"], at)
        text = f"{_bytes(last['bytes'])} were restored in {last['rto_seconds']} s, {days:.0f} days ago"
        yield (WARNING, text, "run wheelhouse.pypi.drill") if days > _DRILL_DAYS else (OK, text)


def _result(facts: Facts, word: str) -> dict[str, Any]:
    """Return what a backup or drill has kept of itself; empty where there was none."""
    said = _said(facts, word)
    return dict(json.loads(said[0])) if said else {}


def _requests(facts: Facts, at: datetime.datetime) -> Said:
    found = (facts["store"] or {}).get("requests")
    if not found:
        return
    if found["full"]:
        yield (
            WARNING,
            f"{found['full']:,} of the last {found['all']:,} found no room (507); clients try an upload some times",
            "see the findings on disk, then pypi_quotas (docs/operations.md#quotas)",
        )
    text = f"{found['failed']:,} of the last {found['all']:,} failed (5xx)"
    if found["failed"]:
        level = ERROR if found["failed"] >= max(_FAILED, found["all"] * _FAILING) else WARNING
        yield level, text, 'look for `"status":5` in logs/access.log, and into `docker compose logs`'
    else:
        yield OK, text


def _logins(facts: Facts, at: datetime.datetime) -> Said:
    if "logins" not in facts["logins"]:
        yield (
            ERROR,
            f"could not be looked up: {facts['logins'].get('msg', '')}",
            "mend what it names, then run this again",
        )
        return
    today = f"{at:%Y-%m-%d}"
    soon = f"{at + datetime.timedelta(days=_SOON_DAYS):%Y-%m-%d}"
    since = at - datetime.timedelta(days=_UNUSED_DAYS)
    every, begins = facts["logins"]["logins"], facts["logins"]["log_begins"]
    unused, never = [], []
    for one in every:
        name, end = f"{one['kind']} {one['name']}", one["expires"]
        if end and end < today:
            valid = "and is still valid" if one["kind"] == "login" else "and is refused"
            yield (
                ERROR if one["kind"] == "login" else WARNING,
                f"{name} expired on {end} {valid}",
                "run wheelhouse.pypi.users, which removes it; then remove it from the inventory",
            )
        elif end and end <= soon:
            yield WARNING, f"{name} expires on {end}", "give its user another (docs/access.md)"
        if not one["last_used"]:
            never.append(name)
        elif _time(one["last_used"]) < since:
            unused.append(name)
    if unused:
        text = f"not used for {_UNUSED_DAYS} days: {_some(unused)}"
        yield WARNING, text, "ask the owners, then remove them from pypi_users or pypi_tokens"
    if never and begins:
        # It may have been created since.
        yield OK, f"no use in the log since {begins[:10]}: {_some(never)}; remove what is not new"
    changing = [one["name"] for one in every if set(one["rights"]) - {"read"}]
    yield OK, f"{len(every)} logins and tokens; with more rights than reading: {_some(changing) or 'none'}"


def _upstreams(facts: Facts, at: datetime.datetime) -> Said:
    asked = facts["upstreams"]
    if not asked:
        return
    for problem in asked["problems"]:
        yield ERROR, problem, "correct pypi_upstreams, then run wheelhouse.pypi.site"
    for reason in asked["unasked"]:
        yield WARNING, reason, "what is cached is served; check the host's way there, and pypi_upstream_proxy"
    refused = ((facts["store"] or {}).get("requests") or {}).get("refused") or {}
    counts = ", ".join(f"{rule} {count}" for rule, count in refused.items())
    text = f"refusals by rule in the access log's end: {counts or 'none'}"
    if not {"upstream", "busy"}.isdisjoint(refused):
        yield WARNING, text, "upstream was out of reach or too slow at times (docs/one-url.md)"
    else:
        yield OK, text


def _nodes(facts: Facts, at: datetime.datetime) -> Said:
    """Of several hosts that are one index: whether balancers use this one; and from one of them, whether all agree."""
    found = facts["nodes"]
    if not found:
        return
    drained = _said(facts, "drained")
    if drained:
        yield (
            WARNING,
            "drained: balancers are not to use it",
            f"when that is over, `rm {drained[0]}` on the host, or {_SITE}",
        )
    elif found["health"] != 200:
        why = '`docker compose logs pypi-server` in the index\'s folder says why, behind "The health address says"'
        yield (
            ERROR,
            f"the health address answers {found['health'] or 'nothing'}: balancers are not to use this node",
            why,
        )
    else:
        yield OK, "the health address says that balancers may use this node"
    looked = found["looked"]
    if not looked:
        return
    missing = [name for name in found["names"] if name not in looked]
    if missing:
        yield WARNING, f"not looked at: {', '.join(missing)}", "run wheelhouse.pypi.doctor for all nodes"
    yield from _nodes_said(found)
    yield from _nodes_list(looked)
    yield from _nodes_run(looked)


def _nodes_said(found: Mapping[str, Any]) -> Said:
    """Judge what the shared folder says of nodes."""
    said = found["looked"].get(found["own"], {}).get("store") or {}
    for name, seconds in (said.get("said") or {}).items():
        start = f"see the findings on {name}; if it is lost for good, remove it (docs/nodes.md#nodes-that-come-and-go)"
        if seconds is None:
            yield ERROR, f"{name} has never said in the shared folder that it lives", start
        elif seconds > _SILENT_SECONDS:
            yield ERROR, f"{name} has said nothing in the shared folder for {seconds:.0f} s", start
    strangers = said.get("strangers") or []
    if strangers:
        folders = " ".join(f"{found['folder']}/{name}" for name in strangers)
        yield (
            WARNING,
            f"journals of hosts that are not in the group {found['group']}: {', '.join(strangers)}",
            f"if they do not come back, `rm -r {folders}` on one node",
        )


def _nodes_list(looked: Mapping[str, Any]) -> Said:
    """Compare what nodes list, where nothing was published meanwhile."""
    steady = {name: one["store"] for name, one in looked.items() if one["store"] and one["store"]["ends"]}
    moved = [name for name in looked if name not in steady]
    if moved:
        yield (
            OK,
            f"pages were not compared, as something was published meanwhile, or they could not be read: {', '.join(moved)}",
        )
    # By how far the journals went.
    for ends in _differing(steady, lambda one: json.dumps(one["ends"], sort_keys=True)):
        listed = _differing({name: steady[name] for name in ends}, lambda one: one["pages"])
        if len(listed) > 1:
            said = ", and ".join(" and ".join(names) for names in listed)
            yield ERROR, f"nodes list different files: {said}", f"{_REBUILD}, on one node after the other"
        elif len(ends) > 1:
            yield OK, f"list the same: {', '.join(ends)}"


def _nodes_run(looked: Mapping[str, Any]) -> Said:
    """Compare what nodes run."""
    images: dict[str, dict[str, tuple[str, str]]] = {}
    for name, one in looked.items():
        for line in one["lines"]:
            if line.startswith("container "):
                its = dict(zip(_CONTAINER, line.removeprefix("container ").split("|")))
                if its.get("id"):
                    images.setdefault(its["service"], {})[name] = its["id"], its["image"]
    for service, by_node in images.items():
        # One image may have two tags, and one tag two images.
        if len({identity for identity, _image in by_node.values()}) > 1:
            shown = {name: f"{image} ({identity[:19]})" for name, (identity, image) in by_node.items()}
            yield (
                WARNING,
                f"{service} runs different images: {_each(shown)}",
                f"{_SITE} for all nodes with -e pypi_images_pull=newer; or remove the image where it differs, then {_SITE}",
            )
    releases, engines = (_versions(looked, word) for word in ("extension", "engine"))
    if len(set(releases.values())) > 1:
        yield WARNING, f"releases of the collection differ: {_each(releases)}", f"{_SITE} for all nodes"
    if len(set(engines.values())) > 1:
        yield OK, f"Docker: {_each(engines)}"


def _versions(looked: Mapping[str, Any], word: str) -> dict[str, str]:
    """Return what doctor.sh has printed behind a word, by node."""
    lines = ((name, *line.partition(" ")) for name, one in looked.items() for line in one["lines"])
    return {name: rest for name, first, _space, rest in lines if first == word}


def _each(values: Mapping[str, str]) -> str:
    return ", ".join(f"{value} on {name}" for name, value in values.items())


def _differing(found: Mapping[str, Any], key: Callable[[Any], str]) -> list[list[str]]:
    """Return names, those together that have the same."""
    groups: dict[str, list[str]] = {}
    for name, one in found.items():
        groups.setdefault(key(one), []).append(name)
    return list(groups.values())


CHECKS: Mapping[str, Callable[[Facts, datetime.datetime], Said]] = {
    "answer": _answer,
    "certificate": _certificate,
    "clock": _clock,
    "disk": _disk,
    "containers": _containers,
    "images": _images,
    "timers": _timers,
    "store": _store,
    "backup": _backup,
    "drill": _drill,
    "requests": _requests,
    "logins": _logins,
    "upstreams": _upstreams,
    "nodes": _nodes,
}
# Fields of a line about a container, in roles/stack/files/doctor.sh.
_CONTAINER = ("service", "status", "health", "restarts", "started", "out_of_memory", "image", "built", "id")


def _said(facts: Facts, word: str) -> list[str]:
    """Return what doctor.sh has printed behind a word."""
    lines = (line.partition(" ") for line in facts["looked"]["lines"])
    return [rest.strip() for first, _space, rest in lines if first == word and rest.strip()]


def _fields(facts: Facts, word: str) -> list[list[str]]:
    return [line.split("|") for line in _said(facts, word)]


def _time(text: str) -> datetime.datetime:
    """Return a time as Docker, NGINX and our modules write it."""
    found = datetime.datetime.fromisoformat(_FRACTION.sub("", text))
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _days(text: str, at: datetime.datetime) -> float:
    """Return how many days ago something was."""
    return (at - _time(text)) / datetime.timedelta(days=1)


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _some(names: Iterable[str], most: int = 10) -> str:
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}"
