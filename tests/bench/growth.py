"""Figures of growth: page, list, upload and start, with ever more files in the index."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

from tests.ground.shell import say
from tests.support.stack import eventually

from . import load, start, store
from .figures import Figure
from .hosts import SERVING, ask
from .pace import in_turn
from .rollout import HOME
from .sides import Side, check
from .writing import upload_times

FILES = (100, 1_000, 10_000, 100_000)
_SECONDS = 3
_ROUNDS = 3
_UPLOADS = 15
_LONG = 900.0


def figures() -> Iterator[Iterator[Figure]]:
    """Measure with each number of files, from few to many."""
    load.ready()
    ours = start.ours()
    for files in FILES:
        yield _of(ours, files)


def _of(ours: Side, files: int) -> Iterator[Figure]:
    """Fill the index with a number of files, and measure."""
    projects = max(files * 4 // 13, 20)
    folder = store.build(projects, files)
    say(f"an index of {files} files in {projects} projects")
    _emptied()
    start.fill(folder)
    # From nothing: every file is read once.
    began = time.perf_counter()
    _started(ours)
    start.listed(ours, projects, _LONG)
    rebuild = time.perf_counter() - began
    digests = {store.digest(folder / one.file) for one in store.releases(projects, files) if _measured(one)}
    check(ours, digests, closed=True)
    shutil.rmtree(folder.rename(folder.with_suffix(".part")))
    yield Figure.of(f"growth_rebuild_s_{files}", "s", [rebuild])
    page, names = in_turn(
        _ROUNDS,
        lambda: load.right(ours, ours.page(), _SECONDS).per_second,
        lambda: load.right(ours, ours.simple, _SECONDS, connections=1).p50_ms,
    )
    yield Figure.of(f"growth_page_per_second_{files}", "requests/s", page)
    yield Figure.of(f"growth_list_ms_{files}", "ms", names)
    releases, first = upload_times(ours, _UPLOADS)
    yield Figure.of(f"growth_upload_ms_{files}", "ms", releases)
    yield Figure.of(f"growth_upload_new_project_ms_{files}", "ms", first)
    starts = []
    for _ in range(_ROUNDS):
        ask(SERVING, "docker", "compose", "--project-directory", HOME, "stop", "--timeout", "1", "pypi-server")
        began = time.perf_counter()
        _started(ours)
        starts.append(time.perf_counter() - began)
    yield Figure.of(f"growth_start_s_{files}", "s", starts)


def _measured(release: store.Release) -> bool:
    return release.project == store.MEASURED


def _emptied() -> None:
    """Stop pypiserver and leave nothing of what it has served."""
    script = f"""set -e; cd {HOME}
        docker compose --progress quiet stop --timeout 1 pypi-server
        find packages index -mindepth 1 -delete"""
    ask(SERVING, "sh", "-c", script)


def _started(ours: Side) -> None:
    """Start pypiserver, and wait until it answers a request of its own: for a project that there is not."""
    ask(SERVING, "docker", "compose", "--project-directory", HOME, "start", "pypi-server")

    def answers() -> bool:
        # Another one each time: NGINX remembers for a while that there is none.
        return ours.index.request(f"/simple/none-{time.time_ns()}/", ours.login).status == 404

    eventually(answers, "pypiserver answers", _LONG)
