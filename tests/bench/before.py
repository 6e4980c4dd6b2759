"""The index beside that of another commit, each on a host of its own, measured in turn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.ground.paths import ROOT
from tests.ground.shell import step

from . import large, load, reading, start, store
from .containers import taken
from .figures import Figure
from .hosts import BEFORE, BIN, COLLECTIONS, SERVING, WORK, play, run
from .load import Load, missed, right
from .pace import Pace, in_turn
from .rollout import SITE, seconds, unchanged
from .sides import Side, check
from .store import MISSING, kilos
from .writing import together, with_tokens


def figures(pace: Pace, commit: str) -> Iterator[Iterator[Figure]]:
    """Start both and measure, one figure after the other.

    Args:
        pace: the size of the run.
        commit: the other one. Its variables have to be those of today, tokens aside.
    """
    load.ready()
    large.ready()
    collections = _collection(commit)
    before = start.applied("before", BEFORE, {}, collections)
    yield _unchanged(pace, collections)
    folder = store.build()
    ours = start.filled(folder)
    start.fill(folder, BEFORE)
    start.listed(before)
    for side in (ours, before):
        check(side, store.measured(folder), closed=True)

    yield _reading(pace, ours, before)
    yield _small(pace, ours, before)
    yield _large(pace, "", ours, before)
    ours_tls, before_tls = start.tls(ours.host), start.tls(BEFORE)
    ours = start.over_tls(start.ours(ours_tls), ours_tls)
    before = start.over_tls(start.applied("before", BEFORE, before_tls, collections), before_tls)
    yield _large(pace, "_tls", ours, before)
    yield _large(pace, "_http2", ours, before)


def _unchanged(pace: Pace, collections: Path) -> Iterator[Figure]:
    """Seconds of a run that changes nothing, over SSH, with ten users."""
    start.applied("ours", SERVING, {})

    def run(host: str, own: Path) -> float:
        return seconds(lambda: unchanged(play(SITE, "--limit", host, variables=start.VARIABLES, collections=own)))

    here, there = in_turn(pace.slow_rounds, partial(run, SERVING, COLLECTIONS), partial(run, BEFORE, collections))
    yield Figure.quotient("unchanged_vs_before", here, there)
    yield Figure.of("unchanged_10_users_s", "s", here)


def _reading(pace: Pace, ours: Side, before: Side) -> Iterator[Figure]:
    """A page, a wheel of 20 kB, a project that does not exist: requests a second, and NGINX's processor time of each."""
    wheel = reading.path_of(ours, kilos(1)[0])
    loads: dict[str, Callable[[Side], Load]] = {
        "page": lambda side: right(side, side.page(), pace.seconds),
        "wheel": lambda side: right(side, wheel, pace.seconds),
        "miss": lambda side: missed(side, side.page(MISSING), pace.seconds),
    }
    for name, ask in loads.items():
        spent: dict[str, list[float]] = {ours.host: [], before.host: []}
        yield _compared(pace.rounds, ours, before, f"{name}_vs_before", partial(_per_second, ask, spent))
        yield Figure.quotient(f"{name}_processor_vs_before", spent[ours.host], spent[before.host])


def _per_second(ask: Callable[[Side], Load], spent: dict[str, list[float]], side: Side) -> float:
    """Load a side; return the requests a second, and note NGINX's seconds for each: they hardly depend on other work."""
    began = taken(side)["nginx"].processor
    done = ask(side)
    spent[side.host].append((taken(side)["nginx"].processor - began) / done.requests)
    return done.per_second


def _small(pace: Pace, ours: Side, before: Side) -> Iterator[Figure]:
    """What eight publishers get in at once: here with tokens, there with passwords."""
    yield _compared(pace.rounds, with_tokens(ours), before, "uploads_per_second", together)


def _large(pace: Pace, end: str, ours: Side, before: Side) -> Iterator[Figure]:
    """Seconds of an upload of 200 MB."""
    options = ["--http2"] if end == "_http2" else ["--http1.1"]
    yield _compared(pace.slow_rounds, ours, before, f"upload_vs_before{end}", partial(large.upload, options=options))


def _compared(rounds: int, ours: Side, before: Side, name: str, measure: Callable[[Side], float]) -> Figure:
    here, there = in_turn(rounds, partial(measure, ours), partial(measure, before))
    return Figure.quotient(name, here, there)


def _collection(commit: str) -> Path:
    """Build the collection of a commit, and return the folder that it is installed in."""
    home = WORK / "before"
    shutil.rmtree(home, ignore_errors=True)
    source = home / "source"
    source.mkdir(parents=True)
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    with step(f"the collection of {commit}"):
        run(["git", "-C", str(ROOT), "archive", "--output", str(home / "source.tar"), commit])
        shutil.unpack_archive(home / "source.tar", source, filter="data")
        run([*galaxy, "build", str(source), "--output-path", str(home)])
        archive = next(home.glob("*.tar.gz"))
        run([*galaxy, "install", "--no-deps", "--force", "-p", str(home), str(archive)], collections=home)
    return home
