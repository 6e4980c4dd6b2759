"""Runs the parts of the tests, a few at a time, and says what came out: ``python3 -m tests.run --help``.

A part is a few commands with a log of its own, ``.cache/test/<part>.log``; what it needs runs before it. The standard
library is enough, because this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from tests.ground import engine
from tests.ground.shell import GroundError, as_root

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".cache" / "test"
PYTHON = ".venv/bin/python"
OLDEST = "2.18"  # ansible-core
OLDEST_VENV = f".venv-core-{OLDEST}"
# What uses Ansible; the project's own tools have one Python and one Ansible, and plugin_utils import nothing of it.
CORE_UNITS = (
    *("-m", "not one_core", "tests/unit/plugins", "--ignore=tests/unit/plugins/plugin_utils"),
    "tests/unit/test_argument_specs.py",
)
# Nor do those module_utils that have tests of their own, but they run on the newest Python as well.
OLDEST_UNITS = (*CORE_UNITS, "--ignore=tests/unit/plugins/module_utils")
OLDEST_SCENARIOS = ("pypiserver",)
# From the longest on: what takes long must not run alone at the end, nor what runs twice (OLDEST_SCENARIOS).
LONGEST = (
    *("stack", "upstream", "access", "index", "rollout", "images", "nodes", "tls", "ldap", "default", "import"),
    *("backup", "airgap", "docker", "pypiserver", "nginx", "layout"),
)
# The newest ansible-core, on Debian 13 with its Python (tests/ground/controller.py), which is the stand-in's as well:
# our extension of pypiserver is tried on it too.
LATEST = "2.21"
LATEST_VENV = f".venv-core-{LATEST}"
# Of the tests of that those to which Python's version may matter: archives and forms. Servers run on it in the scenarios.
LATEST_UNITS = (
    *CORE_UNITS,
    *(f"tests/unit/wheelhouse_index/test_{name}.py" for name in ("forms", "importing", "metadata")),
)
# Old pips do not run on it.
LONG_LATEST_UNITS = (*CORE_UNITS, "tests/unit/wheelhouse_index", "--ignore=tests/unit/wheelhouse_index/test_pips.py")
LATEST_SCENARIOS = ("nginx", "default")
# Those of `make test-long` alone.
LONG_ONLY = ("forky", "releases")
# For their hosts an image is built that no others need: Debian testing, and GlusterFS.
OWN_IMAGES = {"forky": "debian-forky", "nodes": "debian13-gluster"}
# What our extension of pypiserver is tested with, beside the pypiserver of the image.
NEWEST = "pypiserver-newest"
NEWEST_UNITS = tuple(f"tests/unit/wheelhouse_index/test_{name}.py" for name in ("start", "servers"))
# How hard the tests try that make up their own cases (tests/unit/wheelhouse_index/conftest.py).
HYPOTHESIS = "HYPOTHESIS_PROFILE"
LONG_SCENARIOS = ("nginx", "stack", "default")
# Random walks of the scenario index: requests.
LONG_STEPS = "10000"
# Scenarios that judge a real index by tools with a virtual environment of their own (tests/requirements/audit.txt).
AUDITED = ("tls", "access")
# `make demo` and `make demo-down` as newcomers meet them.
FRESH_MACHINES = ("root", "user", "systemd")

PART_SECONDS = 2700
# Of make test-long: 2,000 steps over several hosts take an hour on two processors.
LONG_PART_SECONDS = 3 * 3600
ALIVE_SECONDS = 30.0
EXCERPT_LINES = 80
# Of each failed part, at the end of the run; what keeps a run's output may keep its end alone.
REASON_LINES = 15
_REASON_WIDTH = 160
_END_SECONDS = 20.0
_FAILED_TASK = re.compile(r"(fatal|failed): \[")
_FAILED_TESTS = re.compile(r"=+ (FAILURES|ERRORS) =+")
_FAILED_TEST = re.compile(r"_{3,} (.+) _{3,}")
_TESTS_OVER = re.compile(r"=+ (short test summary info|warnings summary|slowest .*|.* in [0-9.]+s.*) =+")
_SAYS_NOTHING = re.compile(r"E +(AssertionError:|[\^~]*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_IN_LOGS = {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "120"}


@dataclass(frozen=True)
class Part:
    """Something that passes or fails.

    Attributes:
        name: as it is called on the command line and in the summary.
        commands: what it runs, one after the other until one fails.
        needs: names of the parts that have to pass before.
        after: names of parts that have to be over before, if they run at all: they use the same things.
        heavy: takes one of the places for parts that keep the machine busy.
        environment: variables that its commands get on top.
        seconds: how long it may take; what is longer hangs.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    heavy: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = PART_SECONDS


@dataclass(frozen=True)
class Outcome:
    """What came out of a part.

    Attributes:
        part: what ran.
        result: a word for the summary.
        passed: whether it passed.
        seconds: how long it took.
        processor: for how many seconds it kept a processor busy on this machine, without what its hosts did.
        reasons: what its log says of the failure, in few lines.
    """

    part: Part
    result: str
    passed: bool
    seconds: float
    processor: float = 0.0
    reasons: tuple[str, ...] = ()


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def scenarios(root: Path) -> list[str]:
    """Return the names of the Molecule scenarios; those that take longest come first."""
    found = {path.parent.name for path in root.glob("molecule/*/molecule.yml")}
    return [*(name for name in LONGEST if name in found), *sorted(found.difference(LONGEST))]


def scenario(
    name: str,
    venv: str,
    do: str,
    suffix: str = "",
    needs: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    within: tuple[str, ...] = (),
) -> Part:
    """Return the part that runs a Molecule scenario.

    Args:
        name: its folder below molecule/.
        venv: folder of the virtual environment that Ansible runs from.
        do: what Molecule is to do, such as ``test`` or ``converge``.
        suffix: of the part's name.
        needs: parts that have to pass before, on top of what all scenarios need.
        more: variables of the environment.
        within: the beginning of a command that runs what follows elsewhere.
    """
    return Part(
        name=f"scenario-{name}{suffix}",
        commands=((*within, "molecule", do, "--no-command-borders", "-s", name),),
        needs=("collection", "images", *needs),
        # Hosts are named after the scenario: the same one cannot run twice at once.
        after=(f"scenario-{name}",) if suffix else (),
        environment={"PATH": f"{ROOT / venv / 'bin'}:{os.environ.get('PATH', os.defpath)}", **(more or {})},
        # Its variables make it long.
        seconds=LONG_PART_SECONDS if more else PART_SECONDS,
    )


def parts(root: Path, long: bool = False, do: str = "test") -> dict[str, Part]:
    """Return all parts by name, in the order in which they would best start.

    Args:
        root: the project.
        long: with the exhaustive ones.
        do: what Molecule is to do.
    """

    def check(name: str, *needs: str) -> Part:
        return Part(name, ((PYTHON, "-m", f"tests.checks.{name}"),), needs=("venv", *needs))

    controller = (PYTHON, "-m", "tests.ground", "controller")

    def unit(name: str, venv: str, needs: Sequence[str], *paths: str, profile: str = "") -> Part:
        # By default pytest keeps the folders of the last three runs of all, and scenarios run it as well. The name is not like a
        # token's, which messages hide.
        aside = f"{tempfile.gettempdir()}/pytest-{zlib.crc32(str(root).encode()):08x}-{name}"
        # The log ends with what took longest.
        options = ("--color", "no", "--durations", "40", "--basetemp", aside)
        command = (f"{venv}/bin/python", "-m", "pytest", *options, *paths)
        environment = {HYPOTHESIS: profile, "WHEELHOUSE_LONG": "1"} if profile else {}
        return Part(name, (command,), tuple(needs), environment=environment)

    names = [name for name in scenarios(root) if long or name not in LONG_ONLY]
    oldest = (*OLDEST_SCENARIOS, *LONG_SCENARIOS) if long else OLDEST_SCENARIOS
    latest = LONG_LATEST_UNITS if long else LATEST_UNITS

    def syntax(name: str, venv: str, within: tuple[str, ...] = ()) -> Part:
        check = ("env", "ANSIBLE_COLLECTIONS_PATH=.cache/collections", f"{venv}/bin/ansible-playbook", "--syntax-check")
        playbooks = [f"wheelhouse.pypi.{playbook.stem}" for playbook in sorted(root.glob("playbooks/*.yml"))]
        command = (*within, *check, "--inventory", "pypi.example.com,", *playbooks)
        return Part(f"syntax-{name}", (command,), needs=("collection", f"venv-{name}"))

    every = [
        Part("venv", (("tests/ground/bootstrap.sh",),), heavy=False),
        # After it, because both may install packages of the system.
        Part("engine", ((sys.executable, "-m", "tests.ground", "engine", "up"),), needs=("venv",), heavy=False),
        Part("collection", ((PYTHON, "-m", "tests.collection"),), needs=("venv",), heavy=False),
        Part("images", ((PYTHON, "-m", "tests.ground", "images", "build"),), needs=("venv", "engine")),
        Part(f"venv-{OLDEST}", ((PYTHON, "-m", "tests.venvs", f"core-{OLDEST}"),), needs=("venv",), heavy=False),
        Part(f"venv-{NEWEST}", ((PYTHON, "-m", "tests.venvs", NEWEST),), needs=("venv",), heavy=False),
        check("lint"),
        check("sanity"),
        unit("unit", ".venv", ["venv"], *(() if long else ("-m", "not other_cores")), profile="long" if long else ""),
        # Before the scenarios, of which the shortest come last: these would be alone at the end for minutes.
        Part(
            f"venv-{LATEST}",
            ((*controller, "python3", "-m", "tests.venvs", f"core-{LATEST}"),),
            needs=("venv", "images"),
            heavy=False,
        ),
        Part(
            f"unit-{LATEST}",
            ((*controller, f"{LATEST_VENV}/bin/python", "-m", "pytest", "--color", "no", *latest),),
            needs=(f"venv-{LATEST}",),
        ),
        unit(f"unit-{OLDEST}", OLDEST_VENV, [f"venv-{OLDEST}"], *OLDEST_UNITS),
        unit(f"unit-{NEWEST}", f".venv-{NEWEST}", [f"venv-{NEWEST}"], *NEWEST_UNITS),
        check("importer", "collection"),
        check("archive", "collection"),
        *(
            Part(
                f"images-{name}",
                ((PYTHON, "-m", "tests.ground", "images", "build", OWN_IMAGES[name]),),
                needs=("images",),
            )
            for name in names
            if name in OWN_IMAGES
        ),
        Part("venv-audit", ((PYTHON, "-m", "tests.venvs", "audit"),), needs=("venv",), heavy=False),
        *(
            scenario(
                name,
                ".venv",
                do,
                needs=(f"images-{name}",) if name in OWN_IMAGES else ("venv-audit",) if name in AUDITED else (),
                more={"WHEELHOUSE_STEPS": LONG_STEPS, "WHEELHOUSE_LONG": "1"} if long else None,
            )
            for name in names
        ),
        syntax(OLDEST, OLDEST_VENV),
        syntax(LATEST, LATEST_VENV, controller),
        *(
            scenario(name, OLDEST_VENV, do, suffix=f"-{OLDEST}", needs=(f"venv-{OLDEST}",))
            for name in oldest
            if name in names
        ),
        *(
            replace(
                scenario(name, ".venv", do, suffix=f"-{LATEST}", needs=(f"venv-{LATEST}",), within=controller),
                after=(f"scenario-{name}", f"scenario-{name}-{OLDEST}"),
            )
            for name in (LATEST_SCENARIOS if long else ())
            if name in names
        ),
        *(
            Part(f"fresh-{story}", ((PYTHON, "-m", "tests.ground", "fresh-machine", story),), needs=("images",))
            for story in (FRESH_MACHINES if long else ())
        ),
    ]
    return {part.name: part for part in every}


def with_needs(wanted: Iterable[str], every: Mapping[str, Part]) -> list[Part]:
    """Return the wanted parts and all that they need, in their usual order."""
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += every[name].needs
    return [part for part in every.values() if part.name in found]


def startable(waiting: Sequence[Part], running: Iterable[Part], passed: Iterable[str], places: int) -> Part | None:
    """Return the next part that can start, or None.

    Args:
        waiting: parts that have not started, in the order of preference.
        running: parts that run.
        passed: names of parts that have passed.
        places: how many heavy parts may run at once.
    """
    done = set(passed)
    active = list(running)
    pending = {part.name for part in (*active, *waiting)}
    free = places - sum(part.heavy for part in active)
    for part in waiting:
        if (free > 0 or not part.heavy) and done.issuperset(part.needs) and pending.isdisjoint(part.after):
            return part
    return None


def hopeless(waiting: Sequence[Part], failed: Iterable[str]) -> dict[str, str]:
    """Return the waiting parts that cannot run any more, each with the part that they needed."""
    lost = {name: name for name in failed}
    for _ in waiting:
        for part in waiting:
            for need in part.needs:
                if need in lost and part.name not in lost:
                    lost[part.name] = need
    return {part.name: lost[part.name] for part in waiting if part.name in lost}


def excerpt(text: str, lines: int = EXCERPT_LINES) -> str:
    """Return what a log of a failed part says of the failure, indented: the failure itself if it is seen, and the end."""
    every = text.splitlines()
    if len(every) <= lines:
        return _indented(every)
    end = every[-lines // 4 :]
    tests = [number for number, line in enumerate(every) if _FAILED_TESTS.match(line)]
    tasks = [number for number, line in enumerate(every) if _FAILED_TASK.match(line)]
    if not tests and not tasks:
        return _indented(every[-lines:])
    # Of tasks the last one: others may have been rescued.
    begin = tests[0] if tests else max(tasks[-1] - 8, 0)
    shown = every[begin : begin + lines - len(end)]
    rest = every[max(begin + len(shown), len(every) - len(end)) :]
    return _indented([*shown, *(["[...]"] if begin + len(shown) + len(rest) < len(every) else []), *rest])


def reasons(text: str, lines: int = REASON_LINES) -> tuple[str, ...]:
    """Return the lines of a failed part's log that say why: each failed test with its errors, the failed task, or the end."""
    every = [line.rstrip() for line in _COLOUR.sub("", text).splitlines() if line.strip()]
    found = _failed_tests(every, lines)
    if not found:
        tasks = [number for number, line in enumerate(every) if _FAILED_TASK.match(line)]
        named = [line for line in every[: tasks[-1]] if line.startswith("TASK [")][-1:] if tasks else []
        found = [*named, *every[tasks[-1] :][: lines - len(named)]] if tasks else every[-lines:]
    return tuple(line if len(line) <= _REASON_WIDTH else f"{line[: _REASON_WIDTH - 1]}…" for line in found)


def _failed_tests(every: Sequence[str], lines: int) -> list[str]:
    """Return the names of the tests that failed in a log of pytest, each with the first and the last of its errors."""
    errors: list[tuple[str, list[str]]] = []
    inside = False
    for line in every:
        if _FAILED_TESTS.match(line) or _TESTS_OVER.match(line):
            inside = bool(_FAILED_TESTS.match(line))
        elif inside and (header := _FAILED_TEST.fullmatch(line)):
            errors.append((header[1], []))
        elif inside and errors and line.startswith("E  ") and not _SAYS_NOTHING.fullmatch(line):
            errors[-1][1].append(line)
    left = lines - len(errors)
    found: list[str] = []
    for number, (name, said) in enumerate(errors):
        if len(found) >= lines - 1 and number < len(errors) - 1:
            return [*found, f"and {len(errors) - number} more"]
        share = max(left, 0) // (len(errors) - number)
        shown = said if len(said) <= share else [*said[: min(share, 1)], *said[len(said) - max(share - 1, 0) :]]
        found += [name, *shown]
        left -= len(shown)
    return found


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}".rstrip() for line in lines)


def summary(outcomes: Sequence[Outcome], seconds: float, live: bool = False, busy: float = 0.0) -> str:
    """Return the closing table, why parts failed, and the count on a line of its own.

    What failed comes last, where it is seen, even if only the end of the output is kept. With ``live`` there are no logs.
    ``busy`` is the share of the time for which the processors had work.
    """
    width = max((len(outcome.part.name) for outcome in outcomes), default=0)
    rows = [
        f"{'':{width}}    took     cpu",
        *(
            f"{one.part.name:{width}}  {clock(one.seconds):>6}  {clock(one.processor):>6}  {one.result}"
            for one in sorted(outcomes, key=lambda outcome: not outcome.passed)
        ),
    ]
    for one in outcomes:
        if one.reasons:
            rows += ["", f"{one.part.name}:", _indented(one.reasons)]
    passed = sum(outcome.passed for outcome in outcomes)
    counts = f"{passed} passed, {len(outcomes) - passed} failed"
    logs = "" if live else f"; the logs are in {LOGS.relative_to(ROOT)}/"
    return "\n".join(["", *rows, "", f"{clock(seconds)} in all, processors busy for {busy:.0%} of it{logs}", counts])


class Runner:
    """Runs parts and tells what goes on.

    Attributes:
        live: everything at once on the terminal, instead of in logs; then one part runs at a time.
    """

    def __init__(self, places: int, live: bool = False) -> None:
        self.places = 1 if live else places
        self.live = live
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._running: dict[str, tuple[Part, float]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._processor: dict[str, float] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._stopped = False
        self._deadline = 0.0

    def run(self, wanted: Sequence[Part]) -> list[Outcome]:
        """Run parts and return what came out, in the order of ``wanted``."""
        waiting = list(wanted)
        reported = time.monotonic()
        with self._changed:
            while (waiting or self._running) and not self._stopped:
                self._give_up(waiting)
                while part := self._next(waiting):
                    waiting.remove(part)
                    self._start(part)
                if not waiting and not self._running:
                    break
                self._changed.wait(1.0)
                if not self.live and time.monotonic() - reported > ALIVE_SECONDS:
                    reported = time.monotonic()
                    self._say(self._alive(len(wanted)))
            while self._running:
                self._changed.wait(1.0)
                if time.monotonic() > self._deadline:
                    self.stop()
            for part in waiting:
                self._outcomes[part.name] = Outcome(part, "stopped", False, 0.0)
        return [self._outcomes[part.name] for part in wanted]

    def stop(self, *_: object) -> None:
        """End everything that runs: gently, and the second time at once. Called by signals."""
        number = signal.SIGKILL if self._stopped else signal.SIGTERM
        self._stopped = True
        self._deadline = time.monotonic() + _END_SECONDS
        for process in list(self._processes.values()):
            _signal(process, number)

    def seconds(self) -> float:
        """Return how long it has been."""
        return time.monotonic() - self._began

    def _next(self, waiting: Sequence[Part]) -> Part | None:
        if self._stopped or (self.live and self._running):
            return None
        active = [part for part, _ in self._running.values()]
        passed = [name for name, outcome in self._outcomes.items() if outcome.passed]
        return startable(waiting, active, passed, self.places)

    def _give_up(self, waiting: list[Part]) -> None:
        failed = [name for name, outcome in self._outcomes.items() if not outcome.passed]
        for name, need in hopeless(waiting, failed).items():
            part = next(part for part in waiting if part.name == name)
            waiting.remove(part)
            self._outcomes[name] = Outcome(part, f"not run, it needs {need}", False, 0.0)

    def _start(self, part: Part) -> None:
        self._running[part.name] = (part, time.monotonic())
        if not self.live:
            self._say(f"{part.name} …")
        threading.Thread(target=self._run, args=(part,), daemon=True).start()

    def _run(self, part: Part) -> None:
        log = LOGS / f"{part.name}.log"
        began = time.monotonic()
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(os.devnull if self.live else log, "wb") as sink:
                result = self._commands(part, sink, began)
            text = "" if self.live or result == "passed" else log.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            # As `sudo make test` leaves behind for other users.
            result, text = "FAILED", f"{error}\n'sudo make clean' removes what root has made here."
        seconds = time.monotonic() - began
        if result == "FAILED" and seconds > part.seconds:
            result = f"FAILED, took longer than {clock(part.seconds)}"
        with self._changed:
            self._outcomes[part.name] = Outcome(
                part, result, result == "passed", seconds, self._processor.get(part.name, 0.0), reasons(text)
            )
            del self._running[part.name]
            if not self.live:
                self._say(f"{part.name} {result}, {clock(seconds)}")
                if result != "passed":
                    print(f"  from {log.relative_to(ROOT)}:\n{excerpt(text)}", flush=True)
            elif result != "passed":
                print(f"{part.name} {result}", file=sys.stderr, flush=True)
            self._changed.notify_all()

    def _commands(self, part: Part, sink: IO[bytes], began: float) -> str:
        """Run a part's commands until one fails, and return the word for the summary."""
        for command in part.commands:
            try:
                code = self._command(part, command, sink, began)
            except OSError as error:
                sink.write(f"{command[0]} could not be started: {error}\n".encode())
                code = 127
            if code:
                return "stopped" if self._stopped else "FAILED"
        return "passed"

    def _command(self, part: Part, command: Sequence[str], sink: IO[bytes], began: float) -> int:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **({} if self.live else _IN_LOGS), **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=None if self.live else sink,
            stderr=None if self.live else subprocess.STDOUT,
            # A group of its own, so that what it starts can be ended with it; in this session, which sudo knows.
            process_group=0,
        )
        self._processes[part.name] = process
        try:
            spent = _ended(process, part.seconds - (time.monotonic() - began))
            self._processor[part.name] = self._processor.get(part.name, 0.0) + spent
            return process.wait()
        except subprocess.TimeoutExpired:
            _end(process)
            return 124
        finally:
            del self._processes[part.name]

    def _alive(self, total: int) -> str:
        now = time.monotonic()
        active = ", ".join(f"{name} {clock(now - since)}" for name, (_, since) in self._running.items())
        return f"{len(self._outcomes)} of {total} done; running: {active}"

    def _say(self, text: str) -> None:
        print(f"[{clock(self.seconds()):>5}] {text}", flush=True)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Wait for the end of a process, and return the processor's seconds of it and of all that it has waited for."""
    end = time.monotonic() + seconds
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() > end:
            raise subprocess.TimeoutExpired(process.args, seconds)
        time.sleep(0.05)
    # proc(5): utime, stime, cutime, cstime.
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def processors() -> tuple[int, int]:
    """Return for how long the machine's processors have been busy since it started, and for how long they could have."""
    times = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    # proc(5): the fourth and the fifth are idle and iowait.
    return sum(times) - times[3] - times[4], sum(times)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and what it started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, gently first."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def ask_for_root(wanted: Iterable[Part]) -> None:
    """Have sudo ask for its password now, if an engine may have to be installed: parts have no terminal."""
    if any(part.name == "engine" for part in wanted) and not engine.answers():
        with contextlib.suppress(GroundError):  # the part says it better
            as_root(["true"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.run", description="Runs the parts of the tests.")
    parser.add_argument("names", nargs="*", metavar="PART", help="all of them when none is named")
    parser.add_argument("--list", action="store_true", help="print the names of the parts")
    parser.add_argument("--long", action="store_true", help="with the exhaustive parts")
    parser.add_argument("--live", action="store_true", help="one part at a time, its output on the terminal")
    # One more than there are processors: a scenario waits for its hosts for a third of its time.
    jobs = (os.cpu_count() or 1) + 1
    parser.add_argument("--jobs", type=int, default=jobs, metavar="N", help=f"heavy parts at a time (default: {jobs})")
    parser.add_argument("--do", default="test", metavar="COMMAND", help="what Molecule is to do (default: test)")
    options = parser.parse_args(arguments)

    every = parts(ROOT, options.long, options.do)
    if options.list:
        print("\n".join(every))
        return 0
    unknown = [name for name in options.names if name not in every]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(every)}")
    wanted = with_needs(options.names or every, every)
    ask_for_root(wanted)
    runner = Runner(options.jobs, options.live)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, runner.stop)
    before = processors()
    outcomes = runner.run(wanted)
    worked, possible = (now - then for now, then in zip(processors(), before, strict=True))
    print(summary(outcomes, runner.seconds(), options.live, worked / max(possible, 1)), flush=True)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
