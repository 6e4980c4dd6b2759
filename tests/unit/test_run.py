"""The runner: what it starts when, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import time
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


def test_a_part_that_takes_too_long_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "PART_SECONDS", 1)
    pid = tmp_path / "pid"
    (outcome,) = Runner(places=1).run([part("slow", "sh", "-c", f"sleep 60 & echo $! >{pid}; wait")])
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


def test_summary_ends_with_the_count_alone() -> None:
    outcomes = [Outcome(part("lint"), "passed", True, 61.5), Outcome(part("scenario-users"), "FAILED", False, 5)]
    text = run.summary(outcomes, 120).splitlines()
    assert text[1:3] == ["lint              1:01  passed", "scenario-users    0:05  FAILED"]
    assert text[-1] == "1 passed, 1 failed"
