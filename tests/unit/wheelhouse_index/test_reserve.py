"""What uploads leave free on the disk: 507 with a line where they would leave less, and all else goes on."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from wheelhouse_index.index.reserve import Reserve

from tests.support import packages as made
from tests.support.index import Answer, Index, form

MEGABYTE = 1024 * 1024
BLOCK = 4096
WHEEL, BIG, SIGNED = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl", "foo-3.0-py3-none-any.whl"


class Disk:
    """A disk of 100 MB, of which so much is free beside what is being written."""

    def __init__(self, packages: Path, free: int) -> None:
        self.packages = packages
        self.free = free

    def statvfs(self, _path: object) -> SimpleNamespace:
        written = sum(path.stat().st_size for path in (self.packages / ".incoming").iterdir())
        return SimpleNamespace(
            f_bavail=(self.free - written) // BLOCK, f_frsize=BLOCK, f_blocks=100 * MEGABYTE // BLOCK
        )


@pytest.fixture
def disk(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk(in_memory / "packages", 12 * MEGABYTE)
    monkeypatch.setattr(os, "statvfs", found.statvfs)
    return found


def refused(answer: Answer, name: str, free: str, kept: str = "10 MiB") -> None:
    reason = (
        f"{name} does not fit on the disk of this index: {free} are free, and {kept} have to stay so"
        " (pypi_disk_reserve). Nothing was stored. Ask its operator to make room."
    )
    assert (answer.status, answer.reason) == (507, reason), answer


def left(index: Index) -> list[str]:
    return [path.name for path in (index.packages / ".incoming").iterdir()]


@pytest.mark.parametrize("reserve", ["10m", "10%"])
def test_what_would_leave_less_is_refused_and_all_else_goes_on(in_memory: Path, disk: Disk, reserve: str) -> None:
    index = Index(in_memory, reserve=Reserve.of_text(reserve))
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    big = made.file(BIG, os.urandom(20 * MEGABYTE))
    # Before it is written: 16 MB may be fields of the form, and the rest is certain to come.
    refused(index.upload(BIG, big), BIG, "12 MiB")
    assert left(index) == [] and set(index.stored()) == {WHEEL}
    disk.free = 9 * MEGABYTE
    refused(index.upload(SIGNED, made.file(SIGNED)), SIGNED, "9 MiB")
    assert index.ask("yank", name="foo", version="1.0").status == 200
    assert index.remove("foo", "1.0").status == 200
    assert index.said() == index.truth() == {}
    disk.free = 31 * MEGABYTE
    assert index.upload(BIG, big).status == 200


@pytest.mark.parametrize("said", [{}, {"Content-Length": ""}], ids=["length", "no length"])
def test_it_is_decided_again_while_a_file_is_written(in_memory: Path, disk: Disk, said: dict[str, str]) -> None:
    index = Index(in_memory, reserve=Reserve.of_text("10m"))
    body, kind = form({":action": "file_upload"}, {"content": (BIG, made.file(BIG, os.urandom(3 * MEGABYTE)))})
    answer = index.send(body, kind, said)
    assert answer.status == 507, answer
    assert re.search(r": 10(\.[12])? MiB are free, and 10 MiB have to stay so", answer.reason), answer
    assert left(index) == [] and index.stored() == {}


def test_without_a_reserve_the_disk_alone_decides(in_memory: Path, disk: Disk) -> None:
    disk.free = 0
    assert Index(in_memory).upload(WHEEL, made.file(WHEEL)).status == 200


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Reserve()),
        ("0", Reserve()),
        ("1g", Reserve(1024**3)),
        ("256M", Reserve(256 * MEGABYTE)),
        ("5%", Reserve(0, 5)),
    ],
)
def test_it_is_read_as_compose_passes_it(text: str, found: Reserve) -> None:
    assert Reserve.of_text(text) == found


@pytest.mark.parametrize("text", ["1.5g", "g", "%", "five", "-1g"])
def test_what_is_no_reserve_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        Reserve.of_text(text)
