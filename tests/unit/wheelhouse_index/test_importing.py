"""What the index does with files that are imported: the other side of the module import_packages."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages as made
from tests.support.index import Index, sha256
from tests.support.index_server import EXTENSION

WHEEL = "foo-1.0-py3-none-any.whl"
MTIME = 1_500_000_000_123_456_789


class Sender:
    """Whoever reads the folder that is imported."""

    def __init__(self, index: Index, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wheelhouse_index", "import", *options],
            env={
                **os.environ,
                "PYTHONPATH": str(EXTENSION),
                "WHEELHOUSE_PACKAGES": str(index.packages),
                "WHEELHOUSE_INDEX": str(index.pages),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def offer(self, path: str, content: bytes, digest: str = "") -> tuple[str, str]:
        """Offer a file; return what became of it, and why."""
        offer = {"path": path, "size": len(content), "mtime_ns": MTIME, "sha256": digest or sha256(content)}
        answer = self._ask(json.dumps(offer).encode() + b"\n")
        if answer.get("send"):
            answer = self._ask(content)
        return answer.get("became", "stopped"), answer.get("why", answer.get("stop"))

    def _ask(self, data: bytes) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        # Where it has stopped reading, it has said why.
        with suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def finish(self) -> int:
        """Have it end; return its exit code."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait()


@pytest.fixture
def index(in_memory: Path) -> Index:
    found = Index(in_memory)
    found.keeper.step()
    return found


@pytest.fixture
def sender(index: Index) -> Iterator[Sender]:
    sender = Sender(index)
    yield sender
    assert sender.finish() == 0


def state(index: Index) -> dict[str, bytes]:
    """Return all files of packages/, hidden ones included."""
    return {str(path): path.read_bytes() for path in index.packages.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [WHEEL, "foo-1.0.tar.gz", "foo-1.0.zip", "foo-1.0-py3.13.egg"])
def test_a_file_is_on_its_page_at_once_and_keeps_its_time(index: Index, sender: Sender, name: str) -> None:
    content = made.file(name)
    assert sender.offer(f"team/{name}", content) == ("imported", "")
    assert index.listed("foo") == {name: sha256(content)}
    status = (index.packages / name).stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (MTIME, 0o600)
    assert sender.offer(name, content) == ("present", "")


def test_a_file_with_other_content_is_a_conflict_and_nothing_of_it_is_kept(index: Index, sender: Sender) -> None:
    content = made.file(WHEEL)
    assert index.upload(WHEEL, content).status == 200
    before = state(index)
    became, why = sender.offer(WHEEL, made.file(WHEEL, b"other"))
    assert (became, why) == ("conflict", "the index has a file of this name with other content")
    became, why = sender.offer("Foo-1.0.0-py3-none-any.whl", made.file("Foo-1.0.0-py3-none-any.whl", b"other"))
    assert became == "conflict" and f"already exists as {WHEEL}" in why
    assert sender.offer("foo-2.0-py3-none-any.whl", made.file("foo-2.0-py3-none-any.whl")) == ("imported", "")
    (index.packages / "foo-2.0-py3-none-any.whl").unlink()
    assert state(index) == before


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (WHEEL, b"no zip", f"{WHEEL} cannot be opened as a zip"),
        ("foo-1.0.tar.gz", made.file("foo-1.0.tar.gz")[:-20], "cannot be opened as a compressed tar"),
        (WHEEL, made.file("bar-1.0-py3-none-any.whl"), "holds bar 1.0: name and content differ"),
        ("foo.whl", b"", "its name is not that of a distribution file"),
        ("a b-1.0.tar.gz", b"", "its name is not that of a distribution file"),
        ("\udcff-1.0.tar.gz", b"", "its name is not that of a distribution file"),
        (f"{WHEEL}.asc", b"signature", "the file that it signs was not imported"),
    ],
)
def test_what_is_no_good_file_is_refused(index: Index, sender: Sender, path: str, content: bytes, said: str) -> None:
    before = state(index)
    became, why = sender.offer(path, content)
    assert became == "refused" and said in why, why
    assert state(index) == before


def test_a_file_that_changes_while_it_is_read_is_refused(index: Index, sender: Sender) -> None:
    became, why = sender.offer(WHEEL, made.file(WHEEL), digest=hashlib.sha256(b"before").hexdigest())
    assert became == "refused" and "changed while it was read" in why
    assert sender.offer(WHEEL, made.file(WHEEL)) == ("imported", "")


def test_a_signature_follows_its_file_and_no_other(index: Index, sender: Sender) -> None:
    content = made.file(WHEEL)
    assert sender.offer(WHEEL, content) == ("imported", "")
    assert sender.offer(f"{WHEEL}.asc", b"signature") == ("imported", "")
    assert sender.offer(f"{WHEEL}.asc", b"signature") == ("present", "")
    assert (index.packages / f"{WHEEL}.asc").read_bytes() == b"signature"
    assert sender.offer(f"team/{WHEEL}", made.file(WHEEL, b"other"))[0] == "conflict"
    assert sender.offer(f"team/{WHEEL}.asc", b"another")[0] == "refused"


def test_a_check_says_the_same_and_publishes_nothing(index: Index) -> None:
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    before = state(index)
    sender = Sender(index, "--check")
    sdist, respelt = made.file("foo-1.0.tar.gz"), made.file("Foo-1.0.0.tar.gz", b"other")
    offers = [(WHEEL, made.file(WHEEL)), (WHEEL, b"other"), ("foo-1.0.tar.gz", sdist), ("foo-1.0.tar.gz.asc", b"s")]
    offers += [("team/foo-1.0.tar.gz", sdist), ("Foo-1.0.0.tar.gz", respelt), ("bar-1.0.zip", b"no zip")]
    assert [sender.offer(*one)[0] for one in offers] == [
        "present", "conflict", "imported", "imported", "imported", "conflict", "refused"
    ]  # fmt: skip
    assert sender.finish() == 0
    assert state(index) == before


def test_an_import_stops_where_the_disk_is_full_and_goes_on_later(tmp_path: Path) -> None:
    import resource

    index = Index(tmp_path)
    index.keeper.step()
    small, large = made.file(WHEEL), made.file("large-1.0.tar.gz", os.urandom(3_000_000))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that grows beyond it is answered as a full disk is (EFBIG).
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        sender = Sender(index)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sender.offer(WHEEL, small) == ("imported", "")
    became, why = sender.offer("large-1.0.tar.gz", large)
    assert (became, "Make room, then import again" in why) == ("stopped", True)
    assert sender.finish() == 1
    assert sorted(path.name for path in index.packages.rglob("*") if path.is_file()) == [WHEEL]
    again = Sender(index)
    assert [again.offer(WHEEL, small)[0], again.offer("large-1.0.tar.gz", large)[0]] == ["present", "imported"]
    assert again.finish() == 0
