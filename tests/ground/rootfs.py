"""Root file systems, made by mmdebstrap from Debian's packages and a recipe's files."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from . import apt, certificates, overlay, python_packages
from .paths import LOGS, WORK
from .recipes import Host, StandIn
from .shell import as_root, proxies, run_logged

_UPDATES = ("stable", "trixie", "bookworm")  # suites that have an archive of security updates
_ENTRY = "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
# They stay in the host images, where they make installing quicker and smaller as well.
_DPKG = ("force-unsafe-io", *(f"path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")))
_APT = ('APT::Install-Recommends "false";', 'Acquire::Languages "none";')
_FORMAT = 1  # of what this module makes of a recipe: raise it to have everything built anew


def sources(suite: str, archive: apt.Archive) -> str:
    """Return the deb822 sources of a suite."""
    entries = [_ENTRY.format(uri=archive.main, suite=suite)]
    if archive.security and suite in _UPDATES:
        entries.append(_ENTRY.format(uri=archive.security, suite=f"{suite}-security"))
    return "\n".join(entries)


def key(recipe: Host | StandIn, archive: apt.Archive, extra: dict[str, bytes]) -> str:
    """Return 12 hex digits that change when the recipe, its files or the machine's settings do."""
    digest = hashlib.sha256()
    facts = [_FORMAT, asdict(recipe), sources(recipe.suite, archive), archive.settings, _DPKG, _APT]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for name, content in sorted({**overlay.recipe_files(recipe.files), **extra}.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def machine_files(recipe: Host | StandIn) -> dict[str, bytes]:
    """Return what hosts inherit from this machine: authorities that re-sign its traffic. Nothing for others."""
    if isinstance(recipe, StandIn):
        return {}
    return {
        f"usr/local/share/ca-certificates/machine-{number}.crt": certificates.pem(body).encode()
        for number, body in enumerate(certificates.machine(), start=1)
    }


def command(recipe: Host | StandIn, archive: apt.Archive, laid: Path, sources_file: Path) -> list[str]:
    """Return the mmdebstrap call that writes the root as a tar to its standard output.

    Stand-ins lose apt's configuration at the end: it names this machine's archive.
    """
    hooks = [f"tar-in {laid} /", f'chroot "$1" sh /{overlay.SETUP}', f'rm "$1/{overlay.SETUP}"']
    if isinstance(recipe, StandIn):
        # mmdebstrap wants to remove its own 00mmdebstrap afterwards.
        hooks.append('find "$1/etc/apt" -type f ! -name 00mmdebstrap -delete')
    return [
        "mmdebstrap",
        "--mode=root",
        "--format=tar",
        f"--variant={'apt' if isinstance(recipe, Host) else 'essential'}",
        f"--include={','.join(recipe.packages)}",
        *(f"--aptopt={line}" for line in (*_APT, *archive.settings)),
        *(f"--dpkgopt={line}" for line in _DPKG),
        *(f"--customize-hook={hook}" for hook in hooks),
        recipe.suite,
        "-",
        str(sources_file),
    ]


def build(recipe: Host | StandIn, archive: apt.Archive, target: Path) -> None:
    """Make the root and write it as a tar; a build that fails leaves no target.

    Raises:
        GroundError: with the end of the log.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{recipe.name}-", dir=WORK))
    try:
        files = {**overlay.recipe_files(recipe.files), **machine_files(recipe)}
        if isinstance(recipe, StandIn) and recipe.python:
            folder = python_packages.install(recipe, work / "python")
            below = f"usr/local/lib/python{recipe.python_version}/dist-packages"
            files.update(overlay.tree_files(folder, below))
        laid, listed, unfinished = work / "overlay.tar", work / f"{recipe.suite}.sources", work / "root.tar"
        overlay.write(files, laid)
        listed.write_text(sources(recipe.suite, archive), encoding="utf-8")
        made = as_root(command(recipe, archive, laid, listed), proxies())
        mend = "Where a download failed: does 'apt-get update' work here?"
        run_logged(made, LOGS / f"{recipe.name}.log", mend, stdout=unfinished)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
