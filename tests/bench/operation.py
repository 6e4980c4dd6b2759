"""What it costs to run an index: backups, restores, the doctor, the audit, and what readers notice of them."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import testinfra

from tests.support import faulty_images
from tests.support.fleet import reading

from . import examining, load, recovery, start, store
from .figures import Figure
from .hosts import SERVING, BenchError, ask, play, run
from .load import right
from .pace import Pace
from .rollout import SITE
from .sides import Side

# Loads that are short enough to lie within what they are measured beside.
_SECONDS = 1
_FAULT = "fault:next"
# What of each image is changed, and what the run then says.
_FAULTS = {
    "pypiserver": (faulty_images.crashing, "out of luck"),
    "nginx": (faulty_images.refusing_logins, "/simple/ with a login as text/html answers 401"),
}
# Half of the releases go; those of the page that is measured stay.
_KEEP = [
    {"names": [store.MEASURED], "kinds": ["all"], "newest": store.MEASURED_FILES},
    {"names": ["project-*"], "kinds": ["all"], "newest": store.MEASURED_FILES // 2},
]


def figures(pace: Pace) -> Iterator[Iterator[Figure]]:
    """Fill an index whose backups are set up, and measure, one figure after the other."""
    load.ready()
    ours = _filled(pace)
    yield recovery.backups(pace)
    # As the unit and the playbook have it.
    yield _beside(pace, ours, "backup", "wheelhouse.pypi.backup", "backup.py backup", weight=5)
    yield _beside(
        pace, ours, "restore", "wheelhouse.pypi.drill", "restic restore|wheelhouse_index (restore|drill)", weight=5
    )
    yield _beside(
        pace, ours, "doctor", examining.DOCTOR, "wheelhouse_index inspect", variables={"pypi_doctor_read": "all"}
    )
    yield examining.doctor(pace)
    yield examining.audit(pace)
    for name in _FAULTS:
        yield _rollback(pace, ours, name)
    yield recovery.restores(pace, ours)
    yield _beside(
        pace, ours, "prune", "wheelhouse.pypi.prune", "wheelhouse_index prune", variables={"pypi_keep": _KEEP}
    )


def _filled(pace: Pace) -> Side:
    """Return an index with projects of ten files of 100 kB each, and with backups."""
    side = start.applied("ours", SERVING, recovery.SETTINGS)
    folder = store.built(f"operated-{pace.files}", recovery.releases("project", pace.files))
    start.fill(folder)
    # Some GB.
    shutil.rmtree(folder)
    recovery.settle()
    return side


def _beside(
    pace: Pace,
    ours: Side,
    name: str,
    playbook: str,
    process: str,
    variables: dict[str, Any] | None = None,
    weight: int = 20,
) -> Iterator[Figure]:
    """Requests a second for a page while a playbook's work on the host lasts, and without it.

    Args:
        pace: the size of the run.
        ours: the index.
        name: the end of the figure's name.
        playbook: which.
        process: a pattern of the command line that does the work. Ansible, which is elsewhere as a rule, is not measured.
        variables: of the playbook.
        weight: of its processes beside the containers on the host, which have 100.
    """

    def per_second() -> float:
        return right(ours, ours.page(), _SECONDS).per_second

    def works() -> bool:
        try:
            return bool(ask(SERVING, "pgrep", "--full", process))
        except BenchError:
            return False

    # On a server, the units of backup and drill are beside containers (CPUWeight=100). Here, those are beside the host.
    run(["docker", "update", "--cpu-shares", str(1024 * weight // 100), SERVING])
    alone = [per_second() for _ in range(pace.rounds)]
    beside: list[float] = []
    with ThreadPoolExecutor(1) as runs:
        playing = runs.submit(play, playbook, variables=recovery.VARIABLES | (variables or {}))
        # What yields to all others would take for ever if that did not end.
        while not playing.done() and len(beside) < 3 * pace.rounds:
            if works():
                found = per_second()
                beside += [found] if works() else []
            else:
                time.sleep(0.1)
        playing.result()
    alone += [per_second() for _ in range(pace.rounds)]
    run(["docker", "update", "--cpu-shares", "1024", SERVING])
    if not beside:
        raise BenchError(f"{playbook} worked for less than {_SECONDS} s: reads beside it were not measured")
    yield Figure.of(f"reads_during_{name}", "ratio", [one / statistics.median(alone) for one in beside])


def _rollback(pace: Pace, ours: Side, name: str) -> Iterator[Figure]:
    """The longest time between two answers to a client who reads a page, while a run brings a bad image and goes back."""
    make, reason = _FAULTS[name]
    make(testinfra.get_host(f"docker://{SERVING}"), _FAULT)
    longest = []
    for _ in range(pace.slow_rounds // 2):
        with reading(ours.index, ours.login, ours.page()) as client:
            try:
                play(SITE, variables={**recovery.VARIABLES, f"pypi_image_{name}": _FAULT})
            except BenchError as error:
                if reason not in str(error):
                    raise
            else:
                raise BenchError(f"a run with a bad image of {name} went through")
        answered = [read.ended for read in client.reads if read.good]
        longest.append(max(later - earlier for earlier, later in pairwise(answered)))
    yield Figure.of(f"rollback_gap_{name}_s", "s", longest)
