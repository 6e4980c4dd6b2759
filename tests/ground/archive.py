"""Archives for ``docker load``, written without an engine: its images get no name on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Fixed, so that the same roots give the same archive.
_CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Image:
    """One image of an archive: its name, its configuration and its only layer, an uncompressed tar."""

    reference: str
    config: dict[str, Any]
    layer: Path


def sha256(path: Path) -> str:
    """Return a file's digest in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def image_config(config: dict[str, Any], layer_digest: str, machine: str) -> bytes:
    """Return the image's configuration as Docker stores it.

    Args:
        config: entry point, environment and the like.
        layer_digest: the layer's SHA-256 in hex.
        machine: the processor, as ``uname -m`` says it.
    """
    document = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": _CREATED,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": _CREATED, "created_by": "wheelhouse.pypi tests/ground"}],
    }
    return json.dumps(document, sort_keys=True).encode()


def write(images: Sequence[Image], target: Path) -> None:
    """Write the images into one archive in ``docker save``'s format; the target appears whole or not at all."""
    unfinished = target.with_name(f".{target.name}.part")
    manifest: list[dict[str, Any]] = []
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive:
        for image in images:
            digest = sha256(image.layer)
            config = image_config(image.config, digest, platform.machine())
            names = {"Config": f"{hashlib.sha256(config).hexdigest()}.json", "Layers": [f"{digest}/layer.tar"]}
            _add(archive, str(names["Config"]), config)
            with image.layer.open("rb") as layer:
                member = tarfile.TarInfo(f"{digest}/layer.tar")
                member.size = image.layer.stat().st_size
                archive.addfile(member, layer)
            manifest.append({**names, "RepoTags": [image.reference]})
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    unfinished.replace(target)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
