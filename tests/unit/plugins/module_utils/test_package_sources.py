# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of apt and dnf, and what the two say when something is wrong."""

from __future__ import annotations

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import package_sources as sources

DEBIAN = "https://download.docker.com/linux/debian"
MIRROR = "https://mirror.example.com/docker/linux/debian"
LIST = "/etc/apt/sources.list.d/docker.list"
OTHER = "/etc/apt/sources.list.d/other.sources"
REPO = "/etc/yum.repos.d/docker-ce.repo"

BY_HAND = f"deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.gpg] {DEBIAN} trixie stable\n"
MAIN_AND_DOCKER = f"""deb http://deb.debian.org/debian trixie main
# deb {DEBIAN} trixie stable
deb {DEBIAN} trixie stable
"""
STANZAS = f"""# a comment
Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie

Types: deb
URIs: {DEBIAN}/
Suites: trixie
Components: stable
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDME
"""
SWITCHED_OFF = f"Enabled: no\nTypes: deb\nURIs: {DEBIAN}\nSuites: trixie\n"
FROM_THE_DOCUMENTATION = """[docker-ce-stable]
name=Docker CE Stable - $basearch
baseurl=https://download.docker.com/linux/centos/$releasever/$basearch/stable
enabled=1
gpgcheck=1
gpgkey=https://download.docker.com/linux/centos/gpg

[docker-ce-test]
name=Docker CE Test - $basearch
baseurl=https://download.docker.com/linux/centos/$releasever/$basearch/test
enabled=0
"""
MAIN_ONLY = MAIN_AND_DOCKER[: MAIN_AND_DOCKER.rindex("deb ")]
TEST_ONLY = FROM_THE_DOCUMENTATION[FROM_THE_DOCUMENTATION.index("[docker-ce-test]") :]


@pytest.mark.parametrize(
    ("path", "text", "rest"),
    [
        pytest.param(LIST, BY_HAND, "", id="a list of its own"),
        pytest.param(LIST, f"# Docker\n{BY_HAND}", "", id="nothing but a comment stays"),
        pytest.param(LIST, f"  deb-src {DEBIAN} trixie stable\n", "", id="sources"),
        pytest.param("/etc/apt/sources.list", MAIN_AND_DOCKER, MAIN_ONLY, id="among others"),
        pytest.param(OTHER, STANZAS, STANZAS[: STANZAS.index("Types: deb\nURIs: https")], id="a stanza"),
        pytest.param(REPO, FROM_THE_DOCUMENTATION, TEST_ONLY, id="section"),
        pytest.param(LIST, "deb https://apt.dockerproject.org/repo debian-jessie main\n", "", id="a predecessor"),
        pytest.param(LIST, BY_HAND.replace("https", "http"), "", id="without TLS"),
    ],
)  # fmt: skip
def test_the_same_repository_in_another_file_is_found_and_taken_out(path: str, text: str, rest: str) -> None:
    (found,) = sources.entries_left({path: text}, DEBIAN, sources.APT_ENTRY)
    assert found.file == path
    assert found.blocks
    assert found.what.startswith(f"{path} names the same repository")
    assert found.rest.decode() == rest


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(LIST, f"# {BY_HAND}", id="commented out"),
        pytest.param(OTHER, SWITCHED_OFF, id="switched off"),
        pytest.param(OTHER, "".join(f"# {line}\n" for line in STANZAS.splitlines()), id="a comment"),
        pytest.param(REPO, FROM_THE_DOCUMENTATION.replace("enabled=1", "enabled=0"), id="section switched off"),
        pytest.param("/etc/apt/sources.list", "deb cdrom:[Debian 13]/ trixie main\n", id="a disc"),
        pytest.param(LIST, "deb https://download.docker.com.example.com/linux/debian trixie stable\n", id="another server"),
        pytest.param(OTHER, "", id="empty"),
        pytest.param(sources.APT_ENTRY, f"Types: deb\nURIs: {DEBIAN}\nSuites: trixie\n", id="our own path"),
    ],
)  # fmt: skip
def test_what_is_no_leftover(path: str, text: str) -> None:
    assert sources.entries_left({path: text}, DEBIAN, sources.APT_ENTRY) == []


def test_a_mirror_and_dockers_own_are_the_same() -> None:
    files = {LIST: BY_HAND, OTHER: f"Types: deb\nURIs: {MIRROR}\nSuites: trixie\n"}
    assert len(sources.entries_left(files, f"{MIRROR}", sources.APT_ENTRY)) == 2
    assert [one.file for one in sources.entries_left(files, DEBIAN, sources.APT_ENTRY)] == [LIST]


def test_the_key_of_another_entry_is_named() -> None:
    (found,) = sources.entries_left({LIST: BY_HAND}, DEBIAN, sources.APT_ENTRY)
    assert "with the key /etc/apt/keyrings/docker.gpg" in found.what


def test_our_file_with_entries_of_somebody_else_is_not_overwritten_unasked() -> None:
    (found,) = sources.entries_left({sources.APT_ENTRY: STANZAS}, DEBIAN, sources.APT_ENTRY)
    assert "names http://deb.debian.org/debian as well" in found.what


@pytest.mark.parametrize(
    "text", [BY_HAND, MAIN_AND_DOCKER, STANZAS, SWITCHED_OFF, FROM_THE_DOCUMENTATION, "", "\n\n a\n"]
)
@pytest.mark.parametrize("path", [LIST, OTHER, REPO])
def test_the_parts_of_a_file_are_the_file(path: str, text: str) -> None:
    assert "".join(part.text for part in sources.parts(path, text)) == text


def test_everything_in_the_way_is_named_in_one_message_with_the_mend() -> None:
    left = sources.entries_left({LIST: BY_HAND}, DEBIAN, sources.APT_ENTRY) + sources.packages_left(["podman-docker"])
    said = sources.message(left, "docker_ce")
    for part in (LIST, "the package podman-docker", "pypi_docker_replace: true", "Nothing has been changed"):
        assert part in said


def test_the_repository_in_apts_words() -> None:
    files = sources.apt_files(sources.Repository(DEBIAN, "trixie", "KEY\n", architecture="amd64"))
    assert files[sources.APT_ENTRY].splitlines()[1:] == [
        "Types: deb", f"URIs: {DEBIAN}", "Suites: trixie", "Components: stable", "Architectures: amd64",
        f"Signed-By: {sources.APT_KEY}",
    ]  # fmt: skip
    assert files[sources.APT_KEY] == "KEY\n"
    # Neither is to be, and is removed where an earlier run made it.
    assert files[sources.APT_ACCESS] == files[sources.APT_CA] == ""


def test_a_proxy_and_an_authority_count_for_the_repositorys_server_alone() -> None:
    repository = sources.Repository(f"{MIRROR}", "trixie", "KEY\n", proxy="http://proxy.example.com:3128", ca="PEM\n")
    assert sources.apt_files(repository)[sources.APT_ACCESS].splitlines()[1:] == [
        'Acquire::https::Proxy::mirror.example.com "http://proxy.example.com:3128";',
        f'Acquire::https::mirror.example.com::CaInfo "{sources.APT_CA}";',
    ]
    entry = sources.dnf_files(repository)[sources.DNF_ENTRY].splitlines()
    assert "proxy=http://proxy.example.com:3128" in entry
    assert f"sslcacert={sources.DNF_CA}" in entry


def test_the_repository_in_dnfs_words() -> None:
    url = "https://download.docker.com/linux/centos"
    files = sources.dnf_files(sources.Repository(url, "9", "KEY\n"))
    assert files[sources.DNF_ENTRY].splitlines()[1:] == [
        "[docker-ce-stable]", "name=Docker CE Stable", f"baseurl={url}/9/$basearch/stable", "enabled=1", "gpgcheck=1",
        f"gpgkey=file://{sources.DNF_KEY}",
    ]  # fmt: skip
    assert files[sources.DNF_CA] == ""


# As Debian 13's apt 3.0, Debian 12's 2.6, dnf 4.14 and Python say it.
@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (
            "W: OpenPGP signature verification failed: https://h/ trixie InRelease: Sub-process /usr/bin/sqv returned an "
            "error code (1), error message is: Missing key F148098BDAC8182FAF8A21A1E4F6EC6B2016C8F8, which is needed to "
            "verify signature.\nE: The repository 'https://h/ trixie InRelease' is not signed.",
            "signed by another key than ABCD",
        ),
        (
            "W: GPG error: https://h bookworm InRelease: The following signatures couldn't be verified because the public "
            "key is not available: NO_PUBKEY E4F6EC6B2016C8F8\nE: The repository 'https://h bookworm InRelease' is not signed.",
            "signed by another key than ABCD",
        ),
        ("Public key for docker-ce-26.1.5-1.el9.x86_64.rpm is not installed\nError: GPG check FAILED", "another key"),
        (
            'The GPG keys listed for the "Docker CE Stable" repository are already installed but they are not correct for '
            "this package.\nError: GPG check FAILED",
            "another key",
        ),
        ("E: The repository 'https://h trixie Release' is not signed.", "not signed"),
        ("Package docker-ce-cli-26.1.5-1.el9.x86_64.rpm is not signed\nError: GPG check FAILED", "not signed"),
        ("E: Failed to fetch https://h/docker-ce-cli_26_amd64.deb  Hash Sum mismatch", "altered after it was signed"),
        ("Problem opening package docker-ce-cli-26.2.0-1.el9.x86_64.rpm\nError: GPG check FAILED", "altered after"),
        ("[MIRROR] docker-ce.rpm: Downloading successful, but checksum doesn't match.", "altered after it was signed"),
        ("E: Release file for https://h/InRelease is expired (invalid since 1d). Updates are not applied.", "has expired"),
        ("E: Release file for https://h/InRelease is not valid yet (invalid for another 1h).", "from the future"),
        ("Err:1 https://h trixie Release\n  404  Not Found [IP: 192.0.2.1 443]", "there is nothing"),
        (" - Status code: 404 for https://h/repodata/repomd.xml (IP: 192.0.2.1)", "there is nothing"),
        ("HTTP Error 404: File not found", "there is nothing"),
        ("W: Failed to fetch https://h/InRelease  Could not resolve 'h'", "cannot be reached"),
        ("  Could not connect to h:443 (192.0.2.1). - connect (111: Connection refused)", "cannot be reached"),
        ("Error: Failed to download metadata for repo 'docker-ce-stable': Cannot download repomd.xml", "cannot be reached"),
        ("<urlopen error [Errno 111] Connection refused>", "cannot be reached"),
        ("<urlopen error [Errno -2] Name or service not known>", "cannot be reached"),
        ("The read operation timed out", "cannot be reached"),
        (" - Curl error (60): SSL peer certificate or SSH remote key was not OK", "does not trust the server's certificate"),
        ("Certificate verification failed: The certificate is NOT trusted.", "does not trust the server's certificate"),
        ("E: Conflicting values set for option Signed-By regarding source https://h trixie", "another entry names the same"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)", "another installation holds"),
        ("E: Version '5:9.9*' for 'docker-ce' was not found", "it has no 5:9.9*"),
        ("E: Unable to locate package docker-ce", "it has no docker-ce"),
        ("No match for argument: docker-ce-9.9\nError: Unable to find a match: docker-ce-9.9", "it has no docker-ce-9.9"),
        ("No match for argument: kernel-modules-extra-6.12.0-1.el10.x86_64", "belongs to the kernel that runs"),
        ("Setting up ca-certificates\ndpkg: error processing package docker-ce (--configure)", "something went wrong"),
    ],
)  # fmt: skip
def test_an_error_is_explained(output: str, cause: str) -> None:
    said, mend = sources.explain(output, "ABCD")
    assert cause in said
    assert mend


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("Error: Failed to download metadata for repo 'baseos': Cannot download repomd.xml", "baseos"),
        ("Error: Failed to download metadata for repo 'docker-ce-stable': Cannot download repomd.xml", ""),
        ("E: Failed to fetch http://deb.debian.org/x.deb  404  Not Found", "http://deb.debian.org/x.deb"),
        (f"E: Failed to fetch {DEBIAN}/x.deb  Hash Sum mismatch", ""),
        (f"E: Failed to fetch http://deb.debian.org/x.deb  404\nE: Failed to fetch {DEBIAN}/x.deb  404", ""),
        ("E: something else", ""),
    ],
)
def test_errors_of_the_hosts_own_repositories_are_told_from_dockers(output: str, name: str) -> None:
    assert sources.elsewhere(output, DEBIAN) == name


def test_last_words_are_the_errors_and_warnings_and_else_the_end() -> None:
    assert sources.last_words("Get:1 https://h\nW: odd\nE: bad\nE: bad\n") == "W: odd\nE: bad"
    assert sources.last_words("one\n\ntwo\n", 1) == "two"
