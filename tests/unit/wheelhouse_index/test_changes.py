"""What publishers send, and what becomes of it: whose file it is, what is refused and how, what a removal takes away."""

from __future__ import annotations

import errno
import io
import logging
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from tests.support import packages as made
from tests.support.index import Answer, Index, call, form, sha256

WHEEL = "foo-1.0-py3-none-any.whl"


def refused(answer: Answer, status: int, *words: str) -> None:
    """Say that an answer is a refusal: in one line, which the status line has as well, with these words."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text == answer.reason + "\n" and answer.text.count("\n") == 1
    for word in words:
        assert word in answer.text


@pytest.mark.parametrize(
    ("project", "version", "name"),
    [
        ("tool-2d-utils", "1.0", "tool-2d-utils-1.0.tar.gz"),
        ("lib-3K", "1.5.8", "lib-3K-1.5.8.tar.gz"),
        ("x-2.0", "1.0", "x-2.0-1.0.tar.gz"),
        ("x", "1.2", "x-v1.2.tar.gz"),
        ("x", "2.0-1", "x-2.0-1.zip"),
        ("Foo.Bar", "1.0.0", "foo_bar-1.0-py3-none-any.whl"),
    ],
)
@pytest.mark.parametrize("copied", [False, True])
def test_a_file_is_of_the_project_that_its_metadata_name(
    index: Index, project: str, version: str, name: str, copied: bool
) -> None:
    content = made.file(name, release=(project, version))
    if copied:
        (index.packages / name).write_bytes(content)
        index.look()
    else:
        assert index.upload(name, content, name=project, version=version).status == 200
    normalised = project.lower().replace(".", "-")
    assert index.projects() == {normalised}
    assert index.listed(normalised) == {name: sha256(content)}


@pytest.mark.parametrize(("project", "version"), [("x", "2.0-1"), ("x-2.0", "1")])
def test_where_a_file_need_not_say_the_form_does(index: Index, project: str, version: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("x.py", b"")
    name = f"{project.replace('-', '_')}-{version.replace('-', '_')}-py3.13.egg"
    fields = {"name": project, "version": version, "requires_python": ">=3.99"}
    assert index.upload(name, target.getvalue(), None, **fields).status == 200
    assert index.projects() == {project.replace(".", "-")}
    assert "&gt;=3.99" in (index.pages / "simple" / project.replace(".", "-") / "index.html").read_text()


def test_the_form_says_what_stands_behind_more_than_is_read(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse_index.files.metadata.UNPACKED_BYTES", 100_000)
    name = "foo-1.0.tar.gz"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path, data in (("foo-1.0/data", bytes(200_000)), ("foo-1.0/PKG-INFO", made.metadata("foo", "1.0"))):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    fields = {"name": "foo", "version": "1.0", "requires_python": ">=3.8"}
    assert index.upload(name, content.getvalue(), None, **fields).status == 200
    assert 'data-requires-python="&gt;=3.8"' in (index.pages / "simple/foo/index.html").read_text()


@pytest.mark.parametrize(
    ("name", "release", "fields", "words"),
    [
        (WHEEL, ("elsewhere", "1.0"), {}, [WHEEL, "elsewhere 1.0"]),
        (WHEEL, ("foo", "2.0"), {}, [WHEEL, "foo 2.0"]),
        ("foo-1.0.tar.gz", ("foo", "1.0.1"), {}, ["foo-1.0.tar.gz", "foo 1.0.1"]),
        (WHEEL, None, {"name": "bar", "version": "1.0"}, [WHEEL, "bar"]),
        (WHEEL, None, {"name": "foo", "version": "1.1"}, [WHEEL, "1.1"]),
    ],
)
def test_a_file_that_contradicts_its_name_or_its_form_is_refused(
    index: Index, name: str, release: tuple[str, str] | None, fields: dict[str, str], words: list[str]
) -> None:
    refused(index.upload(name, made.file(name, release=release), None, **fields), 400, *words)
    assert index.projects() == set()


@pytest.mark.parametrize("name", [WHEEL, "foo-1.0.zip", "foo-1.0.tar.gz", "foo-1.0.tar.bz2", "foo-1.0.tar.xz"])
def test_an_archive_that_cannot_be_opened_is_refused(index: Index, name: str) -> None:
    refused(index.upload(name, b"not an archive", name="foo", version="1.0"), 400, name, "cannot be opened")
    refused(index.upload(name, made.file(name)[:40], name="foo", version="1.0"), 400, name)


@pytest.mark.parametrize(
    "name",
    ["foo-1.0.exe", "foo-1.0.msi", "foo-1.0-1.noarch.rpm", "foo-1.0.ZIP", "foo-1.0.TAR.GZ", "-1.0.tar.gz", "foo.tar.gz",
     "übung-1.0.tar.gz", "foo 1-1.0.zip", "foo-1.0.tar.gz.asc", "../foo-1.0.tar.gz", "", "a" * 240 + "-1.0.tar.gz",
     ".foo-1.0.tar.gz", "..tar.gz", "foo-1.0.txt", "foo-1.0.whl"],
)  # fmt: skip
def test_a_name_that_would_not_be_served_is_refused(index: Index, name: str) -> None:
    refused(index.upload(name, made.file("foo-1.0.tar.gz"), name="foo", version="1.0"), 400)
    assert index.stored() == {}


@pytest.mark.parametrize(
    "name", ["foo-bar-1.0-py3-none-any.whl", "foo-banana-py3-none-any.whl", "foo-1.0-py3-none.whl"]
)
def test_how_a_wheel_is_called_is_said(index: Index, name: str) -> None:
    refused(index.upload(name, made.file(WHEEL)), 400, name, "NAME-VERSION-PYTHON-ABI-PLATFORM.whl, with _ for -")


@pytest.mark.parametrize(
    ("name", "project", "version"),
    [
        ("foo-1.0+ubuntu.1-py3-none-any.whl", "foo", "1.0+ubuntu.1"),
        ("foo-2024.01.02-py3-none-any.whl", "foo", "2024.1.2"),
        ("foo-1.0-20240101_g12-cp39.cp310-abi3.none-macosx_10_9_x86_64.macosx_11_0_arm64.whl", "foo", "1.0"),
        ("2to3-1.0-py3-none-any.whl", "2to3", "1.0"),
        ("0-0-py3-none-any.whl", "0", "0"),
        ("foo-1.0-PY3-NONE-ANY.whl", "foo", "1.0"),
        ("foo-1.0.dev20240101+g12.d20240102.tar.gz", "foo", "1.0.dev20240101+g12.d20240102"),
        ("foo-py3-1.0.tar.gz", "foo-py3", "1.0"),
        ("index.json-1.0.tar.gz", "index-json", "1.0"),
        ("simple-1.0.tar.gz", "simple", "1.0"),
    ],
)
def test_odd_names_of_files_are_published_listed_and_removed(
    index: Index, name: str, project: str, version: str
) -> None:
    content = made.file(name)
    assert index.upload(name, content).status == 200
    assert index.listed(project) == {name: sha256(content)}
    assert f'"versions":["{version}"]' in (index.pages / "simple" / project / "index.json").read_text()
    assert index.remove(f" {project.upper()}\n", f" {version} ").status == 200
    assert index.projects() == set()


def test_what_was_copied_in_and_cannot_be_served_is_not_listed(index: Index, tmp_path: Path) -> None:
    for name in ("foo-1.0.exe", "foo-1.0.ZIP", "übung-1.0.tar.gz", "-1.0.zip", ".foo-1.0.zip"):
        (index.packages / name).write_bytes(b"x")
    (tmp_path / "bar-1.0.zip").write_bytes(made.file("bar-1.0.zip"))
    (index.packages / "bar-1.0.zip").symlink_to(tmp_path / "bar-1.0.zip")
    (index.packages / "öl").mkdir()
    (index.packages / "öl" / WHEEL).write_bytes(made.file(WHEEL))
    index.look()
    assert index.projects() == set()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Some.Name-1.0-py3-none-any.whl", "some_name-1.0-py3-none-any.whl"),
        ("some_name-1.0-py3-none-any.whl", "some_name-1.0.0-py3-none-any.whl"),
        ("some_name-1.0-py2.py3-none-any.whl", "some_name-1.0-py3.py2-none-any.whl"),
        ("Some-Name-1.0.tar.gz", "some_name-1.0.tar.gz"),
        ("some_name-1.0.tar.gz", "some_name-1.0.zip"),
        ("some_name-1.0.tar.gz", "some_name-1.0.tar.gz"),
    ],
)
def test_another_spelling_is_the_same_file(index: Index, first: str, second: str) -> None:
    release = ("some-name", "1.0")
    content, other = made.file(first, release=release), made.file(second, b"other", release)
    assert index.upload(first, content).status == 200
    refused(index.upload(second, other), 409, second, "already exists" + (f" as {first}" if first != second else ""))
    refused(index.upload(second, other, {"User-Agent": "twine/7.0.0"}), 400, "already exists")
    assert index.listed("some-name") == {first: sha256(content)}


def test_where_files_may_be_replaced_another_spelling_replaces(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    first, second = "Foo-1.0-py3-none-any.whl", WHEEL
    assert index.upload(first, made.file(first)).status == 200
    assert index.upload(second, made.file(second, b"other")).status == 200
    assert list(index.listed("foo")) == [second]
    assert not (index.packages / first).exists()
    assert [path.name for path in (index.pages / "packages").iterdir()] == [f"{second}.metadata"]


def test_identical_bytes_again_change_nothing(index: Index) -> None:
    content, other = made.file(WHEEL), made.file("foo-1.0.tar.gz")
    assert index.upload(WHEEL, content).status == 200
    before = {path: path.stat() for path in index.pages.rglob("index.*")}
    for agent in ("twine/7.0.0", "uv/0.13.9"):
        assert "already exists with this content" in index.upload(WHEEL, content, {"User-Agent": agent}).text
    assert {path: path.stat().st_mtime_ns for path in before} == {path: one.st_mtime_ns for path, one in before.items()}
    # So the same command finishes a release of which half was published.
    assert index.upload("foo-1.0.tar.gz", other).status == 200
    assert set(index.listed("foo")) == {WHEEL, "foo-1.0.tar.gz"}


def test_what_was_copied_in_a_moment_ago_counts(index: Index) -> None:
    (index.packages / WHEEL).write_bytes(made.file(WHEEL))
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    assert index.listed("foo") == {WHEEL: sha256(made.file(WHEEL))}
    refused(index.upload(WHEEL, made.file(WHEEL, b"other")), 409)


def signed(index: Index, content: bytes, signature: bytes, name: str = f"{WHEEL}.asc") -> Answer:
    files = {"content": (WHEEL, content), "gpg_signature": (name, signature)}
    body, kind = form({":action": "file_upload"}, files)
    return index.send(body, kind)


def test_a_signature_comes_and_goes_with_its_file(index: Index) -> None:
    refused(signed(index, made.file(WHEEL), b"signature", "other.asc"), 400, f"{WHEEL}.asc")
    assert signed(index, made.file(WHEEL), b"signature").status == 200
    assert signed(index, made.file(WHEEL), b"signature").status == 200
    refused(signed(index, made.file(WHEEL), b"another"), 409, f"{WHEEL}.asc already exists")
    assert (index.packages / f"{WHEEL}.asc").read_bytes() == b"signature"
    assert index.remove("foo", "1.0").status == 200
    assert index.stored() == {}


def test_a_signature_that_is_there_keeps_its_file_from_being_published_with_another(index: Index) -> None:
    (index.packages / f"{WHEEL}.asc").write_bytes(b"of another file")
    index.look()
    refused(signed(index, made.file(WHEEL), b"signature"), 409)
    assert not (index.packages / WHEEL).exists()


@pytest.mark.parametrize(("name", "version"), [("Foo", "1.0"), ("foo", "1.0.0"), ("FOO", "v1")])
def test_a_removal_takes_all_files_of_a_release_in_any_spelling(index: Index, name: str, version: str) -> None:
    files = [WHEEL, "foo-1.0-2-py3-none-any.whl", "Foo-1.0.0.tar.gz", "foo-1.0-py3.13.egg"]
    for file in (*files, "foo-2.0.tar.gz"):
        assert index.upload(file, made.file(file)).status == 200
    (index.packages / f"{WHEEL}.asc").write_bytes(b"signature")
    (index.packages / "copied").mkdir()
    (index.packages / "copied" / WHEEL).write_bytes(made.file(WHEEL))
    index.look()
    assert index.remove(name, version).status == 200
    assert set(index.listed("foo")) == {"foo-2.0.tar.gz"}
    assert not list((index.pages / "packages").rglob("*.metadata"))
    assert set(index.stored()) == {"foo-2.0.tar.gz"}
    refused(index.remove(name, version), 404, "nothing was removed")


def test_a_removal_by_filename_takes_one_file(index: Index) -> None:
    for file in (WHEEL, "foo-1.0.tar.gz"):
        assert index.upload(file, made.file(file)).status == 200
    refused(index.remove("foo", "2.0", filename=WHEEL), 404)
    assert index.remove(filename=WHEEL).status == 200
    assert set(index.listed("foo")) == {"foo-1.0.tar.gz"}
    refused(index.remove(), 400, "'name' and 'version', or 'filename'")
    refused(index.remove("foo"), 400)


@pytest.mark.parametrize("action", ["", "doc_upload", "submit", "verify", "FILE_UPLOAD", "\x1b[31m"])
def test_other_actions_are_refused(index: Index, action: str) -> None:
    body, kind = form({":action": action}, {"content": (WHEEL, made.file(WHEEL))})
    answer = index.send(body, kind)
    refused(answer, 400, "file_upload, remove_pkg, yank")


def test_forms_that_say_two_things_are_refused(index: Index) -> None:
    body, kind = form({":action": "file_upload", "name": "foo"}, {"content": (WHEEL, made.file(WHEEL))})
    edge = kind.partition("boundary=")[2]
    more = f'--{edge}\r\nContent-Disposition: form-data; name="name"\r\n\r\nbar\r\n'.encode()
    answer = index.send(more + body, kind)
    refused(answer, 400, "more than one field name")


def test_a_body_that_is_no_form_is_refused(index: Index) -> None:
    for kind in ("application/json", "multipart/form-data", ""):
        answer = index.send(b"{}", kind)
        refused(answer, 400, "multipart/form-data")


def test_more_metadata_than_any_public_package_has_can_be_uploaded(index: Index) -> None:
    more = "".join(f"Requires-Dist: dep{number}\n" for number in range(5000))
    content = made.file(WHEEL, more=more)
    body, kind = form({":action": "file_upload"}, {"content": (WHEEL, content)})
    edge = kind.partition("boundary=")[2]
    part = f'--{edge}\r\nContent-Disposition: form-data; name="requires_dist"\r\n\r\ndep\r\n'.encode()
    answer = index.send(part * 3999 + body, kind)
    assert answer.status == 200, answer
    assert (index.pages / "packages" / f"{WHEEL}.metadata").read_text().count("Requires-Dist") == 5000


def test_more_fields_than_any_publisher_sends_are_refused(index: Index) -> None:
    body, kind = form({":action": "file_upload"}, {"content": (WHEEL, made.file(WHEEL))})
    edge = kind.partition("boundary=")[2]
    part = f'--{edge}\r\nContent-Disposition: form-data; name="requires_dist"\r\n\r\ndep\r\n'.encode()
    refused(index.send(part * 5000 + body, kind), 400, "more than 4000 fields")
    assert not index.stored()


def test_a_folder_that_cannot_be_written_to_is_a_503_with_a_reason(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("wheelhouse_index.files.incoming._aside", read_only)
    refused(index.upload(WHEEL, made.file(WHEEL)), 503, "cannot write")


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/simple/Foo.Bar/", 301, "/simple/foo-bar/"),
        ("/simple/foo-bar", 301, "/simple/foo-bar/"),
        ("/Foo.Bar/json", 301, "/pypi/foo-bar/json"),
        ("/pypi/Foo.Bar/json", 301, "/pypi/foo-bar/json"),
        ("/Simple/json", 301, "/pypi/simple/json"),
        ("/pypi/simple/json", 404, None),
        ("/simple/\u00c3\u00bcbung/", 404, None),
        ("/simple/per%20cent/", 404, None),
        ("/simple/-foo/", 404, None),
        ("/simple/missing/", 404, None),
        ("/simple/foo-bar/", 200, None),
        ("/foo-bar/json", 200, None),
        ("/pypi/foo-bar/json", 200, None),
        ("/missing/json", 404, None),
    ],
)
def test_pages_are_at_the_normalised_name_and_redirects_stay_on_the_host(
    index: Index, path: str, status: int, location: str | None
) -> None:
    name = "foo.bar-1.0.zip"
    (index.packages / name).write_bytes(made.file(name))
    index.store.note([name], [])
    answer = index.get(path)
    assert (answer.status, answer.headers.get("Location")) == (status, location), answer


def test_a_page_that_is_not_on_disk_yet_has_the_form_that_was_asked_for(index: Index) -> None:
    (index.packages / WHEEL).write_bytes(made.file(WHEEL, more="Requires-Python: >=3.8\n"))
    index.store.note([WHEEL], [])
    json_type = "application/vnd.pypi.simple.v1+json"
    document = call(index.application, "/simple/foo/", {"Accept": json_type})
    assert document.headers["Content-Type"] == json_type
    assert '"requires-python":">=3.8"' in document.text
    page = call(index.application, "/simple/foo/", {"Accept": "text/html; charset=utf-8"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'data-requires-python="&gt;=3.8"' in page.text
    index.keeper.step()
    assert page.text == (index.pages / "simple/foo/index.html").read_text()
    assert document.text == (index.pages / "simple/foo/index.json").read_text()


def test_redirects_that_pypiserver_writes_stay_on_the_host(index: Index) -> None:
    assert index.get("/simple").headers["Location"] == "/simple/"
    assert index.get("/packages").headers["Location"] == "/packages/"


def test_a_removal_of_one_version_leaves_those_that_look_like_it(index: Index) -> None:
    for version in ("1.0.1", "1.0.post1"):
        name = f"foo-{version}.tar.gz"
        assert index.upload(name, made.file(name)).status == 200
    # As a wheel's name spells 1.0-1.
    assert index.remove("foo", "1.0_1").status == 200
    assert set(index.listed("foo")) == {"foo-1.0.1.tar.gz"}
    refused(index.remove("foo", "1_0_1"), 404)


@pytest.mark.parametrize(
    ("name", "release", "status"),
    [
        ("bar-1_0-py3-none-any.whl", ("bar", "1.0"), 400),
        ("baz-1.0_1-py3-none-any.whl", ("baz", "1.0.1"), 400),
        ("post-1.0_1-py3-none-any.whl", ("post", "1.0.post1"), 200),
        ("post-1.0.post1-py3-none-any.whl", ("post", "1.0-1"), 200),
        ("tag-1.0-x-py3-none-any.whl", ("tag", "1.0"), 400),
    ],
)
def test_versions_are_compared_and_not_their_letters(
    index: Index, name: str, release: tuple[str, str], status: int
) -> None:
    assert index.upload(name, made.file(name, release=release)).status == status


def test_what_could_not_replace_a_file_leaves_it(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(in_memory, overwrite=True)
    first, second = "foo-1.0.tar.gz", "Foo-1.0.0.zip"
    assert index.upload(first, made.file(first)).status == 200

    def failing(_staged: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("wheelhouse_index.index.output.Staged.publish", failing)
        refused(index.upload(second, made.file(second, b"other")), 503, "cannot write")
    assert (index.packages / first).read_bytes() == made.file(first)


def test_what_was_removed_by_hand_a_moment_ago_is_published_again(index: Index) -> None:
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    (index.packages / WHEEL).unlink()
    assert index.upload(WHEEL, made.file(WHEEL)).text == f"Published {WHEEL}.\n"
    assert (index.packages / WHEEL).exists()
    assert index.listed("foo") == {WHEEL: sha256(made.file(WHEEL))}


def test_a_version_that_no_number_can_be_made_of_holds_nothing_up(index: Index) -> None:
    endless = "1" * 5000
    (index.packages / "odd-1.0.tar.gz").write_bytes(made.file("odd-1.0.tar.gz", release=("odd", endless)))
    (index.packages / WHEEL).write_bytes(made.file(WHEEL))
    index.look()
    assert index.projects() == {"odd", "foo"}
    refused(index.upload("odd-2.0.tar.gz", made.file("odd-2.0.tar.gz", release=("odd", endless))), 400)
    refused(index.remove("odd", endless), 404)


def test_a_name_of_half_a_megabyte_costs_nothing(index: Index) -> None:
    long = "a-" * 250_000 + "a"
    began = time.process_time()
    refused(index.upload("foo-1.0.tar.gz", made.file("foo-1.0.tar.gz", release=(long, "1.0"))), 400)
    refused(index.upload(WHEEL, made.file(WHEEL), None, name=long), 400)
    assert time.process_time() - began < 2


def test_a_removal_by_filename_rewrites_the_pages_of_all_projects(index: Index) -> None:
    name = "case-2.0-1.0.tar.gz"
    for folder, release in (("a", ("case-2.0", "1.0")), ("b", ("case", "2.0-1.0"))):
        (index.packages / folder).mkdir()
        (index.packages / folder / name).write_bytes(made.file(name, release=release))
    index.look()
    assert index.projects() == {"case-2-0", "case"}
    assert index.remove(filename=name).status == 200
    assert index.projects() == set()


def test_a_signature_goes_with_the_file_that_is_replaced(in_memory: Path) -> None:
    index = Index(in_memory, overwrite=True)
    for second in (WHEEL, "Foo-1.0-py3-none-any.whl"):
        assert signed(index, made.file(WHEEL), b"signature").status == 200
        assert index.upload(second, made.file(second, b"other")).status == 200
        assert not (index.packages / f"{WHEEL}.asc").exists()
        assert "gpg-sig" not in (index.pages / "simple/foo/index.json").read_text()
        assert index.remove("foo", "1.0").status == 200


def test_a_signature_is_not_kept_without_its_file(index: Index) -> None:
    other = "Foo-1.0-py3-none-any.whl"
    content = made.file(WHEEL)
    assert index.upload(other, content).status == 200
    assert "already exists with this content" in signed(index, content, b"signature").text
    assert not (index.packages / f"{WHEEL}.asc").exists()


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_sdist_that_is_cut_or_damaged_behind_its_metadata_is_refused(index: Index, suffix: str) -> None:
    name = f"foo-1.0{suffix}"
    whole = made.file(name, bytes(range(256)) * 3000)
    refused(index.upload(name, whole[: len(whole) - 40]), 400, "cannot be opened")
    damaged = bytearray(whole)
    damaged[-20] ^= 0xFF
    refused(index.upload(name, bytes(damaged)), 400, "cannot be opened")
    assert index.upload(name, whole).status == 200


def test_what_a_client_sends_makes_no_line_of_the_log(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        index.upload(WHEEL, made.file(WHEEL), None, sha256_digest="x\n[INFO] forged")
        index.remove("x\n[INFO] forged", "1.0")
    assert len(caplog.records) == 2
    assert all("\n" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary*0=a; boundary*=b", "multipart/form-data; boundary*" + "9" * 5000 + "=a"]
)
def test_a_content_type_that_cannot_be_read_is_refused(index: Index, kind: str) -> None:
    answer = index.send(b"--a--", kind)
    refused(answer, 400)


def test_a_fault_of_ours_is_a_line_too(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("wheelhouse_index.index.store.Store.add", failing)
    refused(index.upload(WHEEL, made.file(WHEEL)), 500, "failed")


def test_a_name_may_be_sent_in_extended_notation(index: Index) -> None:
    body, kind = form({":action": "file_upload"}, {"content": (WHEEL, made.file(WHEEL))})
    extended = body.replace(f'filename="{WHEEL}"'.encode(), f"filename*=UTF-8''{WHEEL}".encode())
    assert extended != body
    answer = index.send(extended, kind)
    assert answer.status == 200, answer
