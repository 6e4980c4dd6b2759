"""Several nodes share packages/: what one changes, the others show, whatever breaks off in between."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.commands import agreeing, inspecting
from wheelhouse_index.common.beside import Beside
from wheelhouse_index.fact_store.journal import NOWHERE, Nodes, Place, Record
from wheelhouse_index.fact_store.records import FactsError
from wheelhouse_index.files.incoming import Upload
from wheelhouse_index.index import folders

from tests.support import packages
from tests.support.asking import asked
from tests.support.attestations import attestation
from tests.support.index import Index, sha256, truth
from tests.support.long import some

NAMES = ("a", "b", "c")


def wheel(name: str, version: str, padding: bytes = b"") -> tuple[str, bytes]:
    """Return name and content of a wheel."""
    with tempfile.TemporaryDirectory() as folder:
        made = packages.wheel(Path(folder), name, version, padding)
        return made.name, made.read_bytes()


def sdist(name: str, version: str) -> tuple[str, bytes]:
    """Return name and content of an sdist."""
    with tempfile.TemporaryDirectory() as folder:
        made = packages.sdist(Path(folder), name, version)
        return made.name, made.read_bytes()


class Group:
    """Three nodes without servers, whose pages are brought in step when they are told."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "shared"
        self.packages.mkdir()
        self.nodes = {name: self._node(folder / name, name) for name in NAMES}

    def _node(self, folder: Path, name: str) -> Index:
        folder.mkdir()
        (folder / "packages").symlink_to(self.packages)
        node = Index(folder, nodes=Nodes.of_text(name, " ".join(NAMES)))
        node.keeper.looks = lambda: name == NAMES[0]
        return node

    def connect(self, *away: str) -> None:
        """Have nodes told from now on, but those that are away."""
        for name, node in self.nodes.items():
            others = [other for key, other in self.nodes.items() if key not in (name, *away)]

            def tell(place: Place, name: str = name, others: list[Index] = others) -> None:
                for other in others:
                    other.store.catch_up(name, place)

            node.store.tell = tell

    def follow(self) -> None:
        """Have all nodes read on."""
        for node in self.nodes.values():
            node.store.catch_up()

    def settle(self) -> None:
        """Have all nodes do what their keepers do."""
        for node in self.nodes.values():
            node.store.catch_up()
            node.look()
        self.follow()

    def said(self) -> list[dict[str, dict[str, str]]]:
        """Return what the pages of each node say."""
        return [node.said() for node in self.nodes.values()]


@pytest.fixture
def group(in_memory: Path) -> Group:
    made = Group(in_memory)
    made.settle()
    made.connect()
    return made


def test_an_upload_is_on_the_pages_of_all_nodes_when_it_is_answered(group: Group) -> None:
    name, content = wheel("hello", "1.0")
    assert group.nodes["a"].upload(name, content).status == 200
    for node in group.nodes.values():
        assert list(node.listed("hello")) == [name]
        assert (node.pages / "packages" / f"{name}.metadata").read_bytes()
    assert len({json.dumps(said, sort_keys=True) for said in group.said()}) == 1
    assert group.nodes["b"].times("hello") == group.nodes["a"].times("hello")


def test_no_node_reads_a_file_that_another_has_read(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    name, content = wheel("hello", "1.0")
    for node in (group.nodes["b"], group.nodes["c"]):
        monkeypatch.setattr(node.store, "_read", lambda entry: pytest.fail(f"{entry.path} is read"))
    assert group.nodes["a"].upload(name, content).status == 200
    group.settle()
    assert list(group.nodes["c"].listed("hello")) == [name]


def test_uploads_in_quick_succession_look_at_the_store_once(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _c = group.nodes.values()
    looks: dict[str, int] = {"a": 0, "b": 0}
    for name in looks:
        facts = group.nodes[name].store.facts
        check = facts.check

        def counted(name: str = name, check: Callable[[], None] = check) -> None:
            looks[name] += 1
            check()

        monkeypatch.setattr(facts, "check", counted)
    monkeypatch.setattr(folders, "LATELY", 0.0)
    assert a.upload(*wheel("hello", "0.0")).status == 200
    assert looks == {"a": 1, "b": 1}
    monkeypatch.setattr(folders, "LATELY", 3600.0)
    group.connect(*NAMES)
    for version in range(1, 6):
        file = wheel("hello", f"{version}.0")
        with asked(group.packages) as of_own:
            assert a.upload(*file).status == 200
        with asked(group.packages) as of_other:
            b.store.catch_up("a", a.store.appended)
        # Each of these is a question to other hosts.
        assert (of_own.calls, of_own.names) == (14, 23)
        assert (of_other.calls, of_other.names) == (2, 5)
    assert looks == {"a": 1, "b": 1}
    assert len(b.listed("hello")) == 6


def test_a_look_counts_for_all_processes_of_a_node(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a = group.nodes["a"]
    other = Index(a.folder, nodes=a.settings.nodes)
    monkeypatch.setattr(folders, "LATELY", 3600.0)
    a.store.make_ready(0.0)
    monkeypatch.setattr(other.store, "check_facts", lambda: pytest.fail("it looks once more"))
    other.store.make_ready()
    assert other.upload(*wheel("hello", "1.0")).status == 200
    # One that begins does not rely on what may be of another boot.
    third = Index(a.folder, nodes=a.settings.nodes)
    monkeypatch.setattr(third.store, "check_facts", lambda: pytest.fail("it looks"))
    with pytest.raises(pytest.fail.Exception, match="it looks"):
        third.store.make_ready()


def test_nothing_is_published_below_a_mount_that_has_just_gone(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a = group.nodes["a"]
    assert a.upload(*wheel("hello", "1.0")).status == 200
    before = a.said()
    # The last look was just now.
    monkeypatch.setattr(folders, "LATELY", 3600.0)
    group.packages.rename(aside := group.packages.with_name("aside"))
    group.packages.mkdir()
    assert [a.upload(*wheel(name, "2.0")).status for name in ("hello", "other")] == [503, 503]
    assert a.remove("hello", "1.0").status == 503
    assert {path.parts[0] for path in (one.relative_to(group.packages) for one in group.packages.rglob("*"))} <= {
        ".incoming"
    }
    assert a.said() == before
    shutil.rmtree(group.packages)
    aside.rename(group.packages)
    assert a.upload(*wheel("hello", "2.0")).status == 200


def test_removals_yanks_and_statuses_are_on_all_nodes(group: Group) -> None:
    a, b, c = group.nodes.values()
    files = [wheel("hello", version) for version in ("1.0", "2.0")]
    for name, content in files:
        assert a.upload(name, content).status == 200
    assert b.ask("yank", name="hello", version="1.0", reason="broken").status == 200
    assert c.remove("hello", "2.0").status == 200
    pages = [json.loads((one.pages / "simple/hello/index.json").read_text()) for one in (a, b, c)]
    assert pages[0] == pages[1] == pages[2]
    assert [(file["filename"], file["yanked"]) for file in pages[0]["files"]] == [(files[0][0], "broken")]
    assert c.ask("set_status", name="hello", status="quarantined").status == 200
    for node in (a, b, c):
        assert (
            json.loads((node.pages / "simple/hello/index.json").read_text())["project-status"]["status"]
            == "quarantined"
        )
        assert node.listed("hello") == {}
    assert a.ask("set_status", name="hello", status="active").status == 200
    group.settle()
    assert [list(node.listed("hello")) for node in (a, b, c)] == [[files[0][0]]] * 3


def test_files_come_back_from_quarantine_by_the_node_that_decides(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = group.nodes.values()
    name, content = wheel("hello", "1.0")
    assert a.upload(name, content).status == 200
    assert b.ask("set_status", name="hello", status="quarantined").status == 200
    give_back = c.store._give_back

    def overtaken(project: str) -> None:
        # The first node reads that it was decided, and looks at everything, before the files are back.
        a.store.catch_up()
        a.look()
        give_back(project)

    monkeypatch.setattr(c.store, "_give_back", overtaken)
    assert c.ask("set_status", name="hello", status="active").status == 200
    assert [list(node.listed("hello")) for node in (a, b, c)] == [[name]] * 3


def test_a_node_that_was_not_told_reads_on(group: Group) -> None:
    group.connect("c")
    name, content = wheel("hello", "1.0")
    assert group.nodes["a"].upload(name, content).status == 200
    assert not group.nodes["c"].listed("hello")
    group.nodes["c"].store.catch_up()
    assert list(group.nodes["c"].listed("hello")) == [name]


def test_of_two_contents_of_one_name_one_is_published(group: Group) -> None:
    group.connect(*NAMES)
    name, content = wheel("hello", "1.0")
    _name, other = wheel("hello", "1.0", b"other")
    assert other != content
    start, said = threading.Barrier(2), {}

    def send(node: str, body: bytes) -> None:
        start.wait()
        said[node] = group.nodes[node].upload(name, body).status

    threads = [threading.Thread(target=send, args=pair) for pair in (("a", content), ("b", other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said.values()) == [200, 409]
    group.settle()
    assert group.said() == [group.nodes["a"].said()] * 3
    assert group.nodes["a"].said()["hello"] == truth(group.packages, False)["hello"]


def test_the_same_content_is_taken_by_two_nodes(group: Group) -> None:
    group.connect(*NAMES)
    name, content = wheel("hello", "1.0")
    assert [group.nodes[node].upload(name, content).status for node in NAMES] == [200, 200, 200]


def test_the_same_content_is_taken_by_two_nodes_at_the_same_moment(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = group.nodes.values()
    name, content = wheel("hello", "1.0")
    # It would wait for b, which waits for it.
    monkeypatch.setattr(a.store, "tell", lambda _place: None)
    publish = b.store._published
    answered: list[int] = []

    def overtaken(upload: Upload, overwrite: bool) -> AbstractContextManager[None]:
        if not answered:
            answered.append(a.upload(name, content).status)
        return publish(upload, overwrite)

    monkeypatch.setattr(b.store, "_published", overtaken)
    assert b.upload(name, content).status == 200
    assert answered == [200]
    # b has made the record, and a relies on it.
    assert a.record("hello", name)["sha256"] == sha256(content)
    group.settle()
    assert [node.listed("hello") for node in (a, b, c)] == [{name: sha256(content)}] * 3


def test_what_was_journalled_and_cut_off_is_no_page(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _c = group.nodes.values()
    name, content = wheel("hello", "1.0")

    def cut(*_arguments: object) -> None:
        raise OSError("the power fails")

    with monkeypatch.context() as patched:
        patched.setattr(Upload, "published", cut)
        assert a.upload(name, content).status == 503
    group.settle()
    assert group.said() == [{}, {}, {}]
    # Its record waits for the file, which comes by another way.
    assert a.upload(name, content).status == 200
    assert list(b.listed("hello")) == [name]


def test_a_removal_that_is_read_before_it_is_done_is_seen_later(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _c = group.nodes.values()
    name, content = wheel("hello", "1.0")
    assert a.upload(name, content).status == 200
    take = a.store.facts.trash.take

    def slow(project: str, paths: list[str]) -> None:
        # The record is there, the file as well.
        b.store.catch_up()
        assert list(b.listed("hello")) == [name]
        take(project, paths)

    monkeypatch.setattr(a.store.facts.trash, "take", slow)
    assert a.remove("hello", "1.0").status == 200
    assert not b.listed("hello")


def test_a_copied_file_is_found_by_one_node_and_shown_by_all(group: Group) -> None:
    name, content = wheel("copied", "1.0")
    (group.packages / name).write_bytes(content)
    group.settle()
    assert [list(node.listed("copied")) for node in group.nodes.values()] == [[name]] * 3


@pytest.mark.parametrize("damage", ["removed", "cut", "altered"])
def test_a_journal_that_is_lost_is_made_up_for_by_a_look_at_all_files(group: Group, damage: str) -> None:
    group.connect("c")
    a, _b, c = group.nodes.values()
    for version in ("1.0", "2.0"):
        assert a.upload(*wheel("hello", version)).status == 200
    (journal,) = sorted((group.packages / ".wheelhouse/nodes/a").glob("*.journal"))[-1:]
    if damage == "removed":
        journal.unlink()
        # Another one begins, and its first number is used.
        assert a.upload(*wheel("hello", "3.0")).status == 200
    elif damage == "cut":
        os.truncate(journal, journal.stat().st_size - 10)
        assert a.upload(*wheel("hello", "3.0")).status == 200
    else:
        text = journal.read_bytes()
        journal.write_bytes(text.replace(b"hello-2.0", b"hella-2.0"))
    group.settle()
    group.settle()
    assert c.said()["hello"] == truth(group.packages, False)["hello"]
    assert group.said() == [a.said()] * 3


@pytest.mark.parametrize("kept", [0, 1])
def test_a_lost_journal_of_a_node_that_is_quiet_is_noticed_and_left_at_that(
    group: Group, caplog: pytest.LogCaptureFixture, kept: int
) -> None:
    a, b, c = group.nodes.values()
    files = [wheel("hello", version) for version in ("1.0", "2.0", "3.0")]
    journals = a.packages / ".wheelhouse/nodes/a"
    for name, content in files[:2]:
        assert a.upload(name, content).status == 200
        # After a crash it begins another one.
        with (journals / max(os.listdir(journals), key=lambda one: (one.endswith("l"), one))).open("ab") as file:
            file.write(b"torn")
    for name in sorted(one for one in os.listdir(journals) if one.endswith(".journal"))[kept:]:
        (journals / name).unlink()
    for _ in range(3):
        group.settle()
    said = [record.message for record in caplog.records if "are missing" in record.message]
    # Each node notices it, and once more where the next journal begins.
    assert 2 <= len(said) <= 6, said
    assert a.upload(*files[2]).status == 200
    group.settle()
    assert [sorted(node.listed("hello")) for node in (a, b, c)] == [sorted(name for name, _content in files)] * 3


def test_all_journals_may_be_lost_while_nothing_is_published(group: Group) -> None:
    a, b, c = group.nodes.values()
    assert a.upload(*wheel("hello", "1.0")).status == 200
    for journal in (group.packages / ".wheelhouse/nodes").glob("*/*.journal"):
        journal.unlink()
    group.settle()
    group.settle()
    assert not any(node.store.compares() for node in (a, b, c))
    for number, node in enumerate((a, b, c)):
        assert node.upload(*wheel("hello", f"2.{number}")).status == 200
    assert [len(node.listed("hello")) for node in (a, b, c)] == [4, 4, 4]
    assert not any(node.store.compares() for node in (a, b, c))


def test_a_torn_tail_is_no_record_and_nothing_is_written_after_it(group: Group) -> None:
    a, b, _c = group.nodes.values()
    assert a.upload(*wheel("hello", "1.0")).status == 200
    journals = sorted((group.packages / ".wheelhouse/nodes/a").glob("*.journal"))
    with journals[-1].open("ab") as file:
        file.write(b"01234567 400 {")
    assert a.upload(*wheel("hello", "2.0")).status == 200
    assert len(sorted((group.packages / ".wheelhouse/nodes/a").glob("*.journal"))) == len(journals) + 1
    assert len(b.listed("hello")) == 2


def test_a_node_that_joins_shows_what_was_there(group: Group, tmp_path: Path) -> None:
    assert group.nodes["a"].upload(*wheel("hello", "1.0")).status == 200
    b = group.nodes["b"]
    b.lose_pages()
    b.store.prepare()
    group.settle()
    assert b.said() == group.nodes["a"].said()
    assert not b.store.compares()


def test_decisions_that_were_made_apart_are_merged(group: Group) -> None:
    a, b, c = group.nodes.values()
    for version in ("1.0", "2.0"):
        assert a.upload(*wheel("hello", version)).status == 200
    group.connect(*NAMES)
    assert a.ask("yank", name="hello", version="1.0").status == 200
    # As when the other node has read the file before, and writes after.
    (group.packages / ".wheelhouse/projects/hello.json").unlink()
    assert b.ask("yank", name="hello", version="2.0").status == 200
    group.settle()
    group.settle()
    for node in (a, b, c):
        page = json.loads((node.pages / "simple/hello/index.json").read_text())
        assert [file["yanked"] for file in page["files"]] == [True, True]


def test_a_name_that_is_given_back_stays_free(group: Group) -> None:
    a, b, _c = group.nodes.values()
    assert a.upload(*wheel("hello", "1.0")).status == 200
    assert b.remove("hello", "1.0").status == 200
    group.settle()
    a.store.gather_names()
    a.store.facts.marks.open(a.store.facts.marks.closing())
    a.store.give_back("hello")
    group.settle()
    group.settle()
    assert not a.store.facts.claims.has("hello")
    _name, other = wheel("hello", "1.0", b"other")
    assert b.upload(_name, other).status == 200


def test_a_record_of_another_node_leads_out_of_no_folder(group: Group) -> None:
    b = group.nodes["b"]
    row = b.store.catalogue  # the catalogue is asked below
    assert b.upload(*wheel("hello", "1.0")).status == 200
    with row.reading() as known:
        found = known.row(wheel("hello", "1.0")[0])
    assert found
    found[0] = "../../hello-1.0-py3-none-any.whl"
    record = Record(files={found[0]: found, ".wheelhouse/hello-1.0-py3-none-any.whl": None})
    journals = group.nodes["a"].store.facts.journals
    journals.append(record, journals.end("a"))
    b.store.catch_up()
    with row.reading() as known:
        assert known.at(found[0]) is None
        assert not known.awaited()


def test_a_journal_is_opened_and_looked_at_before_it_is_appended_to(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = group.nodes["a"]
    assert a.upload(*wheel("hello", "1.0")).status == 200
    journals, end = a.store.facts.journals, a.store.facts.journals.end("a")
    looked: list[int] = []
    fstat = os.fstat

    def seen(descriptor: int) -> os.stat_result:
        looked.append(descriptor)
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", seen)
    with journals.ahead(Beside(waits=False)):
        assert len(looked) == 1
        written, was_whole = journals.append(Record(decided=["hello"]), end)
        # The other one is the note of this node's last journal, on its own disk.
        assert looked.count(looked[0]) == 1
    assert was_whole and written.file == end.file and written == journals.end("a")


@pytest.mark.parametrize("damage", ["torn", "cut"])
def test_a_journal_that_is_not_as_this_node_left_it_is_not_appended_to(group: Group, damage: str) -> None:
    a = group.nodes["a"]
    assert a.upload(*wheel("hello", "1.0")).status == 200
    journals = a.store.facts.journals
    end = journals.end("a")
    place = journals.folder / "a" / end.file
    os.truncate(place, end.offset + (10 if damage == "torn" else -10))
    before = place.read_bytes()
    with journals.ahead(Beside(waits=True)):
        written, was_whole = journals.append(Record(decided=["hello"]), end)
    assert not was_whole and written.file > end.file
    assert place.read_bytes() == before


def test_journals_are_removed_when_all_nodes_have_read_them(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a = group.nodes["a"].store
    monkeypatch.setattr("wheelhouse_index.fact_store.journal._LONGEST_BYTES", 1)
    for version in ("1.0", "2.0", "3.0"):
        assert group.nodes["a"].upload(*wheel("hello", version)).status == 200
    folder = group.packages / ".wheelhouse/nodes/a"
    assert len(list(folder.glob("*.journal"))) == 3
    group.nodes["b"].store.facts.journals.see(1, group.nodes["b"].store.catch_up())
    a.facts.journals.prune()
    assert len(list(folder.glob("*.journal"))) == 3, "c has said nothing yet"
    group.nodes["c"].store.facts.journals.see(1, group.nodes["c"].store.catch_up())
    a.facts.journals.prune()
    assert len(list(folder.glob("*.journal"))) == 1
    group.settle()
    assert not any(node.store.compares() for node in group.nodes.values())


def test_a_host_that_knows_of_no_others_changes_nothing_that_is_shared(group: Group, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/packages").symlink_to(group.packages)
    alone = Index(tmp_path / "alone")
    answer = alone.upload(*wheel("hello", "1.0"))
    assert answer.status == 503
    with pytest.raises(FactsError, match="several hosts share packages/"):
        alone.store.check_facts()
    # It was taken for another host's folder by mistake, or is this host's alone from now on.
    shutil.rmtree(group.packages / ".wheelhouse/nodes")
    assert alone.upload(*wheel("hello", "1.0")).status == 200


def test_commands_of_a_node_know_that_it_is_one(group: Group) -> None:
    a = group.nodes["a"]
    assert a.upload(*wheel("hello", "1.0")).status == 200
    found = inspecting.inspected(a.settings, None, wait=lambda _seconds: None)
    assert found["files"] == 1
    assert not found["problems"], found


def test_nodes_are_named_with_this_one_among_them() -> None:
    assert not Nodes.of_text("", "")
    assert Nodes.of_text("a", "a b").others == ("b",)
    for own, names in (("a", "b c"), ("a", "a a"), ("A", "A b"), ("", "a b"), ("a/b", "a/b c")):
        with pytest.raises(ValueError, match="no names of nodes"):
            Nodes.of_text(own, names)


def walk(group: Group, chance: random.Random, steps: int) -> None:
    """Change things on nodes at random, some of which are not told; in the end all show what is there."""
    files = [made(name, version) for made in (wheel, sdist) for name in ("p", "q") for version in ("1", "2", "3")]
    for _step in range(steps):
        group.connect(*chance.sample(NAMES, chance.randrange(3)))
        node = group.nodes[chance.choice(NAMES)]
        name, content = chance.choice(files)
        project, version = name[0], name[2]
        match chance.randrange(7):
            case 0 | 1 | 2:
                assert node.upload(name, content).status in (200, 403, 409)
            case 3:
                assert node.remove(filename=name).status in (200, 404, 409)
            case 4:
                action = chance.choice(("yank", "unyank"))
                assert node.ask(action, name=project, version=version).status in (200, 404)
            case 5:
                status = chance.choice(("active", "archived", "quarantined"))
                assert node.ask("set_status", name=project, status=status).status in (200, 404)
            case _:
                (node.store.catch_up, node.look)[chance.randrange(2)]()
    for _round in range(3):
        group.settle()


@pytest.mark.parametrize("seed", some(range(12), 4))
def test_whatever_happens_all_nodes_agree_in_the_end(group: Group, seed: int) -> None:
    walk(group, random.Random(seed), 40)
    pages = []
    for node in group.nodes.values():
        found = {}
        for page in sorted((node.pages / "simple").glob("*/index.json")):
            found[page.parent.name] = json.loads(page.read_text())
        pages.append(found)
    assert pages[0] == pages[1] == pages[2]
    there = {project: digests for project, digests in truth(group.packages, False).items() if digests}
    assert {project: digests for project, digests in group.nodes["a"].said().items() if digests} == there


def test_a_file_that_another_node_has_removed_is_not_waited_for(group: Group) -> None:
    # The journals of a, which removes it, are read before those of c, which has published it.
    group.connect("b")
    a, b, c = group.nodes.values()
    name, content = wheel("hello", "1.0")
    assert c.upload(name, content).status == 200
    assert a.remove("hello", "1.0").status == 200
    followed = b.store.catch_up()
    assert followed["c"] == c.store.appended
    assert not b.store.waits()
    assert not b.listed("hello")


@pytest.mark.parametrize("remover", ["a", "c"])
def test_a_file_that_is_published_again_while_its_removal_is_read_is_listed(
    group: Group, monkeypatch: pytest.MonkeyPatch, remover: str
) -> None:
    a, b, c = group.nodes.values()
    name, content = wheel("hello", "1.0")
    assert a.upload(name, content).status == 200
    group.connect("b")
    assert group.nodes[remover].remove("hello", "1.0").status == 200
    again = a if remover == "c" else c
    publish = again.store._published

    @contextmanager
    def published(upload: Upload, overwrite: bool) -> Iterator[None]:
        # It is journalled, and has not got its name yet.
        b.store.catch_up()
        group.connect()
        with publish(upload, overwrite):
            yield

    monkeypatch.setattr(again.store, "_published", published)
    assert again.upload(name, content).status == 200
    assert list(b.listed("hello")) == [name]


def test_what_another_process_journals_is_read_also_after_a_journal_that_was_cut_off(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = group.nodes.values()
    other = Index(a.folder, nodes=Nodes.of_text("a", "a b c"))
    other.store.tell = a.store.tell
    for index, version in ((a, "1.0"), (other, "2.0")):
        assert index.upload(*wheel("hello", version)).status == 200
    with monkeypatch.context() as broken:
        link_fails = OSError(errno.EIO, "no link")
        broken.setattr(a.store, "_published", lambda *_words: (_ for _ in ()).throw(link_fails))
        assert a.upload(*wheel("hello", "3.0")).status == 503
    # It begins another journal, as the last one has more than is known.
    assert a.upload(*wheel("hello", "4.0")).status == 200
    follow = a.store._follow
    said: list[int] = []

    def between(nodes: list[str], until: Place = NOWHERE) -> None:
        follow(nodes, until)
        if not said:
            # The other process has waited for the lock, when a has read its first journal and not the second.
            said.append(other.upload(*wheel("hello", "5.0")).status)

    monkeypatch.setattr(a.store, "_follow", between)
    a.store.catch_up()
    assert said == [200]
    assert len(b.listed("hello")) == len(c.listed("hello")) == 4


def test_a_journal_goes_on_where_the_word_which_is_the_last_is_lost(group: Group) -> None:
    a, b, _c = group.nodes.values()
    assert a.upload(*wheel("hello", "1.0")).status == 200
    (word,) = a.pages.glob(".journal")
    for left in (None, "", "00000001.journal", "99999999.journal"):
        word.unlink()
        if left is not None:
            word.write_text(left)
        assert a.upload(*wheel("hello", f"{len(b.listed('hello')) + 1}.0")).status == 200
        a.store.catch_up()
    assert len(b.listed("hello")) == 5
    group.settle()
    assert len({json.dumps(said) for said in group.said()}) == 1


def test_a_clock_that_is_set_back_loses_no_file(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _c = group.nodes.values()
    publish, now = a.store._published, time.time_ns

    @contextmanager
    def published(upload: Upload, overwrite: bool) -> Iterator[None]:
        b.store.catch_up()
        monkeypatch.setattr("time.time_ns", lambda: now() - 2 * 10**9)
        b.store.catch_up()
        with publish(upload, overwrite):
            yield

    monkeypatch.setattr(a.store, "_published", published)
    assert a.upload(*wheel("hello", "1.0")).status == 200
    assert b.listed("hello")


def test_a_look_ends_while_others_publish(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    group.connect(*NAMES)
    a, b, _c = group.nodes.values()
    assert a.upload(*wheel("hello", "1.0")).status == 200
    follow, looks = b.store._follow, []

    def busy(nodes: list[str], until: Place = NOWHERE) -> None:
        follow(nodes, until)
        looks.append(nodes)
        assert len(looks) < 5
        assert a.upload(*wheel("hello", f"{len(looks) + 1}.0")).status == 200

    monkeypatch.setattr(b.store, "_follow", busy)
    b.store.catch_up()
    assert b.listed("hello")


def test_a_node_that_is_told_looks_at_no_other_journal(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _c = group.nodes.values()
    group.connect(*NAMES)
    assert a.upload(*wheel("hello", "1.0")).status == 200
    seen: list[str] = []
    end = b.store.facts.journals.end

    def noted(node: str) -> Place:
        seen.append(node)
        return end(node)

    monkeypatch.setattr(b.store.facts.journals, "end", noted)
    b.store.catch_up("a", a.store.appended)
    assert len(b.listed("hello")) == 1
    assert set(seen) <= {"a"}


def test_a_file_that_another_node_has_brought_back_holds_up_no_answer_for_long(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.connect("c")
    a, b, c = group.nodes.values()
    assert a.upload(*wheel("hello", "1.0")).status == 200
    # a moves the file away, and b back: what a says does not come true any more.
    assert a.ask("set_status", name="hello", status="quarantined").status == 200
    assert b.ask("set_status", name="hello", status="active").status == 200
    followed = c.store.catch_up()
    assert len(c.listed("hello")) == 1
    later = time.time_ns() + 20 * 10**9
    monkeypatch.setattr("time.time_ns", lambda: later)
    assert c.store.catch_up()["a"] == a.store.appended, followed


def test_a_file_is_attested_whichever_journal_is_read_first(group: Group) -> None:
    group.connect("b")
    a, b, c = group.nodes.values()
    name, content = wheel("hello", "1.0")
    assert c.upload(name, content).status == 200
    # The journal of a is read first, and does not have the core metadata.
    attestations = json.dumps([attestation(name, content)])
    assert a.upload(name, content, attestations=attestations).status == 200
    b.store.catch_up()
    for node in (a, b, c):
        assert (node.pages / f"packages/{name}.provenance").exists()


# -- what the doctor asks ----------------------------------------------------------------------------------------------


def doctored(node: Index, of_pages: bool = False) -> dict[str, Any]:
    found = inspecting.inspected(node.settings, None, lambda _seconds: None, of_pages)
    assert found["problems"] == {}
    return found


def test_nodes_that_agree_say_the_same(group: Group) -> None:
    for name, version in (("hello", "1.0"), ("world", "2.0")):
        assert group.nodes["a"].upload(*wheel(name, version)).status == 200
    said = [doctored(node)["nodes"] for node in group.nodes.values()]
    assert len({one["pages"] for one in said}) == 1
    assert said[0]["ends"] == said[1]["ends"] == said[2]["ends"]
    assert said[0]["ends"]["a"].offset > 0
    assert [one["strangers"] for one in said] == [[]] * 3
    page = group.nodes["b"].pages / "simple/hello/index.json"
    page.write_text(page.read_text().replace("1.0", "1.1"))
    assert agreeing.listed(group.nodes["b"].pages) != said[0]["pages"]


def test_what_is_published_meanwhile_is_not_compared(group: Group) -> None:
    store, settings = group.nodes["b"].store, group.nodes["b"].settings

    def publish(_seconds: float) -> None:
        assert group.nodes["a"].upload(*wheel("hello", "1.0")).status == 200

    said = agreeing.of_node(store.facts, settings.index, store.nodes, 2.0, publish)
    assert said["ends"] is None


def test_nodes_that_are_silent_or_unknown_are_named(group: Group) -> None:
    a = group.nodes["a"]
    a.store.facts.journals.see(time.time_ns() - 5 * 10**9, {})
    (group.packages / ".wheelhouse/nodes/former").mkdir()
    said = doctored(a)["nodes"]
    assert 5 <= said["said"]["a"] < 60
    assert said["said"]["b"] is None
    assert said["strangers"] == ["former"]


def test_one_node_alone_reads_the_shared_folder(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    file = wheel("hello", "1.0")
    assert group.nodes["a"].upload(*file).status == 200
    b = group.nodes["b"]
    full = doctored(b)
    monkeypatch.setattr(inspecting, "Scanner", lambda *_: pytest.fail("packages/ is looked at"))
    monkeypatch.setattr(inspecting, "_verified", lambda *_: pytest.fail("a file is read"))
    own = doctored(b, of_pages=True)
    assert {**full, "hashed": 0, "hashed_bytes": 0} == own
    # Its own pages are judged.
    (b.pages / "packages" / f"{file[0]}.metadata").write_text("other")
    found = inspecting.inspected(b.settings, 0, lambda _seconds: None, True)
    assert list(found["problems"]) == ["page damaged"]
