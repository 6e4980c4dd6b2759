"""What no client can install: uploads of it are refused in a line, with nothing stored; copies and imports are reported."""

from __future__ import annotations

import codecs
import io
import json
import re
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from tests.support import packages as made
from tests.support.attestations import attestation
from tests.support.index import Index, listed, sha256
from tests.support.index_server import Server
from tests.support.long import only_long
from tests.unit.wheelhouse_index.test_changes import refused
from tests.unit.wheelhouse_index.test_importing import imported

WHEEL = "foo-1.0-py3-none-any.whl"
LATIN = "Author: Andr\u00e9\n".encode("latin-1")


def sdist(name: str, members: dict[str, bytes]) -> bytes:
    """Return an sdist with these members, as its suffix says."""
    target = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(target, "w") as archive:
            for path, data in members.items():
                archive.writestr(path, data)
        return target.getvalue()
    mode = {"gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}[name.rpartition(".")[2]]
    with tarfile.open(fileobj=target, mode=mode) as packed:  # type: ignore[call-overload]
        for path, data in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return target.getvalue()


def wheel(core: bytes) -> bytes:
    """Return a wheel of foo 1.0 with these metadata."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in (("METADATA", core), ("WHEEL", b"Wheel-Version: 1.0\n"), ("RECORD", b"")):
            archive.writestr(f"foo-1.0.dist-info/{path}", data)
    return target.getvalue()


# What is refused as an upload, and taken as a copy or an import: file name, content, words of the reason.
DOUBTFUL = [
    pytest.param("foo-1.0-3.9-none-any.whl", made.file("foo-1.0-3.9-none-any.whl"), "tags that do not parse",
                 id="a number for a Python"),
    pytest.param("foo-1.0-1-none-any-x.whl", made.file("foo-1.0-1-none-any-x.whl"), "tags that do not parse",
                 id="a build tag and no Python"),
    pytest.param("foo-1.0-py3-none-.whl", made.file("foo-1.0-py3-none-.whl"), "tags that do not parse", id="no platform"),
    pytest.param("foo-1.0-py3.-none-any.whl", made.file("foo-1.0-py3.-none-any.whl"), "tags that do not parse",
                 id="a set with nothing in it"),
    pytest.param("foo-1.0-py3-no+ne-any.whl", made.file("foo-1.0-py3-no+ne-any.whl"), "tags that do not parse",
                 id="a sign in a tag"),
    pytest.param("foo-1.0-cp39-cp39-linux-x86_64.whl", made.file("foo-1.0-cp39-cp39-linux-x86_64.whl"),
                 "tags that do not parse", id="half a platform"),
    pytest.param("foo-1.0-py2-py3-none-any.whl", made.file("foo-1.0-py2-py3-none-any.whl"), "tags that do not parse",
                 id="two Pythons"),
    pytest.param("foo-trunk.tar.gz", made.file("foo-trunk.tar.gz"), "'trunk' is not a valid version (PEP 440)", id="no number"),
    pytest.param("pytz-2005k.zip", made.file("pytz-2005k.zip"), "'2005k' is not a valid version", id="from before PEP 440"),
    pytest.param("foo-1.0dev_r12-py3-none-any.whl", made.file("foo-1.0dev_r12-py3-none-any.whl", release=("foo", "1.0dev-r12")),
                 "'1.0dev-r12' is not a valid version", id="a wheel of a revision"),
    pytest.param("foo-1.0_1-py3-none-any.whl", made.file("foo-1.0_1-py3-none-any.whl"), "'1.0_1' is not a valid version",
                 id="metadata with a wheel's spelling"),
    pytest.param("foo-1.0.tar.gz", sdist("foo-1.0.tar.gz", {"foo-1.0/setup.py": b""}), "no PKG-INFO", id="no PKG-INFO"),
    pytest.param("foo-1.0.tar.bz2", sdist("foo-1.0.tar.bz2", {"foo-1.0/foo.egg-info/PKG-INFO": made.metadata("foo", "1.0")}),
                 "no PKG-INFO", id="PKG-INFO further down"),
    pytest.param("foo-1.0.zip", sdist("foo-1.0.zip", {"foo-1.0/setup.py": b""}), "no PKG-INFO", id="a zip without"),
    pytest.param("foo-1.0.tgz", sdist("foo-1.0.tgz", {"foo-1.0/PKG-INFO": b"Name: foo\n"}), "no PKG-INFO", id="no version"),
    pytest.param(WHEEL, wheel(made.metadata("foo", "1.0") + LATIN), "not UTF-8", id="a wheel in Latin-1"),
    pytest.param(WHEEL, wheel(made.metadata("foo", "1.0") + b"\n\xff\xfe"), "not UTF-8", id="a description of bytes"),
    pytest.param("foo-1.0.tar.gz", sdist("foo-1.0.tar.gz", {"foo-1.0/PKG-INFO": made.metadata("foo", "1.0") + LATIN}),
                 "not UTF-8", id="an sdist in Latin-1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words"), DOUBTFUL)
def test_what_no_client_can_install_is_refused_and_nothing_of_it_is_stored(
    index: Index, name: str, content: bytes, words: str
) -> None:
    refused(index.upload(name, content), 400, name, words)
    refused(index.upload(name, content, {"User-Agent": "twine/7.0.0"}, name="foo", version="1.0"), 400)
    assert (index.stored(), index.projects(), list(index.logs.iterdir())) == ({}, set(), [])
    kept = index.packages / ".wheelhouse"
    assert [path for folder in ("names", "files") for path in kept.glob(f"{folder}/*")] == []


@pytest.mark.parametrize(("name", "content", "words"), DOUBTFUL)
def test_a_copy_of_it_is_on_its_page_and_the_log_says_so_once(
    index: Index, name: str, content: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    (index.packages / name).write_bytes(content)
    for _ in range(3):
        index.look()
    (project,) = index.projects()
    assert index.listed(project) == {name: sha256(content)}
    (line,) = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert words in line and "\n" not in line
    assert line.startswith(f"{name} stays as it is, and no client can install it: ")


def batches() -> list[list[tuple[str, bytes, str]]]:
    """Return the cases in a few lists, each without two files of a name, or two sdists of a release."""
    found: list[dict[str, tuple[str, bytes, str]]] = []
    for case in DOUBTFUL:
        name, content, words = case.values
        assert isinstance(name, str) and isinstance(content, bytes) and isinstance(words, str)
        key = name if name.endswith(".whl") else re.sub(r"(\.tar)?\.\w+$", "", name)
        batch = next((one for one in found if key not in one), None)
        if batch is None:
            found.append(batch := {})
        batch[key] = (name, content, words)
    return [list(batch.values()) for batch in found]


@pytest.mark.parametrize("batch", batches(), ids=lambda batch: f"{len(batch)} files")
def test_they_are_imported_and_reported(index: Index, batch: list[tuple[str, bytes, str]]) -> None:
    offers = [(name, content) for name, content, _words in batch]
    for options in (("--check",), ()):
        for (became, why), (name, _content, words) in zip(
            imported(index, *offers, options=options), batch, strict=True
        ):
            assert (became, words in why) == ("imported", True), (name, why)
    assert index.stored() == dict(offers)
    # They were reported.
    assert imported(index, *offers) == [("present", "")] * len(offers)
    for name, content in offers:
        again = index.upload(name, content)
        assert (again.status, again.text) == (200, f"Nothing to do: {name} already exists with this content.\n")


@pytest.mark.parametrize("way", ["copied", pytest.param("imported", marks=only_long)])
@pytest.mark.parametrize(("name", "content", "words"), DOUBTFUL)
def test_the_same_bytes_may_be_uploaded_again(index: Index, name: str, content: bytes, words: str, way: str) -> None:
    if way == "copied":
        (index.packages / name).write_bytes(content)
    else:
        imported(index, (name, content))
    again = index.upload(name, content)
    assert (again.status, again.text) == (200, f"Nothing to do: {name} already exists with this content.\n")
    # Neither a look of the keeper nor a removal changes that.
    index.look()
    attested = index.upload(name, content, attestations=json.dumps([attestation(name, content)]))
    assert (attested.status, attested.text.partition(" to ")[0]) == (200, "Added its attestations"), attested
    assert index.remove(filename=name).status == 200
    assert index.stored() == {}
    back = index.upload(name, content)
    assert (back.status, back.text) == (200, f"Published {name}.\n"), back
    assert index.stored() == {name: content}


def test_other_bytes_of_that_name_are_refused_as_before(index: Index) -> None:
    name, members = "foo-1.0.tar.gz", {"foo-1.0/setup.py": b""}
    (index.packages / name).write_bytes(sdist(name, members))
    index.look()
    other = sdist(name, {**members, "foo-1.0/more.py": b""})
    refused(index.upload(name, other), 400, "no PKG-INFO")
    assert index.remove(filename=name).status == 200
    refused(index.upload(name, other), 400, "no PKG-INFO")
    assert index.stored() == {}


NAMES = ["foo-banana-py3-none-any.whl", "foo.tar.gz", "-1.0.tar.gz", "_-1.0.zip", "foo-1.0.whl", "foo 1-1.0.zip",
         "\u00fcbung-1.0.tar.gz", "foo-bar-py3-none-any.whl", "-1.0.tar.gz.asc"]  # fmt: skip


def test_copies_that_are_not_called_as_distribution_files_are_reported_once(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    (index.packages / "team").mkdir()
    for name in (*NAMES, "notes.txt", ".foo-1.0.zip", ".foo.tar.gz.Xy12", "foo-1.0.ZIP"):
        (index.packages / "team" / name).write_bytes(b"x")
    for _ in range(3):
        index.look()
    said = [record.getMessage() for record in caplog.records if "is on no page" in record.getMessage()]
    assert sorted(line.partition(" is on no page: it is not called")[0] for line in said) == sorted(
        f"team/{name}".replace("\u00fc", "?") for name in NAMES
    )
    assert index.projects() == set()


def test_of_thousands_some_are_named(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(30):
        (index.packages / f"-{number}.zip").touch()
    index.look()
    assert [record.getMessage() for record in caplog.records][-1] == "And so are 10 files more"
    assert sum("is on no page" in record.getMessage() for record in caplog.records) == 20


def test_a_broken_copy_is_reported(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    broken, renamed = "foo-1.0-py3-none-any.whl", "bar-1.0.tar.gz"
    (index.packages / broken).write_bytes(sdist("a.zip", {"foo-1.0.dist-info/METADATA": made.metadata("foo", "1.0")}))
    (index.packages / renamed).write_bytes(made.file("foo-1.0.tar.gz"))
    index.look()
    assert index.projects() == {"foo", "bar"}
    assert f"{broken} stays as it is" in caplog.text and "exactly one file WHEEL" in caplog.text
    assert f"{renamed} stays as it is" in caplog.text and "file name and metadata differ" in caplog.text


# What publishers send, today or years ago, and what is to come.
GOOD: list[tuple[str, bytes]] = [
    *((name, made.file(name)) for name in (
        "foo-1.0-1-cp39.cp310-abi3.none-macosx_10_9_x86_64.macosx_11_0_arm64.whl",
        "foo-1.0-20240101_g12-py2.py3-none-any.whl",
        "foo-1.0-cp313-cp313t-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "foo-1.0-cp39-cp39-linux_x86_64.whl",
        "foo-1.0-pp310-pypy310_pp73-win_amd64.whl",
        "foo-1.0-graalpy311-graalpy242_311_native-musllinux_1_2_aarch64.whl",
        "foo-1.0-cp315-cp315t-emscripten_4_0_9_wasm32.whl",
        "foo-1.0-cp313-cp313-linux_x86_64-cu128.whl",
        "foo-1.0-1-cp313-cp313-linux_x86_64-x86_64_v3.whl",
        "foo-1.0-1+cu118-py3-none-any.whl",
        "foo-1.0+local.1-py3-none-any.whl",
        "foo-1!2.0rc1.post2.dev3-py3-none-any.whl",
        "Foo.Bar-1.0-py3-none-any.whl",
        "foo-1.0-py3.13.egg",
        "Foo.Bar-1.0.zip",
        "foo-bar-v1.0rc1.tgz",
        "FOO-1.0.tar.bz2",
    )),
    ("foo-1.0.tar.gz", sdist("foo-1.0.tar.gz", {"./foo-1.0/PKG-INFO": made.metadata("foo", "1.0")})),
    ("foo_bar-1.0.0.tar.gz", sdist("x.tar.gz", {"Foo.Bar-1.0/PKG-INFO": made.metadata("Foo.Bar", "1.0")})),
    ("foo-1.0.tar.xz", sdist("x.tar.xz", {"any-folder/PKG-INFO": made.metadata("foo", "1.0")})),
    ("foo-1.0.tar.gz", sdist("x.tar.gz", {"PKG-INFO": made.metadata("foo", "1.0"), "setup.py": b""})),
    ("foo-1.0.zip", sdist("foo-1.0.zip", {f"./{it}-1.0/PKG-INFO": made.metadata(it, "1.0") for it in ("bar", "foo")})),
    ("foo-1.0.tgz", sdist("foo-1.0.tgz", {"foo-1.0/PKG-INFO": codecs.BOM_UTF8 + made.metadata("foo", "1.0")})),
    (WHEEL, wheel(b"Metadata-Version: 2.6\nName: foo\nVersion: 1.0\nTomorrow: yes\nAuthor: Andr\xc3\xa9\n\n\xe2\x98\x83")),
    (WHEEL, wheel(b"Metadata-Version: 99.1\nName: foo\nVersion: 1.0.0\n")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), GOOD, ids=[name for name, _content in GOOD])
def test_what_publishers_send_is_taken(index: Index, name: str, content: bytes) -> None:
    answer = index.upload(name, content)
    assert answer.status == 200, answer
    assert index.stored() == {name: content}


def test_servers_refuse_it_and_say_once_what_was_copied(tmp_path: Path) -> None:
    copies = {name: content for case in DOUBTFUL for name, content in [case.values[:2]] if isinstance(name, str)}
    with Server(tmp_path, environment={"WHEELHOUSE_FRESHNESS_SECONDS": "0.5"}) as server:
        for case in DOUBTFUL:
            name, content, words = case.values
            answer = server.upload(str(name), content)  # type: ignore[arg-type]
            assert (answer.status, answer.text) == (400, f"{answer.reason}\n") and str(words) in answer.text, answer
        assert not [path for path in server.packages.iterdir() if path.is_file()]
        for name, content in copies.items():
            (server.packages / name).write_bytes(content)  # type: ignore[arg-type]
        good = "last-1.0.tar.gz"
        (server.packages / good).write_bytes(made.file(good))
        until = time.monotonic() + 20
        while time.monotonic() < until and (
            not listed(server.pages, "last") or len(listed(server.pages, "foo")) < len(copies) - 1
        ):
            time.sleep(0.2)
        assert set(listed(server.pages, "foo")) == set(copies) - {"pytz-2005k.zip"}
        # Looks that follow say nothing more.
        time.sleep(2)
        lines = server.log.read_text().splitlines()
    for name in copies:
        said = [line for line in lines if f"{name} stays as it is, and no client can install it" in line]
        assert len(said) == 1, (name, said)
