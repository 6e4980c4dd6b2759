"""What the playbook prune.yml has the index do: which releases rules let go, and what becomes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from wheelhouse_index.commands import keeping, pruning
from wheelhouse_index.commands.keeping import Release, Rule
from wheelhouse_index.fact_store.change_log import ChangeLog
from wheelhouse_index.files import names

from tests.support import index_server
from tests.support import packages as made
from tests.support.index import Index
from tests.support.index_server import program
from tests.unit.wheelhouse_index.test_change_log import noted

DAY = 24 * 3600
NOW = 1_790_000_000 * 10**9
VERSIONS = ["1.0.dev1", "1.0.dev2", "1.0.dev3", "1.0rc1", "1.0", "1.1.dev1", "1.1"]
DEV = {"names": ["foo"], "kinds": ["dev"], "newest": 1}


def file(version: str, project: str = "foo") -> str:
    return f"{project}-{version}-py3-none-any.whl"


@pytest.fixture
def index(index: Index) -> Index:
    for version in VERSIONS:
        assert index.upload(file(version), made.file(file(version))).status == 200
    assert index.upload(file("1.0", "bar"), made.file(file("1.0", "bar"))).status == 200
    return index


def asked(
    index: Index, rules: list[dict[str, Any]], check: bool = False, code: int = 0, **pins: list[str]
) -> dict[str, Any]:
    """Return what the playbook gets."""
    found, answer = index_server.asked(pruning.main, index.folder, {"pypi_keep": rules, "pins": pins}, check)
    assert found == code, answer
    return answer


def versions(index: Index) -> set[str]:
    released = (names.of_file(path.rpartition("/")[2]) for path in index.stored())
    return {one.version for one in released if one and one.name == "foo"}


def let_go(rule: dict[str, Any], *there: str, yanked: tuple[str, ...] = (), days: Sequence[float] = ()) -> list[str]:
    """Return which of versions a rule lets go; days have passed since the first ones were published."""
    ages = dict(zip(there, days))
    releases = [Release(one, NOW - int(ages.get(one, 0) * DAY * 1e9), one in yanked) for one in there]
    return [one.version for one in Rule.of({"names": ["*"], **rule}).lets_go(releases, NOW)]


def test_what_goes_is_shown_then_removed_and_can_come_back(index: Index) -> None:
    before = index.stored()
    would = asked(index, [DEV], True)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    size = [len(made.file(file(version))) for version in ("1.0.dev2", "1.0.dev1")]
    assert would["changed"] == [
        f"foo 1.0.dev{number} (files: 1, {one} bytes, published {day})" for number, one in zip((2, 1), size)
    ]
    assert (would["files"], would["bytes"]) == (2, sum(size))
    assert index.stored() == before
    assert asked(index, [DEV]) == would
    assert versions(index) == set(VERSIONS) - {"1.0.dev1", "1.0.dev2"}
    assert index.said() == index.truth()
    assert noted(index)[-1]["action"] == "prune" and set(noted(index)[-1]["files"]) == set(before) - set(index.stored())
    listed = program(index.folder, "list", "--project", "foo").stdout
    assert f"removed - foo {file('1.0.dev1')}" in listed, listed
    assert asked(index, [DEV])["changed"] == []
    back = {"pypi_trash_do": "restore", "pypi_project": "foo", "pypi_since": day}
    assert program(index.folder, "trash", stdin=json.dumps(back)).returncode == 0
    assert index.stored() == before and index.said() == index.truth()
    assert "restored - foo" in program(index.folder, "list", "--project", "foo").stdout


def test_it_rests_between_projects_and_a_check_does_not(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1.0.dev1", "1.0.dev2"):
        assert index.upload(file(version, "bar"), made.file(file(version, "bar"))).status == 200
    rules = [{**DEV, "names": ["foo", "bar"]}]
    rests: list[float] = []
    monkeypatch.setattr(pruning.time, "sleep", rests.append)
    asked(index, rules, True)
    assert not rests
    assert asked(index, rules)["files"] == 3
    assert len(rests) == 1 and 0 < rests[0] <= 1


def test_what_a_lock_file_names_stays(index: Index) -> None:
    assert asked(index, [DEV], Foo=["1.0.0.dev1"])["files"] == 1
    assert "1.0.dev1" in versions(index) and "1.0.dev2" not in versions(index)


def test_the_first_entry_that_matches_a_project_counts(index: Index) -> None:
    rules: list[dict[str, Any]] = [
        {"names": ["fo*"], "kinds": ["pre"], "older_than": "1s"},
        {"names": ["*"], "kinds": ["all"], "newest": 9},
    ]
    time.sleep(1)
    assert [line.split(" (")[0] for line in asked(index, rules)["changed"]] == ["foo 1.0rc1"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "pypi_keep: missing; say what may go, such as"),
        ([{**DEV, "names": ["foo", "nightly-*"]}], "pypi_keep: 'nightly-*' matches no project of this index; correct"),
        (
            [{"names": ["bar"], "kinds": ["all"], "older_than": "0s", "newest": 0}],
            "pypi_keep: an entry has neither newest",
        ),
        ([{**DEV, "keep": 3}], "pypi_keep: keep is unknown to the index that runs; run wheelhouse.pypi.site first"),
    ],
)
def test_bad_rules_remove_nothing(index: Index, rules: list[dict[str, Any]], said: str) -> None:
    before = index.stored()
    answer = asked(index, rules, code=1)
    assert answer["stop"].startswith(said), answer
    assert answer["changed"] == [] and index.stored() == before


def test_a_project_in_quarantine_or_without_files_is_one(index: Index) -> None:
    assert index.upload(file("1.0", "baz"), made.file(file("1.0", "baz"))).status == 200
    assert index.remove("bar", "1.0").status == 200
    assert index.ask("set_status", name="baz", status="quarantined").status == 200
    assert asked(index, [{**DEV, "names": ["foo", "bar", "baz"]}])["files"] == 2


def test_rules_that_would_remove_all_of_a_project_remove_nothing(index: Index) -> None:
    before = index.stored()
    time.sleep(1)
    rules = [{"names": ["foo", "bar"], "kinds": ["all"], "older_than": "1s"}]
    # The other project has a release that stays.
    answer = asked(index, rules, code=1, foo=["1.1"])
    assert answer["stop"] == (
        "pypi_keep: the entry for foo, bar would remove all releases of bar; keep some by newest, or remove the project by hand"
    )
    assert index.stored() == before


def test_rules_that_would_leave_only_yanked_releases_remove_nothing(index: Index) -> None:
    before = index.stored()
    for version in ("1.1", "1.1.dev1"):
        assert index.ask("yank", name="foo", version=version, reason="broken").status == 200
    time.sleep(1)
    rules = [{"names": ["foo"], "kinds": ["all"], "older_than": "1s"}]
    answer = asked(index, rules, code=1, foo=["1.1", "1.1.dev1"])
    assert "would remove all releases of foo that are not yanked; keep some by newest" in answer["stop"], answer
    assert index.stored() == before
    # One is enough.
    assert asked(index, rules, foo=["1.0", "1.1"])["files"] == 5


def test_what_goes_is_decided_on_again_when_it_comes_to_a_project(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0.dev1", "1.0.dev2"):
        assert index.upload(file(version, "bar"), made.file(file(version, "bar"))).status == 200
    request = pruning.Request([Rule.of({**DEV, "names": ["*"]})], {})
    run = pruning.Prune(index.store, ChangeLog(index.logs), request, False, pruning.Outcome())
    remove = index.store.remove

    def late(project: str, paths: Sequence[str]) -> None:
        if project == "bar":
            assert index.ask("yank", name="foo", version="1.0.dev3", reason="broken").status == 200
        remove(project, paths)

    monkeypatch.setattr(index.store, "remove", late)
    run.run()
    assert [line.split(" (")[0] for line in run.outcome.changed] == ["bar 1.0.dev1", "foo 1.0.dev1"]
    assert "1.0.dev2" in versions(index)


def test_what_was_copied_over_a_file_just_now_stays(index: Index) -> None:
    (index.packages / file("1.0.dev1")).write_bytes(made.file(file("1.0.dev1"), b"other"))
    assert [line.split(" (")[0] for line in asked(index, [DEV])["changed"]] == ["foo 1.0.dev2"]
    assert index.stored()[file("1.0.dev1")] == made.file(file("1.0.dev1"), b"other")


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        ({"kinds": ["dev"], "newest": 1}, ["1.0.dev2", "1.0.dev1"]),
        ({"kinds": ["pre"], "newest": 1}, []),
        ({"kinds": ["pre"], "older_than": "1s"}, []),
        ({"kinds": ["all"], "newest": 2}, ["1.0.dev3", "1.0.dev2", "1.0.dev1"]),
        ({"kinds": ["dev", "pre"], "newest": 2}, ["1.0.dev2", "1.0.dev1"]),
    ],
)
def test_a_series_keeps_its_newest(rule: dict[str, Any], gone: list[str]) -> None:
    assert let_go(rule, *VERSIONS) == gone


def test_kinds_are_those_of_pep_440() -> None:
    every = ["2.0.dev1", "2.0a1", "2.0rc1.dev1", "2.0rc1", "2.0", "2.0.post1", "2.0+cpu", "2.0.dev2+cpu", "what-ever"]
    days = [9] * len(every)
    found = {
        kind: set(let_go({"kinds": [kind], "older_than": "1d"}, *every, days=days))
        for kind in ("dev", "pre", "local", "all")
    }
    assert found == {
        "dev": {"2.0.dev1", "2.0rc1.dev1", "2.0.dev2+cpu"},
        "pre": {"2.0a1", "2.0rc1"},
        "local": {"2.0+cpu", "2.0.dev2+cpu"},
        "all": {*every} - {"what-ever"},
    }


def test_what_is_young_stays_whatever_its_number() -> None:
    rule = {"kinds": ["all"], "newest": 1, "older_than": "30d"}
    assert let_go(rule, "1.0.1", "1.0.2", "1.0.3", days=[31, 29]) == ["1.0.1"]
    assert let_go({"kinds": ["all"], "older_than": "30d"}, "1.0", "2.0", days=[30, 29.9]) == ["1.0"]


def test_a_series_is_two_numbers_of_one_epoch() -> None:
    rule = {"kinds": ["all"], "newest": 1}
    assert let_go(rule, "1", "1.0.1", "1.1", "1.1.post1", "1!1.0.1", "2026.11.28", "2026.11.29") == [
        "2026.11.28", "1.1", "1",
    ]  # fmt: skip


def test_a_yanked_release_is_not_counted_among_the_newest() -> None:
    rule = {"kinds": ["all"], "newest": 1}
    assert let_go(rule, "1.0.1", "1.0.2", "1.0.3", yanked=("1.0.3",)) == ["1.0.1"]


def test_a_pin_of_a_public_version_keeps_its_local_ones() -> None:
    assert keeping.is_pinned("1.0+cpu", {"1"}) and keeping.is_pinned("1", {"1"})
    assert not keeping.is_pinned("1", {"1+cpu"})


def test_damaged_facts_stop_it(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    (index.packages / ".wheelhouse/format").unlink()
    before = index.stored()
    assert "packages/.wheelhouse/format is missing: restore" in asked(index, [DEV], code=1)["stop"]
    assert index.stored() == before


def test_copied_files_are_pruned_by_their_own_time(index: Index) -> None:
    for number in (1, 2):
        name = file(f"2.0.dev{number}")
        path = index.packages / "nested" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made.file(name))
    index.look()
    asked(index, [{**DEV, "names": ["foo"]}])
    assert {"2.0.dev2", "1.1.dev1", "1.0.dev3"} <= versions(index) and "2.0.dev1" not in versions(index)
    (back,) = [one for one in index.store.facts.trash.files() if "2.0.dev1" in one.path]
    assert back.path == f"nested/{file('2.0.dev1')}"
    assert index.store.restore_removed(back, check=False)
    assert (index.packages / back.path).exists()
