"""Bundles that are not what they are meant to be: refused before anything on a bare host changes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import hosts, playbook
from tests.support.long import only_long

NAME = "pypi-airgap-connected"
testinfra_hosts = [f"ansible://{NAME}"]

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


@pytest.fixture(scope="module")
def bundle(variables: Mapping[str, Any]) -> Path:
    return Path(variables["pypi_bundle"])


@pytest.fixture(scope="module")
def spoilt(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, for what may happen to one on its way."""
    return Path(shutil.copy(bundle, tmp_path_factory.mktemp("bundle")))


def refused(host: Any, **variables: Any) -> str:
    with hosts.untouched(host):
        return playbook.refused(pypi_hosts=NAME, **variables)


def test_a_bundle_with_an_altered_byte_is_refused(host: Any, spoilt: Path) -> None:
    place = spoilt.stat().st_size // 2
    with spoilt.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    playbook.says(
        refused(host, pypi_bundle=str(spoilt)),
        f"pypi_bundle: {spoilt} is refused, and nothing was changed. It is truncated, altered, or not a bundle:",
        "SHA256SUMS does not agree with images.tar. Copy it again from where it was made",
    )


# From large to small: the file is cut each time.
@only_long
@pytest.mark.parametrize("size", [200_000_000, 0])
def test_a_truncated_bundle_is_refused(host: Any, spoilt: Path, size: int) -> None:
    os.truncate(spoilt, size)
    playbook.says(
        refused(host, pypi_bundle=str(spoilt)),
        f"pypi_bundle: {spoilt} is refused, and nothing was changed. It is truncated, altered, or not a bundle: tar: ",
    )


def test_a_bundle_that_is_missing_is_refused(host: Any, tmp_path: Path) -> None:
    missing = tmp_path / "bundle.tar"
    playbook.says(
        refused(host, pypi_bundle=str(missing)),
        f"pypi_bundle: {missing} is refused, and nothing was changed.",
        "No such file or directory",
    )


def foreign(bundle: Path, target: Path, **content: Any) -> Path:
    """Write a small bundle that is whole, and says of itself what the true one does, but for these."""
    with tarfile.open(bundle) as archive:
        stream = archive.extractfile("bundle.json")
        assert stream
        described = json.dumps({**json.load(stream), **content}).encode()
    parts = {"bundle.json": described, "packages/none.deb": b"none", "images.tar": b"none"}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in parts.items())
    with tarfile.open(target, "w") as archive:
        for name, data in {**parts, "SHA256SUMS": sums.encode()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target


@only_long
def test_a_bundle_for_other_hosts_is_refused(host: Any, bundle: Path, tmp_path: Path) -> None:
    with hosts.pretending(host, DEBIAN_12, "12.12"):
        message = refused(host)
    playbook.says(
        message,
        f"pypi_bundle: {bundle} is for debian-13 on x86_64, and this host is debian-12 on x86_64. Nothing was changed",
        "Make a bundle for it with wheelhouse.pypi.bundle on a machine like this host",
    )
    arm = foreign(bundle, tmp_path / "arm.tar", architecture="aarch64")
    playbook.says(
        refused(host, pypi_bundle=str(arm)),
        f"pypi_bundle: {arm} is for debian-13 on aarch64, and this host is debian-13 on x86_64",
    )


@only_long
def test_a_bundle_without_the_images_or_the_source_of_the_host_is_refused(host: Any, bundle: Path) -> None:
    playbook.says(
        refused(host, pypi_image_nginx="nginx:9.9"),
        f"pypi_bundle: {bundle} has the images pypiserver/pypiserver:v2.4.2 and nginx:1.30, and this host lacks",
        "nginx:9.9. Nothing was changed. Make a bundle with these",
    )
    playbook.says(
        refused(host, pypi_docker_source="docker_ce"),
        f"pypi_bundle: {bundle} has Docker's packages from distro, and pypi_docker_source is docker_ce",
    )


def test_check_mode_says_what_would_be_installed(host: Any) -> None:
    with hosts.untouched(host):
        done = playbook.site("--check", "--diff", pypi_hosts=NAME)
    assert "This run would install docker.io, docker-cli, docker-compose" in done.message(), done.output


@only_long
def test_no_bundle_is_made_of_an_archive_without_the_images(host: Any, bundle: Path) -> None:
    before = bundle.stat()
    making = {"playbook": "wheelhouse.pypi.bundle", "pypi_bundle_hosts": NAME, "pypi_image_nginx": "nginx:9.9"}
    message = playbook.refused(**making)
    playbook.says(message, "has the images", "and not nginx:9.9")
    assert bundle.stat() == before
    assert not host.file("/var/cache/wheelhouse.pypi-bundle").exists
