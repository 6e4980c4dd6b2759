# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages of the engine change for a version, and what the package managers say of them."""

from __future__ import annotations

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine_packages import (
    VersionError,
    engine_of,
    fits,
    lock_names,
    locked,
    madison,
    plan,
    repoquery,
    upstream,
)


def ce(version: str) -> str:
    return f"5:{version}-1~debian.13~trixie"


SOURCE = [ce(version) for version in ("28.5.2", "28.5.1", "27.5.1", "26.1.4")]
AVAILABLE = dict.fromkeys(("docker-ce", "docker-ce-cli", "docker-ce-rootless-extras"), SOURCE)


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("5:26.1.5-1~debian.13~trixie", "26.1.5"),
        ("26.1.5+dfsg1-9+b9", "26.1.5"),
        ("3:28.5.2-1.el9", "28.5.2"),
        ("27.5.1-0ubuntu3~24.04.2", "27.5.1"),
        ("20.10.24+dfsg1-1+deb12u1", "20.10.24"),
        ("", ""),
    ],
)
def test_the_engines_own_version(version: str, found: str) -> None:
    assert upstream(version) == found


@pytest.mark.parametrize(
    ("wanted", "yes"), [("28.5.2", True), ("28.5", True), ("28.5.20", False), ("28.50", False), ("8.5", False)]
)
def test_what_fits(wanted: str, yes: bool) -> None:
    assert fits("5:28.5.2-1~debian.13~trixie", wanted) is yes


@pytest.mark.parametrize(
    ("installed", "wanted", "install", "changes", "words"),
    [
        pytest.param({"docker-ce": "28.5.1", "docker-ce-cli": "28.5.1"}, "28.5", (), {}, "28.5.1 28.5.1", id="fits"),
        pytest.param(
            {"docker-ce": "28.5.1", "docker-ce-cli": "28.5.1"}, "28.5.2", (),
            {"docker-ce": "28.5.2", "docker-ce-cli": "28.5.2"}, "28.5.1 28.5.2", id="all move together",
        ),
        pytest.param(
            {"docker-ce": "27.5.1", "docker-ce-cli": "27.5.1", "docker-ce-rootless-extras": "27.5.1"}, "26.1", (),
            {"docker-ce": "26.1.4", "docker-ce-cli": "26.1.4", "docker-ce-rootless-extras": "26.1.4"}, "27.5.1 26.1.4",
            id="down",
        ),
        pytest.param({"docker-ce": "27.5.1"}, "28", (), {"docker-ce": "28.5.2"}, "27.5.1 28.5.2", id="the newest that fits"),
        pytest.param(
            {"docker-ce": "28.5.2", "docker-ce-cli": "28.5.1"}, "28.5", (),
            {"docker-ce-cli": "28.5.2"}, "28.5.2 28.5.2", id="one was left behind",
        ),
        pytest.param(
            {}, "27.5", ("docker-ce", "docker-ce-cli", "containerd.io"),
            {"docker-ce": "27.5.1", "docker-ce-cli": "27.5.1"}, " 27.5.1", id="first installation",
        ),
    ],
)  # fmt: skip
def test_plan(
    installed: dict[str, str], wanted: str, install: tuple[str, ...], changes: dict[str, str], words: str
) -> None:
    found = plan({name: ce(version) for name, version in installed.items()}, AVAILABLE, wanted, install)
    assert found.install == {name: ce(version) for name, version in changes.items()}
    assert f"{found.before} {found.after}" == words
    assert not found.left


def test_what_kind_of_change_it_is() -> None:
    there = {"docker-ce": ce("28.5.1")}
    up, down, new = (
        plan(there if old else {}, AVAILABLE, to, ["docker-ce"]) for old, to in ((1, "28.5.2"), (1, "27.5"), (0, "27"))
    )
    assert [(one.verb(), one.is_patch()) for one in (up, down, new)] == [
        ("upgraded", True), ("downgraded", False), ("installed", False),
    ]  # fmt: skip


def test_a_version_that_the_source_does_not_have_is_an_error_that_lists_what_it_has() -> None:
    with pytest.raises(VersionError) as error:
        plan({"docker-ce": ce("28.5.1")}, AVAILABLE, "28.6")
    assert str(error.value) == (
        "pypi_docker_version: the source of docker-ce has no version 28.6. It has 28.5.2, 28.5.1, 27.5.1, 26.1.4. "
        "Name one of these"
    )
    with pytest.raises(VersionError, match="It has none at all: is its repository set up"):
        plan({"docker-ce": ce("28.5.1")}, {}, "28.6")


def test_a_package_without_that_version_is_left_and_named() -> None:
    found = plan(
        {"docker.io": "26.1.4+dfsg1-1", "docker-cli": "26.1.4+dfsg1-1"}, {"docker.io": ["26.1.5+dfsg1-9"]}, "26.1.5"
    )
    assert found.install == {"docker.io": "26.1.5+dfsg1-9"}
    assert found.left == ["docker-cli"]


def test_the_engine_among_packages() -> None:
    assert engine_of({"docker.io": "1"}, ["docker-ce"]) == "docker.io"
    assert engine_of({}, ["containerd.io", "docker-ce"]) == "docker-ce"
    assert engine_of({"runc": "1"}) == ""


def test_madison() -> None:
    text = (
        " docker-ce | 5:28.5.2-1~debian.13~trixie | https://download.docker.com/linux/debian trixie/stable amd64 Packages\n"
        " docker-ce | 5:28.5.1-1~debian.13~trixie | https://download.docker.com/linux/debian trixie/stable amd64 Packages\n"
        " docker-ce | 5:28.5.1-1~debian.13~trixie | https://mirror.example.com/debian trixie/stable amd64 Packages\n"
        " docker.io | 26.1.5+dfsg1-9 | http://mirror.example.com/debian trixie/main Sources\n"
    )
    assert madison(text) == {"docker-ce": [ce("28.5.2"), ce("28.5.1")]}


def test_repoquery() -> None:
    text = (
        "docker-ce|3:28.5.1-1.el9\ndocker-ce|3:28.5.10-1.el9\ndocker-ce|3:28.5.9-2.el9\n\ndocker-ce|3:28.5.9-10.el9\n"
        "Last metadata expiration check: 0:00:01 ago\nmoby-engine|28.5.1-1.fc42\n"
    )
    assert repoquery(text) == {
        "docker-ce": ["3:28.5.10-1.el9", "3:28.5.9-10.el9", "3:28.5.9-2.el9", "3:28.5.1-1.el9"],
        "moby-engine": ["28.5.1-1.fc42"],
    }


DNF4 = (
    "# Added lock on Sun Nov 22 18:00:00 2026\ndocker-ce-3:28.5.1-1.el9.*\ndocker-ce-cli-1:28.5.1-1.el9.*\n"
    "docker-ce-cli-1:28.5.2-1.el9.*\n!kernel-5.14.0-1.el9.*\nmoby-engine-0:28.4.0-1.fc41.x86_64\n"
)
DNF5 = """version = "1.0"

[[packages]]
name = "docker-ce"
[[packages.conditions]]
key = "evr"
comparator = "="
value = "3:28.5.1-1.fc42"

[[packages]]
name = "kernel"
"""


@pytest.mark.parametrize(
    ("text", "installed", "here", "names"),
    [
        ("", {"docker-ce": "3:28.5.1-1.el9"}, set(), set()),
        (
            DNF4,
            {"docker-ce": "3:28.5.1-1.el9", "docker-ce-cli": "1:28.5.1-1.el9", "moby-engine": "28.4.1-1.fc41"},
            {"docker-ce"},
            {"docker-ce", "docker-ce-cli", "moby-engine"},
        ),
        ("moby-engine-0:28.4.0-1.fc41.*\n", {"moby-engine": "28.4.0-1.fc41"}, {"moby-engine"}, {"moby-engine"}),
        (DNF5, {"docker-ce": "3:28.5.1-1.fc42"}, {"docker-ce"}, {"docker-ce", "kernel"}),
        (DNF5, {"docker-ce": "3:28.5.2-1.fc42"}, set(), {"docker-ce", "kernel"}),
    ],
)
def test_locks_of_dnf(text: str, installed: dict[str, str], here: set[str], names: set[str]) -> None:
    assert locked(text, installed) == here
    assert lock_names(text) == names
