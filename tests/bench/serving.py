"""How the index serves: all sides on one host, measured in turn from this machine."""

from __future__ import annotations

from collections.abc import Iterator

from tests.ground.paths import ROOT
from tests.ground.shell import say

from . import installers, load, pressure, reading, start, store, writing
from .figures import Figure
from .pace import Pace
from .rollout import HOME
from .sides import Side, check


def figures(pace: Pace) -> Iterator[Figure]:
    """Start the sides, find out that they are right, and measure, one figure after the other."""
    load.ready()
    folder = store.build()
    digests = {store.digest(folder / one.file) for one in store.releases() if one.project == store.MEASURED}
    ours = start.ours()
    start.fill(folder)
    start.listed(ours)
    static = start.static()
    others = [
        ("tutorial_sha", start.tutorial("sha", 0)),
        ("tutorial_bcrypt", start.tutorial("bcrypt", 1)),
        ("devpi", start.devpi(folder)),
    ]
    for side in (ours, static, *(side for _name, side in others)):
        check(side, digests, closed=bool(side.login.name))

    yield from reading.pages(pace, ours, static, others)
    yield from reading.loopback(
        pace,
        start.near(ours, HOME, 8080),
        start.near(static, f"{start.BENCH}/static", 8080),
        start.near(others[-1][1], f"{start.BENCH}/devpi", 80),
    )
    # They have been compared, and would only take the others' time from here on.
    start.stop_others()
    yield from reading.wheels(pace, ours, static)
    yield from pressure.memory(pace, ours)
    yield from pressure.bursts(pace, ours)
    yield from pressure.flood(pace, ours, Side("stranger", ours.url))
    yield from pressure.restart(ours)
    yield from installers.figures(pace, ours, static)
    yield from writing.uploads(pace, ours)
    yield from writing.beside_uploads(pace, ours)
    yield from writing.freshness(pace, ours)
    if knows_tls():
        yield from reading.encrypted(pace, *start.encrypted())
    else:
        say("tls_page_vs_static, tls_wheel_vs_static: left out, as this version of the collection has no pypi_tls")


def knows_tls() -> bool:
    """Return whether the collection serves TLS itself."""
    defaults = (ROOT / "roles" / "pypi" / "defaults" / "main.yml").read_text(encoding="utf-8")
    return "\npypi_tls:" in defaults
