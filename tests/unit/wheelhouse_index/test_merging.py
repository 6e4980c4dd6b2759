"""Copies of an index on which was decided apart: whatever order they are merged in, nothing is lost that was not taken back."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheelhouse_index.fact_store.decisions import NOTHING, STATUSES, Decision, Decisions

from tests.support import packages as made
from tests.support.index import Index

ONE, SDIST, TWO = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-2.0-py3-none-any.whl"
STRICTEST_FIRST = ["quarantined", "archived", "deprecated", "active"]


def at(second: int, **of: str) -> Decision:
    return Decision(time=f"2026-11-20T00:00:{second:02d}.000000Z", login="alice", **of)


@dataclass
class Copies:
    """Copies of what was decided on a project, and what a person expects of each.

    Attributes:
        all: the documents.
        seen: by copy, the numbers of the decisions that were made there or came there.
        ended: by copy, those of them that were replaced or taken back.
        made: all decisions, by number.
    """

    all: list[Decisions] = field(default_factory=lambda: [NOTHING] * 3)
    seen: list[set[int]] = field(default_factory=lambda: [set(), set(), set()])
    ended: list[set[int]] = field(default_factory=lambda: [set(), set(), set()])
    made: list[Decision] = field(default_factory=list)

    def change(self, copy: int, of: dict[str, str], is_back: bool) -> None:
        """Decide, or take back what was decided on the same."""
        new = at(len(self.made), **of)
        self.ended[copy] |= {one for one in self.seen[copy] if self.made[one].subject == new.subject}
        if is_back:
            self.all[copy] = self.all[copy].changed(back=[new.subject])
            return
        self.seen[copy].add(len(self.made))
        self.made.append(new)
        self.all[copy] = self.all[copy].changed([new])

    def merge(self, copy: int, other: int) -> None:
        """Have a copy take in another one."""
        self.all[copy] = self.all[copy].merged(self.all[other])
        self.seen[copy] |= self.seen[other]
        self.ended[copy] |= self.ended[other]

    def holding(self, copy: int) -> set[Decision]:
        """Return what holds on a copy."""
        return {self.made[one] for one in self.seen[copy] - self.ended[copy]}


subjects = st.one_of(
    st.sampled_from([{"file": ONE}, {"file": TWO}, {"release": "1"}]),
    st.sampled_from(STATUSES).map(lambda status: {"status": status}),
)
copies = st.integers(0, 2)
is_back = st.sampled_from([False, False, False, True])
steps = st.lists(st.one_of(st.tuples(copies, subjects, is_back), st.tuples(copies, copies)), min_size=8, max_size=30)


def walked(done: list[Any]) -> Copies:
    found = Copies()
    for one in done:
        if len(one) == 2:
            found.merge(*one)
        else:
            found.change(*one)
    return found


@given(steps)
def test_a_decision_holds_until_it_is_taken_back_by_who_has_seen_it(done: list[Any]) -> None:
    found = walked(done)
    for copy, decisions in enumerate(found.all):
        holding = found.holding(copy)
        assert decisions.made == holding
        statuses = sorted((STRICTEST_FIRST.index(one.status), one.status) for one in holding if one.status)
        assert decisions.status.status == (statuses[0][1] if statuses else "active")
        for file, version in ((ONE, "1"), (TWO, "2")):
            own = [one for one in holding if one.file == file] or [one for one in holding if one.release == version]
            assert decisions.yank(file, version) == max(own, key=lambda one: one.time, default=None)
        assert Decisions.of_text(decisions.text()) == decisions


@given(steps)
def test_neither_order_nor_repetition_matters(done: list[Any]) -> None:
    all_of_them = walked(done).all
    merged = {reduce(Decisions.merged, order) for order in itertools.permutations(all_of_them)}
    assert len(merged) == 1
    (one,) = merged
    first, second, third = all_of_them
    assert first.merged(second.merged(third)) == one
    assert [one.merged(copy) for copy in (*all_of_them, one)] == [one] * 4
    assert first.merged(first) == first


@pytest.mark.parametrize("looser", STRICTEST_FIRST[1:])
def test_of_two_statuses_the_stricter_one_counts_whichever_is_later(looser: str) -> None:
    stricter = STRICTEST_FIRST[STRICTEST_FIRST.index(looser) - 1]
    for first, second in ((looser, stricter), (stricter, looser)):
        one, other = (
            NOTHING.changed([at(second_of, status=status)]) for second_of, status in enumerate((first, second))
        )
        for found in (one.merged(other), other.merged(one)):
            assert found.status.status == stricter
            # Both were seen now.
            assert found.changed([at(9, status="active")]).merged(one).merged(other).status.status == "active"


def decision(**fields: Any) -> dict[str, Any]:
    return {"reason": "", "login": "", "time": "2026-11-20T10:00:00.000000Z", **fields}


@pytest.mark.parametrize(
    "document",
    [
        [], None, {}, {"decisions": {}, "over": [1]}, {"decisions": [1]}, {"decisions": [decision()]},
        {"decisions": [decision(file=ONE, release="1")]}, {"decisions": [decision(file=ONE, reason=None)]},
        {"decisions": [decision(file=1)]}, {"decisions": [{"file": ONE, "reason": ""}]},
        {"decisions": [decision(status="haunted")]}, {"decisions": [decision(file=ONE, login=["a"])]},
        {"decisions": [], "over": 1}, {"decisions": [], "over": "x"}, {"decisions": [], "over": {}}, {"decisions": {}},
        {"decisions": "", "over": []}, {"decisions": [decision(file=ONE, reason="\ud800")]},
    ],
)  # fmt: skip
def test_what_is_no_document_of_decisions_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Decisions.of_text(json.dumps(document))


@pytest.fixture
def two(in_memory: Path) -> tuple[Index, Index]:
    """An index, and one that was made from a copy of its packages."""
    folders = in_memory / "a", in_memory / "b"
    for folder in folders:
        folder.mkdir()
    index = Index(folders[0])
    for name in (ONE, SDIST, TWO):
        assert index.upload(name, made.file(name)).status == 200
    assert index.ask("yank", filename=ONE, reason="both").status == 200
    index.look()
    shutil.copytree(index.packages, folders[1] / "packages")
    other = Index(folders[1])
    other.look()
    return index, other


def place(index: Index) -> Path:
    return index.packages / ".wheelhouse/projects/foo.json"


def copied(source: Index, target: Index) -> None:
    """As rsync does."""
    shutil.copy2(place(source), place(target))
    target.look()


def page(index: Index) -> tuple[str, dict[str, Any]]:
    """Return the status on the project's page, and what it says of yanked files."""
    found = json.loads((index.pages / "simple/foo/index.json").read_text())
    yanked = {file["filename"]: file["yanked"] for file in found["files"] if "yanked" in file}
    return found.get("project-status", {}).get("status", "active"), yanked


def ask(index: Index, action: str, **fields: str) -> None:
    answer = index.ask(action, **fields)
    assert answer.status == 200 and "othing to do" not in answer.text, answer


def test_a_copy_that_was_changed_more_often_ends_no_quarantine(
    two: tuple[Index, Index], caplog: pytest.LogCaptureFixture
) -> None:
    index, other = two
    ask(index, "set_status", name="foo", status="quarantined", reason="malware")
    for _ in range(3):
        ask(other, "yank", name="foo", version="1.0")
        ask(other, "unyank", name="foo", version="1.0")
    caplog.clear()
    copied(other, index)
    assert page(index) == ("quarantined", {}) and index.stored() == {}
    (line,) = [record.getMessage() for record in caplog.records if "Merged" in record.getMessage()]
    print(line)
    assert "foo; restored: 20" in line and "status quarantined publisher; replaced or taken back: 20" in line
    # It comes to the other one as well.
    copied(index, other)
    assert page(other) == ("quarantined", {}) and other.stored() == {}
    caplog.clear()
    index.look()
    assert not caplog.records
    # Who has seen it may end it.
    ask(other, "set_status", name="foo", status="active")
    copied(other, index)
    # What was taken back there stays so.
    assert page(index) == page(other) == ("active", {})


def test_a_new_catalogue_merges_nothing(two: tuple[Index, Index], caplog: pytest.LogCaptureFixture) -> None:
    index, _other = two
    index.lose_pages()
    caplog.clear()
    again = Index(index.folder)
    again.look()
    assert page(again) == ("active", {ONE: "both"})
    assert "Merged" not in caplog.text
    # What the store of facts has lost, it gets back, and the log says so.
    place(again).unlink()
    again.look()
    assert "Merged what was decided on foo; restored: 20" in caplog.text


def test_only_what_has_changed_is_parsed_and_once(
    two: tuple[Index, Index], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    index, other = two
    parsed: list[str] = []
    of_text = Decisions.of_text

    def noted(text: str) -> Decisions:
        parsed.append(text)
        return of_text(text)

    monkeypatch.setattr(Decisions, "of_text", noted)
    index.store.check_decisions()
    assert parsed == []
    ask(other, "yank", filename=TWO, reason="there")
    shutil.copy2(place(other), place(index))
    parsed.clear()
    index.store.check_decisions()
    assert parsed.count(place(other).read_text()) == 1
    index.store.write_pending()
    assert page(index) == ("active", {ONE: "both", TWO: "there"})
    index.lose_pages()
    parsed.clear()
    again = Index(index.folder)
    assert parsed == [place(again).read_text()]
    again.look()
    # It was damaged, repaired, and is damaged once more.
    caplog.clear()
    for _ in range(2):
        content = place(again).read_bytes()
        place(again).write_text("{")
        again.look()
        again.look()
        place(again).write_bytes(content)
        again.look()
    assert caplog.text.count(f"{place(again)} cannot be used") == 2
    assert page(again) == ("active", {ONE: "both", TWO: "there"})


def test_yanks_of_two_copies_are_all_kept_and_what_one_took_back_is_taken_back(two: tuple[Index, Index]) -> None:
    index, other = two
    ask(index, "yank", filename=TWO, reason="here")
    ask(other, "yank", filename=SDIST, reason="there")
    ask(other, "set_status", name="foo", status="deprecated")
    ask(other, "unyank", filename=ONE)
    for source, target in ((other, index), (index, other), (other, index)):
        copied(source, target)
        assert page(target) == ("deprecated", {SDIST: "there", TWO: "here"})
    assert place(index).read_text() == place(other).read_text()


def test_one_file_yanked_on_two_copies_has_the_later_reason_and_one_unyank_ends_both(two: tuple[Index, Index]) -> None:
    index, other = two
    ask(index, "yank", filename=ONE, reason="first")
    ask(other, "yank", filename=ONE, reason="second")
    copied(index, other)
    copied(other, index)
    assert page(index) == page(other) == ("active", {ONE: "second"})
    ask(index, "unyank", filename=ONE)
    copied(index, other)
    assert page(index) == page(other) == ("active", {})


def test_an_older_copy_of_the_whole_store_takes_nothing_back_and_brings_nothing_back(two: tuple[Index, Index]) -> None:
    index, other = two
    ask(index, "unyank", filename=ONE)
    ask(index, "yank", filename=TWO, reason="later")
    store = index.packages / ".wheelhouse"
    shutil.rmtree(store)
    shutil.copytree(other.packages / ".wheelhouse", store)
    again = Index(index.folder)
    again.look()
    assert page(again) == ("active", {TWO: "later"})
