"""The official images, where a registry answers."""

from __future__ import annotations

import hashlib
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .paths import LOGS
from .shell import output, run_logged

_ANSWER_SECONDS = 20.0
_PULL_SECONDS = 900.0


def pull(reference: str) -> bool:
    """Pull an image; give up when the registry has not named it within 20 s."""
    process = subprocess.Popen(
        ["docker", "pull", reference], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    with selectors.DefaultSelector() as waiting, process.stdout as stream:
        waiting.register(stream, selectors.EVENT_READ)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while waiting.select(max(0.0, deadline - time.monotonic())):
            if not os.read(stream.fileno(), 65536):  # its end
                return process.wait() == 0
            deadline = time.monotonic() + _PULL_SECONDS
    process.kill()
    process.wait()
    return False


def has_all(references: Sequence[str]) -> bool:
    """Pull all images, or say no; that an image of such a name is here already proves nothing."""
    return all(pull(reference) for reference in references)


def save(references: Sequence[str], target: Path) -> None:
    """Write pulled images into one archive; the target appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    command = ["docker", "save", "--output", str(unfinished), *references]
    run_logged(command, LOGS / "docker-save.log", "Is there space left?")
    unfinished.replace(target)


def identity(references: Sequence[str]) -> str:
    """Return a digest of the ids that images have here; empty when one is missing."""
    ids = [output(["docker", "image", "inspect", "--format", "{{.Id}}", name]) for name in references]
    return hashlib.sha256("\n".join(filter(None, ids)).encode()).hexdigest() if all(ids) else ""
