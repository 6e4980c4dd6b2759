"""The public index's JSON of a project, read as pip-tools, Renovate, bandersnatch and pulp read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.version import Version
from pip._internal.models.link import Link
from wheelhouse_index.fact_store.decisions import NOTHING
from wheelhouse_index.files.entry import Entry, Facts, Stamp, guessed
from wheelhouse_index.rendering import legacy, pages

SHA = "ab" * 32
SECOND = 1_000_000_000
# What the public index has of each file. `md5_digest` and the digests other than SHA-256 are not known here.
FILE_KEYS = {
    *("comment_text", "digests", "downloads", "filename", "has_sig", "packagetype", "python_version"),
    *("requires_python", "size", "upload_time", "upload_time_iso_8601", "url", "yanked", "yanked_reason"),
}
INFO_KEYS = {
    *("author", "author_email", "bugtrack_url", "classifiers", "description", "description_content_type", "docs_url"),
    *("download_url", "downloads", "dynamic", "home_page", "keywords", "license", "license_expression"),
    *("license_files", "maintainer", "maintainer_email", "name", "package_url", "platform", "project_url"),
    *("project_urls", "provides_extra", "release_url", "requires_dist", "requires_python", "summary", "version"),
    *("yanked", "yanked_reason"),
}


def entry(path: str, requires: str = "", size: int = 7, mtime_ns: int = 0) -> Entry:
    return Entry(path, Stamp(size, mtime_ns, 1), Facts(SHA, guessed(path.rpartition("/")[2]), requires))


def document(*entries: Entry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(legacy.project_json(entries[0].project, entries))
    return found


def test_it_has_the_public_indexs_shape() -> None:
    file = entry("deep/foo-1.0-py3-none-any.whl", ">=3.8", 123, 1_700_000_000 * SECOND + 123_456_789)
    found = document(file)
    assert found.keys() == {"info", "last_serial", "releases", "urls"}
    assert found["info"].keys() == INFO_KEYS
    assert found["info"] | {"name": "foo", "version": "1.0", "requires_python": ">=3.8"} == found["info"]
    assert found["last_serial"] == 0
    assert found["releases"] == {"1.0": found["urls"]}
    (one,) = found["urls"]
    assert one.keys() == FILE_KEYS
    assert one["digests"] == {"sha256": SHA}
    assert (one["filename"], one["size"], one["requires_python"]) == ("foo-1.0-py3-none-any.whl", 123, ">=3.8")
    assert (one["yanked"], one["yanked_reason"]) == (False, None)
    assert one["upload_time"] == "2023-11-14T22:13:20"
    assert datetime.fromisoformat(one["upload_time_iso_8601"]) == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert document(entry("foo-1.0.zip"))["urls"][0]["requires_python"] is None


@pytest.mark.parametrize(
    ("name", "kind", "python"),
    [
        ("foo-1.0-py2.py3-none-any.whl", "bdist_wheel", "py2.py3"),
        ("foo-1.0-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "bdist_wheel", "cp311"),
        ("foo-1.0.tar.gz", "sdist", "source"),
        ("foo-1.0.zip", "sdist", "source"),
        ("foo-1.0.tar.bz2", "sdist", "source"),
        ("foo-1.0-py3.11.egg", "bdist_egg", "3.11"),
        ("foo-1.0-py2.7-linux-x86_64.egg", "bdist_egg", "2.7"),
    ],
)
def test_the_kind_of_a_file_and_its_python(name: str, kind: str, python: str) -> None:
    file = legacy._file(entry(name), False, NOTHING)
    assert (file["packagetype"], file["python_version"]) == (kind, python)


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["1.0", "1.10", "1.9"], "1.10"),
        # A final release is newer than any pre-release, as on the public index.
        (["1.0", "2.0rc1", "2.0.dev3"], "1.0"),
        (["2.0rc1", "2.0b2"], "2.0rc1"),
        (["1.0", "1.0.post1"], "1.0.post1"),
        (["2024.1", "1!0.1"], "1!0.1"),
        (["1.0", "1.0+local.2"], "1.0+local.2"),
    ],
)
def test_the_newest_release(versions: list[str], newest: str) -> None:
    found = document(*(entry(f"foo-{version}-py3-none-any.whl") for version in versions))
    assert found["info"]["version"] == newest
    assert [file["filename"] for file in found["urls"]] == [f"foo-{newest}-py3-none-any.whl"]
    assert list(found["releases"]) == sorted(versions, key=Version)


def test_all_files_of_a_release_are_in_it_however_they_spell_it() -> None:
    """pip-tools looks for the version as pip writes it, and takes the digests of all of its files."""
    names = ["foo-1.0RC1-py3-none-any.whl", "foo-1.0rc1.tar.gz", "foo-1.0rc1-1-py3-none-any.whl", "foo-1.0.rc.1.zip"]
    found = document(*map(entry, names))
    assert list(found["releases"]) == ["1.0rc1"]
    assert {file["filename"] for file in found["releases"]["1.0rc1"]} == set(names)
    assert len(document(entry("foo-1.0.zip"), entry("foo-1.0.0.tar.gz"))["urls"]) == 2


def test_what_is_on_no_page_and_what_has_no_version_is_left_out() -> None:
    unread = Entry("foo-3.0.tar.gz", Stamp(1, 1, 1))
    found = document(entry("foo-1.0.tar.gz"), entry("foo-1.0.tar.gz.asc"), unread, entry("foo.zip"))
    assert [file["filename"] for files in found["releases"].values() for file in files] == ["foo-1.0.tar.gz"]
    assert found["urls"][0]["has_sig"] is True
    assert document(entry("foo.zip"))["releases"] == {}


@pytest.mark.parametrize(
    "path",
    [
        "foo-1.0+local.1-py3-none-any.whl",
        "foo-1!2.0.tar.gz",
        "nested/spa ced#-1.0.zip",
        "a@b~c-1.0.zip",
        "übung-1.0.zip",
    ],
)
def test_addresses_are_those_that_pip_makes_of_the_pages(path: str) -> None:
    """By them pip-tools knows which digest is of which file."""
    asked = "https://pypi.example.com/simple/foo/"
    address = json.loads(pages.project_json("foo", [entry(path)]))["files"][0]["url"]
    found = Link.from_json({"filename": path, "url": address, "hashes": {}}, asked)
    assert found
    assert "https://pypi.example.com" + legacy._file(entry(path), False, NOTHING)["url"] == found.url


def test_an_address_can_be_completed_by_its_beginning() -> None:
    """NGINX puts scheme and host behind `"url":"`: no name of a file looks like that."""
    names = {'"url":"/packages/x-1.0.zip', "foo-1.0.zip", "foo-2.0.zip"}
    text = legacy.project_json("foo", list(map(entry, sorted(names))))
    found = json.loads(text.replace('"url":"/', '"url":"https://pypi.example.com/'))
    files = [file for release in found["releases"].values() for file in release]
    assert len(files) > 1
    assert {file["filename"] for file in files} <= names | {"x-1.0.zip"}
    assert all(file["url"].startswith("https://pypi.example.com/packages/") for file in (*files, *found["urls"]))
