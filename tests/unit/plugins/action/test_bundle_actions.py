# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether images fit a bundle, whether a bundle fits a host, and both in real plays."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.wheelhouse.pypi.plugins.action import bundle_check, bundle_pack
from ansible_collections.wheelhouse.pypi.plugins.action.bundle_check import Lacks
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils import bundle

Playbook = Callable[..., subprocess.CompletedProcess[str]]

MANIFEST = bundle.Manifest(
    created="2026-11-22T18:00:00Z",
    distribution="debian-13",
    architecture="x86_64",
    source="docker_ce",
    engine=("docker-ce", "docker-compose-plugin"),
    packages={"docker-ce": "5:28.5.2-1~debian.13~trixie", "docker-compose-plugin": "2.40.3", "libc6": "2.41"},
    images=("nginx:1.30", "pypiserver/pypiserver:v2.4.2"),
)
READY = {
    "distribution": "debian-13", "architecture": "x86_64", "engine": "28.5.2", "compose": "2.40.3", "unfinished": [],
    "source": "docker_ce", "images": list(MANIFEST.images),
}  # fmt: skip
BARE = {**READY, "engine": "", "compose": "", "source": "", "images": []}


@pytest.mark.parametrize(
    ("host", "version", "lacking"),
    [
        ({}, "", Lacks(False, ())),
        ({}, "28.5", Lacks(False, ())),
        ({}, "28.5.1", Lacks(True, ())),
        ({"engine": ""}, "", Lacks(True, ())),
        ({"compose": ""}, "", Lacks(True, ())),
        ({"unfinished": ["docker-ce"]}, "", Lacks(True, ())),
        ({"images": ["nginx:1.30"]}, "", Lacks(False, ("pypiserver/pypiserver:v2.4.2",))),
        (BARE, "", Lacks(True, MANIFEST.images)),
    ],
)
def test_what_a_host_lacks(host: dict[str, Any], version: str, lacking: Lacks) -> None:
    assert bundle_check.lacks({**READY, **host}, MANIFEST.images, version) == lacking


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ("28.5.2", "", True),
        ("28.5.2", "28.5.2", True),
        ("28.5.2", "28.5", True),
        ("28.5.21", "28.5.2", False),
        ("28.50.1", "28.5", False),
        ("26.1.5+dfsg1", "26.1.5", True),
        ("5:28.5.2-1~debian.13~trixie", "28.5.2", True),
        ("", "28.5", False),
    ],
)
def test_versions(found: str, wanted: str, same: bool) -> None:
    assert bundle_check.is_version(found, wanted) == same


@pytest.mark.parametrize(
    ("host", "settings", "said"),
    [
        ({}, {}, ""),
        ({}, {"source": "docker_ce", "version": "28.5"}, ""),
        (
            {"distribution": "debian-12"},
            {},
            "is for debian-13 on x86_64, and this host is debian-12 on x86_64. Make one for it: wheelhouse.pypi.bundle, on",
        ),
        ({"architecture": "aarch64"}, {}, "is for debian-13 on x86_64, and this host is debian-13 on aarch64."),
        ({"distribution": ""}, {}, "this host is of an unknown distribution on x86_64"),
        # It has its packages from somewhere.
        ({**READY, "distribution": "debian-12", "images": []}, {}, ""),
        (
            {},
            {"images": ("nginx:1.32",)},
            "has the images nginx:1.30 and pypiserver/pypiserver:v2.4.2, and this host lacks nginx:1.32. Make one with",
        ),
        (
            {},
            {"source": "distro"},
            "has the engine's packages of docker_ce, and pypi_docker_source is distro. Make one with pypi_docker_source: d",
        ),
        ({"source": "distro"}, {}, "has the engine's packages of docker_ce, and this host's engine is of distro. Make"),
        (
            {},
            {"version": "29.1"},
            "has docker-ce 5:28.5.2-1~debian.13~trixie, and pypi_docker_version is 29.1. Make one with that version, or",
        ),
    ],
)
def test_misfit(host: dict[str, Any], settings: dict[str, Any], said: str) -> None:
    found = {**BARE, **host}
    lacking = bundle_check.lacks(found, settings.get("images", MANIFEST.images), settings.get("version", ""))
    problem = bundle_check.misfit(MANIFEST, found, lacking, settings.get("source", "auto"), settings.get("version", ""))
    assert said in problem
    assert bool(said) == bool(problem)


def save(path: Path, *names: str, architecture: str = "amd64") -> Path:
    """Write what docker save writes, as far as it is looked at."""
    with tarfile.open(path, "w") as archive:
        for name, content in {
            "manifest.json": [{"Config": "config.json", "RepoTags": [name], "Layers": []} for name in names],
            "config.json": {"architecture": architecture},
        }.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("names", "architecture", "said"),
    [
        (MANIFEST.images, "amd64", ""),
        ((*MANIFEST.images, "another:1"), "amd64", ""),
        (("nginx:1.30",), "amd64", "has nginx:1.30 in it, and not pypiserver/pypiserver:v2.4.2"),
        ((), "amd64", "has no image with a name in it, and not nginx:1.30 and pypiserver"),
        (MANIFEST.images, "arm64", "has images of another processor than the hosts' amd64: nginx:1.30 (arm64) and"),
    ],
)
def test_images_of_an_archive(tmp_path: Path, names: tuple[str, ...], architecture: str, said: str) -> None:
    problem = bundle_pack.problem_of(
        bundle_pack.saved_images(save(tmp_path / "images.tar", *names, architecture=architecture)), MANIFEST
    )
    assert said in problem
    assert bool(said) == bool(problem)


@pytest.mark.parametrize("content", [b"", b"no tar", bytes(2048)])
def test_what_docker_save_did_not_write_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.tar").write_bytes(content)
    with pytest.raises(AnsibleActionFail, match="is not what docker save writes, or not all of it"):
        bundle_pack.saved_images(tmp_path / "images.tar")


def test_the_summary_is_for_people() -> None:
    assert bundle_pack.summary(dataclasses.replace(MANIFEST, compose=True)) == [
        "for debian-13 on x86_64",
        "packages (docker_ce): docker-ce 5:28.5.2-1~debian.13~trixie, docker-compose-plugin 2.40.3, and 1 that they "
        "depend on",
        "images: nginx:1.30, pypiserver/pypiserver:v2.4.2",
        "Compose as a plugin of its own",
    ]


PACK = """
- hosts: all
  gather_facts: false
  tasks:
    - wheelhouse.pypi.bundle_pack:
        path: "{{ playbook_dir }}/bundle.tar"
        distribution: debian-13
        architecture: x86_64
        source: distro
        engine: [docker.io]
        packages: {docker.io: "26.1"}
        images: ["nginx:1.30"]
        packages_file: "{{ playbook_dir }}/packages.tar"
        images_file: "{{ playbook_dir }}/images.tar"
      register: packed
    - ansible.builtin.debug: {msg: "sha256={{ packed.sha256 | default('') }}"}
"""
CHECK = """
- hosts: all
  gather_facts: false
  serial: "{{ batch | default('100%') }}"
  vars:
    bare: {distribution: debian-13, architecture: x86_64, engine: "", compose: "", source: "", unfinished: [], images: []}
    ready: {engine: "26.1", compose: "2.26", images: ["nginx:1.30"]}
  tasks:
    - wheelhouse.pypi.bundle_check:
        path: "{{ playbook_dir }}/bundle.tar"
        host: "{{ bare | combine(ready if inventory_hostname == 'ready' else {}) }}"
        images: ["nginx:1.30"]
    - ansible.builtin.debug: {msg: "parts={{ ansible_facts['pypi_bundle_parts'] | length }}"}
    - ansible.builtin.stat: {path: "{{ ansible_facts['pypi_bundle_parts']['images'] }}"}
      register: images
      when: inventory_hostname != 'ready'
    - ansible.builtin.debug: {msg: "inode={{ images.stat.inode | default(0) }}"}
"""


def test_a_bundle_is_made_and_judged_once_for_all_hosts_that_lack_something(playbook: Playbook, tmp_path: Path) -> None:
    (tmp_path / "packages.tar").write_bytes(b"packages")
    save(tmp_path / "images.tar", "nginx:1.30")
    checked = playbook(PACK, "--check")
    assert checked.returncode == 0, checked.stdout
    assert not (tmp_path / "bundle.tar").exists()
    made = playbook(PACK)
    assert made.returncode == 0, made.stdout
    digest = subprocess.run(["sha256sum", tmp_path / "bundle.tar"], capture_output=True, text=True, check=True).stdout
    assert f"sha256={digest[:64]}" in made.stdout

    done = playbook(CHECK, "--extra-vars", "batch=2", hosts="one,two,ready,three,")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("parts=4") == 3
    assert done.stdout.count("parts=0") == 1
    inodes = {line for line in done.stdout.splitlines() if "inode=" in line}
    # One copy for three hosts, and none for the one that lacks nothing.
    assert len(inodes) == 2, done.stdout
    assert not list((tmp_path / "tmp").glob("ansible-local-*")), "the copy outlived the run"

    # Whoever lacks nothing does not even look.
    (tmp_path / "bundle.tar").write_bytes(b"altered")
    assert playbook(CHECK, hosts="ready,").returncode == 0
    refused = playbook(CHECK, hosts="one,two,")
    assert refused.returncode != 0
    assert "bundle.tar is refused, and nothing was changed: it is cut off in bundle.json" in refused.stdout
    assert {"fatal: [one]: FAILED!", "fatal: [two]: FAILED!"} <= {
        line.split(" =>")[0] for line in refused.stdout.splitlines()
    }
