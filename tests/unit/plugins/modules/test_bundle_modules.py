# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is downloaded for a bundle, and how a host unpacks it, with package managers that only say what they would."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import bundle_download, bundle_unpack

Module = Callable[..., dict[str, Any]]

# apt-get as far as the module needs it: a package of a name that apt escapes.
APT_GET = """#!/bin/sh
folder=$(sed -n 's/^Dir::Cache::archives "\\(.*\\)";$/\\1/p' "$APT_CONFIG")
status=$(sed -n 's/^Dir::State::status "\\(.*\\)";$/\\1/p' "$APT_CONFIG")
[ -e "$status" ] && [ ! -s "$status" ] || exit 9
case "$*" in
*update) ;;
*" install docker.io" | *" install docker.io=1:26.1")
    echo content >"$folder/docker.io_1%3a26.1_amd64.deb"; touch "$folder/lock" ;;
*) echo "E: Unable to locate package" >&2; exit 100 ;;
esac
"""
APT_CACHE = """#!/bin/sh
[ -s "$APT_CONFIG" ] || exit 9
echo ' docker.io |     1:27.5 | https://deb.example.com trixie/main amd64 Packages'
echo ' docker.io |     1:26.1 | https://deb.example.com trixie/main amd64 Packages'
"""
DNF = """#!/bin/sh
case "$*" in
*" repoquery "*) echo 'docker-ce|3:26.2.0-1.el9'; echo 'docker-ce|3:26.1.4-1.el9' ;;
*) echo "$*" >&2; exit 9 ;;
esac
"""
CONTROL = "Package: docker.io\nVersion: 1:26.1\nArchitecture: amd64\nDescription: engine\n Package: of lies\n"
DPKG_DEB = f"#!/bin/sh\nprintf '%s' '{CONTROL}'\n"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put programs before those of the machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def add(**texts: str) -> None:
        for name, text in texts.items():
            (folder / name.replace("_", "-")).write_text(text)
            (folder / name.replace("_", "-")).chmod(0o755)

    return add


def download(run_module: Module, path: Path, name: str = "docker.io", **arguments: Any) -> dict[str, Any]:
    settings = {"manager": "apt", "names": [name], "engine": ["docker.io"], "source": "distro", "path": str(path)}
    return run_module(bundle_download, **{**settings, **arguments})


def test_packages_and_their_index_are_in_one_file(
    run_module: Module, programs: Callable[..., None], tmp_path: Path
) -> None:
    programs(apt_get=APT_GET, dpkg_deb=DPKG_DEB)
    done = download(run_module, tmp_path / "packages.tar")
    assert done["ansible_facts"]["pypi_bundle_download"] == {
        "path": str(tmp_path / "packages.tar"),
        "source": "distro",
        "engine": ["docker.io"],
        "packages": {"docker.io": "1:26.1"},
    }
    with tarfile.open(tmp_path / "packages.tar") as archive:
        assert archive.getnames() == ["Packages", "docker.io_amd64.deb"]
        index = archive.extractfile("Packages")
        assert index
        assert index.read().decode() == (
            CONTROL + "Filename: ./docker.io_amd64.deb\nSize: 8\n"
            "SHA256: 434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53\n"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "packages.tar"]


def test_the_engine_is_downloaded_in_the_version_that_is_asked_for(
    run_module: Module, programs: Callable[..., None], tmp_path: Path
) -> None:
    programs(apt_get=APT_GET, apt_cache=APT_CACHE, dpkg_deb=DPKG_DEB, dnf=DNF)
    done = download(run_module, tmp_path / "packages.tar", version="26.1")
    assert done["ansible_facts"]["pypi_bundle_download"]["packages"] == {"docker.io": "1:26.1"}
    failed = download(run_module, tmp_path / "packages.tar", version="26.2")
    assert "pypi_docker_version: the source of docker.io has no version 26.2. It has 27.5, 26.1" in failed["msg"]
    names = ["docker-ce", "containerd.io"]
    tried = download(run_module, tmp_path / "packages.tar", manager="dnf", names=names, version="26.1")
    assert "--exclude=docker-ce-3:26.2.0-1.el9 download" in tried["msg"]


def test_a_download_that_fails_says_what_apt_said_and_leaves_nothing(
    run_module: Module, programs: Callable[..., None], tmp_path: Path
) -> None:
    programs(apt_get=APT_GET, dpkg_deb=DPKG_DEB)
    failed = download(run_module, tmp_path / "packages.tar", "no-such")
    assert failed["msg"] == (
        "cannot download no-such: apt-get ended with code 100 and said:\nE: Unable to locate package"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_check_mode_downloads_nothing(run_module: Module, tmp_path: Path) -> None:
    done = download(run_module, tmp_path / "packages.tar", check=True)
    assert done["changed"]
    assert done["ansible_facts"]["pypi_bundle_download"]["packages"] == {}
    assert not list(tmp_path.iterdir())


def test_a_program_that_is_missing_is_named(
    run_module: Module, programs: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(dnf="#!/bin/sh\n", rpm="#!/bin/sh\n", rpmkeys="#!/bin/sh\n")
    found = bundle_download.AnsibleModule.get_bin_path
    monkeypatch.setattr(
        bundle_download.AnsibleModule,
        "get_bin_path",
        lambda self, name, *rest: None if name == "createrepo_c" else found(self, name, *rest),
    )
    failed = download(run_module, tmp_path / "packages.tar", manager="dnf")
    assert failed["msg"] == "there is no createrepo_c on this machine: install it there"


def test_keys_are_those_that_rpm_knows_and_those_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_download, "RPM_KEYS", str(tmp_path))
    monkeypatch.setattr(bundle_download, "RPM_REPOSITORIES", str(tmp_path))
    (tmp_path / "RPM-GPG-KEY-1").write_text("A comment\n" + KEY.format("one"))
    (tmp_path / "RPM-GPG-KEY-2").write_text("no key")
    known = KEY.format("two") + KEY.format("one")
    assert bundle_download.rpm_keys(known) == [KEY.format("two"), KEY.format("one")]
    assert bundle_download.rpm_keys("package gpg-pubkey is not installed\n") == [KEY.format("one")]


def test_keys_that_repositories_name_are_fetched_where_nobody_can_replace_them() -> None:
    repositories = """
[one]
gpgkey=https://mirror.example.com/KEY-1, file:///etc/pki/rpm-gpg/KEY-2
    https://mirror.example.com/KEY-3
[off]
enabled=0
gpgkey=https://mirror.example.com/KEY-4
[plain]
enabled = 1
gpgkey=http://mirror.example.com/KEY-5 https://mirror.example.com/KEY-$releasever
"""
    assert bundle_download.key_addresses([repositories, "no section"]) == [
        "https://mirror.example.com/KEY-1",
        "https://mirror.example.com/KEY-3",
    ]


# -- on the host -------------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "packages.tar"
    folder = tmp_path / "source"
    for name in ("a.rpm", "key-1.asc", "key-2.asc", "repodata/repomd.xml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    bundle_download.write_archive(str(folder), str(path))
    shutil.rmtree(folder)
    return path


@pytest.mark.parametrize(
    ("manager", "file", "lines"),
    [
        ("apt", "apt.conf", ['Dir::Etc::sourcelist "{}/apt.list";', 'Dir::State::lists "{}/lists";']),
        ("apt", "apt.list", ["deb [trusted=yes] file:{}/content ./"]),
        (
            "dnf",
            "dnf.conf",
            [
                "reposdir={}/none",
                "baseurl=file://{}/content",
                "gpgcheck=1",
                "gpgkey=file://{0}/content/key-1.asc file://{0}/content/key-2.asc",
            ],
        ),
    ],
)
def test_unpacked_packages_are_the_only_repository(
    run_module: Module,
    programs: Callable[..., None],
    packed: Path,
    tmp_path: Path,
    manager: str,
    file: str,
    lines: list[str],
) -> None:
    programs(apt_get='#!/bin/sh\n[ "$*" = "--quiet --error-on=any update" ] && [ -s "$APT_CONFIG" ]\n')
    folder = tmp_path / "packages"
    (folder / "content").mkdir(parents=True)
    (folder / "content" / "left").write_text("by a run that was killed")
    done = run_module(bundle_unpack, src=str(packed), path=str(folder), manager=manager)
    assert done["settings"] == f"{folder}/{manager}.conf"
    assert (folder / "content" / "repodata" / "repomd.xml").read_text() == "repodata/repomd.xml"
    assert not (folder / "content" / "left").exists()
    assert not packed.exists()
    written = (folder / file).read_text().splitlines()
    assert [line for line in lines if line.format(folder) not in written] == []


def test_packages_that_apt_cannot_read_are_an_error_with_what_it_says(
    run_module: Module, programs: Callable[..., None], packed: Path, tmp_path: Path
) -> None:
    programs(apt_get="#!/bin/sh\necho 'E: no index' >&2; exit 100\n")
    failed = run_module(bundle_unpack, src=str(packed), path=str(tmp_path / "packages"), manager="apt")
    assert failed["msg"] == f"{packed} cannot be unpacked: apt-get update said:\nE: no index"
    assert not (tmp_path / "packages").exists()


def test_check_mode_unpacks_nothing(run_module: Module, packed: Path, tmp_path: Path) -> None:
    run_module(bundle_unpack, check=True, src=str(packed), path=str(tmp_path / "packages"), manager="apt")
    assert not (tmp_path / "packages").exists()
    assert packed.exists()


@pytest.mark.parametrize(("name", "kind"), [("../escape", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)])
def test_nothing_is_unpacked_that_leads_out_of_the_folder(
    run_module: Module, tmp_path: Path, name: str, kind: bytes
) -> None:
    with tarfile.open(tmp_path / "packages.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO())
    src, folder = tmp_path / "packages.tar", tmp_path / "packages"
    failed = run_module(bundle_unpack, src=str(src), path=str(folder), manager="apt")
    assert "is neither a file nor a folder below it" in failed["msg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packages.tar"]
