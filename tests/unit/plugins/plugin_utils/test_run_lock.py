"""One run at a time on an index: who holds it, who is refused, and what becomes of runs that ended without a word."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import run_lock
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.host import Host
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.run_lock import Holder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "FOLDER", str(tmp_path / "run"))


def shell(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def held(command: str) -> Holder | None:
    """Return the run that holds the index, which was heard of just now."""
    age, _space, line = shell(command).partition(" ")
    assert 0 <= int(age) < 60, age
    return Holder.parse(line)


def holder(**changes: object) -> Holder:
    return dataclasses.replace(run_lock.this_run("pypi-1"), **changes)  # type: ignore[arg-type]


def test_the_first_run_has_it_until_it_is_over() -> None:
    mine, other = holder(), holder(pid=1, started="1")
    assert held(run_lock.take("index", mine)) == mine
    # Later in the same run the time of its beginning is another; it is refreshed all the same.
    os.utime(run_lock.path("index"), (1, 1))
    assert held(run_lock.take("index", holder(since=mine.since + 9))) == mine
    assert held(run_lock.take("index", other)) == mine
    assert held(run_lock.take("index", None)) == mine
    # Another index of the host has a file of its own.
    assert held(run_lock.take("dev", other)) == other
    shell(run_lock.release("index", other))
    assert Path(run_lock.path("index")).exists()
    shell(run_lock.release("index", mine))
    assert not Path(run_lock.path("index")).exists()
    assert shell(run_lock.take("index", None)) == ""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param("touch {folder}", "mkdir: cannot create directory", id="no folder"),
        pytest.param("mkdir -p {folder}/index.lock", "Is a directory", id="no file"),
        pytest.param("flock() {{ echo 'no locks available' >&2; return 1; }}", "no locks available", id="no lock"),
        pytest.param('PATH=/nowhere; mkdir() {{ /bin/mkdir "$@"; }}', "flock: not found", id="no flock"),
        pytest.param("printf() {{ echo 'No space left on device' >&2; return 1; }}", "No space left", id="a full /run"),
    ],
)
def test_where_an_index_cannot_be_taken_the_reason_stands_in_place_of_a_holder(fault: str, said: str) -> None:
    command = fault.format(folder=run_lock.FOLDER) + "\n" + run_lock.take("index", holder())
    done = subprocess.run(["/bin/sh", "-c", f"echo '@@lock'; {command}"], capture_output=True, text=True, check=False)
    host = Host.parse(done.stdout)
    assert host.lock is None, done.stdout
    assert said in host.lock_refused
    message = run_lock.not_held("index", host.lock_refused)
    assert message.startswith("cannot hold the index index on this host: ") and said in message


def test_a_run_that_is_over_is_replaced_by_one_of_those_who_saw_that() -> None:
    dead, first, second = holder(pid=2**22 + 1, started="7"), holder(), holder(host="pypi-2")
    shell(run_lock.take("index", dead))
    for run in (first, second):
        assert held(run_lock.take("index", run, dead=str(dead))) == first


@pytest.mark.parametrize(
    ("changes", "age", "ended"),
    [
        pytest.param({}, 10**6, False, id="its process runs"),
        pytest.param({"started": "1"}, 0, True, id="its number belongs to another process by now"),
        pytest.param({"pid": 2**22 + 1}, 0, True, id="its process is over"),
        pytest.param({"machine": "elsewhere"}, 3599, False, id="another controller, heard of lately"),
        pytest.param({"machine": "elsewhere"}, 6 * 3600 + 1, True, id="another controller, not heard of for six hours"),
    ],
)
def test_whether_a_run_has_ended(changes: dict[str, object], age: int, ended: bool) -> None:
    assert run_lock.has_ended(holder(**changes), age) == ended


def test_a_file_that_says_nothing_counts_for_six_hours() -> None:
    assert Holder.parse("of somebody else") is None
    assert not run_lock.has_ended(None, 60)
    assert run_lock.has_ended(None, 6 * 3600 + 1)


def test_a_line_is_read_as_it_was_written() -> None:
    mine = run_lock.this_run("pypi 1:a/b")
    assert Holder.parse(str(mine)) == mine


def test_the_message_says_who_has_it_and_what_to_do() -> None:
    mine = holder()
    other = holder(
        pid=4242, machine="elsewhere", who="alice@controller", since=int(time.mktime((2026, 11, 28, 0, 0, 0, 0, 0, 0)))
    )
    text = run_lock.problem("index", other, mine)
    assert "process 4242 of alice@controller, on this host since 2026-11-2" in text
    assert (
        "Nothing was changed. Wait until it has finished, then run again. If it does not run any more, remove "
        + run_lock.path("index")
        in text
    )
    assert "two hosts of the inventory are one machine" in run_lock.problem("index", holder(host="alias"), mine)
