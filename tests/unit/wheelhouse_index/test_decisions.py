"""Yanks and statuses: what pages say of them, what they forbid, and what becomes of them when files are lost or restored."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index import rebuild
from wheelhouse_index.fact_store.decisions import Decisions
from wheelhouse_index.index import writing
from wheelhouse_index.server import health

from tests.support import packages as made
from tests.support.index import Index, sha256

ONE, SDIST, TWO = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-2.0-py3-none-any.whl"


@pytest.fixture
def index(in_memory: Path) -> Index:
    """An index with two releases of a project."""
    found = Index(in_memory)
    for name in (ONE, SDIST, TWO):
        assert found.upload(name, made.file(name)).status == 200
    found.keeper.step()
    return found


def document(index: Index, project: str = "foo") -> dict[str, Any]:
    return dict(json.loads((index.pages / "simple" / project / "index.json").read_text()))


def html(index: Index) -> str:
    return (index.pages / "simple/foo/index.html").read_text()


def yanked(index: Index) -> dict[str, Any]:
    """Return what the page says of each yanked file, once all forms say the same."""
    found = {file["filename"]: file["yanked"] for file in document(index)["files"] if "yanked" in file}
    legacy = json.loads((index.pages / "json/foo.json").read_text())
    files = [file for release in legacy["releases"].values() for file in release]
    assert {file["filename"]: file["yanked_reason"] or True for file in files if file["yanked"]} == found
    assert html(index).count("data-yanked") == len(found)
    return found


def decided(index: Index) -> Path:
    return index.packages / ".wheelhouse/projects/foo.json"


@pytest.mark.parametrize(("name", "version"), [("Foo", "1.0"), ("foo", "1.0.0")])
def test_a_release_is_yanked_with_a_reason_and_unyanked(index: Index, name: str, version: str) -> None:
    answer = index.ask("yank", name=name, version=version, reason="breaks on <3.9> & später")
    assert (answer.status, answer.text) == (200, f"Yanked {ONE}, {SDIST}.\n")
    assert yanked(index) == {ONE: "breaks on <3.9> & später", SDIST: "breaks on <3.9> & später"}
    assert 'data-yanked="breaks on &lt;3.9&gt; &amp; später"' in html(index)
    (made_here,) = json.loads(decided(index).read_text())["decisions"]
    assert made_here.items() >= {"release": "1", "login": "publisher"}.items()
    again = index.ask("yank", name=name, version=version, reason="breaks on <3.9> & später")
    assert (again.status, again.text) == (200, f"Nothing to do, already yanked: {ONE}, {SDIST}.\n")
    # What comes later is of the same release.
    late = "foo-1.0-1-py3-none-any.whl"
    assert index.upload(late, made.file(late)).status == 200
    assert set(yanked(index)) == {ONE, SDIST, late}
    assert json.loads((index.pages / "json/foo.json").read_text())["info"]["version"] == "2.0"
    answer = index.ask("unyank", name=name, version=version)
    assert (answer.status, answer.text) == (200, f"Unyanked {late}, {ONE}, {SDIST}.\n")
    assert yanked(index) == {}
    answer = index.ask("unyank", name=name, version=version)
    assert (answer.status, answer.text) == (200, f"Nothing to do, not yanked: {late}, {ONE}, {SDIST}.\n")


def test_a_file_is_yanked_without_a_reason(index: Index) -> None:
    assert index.ask("yank", filename=SDIST).status == 200
    assert yanked(index) == {SDIST: True}
    assert 'data-yanked=""' in html(index)
    assert index.ask("yank", name="foo", version="1.0", reason="all of it").status == 200
    answer = index.ask("unyank", filename=ONE)
    assert answer.status == 409 and "The whole release is yanked" in answer.text
    assert index.ask("unyank", name="foo", version="1.0").status == 200
    assert yanked(index) == {}


def test_yanked_newest_releases_are_not_the_newest_in_the_public_indexs_json(index: Index) -> None:
    assert index.ask("yank", name="foo", version="2.0", reason="broken").status == 200
    info = json.loads((index.pages / "json/foo.json").read_text())["info"]
    assert (info["version"], info["yanked"]) == ("1.0", False)
    assert index.ask("yank", name="foo", version="1.0").status == 200
    info = json.loads((index.pages / "json/foo.json").read_text())["info"]
    assert (info["version"], info["yanked"], info["yanked_reason"]) == ("2.0", True, "broken")


@pytest.mark.parametrize("status", ["archived", "deprecated"])
def test_a_status_is_on_all_pages_until_it_is_another(index: Index, status: str) -> None:
    assert index.ask("set_status", name="Foo", status=status, reason='use "bar"').status == 200
    assert document(index)["project-status"] == {"status": status, "reason": 'use "bar"'}
    assert f'<meta name="pypi:project-status" content="{status}">' in html(index)
    assert 'name="pypi:project-status-reason" content="use &quot;bar&quot;"' in html(index)
    assert document(index)["meta"] == {"api-version": "1.4"}
    assert set(index.listed("foo")) == {ONE, SDIST, TWO}
    assert "Nothing to do" in index.ask("set_status", name="foo", status=status, reason='use "bar"').text
    three = "foo-3.0-py3-none-any.whl"
    answer = index.upload(three, made.file(three))
    assert answer.status == (403 if status == "archived" else 200)
    if status == "archived":
        assert 'foo is archived (use "bar"): it takes no uploads. Set its status to active first.' in answer.text
    # What is there already is no upload.
    assert index.upload(ONE, made.file(ONE)).status == 200
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert "project-status" not in document(index) and "project-status" not in html(index)
    assert index.upload(three, made.file(three)).status == 200


def test_quarantined_files_are_on_no_page_and_at_no_address_and_come_back(index: Index) -> None:
    (index.packages / "nested").mkdir()
    nested = "nested/foo-0.9.tar.gz"
    (index.packages / nested).write_bytes(made.file("foo-0.9.tar.gz"))
    index.look()
    before, times = index.listed("foo"), index.times("foo")
    assert index.ask("set_status", name="foo", status="quarantined", reason="malware").status == 200
    assert index.stored() == {}
    assert document(index)["files"] == []
    assert document(index)["project-status"] == {"status": "quarantined", "reason": "malware"}
    assert not list((index.pages / "packages").rglob("*.metadata"))
    assert index.upload(ONE, made.file(ONE)).status == 403
    # Where its page is not on disk at this moment.
    answer = index.get("/simple/foo/")
    assert (answer.status, answer.text) == (200, html(index))
    # A copy goes the same way.
    (index.packages / TWO).write_bytes(made.file(TWO, b"other"))
    index.look()
    assert index.stored() == {} and document(index)["files"] == []
    again = Index(index.folder)
    again.keeper.step()
    assert document(again)["files"] == []
    assert again.ask("set_status", name="foo", status="active").status == 200
    assert (again.listed("foo"), again.times("foo")) == (before, times)
    # The second copy stays where it is.
    assert [path.name for path in (index.packages / ".wheelhouse/quarantine").iterdir()] == [".others"]
    again.look()
    assert again.said() == again.truth()


@pytest.mark.parametrize("fields", [{"name": "Foo", "version": "1.0"}, {"filename": ONE}])
def test_removing_what_is_in_quarantine_says_how(index: Index, fields: dict[str, str]) -> None:
    assert index.ask("set_status", name="foo", status="quarantined", reason="malware").status == 200
    answer = index.ask("remove_pkg", **fields)
    assert answer.status == 409 and "is in quarantine, where it is not served: nothing was removed." in answer.text
    assert index.ask("yank", **fields, reason="malware").status == 200
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert {file["filename"]: file.get("yanked") for file in document(index)["files"]}[ONE] == "malware"
    assert index.ask("remove_pkg", **fields).status == 200
    assert ONE not in index.stored() and TWO in index.stored()


def test_a_process_that_is_killed_while_it_takes_back_a_quarantine_is_followed_up(index: Index) -> None:
    before = index.listed("foo")
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    place = index.packages / ".wheelhouse/quarantine/foo"
    kept = index.folder / "kept"
    place.rename(kept)
    assert index.ask("set_status", name="foo", status="active").status == 200
    kept.rename(place)
    index.look()
    assert index.listed("foo") == before


BAD: list[tuple[str, dict[str, str], int, str]] = [
    ("yank", {}, 400, "'name' and 'version', or 'filename'"),
    ("yank", {"name": "foo"}, 400, "'name' and 'version', or 'filename'"),
    ("yank", {"name": "foo", "version": "9"}, 404, "foo 9 is not on this index"),
    ("unyank", {"filename": "bar-1.0.zip"}, 404, "bar-1.0.zip is not on this index"),
    ("yank", {"filename": ONE, "reason": "x" * 10_000}, 400, "one line of at most 1000"),
    ("yank", {"filename": ONE, "reason": "a\x1b[31m"}, 400, "printable"),
    ("yank", {"filename": ONE, "reason": "a\nb"}, 400, "one line"),
    ("set_status", {"name": "foo", "status": "gone"}, 400, "give one of active, archived, deprecated, quarantined"),
    ("set_status", {"name": "foo"}, 400, "give one of active"),
    ("set_status", {"name": "../../x", "status": "archived"}, 404, "There is no project"),
    ("set_status", {"name": "bar", "status": "archived"}, 404, "There is no project bar"),
    ("set_status", {"name": "", "status": "archived"}, 404, "There is no project"),
]


@pytest.mark.parametrize(("action", "fields", "status", "words"), BAD)
def test_what_makes_no_sense_is_refused_in_a_line(
    index: Index, action: str, fields: dict[str, str], status: int, words: str
) -> None:
    answer = index.ask(action, **fields)
    print(answer.text)
    assert answer.status == status and words in answer.text
    assert not decided(index).exists()


@pytest.mark.parametrize("action", ["yank", "unyank", "set_status"])
def test_it_takes_a_right_of_its_own_and_a_login(index: Index, action: str) -> None:
    fields = {"name": "foo", "version": "1.0", "status": "archived"}
    answer = index.ask(action, {"X-Wheelhouse-Rights": "publish delete"}, **fields)
    assert answer.status == 403 and "no right to yank" in answer.text
    assert index.ask(action, {"X-Wheelhouse-Login": ""}, **fields).status == 403
    assert not decided(index).exists()


def removed(index: Index) -> None:
    decided(index).unlink()


def emptied(index: Index) -> None:
    shutil.rmtree(decided(index).parent)
    decided(index).parent.mkdir()


def cut_off(index: Index) -> None:
    decided(index).write_text(decided(index).read_text()[:40])


def of_an_earlier_day(index: Index) -> None:
    decided(index).write_text(Decisions().text())


def an_unknown_status(index: Index) -> None:
    decided(index).write_text(decided(index).read_text().replace('"release"', '"status"'))


def half_a_character(index: Index) -> None:
    decided(index).write_text(decided(index).read_text().replace("second", "\\ud800"))


@pytest.mark.parametrize(
    "accident", [removed, emptied, cut_off, of_an_earlier_day, an_unknown_status, half_a_character]
)
def test_a_yank_is_not_lost_with_its_file(
    index: Index, accident: Callable[[Index], None], caplog: pytest.LogCaptureFixture
) -> None:
    for reason in ("first", "second"):
        assert index.ask("yank", name="foo", version="1.0", reason=reason).status == 200
    before = decided(index).read_text()
    accident(index)
    index.look()
    three = "foo-3.0-py3-none-any.whl"
    assert index.upload(three, made.file(three)).status == 200
    assert yanked(index) == {ONE: "second", SDIST: "second"}
    if accident in (cut_off, an_unknown_status, half_a_character):
        assert f"{decided(index)} cannot be used" in caplog.text
        assert index.ask("unyank", name="foo", version="1.0").status == 503
        assert yanked(index) == {ONE: "second", SDIST: "second"}
        # A rebuild forgets nothing of it.
        index.store.forget()
        index.look()
        assert yanked(index) == {ONE: "second", SDIST: "second"}
        # Where nothing else is known, nothing is offered; and nothing is moved for it.
        index.lose_pages()
        index = Index(index.folder)
        index.look()
        assert document(index)["files"] == []
        assert set(index.stored()) == {ONE, SDIST, TWO, three}
        decided(index).write_text(before)
        index.look()
        assert yanked(index) == {ONE: "second", SDIST: "second"}
    else:
        assert decided(index).read_text() == before
        assert "Merged what was decided on foo; restored: 20" in caplog.text


@pytest.mark.parametrize("accident", [removed, emptied, of_an_earlier_day, cut_off])
def test_a_rebuild_forgets_no_decision_that_the_store_has_lost(index: Index, accident: Callable[[Index], None]) -> None:
    assert index.ask("yank", name="foo", version="2.0", reason="broken").status == 200
    assert index.ask("set_status", name="foo", status="deprecated").status == 200
    before = decided(index).read_text()
    accident(index)
    # Before the keeper looks.
    rebuild.rebuilt(index.store)
    if accident is cut_off:
        decided(index).unlink()
    index.look()
    assert yanked(index) == {TWO: "broken"}
    assert document(index)["project-status"] == {"status": "deprecated"}
    assert decided(index).read_text() == before
    assert health.problems(index.store) == []


def test_a_rebuild_of_a_damaged_catalogue_goes_by_the_store(index: Index) -> None:
    assert index.ask("yank", name="foo", version="2.0", reason="broken").status == 200
    for path in index.pages.glob("catalogue-4.sqlite*"):
        path.write_bytes(b"x" * 100) if path.suffix == ".sqlite" else path.unlink()
    rebuild.rebuilt(index.store)
    index.look()
    assert yanked(index) == {TWO: "broken"}
    assert index.said() == index.truth()


def test_decisions_outlast_a_rebuild_removal_and_another_index(index: Index, tmp_path: Path) -> None:
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    assert index.ask("set_status", name="foo", status="deprecated").status == 200
    index.store.forget()
    index.look()
    assert yanked(index) == {ONE: "broken", SDIST: "broken"}
    assert index.remove("foo", "1.0").status == 200
    assert index.upload(ONE, made.file(ONE)).status == 200
    assert yanked(index) == {ONE: "broken"}
    shutil.copytree(index.packages, tmp_path / "packages")
    other = Index(tmp_path)
    other.keeper.step()
    assert yanked(other) == {ONE: "broken"}
    assert document(other)["project-status"] == {"status": "deprecated"}
    assert other.listed("foo")[ONE] == sha256(made.file(ONE))
    assert health.problems(other.store) == []


def test_two_processes_that_yank_at_once_lose_no_yank(index: Index) -> None:
    names = [f"foo-{number}.5-py3-none-any.whl" for number in range(12)]
    for name in names:
        assert index.upload(name, made.file(name)).status == 200
    children = []
    for own in (names[::2], names[1::2]):
        child = os.fork()
        if child == 0:
            code = 99
            try:
                mine = Index(index.folder)
                code = sum(mine.ask("yank", filename=name, reason=name).status != 200 for name in own)
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert yanked(index) == {name: name for name in names}
    assert {one["file"] for one in json.loads(decided(index).read_text())["decisions"]} == set(names)


def test_a_decision_that_other_hands_bring_is_taken_in(index: Index, tmp_path: Path) -> None:
    shutil.copytree(index.packages, tmp_path / "packages")
    other = Index(tmp_path)
    other.keeper.step()
    assert other.ask("yank", filename=TWO, reason="there").status == 200
    shutil.copy(decided(other), decided(index))
    index.look()
    assert yanked(index) == {TWO: "there"}


def test_a_file_that_cannot_be_quarantined_is_said_and_stops_no_other_project(
    index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rename = os.rename

    def refusing(source: Any, target: Any) -> None:
        if Path(source).name == SDIST:
            raise PermissionError(errno.EACCES, "Permission denied", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    answer = index.ask("set_status", name="foo", status="quarantined", reason="malware")
    assert answer.status == 503 and SDIST in answer.text and "still served" in answer.text
    assert set(index.stored()) == {SDIST}
    assert document(index)["files"] == []
    assert document(index)["project-status"]["status"] == "quarantined"
    assert SDIST in caplog.text
    # Others get their pages meanwhile.
    other = "bar-1.0-py3-none-any.whl"
    (index.packages / other).write_bytes(made.file(other))
    index.look()
    assert set(index.listed("bar")) == {other}
    assert document(index)["files"] == []
    health.note(index.store, index.store.stayed())
    assert SDIST in " ".join(health.problems(index.store))
    monkeypatch.undo()
    index.keeper._retry_at = 0.0
    index.look()
    assert set(index.stored()) == {other}
    health.note(index.store, index.store.stayed())
    assert health.problems(index.store) == []
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert set(index.listed("foo")) == {ONE, SDIST, TWO}


def test_quarantined_files_do_not_come_back_where_the_decision_is_lost(index: Index) -> None:
    assert index.ask("set_status", name="foo", status="quarantined", reason="malware").status == 200
    decided(index).unlink()
    index.lose_pages()
    again = Index(index.folder)
    again.look()
    again.look()
    assert again.stored() == {}
    assert document(again)["files"] == []
    assert again.upload(ONE, made.file(ONE)).status == 403
    assert again.ask("set_status", name="foo", status="active").status == 200
    assert set(again.listed("foo")) == {ONE, SDIST, TWO}


def test_another_store_counts_where_it_says_anything(index: Index, tmp_path: Path) -> None:
    other = Index(tmp_path)
    for name in (ONE, TWO):
        assert other.upload(name, made.file(name)).status == 200
    assert other.ask("yank", filename=TWO, reason="there").status == 200
    bar = "bar-1.0-py3-none-any.whl"
    assert index.upload(bar, made.file(bar)).status == 200
    assert index.ask("yank", filename=bar).status == 200
    for number in range(3):
        assert index.ask("yank", filename=ONE, reason=f"here {number}").status == 200
    shutil.rmtree(index.packages / ".wheelhouse")
    shutil.copytree(other.packages / ".wheelhouse", index.packages / ".wheelhouse")
    (index.pages / ".facts").unlink()
    index.look()
    index.look()
    assert yanked(index) == {TWO: "there"}
    # Of this, it says nothing.
    (of_bar,) = json.loads(decided(index).with_name("bar.json").read_text())["decisions"]
    assert of_bar["file"] == bar


@pytest.mark.parametrize("how", ["repaired", "removed", "set"])
def test_a_project_is_back_when_its_damaged_decisions_are(
    index: Index, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    decided(index).write_text("{")
    for _ in range(3):
        index.look()
    assert document(index)["files"] == []
    assert caplog.text.count(f"{decided(index)} cannot be used") == 1
    if how == "repaired":
        decided(index).write_text(Decisions().text())
    else:
        decided(index).unlink()
    if how == "set":
        assert index.ask("set_status", name="foo", status="active").status == 200
    else:
        index.look()
    assert set(index.listed("foo")) == {ONE, SDIST, TWO}


def test_a_project_that_is_not_claimed_yet_gets_a_status(index: Index) -> None:
    claim = index.packages / ".wheelhouse/names/foo"
    claim.unlink()
    assert index.ask("set_status", name="foo", status="deprecated").status == 200
    assert claim.exists()


def test_copies_of_a_quarantined_file_take_room_once(index: Index) -> None:
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    folder = index.packages / ".wheelhouse/quarantine"
    before = {path for path in folder.rglob("*") if path.is_file()}
    # As rsync does each night.
    for _ in range(3):
        (index.packages / ONE).write_bytes(made.file(ONE))
        (index.packages / TWO).write_bytes(made.file(TWO, b"other"))
        index.look()
        assert index.stored() == {}
    after = {path for path in folder.rglob("*") if path.is_file()}
    assert before < after and [path.name for path in after - before] == [TWO]


def quarantined_in(place: Path) -> Iterator[Path]:
    """Yield the quarantined file that has its place there."""
    return (place.parent / ".wheelhouse/quarantine").rglob(place.name)


def behind_a_link(place: Path) -> None:
    elsewhere = place.parent.with_name("elsewhere")
    elsewhere.write_bytes(made.file(ONE))
    place.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("put", "comes_back"),
    [
        pytest.param(lambda place: place.write_bytes(made.file(ONE)), True, id="a copy"),
        pytest.param(lambda place: os.link(next(quarantined_in(place)), place), True, id="another name of the file"),
        pytest.param(lambda place: place.write_bytes(made.file(ONE, b"other")), False, id="other content"),
        pytest.param(behind_a_link, False, id="a link to a copy"),
        pytest.param(os.mkfifo, False, id="a pipe"),
    ],
)
def test_a_file_that_comes_back_to_where_there_is_one(
    index: Index, put: Callable[[Path], object], comes_back: bool, caplog: pytest.LogCaptureFixture
) -> None:
    before = index.listed("foo")
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    (kept,) = quarantined_in(index.packages / ONE)
    put(index.packages / ONE)
    assert index.ask("set_status", name="foo", status="active").status == 200
    for _ in range(3):
        index.look()
    assert kept.exists() != comes_back
    said = [record.getMessage() for record in caplog.records if "stays in" in record.getMessage()]
    expected = f"{ONE} stays in {kept.parent}: there is another file in its place"
    assert said == ([] if comes_back else [expected])
    if not comes_back:
        assert ONE not in index.listed("foo") and kept.read_bytes() == made.file(ONE)
        (index.packages / ONE).unlink()
        index.look()
        assert not kept.exists()
    assert index.listed("foo") == before and (index.packages / ONE).stat().st_nlink == 1


def test_only_a_project_that_comes_or_goes_has_the_list_of_projects_made(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_lists: list[str] = []
    stage_lists = index.store.output.stage_lists

    def projects() -> set[str]:
        return {project["name"] for project in json.loads((index.pages / "simple/index.json").read_bytes())["projects"]}

    def noted(*of: Any) -> Any:
        made_lists.append("made")
        return stage_lists(*of)

    monkeypatch.setattr(index.store.output, "stage_lists", noted)
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    assert index.ask("set_status", name="foo", status="deprecated").status == 200
    assert index.ask("unyank", name="foo", version="1.0").status == 200
    assert (made_lists, projects(), document(index)["project-status"]) == ([], {"foo"}, {"status": "deprecated"})
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    assert (made_lists, projects(), document(index)["files"]) == (["made"], set(), [])
    # A long one follows.
    monkeypatch.setattr(writing, "LONG_LIST_BYTES", 1)
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert (made_lists, projects(), set(index.listed("foo"))) == (["made"], set(), {ONE, SDIST, TWO})
    index.store.write_pending()
    assert projects() == {"foo"}


def spoilt(change: Callable[..., object]) -> Callable[[str], str]:
    def spoil(text: str) -> str:
        found = json.loads(text)
        change(found)
        return json.dumps(found).replace("Infinity", "1e999")

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        *(
            spoilt(lambda found, over=over: found.update(over=over))
            for over in (float("inf"), 1, "x", None, {"a": 1}, [1], ["\ud800"])
        ),
        *(
            spoilt(lambda found, reason=reason: found["decisions"][0].update(reason=reason))
            for reason in ("\ud800", None, 1, ["x"])
        ),
        spoilt(lambda found: found["decisions"][0].update(release="\ud800")),
        spoilt(lambda found: found["decisions"][0].update(file=ONE)),
        spoilt(lambda found: found["decisions"][0].pop("release")),
        spoilt(lambda found: found.update(decisions={})),
        spoilt(lambda found: found["decisions"].append({**found["decisions"][0], "release": "", "status": ["active"]})),
        lambda text: "[]",
        lambda text: "null",
        lambda text: "",
        lambda text: "[" * 100_000,
    ],
)
def test_damaged_decisions_stop_their_project_alone(
    index: Index, spoil: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    decided(index).write_text(spoil(decided(index).read_text()))
    for number, again in enumerate((index, Index(index.packages.parent))):
        bar = f"bar-{number}.0.zip"
        (index.packages / bar).write_bytes(made.file(bar))
        again.look()
        assert bar in again.listed("bar")
        assert yanked(again) == {ONE: "broken", SDIST: "broken"}
        assert again.ask("unyank", name="foo", version="1.0").status == 503
        three = f"foo-3.{number}-py3-none-any.whl"
        assert again.upload(three, made.file(three)).status == 200
    assert f"{decided(index)} cannot be used" in caplog.text


def test_decisions_are_read_by_no_link(index: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    made_up = Decisions.of_text(decided(index).read_text()).changed(back=[("release", "1")])
    (tmp_path / "elsewhere.json").write_text(made_up.text())
    decided(index).unlink()
    decided(index).symlink_to(tmp_path / "elsewhere.json")
    index.look()
    assert yanked(index) == {ONE: "broken", SDIST: "broken"}
    assert f"{decided(index)} cannot be used: [Errno 40] it is a link" in caplog.text


def test_what_is_no_projects_name_makes_no_page(index: Index) -> None:
    quarantine = decided(index).parent.with_name("quarantine")
    for name in (".x", "Foo Bar", "a_b", "x" + "\udcff"):
        decided(index).with_name(f"{name}.json").write_text("{")
    for name in ("lost+found", ".snapshot", "x" + "\udcff"):
        (quarantine / name).mkdir(parents=True)
    (quarantine / "notes").write_text("a file")
    index.look()
    assert {path.name for path in (index.pages / "simple").iterdir() if path.is_dir()} == {"foo"}
    assert index.projects() == {"foo"}
    assert health.problems(index.store) == []


@pytest.mark.parametrize("accident", [cut_off, removed])
@pytest.mark.parametrize("lost", ["the index", "nothing"])
def test_a_quarantined_project_stays_shut_where_its_decisions_cannot_be_read(
    index: Index, accident: Callable[[Index], None], lost: str
) -> None:
    assert index.ask("set_status", name="foo", status="quarantined", reason="malware").status == 200
    accident(index)
    if lost == "the index":
        index.lose_pages()
    again = Index(index.packages.parent)
    again.look()
    # As rsync does from a copy of before.
    (again.packages / ONE).write_bytes(made.file(ONE))
    again.look()
    assert again.stored() == {} and document(again)["files"] == []
    assert again.upload(ONE, made.file(ONE)).status == 403


def test_files_that_stay_of_a_project_of_lost_decisions_are_said(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    cut_off(index)
    index.lose_pages()
    again = Index(index.packages.parent)
    again.look()

    def refusing(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (again.packages / "foo-3.0.tar.gz").write_bytes(made.file("foo-3.0.tar.gz"))
    monkeypatch.setattr(os, "rename", refusing)
    again.look()
    assert "foo-3.0.tar.gz" in str(again.store.stayed())
    monkeypatch.undo()
    again.keeper._retry_at = 0.0
    again.look()
    assert again.store.stayed() is None and again.stored() == {}


@pytest.mark.parametrize("lost", ["nothing more", "the catalogue"])
def test_quarantined_files_outlast_a_store_that_is_lost_for_good(index: Index, lost: str) -> None:
    assert index.ask("yank", name="foo", version="1.0", reason="broken").status == 200
    before, times, store = index.listed("foo"), index.times("foo"), decided(index).parent.parent
    assert index.ask("set_status", name="foo", status="quarantined", reason="malware").status == 200
    shutil.rmtree(store / "files")
    found = " ".join(health.problems(index.store))
    assert "move it aside, move its quarantine/, the only copy of quarantined files, to a new" in found
    # As it says.
    aside = store.rename(index.packages.parent / "aside")
    store.mkdir()
    (aside / "quarantine").rename(store / "quarantine")
    (index.pages / ".facts").unlink()
    if lost == "the catalogue":
        index.lose_pages()
    again = Index(index.packages.parent)
    # At once: a proxy asks for what is not private elsewhere.
    assert os.listdir(store / "names") == ["foo"]
    # The name is that of the file in quarantine, whatever follows it there.
    (again.packages / ONE).write_bytes(made.file(ONE, b"other"))
    again.look()
    assert again.record("foo", ONE)["sha256"] == before[ONE]
    assert health.problems(again.store) == []
    assert document(again)["files"] == [] and again.stored() == {}
    assert again.upload(ONE, made.file(ONE, b"other")).status == 403
    assert again.ask("set_status", name="foo", status="active").status == 200
    assert again.listed("foo") == before
    if lost == "nothing more":
        assert yanked(again) == {ONE: "broken", SDIST: "broken"} and again.times("foo") == times


def test_a_quarantined_project_without_a_claim_gets_a_status(index: Index) -> None:
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    claim = index.packages / ".wheelhouse/names/foo"
    claim.unlink()
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert set(index.listed("foo")) == {ONE, SDIST, TWO} and claim.exists()


def test_a_decision_alone_makes_a_lost_claim_again(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    assert index.ask("yank", name="foo", version="1.0").status == 200
    store = decided(index).parent.parent
    for name in (ONE, SDIST, TWO):
        (index.packages / name).unlink()
    shutil.rmtree(store / "files" / "foo")
    (store / "names/foo").unlink()
    index.lose_pages()
    again = Index(index.packages.parent)
    assert (store / "names/foo").is_file() and "lacks claims of foo" in caplog.text
    again.look()
    (store / "names/foo").unlink()
    again.look()
    assert (store / "names/foo").is_file()


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_projects_folder_in_quarantine_is_a_folder(index: Index, what: str, caplog: pytest.LogCaptureFixture) -> None:
    place, elsewhere = decided(index).parent.with_name("quarantine") / "foo", index.packages / "visible"
    place.parent.mkdir()
    elsewhere.mkdir()
    place.symlink_to(elsewhere) if what == "link" else place.write_text("in its place")
    answer = index.ask("set_status", name="foo", status="quarantined", reason="malware")
    assert answer.status == 503 and not decided(index).exists()
    assert f"{place} cannot be used: [Errno 20] it is " in caplog.text
    assert set(index.stored()) == {ONE, SDIST, TWO} == set(index.listed("foo"))
    place.unlink()
    assert index.ask("set_status", name="foo", status="quarantined", reason="malware").status == 200
    assert index.stored() == {}
    kept = place.rename(place.parent.parent.with_name("kept"))
    place.symlink_to(kept) if what == "link" else place.write_text("in its place")
    assert index.ask("set_status", name="foo", status="active").status == 503
    (index.packages / ONE).write_bytes(made.file(ONE))
    index.look()
    assert document(index)["files"] == [] and ONE in str(index.store.stayed())
    place.unlink()
    kept.rename(place)
    assert index.ask("set_status", name="foo", status="active").status == 200
    assert {path for path in index.listed("foo") if "/" not in path} == {ONE, SDIST, TWO}


def test_a_quarantine_on_another_mount_is_named(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(source: Any, target: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))

    monkeypatch.setattr(os, "rename", refusing)
    answer = index.ask("set_status", name="foo", status="quarantined")
    assert answer.status == 503
    assert "(packages/.wheelhouse/quarantine/ is on another mount than the file)" in answer.text
