"""Root file systems, made by mmdebstrap from Debian's packages and a recipe's files."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from . import apt, certificates, overlay, python_packages, workshop
from .paths import LOGS, WORK
from .recipes import Host, StandIn
from .shell import as_root, proxies, run_logged

_UPDATES = ("stable", "trixie", "bookworm")  # suites that have an archive of security updates
_ENTRY = "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
# They stay in the host images, where they make installing quicker and smaller as well.
_DPKG = ("force-unsafe-io", *(f"path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")))
_APT = ('APT::Install-Recommends "false";', 'Acquire::Languages "none";')
# The imitated repositories are on this machine, whatever proxies it has.
_DIRECT = ('Acquire::https::Proxy::download.docker.com "DIRECT";',)
# Whether lists may be old is a matter of this machine's archive; of other archives, hosts are to mind it.
_AGE = {"Acquire::Check-Valid-Until": "Check-Valid-Until", "Acquire::Check-Date": "Check-Date"}
# mmdebstrap wants to remove its own 00mmdebstrap afterwards.
_WITHOUT_SETTINGS = 'find "$1/etc/apt" -type f ! -name 00mmdebstrap -delete'
_WITHOUT_APT = (
    'cd "$1" && rm -rf usr/bin/apt* usr/bin/dpkg* usr/lib/apt etc/dpkg var/lib/apt var/lib/dpkg var/cache/apt'
)
_FORMAT = 1  # of what this module makes of a recipe: raise it to have everything built anew


def sources(suite: str, archive: apt.Archive, fields: str = "") -> str:
    """Return the deb822 sources of a suite, each entry with the given fields at its end."""
    entries = [_ENTRY.format(uri=archive.main, suite=suite) + fields]
    if archive.security and suite in _UPDATES:
        entries.append(_ENTRY.format(uri=archive.security, suite=f"{suite}-security") + fields)
    return "\n".join(entries)


def for_hosts(settings: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Split the machine's settings into fields of its archive's sources, and lines for all archives of a host."""
    fields, lines = "", []
    for line in settings:
        name, _, value = line.rstrip(";").partition(" ")
        if name in _AGE:
            wanted = value.strip('"').lower() in ("true", "yes", "1")
            fields += f"{_AGE[name]}: {'yes' if wanted else 'no'}\n"
        else:
            lines.append(line)
    return fields, (*lines, *_DIRECT)


def _archive_files(recipe: Host | StandIn, archive: apt.Archive) -> tuple[str, tuple[str, ...]]:
    """Return the text of a recipe's sources, and apt's settings."""
    if isinstance(recipe, StandIn):  # it keeps neither
        return sources(recipe.suite, archive), archive.settings
    fields, lines = for_hosts(archive.settings)
    return sources(recipe.suite, archive, fields), lines


def key(recipe: Host | StandIn, archive: apt.Archive, extra: dict[str, bytes]) -> str:
    """Return 12 hex digits that change when the recipe, its files or the machine's settings do."""
    digest = hashlib.sha256()
    facts = [_FORMAT, asdict(recipe), *_archive_files(recipe, archive), _DPKG, _APT]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for name, content in sorted({**overlay.recipe_files(recipe.files), **extra}.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def made_files(recipe: Host | StandIn, archive: apt.Archive) -> dict[str, bytes]:
    """Return what hosts get beside their folders: this machine's authorities, and what makes packages in them."""
    if isinstance(recipe, StandIn):
        return {}
    files = {
        f"usr/local/share/ca-certificates/machine-{number}.crt": certificates.pem(body).encode()
        for number, body in enumerate(certificates.machine(), start=1)
    }
    if recipe.stubs:
        files |= workshop.stubs(recipe.stubs)
    if recipe.docker:
        files |= workshop.docker(recipe.docker, sources("trixie", archive))
    return files


def command(recipe: Host | StandIn, archive: apt.Archive, laid: Path, sources_file: Path) -> list[str]:
    """Return the mmdebstrap call that writes the root as a tar to its standard output.

    Stand-ins lose apt's configuration at the end: it names this machine's archive.
    """
    hooks = [f"tar-in {laid} /", f'chroot "$1" sh /{overlay.SETUP}', f'rm "$1/{overlay.SETUP}"']
    without_apt = isinstance(recipe, Host) and not recipe.keeps_apt
    if without_apt or isinstance(recipe, StandIn):
        hooks.append(_WITHOUT_SETTINGS)
    if without_apt:
        hooks.append(_WITHOUT_APT)
    return [
        "mmdebstrap",
        "--mode=root",
        "--format=tar",
        f"--variant={'apt' if isinstance(recipe, Host) else 'essential'}",
        f"--include={','.join(recipe.packages)}",
        *(["--skip=cleanup/apt"] if without_apt else []),
        *(f"--aptopt={line}" for line in (*_APT, *_archive_files(recipe, archive)[1])),
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
        files = {**overlay.recipe_files(recipe.files), **made_files(recipe, archive)}
        if isinstance(recipe, StandIn) and recipe.python:
            folder = python_packages.install(recipe, work / "python")
            below = f"usr/local/lib/python{recipe.python_version}/dist-packages"
            files.update(overlay.tree_files(folder, below))
        laid, listed, unfinished = work / "overlay.tar", work / f"{recipe.suite}.sources", work / "root.tar"
        overlay.write(files, laid)
        listed.write_text(_archive_files(recipe, archive)[0], encoding="utf-8")
        made = as_root(command(recipe, archive, laid, listed), proxies())
        mend = "Where a download failed: does 'apt-get update' work here?"
        run_logged(made, LOGS / f"{recipe.name}.log", mend, stdout=unfinished)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
