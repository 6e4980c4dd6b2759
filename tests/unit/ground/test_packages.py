"""The packages of the imitated repositories: what is said of them in both formats, and what a root gets to make them."""

from __future__ import annotations

import subprocess

import pytest

from tests.ground import deb, packages, rpm, workshop
from tests.ground.packages import DOCKER_CE, EL9_AVAILABLE, EL9_INSTALLED, Package, Relations

NEWEST = {package.name: package for package in DOCKER_CE}
EVERY = [pytest.param(package, id=f"{package.name}-{package.version}") for package in DOCKER_CE]
BOTH = Package(
    name="thing",
    version="1.2",
    files={"usr/bin/thing": "source/usr/sbin/thing", "usr/lib/systemd/system/thing.service": "source/thing.service"},
    units=("thing.service",),
    group="things",
    rpm=Relations(epoch=3, requires=("bash >= 5",), conflicts=("stuff",), obsoletes=("old",)),
    deb=Relations(epoch=5, release="1~debian.{number}~{suite}", requires=("bash (>= 5)",), obsoletes=("old",)),
)


def test_a_spec_says_all_that_is_known() -> None:
    lines = rpm.spec(BOTH, "/build/stage/thing-1.2").splitlines()
    tags = ["Epoch: 3", "Version: 1.2", "Release: 1.el9", "Requires: bash >= 5", "Conflicts: stuff", "Obsoletes: old"]
    assert [line for line in lines if line in tags] == tags
    assert lines[lines.index("%files") + 1 :] == ["/usr/bin/thing", "/usr/lib/systemd/system/thing.service"]
    assert "getent group things >/dev/null || groupadd --system things" in lines
    assert any("preset thing.service" in line for line in lines)


def test_a_package_without_units_has_no_scripts() -> None:
    assert "%pos" not in rpm.spec(NEWEST["docker-ce-cli"], "/build")
    assert set(deb.control(NEWEST["docker-ce-cli"], "trixie", "amd64")) == {"control"}


def test_one_spec_makes_all_stubs() -> None:
    text = rpm.stubs([*EL9_INSTALLED, *EL9_AVAILABLE])
    assert text.count("\n%files -n ") == len(EL9_INSTALLED) + len(EL9_AVAILABLE)
    assert "%package -n podman-docker\n" in text
    assert "\n%files\n" not in text  # nothing of its own name


def test_a_control_file_says_all_that_is_known() -> None:
    assert deb.control(BOTH, "bookworm", "amd64")["control"].splitlines() == [
        "Package: thing",
        "Version: 5:1.2-1~debian.12~bookworm",
        "Architecture: amd64",
        "Maintainer: Imitation <imitation@example.com>",
        "Section: admin",
        "Priority: optional",
        "Depends: bash (>= 5)",
        "Replaces: old",
        "Description: thing, an imitation for tests",
        " Made from Debian's packages; not the vendor's.",
    ]


@pytest.mark.parametrize("package", EVERY)
def test_maintainer_scripts_are_shell(package: Package) -> None:
    for name, text in deb.control(package, "trixie", "amd64").items():
        if name != "control":
            assert text.startswith("#!/bin/sh\n")  # the overlay makes it executable by this
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("package", EVERY)
def test_every_file_comes_from_something_that_is_downloaded(package: Package) -> None:
    assert {source.partition("/")[0] for source in package.files.values()} <= set(packages.SOURCES)


def test_versions_of_the_engine_are_as_long_as_the_one_that_was_built() -> None:
    """Their numbers are written over it inside the binaries."""
    assert {len(version) for version in packages.ENGINE_VERSIONS} == {len(packages.ENGINE_BUILT)}
    assert packages.SOURCES["docker.io"][1].startswith(packages.ENGINE_BUILT)


def test_a_root_gets_specs_and_control_archives_for_each_version() -> None:
    files = workshop.docker(DOCKER_CE, "Types: deb\n")
    names = [f"{package.name}-{package.version}" for package in DOCKER_CE]
    assert [name for name in names if f"build/specs/{name}.spec" not in files] == []
    assert [name for name in names if f"build/control/trixie/{name}/control" not in files] == []
    assert b"docker.io\t" in files["build/downloads"]
    assert b"docker-ce-26.1.4\t26.1.4\tdocker.io/usr/sbin/dockerd\tusr/bin/dockerd\n" in files["build/contents"]
