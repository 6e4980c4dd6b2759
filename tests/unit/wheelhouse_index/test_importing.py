"""What the index does with files that are imported: the other side of the module import_packages."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages as made
from tests.support.index import Index, sha256
from tests.support.index_server import environment_of

WHEEL = "foo-1.0-py3-none-any.whl"
MTIME = 1_500_000_000_123_456_789


class Sender:
    """Whoever reads the folder that is imported.

    Attributes:
        done: what became of each file, and why, by path.
        stopped: why no more is taken.
    """

    def __init__(self, index: Index, *options: str) -> None:
        self.done: dict[str, tuple[str, str]] = {}
        self.stopped = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wheelhouse_index", "import", *options],
            env=environment_of(index.folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def offer(self, path: str, content: bytes, digest: str = "") -> None:
        """Offer a file."""
        offer = {"path": path, "size": len(content), "mtime_ns": MTIME, "sha256": digest or sha256(content)}
        self._write(json.dumps(offer).encode() + b"\n")
        if self._read().get("send"):
            self._write(content)
            self._read()

    def finish(self) -> int:
        """Have it end; return its exit code."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self.stopped:
            self._read()
        return self._process.wait()

    def _write(self, data: bytes) -> None:
        assert self._process.stdin
        # Where it has stopped reading, it has said why.
        with suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        answer = dict(json.loads(self._process.stdout.readline()))
        self.done |= {path: (became, why) for path, became, why in answer.get("done", [])}
        self.stopped = answer.get("stop", "")
        return answer


def imported(index: Index, *offers: tuple[str, bytes], options: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Import files; return what became of each, and why."""
    sender = Sender(index, *options)
    for path, content in offers:
        sender.offer(path, content)
    assert sender.finish() == 0
    return [sender.done[path] for path, _content in offers]


@pytest.mark.parametrize("name", [WHEEL, "foo-1.0.tar.gz", "foo-1.0.zip", "foo-1.0-py3.13.egg"])
def test_a_file_is_on_its_page_and_keeps_its_time(index: Index, name: str) -> None:
    content = made.file(name)
    assert imported(index, (f"team/{name}", content)) == [("imported", "")]
    assert index.listed("foo") == {name: sha256(content)}
    status = (index.packages / name).stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (MTIME, 0o600)
    assert imported(index, (name, content)) == [("present", "")]


def test_a_file_with_other_content_is_a_conflict_and_nothing_of_it_is_kept(index: Index) -> None:
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    before, respelt = index.stored(), "Foo-1.0.0-py3-none-any.whl"
    done = imported(index, (WHEEL, made.file(WHEEL, b"other")), (respelt, made.file(respelt, b"other")))
    assert done[0] == ("conflict", "the index has a file of this name with other content")
    assert done[1][0] == "conflict" and f"already exists as {WHEEL}" in done[1][1]
    assert index.stored() == before


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (WHEEL, b"no zip", f"{WHEEL} cannot be opened as a zip"),
        ("foo-1.0.tar.gz", made.file("foo-1.0.tar.gz")[:-20], "cannot be opened as a compressed tar"),
        (WHEEL, made.file("bar-1.0-py3-none-any.whl"), "holds bar 1.0: file name and metadata differ"),
        ("foo.whl", b"", "its name is not that of a distribution file"),
        ("a b-1.0.tar.gz", b"", "its name is not that of a distribution file"),
        ("\udcff-1.0.tar.gz", b"", "its name is not that of a distribution file"),
        (f"{WHEEL}.asc", b"signature", "the file that it signs was not imported"),
    ],
)
def test_what_is_no_good_file_is_refused_and_the_next_one_is_taken(
    index: Index, path: str, content: bytes, said: str
) -> None:
    good = "foo-0.9-py3-none-any.whl", made.file("foo-0.9-py3-none-any.whl")
    (became, why), *rest = imported(index, (path, content), good)
    assert became == "refused" and said in why, why
    assert rest == [("imported", "")]
    assert list(index.stored()) == [good[0]]


def test_a_file_that_changes_while_it_is_read_is_refused(index: Index) -> None:
    sender = Sender(index)
    sender.offer(WHEEL, made.file(WHEEL), digest=hashlib.sha256(b"before").hexdigest())
    assert sender.finish() == 0
    became, why = sender.done[WHEEL]
    assert became == "refused" and "changed while it was read" in why
    assert index.stored() == {}


def test_a_signature_follows_its_file_and_no_other(index: Index) -> None:
    offers = [(WHEEL, made.file(WHEEL)), (f"{WHEEL}.asc", b"signature")]
    offers += [(f"team/{WHEEL}", made.file(WHEEL, b"other")), (f"team/{WHEEL}.asc", b"another")]
    assert [became for became, _why in imported(index, *offers)] == ["imported", "imported", "conflict", "refused"]
    assert (index.packages / f"{WHEEL}.asc").read_bytes() == b"signature"
    assert [became for became, _why in imported(index, *offers)] == ["present", "present", "conflict", "refused"]


def test_files_of_a_project_are_published_together_and_each_is_accounted_for(index: Index) -> None:
    versions = [f"foo-{number}.0-py3-none-any.whl" for number in range(120)]
    contents = {name: made.file(name) for name in versions}
    # The same release in another spelling and with other content, another project between them, and the same file twice.
    respelt = "Foo-7.0.0-py3-none-any.whl"
    offers = [*contents.items(), (respelt, made.file(respelt, b"other")), ("bar-1.0.zip", made.file("bar-1.0.zip"))]
    offers += [("team/foo-7.0-py3-none-any.whl", contents["foo-7.0-py3-none-any.whl"])]
    done = imported(index, *offers)
    assert [became for became, _why in done] == ["imported"] * 120 + ["conflict", "imported", "present"]
    assert index.listed("foo") == {name: sha256(content) for name, content in contents.items()}
    assert index.said() == index.truth()


def test_what_comes_to_the_index_meanwhile_is_kept_and_the_rest_is_published(index: Index) -> None:
    names = [WHEEL, "foo-2.0-py3-none-any.whl", "foo-3.0-py3-none-any.whl"]
    sender = Sender(index)
    for name in names:
        sender.offer(name, made.file(name))
        sender.offer(f"{name}.asc", b"signature")
    theirs = made.file(names[1], b"uploaded meanwhile")
    assert index.upload(names[1], theirs).status == 200
    other = "Foo-3.0.0-py3-none-any.whl"
    (index.packages / other).write_bytes(made.file(names[2]))
    index.keeper.step()
    assert sender.finish() == 0
    became = {path: became for path, (became, _why) in sender.done.items()}
    assert became[names[0]] == became[f"{names[0]}.asc"] == "imported"
    assert (became[names[1]], became[f"{names[1]}.asc"]) == ("conflict", "refused")
    assert index.listed("foo")[names[1]] == sha256(theirs)
    assert sorted(index.listed("foo")) == sorted([other, *names[:2]])


def test_a_check_says_the_same_and_publishes_nothing(index: Index) -> None:
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    before = index.stored()
    sdist, respelt = made.file("foo-1.0.tar.gz"), made.file("Foo-1.0.0.tar.gz", b"other")
    offers = [
        (WHEEL, made.file(WHEEL)),
        (f"a/{WHEEL}", b"other"),
        ("foo-1.0.tar.gz", sdist),
        ("foo-1.0.tar.gz.asc", b"s"),
    ]
    offers += [("Foo-1.0.0.tar.gz", respelt), ("bar-1.0.zip", b"no zip"), ("bar-2.0.zip", made.file("bar-2.0.zip"))]
    wanted = ["present", "conflict", "imported", "imported", "conflict", "refused", "imported"]
    assert [became for became, _why in imported(index, *offers, options=("--check",))] == wanted
    assert index.stored() == before
    assert [became for became, _why in imported(index, *offers)] == wanted


def test_an_import_stops_where_the_disk_is_full_and_goes_on_later(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.keeper.step()
    small, large = made.file("bar-1.0.zip"), made.file("large-1.0.tar.gz", os.urandom(3_000_000))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that grows beyond it is answered as a full disk is (EFBIG).
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        sender = Sender(index)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    sender.offer("bar-1.0.zip", small)
    sender.offer("foo-1.0.zip", made.file("foo-1.0.zip"))
    sender.offer("large-1.0.tar.gz", large)
    assert "Make room, then import again" in sender.stopped
    assert sender.finish() == 1
    assert sender.done == {"bar-1.0.zip": ("imported", "")}
    assert list(index.stored()) == ["bar-1.0.zip"]
    again = imported(index, ("bar-1.0.zip", small), ("large-1.0.tar.gz", large))
    assert again == [("present", ""), ("imported", "")]


def test_a_project_that_is_closed_while_its_files_arrive_ends_no_import(index: Index) -> None:
    first = "foo-0.9-py3-none-any.whl"
    assert index.upload(first, made.file(first)).status == 200
    sender = Sender(index)
    sender.offer(WHEEL, made.file(WHEEL))
    assert index.ask("set_status", name="foo", status="archived").status == 200
    other = "bar-1.0-py3-none-any.whl"
    sender.offer(other, made.file(other))
    sender.finish()
    assert sender.stopped == ""
    assert sender.done[other] == ("imported", "")
    became, why = sender.done[WHEEL]
    assert became == "refused" and "foo is archived" in why
