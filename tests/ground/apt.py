"""The machine's apt: installing what is missing, and where its packages come from."""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .paths import LOGS
from .shell import GroundError, as_root, output, proxies, run_logged, step

# What of the machine's apt configuration decides whether an archive can be reached.
_SETTING = re.compile(
    r"^(Acquire::(?:https?|ftp|socks)::\S+|Acquire::(?:Check-Valid-Until|Check-Date|Retries|ForceIPv[46])) (\".+\");$"
)
_PROXY_VARIABLES = {"http_proxy": "Acquire::http::Proxy", "https_proxy": "Acquire::https::Proxy"}
_LOCK = ("-o", "DPkg::Lock::Timeout=120")
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
    with step("apt-get update"):
        command = as_root(["apt-get", "-q", *_LOCK, "update"], proxies())
        run_logged(command, LOGS / "apt-update.log", "Is the archive reachable?")


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
        command = ["apt-get", "-q", "-y", *_LOCK, "install", "--no-install-recommends", *wanted]
        with step(f"installing {names}"):
            mend = f"Install {names} by hand to see more."
            run_logged(
                as_root(command, {**proxies(), "DEBIAN_FRONTEND": "noninteractive"}), LOGS / "apt-install.log", mend
            )
