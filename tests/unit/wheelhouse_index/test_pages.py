"""The text of pages, read by the parsers that clients use: `packaging`'s and pypi-simple's, not ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from pypi_simple import DistributionPackage, IndexPage, ProjectPage
from wheelhouse_index.files.entry import Entry, Facts, Stamp
from wheelhouse_index.files.names import Release, of_file
from wheelhouse_index.rendering import pages

SHA, METADATA_SHA = "ab" * 32, "cd" * 32
SECOND = 1_000_000_000
PREFIX = "https://pypi.example.com/deep/"


def entry(path: str, requires: str = "", metadata: str = "", size: int = 7, mtime_ns: int = 0) -> Entry:
    release = of_file(path.rpartition("/")[2]) or Release("foo", "1.0")
    return Entry(path, Stamp(size, mtime_ns, 1), Facts(SHA, release, requires, metadata))


def parsed(*entries: Entry) -> list[tuple[DistributionPackage, DistributionPackage]]:
    """Return the files as the page has them: of HTML, and of JSON."""
    project = entries[0].project
    base = f"{PREFIX}simple/{quote(project)}/"
    html = ProjectPage.from_html(project, pages.project_html(project, entries), base_url=base)
    document = ProjectPage.from_json_data(document_of(*entries), base_url=base)
    assert html.repository_version == document.repository_version == pages.API_VERSION
    return list(zip(html.packages, document.packages, strict=True))


def document_of(*entries: Entry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pages.project_json(entries[0].project, entries))
    return found


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("foo-1.0-py3-none-any.whl", "foo-1.0-py3-none-any.whl"),
        ("nested/deep/foo-1.0.tar.gz", "nested/deep/foo-1.0.tar.gz"),
        ("foo-1.0+local.1-py3-none-any.whl", "foo-1.0+local.1-py3-none-any.whl"),
        ("foo-1!2.0.tar.gz", "foo-1!2.0.tar.gz"),
        ("per%20cent-1.0.zip", "per%2520cent-1.0.zip"),
        ("ha#sh-1.0.zip", "ha%23sh-1.0.zip"),
        ("quest?ion-1.0.zip", "quest%3Fion-1.0.zip"),
        ("spa ced-1.0.zip", "spa%20ced-1.0.zip"),
        ("übung-1.0.tar.gz", "%C3%BCbung-1.0.tar.gz"),
        ("<script>&amp;\"'-1.0.zip", "%3Cscript%3E%26amp%3B%22%27-1.0.zip"),
    ],
)
def test_a_file_of_any_name_is_found_under_its_name_and_address(path: str, address: str) -> None:
    for package in parsed(entry(path))[0]:
        assert package.filename == path.rpartition("/")[2]
        assert package.url == f"{PREFIX}packages/{address}"
        assert package.digests == {"sha256": SHA}
        assert package.requires_python is None
        assert not package.has_sig and not package.is_yanked


@pytest.mark.parametrize("specifier", [">=3.8", ">=3.8, <4", "!=3.0.*,~=3.9", '"><script>'])
def test_requires_python_is_the_same_in_both_pages(specifier: str) -> None:
    assert [one.requires_python for one in parsed(entry("foo-1.0.tar.gz", specifier))[0]] == [specifier] * 2


def test_core_metadata_are_announced_under_their_new_name_alone() -> None:
    with_metadata = entry("foo-1.0-py3-none-any.whl", metadata=METADATA_SHA)
    for package in parsed(with_metadata)[0]:
        assert package.has_metadata
        assert package.metadata_digests == {"sha256": METADATA_SHA}
        assert package.metadata_url == f"{PREFIX}packages/foo-1.0-py3-none-any.whl.metadata"
    html = pages.project_html("foo", [with_metadata])
    assert f'data-core-metadata="sha256={METADATA_SHA}"' in html
    assert document_of(with_metadata)["files"][0]["core-metadata"] == {"sha256": METADATA_SHA}
    # PEP 714: pip 22.3 to 23.1.2 stop at it in JSON, and discard wheels for it in HTML.
    assert "dist-info-metadata" not in html + pages.project_json("foo", [with_metadata])
    assert document_of(entry("foo-1.0.tar.gz"))["files"][0]["core-metadata"] is False


def test_a_signature_belongs_to_its_file_and_is_none_itself() -> None:
    signed, signature = entry("nested/foo-1.0.tar.gz"), entry("nested/foo-1.0.tar.gz.asc")
    files = parsed(signed, signature, entry("foo-1.0.tar.gz"))
    assert [[one.has_sig for one in both] for both in files] == [[None, None], [True, True]]


@pytest.mark.parametrize(
    ("mtime_ns", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_700_000_000 * SECOND + 123_456_789, datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)),
        # Clocks that are wrong, and file systems that are right.
        (-5 * SECOND, datetime(1970, 1, 1, tzinfo=UTC)),
        (2**62, datetime(2116, 2, 20, 23, 53, 38, 427387, tzinfo=UTC)),
        (300_000_000_000 * SECOND, datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_size_and_time_of_upload_are_those_of_the_file(mtime_ns: int, moment: datetime) -> None:
    _html, document = parsed(entry("foo-1.0.tar.gz", size=12345, mtime_ns=mtime_ns))[0]
    assert (document.size, document.upload_time) == (12345, moment)


def test_releases_are_listed_once_and_from_old_to_new_each_with_its_newest_build_first() -> None:
    names = [
        "foo-1.10-py3-none-any.whl",
        "foo-1.9-py3-none-any.whl",
        "foo-1.9.tar.gz",
        "foo-1.10rc1.tar.gz",
        "foo-1.9-2-py3-none-any.whl",
        "foo-1.9-10-py3-none-any.whl",
    ]
    document = document_of(*map(entry, names))
    assert document["versions"] == ["1.9", "1.10rc1", "1.10"]
    assert [file["filename"] for file in document["files"]] == [
        "foo-1.9-10-py3-none-any.whl",
        "foo-1.9-2-py3-none-any.whl",
        "foo-1.9-py3-none-any.whl",
        "foo-1.9.tar.gz",
        "foo-1.10rc1.tar.gz",
        "foo-1.10-py3-none-any.whl",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("foo-1.0-1b-py3-none-any.whl", "foo-1.0-1a-py3-none-any.whl"),
        ("foo-1.0-1a-py3-none-any.whl", "foo-1.0-1-py3-none-any.whl"),
        ("foo-1.0-1-py3-none-any.whl", "foo-1.0-01-py3-none-any.whl"),
        ("foo-1.0-1-py3-none-any-label.whl", "foo-1.0-py3-none-any-label.whl"),
        ("foo-1.0-1-cp313-cp313-linux_x86_64.whl", "foo-1.0-2-py3-none-any.whl"),
        ("foo-1.0-py2-none-any.whl", "foo-1.0-py3-none-any-3.whl"),
    ],
)
def test_of_builds_of_one_wheel_the_newest_is_listed_first(first: str, second: str) -> None:
    for given in ((first, second), (second, first)):
        assert [file["filename"] for file in document_of(*map(entry, given))["files"]] == [first, second]


@pytest.mark.parametrize(
    "name",
    [
        "foo-1.0-py3-none-any.whl",
        "foo-1.0-1-py3-none-any.whl",
        "foo_bar-1.0-1a-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "foo_bar-2!1.0.post1.dev2+local.1-py2.py3-none-any.whl",
        "Foo.Bar-1.0rc1.tar.gz",
        "foo-bar-1.0.zip",
    ],
)
def test_project_and_version_are_what_packaging_reads_from_the_name(name: str) -> None:
    project, version = (parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name))[:2]
    found = Entry(name, Stamp(0, 0, 0))
    assert found.project == project
    assert found.version == str(version)


def test_a_file_that_nobody_has_read_is_on_no_page() -> None:
    unread = Entry("foo-2.0.tar.gz", Stamp(1, 1, 1))
    assert [html.filename for html, _json in parsed(entry("foo-1.0.tar.gz"), unread)] == ["foo-1.0.tar.gz"]


def test_the_list_of_projects_is_the_same_in_both_pages() -> None:
    names = ["+!-", "a", "foo-bar"]
    for page in (
        IndexPage.from_html(pages.list_html(names)),
        IndexPage.from_json_data(json.loads(pages.list_json(names))),
    ):
        assert page.projects == names
        assert page.repository_version == pages.API_VERSION
    assert all(canonicalize_name(name) == name for name in names[1:])


@pytest.mark.parametrize(
    ("projects", "files", "words"),
    [
        (0, 0, "0 distribution files of 0 projects"),
        (1, 1, "1 distribution file of 1 project."),
        (1200, 34567, "34,567 distribution files of 1,200 projects"),
    ],
)
def test_the_front_page_counts(projects: int, files: int, words: str) -> None:
    assert words in pages.front_html(projects, files)
