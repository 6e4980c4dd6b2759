"""The runner: what it starts when, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests import run
from tests.run import Outcome, Part, Runner


def part(
    name: str, *command: str, needs: tuple[str, ...] = (), heavy: bool = True, after: tuple[str, ...] = ()
) -> Part:
    return Part(name, (command or ("true",),), needs=needs, heavy=heavy, after=after)


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runner's logs, away from the real ones."""
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "LOGS", tmp_path / "logs")
    return tmp_path / "logs"


@pytest.mark.parametrize(
    ("waiting", "running", "passed", "name"),
    [
        ([part("a"), part("b")], [], [], "a"),
        ([part("a", needs=("x",)), part("b")], [], [], "b"),
        ([part("a", needs=("x",)), part("b")], [], ["x"], "a"),
        ([part("a")], [part("1"), part("2")], [], None),
        ([part("a")], [part("1"), part("2", heavy=False)], [], "a"),
        ([part("a"), part("b", heavy=False)], [part("1"), part("2")], [], "b"),
        ([part("a-2.18", after=("a",)), part("b")], [part("a")], [], "b"),
        ([part("a-2.18", after=("a",)), part("a")], [], [], "a"),
        ([part("a-2.18", after=("a",))], [], [], "a-2.18"),
        ([], [], [], None),
    ],
)
def test_next_part_to_start(waiting: list[Part], running: list[Part], passed: list[str], name: str | None) -> None:
    found = run.startable(waiting, running, passed, places=2)
    assert (found and found.name) == name


def test_what_needs_a_failed_part_is_not_run_however_far_away() -> None:
    waiting = [part("c", needs=("b",)), part("b", needs=("a",)), part("d")]
    assert run.hopeless(waiting, ["a"]) == {"c": "b", "b": "a"}


def test_parts_of_this_project_need_parts_that_there_are() -> None:
    every = run.parts(Path(__file__).resolve().parents[2], long=True)
    assert {need for one in every.values() for need in one.needs} <= set(every)
    order = list(every)
    assert all(order.index(need) < order.index(one.name) for one in every.values() for need in one.needs)


def test_outcomes_logs_and_what_is_said(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [
        part("good", "echo", "fine"),
        part("bad", "sh", "-c", "echo the reason; exit 3"),
        part("missing", "/nowhere/program"),
        part("later", needs=("bad",)),
    ]
    runner = Runner(places=2)
    outcomes = runner.run(wanted)
    assert [(one.part.name, one.result, one.passed) for one in outcomes] == [
        ("good", "passed", True),
        ("bad", "FAILED", False),
        ("missing", "FAILED", False),
        ("later", "not run, it needs bad", False),
    ]
    assert (logs / "good.log").read_text(encoding="utf-8") == "fine\n"
    said = capsys.readouterr().out
    assert "    the reason" in said
    assert "/nowhere/program could not be started" in said
    assert "fine" not in said


def test_a_part_stops_at_its_first_failing_command(logs: Path) -> None:
    Runner(places=1).run([Part("steps", (("echo", "one"), ("false",), ("echo", "three")))])
    assert (logs / "steps.log").read_text(encoding="utf-8") == "one\n"


def test_a_part_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    slow = replace(part("slow", "sh", "-c", f"sleep 60 & echo $! >{pid}; wait"), seconds=1)
    (outcome,) = Runner(places=1).run([slow])
    assert outcome.result == "FAILED, took longer than 0:01"
    child = Path("/proc", pid.read_text(encoding="utf-8").strip(), "stat")
    deadline = time.monotonic() + 10
    while child.exists() and ") Z " not in child.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, "a child lives on"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["a", "b"], ["a", "b"]),
        (list("abcdefghijkl"), list("efghijkl")),
        (["a", "fatal: [x]: 1", *"bcdefghijklmn", "z"], ["a", "fatal: [x]: 1", *"bcde", "[...]", "n", "z"]),
        ([*"abcdef", "=== FAILURES ===", *"gh", "i", "j"], ["=== FAILURES ===", *"ghij"]),
        (["fatal: [x]: rescued", *"abcdefghijk", "fatal: [x]: 2"], [*"defghi", "[...]", "k", "fatal: [x]: 2"]),
    ],
)
def test_excerpt_shows_the_failure_and_the_end(lines: list[str], shown: list[str]) -> None:
    assert run.excerpt("\n".join(lines), lines=8).replace("    ", "").splitlines() == shown


TESTS = """
=== FAILURES ===
___ test_first[a b] ___
>       assert 1 == 2
E       AssertionError: the page
E         Traceback
E                  ^^^^^^
E         deep below
E         ValueError: the cause
tests/x.py:3: AssertionError
___ test_second ___
E       assert 2 == 3
--- Captured stdout call ---
fatal: [x]: FAILED! => a task that the test wanted to fail
=== short test summary info ===
FAILED tests/x.py::test_first[a b] - AssertionError: the page
ERROR    \x1b[31mExecuted: Failed\x1b[0m
"""


@pytest.mark.parametrize(
    ("text", "lines", "said"),
    [
        (
            TESTS,
            6,
            [
                "test_first[a b]",
                "E       AssertionError: the page",
                "E         ValueError: the cause",
                "test_second",
                "E       assert 2 == 3",
            ],
        ),
        (TESTS, 2, ["test_first[a b]", "test_second"]),
        (
            TESTS.replace("___ test_second", "___ ERROR at setup of test_s ___\n___ test_t"),
            2,
            ["test_first[a b]", "and 2 more"],
        ),
        (
            "TASK [one]\nfatal: [x]: rescued\nTASK [two]\n\x1b[31mfailed: [y]: FAILED! =>\x1b[0m\n\n  msg: no\nmore\nend",
            4,
            ["TASK [two]", "failed: [y]: FAILED! =>", "  msg: no", "more"],
        ),
        ("a\n\nb\nc\n", 2, ["b", "c"]),
        ("", 2, []),
    ],
)
def test_reasons_name_each_failed_test_or_the_task_that_failed_last(text: str, lines: int, said: list[str]) -> None:
    assert list(run.reasons(text, lines)) == said


def test_summary_shows_failed_parts_last_then_why_and_ends_with_the_count_alone() -> None:
    outcomes = [
        *Runner(places=2).run([part("bad", "sh", "-c", "echo the reason; exit 3"), part("later", needs=("bad",))]),
        Outcome(part("scenario-layout"), "passed", True, 61.5, 48.2),
    ]
    text = run.summary(outcomes, 120, busy=0.934).splitlines()
    print("\n".join(text))
    assert text[1:3] == ["                   took     cpu", "scenario-layout    1:01    0:48  passed"]
    assert [line.split(maxsplit=3)[::3] for line in text[3:5]] == [
        ["bad", "FAILED"],
        ["later", "not run, it needs bad"],
    ]
    assert text[5:8] == ["", "bad:", "    the reason"]
    assert "2:00 in all, processors busy for 93% of it; the logs are in " in text[-2]
    assert text[-1] == "1 passed, 2 failed"


def test_a_parts_work_is_counted_with_that_of_its_children_and_waiting_is_not() -> None:
    work = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    runner = Runner(places=2)
    worked, waited = runner.run([part("works", sys.executable, "-c", child), part("waits", "sleep", "1")])
    print(worked, waited)
    assert worked.passed and waited.passed
    assert worked.processor >= 0.25
    assert waited.processor < 0.25
    assert waited.seconds >= 1


def test_the_processors_of_the_machine_have_worked_for_a_part_of_the_time() -> None:
    busy, passed = run.processors()
    assert 0 < busy < passed
