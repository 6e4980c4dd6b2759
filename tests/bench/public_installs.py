"""Figures of installers from public projects: what uv takes for 30 of them, cached or not, beside the same without an index."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from functools import partial

from .figures import Figure
from .hosts import BIN, SERVING, ask, run
from .large import on_host
from .pace import Pace, in_turn
from .public import AUTHORITY, REAL, Sides
from .rollout import HOME
from .sides import Side

# The stand-in has not what the one left out requires.
_NAMED = [name for name in REAL if name != "python-dateutil"][:30]
# So long does pypi-server use a page that it has looked at.
_KNOWN_SECONDS = 1.0
_TARGET = "/tmp/installed"


def figures(pace: Pace, sides: Sides) -> Iterator[Figure]:
    """Wall times of `uv pip install` on the host, which resolves upstream's names."""
    run(["docker", "cp", str(BIN / "uv"), f"{SERVING}:/usr/local/bin/uv"])
    for side in (sides.ours, sides.static, sides.direct):
        # Once before it counts: the index has all in its cache then.
        _install(side)
    here, there = in_turn(pace.rounds, *(partial(_install, side) for side in (sides.ours, sides.static)))
    yield Figure.quotient("upstream_warm_vs_static", here, there)
    yield Figure.of("upstream_warm_30_packages_s", "s", here)

    def cold() -> float:
        emptied()
        return _install(sides.ours)

    here, there = in_turn(pace.rounds, cold, partial(_install, sides.direct))
    yield Figure.quotient("upstream_cold_vs_direct", here, there)
    yield Figure.of("upstream_cold_30_packages_s", "s", here)


def emptied() -> None:
    """Have the index keep nothing of public projects: neither NGINX's cache nor what was let through."""
    kept = f"{HOME}/nginx_cache/public_* {HOME}/index/public/*/"
    ask(SERVING, "sh", "-c", f"find {kept} -type f -delete")
    time.sleep(_KNOWN_SECONDS)


def _install(side: Side) -> float:
    """Install 30 projects with what they require, and return the seconds."""
    settings = {"UV_DEFAULT_INDEX": side.index.with_login(side.login, side.simple), "SSL_CERT_FILE": AUTHORITY}
    words = [f"{name}={value}" for name, value in settings.items()]
    words += ["uv", "pip", "install", "--quiet", "--no-cache", "--no-config", "--python", "/usr/bin/python3"]
    command = shlex.join([*words, "--target", _TARGET, *_NAMED])
    whole = f"[ $(ls -d {_TARGET}/*.dist-info | wc -l) -ge {len(_NAMED)} ]"
    return on_host(side, f"env {command}", f"{whole}; rm -r {_TARGET}")
