# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine of a host: what it runs, how it takes over settings, and how long its containers were gone meanwhile.

Runs on the host: Python 3.8 and the standard library only.
"""

from __future__ import annotations

import datetime
import os
import shlex
import shutil
import signal
import time
from dataclasses import dataclass
from typing import Callable, Iterable, Sequence

# run_command of an AnsibleModule: (arguments) -> (exit code, output, errors)
Run = Callable[..., "tuple[int, str, str]"]

PID_FILE = "/run/docker.pid"
UNIT = "docker.service"
# Of Debian's init script.
LOG = "/var/log/docker.log"
# How long the engine may take to answer after a start, to tell of a reload, and containers to come up again, in seconds.
START_SECONDS = 90
RELOAD_SECONDS = 15
COMEBACK_SECONDS = 20

_SEPARATOR = "|"
_FORMAT = _SEPARATOR.join(
    "{{%s}}" % key
    for key in (
        ".Id",
        ".Name",
        ".State.Running",
        ".State.StartedAt",
        ".State.FinishedAt",
        ".HostConfig.RestartPolicy.Name",
    )
)


class EngineError(Exception):
    """The engine did not do what it should; in words for a person."""


@dataclass(frozen=True)
class Container:
    """A container, with the engine's own times (RFC 3339)."""

    id: str
    name: str
    running: bool
    started: str
    finished: str
    policy: str


@dataclass(frozen=True)
class Gap:
    """How long a container that ran before was gone; None where it is not back."""

    name: str
    seconds: float | None


def containers(lines: Iterable[str]) -> list[Container]:
    """Read lines of `docker inspect` in the format that is asked for here."""
    found = []
    for line in lines:
        parts = line.strip().split(_SEPARATOR)
        if len(parts) == 6:
            number, name, running, started, finished, policy = parts
            found.append(Container(number, name.lstrip("/"), running == "true", started, finished, policy))
    return sorted(found, key=lambda one: one.name)


def moment(text: str) -> float:
    """Seconds since the epoch of a time of the engine, such as 2026-11-22T18:00:00.123456789Z."""
    whole, _dot, fraction = text.rstrip("Z").partition(".")
    parsed = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return parsed.timestamp() + float("0." + (fraction if fraction.isdigit() else "0"))


def gaps(before: Iterable[Container], after: Iterable[Container]) -> list[Gap]:
    """Return those that ran before and did not keep running, with the seconds between their end and their start."""
    now = {one.id: one for one in after}
    found = []
    for one in before:
        later = now.get(one.id)
        if not one.running or (later and later.running and later.started == one.started):
            continue
        if later is None or not later.running:
            found.append(Gap(one.name, None))
        else:
            # An engine that was killed notes no end; the gap is no longer than that since the last one it knows of.
            found.append(Gap(one.name, round(max(moment(later.started) - moment(later.finished), 0.0), 1)))
    return found


def told(before: Sequence[Container], found: Sequence[Gap]) -> str:
    """Say in a sentence what a restart was for the containers."""
    running = [one.name for one in before if one.running]
    if not running:
        return "No container was running."
    back = ["%s %.1f s" % (gap.name, gap.seconds) for gap in found if gap.seconds is not None]
    lost = [gap.name for gap in found if gap.seconds is None]
    said = []
    if back:
        said.append("These containers were down meanwhile: %s." % ", ".join(back))
    policies = {one.name: one.policy for one in before}
    alone = [name for name in lost if policies[name] in ("", "no")]
    if alone:
        said.append("These have no restart policy, and do not run any more: %s." % ", ".join(alone))
    failed = [name for name in lost if name not in alone]
    if failed:
        said.append("These should have come back, and did not: %s. `docker start` starts them." % ", ".join(failed))
    if len(running) > len(found):
        kept = "All containers" if not found else "The others"
        said.append("%s kept running." % kept)
    return " ".join(said)


def flags(words: Sequence[str]) -> tuple[list[str], str]:
    """Take a command line of dockerd apart: (its flags without the file of settings, that file)."""
    kept: list[str] = []
    path = ""
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name.lstrip("-") == "config-file":
            path = value if equals else next(rest, "")
        elif not word.startswith("$"):
            kept.append(word)
    return kept, path


def command_of(unit: str) -> list[str]:
    """Read the command out of what `systemctl show --property ExecStart` says."""
    _before, found, rest = unit.partition("argv[]=")
    return shlex.split(rest.partition(" ; ")[0]) if found else []


class Engine:
    """The engine that the host's service manager looks after."""

    def __init__(self, run: Run, root: str = "/") -> None:
        """Take run_command of a module; ``root`` is for tests."""
        self._run = run
        self._root = root

    # -- looking -------------------------------------------------------------------------------------------------------

    def program(self) -> str:
        """Path of dockerd; empty where there is none."""
        return shutil.which("dockerd", path="%s:/usr/sbin:/usr/local/sbin" % os.environ.get("PATH", "")) or ""

    def version(self) -> str:
        """Version of the engine that runs; empty where none answers."""
        if not shutil.which("docker"):
            return ""
        code, out, _err = self._run(["docker", "version", "--format", "{{.Server.Version}}"])
        return "" if code else out.strip()

    def answers(self) -> bool:
        """Whether the engine answers."""
        return self.version() != ""

    def containers(self) -> list[Container]:
        """All containers; none where the engine does not answer."""
        if not shutil.which("docker"):
            return []
        code, out, _err = self._run(["docker", "ps", "--all", "--quiet", "--no-trunc"])
        if code or not out.split():
            return []
        # One that goes meanwhile makes an error, and the others are told nevertheless.
        return containers(self._run(["docker", "inspect", "--format", _FORMAT, *out.split()])[1].splitlines())

    def pid(self) -> int:
        """Process of the engine; 0 where none runs."""
        try:
            with open(os.path.join(self._root, PID_FILE.lstrip("/")), encoding="ascii") as file:
                number = int(file.read().strip())
            with open(os.path.join(self._root, "proc/%d/comm" % number), encoding="utf-8") as file:
                return number if file.read().strip() == "dockerd" else 0
        except (OSError, ValueError):
            return 0

    def is_stale(self) -> bool:
        """Whether the engine that runs is from a program that was replaced since."""
        number = self.pid()
        try:
            return number > 0 and os.readlink(os.path.join(self._root, "proc/%d/exe" % number)).endswith(" (deleted)")
        except OSError:
            return False

    def command(self) -> list[str]:
        """The engine's command line: as it runs, or else as systemd would start it; empty where neither is known."""
        number = self.pid()
        if number:
            with open(os.path.join(self._root, "proc/%d/cmdline" % number), encoding="utf-8") as file:
                return [word for word in file.read().split("\0") if word]
        if self._systemd():
            return command_of(self._run(["systemctl", "show", "--property", "ExecStart", UNIT])[1])
        return []

    def live_restore(self) -> bool:
        """Whether containers outlive the engine that runs."""
        return self._run(["docker", "info", "--format", "{{.LiveRestoreEnabled}}"])[1].strip() == "true"

    def _systemd(self) -> bool:
        return os.path.isdir(os.path.join(self._root, "run/systemd/system"))

    # -- changing ------------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Have the engine read its file again; raise EngineError if it does not say that it did."""
        since = time.time()
        number = self.pid()
        if not number:
            raise EngineError("the engine's process is not known: %s names none" % PID_FILE)
        os.kill(number, signal.SIGHUP)
        event = ["docker", "events", "--filter", "type=daemon", "--filter", "event=reload", "--format", "{{.Action}}"]
        deadline = time.monotonic() + RELOAD_SECONDS
        while time.monotonic() < deadline:
            until = time.time()
            if "reload" in self._run([*event, "--since", "%.6f" % since, "--until", "%.6f" % until])[1]:
                return
            time.sleep(0.2)
        raise EngineError("the engine did not reload it within %d s. %s" % (RELOAD_SECONDS, self._why(since)))

    def restart(self) -> None:
        """Restart the engine, or start it; raise EngineError, with its own words, if it does not come up."""
        since = time.time()
        if self._systemd():
            # An engine that failed to start some times in a row is not tried again without.
            self._run(["systemctl", "reset-failed", UNIT, "docker.socket"])
            code, out, err = self._run(["systemctl", "restart", UNIT])
        else:
            code, out, err = self._run([*self._script(), "restart"])
        deadline = time.monotonic() + START_SECONDS
        while code == 0 and not self.answers():
            if time.monotonic() > deadline:
                code, err = 1, "it did not answer within %d s" % START_SECONDS
            time.sleep(0.2)
        if code:
            raise EngineError("the engine did not start: %s %s" % ((err or out).strip(), self._why(since)))

    def _script(self) -> list[str]:
        return ["service", "docker"] if shutil.which("service") else ["/etc/init.d/docker"]

    def _why(self, since: float) -> str:
        """The engine's own last words."""
        log = ["journalctl", "--no-pager", "--output", "cat", "--unit", "docker", "--since", "@%d" % since]
        if not self._systemd():
            log = ["tail", "--lines", "20", LOG]
        said = [
            line
            for line in self._run(log)[1].splitlines()
            if "level=error" in line or "level=fatal" in line or "failed" in line
        ]
        return "It said: %s" % " / ".join(said[-3:]) if said else ""

    def measured(self, before: Sequence[Container]) -> list[Gap]:
        """Wait until the containers that ran are back, as far as they come back by themselves; say how long they were gone."""
        deadline = time.monotonic() + COMEBACK_SECONDS
        waiting = {one.id for one in before if one.running and one.policy not in ("", "no")}
        while True:
            after = self.containers()
            back = {one.id for one in after if one.running}
            if waiting <= back or time.monotonic() > deadline:
                return gaps(before, after)
            time.sleep(0.2)
