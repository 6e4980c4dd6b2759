# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles: what was packed comes out, and a bundle that is not as it was written is refused whatever byte it is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import bundle
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils.bundle import BundleError, Manifest

MANIFEST = Manifest(
    created="2026-11-22T18:00:00Z",
    distribution="debian-13",
    architecture="x86_64",
    source="distro",
    engine=("docker.io", "docker-compose"),
    packages={"docker.io": "26.1.5", "docker-compose": "2.26.1", "libc6": "2.41-12"},
    images=("nginx:1.30", "pypiserver/pypiserver:v2.4.2"),
)
CONTENT = {bundle.PACKAGES: b"packages" * 100, bundle.IMAGES: b"i" * 512, bundle.COMPOSE: b"compose"}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Pack a bundle of small parts."""

    def make(**changes: Any) -> Path:
        manifest = dataclasses.replace(MANIFEST, **changes)
        parts = {}
        for name in manifest.parts():
            parts[name] = tmp_path / f"source-{name}"
            parts[name].write_bytes(CONTENT[name])
        bundle.pack(tmp_path / "bundle.tar", manifest, parts)
        return tmp_path / "bundle.tar"

    return make


def refusal(path: Path, sha256: str = "") -> str:
    folder = path.parent / "parts"
    with pytest.raises(BundleError) as caught:
        bundle.unpack(path, folder, sha256)
    assert not list(path.parent.glob("parts*")), "something of a refused bundle was left"
    return str(caught.value)


@pytest.mark.parametrize("compose", [False, True])
def test_what_was_packed_comes_out(make: Callable[..., Path], tmp_path: Path, compose: bool) -> None:
    path = make(compose=compose)
    assert bundle.peek(path) == dataclasses.replace(MANIFEST, compose=compose)
    assert bundle.unpack(path, tmp_path / "parts") == bundle.peek(path)
    wanted = {name: CONTENT[name] for name in bundle.peek(path).parts()}
    assert {file.name: file.read_bytes() for file in (tmp_path / "parts").iterdir()} == wanted


def test_pack_tells_size_and_sha256_and_the_same_is_the_same_again(make: Callable[..., Path], tmp_path: Path) -> None:
    first = make().read_bytes()
    parts = {name: tmp_path / f"source-{name}" for name in MANIFEST.parts()}
    packed = bundle.pack(tmp_path / "bundle.tar", MANIFEST, parts)
    assert packed == (hashlib.sha256(first).hexdigest(), len(first))
    assert (tmp_path / "bundle.tar").read_bytes() == first
    bundle.unpack(tmp_path / "bundle.tar", tmp_path / "parts", packed.sha256)


def test_people_can_look_into_a_bundle_with_what_every_system_has(make: Callable[..., Path], tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", make(compose=True)], cwd=tmp_path, check=True)
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert checked.stdout == "bundle.json: OK\npackages.tar: OK\nimages.tar: OK\ndocker-compose: OK\n"


def test_every_byte_counts(make: Callable[..., Path]) -> None:
    path = make(compose=True)
    whole = path.read_bytes()
    # Not all 8,000, which takes a while: every place of a block in some block.
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refusal(path)
    path.write_bytes(whole + b"\0")
    assert "something comes after SHA256SUMS" in refusal(path)


def test_a_bundle_that_is_cut_off_anywhere_is_refused(make: Callable[..., Path]) -> None:
    path = make()
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert "it is cut off in" in refusal(path)


def test_a_part_that_was_altered_is_named(make: Callable[..., Path]) -> None:
    path = make()
    path.write_bytes(path.read_bytes().replace(b"packages" * 100, b"Packages" * 100))
    assert "packages.tar in it is not what was packed: the SHA-256 differs. Make it anew" in refusal(path)


def test_another_bundle_than_the_one_that_is_meant_is_refused(make: Callable[..., Path]) -> None:
    path = make()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    message = refusal(path, "0" * 64)
    assert f"its SHA-256 is {digest}, and pypi_bundle_sha256 says 0000" in message
    # Somebody who knows the format can make its checksums right, and not that one.
    make(created="2026-11-22T18:00:01Z")
    assert "pypi_bundle_sha256 says" in refusal(path, digest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "it is of format 2, and this version of the collection reads format 1. Use the version that"),
        ({"format": "x"}, "what bundle.json in it says cannot be read"),
        ({"colour": "red"}, "what bundle.json in it says is not of format 1"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    text = json.dumps({**json.loads(MANIFEST.text()), **change}).encode()
    path = tmp_path / "bundle.tar"
    path.write_bytes(bundle._header(bundle.MANIFEST, len(text)) + text + bytes(2048))
    assert said in refusal(path)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 5000, bytes(5000)])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(content)
    message = refusal(path)
    assert "it is no bundle" in message or "it is cut off in bundle.json" in message


@pytest.mark.parametrize("name", ["../../escape", "/etc/escape", "packages.tar/../x"])
def test_no_name_leads_out_of_the_folder(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """A bundle whose checksums are right, with a member that is called otherwise."""
    path = make()
    with tarfile.open(path) as archive:
        members = [(member, archive.extractfile(member)) for member in archive]
        texts = [(member.name, stream.read()) for member, stream in members if stream]
    renamed = [(name if old == bundle.PACKAGES else old, text) for old, text in texts if old != bundle.SUMS]
    sums = "".join(f"{hashlib.sha256(text).hexdigest()}  {new}\n" for new, text in renamed).encode()
    data = b"".join(
        bundle._header(new, len(text)) + text + bundle._padding(len(text))
        for new, text in [*renamed, (bundle.SUMS, sums)]
    )
    path.write_bytes(data + bytes(1024))
    assert "it was altered around its member packages.tar" in refusal(path)
    assert not list(tmp_path.rglob("escape"))


def test_a_link_in_place_of_a_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar"
    text = MANIFEST.text()
    link = tarfile.TarInfo(bundle.PACKAGES)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path.write_bytes(
        bundle._header(bundle.MANIFEST, len(text)) + text + bundle._padding(len(text)) + link.tobuf() + bytes(4096)
    )
    assert "it was altered around its member packages.tar" in refusal(path)


def test_a_bundle_that_cannot_be_written_leaves_the_old_one(make: Callable[..., Path], tmp_path: Path) -> None:
    path = make()
    before = path.read_bytes()
    with pytest.raises(FileNotFoundError):
        bundle.pack(path, MANIFEST, {bundle.PACKAGES: tmp_path / "nothing", bundle.IMAGES: tmp_path / "nothing"})
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".bundle*"))


def test_what_a_killed_run_left_is_overwritten(make: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / ".bundle.tar.part").write_bytes(b"x" * 100000)
    bundle.unpack(make(), tmp_path / "parts")
    assert not list(tmp_path.glob(".bundle*"))


def test_a_run_reads_a_bundle_once(make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make()
    first = bundle.unpacked_once(path, "", tmp_path)
    monkeypatch.setattr(bundle, "unpack", lambda *_: pytest.fail("it was read again"))
    assert bundle.unpacked_once(path, "", tmp_path) == first
    assert (first[1] / bundle.IMAGES).read_bytes() == CONTENT[bundle.IMAGES]


def test_a_run_refuses_a_bundle_once(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BundleError, match="it is cut off in its end"):
        bundle.unpacked_once(path, "", tmp_path)
    monkeypatch.setattr(bundle, "unpack", lambda *_: pytest.fail("it was read again"))
    with pytest.raises(BundleError, match="it is cut off in its end"):
        bundle.unpacked_once(path, "", tmp_path)


def test_a_bundle_that_is_not_there_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="it cannot be read where Ansible runs: No such file"):
        bundle.unpacked_once(tmp_path / "none.tar", "", tmp_path)
    with pytest.raises(BundleError, match="it cannot be read where Ansible runs: Is a directory"):
        bundle.unpacked_once(tmp_path, "", tmp_path)
