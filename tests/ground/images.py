"""Building what is missing, two at a time, and naming what is there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import apt, archive, capabilities, layers, login, overlay, public_projects, registry, rootfs
from .paths import ARCHIVES, CACHE, LOGS, WORK
from .recipes import BUNDLES, HOSTS, IMAGES, LATER, LAYERS, MACHINES, REPOSITORIES, Bundle, Host, Layer, StandIn
from .shell import GroundError, output, run_logged, say, step

REPOSITORY = "wheelhouse-ground"
# Not an image: the wheels of the stand-in of a public index.
PUBLIC = "public"
_ROOTS = CACHE / "roots"
_OLD_DAYS = 30
_KEPT_SECONDS = 86400.0
_TOOLS = {
    "mmdebstrap": ("/usr/bin/mmdebstrap",),
    "debian-archive-keyring": ("/usr/share/keyrings/debian-archive-keyring.gpg",),
}


def _key(recipe: Host | StandIn, source: apt.Archive) -> str:
    return rootfs.key(recipe, source, rootfs.made_files(recipe, source))


def tag(host: Host | Layer, source: apt.Archive) -> str:
    """Return the name that a host image has, built or not."""
    if isinstance(host, Host):
        return f"{REPOSITORY}/{host.name}:{_key(host, source)}"
    parts = [tag(host.base, source), tag(REPOSITORIES, source), overlay.setup((host.files,)).decode()]
    return f"{REPOSITORY}/{host.name}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def stand_in_archive(bundle: Bundle, source: apt.Archive) -> Path:
    """Return the path that the archive of stand-ins has, built or not."""
    keys = "\n".join(_key(image, source) for image in bundle.images)
    return ARCHIVES / f"{bundle.name}-{hashlib.sha256(keys.encode()).hexdigest()[:12]}.tar"


def environment() -> dict[str, Any]:
    """Return, by name, how tests find and make hosts and archives; nothing is built."""
    given = os.environ.get("GROUND_ENVIRONMENT")
    if given:  # on the controller, whose apt is not this machine's
        found: dict[str, Any] = json.loads(given)
        return found
    source = apt.archive()
    return {
        "GROUND_IMAGES": {name: tag(host, source) for name, host in IMAGES.items()},
        "GROUND_CAPABILITIES": ",".join(capabilities.machine()),
        "GROUND_ARCHIVES": str(ARCHIVES),
        "GROUND_SSH_KEY": str(login.KEY),
    }


def build(names: Sequence[str] = ()) -> None:
    """Build what is missing of the named images and archives, or of all that scenarios use.

    Raises:
        GroundError: on an unknown name, or when something cannot be built.
    """
    known = {entry.name: entry for entry in (*HOSTS, *LAYERS, *LATER, *BUNDLES, *MACHINES)}
    unknown = sorted(set(names) - {*known, PUBLIC})
    if unknown:
        raise GroundError(f"no image is called {', '.join(unknown)}; there are {', '.join([*known, PUBLIC])}")
    with _alone():
        if not names:
            login.ensure()
        if not names or PUBLIC in names:
            public_projects.ensure()
        if list(names) == [PUBLIC]:
            return
        apt.ensure_lists()
        source = apt.archive()
        wanted = with_needs([known[name] for name in names if name != PUBLIC] or [*HOSTS, *LAYERS, *BUNDLES])
        missing = [entry for entry in wanted if not _is_there(entry, source)]
        for entry in wanted:
            if entry not in missing:
                say(f"{entry.name}: there ({_label(entry, source)})")
        if missing:
            _build_all(missing, source)
            _prune(source)
        if REPOSITORIES in wanted:
            layers.publish(tag(REPOSITORIES, source))


def with_needs(wanted: Sequence[Host | Layer | Bundle]) -> list[Host | Layer | Bundle]:
    """Return what is wanted, after what layers are made of and by."""
    needs = [need for entry in wanted if isinstance(entry, Layer) for need in (REPOSITORIES, entry.base)]
    return list({entry.name: entry for entry in [*needs, *wanted]}.values())


def origin(bundle: Bundle) -> str:
    """Say whether a bundle's archive holds official images or stand-ins."""
    if _target(bundle).startswith(_official(bundle)):
        return "the official ones, from the registry"
    return "stand-ins from Debian's and PyPI's packages, as no registry answered"


def _is_there(entry: Host | Layer | Bundle, source: apt.Archive) -> bool:
    if not isinstance(entry, Bundle):
        return output(["docker", "image", "inspect", "--format", "{{.Id}}", tag(entry, source)]) is not None
    current = stand_in_archive(entry, source).name
    return (ARCHIVES / entry.link).exists() and _target(entry).startswith((current, _official(entry)))


def _target(bundle: Bundle) -> str:
    return (ARCHIVES / bundle.link).resolve().name


def _official(bundle: Bundle) -> str:
    return f"{bundle.name}-official-"


def _label(entry: Host | Layer | Bundle, source: apt.Archive) -> str:
    """Return a name and an age: packages in it are as old as that."""
    if not isinstance(entry, Bundle):
        name = tag(entry, source)
        made = output(["docker", "image", "inspect", "--format", "{{.Metadata.LastTagTime.Unix}}", name]) or "0"
        return f"{name}, {age(time.time() - int(made))}"
    return f"{_target(entry)}, {age(time.time() - (ARCHIVES / entry.link).stat().st_mtime)}"


def age(seconds: float) -> str:
    """Say how old something is, and, where it may have missed updates, what to do about it."""
    days = int(seconds // 86400)
    if days < 1:
        return "built today"
    hint = "; 'python3 -m tests.ground clean' has it built anew" if days >= _OLD_DAYS else ""
    return f"built {days} day{'s' if days > 1 else ''} ago{hint}"


def _build_all(missing: Sequence[Host | Layer | Bundle], source: apt.Archive) -> None:
    bundles = [entry for entry in missing if isinstance(entry, Bundle)]
    if bundles and _use_official(bundles):
        bundles = []
    roots: list[Host | StandIn] = [entry for entry in missing if isinstance(entry, Host)]
    roots += [image for bundle in bundles for image in bundle.images if not _root(image, source).exists()]
    if roots:
        apt.ensure(_TOOLS)
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(_build_root, recipe, source) for recipe in roots]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for bundle in bundles:
        _bundle_stand_ins(bundle, source)
    for layer in (entry for entry in missing if isinstance(entry, Layer)):
        with step(f"building {layer.name}"):
            layers.build(layer, tag(layer.base, source), tag(REPOSITORIES, source), tag(layer, source))


def _root(recipe: Host | StandIn, source: apt.Archive) -> Path:
    return _ROOTS / f"{recipe.name}-{_key(recipe, source)}.tar"


def _build_root(recipe: Host | StandIn, source: apt.Archive) -> None:
    with step(f"building {recipe.name}"):
        root = _root(recipe, source)
        rootfs.build(recipe, source, root)
        if isinstance(recipe, Host):
            command = ["docker", "import", "--change", 'CMD ["/lib/systemd/systemd"]', str(root), tag(recipe, source)]
            run_logged(command, LOGS / f"{recipe.name}-import.log", "Is there space left for the engine?")
            root.unlink()


def _bundle_stand_ins(bundle: Bundle, source: apt.Archive) -> None:
    target = stand_in_archive(bundle, source)
    with step(f"{bundle.name}: writing the archive of stand-ins {_names(bundle)}"):
        archive.write([archive.Image(i.reference, i.config, _root(i, source)) for i in bundle.images], target)
        _publish(bundle, target)


def _use_official(bundles: Sequence[Bundle]) -> bool:
    """Make the archives of official images if a registry has all of them, and say which it will be."""
    references = tuple(image.reference for bundle in bundles for image in bundle.images)
    before = {name: registry.identity([name]) for name in references}
    with step(f"asking the registry for {', '.join(references)}") as asking:
        try:
            if not registry.has_all(references):
                asking.result = "no answer; stand-ins are built from Debian's and PyPI's packages"
                return False
            for bundle in bundles:
                names = [image.reference for image in bundle.images]
                target = ARCHIVES / f"{_official(bundle)}{registry.identity(names)[:12]}.tar"
                registry.save(names, target)
                _publish(bundle, target)
            asking.result = "the official images are used"
        finally:
            for name in (name for name, present in before.items() if not present):
                output(["docker", "image", "rm", name])
    return True


def _names(bundle: Bundle) -> str:
    return ", ".join(image.reference for image in bundle.images)


def _publish(bundle: Bundle, target: Path) -> None:
    """Point the bundle's stable name to an archive."""
    link = ARCHIVES / bundle.link
    unfinished = link.with_name(f".{link.name}.link")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target.name)
    unfinished.replace(link)


def _prune(source: apt.Archive) -> None:
    """Remove what earlier recipes left: this checkout's archives and roots, and the engine's images of ours.

    Images younger than a day stay, as another checkout may have its recipes; those of a container always do.
    """
    roots = {_root(image, source) for bundle in BUNDLES for image in bundle.images}
    archives = {ARCHIVES / _target(bundle) for bundle in BUNDLES}
    for path in stale([*_ROOTS.glob("*.tar"), *ARCHIVES.glob("*-*.tar")], {*roots, *archives}):
        path.unlink()
    current = {tag(host, source) for host in (*HOSTS, *LAYERS, *LATER, *MACHINES)}
    for name, made in here().items():
        if name not in current and time.time() - made > _KEPT_SECONDS:
            output(["docker", "image", "rm", name])


def stale(found: Iterable[Path], wanted: Collection[Path]) -> list[Path]:
    """Return the files that are not wanted; links stay."""
    return [path for path in found if path not in wanted and not path.is_symlink()]


def here() -> dict[str, float]:
    """Return the engine's images of ours by name, each with the time when it was made, in seconds since 1970."""
    listed = output(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{REPOSITORY}/*"]) or ""
    asked = ["docker", "image", "inspect", "--format", "{{.Metadata.LastTagTime.Unix}}"]
    return {name: float(output([*asked, name]) or time.time()) for name in listed.split()}


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process build at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds images: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(WORK, ignore_errors=True)
        yield
