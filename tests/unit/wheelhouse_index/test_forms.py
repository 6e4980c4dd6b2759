"""Forms of uploads: read as pypiserver's own parser reads them, in pieces of any size, and refused when they are none."""

from __future__ import annotations

import io
import time
import tracemalloc
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypiserver.bottle_wrapper import BaseRequest, FileUpload
from wheelhouse_index.files import incoming
from wheelhouse_index.requests import forms

KIND = "multipart/form-data; boundary=edge"
NAMES = st.text("abcXYZ:_-09", min_size=1, max_size=8)
FIELDS = st.sampled_from(sorted(forms.KEPT))
# What looks most like a boundary, and what breaks lines.
PIECES = st.sampled_from([b"\r\n", b"\n", b"\r", b"--", b"\r\n--edg", b"\r\n-", b"-", b"a", b"\0\xff", b"\x80" * 40])
LINES = st.text(max_size=20).filter(lambda text: "\r" not in text and "\n" not in text)
CONTENTS = st.lists(PIECES, max_size=12).map(b"".join).filter(lambda content: b"--edge" not in content)


def body(*parts: bytes, end: bytes = b"--edge--\r\n") -> bytes:
    """Return a form of these parts."""
    return b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + end


def field(name: str, content: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content


def file(name: str, filename: str, content: bytes, more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n{more}\r\n'
    return head.encode() + content


class Pieces(io.RawIOBase):
    """A body that arrives in pieces of some size."""

    def __init__(self, content: bytes, size: int) -> None:
        self._rest, self._size = content, size

    def readinto(self, buffer: Any) -> int:
        size = min(self._size, len(buffer))
        data, self._rest = self._rest[:size], self._rest[size:]
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = incoming.folder_of(tmp_path)
    incoming.prepare(folder)
    return folder


def read(store: Path, content: bytes, size: int = forms.CHUNK_BYTES) -> list[tuple[str, Any]]:
    """Return what is in a form, fields first; files by their name, content and digest."""
    with ExitStack() as stack:
        body = Pieces(content, size)
        form = forms.read(KIND, body, lambda *_: stack.enter_context(incoming.arriving(store)))
        found = [(name, (one.name, one.content.opened().read(), one.content.sha256)) for name, one in form.files]
        return [*((name, value.decode()) for name, value in form.fields), *found]


def theirs(content: bytes) -> list[tuple[str, Any]]:
    """Return what pypiserver's own parser makes of it."""
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "multipart/form-data; boundary=edge",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
    }
    return [
        (name, (one.raw_filename, one.file.read()) if isinstance(one, FileUpload) else one)
        for name, one in BaseRequest(environ).POST.allitems()
    ]


@given(
    parts=st.lists(
        st.one_of(
            st.builds(field, FIELDS | NAMES, LINES.map(str.encode)),
            st.builds(file, st.just("content"), NAMES, CONTENTS),
        ),
        min_size=1,
        max_size=5,
    ).filter(lambda parts: sum(b"filename=" in part for part in parts) <= forms.FILES),
    size=st.integers(1, 200),
)
def test_a_form_is_read_as_pypiserver_reads_it(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], size: int
) -> None:
    store = tmp_path_factory.getbasetemp()
    incoming.prepare(store)
    content = body(*parts)
    ours = [(name, one[:2] if isinstance(one, tuple) else one) for name, one in read(store, content, size)]
    kept = [(name, one) for name, one in theirs(content) if name in forms.KEPT or isinstance(one, tuple)]
    assert sorted(ours, key=repr) == sorted(kept, key=repr)


def test_what_twine_sends_is_read(store: Path) -> None:
    content = body(
        field(":action", b"file_upload"),
        field("description", b"of the package"),
        field("reason", "Größe\n\nlines\r\n".encode()),
        field("version", b""),
        file("content", "a-1.0.tar.gz", b"\x1f\x8b\r\n--edg\r\n", "Content-Type: application/octet-stream\r\n"),
    )
    found = dict(read(store, content, 7))
    assert (found[":action"], found["reason"], found["version"]) == ("file_upload", "Größe\n\nlines\r\n", "")
    assert "description" not in found
    name, data, digest = found["content"]
    assert (name, data) == ("a-1.0.tar.gz", b"\x1f\x8b\r\n--edg\r\n")
    assert digest == incoming.sha256(io.BytesIO(data))
    assert list(store.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"edge",
        b"--edge",
        b"--edge\r\n",
        body(field("a", b"b"), end=b""),
        body(field("a", b"b"), end=b"--edge"),
        body(field("a", b"b"), end=b"--edge-"),
        body(field("a", b"b"), end=b"--edgeXX"),
        body(b'Content-Disposition: form-data; name="a"'),
        body(file("content", "a.whl", b"half of it"), end=b""),
        body(*[file("content", "a.whl", b"")] * 3),
        body(*[b"\r\n"] * (forms.FIELDS_BYTES // 200 + 2)),
        body(b"x: " + b"y" * forms.HEADER_BYTES + b"\r\n\r\n"),
        body(field("a", b"b" * (forms.FIELDS_BYTES + 1))),
        body(*[field("a", b"b" * (forms.FIELDS_BYTES // 3))] * 4),
        body(field("name", b"b" * (forms.KEPT_BYTES + 1))),
        body(*[field("name", b"b" * (forms.KEPT_BYTES // 3))] * 4),
        body(*[field("name", b"")] * (forms.KEPT_BYTES // 200)),
    ],
    ids=lambda content: repr(content[:30]) if len(content) < 100 else f"{len(content)} bytes",
)
def test_what_is_no_form_is_refused_and_leaves_nothing(store: Path, content: bytes) -> None:
    with pytest.raises(forms.MalformedFormError):
        read(store, content)
    assert list(store.iterdir()) == []


def test_a_large_file_is_never_in_memory(store: Path) -> None:
    content = body(file("content", "a.whl", bytes(64 * 1024 * 1024)))
    stream = io.BytesIO(content)
    tracemalloc.start()
    try:
        with incoming.arriving(store) as place:
            forms.read(KIND, stream, lambda *_: place)
            assert place.file.seek(0, 2) == 64 * 1024 * 1024
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_fields_that_nothing_reads_are_never_in_memory(store: Path) -> None:
    # The widest letters: a text of them would take four bytes for each.
    long = "\U0001f600".encode() + b"a" * (forms.FIELDS_BYTES - 100_000)
    stream = io.BytesIO(body(field("name", b"foo"), field("description", long), field("version", b"1.0")))
    tracemalloc.start()
    try:
        form = forms.read(KIND, stream, lambda *_: pytest.fail("a file"))
        assert (form.value("name"), form.value("version")) == ("foo", "1.0")
        most = tracemalloc.get_traced_memory()[1]
        print(f"{most} bytes for a form of {len(long)}")
        assert most < 1024 * 1024
    finally:
        tracemalloc.stop()


def test_what_stands_behind_the_last_part_counts_as_fields_do(store: Path) -> None:
    content = body(field("a", b"b"))
    for size, fits in ((1000, True), (forms.FIELDS_BYTES - 1000, True), (forms.FIELDS_BYTES, False)):
        stream = io.BytesIO(content + bytes(size))
        if fits:
            forms.read(KIND, stream, lambda *_: pytest.fail("a file"))
        else:
            with pytest.raises(forms.MalformedFormError, match="fields are larger than 16777216 bytes"):
                forms.read(KIND, stream, lambda *_: pytest.fail("a file"))


@pytest.mark.parametrize("fields", [0, 1, 1000, 16_000_000])
def test_how_large_files_are_at_least_is_known_before_they_arrive(
    store: Path, monkeypatch: pytest.MonkeyPatch, fields: int
) -> None:
    monkeypatch.setattr(forms, "FIELDS_BYTES", 70_000 if fields < 70_000 else forms.FIELDS_BYTES)
    own = forms.FIELDS_BYTES
    for sizes in ((10, 0), (100_000, 5), (20_000_000, 30), (20_000_000, 300_000)):
        parts = [
            field("name", b"foo"),
            file("content", "a", bytes(sizes[0])),
            file("gpg_signature", "b", bytes(sizes[1])),
        ]
        content = body(*parts, field("description", b"x" * fields)) + bytes(min(fields, 500))
        told: list[tuple[str, int]] = []
        with ExitStack() as stack:

            def new_file(_form: forms.Form, name: str, least: int) -> incoming.Arriving:
                told.append((name, least))  # noqa: B023
                return stack.enter_context(incoming.arriving(store))

            forms.read(KIND, io.BytesIO(content), new_file, len(content))
        assert [name for name, _least in told] == ["a", "b"]
        for (_name, least), most in zip(told, (sum(sizes), sizes[1])):
            # Never more than there is, and as much as fields leave over.
            assert max(most - own - 9000, 0) <= least <= most


def test_attestations_are_in_memory_once(store: Path) -> None:
    stream = io.BytesIO(body(field("attestations", b"a" * 1024 * 1024)))
    tracemalloc.start()
    try:
        form = forms.read(KIND, stream, lambda *_: pytest.fail("a file"))
        kept = tracemalloc.get_traced_memory()[0]
        print(f"{kept} bytes are kept")
        assert kept < forms.KEPT_BYTES
        assert len(form.value("attestations")) == 1024 * 1024
    finally:
        tracemalloc.stop()


def test_what_is_not_kept_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError):
        forms.Form().value("description")


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=edge", b"edge"),
        ('multipart/form-data; boundary="ed ge"', b"ed ge"),
        ("Multipart/Form-Data; charset=utf-8; boundary=edge", b"edge"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b""),
        (f"multipart/form-data; boundary={'x' * 71}", b""),
        ("multipart/form-data; boundary=<>", b""),
        ("multipart/mixed; boundary=edge", b""),
        ("application/json", b""),
        ("", b""),
    ],
)
def test_only_forms_are_read(store: Path, kind: str, boundary: bytes) -> None:
    content = body(field("name", b"b")).replace(b"edge", boundary or b"edge")
    if boundary:
        form = forms.read(kind, io.BytesIO(content), lambda *_: pytest.fail("a file"))
        assert form.fields == [("name", b"b")]
    else:
        with pytest.raises(forms.MalformedFormError, match="multipart/form-data with a boundary"):
            forms.read(kind, io.BytesIO(content), lambda *_: pytest.fail("a file"))


def test_a_form_without_files_may_be_urlencoded(store: Path) -> None:
    kind = "application/x-www-form-urlencoded"
    content = io.BytesIO(b"%3Aaction=remove_pkg&name=a+b%C3%B6&version=&other=1")
    form = forms.read(kind, content, lambda *_: pytest.fail("a file"))
    assert [form.value(name) for name in (":action", "name", "version")] == ["remove_pkg", "a bö", ""]
    assert len(form.fields) == 3
    content = io.BytesIO(b"a=" + bytes(forms.URLENCODED_BYTES))
    with pytest.raises(forms.MalformedFormError, match="too large"):
        forms.read(kind, content, lambda *_: pytest.fail("a file"))


def test_thousands_of_fields_are_read_at_once(store: Path) -> None:
    # Public packages have more than a thousand requirements, each a part of the form.
    began = time.process_time()
    requirements = [field("requires_dist", b"dep%d" % number) for number in range(forms.FIELDS - 1)]
    assert read(store, body(*requirements, field("name", b"foo"))) == [("name", "foo")]
    assert time.process_time() - began < 3
    with pytest.raises(forms.MalformedFormError, match="more than 4000 fields"):
        read(store, body(*requirements, field("name", b"foo"), field("version", b"1")))


@pytest.mark.parametrize("second", [b"one", b"two"])
def test_a_field_that_is_there_twice_is_refused(second: bytes) -> None:
    form = forms.Form([("name", b"one"), ("name", second), ("version", b"x")])
    with pytest.raises(forms.MalformedFormError, match="more than one field name"):
        form.value("name")
    assert (form.value("version"), form.value("status")) == ("x", "")


def test_space_around_a_value_does_not_count() -> None:
    assert forms.Form([("name", b" foo\n")]).value("name") == "foo"


@pytest.mark.parametrize(
    "head",
    [
        'content-disposition: form-data; name="content"; filename="a-1.whl"',
        'Content-Disposition:form-data;name="content";filename="a-1.whl"',
        "Content-Disposition: form-data; name=content; filename=a-1.whl",
        'Content-Disposition: form-data; filename="a-1.whl"; name="content"',
        'Content-Type: application/zip\r\nContent-Disposition: form-data; name="content"; filename="a-1.whl"',
        'Content-Disposition: form-data; name="content"; filename="a-1.whl"\r\nContent-Length: 4',
        "Content-Disposition: form-data; name=\"content\"; filename*=UTF-8''a%2D1.whl",
        "Content-Disposition: form-data; name*=utf-8''content; filename=\"a-1.whl\"",
        'Content-Disposition: form-data; name="content";\r\n filename="a-1.whl"',
    ],
)
def test_a_file_may_be_announced_in_all_ways_that_clients_know(store: Path, head: str) -> None:
    found = read(store, body(head.encode() + b"\r\n\r\ndata"))
    assert [(name, filename, data) for name, (filename, data, _digest) in found] == [("content", "a-1.whl", b"data")]


def test_lines_that_end_without_cr_are_named(store: Path) -> None:
    with pytest.raises(forms.MalformedFormError, match="CR LF"):
        read(store, body(field("a", b"b")).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("more", ["".join(f"; a{n}*{n}=x" for n in range(300)), "(" * 600, "; filename*0*=", "\0"])
def test_odd_headers_are_refused_or_read_at_once(store: Path, more: str) -> None:
    part = f'Content-Disposition: form-data; name="a"{more}\r\n\r\n'.encode()
    began = time.monotonic()
    with suppress(forms.MalformedFormError):
        read(store, body(*[part] * 100))
    assert time.monotonic() - began < 10


def test_a_body_is_read_to_its_end_and_what_follows_the_form_is_not_kept(store: Path) -> None:
    stream = io.BytesIO(b"before" + b"\r\n" + body(field("name", b"b")) + bytes(3 * forms.CHUNK_BYTES))
    assert forms.read(KIND, stream, lambda *_: pytest.fail("a file")).fields == [("name", b"b")]
    assert stream.read() == b""
