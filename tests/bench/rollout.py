"""What a rollout costs: over SSH, against a plain shell script, and against a loop over users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

from .figures import Figure
from .hosts import HOSTS, PLAYS, ask, on, play

SITE = "wheelhouse.pypi.site"
HOME, ACCOUNT = "/home/pypi/pypi-server", "pypi"
_HERE = Path(__file__).resolve().parent
USERS = [{"name": f"user{n}", "password": f"password-{n}", "publish": n == 1} for n in range(1, 11)]
INDEX = {
    "pypi_users": USERS,
    "pypi_images_archive": "/srv/ground/stack.tar",
}
# $2y$ of nothing that anybody knows: 53 letters that change from user to user.
MANY = [{"name": f"user{n}", "hash": f"$2y$10${n:053d}"} for n in range(200)]
_ONE = ("--limit", HOSTS[0])
_EXEC = re.compile(r"^<[^>]+> SSH: EXEC ", re.M)


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def figures(repeat: int) -> Iterator[Iterator[Figure]]:
    """Measure, one figure after the other.

    Args:
        repeat: how often; what is compared is measured in turn.
    """
    yield _first_runs(repeat)
    yield _unchanged_runs(repeat)
    yield _users(repeat)


def _site(*arguments: str) -> str:
    return play(SITE, *arguments, variables=INDEX)


def unchanged(output: str) -> str:
    """Return the output of a run that has changed nothing; any other is an error."""
    changed = re.findall(r"changed=(\d+)", output)
    assert changed and not any(map(int, changed)), f"the run changed something:\n{output[-3000:]}"
    return output


def _first_runs(repeat: int) -> Iterator[Figure]:
    ours, script = [], []
    for _ in range(repeat):
        on(HOSTS[0], _HERE / "reset.sh", ACCOUNT, HOME)
        ours.append(seconds(lambda: _site(*_ONE)))
        unchanged(_site(*_ONE))
        uid: str = ask(HOSTS[0], "id", "-u", ACCOUNT).strip()
        ask(HOSTS[0], "tar", "-c", "-C", HOME, "-f", "/tmp/tree.tar", ".")
        on(HOSTS[0], _HERE / "reset.sh", ACCOUNT, HOME)
        script.append(seconds(partial(on, HOSTS[0], _HERE / "plain.sh", ACCOUNT, uid, HOME)))
    yield Figure.of("first_run_s", "s", ours)
    yield Figure.of("first_run_script_s", "s", script)
    yield Figure.quotient("first_run_vs_script", ours, script)


def _unchanged_runs(repeat: int) -> Iterator[Figure]:
    _site()
    one, four = [], []
    for _ in range(repeat):
        one.append(seconds(lambda: unchanged(_site(*_ONE))))
        four.append(seconds(lambda: unchanged(_site())))
    yield Figure.of("unchanged_one_host_s", "s", one)
    yield Figure.of("unchanged_remote_calls", "calls", [len(_EXEC.findall(unchanged(_site(*_ONE, "-vvv"))))])
    yield Figure.of("unchanged_four_hosts_s", "s", four)
    yield Figure.quotient("unchanged_four_vs_one", four, one)


def _users(repeat: int) -> Iterator[Figure]:
    # What the other side needs on the host; ours needs nothing there.
    ask(HOSTS[0], "sh", "-c", "apt-get -qq update && apt-get -qq install --yes python3-passlib >/dev/null")
    batch: list[float] = []
    loop: list[float] = []
    for _ in range(repeat):
        ask(HOSTS[0], "sh", "-c", "rm -rf /root/bench-batch /root/bench-loop && mkdir /root/bench-loop")
        for times, looped in ((batch, False), (loop, True)):
            times.append(_task_seconds(looped))
        there = ask(HOSTS[0], "sh", "-c", "cat /root/bench-batch/.htpasswd; echo; cat /root/bench-loop/.htpasswd")
        ours, theirs = (sorted(part.split()) for part in there.split("\n\n"))
        assert ours == theirs and len(ours) == len(MANY), "the two do not write the same"
    yield Figure.of("users_200_s", "s", batch)
    yield Figure.of("users_200_loop_s", "s", loop)
    yield Figure.quotient("users_200_vs_loop", loop, batch)


def _task_seconds(looped: bool) -> float:
    """How long the task takes, without the start of Ansible: the run, less a run of the same that has no users."""
    variables = {"bench_loop": looped}
    empty = seconds(lambda: play(str(PLAYS / "users.yml"), variables={**variables, "bench_users": []}))
    return seconds(lambda: play(str(PLAYS / "users.yml"), variables={**variables, "bench_users": MANY})) - empty
