"""What the name of a file says, and which names are served."""

from __future__ import annotations

import pytest
from packaging.utils import parse_wheel_filename
from pypiserver.pkg_helpers import normalize_pkgname
from wheelhouse_index.files import names
from wheelhouse_index.files.names import Release


@pytest.mark.parametrize(
    ("name", "project", "version"),
    [
        ("foo-1.0.tar.gz", "foo", "1.0"),
        ("tool-2d-utils-1.0.tar.gz", "tool-2d-utils", "1.0"),
        ("lib-3K-1.5.8.tar.gz", "lib-3k", "1.5.8"),
        ("x-2.0-1.0.tar.gz", "x-2-0", "1.0"),
        ("x-v1.2.tar.gz", "x", "v1.2"),
        ("oath-3party-client-4.2.zip", "oath-3party-client", "4.2"),
        ("foo-1.0-1.tar.gz", "foo", "1.0-1"),
        ("foo-1.0-rc.1.tgz", "foo", "1.0-rc.1"),
        ("foo-2019-06.tar.bz2", "foo", "2019-06"),
        ("Foo.Bar__baz-1!2.0+local.1.tar.xz", "foo-bar-baz", "1!2.0+local.1"),
        ("foo-r123.tar.gz", "foo", "r123"),
        ("foo-0.1-alphabet.tar.gz", "foo", "0.1-alphabet"),
        ("foo_bar-1.0-py3-none-any.whl", "foo-bar", "1.0"),
        ("foo-1.0-2build-cp313-cp313-manylinux_2_28_x86_64.manylinux2014_x86_64.whl", "foo", "1.0"),
        ("foo-1.0-cp313-cp313-linux_x86_64-cu128.whl", "foo", "1.0"),
        ("foo-bar-py3-none-any.whl", None, ""),
        ("foo-1.0.whl", None, ""),
        ("old-1.0-py2.7.egg", "old", "1.0"),
        ("noversion.tar.gz", None, ""),
        ("-1.0.tar.gz", None, ""),
        ("_-1.0.tar.gz", None, ""),
        ("foo-1.0.exe", None, ""),
        ("foo-1.0.TAR.GZ", None, ""),
    ],
)
def test_what_a_name_alone_says(name: str, project: str | None, version: str) -> None:
    found = names.of_file(name)
    assert (found.project if found else None) == project
    assert not found or found.version == version


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("foo-1.0.tar.gz", True),
        ("foo-1.0.tar.gz.asc", True),
        ("foo-1.0+a!b~c.tar.gz", True),
        ("foo-1.0.asc", False),
        ("foo-1.0.tar.gz.asc.asc", False),
        ("foo-1.0.tar.gz.metadata", False),
        (".foo-1.0.tar.gz", False),
        ("foo 1-1.0.tar.gz", False),
        ("foo/../bar-1.0.tar.gz", False),
        ("übung-1.0.tar.gz", False),
        ("foo-1.0.tar.gz\n", False),
        ("foo-1.0.win32.msi", False),
        ("foo-1.0-1.noarch.rpm", False),
        (f"{'a' * 229}-1.0.tar.gz", True),
        (f"{'a' * 230}-1.0.tar.gz", False),
    ],
)
def test_which_names_are_served(name: str, served: bool) -> None:
    assert names.is_served(name) is served


@pytest.mark.parametrize(
    ("name", "release", "may"),
    [
        ("case-2.0-1.0.tar.gz", ("case-2.0", "1.0"), True),
        ("case-2.0-1.0.tar.gz", ("case", "2.0-1.0"), True),
        ("Foo.Bar-1.0.zip", ("foo_bar", "1.0.0"), True),
        ("foo-1.0.tar.gz", ("foo", "2.0"), False),
        ("foo-1.0.tar.gz", ("foobar", "1.0"), False),
        ("foo-1.0rc1.tar.gz", ("foo", "1.0-rc.1"), True),
        ("foo-1.0_local-py3-none-any.whl", ("foo", "1.0-local"), True),
        ("foo-1.0-py3-none-any.whl", ("foo", "1.0"), True),
        ("foo-1.0-py3-none-any.whl", ("bar", "1.0"), False),
        ("f.o-1.0.tar.gz", ("fxo", "1.0"), False),
    ],
)
def test_a_file_may_be_of_a_release_that_its_name_spells(name: str, release: tuple[str, str], may: bool) -> None:
    assert names.claimed(name, Release(*release)) is may


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Some.Name-1.0-py3-none-any.whl", "some_name-1.0-py3-none-any.whl", True),
        ("foo-1.0-py3-none-any.whl", "foo-1.0.0-py3-none-any.whl", True),
        ("foo-1.0-py2.py3-none-any.whl", "foo-1.0-py3.py2-none-any.whl", True),
        ("foo-1.0-py3-none-any.whl", "foo-1.0-1-py3-none-any.whl", False),
        ("foo-1.0-1-py3-none-any.whl", "foo-1.0-01-py3-none-any.whl", True),
        ("foo-1.0-py3-none-any.whl", "foo-1.0-py3.py3-none-any.whl", True),
        ("foo-1.0-py3-none-any.whl", "foo-1.0-py2.py3-none-any.whl", False),
        ("foo-1.0.tar.gz", "Foo-1.0.0.zip", True),
        ("foo-1.0.tar.gz", "foo-1.0.post1.tar.gz", False),
        ("foo-1.0+a.tar.gz", "foo-1.0.tar.gz", False),
        ("foo-1.0-py2.7.egg", "foo-1.0-py3.8.egg", False),
    ],
)
def test_what_is_the_same_file(one: str, other: str, same: bool) -> None:
    first, second = names.of_file(one), names.of_file(other)
    assert first and second
    assert (names.identity(one, first) == names.identity(other, second)) is same


@pytest.mark.parametrize(
    ("tags", "parse"),
    [
        ("py3-none-any", True),
        ("1-py3-none-any", True),
        ("1+cu118-py3-none-any", True),
        ("1~1-py3-none-any", True),
        ("1!a-cp313-cp313-linux_x86_64", True),
        ("cp313-cp313-linux_x86_64-cu128", True),
        ("1+cu128-cp313-cp313-linux_x86_64-cu128", True),
        ("cp313-cp313-win32-cu128", True),
        ("cp313-cp313-win_amd64-cu128", True),
        ("cp313-cp313-macosx_11_0_arm64-accelerate", True),
        ("cp313-cp313-manylinux_2_28_x86_64.manylinux2014_x86_64-x86_64_v3", True),
        ("cp313-cp313-ios_13_0_arm64_iphoneos-x1", True),
        ("pp310-pypy310_pp73-linux_x86_64-cu128", True),
        ("py3-none-any-null", True),
        ("cp39-cp39-linux", True),
        ("py3-py3-any", True),
        ("cp39-cp39-linux-x86_64", False),
        ("1-cp39-cp39-linux-x86_64", False),
        ("cp39-cp39-manylinux2014-x86_64", False),
        ("cp39-cp39-manylinux_2_17-x86_64", False),
        ("cp39-cp39-musllinux_1_2-aarch64", False),
        ("cp39-cp39-linux_x86_64.manylinux2014-x86_64", False),
        ("cp39-cp39-win-amd64", False),
        ("cp39-cp39-Win-AMD64", False),
        ("cp39-cp39-macosx-11_0_arm64", False),
        ("cp39-cp39-macosx_11_0-arm64", False),
        ("py2-py3-none-any", False),
        ("cp38-py39-any-x", False),
        ("cp38-cp39-abi3-linux_x86_64", False),
        ("cp38-cp38-cp39-win_amd64", False),
        ("py3-none-any-", False),
        ("py3-none-any-a+b", False),
    ],
)
def test_which_tags_parse(tags: str, parse: bool) -> None:
    name = f"foo-1.0-{tags}.whl"
    assert names.of_file(name)
    assert names.has_tags(name) is parse


@pytest.mark.parametrize("build", ["1", "20240101_g12", "1+cu118", "1~1", "1!a"])
def test_build_tags_that_clients_read_are_taken(build: str) -> None:
    name = f"foo-1.0-{build}-py3-none-any.whl"
    assert parse_wheel_filename(name)
    assert names.is_served(name) and names.has_tags(name)


@pytest.mark.parametrize("name", ["Foo", "foo_bar", "Foo._-Bar", "a--b__c..d", "_x_", "ÄÖ_b", "İ-x", "1.2", ""])
def test_projects_are_normalised_as_pypiserver_does_it(name: str) -> None:
    assert names.normalised(name) == normalize_pkgname(name)
