"""Images made from others, where the imitated repositories can be reached; and what tests may know of these."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from . import overlay
from .paths import ARCHIVES, LOGS, WORK
from .recipes import Layer
from .shell import GroundError, output, run_logged

# As scenarios see them too: see create.yml.
NAMES = ("download.docker.com", "mirror.example.com")
PUBLIC = "repositories"
_LABEL = "wheelhouse-ground"
_SERVER = ["/usr/bin/python3", "/usr/local/lib/ground/serve.py", "/srv/www", "/etc/repositories/tls"]
_ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
_COMMAND = 'CMD ["/lib/systemd/systemd"]'


@contextmanager
def _container(name: str, image: str, *command: str, options: tuple[str, ...] = ()) -> Iterator[str]:
    """Run a container, and remove it at the end."""
    full = f"{_LABEL}-{name}-{os.getpid()}"
    start = ["docker", "run", "--detach", "--label", f"{_LABEL}={name}", "--name", full, *options, image, *command]
    try:
        run_logged(start, LOGS / f"{name}-start.log", "Is the engine well?")
        yield full
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", full], check=False, stdout=subprocess.DEVNULL)


def build(layer: Layer, base: str, repositories: str, tag: str) -> None:
    """Run the layer's script in its base, and keep what comes of it as an image.

    Args:
        layer: the recipe.
        base: name of the image that it begins with.
        repositories: name of the image that serves packages.
        tag: name of the image that is made.

    Raises:
        GroundError: with the end of the log.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    script = WORK / f"{layer.name}.sh"
    script.write_bytes(overlay.setup((layer.files,)))
    with _container(f"{layer.name}-server", repositories, *_SERVER) as server:
        address = output(["docker", "inspect", "--format", _ADDRESS, server])
        hosts = tuple(word for name in NAMES for word in ("--add-host", f"{name}:{address}"))
        with _container(layer.name, base, "sleep", "infinity", options=hosts) as container:
            public = WORK / "public"
            run_logged(["docker", "cp", f"{server}:/srv/public", str(public)], LOGS / f"{layer.name}-copy.log", "")
            for source, target in ((public, "/srv/ground-public"), (script, "/srv/setup.sh")):
                copy = ["docker", "cp", str(source), f"{container}:{target}"]
                run_logged(copy, LOGS / f"{layer.name}-copy.log", "Is there space left for the engine?")
            command = ["docker", "exec", container, "sh", "/srv/setup.sh"]
            run_logged(command, LOGS / f"{layer.name}.log", "Its script is in tests/ground/files.")
            keep = ["docker", "commit", "--change", _COMMAND, container, tag]
            run_logged(keep, LOGS / f"{layer.name}-commit.log", "Is there space left for the engine?")


def publish(repositories: str) -> None:
    """Put what tests may know of the repositories (keys, fingerprints, authority) where hosts see it, too.

    Raises:
        GroundError: when the image cannot be read.
    """
    kept = ARCHIVES / f"{PUBLIC}-{repositories.rpartition(':')[2]}"
    link = ARCHIVES / PUBLIC
    if not kept.is_dir():
        ARCHIVES.mkdir(parents=True, exist_ok=True)
        made = output(["docker", "create", "--label", f"{_LABEL}=public", repositories])
        if not made:
            raise GroundError(f"{repositories}: no container can be made from it")
        try:
            run_logged(["docker", "cp", f"{made}:/srv/public", str(kept)], LOGS / "public.log", "Is there space left?")
        finally:
            output(["docker", "rm", "--volumes", made])
    if not link.is_symlink() or link.readlink().name != kept.name:
        link.unlink(missing_ok=True)
        link.symlink_to(kept.name)
    for old in ARCHIVES.glob(f"{PUBLIC}-*"):
        if old != kept:
            shutil.rmtree(old)
