"""Marks: who closes wins, and no mark outlives what upstream has made of its file."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from wheelhouse_index.fact_store.marks import Marks, fingerprint
from wheelhouse_index.public import opening
from wheelhouse_index.public.verifying import COMPARED_SECONDS

from tests.support.outlet import FILES_HOST, Said, listed
from tests.support.public import Public

DIGEST, OTHER = "0" * 12, "1" * 12
WHEEL = "demo-1.0-py3-none-any.whl"
PLACE = f"{FILES_HOST}/packages/{WHEEL}"
FILE = f"/file/demo/{PLACE}"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def marks(in_memory: Path) -> Marks:
    own = Marks(in_memory / "public")
    assert own.open("")
    own.close()
    return own


def test_an_opening_at_any_moment_of_a_closing_leaves_it_closed(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {name: getattr(os, name) for name in ("open", "unlink", "pwrite")}
    moments = 0
    for at in range(1, 20):
        # Another process has seen the closing before this one, and opens right before the call number `at`.
        before, left = marks.closing(), at

        def interrupted(name: str, *args: object, **more: object) -> object:
            nonlocal left
            left -= 1
            if not left:
                marks.open(before)  # noqa: B023
            return calls[name](*args, **more)

        with monkeypatch.context() as patch:
            for name in calls:
                patch.setattr(os, name, lambda *args, name=name, **more: interrupted(name, *args, **more))
            marks.close()
        if left > 0:
            break
        moments += 1
        assert not marks.is_open(), f"opened before call {at} of a closing"
        assert marks.closing() != before
    print(f"{moments} moments")
    assert moments > 2


def test_a_closing_in_the_middle_of_an_opening_leaves_it_closed(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, touch = marks.closing(), Path.touch

    def touched(place: Path) -> None:
        marks.close()
        touch(place)

    monkeypatch.setattr(Path, "touch", touched)
    assert not marks.open(seen)
    assert not marks.is_open()


def test_marks_are_taken_away_also_where_the_place_aside_is_lost(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def lost(place: Path, target: Path) -> Path:
        # By another process, after it was made here.
        os.rmdir(target.parent)
        return rename(place, target)

    monkeypatch.setattr(Path, "rename", lost)
    marks.mark_file(DIGEST, "demo", PLACE, "")
    marks.withdraw(["demo"])
    assert not marks.projects()
    marks.mark_file(DIGEST, "demo", PLACE, "")
    marks.close()
    assert not marks.projects()


def test_a_closing_waits_for_no_removal(marks: Marks) -> None:
    for number in range(5):
        marks.mark_file(DIGEST, f"demo{number}", PLACE, "")
    marks.close()
    assert not marks.projects()
    left = [path for path in (marks.folder / ".aside").rglob("*") if path.is_file()]
    assert len(left) == 5, "renamed, and not removed file by file"
    marks.clear()
    assert not list((marks.folder / ".aside").iterdir())


def test_a_mark_is_kept_while_its_file_is_listed_with_the_same_digest(marks: Marks) -> None:
    first, second = digest(b"1"), digest(b"2")
    for place in ("h/a.whl", "h/a.whl.metadata", "h/b.whl", "h/c.whl"):
        assert marks.mark_file(DIGEST, "demo", place, first)
        assert not marks.mark_file(DIGEST, "demo", place, first)
    marks.mark_page(DIGEST, "demo")
    listed_now = {"h/a.whl": first, "h/a.whl.metadata": first, "h/b.whl": second}
    assert marks.keep(DIGEST, "demo", listed_now) == ["h/b.whl"]
    found = {
        str(path.relative_to(marks.folder / DIGEST)) for path in marks.folder.glob("*/demo/**/*") if path.is_file()
    }
    assert found == {"demo/.page", "demo/.seen", "demo/h/a.whl", "demo/h/a.whl.metadata"}
    assert not marks.is_outdated(DIGEST, "demo", fingerprint(listed_now))
    assert marks.is_outdated(DIGEST, "demo", fingerprint({}))
    assert not marks.is_outdated(OTHER, "demo", fingerprint({}))
    assert marks.keep(DIGEST, "absent", {}, page=False) == []
    assert not (marks.folder / DIGEST / "absent").exists(), "names that are nowhere leave nothing"


def test_what_a_killed_process_may_not_have_compared_is_asked_for_once_more(marks: Marks) -> None:
    for place in ("h/new.whl", "h/old.whl"):
        marks.mark_file(DIGEST, "demo", place, "")
    marks.mark_page(DIGEST, "demo")
    before = time.time() - COMPARED_SECONDS - 1
    os.utime(marks.folder / DIGEST / "demo/h/old.whl", (before, before))
    marks.unmark_young(COMPARED_SECONDS)
    left = {path.name for path in (marks.folder / DIGEST).rglob("*") if path.is_file()}
    assert left == {".page", "old.whl"}


def test_a_pause_is_of_an_upstream_and_not_of_its_number(marks: Marks) -> None:
    marks.pause("https://one.example.org/", 60)
    assert 58 <= marks.paused("https://one.example.org/") <= 60
    assert marks.paused("https://two.example.org/") == 0


# As seen from the gate.


def test_a_file_that_upstream_replaces_is_fetched_again_at_once(
    public: Public, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = b"old", b"new"
    public.outlet.serve("demo", listed(WHEEL, hashes={"sha256": digest(old)}))
    public.outlet.files[PLACE] = Said(old)
    public.ask(FILE)
    public.verifier.step(public.gate.is_private)
    assert public.marked() == {f"demo/{PLACE}"}
    # The cache still has the old one.
    public.outlet.serve("demo", listed(WHEEL, hashes={"sha256": digest(new)}))
    public.outlet.files[f"!{PLACE}"] = Said(new)
    public.restart()
    public.ask("/page/demo")
    assert public.marked() == {"demo/.page"}
    fetched = len(public.outlet.asked)
    public.verifier.step(public.gate.is_private)
    assert public.outlet.asked[fetched:] == [f"/file/{PLACE}"], "once, from upstream"
    assert "is what its page says now" in caplog.text
    assert public.ask(FILE).headers and public.marked() == {"demo/.page", f"demo/{PLACE}"}


def test_a_process_that_has_looked_before_does_not_mark_what_another_one_has_found_removed(public: Public) -> None:
    other = "demo-2.0.tar.gz"
    public.outlet.serve("demo", listed(WHEEL), listed(other))
    public.ask(f"/file/demo/{FILES_HOST}/packages/{other}")
    first = public.gate
    public.outlet.serve("demo", listed(other))
    public.restart()
    public.ask("/page/demo")
    answer = first.file
    with pytest.raises(Exception, match=f"{WHEEL} is not on the public index's page") as refused:
        answer("demo", PLACE, public.digest)
    assert getattr(refused.value, "status", 0) == 404
    assert public.marked() == {"demo/.page", f"demo/{FILES_HOST}/packages/{other}"}


def test_each_project_is_asked_for_once_a_day_also_by_clients_with_a_lock(
    public: Public, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"demo{number}" for number in range(20)]
    for name in names:
        public.outlet.serve(name, listed(f"{name}-1.0.tar.gz"))
        public.ask(f"/file/{name}/{FILES_HOST}/packages/{name}-1.0.tar.gz")
    began, hour, left = time.time(), 3600, []
    for passed in range(0, 25, 6):
        monkeypatch.setattr(time, "time", lambda passed=passed: began + passed * hour)
        public.index.keeper._opening.begin()
        public.index.keeper._opening.end()
        left.append(len(public.marks.projects()))
    print(json.dumps(left), len({opening.slot_of(name) for name in names}), "parts of the day")
    assert left[0] == 20 and left[-1] == 0
    assert left == sorted(left, reverse=True) and any(0 < count < 20 for count in left)
    assert public.marks.is_open()


def test_without_upstreams_marks_are_removed(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.ask(FILE)
    public.file.unlink()
    public.index.look()
    assert not public.marks.is_open() and not public.marked()
    assert not list((public.marks.folder / ".aside").iterdir())
