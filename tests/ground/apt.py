"""The machine's apt: installing what is missing, and where its packages come from."""

from __future__ import annotations

import functools
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .paths import LOGS
from .shell import GroundError, as_root, output, proxies, run_logged, step

# What of the machine's apt configuration decides whether an archive can be reached.
_SETTING = re.compile(
    r"^(Acquire::(?:https?|ftp|socks)::\S+|Acquire::(?:Check-Valid-Until|Check-Date|Retries|ForceIPv[46])) (\".+\");$"
)
_PROXY_VARIABLES = {"http_proxy": "Acquire::http::Proxy", "https_proxy": "Acquire::https::Proxy"}
_LOCK_SECONDS = 120
_LOCK = ("-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}")
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Archive:
    """Where Debian's packages come from on this machine.

    Attributes:
        main: URI of the Debian archive.
        security: URI of the archive of security updates; empty when the machine has none.
        settings: lines of apt configuration (proxies, certificates, validity).
    """

    main: str
    security: str
    settings: tuple[str, ...]


def parse_targets(text: str) -> dict[str, str]:
    """Map archive labels to URIs, from lines ``label|URI``; the first of a label wins."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        label, bar, uri = line.partition("|")
        if bar and uri:
            found.setdefault(label, uri.rstrip("/"))
    return found


def parse_settings(text: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of ``apt-config dump`` that matter for downloads, and the environment's proxies."""
    lines = [f"{match[1]} {match[2]};" for match in map(_SETTING.match, text.splitlines()) if match]
    for variable, setting in _PROXY_VARIABLES.items():
        proxy = environment.get(variable) or environment.get(variable.upper())
        if proxy and not any(line.startswith(f"{setting} ") for line in lines):
            lines.append(f'{setting} "{proxy}";')
    return tuple(lines)


def _targets() -> dict[str, str]:
    command = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Identifier: Packages"]
    return parse_targets(output(command) or "")


def archive() -> Archive:
    """Return where this machine gets Debian's packages from, changing nothing.

    Raises:
        GroundError: when apt knows no Debian archive.
    """
    targets = _targets()
    main = os.environ.get("GROUND_DEBIAN_ARCHIVE") or targets.get("Debian")
    if not main:
        raise GroundError(
            "apt knows no Debian archive on this machine. Run 'apt-get update' as root, or name an archive: "
            "GROUND_DEBIAN_ARCHIVE=<URI>"
        )
    settings = parse_settings(output(["apt-config", "dump"]) or "", os.environ)
    return Archive(main, targets.get("Debian-Security", ""), settings)


@functools.cache
def update() -> None:
    """Fetch the lists of packages, once in a run."""
    command = as_root(["apt-get", "-q", "update"], proxies())
    log = LOGS / "apt-update.log"
    with step("apt-get update") as now:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                return run_logged(command, log, "Is the archive reachable?")
            except GroundError:
                # apt itself waits for its other lock alone. A machine that has just booted updates itself.
                if time.monotonic() > deadline or "lists/lock" not in log.read_text(encoding="utf-8", errors="replace"):
                    raise
                now.detail = "waiting for another apt"
                time.sleep(2)


def ensure_lists() -> None:
    """Fetch the lists of packages where there are none, as on a machine that was just made."""
    if not _targets():
        update()


def ensure(packages: Mapping[str, Sequence[str]]) -> None:
    """Install the Debian packages whose marks are missing.

    Args:
        packages: package names, each with the paths that it is good for; one that exists is enough.
    """
    with _one_at_a_time:
        wanted = [name for name, marks in packages.items() if not any(os.path.exists(mark) for mark in marks)]
        if not wanted:
            return
        names = " ".join(wanted)
        if not output(["sh", "-c", "command -v apt-get"]):
            raise GroundError(f"{names}: missing, and there is no apt-get. Install them by other means")
        update()
        install = ["apt-get", "-q", "-y", *_LOCK, "install", "--no-install-recommends", *wanted]
        # Before the step is shown: sudo may have to ask.
        command = as_root(install, {**proxies(), "DEBIAN_FRONTEND": "noninteractive"})
        with step(f"installing {names}"):
            run_logged(command, LOGS / "apt-install.log", f"Install {names} by hand to see more.")
