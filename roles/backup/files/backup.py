"""Backs an index up with restic, restores it, and tries a restore.

``backup.py check | init | reschedule | backup | look | unpack | restore | drill``.
Settings are a JSON object in backup.json beside this file or, with ``-`` as the last word, on standard input. ``check`` and
``look`` change nothing. Answers are a line of JSON on standard output; what is wrong is a line on standard error, with exit
code 1. Root runs it on the host, with Python 3.9 or later.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

# Where the unit shows what is backed up, in this order: files before facts, so that each file has its record.
VIEWS = ("authentication", "files", "store/.wheelhouse")
# Not what nodes say to each other either, nor their trial of the folder.
_LEFT_OUT = ("files/.wheelhouse", "files/.incoming", "files/.wheelhouse-trial-*", "store/.wheelhouse/nodes")
# restic tries an unreachable repository for 15 minutes by itself.
_PATIENCE_SECONDS = 30
# Where a container sees the folder of the index; not /data, as images have a volume of their own there.
_INSIDE = "/wheelhouse"
# What a drill compares with, and what a restore has nothing to do with.
_LIVE = ("pypiserver", "packages", "index")
_WRITTEN = ("packages", "index", "logs")
_COVERED = ("authentication", "nginx", "directory", "bridge", "backup")
_RESTORED, _DRILLED = _SCRATCH = (".restore", ".drill")
_SHOWN = ("outcome", "succeeded", "overdue", "finished")
_MISSING = ("no such file or directory", "not exist")
# restic's exit code where a snapshot was made without all files.
_INCOMPLETE = 3
# How long a repository goes without forgetting and checking, which take as long as a backup of a day's uploads: a week, also
# where a backup begins some minutes earlier in the day.
_UPKEEP_SECONDS = 6.5 * 24 * 3600
# What all releases say of a snapshot that is not in the repository.
_NO_SNAPSHOT = "no matching ID found"
_RELEASE = re.compile(r"restic (\d+)\.(\d+)")
_UTC = re.compile(r"\w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$", re.MULTILINE)
_VANISHED = re.compile(r"(lstat|open|openat) .*: no such file or directory\Z", re.IGNORECASE | re.DOTALL)


class BackupError(Exception):
    """What is wrong, and the remedy."""


# What can go wrong beside that.
_FAILURES = (BackupError, OSError, subprocess.SubprocessError, ValueError, KeyError, StopIteration)


class Restic:
    """The repository of an index.

    Args:
        settings: as the role backup writes them.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.home = Path(settings["home"])
        self.own = f"index={settings['host']}/{settings['instance']}"
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            "HOME": "/root",
            **{name: str(value) for name, value in settings["environment"].items()},
            "RESTIC_REPOSITORY": settings["repository"],
            "RESTIC_PASSWORD": settings["password"],
            "RESTIC_CACHE_DIR": f"{self.home}/backup/cache",
        }
        self._snapshots: list[dict[str, Any]] | None = None

    def run(self, *words: str, patience: float | None = None) -> str:
        """Run restic; return its standard output.

        Raises:
            BackupError: if it fails, with the remedy.
        """
        done = self.call(*words, patience=patience)
        if done.returncode:
            raise BackupError(problem(done.returncode, done.stderr))
        return done.stdout

    def call(
        self, *words: str, cwd: str | None = None, patience: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run restic; return how it ended. Raises BackupError if it did not begin or took too long."""
        try:
            return subprocess.run(
                # The folder of results is made once nothing is wrong.
                ["restic", *words, *([] if (self.home / "backup").is_dir() else ["--no-cache"])],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=cwd,
                timeout=patience,
                check=False,
            )
        except FileNotFoundError:
            raise BackupError("restic is not installed; run wheelhouse.pypi.site with pypi_backup_repository") from None
        except subprocess.TimeoutExpired:
            raise BackupError(_unreachable(f"restic got no answer within {patience:.0f} s")) from None

    def unlocked(self, *words: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run restic as ``call`` does; where a lock is in its way, once more without those of processes that run no more.

        Each restic that opens the repository derives the key from the password, which takes half a second: none removes locks
        before that is needed.
        """
        done = self.call(*words, cwd=cwd)
        if is_locked(done.returncode, done.stderr):
            self.run("unlock")
            done = self.call(*words, cwd=cwd)
        return done

    def do(self, *words: str) -> None:
        """Run restic as ``unlocked`` does; raises BackupError if it fails, with the remedy."""
        done = self.unlocked(*words)
        if done.returncode:
            raise BackupError(problem(done.returncode, done.stderr))

    def once(self) -> list[str]:
        """Return the option by which a backup looks at each file once; else restic first counts them, to show how far it is.

        Releases before 0.15 have none.
        """
        found = _RELEASE.match(self.run("version"))
        return ["--no-scan"] if found and (int(found[1]), int(found[2])) >= (0, 15) else []

    def is_missing(self) -> bool:
        """Tell whether there is no repository yet; raises BackupError if that cannot be found out."""
        try:
            self.run("cat", "config", "--no-lock", patience=_PATIENCE_SECONDS)
        except BackupError as error:
            if str(error) == MISSING:
                return True
            raise
        return False

    def snapshots(self, patience: float | None = _PATIENCE_SECONDS) -> list[dict[str, Any]]:
        """Return all snapshots, the oldest first; patience as for ``call``. The repository is asked once."""
        if self._snapshots is None:
            found = json.loads(self.run("snapshots", "--json", patience=patience)) or []
            self._snapshots = sorted(found, key=lambda one: moment(one["time"]))
        return self._snapshots

    def own_snapshots(self, patience: float | None = _PATIENCE_SECONDS) -> list[dict[str, Any]]:
        """Return those of this host's store, else those of this index's name; raises BackupError where all are of others."""
        found, here = self.snapshots(patience), f"store={store_id(self.home / 'packages')}"
        own = [one for one in found if here in (one.get("tags") or [])]
        own = own or [one for one in found if self.own in (one.get("tags") or [])]
        if found and not own:
            others = sorted(
                {tag for one in found for tag in one.get("tags") or [one["hostname"]] if "store=" not in tag}
            )
            raise BackupError(
                f"pypi_backup_repository: its snapshots are of another index ({', '.join(others[:3])}), and this one is"
                f" {self.own}; give each index a repository of its own. To restore that index here, name a snapshot:"
                " wheelhouse.pypi.restore with pypi_restore_snapshot"
            )
        return own

    def chosen(self, wanted: str) -> dict[str, Any]:
        """Return the snapshot that is wanted: by its id, or the newest of this index."""
        if wanted == "latest":
            own = self.own_snapshots()
            if not own:
                raise BackupError("pypi_backup_repository: it has no snapshot yet; wheelhouse.pypi.backup makes one")
            return own[-1]
        found = [one for one in self.snapshots() if len(wanted) >= 6 and one["id"].startswith(wanted)]
        if len(found) != 1:
            raise BackupError(
                f"pypi_restore_snapshot: {wanted!r} is not the id of one snapshot; newest ones are "
                + (", ".join(f"{one['id'][:8]} ({one['time'][:16]})" for one in self.snapshots()[-5:]) or "none")
            )
        return found[0]

    def newest_like(self, snapshot: str) -> str:
        """Return the id of the newest snapshot of the store that a snapshot is of."""
        found = self.snapshots()
        tags = next((one.get("tags") or [] for one in found if one["id"] == snapshot), [])
        stores = [tag for tag in tags if tag.startswith("store=")]
        return next((one["id"] for one in reversed(found) if {*stores} & {*(one.get("tags") or [])}), snapshot)

    def size(self, snapshot: str) -> int:
        """Return how many bytes a snapshot takes once it is restored."""
        return int(json.loads(self.run("stats", "--json", "--mode", "restore-size", snapshot))["total_size"])


MISSING = "there is no repository at pypi_backup_repository"


def _unreachable(reason: str) -> str:
    return f"pypi_backup_repository: it cannot be reached ({reason}); correct the address, its login or the network"


def is_locked(code: int, errors: str) -> bool:
    """Tell whether restic failed because of a lock; releases before 0.17 have one exit code for all."""
    return code == 11 or (code != 0 and "already locked" in errors)


def problem(code: int, errors: str) -> str:
    """Return what a failure of restic means; releases before 0.17 have one exit code for all."""
    lines = [line for line in errors.splitlines() if line.strip()] or [f"restic ended with {code}"]
    if code == 12 or "wrong password" in errors:
        return "pypi_backup_password: it does not open the repository; give the one that the repository was made with"
    if is_locked(code, errors):
        holder = next((line.strip() for line in lines if "locked" in line), "")
        return (
            f"pypi_backup_repository: it is locked ({holder}); wait until that restic has ended. If it runs no more,"
            " remove its lock with `restic unlock --remove-all`"
        )
    if code == 10 or ("unable to open config file" in errors and any(words in errors for words in _MISSING)):
        return MISSING
    if "unable to open config file" in errors or "Fatal: unable to open repo" in errors:
        return _unreachable(lines[0].strip())
    return f"restic failed: {' '.join(line.strip() for line in lines[-3:])}"


def reason_of(error: Exception) -> str:
    """Return what a person reads of a failure."""
    if isinstance(error, BackupError):
        return str(error)
    return (
        f"{type(error).__name__}: {error}. See that the disks of the index are mounted and have room, and that `restic version`"
        " on the host is 0.14 or later; then run again"
    )


def moment(text: str) -> datetime:
    """Return a time as restic writes it, with nanoseconds."""
    day, _dot, zone = text.partition(".")
    digits = zone.lstrip("0123456789") if zone else ""
    return datetime.fromisoformat((day + digits).replace("Z", "+00:00"))


def _seconds(text: str) -> str:
    """Return such a time in whole s since 1970, as the index takes it; what happened within that second came after it."""
    return str(int(moment(text).timestamp()))


def now() -> str:
    """Return the time, as results have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def store_id(packages: Path) -> str:
    """Return the id of the store of facts; empty where there is none.

    The account may put there what it likes: no link is followed, and nothing but a regular file is read.
    """
    opened: list[int] = []
    try:
        opened.append(os.open(packages / ".wheelhouse", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW))
        opened.append(os.open("format", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[0]))
        if not stat.S_ISREG(os.fstat(opened[1]).st_mode):
            return ""
        return str(json.loads(os.read(opened[1], 4096))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    finally:
        for descriptor in opened:
            os.close(descriptor)


def refuse_other_store(restic: Restic, own: Sequence[Mapping[str, Any]]) -> None:
    """Raise BackupError where the newest snapshot is of another store than this host's."""
    here = store_id(restic.home / "packages")
    if own and here and f"store={here}" not in own[-1]["tags"]:
        raise BackupError(
            f"pypi_backup_repository: its newest snapshot {own[-1]['id'][:8]} is of another index of this name, which is not"
            " on this host; restore it with wheelhouse.pypi.restore, or give a new repository"
        )


def calendar(restic: Restic) -> list[str]:
    """Return the next two times of the schedule, as results have times; fewer if it ends."""
    schedule = str(restic.settings["schedule"])
    words = ["systemd-analyze", "calendar", "--iterations=2", schedule]
    asked = subprocess.run(words, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise BackupError(
            f"pypi_backup_schedule: systemd does not understand {schedule!r}; give a time such as '*-*-* 02:30' or hourly"
            " (man systemd.time)"
        )
    # Times of another zone are in UTC on a line of their own.
    return [f"{day}T{clock}Z" for day, clock in _UTC.findall(asked.stdout)]


def check(restic: Restic) -> dict[str, Any]:
    """Find out whether backups would work.

    Returns:
        Whether restic is there, whether a repository has to be made, what is wrong with the last backup, empty if nothing is,
        and whether that was made by another schedule.
    """
    calendar(restic)
    last = _read(restic.home / "backup/last.json")
    found: dict[str, Any] = {"restic": True, "missing": False, "late": "", "rescheduled": _is_rescheduled(restic, last)}
    if not shutil.which("restic"):
        return {**found, "restic": False}
    missing = restic.is_missing()
    if missing and last.get("repository") == fingerprint(restic):
        raise BackupError(f"{MISSING}, and backups were made there; mount or bring it back, or give another address")
    own = [] if missing else restic.own_snapshots()
    # An empty index may still be restored.
    if any((restic.home / "packages/.wheelhouse/names").glob("*")):
        refuse_other_store(restic, own)
    return {**found, "missing": missing, "late": "" if missing else late(last, found["rescheduled"])}


def _is_rescheduled(restic: Restic, last: Mapping[str, Any]) -> bool:
    return bool(last) and last.get("schedule") != restic.settings["schedule"]


def late(last: Mapping[str, Any], is_rescheduled: bool) -> str:
    """Return what is wrong with the last backup, by its result; empty if nothing is, or there was none."""
    if last.get("outcome", "ok") != "ok":
        return f"the last backup failed: {last.get('error', 'it was cut off')}"
    overdue = last.get("overdue", "")
    if overdue and not is_rescheduled and overdue < now():
        return f"the last backup is of {last['succeeded']}, and another is overdue since {overdue}"
    return ""


def fingerprint(restic: Restic) -> str:
    """Return what stands for the address of the repository, which may have a login in it."""
    return hashlib.sha256(str(restic.settings["repository"]).encode()).hexdigest()[:16]


def init(restic: Restic) -> dict[str, Any]:
    """Make the repository where there is none."""
    missing = restic.is_missing()
    if missing:
        restic.run("init")
    return {"made": missing}


def reschedule(restic: Restic) -> dict[str, Any]:
    """Correct when a backup is overdue, where the last one was made by another schedule.

    A backup that runs meanwhile says it by its own schedule again, until the next run: none waits for a backup that takes hours.
    """
    place = restic.home / "backup/last.json"
    last = _read(place)
    if is_rescheduled := _is_rescheduled(restic, last):
        overdue = "".join(calendar(restic)[1:])
        write(place, {**last, "schedule": restic.settings["schedule"], "overdue": overdue})
    return {"changed": is_rescheduled}


def keep(rules: Mapping[str, int]) -> list[str]:
    """Return the options of restic for what is kept."""
    return [word for kind, number in rules.items() for word in (f"--keep-{kind}", str(number))]


def backup(restic: Restic) -> dict[str, Any]:
    """Make a snapshot; once a week, forget those that the rule does not keep, and check the repository; keep the result."""
    place = restic.home / "backup/last.json"
    before = _read(place)
    result: dict[str, Any] = {"started": now(), "repository": fingerprint(restic), "outcome": "failed"}
    result.update({key: before.get(key, "") for key in ("succeeded", "overdue", "schedule")})
    try:
        found, is_known = _snapshot(restic, before)
        result.update(found)
        if is_known:
            result.update({key: before[key] for key in ("checked", "keep") if key in before})
        if not is_known or _is_upkeep_due(restic, before):
            _upkeep(restic, result)
        # Then the next one has failed to come, and the one after it has begun.
        result.update(outcome="ok", succeeded=result["started"], schedule=restic.settings["schedule"])
        result["overdue"] = "".join(calendar(restic)[1:])
    except _FAILURES as error:
        result["error"] = reason_of(error)
        raise
    finally:
        result["finished"] = now()
        write(place, result)
    return result


def _is_upkeep_due(restic: Restic, before: Mapping[str, Any]) -> bool:
    """Tell whether it is time to forget and check: after a week, after a failure, by another rule, and where it is not known."""
    if before.get("outcome") != "ok" or before.get("keep") != restic.settings["keep"]:
        return True
    try:
        passed = moment(now()) - moment(before["checked"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return True
    return not 0 <= passed.total_seconds() < _UPKEEP_SECONDS


def _upkeep(restic: Restic, result: dict[str, Any]) -> None:
    """Forget and check; add to a result when that was, and by which rule."""
    rules = restic.settings["keep"]
    if rules:
        # Of this store alone.
        restic.do("forget", "--tag", f"store={result['store']}", "--group-by", "", "--prune", *keep(rules))
    restic.do("check")
    result.update(checked=result["started"], keep=rules)


def _view() -> Path:
    return Path(os.environ["WHEELHOUSE_VIEW"])


def _snapshot(restic: Restic, before: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Make a snapshot; return what the result says of it, and whether the repository has the one before.

    Args:
        restic: the repository.
        before: the result of the last backup.
    """
    view = _view()
    store = store_id(view / "store")
    if not store:
        raise BackupError(
            "packages/.wheelhouse/format is missing or damaged: mount packages/, or restore the folder (docs/backup.md)."
            " Nothing was backed up"
        )
    tags = ("--tag", restic.own, "--tag", f"store={store}")
    left_out = [word for name in _LEFT_OUT for word in ("--exclude", f"{view}/{name}")]
    host = ("--host", str(restic.settings["host"]))
    once = restic.once()

    def made(*parent: str) -> subprocess.CompletedProcess[str]:
        words = ("backup", "--json", *host, *tags, *once, *parent, *left_out, *VIEWS)
        return restic.unlocked(*words, cwd=str(view))

    # A repository that has the last snapshot of this store is the right one: restic itself looks for it, and begins with nothing
    # where it is not there. A result with that name may be of other settings, or of a store that was on this host before.
    # By part of its id, as restic 0.18 takes a whole one from the cache on this host (findings/restic-parent-from-the-cache.sh).
    last = str(before.get("snapshot", ""))[:16]
    is_known = bool(last) and (before.get("repository"), before.get("store")) == (fingerprint(restic), store)
    if is_known:
        done = made("--parent", last)
        is_known = done.returncode in (0, _INCOMPLETE) or _NO_SNAPSHOT not in done.stderr
    if not is_known:
        # Those of processes that run no more.
        restic.run("unlock")
        # A backup gives way to all else on a busy host.
        refuse_other_store(restic, restic.own_snapshots(patience=None))
        done = made()
    if done.returncode not in (0, _INCOMPLETE):
        raise BackupError(problem(done.returncode, done.stderr))
    if done.returncode == _INCOMPLETE and (wrong := _unread(done.stderr, view)):
        raise BackupError(f"the snapshot lacks what cannot be read: {'; '.join(wrong[:5])}. Mend that, then run again")
    summary = next(json.loads(line) for line in reversed(done.stdout.splitlines()) if '"summary"' in line)
    found = {
        "store": store,
        "snapshot": summary["snapshot_id"],
        "files": summary["total_files_processed"],
        "bytes": summary["total_bytes_processed"],
        "added": summary["data_added"],
    }
    return found, is_known


def _unread(errors: str, view: Path) -> list[str]:
    """Return what restic could not read, each with the reason; files of packages/ that were removed meanwhile are none."""
    found = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    found = [one for one in found if one.get("message_type") == "error"]
    places = (f"{view}/files/", f"{view}/store/")
    return [
        f"{one['item'].removeprefix(f'{view}/')} ({_cause(one)})"
        for one in found
        if not (_VANISHED.match(_cause(one)) and one["item"].startswith(places))
    ] or ([] if found else [" ".join(errors.split())])


def _cause(found: Mapping[str, Any]) -> str:
    """Return why restic could not read a file; releases before 0.17 give operation and errno apart."""
    error = found["error"]
    return error.get("message") or f"{error.get('Op')} {error.get('Path')}: {os.strerror(error.get('Err', 0))}"


def look(restic: Restic, wanted: str) -> dict[str, Any]:
    """Find a snapshot, and whether there is room for it; change nothing."""
    snapshot = restic.chosen(wanted)
    found = {
        "snapshot": snapshot["id"],
        "time": snapshot["time"],
        "began": int(_seconds(snapshot["time"])),
        "bytes": restic.size(snapshot["id"]),
    }
    check_room(restic, found["snapshot"], found["bytes"])
    return found


def check_room(restic: Restic, snapshot: str, size: int) -> None:
    """Raise BackupError where a snapshot of so many bytes would fill a disk."""
    home, *others = (
        next(folder for folder in (place, *place.parents) if folder.exists())
        for place in (restic.home, (restic.home / "packages").resolve())
    )
    for there in (home, *others):
        disk = shutil.disk_usage(there)
        # What a killed run has left there is removed first.
        left = sum(map(_taken, map(restic.home.joinpath, _SCRATCH))) if there.stat().st_dev == home.stat().st_dev else 0
        spare = min(disk.total // 20, 10**9)
        if size + spare > disk.free + left:
            raise BackupError(
                f"{there} has {disk.free + left:,} bytes free, and snapshot {snapshot[:8]} takes {size:,} of them, with"
                f" {spare:,} to spare; make room first"
            )


def _taken(folder: Path) -> int:
    """Return how many bytes are free once a folder is removed."""
    found = (os.lstat(f"{place}/{name}") for place, _folders, names in os.walk(folder) for name in names)
    return sum(one.st_blocks * 512 for one in found if one.st_nlink == 1)


def unpacked(restic: Restic, snapshot: str, scratch: Path, newest: str = "") -> None:
    """Restore a snapshot into a folder, verify it, and hand it to the service account; nothing serves from it.

    Args:
        restic: the repository.
        snapshot: its id.
        scratch: the folder.
        newest: the id of one whose decisions on projects come with it, in newest/.
    """
    scratch.mkdir(mode=0o700)
    # Logins are the inventory's, and no business of the account's.
    restic.run("restore", snapshot, "--verify", "--exclude", f"/{VIEWS[0]}", "--target", str(scratch))
    if newest and newest != snapshot:
        restic.run("restore", newest, "--include", f"/{VIEWS[2]}/projects", "--target", f"{scratch}/newest")
    subprocess.run(["chown", "-R", "-h", "-P", restic.settings["account"], str(scratch)], check=True)


def discard(scratch: Path) -> None:
    """Remove a folder and all in it."""
    if scratch.exists():
        shutil.rmtree(scratch)


def in_container(restic: Restic, below: str, *words: str, said: object = None) -> dict[str, Any]:
    """Run a command of the index as the service account, without a network, on packages/ and index/ below a folder.

    Args:
        restic: of the index.
        below: the folder.
        words: the command.
        said: what it gets on standard input, as JSON.

    Returns:
        Its answer.
    """
    home = restic.home
    command = ["docker", "run", "--rm", "--interactive", "--pull=never", "--network=none", "--read-only"]
    command += [
        "--cap-drop=ALL",
        "--security-opt=label=disable",
        "--tmpfs=/tmp:mode=1777",
        f"--user={restic.settings['account']}",
    ]
    values = {"HOME": "/tmp", "PYTHONPATH": f"{_INSIDE}/pypiserver", "PYTHONDONTWRITEBYTECODE": "1"}
    values |= {f"WHEELHOUSE_{name.upper()}": f"{below}/{name}" for name in _WRITTEN}
    if below == f"{_INSIDE}/{_DRILLED}":
        # It yields to readers.
        command += ["--cpu-shares=2", *_mounts_of_drill(home)]
    else:
        values |= {f"WHEELHOUSE_{name.upper()}": f"{_INSIDE}-{name}" for name in _linked(home)}
        command += _mounts_of_restore(home)
    command += [f"--env={name}={value}" for name, value in values.items()]
    command += ["--entrypoint=python3", restic.settings["image"], "-m", "wheelhouse_index", *words]
    # The host's own engine, whatever root's profile says.
    own = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    done = subprocess.run(command, env=own, input=json.dumps(said), capture_output=True, text=True, check=False)
    answer = done.stdout.strip().splitlines()[-1:] or ["{}"]
    found: dict[str, Any] = json.loads(answer[0]) if answer[0].startswith("{") else {}
    if "stop" in found:
        raise BackupError(found["stop"])
    if done.returncode or not found:
        said = " ".join(done.stderr.split())[-600:]
        raise BackupError(f"the index did not do it ({said}); run wheelhouse.pypi.site if its release is an older one")
    return found


def _mounts_of_drill(home: Path) -> list[str]:
    """Return the options that show what is compared, which cannot be written to."""
    live = [f"--mount=type=bind,src={(home / name).resolve()},dst={_INSIDE}/{name},readonly" for name in _LIVE]
    return [*live, f"--mount=type=bind,src={home}/{_DRILLED},dst={_INSIDE}/{_DRILLED}"]


def _mounts_of_restore(home: Path) -> list[str]:
    """Return the options that show the whole folder, as files are linked only within one mount; others' parts are covered."""
    options = [f"--mount=type=bind,src={home},dst={_INSIDE}"]
    options += [f"--mount=type=bind,src={home}/pypiserver,dst={_INSIDE}/pypiserver,readonly"]
    options += [f"--tmpfs={_INSIDE}/{name}:ro" for name in _COVERED if (home / name).is_dir()]
    return options + [f"--mount=type=bind,src={place},dst={_INSIDE}-{name}" for name, place in _linked(home).items()]


def _linked(home: Path) -> dict[str, Path]:
    """Return where those folders are that are root's links to a larger disk; in a container such a link leads nowhere."""
    return {name: (home / name).resolve() for name in _WRITTEN if (home / name).is_symlink()}


def unpack(restic: Restic) -> dict[str, Any]:
    """Read a snapshot from the repository, for ``restore``: that takes longest.

    Of the settings, ``found`` is what ``look`` said.
    """
    scratch = restic.home / _RESTORED
    discard(scratch)
    found = dict(restic.settings["found"])
    # Once more: an engine and images may have come since.
    check_room(restic, found["snapshot"], found["bytes"])
    try:
        # A backup may have been made meanwhile, or may have forgotten what was the newest one.
        unpacked(restic, found["snapshot"], scratch, newest=restic.newest_like(found["snapshot"]))
    except BaseException:
        discard(scratch)
        raise
    return found


def restore(restic: Restic) -> dict[str, Any]:
    """Bring files and facts in that this host lacks, of what was unpacked; what it has stays.

    Of the settings, ``began`` is when the snapshot was begun, in s since 1970, and ``elsewhere`` what other nodes have removed.
    """
    scratch = restic.home / _RESTORED
    if not scratch.is_dir():
        raise BackupError("no snapshot is unpacked on this host; run wheelhouse.pypi.restore")
    began, elsewhere = (restic.settings[key] for key in ("began", "elsewhere"))
    try:
        return in_container(restic, _INSIDE, "restore", f"{_INSIDE}/{_RESTORED}", str(began), said=elsewhere)
    finally:
        discard(scratch)


def drill(restic: Restic, wanted: str) -> dict[str, Any]:
    """Restore a snapshot beside the index, compare both, and keep the result."""
    result: dict[str, Any] = {"started": now(), "outcome": "failed"}
    scratch = restic.home / _DRILLED
    began = time.monotonic()
    try:
        discard(scratch)
        found = look(restic, wanted)
        result.update(snapshot=found["snapshot"], bytes=found["bytes"])
        result["rpo_seconds"] = int(time.time()) - int(_seconds(found["time"]))
        unpacked(restic, found["snapshot"], scratch)
        beside = f"{_INSIDE}/{_DRILLED}"
        in_container(restic, beside, "restore", beside, _seconds(found["time"]))
        compared = in_container(restic, beside, "drill", _seconds(found["time"]))
        # What is compared took no time away from clients: the pages were there before.
        result["rto_seconds"] = round(time.monotonic() - began - compared.pop("compare_seconds"), 1)
        result.update(compared)
        if compared["problems"]:
            raise BackupError(f"the restored index differs: {'; '.join(compared['problems'][:5])}")
        result["outcome"] = "ok"
    except _FAILURES as error:
        result["error"] = reason_of(error)
        raise
    finally:
        discard(scratch)
        result["finished"] = now()
        write(restic.home / "backup/drill.json", result)
    return result


def _read(place: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write(place: Path, result: Mapping[str, Any]) -> None:
    """Keep a result, and of it for metrics what names nothing: pypi-server sees that folder."""
    place.parent.mkdir(mode=0o700, exist_ok=True)
    _put(place, result, 0o600)
    shown = place.parent / "shown"
    shown.mkdir(exist_ok=True)
    shown.chmod(0o755)
    _put(shown / place.name, {key: result[key] for key in _SHOWN if key in result}, 0o644)


def _put(place: Path, content: Mapping[str, Any], mode: int) -> None:
    """Write a file in one step."""
    new = place.with_suffix(".new")
    new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    new.chmod(mode)
    new.replace(place)


def main(words: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    words = list(words)
    os.umask(0o077)
    try:
        if words[-1:] == ["-"]:
            settings = json.load(sys.stdin)
            words.pop()
        else:
            settings = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
        restic = Restic(settings)
        wanted = words[1] if len(words) > 1 else "latest"
        commands = {
            "check": lambda: check(restic),
            "init": lambda: init(restic),
            "reschedule": lambda: reschedule(restic),
            "backup": lambda: backup(restic),
            "look": lambda: look(restic, wanted),
            "unpack": lambda: unpack(restic),
            "restore": lambda: restore(restic),
            "drill": lambda: drill(restic, wanted),
        }
        with alone(restic.home) if words[0] in ("backup", "unpack", "restore", "drill") else nullcontext():
            print(json.dumps(commands[words[0]]()))
    except _FAILURES as error:
        print(reason_of(error), file=sys.stderr)
        return 1
    return 0


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Wait until no other backup, restore or drill of this index runs: restic would find the repository locked."""
    (home / "backup").mkdir(mode=0o700, exist_ok=True)
    with open(home / "backup/lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    # A run that is ended removes its scratch folder.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
