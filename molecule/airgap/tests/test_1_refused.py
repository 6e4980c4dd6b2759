"""Bundles that are not what they are meant to be: refused before anything on a bare host changes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import hosts, playbook

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


def test_a_bundle_of_which_one_byte_was_altered_is_refused(host: Any, spoilt: Path) -> None:
    place = spoilt.stat().st_size // 2
    with spoilt.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    playbook.says(
        refused(host, pypi_bundle=str(spoilt)),
        f"pypi_bundle: {spoilt} is refused, and nothing was changed: images.tar in it is not what was packed",
        "Make it anew with wheelhouse.pypi.bundle, or copy it again from where it was made",
    )


def test_a_bundle_that_is_cut_off_is_refused(host: Any, spoilt: Path) -> None:
    os.truncate(spoilt, 1_000_000)
    playbook.says(
        refused(host, pypi_bundle=str(spoilt)),
        f"pypi_bundle: {spoilt} is refused, and nothing was changed: it is cut off in packages.tar, after 1000000 bytes",
    )


def test_another_bundle_than_the_one_that_is_meant_is_refused(host: Any, bundle: Path) -> None:
    playbook.says(
        refused(host, pypi_bundle_sha256="0" * 64),
        f"pypi_bundle: {bundle} is refused, and nothing was changed: its SHA-256 is ",
        f"and pypi_bundle_sha256 says {'0' * 64}",
    )


def test_a_bundle_for_another_distribution_is_refused(host: Any, bundle: Path) -> None:
    with hosts.pretending(host, DEBIAN_12, "12.12"):
        message = refused(host)
    playbook.says(
        message,
        f"pypi_bundle: {bundle} is for debian-13 on x86_64, and this host is debian-12 on x86_64. Make one for it",
        "Nothing was changed",
    )


def test_check_mode_with_the_right_sha256_says_what_would_be_installed(host: Any, bundle: Path) -> None:
    with bundle.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with hosts.untouched(host):
        done = playbook.site("--check", "--diff", pypi_hosts=NAME, pypi_bundle_sha256=digest)
    assert "This run would install docker.io, docker-cli, docker-compose (distro)" in done.message(), done.output


def test_a_bundle_is_not_made_on_a_machine_of_another_distribution(host: Any, bundle: Path) -> None:
    before = bundle.stat()
    with hosts.untouched(host):
        message = playbook.refused(
            playbook="wheelhouse.pypi.bundle", pypi_bundle_hosts=NAME, pypi_bundle_distribution="debian-12"
        )
    playbook.says(message, "pypi_bundle_distribution: is debian-12, and this machine is debian-13")
    assert bundle.stat() == before
