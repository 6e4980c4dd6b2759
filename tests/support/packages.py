"""Small distribution files, made without a build backend, so that a test can have hundreds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

_EPOCH = (2020, 1, 1, 0, 0, 0)
# A build backend that says what the release is called and what it requires; nothing of it is installed.
_BACKEND = """import os, zipfile


def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(os.path.join(folder, "{stem}.dist-info"))
    with open(os.path.join(folder, "{stem}.dist-info", "METADATA"), "w") as file:
        file.write({metadata!r})
    return "{stem}.dist-info"


def build_wheel(folder, settings=None, metadata=None):
    info = "{stem}.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, "{stem}-py3-none-any.whl"), "w") as wheel:
        wheel.writestr(info + "METADATA", {metadata!r})
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "{stem}-py3-none-any.whl"
"""


def escaped(name: str) -> str:
    """Return a project's name as distribution files spell it."""
    return re.sub(r"[-_.]+", "_", name).lower()


def metadata(name: str, version: str, more: str = "") -> bytes:
    """Return the core metadata of a release; ``more`` are further headers, each with its end of line."""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: A test\n{more}".encode()


def wheel(
    folder: Path, name: str, version: str = "1.0", padding: bytes = b"", more: str = "", command: str = ""
) -> Path:
    """Write a wheel that pip and uv accept, holding one module and, if wanted, a large file.

    Args:
        folder: where to write it.
        name: the project, in any spelling.
        version: the release.
        padding: content of a data file beside the module; stored, not compressed.
        more: further headers of its core metadata, such as what it requires; each with its end of line.
        command: name of a program that it installs.
    """
    module = escaped(name)
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": f"NAME = {name!r}\nVERSION = {version!r}\n".encode(),
        f"{info}/METADATA": metadata(name, version, more),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if command:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{command} = builtins:print\n".encode()
    if padding:
        files[f"{module}/padding.bin"] = padding
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    target = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), data)
    return target


def sdist(folder: Path, name: str, version: str = "1.0", more: str = "", suffix: str = ".tar.gz") -> Path:
    """Write a source distribution that is its own build backend, so that pip reads and builds it without any other package.

    Args:
        folder: where to write it.
        name: the project, in any spelling.
        version: the release.
        more: further headers of its core metadata, each with its end of line.
        suffix: of the file: .tar.gz, .tgz, .tar.bz2, .tar.xz or .zip.
    """
    stem = f"{escaped(name)}-{version}"
    target = folder / f"{stem}{suffix}"
    info = metadata(name, version, more)
    files = {
        f"{stem}/pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
        f"{stem}/own.py": _BACKEND.format(stem=stem, metadata=info.decode()).encode(),
        f"{stem}/PKG-INFO": info,
    }
    if suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path, data in files.items():
                archive.writestr(zipfile.ZipInfo(path, _EPOCH), data)
        return target
    mode: Any = "w:" + {"tgz": "gz"}.get(suffix.rpartition(".")[2], suffix.rpartition(".")[2])
    with tarfile.open(target, mode) as packed:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return target


def file(name: str, content: bytes = b"", release: tuple[str, str] | None = None, more: str = "") -> bytes:
    """Return a distribution file of this name as bytes: the same for the same arguments.

    Args:
        name: the file's name, whose suffix says what it is.
        content: of a file inside; what makes one differ from another.
        release: project and version of its metadata; those of the name where it is left out.
        more: further headers of its metadata, each with its end of line.
    """
    suffix = next(
        one for one in (".whl", ".egg", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz") if name.endswith(one)
    )
    stem = name.removesuffix(suffix)
    parts = stem.split("-") if suffix in (".whl", ".egg") else stem.rsplit("-", 1)
    project, version = release or (parts[0], parts[1])
    info = metadata(project, version, more)
    if suffix == ".whl":
        folder = f"{escaped(project)}-{version.replace('-', '_')}.dist-info"
        files = {f"{folder}/METADATA": info, f"{folder}/WHEEL": b"Wheel-Version: 1.0\n", f"{folder}/RECORD": b""}
        files[f"{parts[0]}.bin"] = content
    else:
        files = {"EGG-INFO/PKG-INFO" if suffix == ".egg" else f"{stem}/PKG-INFO": info, f"{stem}/content.bin": content}
    target = io.BytesIO()
    if suffix in (".whl", ".egg", ".zip"):
        with zipfile.ZipFile(target, "w") as archive:
            for path, data in files.items():
                archive.writestr(zipfile.ZipInfo(path, _EPOCH), data)
        return target.getvalue()
    mode = {".tar.bz2": "bz2", ".tar.xz": "xz"}.get(suffix, "")
    with tarfile.open(fileobj=target, mode=f"w:{mode}") as archive:  # type: ignore[call-overload]
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    # tarfile would write the time of day into the archive.
    return target.getvalue() if mode else gzip.compress(target.getvalue(), 1, mtime=0)


def on_host(host: Any, home: str) -> str:
    """Return name and checksum of every file below an index's packages/."""
    return str(host.check_output(f"cd {home}/packages && find . -type f -print0 | sort -z | xargs -0 sha256sum"))


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
