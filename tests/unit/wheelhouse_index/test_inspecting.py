"""What ``inspect`` finds: nothing where files, facts and pages agree, and each fault by its kind; it changes nothing."""

from __future__ import annotations

import errno
import gzip
import json
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from wheelhouse_index.commands import inspecting
from wheelhouse_index.files import incoming

from tests.support import packages as made
from tests.support.index import Index
from tests.support.index_server import program
from tests.unit.wheelhouse_index.test_yanking import everything

FOO, SDIST, BAR = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "bar-1.0-py3-none-any.whl"


@pytest.fixture
def index(in_memory: Path) -> Index:
    found = Index(in_memory)
    for name in (FOO, SDIST, BAR):
        assert found.upload(name, made.file(name)).status == 200
    found.keeper.step()
    return found


def inspected(index: Index, most: int | None = None) -> dict[str, Any]:
    before = everything(index)
    found = inspecting.inspected(index.settings, most, lambda _seconds: None)
    assert everything(index) == before
    return found


def alter(path: Path) -> None:
    """Change a byte of a file, and nothing else of it."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def alter_page(index: Index) -> None:
    page = index.pages / "simple/foo/index.html"
    page.write_text(page.read_text().replace("#sha256=", "#sha256=00"))
    page.with_name("index.html.gz").write_bytes(gzip.compress(page.read_bytes()))


def other_record(index: Index) -> None:
    record = index.packages / f".wheelhouse/files/foo/{FOO}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "sha256": "0" * 64}))


def unlisted(index: Index) -> None:
    (index.packages / "foo-2.0-py3-none-any.whl").write_bytes(b"no archive")


def compressed(page: str, content: bytes) -> Callable[[Index], Any]:
    """Write another compressed page beside one that is right, as pip and uv are served."""
    return lambda index: (index.pages / f"simple/{page}.gz").write_bytes(content)


def shorter_lists(index: Index) -> None:
    for page, name in (("index.html", '    <a href="foo/">foo</a><br>\n'), ("index.json", ',{"name":"foo"}')):
        path = index.pages / "simple" / page
        assert name in path.read_text()
        path.write_text(path.read_text().replace(name, ""))
        path.with_name(f"{page}.gz").write_bytes(gzip.compress(path.read_bytes()))


# Damaged pages: what is done to the index, and what is named.
DAMAGES: list[tuple[Callable[[Index], Any], str]] = [
    (compressed("foo/index.html", b""), "foo (index.html.gz differs from index.html)"),
    (compressed("foo/index.json", gzip.compress(b"{}")), "foo (index.json.gz differs from index.json)"),
    (compressed("foo/index.json", gzip.compress(b"{}" * 99)[:20]), "foo ("),
    (compressed("index.json", b"no gzip"), "the list of projects ("),
    (shorter_lists, "the list of projects (without foo)"),
    (lambda index: (index.pages / f"packages/{FOO}.metadata").unlink(), f"{FOO}.metadata"),
    (lambda index: alter(index.pages / f"packages/{FOO}.metadata"), f"{FOO}.metadata"),
]
# By kind: what is done to the index, and what is named.
FAULTS: dict[str, tuple[Callable[[Index], Any], str]] = {
    "facts unusable": (lambda index: (index.packages / ".wheelhouse/format").write_text("{}"), "format cannot be used"),
    "file altered": (lambda index: alter(index.packages / FOO), FOO),
    "file missing": (lambda index: (index.packages / FOO).unlink(), FOO),
    "page missing": (lambda index: (index.pages / "simple/foo/index.html").unlink(), "foo"),
    "page damaged": (alter_page, "foo (HTML and JSON list different files)"),
    "file on no page": (unlisted, "foo-2.0-py3-none-any.whl"),
    "fact damaged": (lambda index: (index.packages / f".wheelhouse/files/foo/{FOO}.json").write_text("{"), FOO),
    "fact differs": (other_record, FOO),
    "fact missing": (lambda index: (index.packages / f".wheelhouse/files/foo/{FOO}.json").unlink(), FOO),
    "name not claimed": (lambda index: (index.packages / ".wheelhouse/names/foo").unlink(), "foo"),
}


def test_where_all_agrees_nothing_is_found(index: Index) -> None:
    done = program(index.folder, "inspect")
    assert done.returncode == 0, done.stderr
    size = sum((index.packages / name).stat().st_size for name in (FOO, SDIST, BAR))
    assert json.loads(done.stdout) == {
        "files": 3, "projects": 2, "bytes": size, "hashed": 3, "hashed_bytes": size, "problems": {}, "requests": {}, "nodes": {},
    }  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_found_and_nothing_else_is(index: Index, kind: str) -> None:
    change, named = FAULTS[kind]
    change(index)
    found = inspected(index)["problems"]
    assert list(found) == [kind]
    assert found[kind]["count"] == 1
    assert named in found[kind]["some"][0]


@pytest.mark.parametrize(("change", "named"), DAMAGES)
def test_what_clients_are_served_is_compared_and_a_rebuild_mends_it(
    index: Index, change: Callable[[Index], Any], named: str
) -> None:
    change(index)
    found = inspected(index)["problems"]
    assert list(found) == ["page damaged"]
    assert found["page damaged"]["count"] == 1
    assert named in found["page damaged"]["some"][0]
    done = program(index.folder, module="wheelhouse_index.rebuild")
    assert done.returncode == 0, done.stderr
    assert inspected(index)["problems"] == {}


def test_a_list_of_projects_that_is_missing_is_found(index: Index) -> None:
    (index.pages / "simple/index.json").unlink()
    assert inspected(index)["problems"] == {"page missing": {"count": 1, "some": ["the list of projects"]}}


@pytest.mark.parametrize("kind", ["page missing", "page damaged", "fact missing", "name not claimed"])
def test_a_rebuild_is_the_remedy(index: Index, kind: str) -> None:
    FAULTS[kind][0](index)
    done = program(index.folder, module="wheelhouse_index.rebuild")
    assert done.returncode == 0, done.stderr
    assert inspected(index)["problems"] == {}


def test_what_a_disk_cannot_read_is_found(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, listed = incoming.sha256, os.scandir

    def read(file: BinaryIO) -> str:
        if file.name.endswith(FOO):
            raise OSError(errno.EIO, "Input/output error")
        return whole(file)

    def scandir(folder: Any) -> Any:
        if str(folder).endswith("team"):
            raise OSError(errno.EIO, "Input/output error")
        return listed(folder)

    (index.packages / "team").mkdir()
    monkeypatch.setattr(incoming, "sha256", read)
    monkeypatch.setattr(os, "scandir", scandir)
    expected = {"unreadable folder": {"count": 1, "some": ["team"]}, "file unreadable": {"count": 1, "some": [FOO]}}
    assert inspected(index)["problems"] == expected
    assert {*FAULTS, *expected} == set(inspecting.KINDS)


def test_all_pages_of_a_project_are_missing(index: Index) -> None:
    for page in (index.pages / "simple/foo").iterdir():
        page.unlink()
    (index.pages / "simple/foo").rmdir()
    assert inspected(index)["problems"] == {"page missing": {"count": 1, "some": ["foo"]}}


def test_an_altered_file_that_the_index_took_off_its_page_is_altered(index: Index) -> None:
    (index.packages / FOO).write_bytes(made.file(FOO, b"other"))
    index.look()
    assert FOO not in index.listed("foo")
    assert inspected(index)["problems"] == {"file altered": {"count": 1, "some": [FOO]}}


def test_what_is_settled_meanwhile_is_no_problem(index: Index) -> None:
    (index.packages / FOO).unlink()
    assert inspecting.inspected(index.settings, None, lambda _seconds: index.look())["problems"] == {}


def test_of_two_looks_one_is_in_memory(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[weakref.ref[Any]] = []

    class Look(inspecting.Inspection):
        def __init__(self, *arguments: Any) -> None:
            assert [look() for look in looks if look()] == []
            looks.append(weakref.ref(self))
            super().__init__(*arguments)

    monkeypatch.setattr(inspecting, "Inspection", Look)
    (index.packages / FOO).unlink()
    assert list(inspected(index)["problems"]) == ["file missing"]
    assert len(looks) == 2


def test_a_quarantined_project_and_signatures_are_no_problem(index: Index) -> None:
    (index.packages / f"{BAR}.asc").write_text("-----BEGIN PGP SIGNATURE-----\n")
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    index.look()
    found = inspected(index)
    assert (found["problems"], found["projects"]) == ({}, 2)


def test_a_sample_is_bounded_in_bytes(index: Index) -> None:
    small, large = (
        (index.packages / BAR).stat().st_size,
        sum(path.stat().st_size for path in index.packages.glob("*.*")),
    )
    assert inspected(index, most=0)["hashed"] == 0
    assert 0 < inspected(index, most=small)["hashed_bytes"] <= small
    assert inspected(index, most=large)["hashed"] == 3
    # What pages contradict is read in any case.
    (index.packages / FOO).write_bytes(made.file(FOO, b"other"))
    index.look()
    assert list(inspected(index, most=0)["problems"]) == ["file altered"]


def test_requests_are_counted_by_lines_that_nginx_has_written(index: Index) -> None:
    line = (
        '{{"time":"2026-11-28T10:00:00+00:00","client":"192.0.2.7","user":"","method":"GET","route":"public","uri":"/",'
        '"status":{},"bytes":0,"received":1,"seconds":0.0,"upstream_seconds":"",{}"verdict":"","agent":"\\"rule\\":\\"busy\\""}}\n'
    )
    public = '"cache":"MISS","rule":"{}",'
    lines = [
        line.format(200, ""),
        line.format(502, public.format("upstream")),
        line.format(503, public.format("busy")),
        line.format(500, public.format("")),
        line.format(504, ""),
        line.format(507, ""),
        line.format(403, public.format("denied")),
    ]
    (index.logs / "access.log").write_text("".join(lines))
    assert inspected(index)["requests"] == {
        "all": 7,
        "failed": 2,
        "full": 1,
        "refused": {"upstream": 1, "busy": 1, "denied": 1},
    }
