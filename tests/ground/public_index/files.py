"""Distribution files, real or made up, and what a page says of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def escaped(name: str) -> str:
    """Return a project's name as file names have it."""
    return normalised(name).replace("-", "_")


def project_of(filename: str) -> str:
    """Return the project of a distribution file."""
    stem = filename.split("-")[0] if filename.endswith(".whl") else filename.rsplit("-", 1)[0]
    return normalised(stem)


@dataclass(frozen=True)
class File:
    """A distribution file.

    Attributes:
        filename: its name.
        uploaded: when, in seconds since 1970.
        path: where its bytes are; without one they are made up as often as they are asked for.
        requires: what its made-up metadata require.
        timeless: its page does not say when it was uploaded.
        yanked: why, or None.
        digest: SHA-256, where it is known already.
    """

    filename: str
    uploaded: float
    path: Path | None = None
    requires: tuple[str, ...] = ()
    timeless: bool = False
    yanked: str | None = None

    @property
    def version(self) -> str:
        """The release."""
        if self.filename.endswith(".whl"):
            return self.filename.split("-")[1]
        return self.filename.removesuffix(".tar.gz").rsplit("-", 1)[1]

    @property
    def address(self) -> str:
        """The path on the host of files."""
        digest = hashlib.blake2b(self.filename.encode(), digest_size=32).hexdigest()
        return f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{quote(self.filename, safe='-_.!')}"

    def content(self) -> bytes:
        """Return the bytes of a file that is not large."""
        return self.path.read_bytes() if self.path else made(self.filename, self.requires)


@dataclass(frozen=True)
class Facts:
    """What a page says of a file's bytes."""

    size: int
    digest: str
    metadata: bytes
    requires_python: str


def core_metadata(filename: str, requires: tuple[str, ...]) -> bytes:
    """Return the core metadata of a made-up file."""
    version = File(filename, 0).version
    name = filename.split("-")[0] if filename.endswith(".whl") else filename.rsplit("-", 1)[0]
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.8"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), ""]).encode()


_BACKEND = """import os, zipfile


def build_wheel(folder, settings=None, metadata=None):
    info = "{stem}.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, "{stem}-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("{module}.py", "VERSION = '{version}'\\n")
        wheel.writestr(info + "METADATA", {metadata!r})
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "{stem}-py3-none-any.whl"
"""


def made(filename: str, requires: tuple[str, ...]) -> bytes:
    """Return a made-up file that pip installs, the same ones for the same arguments: a wheel or a source distribution."""
    info = core_metadata(filename, requires)
    version = File(filename, 0).version
    module = escaped(project_of(filename))
    target = io.BytesIO()
    if filename.endswith(".whl"):
        folder = f"{module}-{version}.dist-info"
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in (
                (f"{module}.py", f"VERSION = {version!r}\n".encode()),
                (f"{module}.bin", random.Random(filename).randbytes(1000)),
                (f"{folder}/METADATA", info),
                (
                    f"{folder}/WHEEL",
                    b"Wheel-Version: 1.0\nGenerator: made up\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                ),
                (f"{folder}/RECORD", b""),
            ):
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
        return target.getvalue()
    stem = f"{module}-{version}"
    backend = _BACKEND.format(stem=stem, module=module, version=version, metadata=info.decode())
    with tarfile.open(fileobj=target, mode="w:") as packed:
        for name, content in (
            ("pyproject.toml", b'[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'),
            ("own.py", backend.encode()),
            ("PKG-INFO", info),
        ):
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return gzip.compress(target.getvalue(), 1, mtime=0)


def make_large(target: Path, megabytes: int) -> None:
    """Write a wheel of some size, whose megabytes all differ."""
    block = random.Random(1).randbytes(1024 * 1024 - 8)
    aside = target.with_suffix(".new")
    with zipfile.ZipFile(aside, "w") as archive:
        info = f"{target.name.split('-')[0]}-1.0.dist-info"
        archive.writestr(zipfile.ZipInfo(f"{info}/METADATA", (2020, 1, 1, 0, 0, 0)), core_metadata(target.name, ()))
        tags = "Wheel-Version: 1.0\nGenerator: made up\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(zipfile.ZipInfo(f"{info}/WHEEL", (2020, 1, 1, 0, 0, 0)), tags)
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", (2020, 1, 1, 0, 0, 0)), "")
        with archive.open(zipfile.ZipInfo("big.bin", (2020, 1, 1, 0, 0, 0)), "w", force_zip64=True) as file:
            for number in range(megabytes):
                file.write(number.to_bytes(8, "big") + block)
    aside.replace(target)
