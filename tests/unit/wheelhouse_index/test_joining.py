"""A node that joins takes what another one knows of all files; whatever goes on meanwhile, they agree in the end."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.fact_store import snapshots
from wheelhouse_index.fact_store.journal import Nodes
from wheelhouse_index.files import reading
from wheelhouse_index.index import catalogue, joining
from wheelhouse_index.index.output import Staged
from wheelhouse_index.server.keeper import Keeper

from tests.support.attestations import attestation
from tests.support.index import Index, in_a_child, truth
from tests.support.long import some
from tests.unit.wheelhouse_index.test_nodes import NAMES, Group, sdist, wheel

HANDED_OVER = ".wheelhouse/nodes/.joining"


class Joiners(Group):
    """Three nodes, of which the last one loses its disk and joins."""

    def _node(self, folder: Path, name: str) -> Index:
        folder.mkdir()
        (folder / "packages").symlink_to(self.packages)
        return Index(folder, url="https://pypi.example.com", nodes=Nodes.of_text(name, " ".join(NAMES)))

    def live(self, *names: str) -> None:
        """Have nodes say that they live."""
        for name in names:
            store = self.nodes[name].store
            store.facts.journals.see(time.time_ns(), store.catch_up())

    def lose(self, name: str = "c") -> Index:
        """Have a node lose its disk; until it is back, no other waits for it."""
        self.connect(name)
        node = self.nodes[name]
        node.lose_pages()
        node.keeper = Keeper(node.store, 0.0)
        node.keeper.looks = lambda: name == NAMES[0]
        return node

    def join(self, give: Callable[[], None] | None = None) -> Index:
        """Have a node that has lost its disk join; ``give`` has others answer."""
        node = self.nodes["c"]
        node.store.pause = lambda _seconds: (give or self.nodes["a"].store.give)()
        node.store.prepare()
        self.connect()
        node.store.catch_up()
        node.look()
        return node

    def written(self, name: str) -> dict[str, bytes]:
        """Return what a node serves, by path below its index/."""
        root = self.nodes[name].pages
        places = [
            root / "index.html",
            *(one for part in ("simple", "json", "packages") for one in (root / part).rglob("*")),
        ]
        return {str(one.relative_to(root)): one.read_bytes() for one in places if one.is_file()}

    def check(self) -> None:
        """Compare what all nodes serve, byte by byte, and that it is what is there."""
        for _round in range(2):
            self.settle()
        first = self.written("a")
        assert first
        for name in NAMES[1:]:
            other = self.written(name)
            assert first.keys() == other.keys(), (name, first.keys() ^ other.keys())
            assert not [path for path in first if first[path] != other[path]]
        there = {project: digests for project, digests in truth(self.packages, False).items() if digests}
        assert {project: digests for project, digests in self.nodes["c"].said().items() if digests} == there
        folder = self.packages / HANDED_OVER
        assert not folder.exists() or not os.listdir(folder)


@pytest.fixture
def group(in_memory: Path) -> Joiners:
    made = Joiners(in_memory)
    made.settle()
    made.connect()
    a, b, _c = made.nodes.values()
    for project in ("p", "q", "r"):
        for version in ("1", "2"):
            name, content = wheel(project, version)
            fields = {"attestations": json.dumps([attestation(name, content)])} if version == "2" else {}
            assert a.upload(name, content, **fields).status == 200
        assert b.upload(*sdist(project, "3")).status == 200
    assert b.ask("yank", name="p", version="1", reason="broken").status == 200
    assert a.remove("q", "3").status == 200
    assert a.ask("set_status", name="r", status="quarantined").status == 200
    made.settle()
    made.live("a", "b")
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read and hashed."""
    found: list[str] = []
    read_file = reading.read_file

    def counted(name: str, *rest: Any) -> Any:
        found.append(name)
        return read_file(name, *rest)

    monkeypatch.setattr(reading, "read_file", counted)
    return found


def test_a_node_that_joins_reads_no_file(group: Joiners, read: list[str], caplog: pytest.LogCaptureFixture) -> None:
    c = group.lose()
    group.join()
    assert not c.store.compares()
    assert not read
    # Six of p and q, less the removed one: those in quarantine are on no page.
    assert "5 files are known from node a" in caplog.text
    assert set(c.listed("p")) == set(group.nodes["a"].listed("p"))
    assert (c.pages / f"packages/{wheel('p', '2')[0]}.provenance").exists()
    group.check()
    assert not read


def test_what_comes_from_another_node_is_not_journalled_again(group: Joiners) -> None:
    group.lose()
    before = {one: one.stat().st_size for one in group.packages.glob(".wheelhouse/nodes/*/*.journal")}
    group.join()
    assert before == {one: one.stat().st_size for one in group.packages.glob(".wheelhouse/nodes/*/*.journal")}


def test_what_an_earlier_try_has_left_beside_files_is_replaced(group: Joiners) -> None:
    c = group.lose()
    one, two = wheel("p", "1")[0], wheel("p", "2")[0]
    (c.pages / "packages").mkdir()
    for left in (f"{one}.metadata", f"{one}.provenance", f"{two}.provenance", "none-1-py3-none-any.whl.metadata"):
        (c.pages / "packages" / left).write_text("old")
    group.join()
    assert not (c.pages / f"packages/{one}.provenance").exists()
    group.check()


def test_names_of_removed_files_stay_taken_where_the_store_loses_them(group: Joiners) -> None:
    c = group.lose()
    group.join()
    name, _content = sdist("q", "3")
    with c.store.catalogue.reading() as known:
        assert name in known.removed_of(["q"])["q"]
    assert c.upload(*wheel("q", "3")).status == 200


@pytest.mark.parametrize("seed", some(range(6), 3))
def test_whatever_goes_on_while_a_node_joins_it_is_as_the_others(
    group: Joiners, seed: int, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(joining, "_FILES", 1)
    chance = random.Random(seed)
    group.lose()
    a, b, _c = group.nodes.values()
    files = [
        made(name, version) for made in (wheel, sdist) for name in ("p", "q", "r", "s") for version in ("1", "2", "4")
    ]
    done: list[int] = []

    def change(_seconds: float = 0.0) -> None:
        for _ in range(1 + chance.randrange(4)):
            node = chance.choice((a, b))
            name, content = chance.choice(files)
            match chance.randrange(7):
                case 0 | 1:
                    done.append(node.upload(name, content).status)
                case 2:
                    fields = {"attestations": json.dumps([attestation(name, content)])}
                    done.append(node.upload(name, content, **fields).status)
                case 3:
                    done.append(node.remove(filename=name).status)
                case 4:
                    action = chance.choice(("yank", "unyank"))
                    done.append(node.ask(action, name=name[0], version=name[2]).status)
                case 5:
                    status = chance.choice(("active", "archived", "quarantined"))
                    done.append(node.ask("set_status", name=name[0], status=status).status)
                case _:
                    node.store.catch_up()

    a.store.pause = change

    def give() -> None:
        change()
        a.store.give()
        change()

    group.join(give)
    assert done.count(200) > 2, done
    joined = list(read)
    group.check()
    # What left quarantine meanwhile is read by the node that moved it, and by no other.
    assert len(set(joined)) == len(joined), joined


@pytest.mark.parametrize("step", some(range(12), 3))
def test_a_node_that_is_killed_while_it_joins_joins_again(
    group: Joiners, step: int, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(joining, "_FILES", 1)
    c = group.lose()
    steps = iter(range(step, -1, -1))

    def killing(what: Callable[..., Any]) -> Callable[..., Any]:
        def killed(*arguments: Any, **named: Any) -> Any:
            if next(steps) == 0:
                os._exit(7)
            return what(*arguments, **named)

        return killed

    def child() -> int:
        for place, name in (
            (snapshots.Snapshots, "wish"),
            (snapshots.Snapshots, "answer"),
            (snapshots.Snapshots, "clear"),
            (Staged, "publish"),
            (catalogue.Catalogue, "_put_in_place"),
        ):
            monkeypatch.setattr(place, name, killing(getattr(place, name)))
        group.join()
        return 0

    assert in_a_child(child) == 7
    # Uploads go on before it is back.
    group.connect("c")
    assert group.nodes["a"].upload(*wheel("s", "1")).status == 200
    group.join()
    assert not read
    assert "s" in c.projects()
    group.check()
    assert not read


@pytest.mark.parametrize("frame", [0, 2])
def test_where_the_node_that_answers_is_killed_another_one_answers(
    group: Joiners, frame: int, monkeypatch: pytest.MonkeyPatch, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(joining, "_FILES", 1)
    monkeypatch.setattr(joining, "_ANSWER_SECONDS", 0.5)
    group.lose()
    a, b, _c = group.nodes.values()
    killed: list[int] = []

    def give() -> None:
        if killed:
            # The number of the first wish is taken.
            time.sleep(0.05)
            b.store.give()
            return
        left = iter(range(frame, -1, -1))

        def kill(_seconds: float) -> None:
            if next(left) == 0:
                os._exit(9)

        def child() -> int:
            a.store.pause = kill
            a.store.give()
            return 0

        killed.append(in_a_child(child))

    group.join(give)
    assert killed == [9]
    assert "known from node b" in caplog.text
    assert not read
    a.store.prepare()
    group.check()


def altered(place: Path, how: str) -> None:
    """Damage a snapshot."""
    content = bytearray(place.read_bytes())
    if how == "cut":
        del content[-10:]
    elif how == "cut between frames":
        content = content[: content.rindex(b"\n", 0, len(content) - 30) - 11]
    elif how == "flipped":
        content[len(content) // 2] ^= 1
    elif how == "empty":
        content.clear()
    else:
        content = bytearray(os.urandom(2000))
    place.write_bytes(content)


def joins_without(
    group: Joiners, give: Callable[[], None], read: list[str], caplog: pytest.LogCaptureFixture, said: object
) -> None:
    """Have a node join that cannot use what is given, and so reads all files."""
    c = group.lose()
    read.clear()
    caplog.clear()
    group.join(give)
    assert "cannot be used, and all are read" in caplog.text, said
    assert len(read) == 5, said
    assert not c.store.compares(), said
    group.check()


def test_a_damaged_snapshot_is_not_used(group: Joiners, read: list[str], caplog: pytest.LogCaptureFixture) -> None:
    for how in ("cut", "cut between frames", "flipped", "empty", "garbage"):

        def give(how: str = how) -> None:
            group.nodes["a"].store.give()
            (place,) = (group.packages / HANDED_OVER).glob("*.snapshot")
            altered(place, how)

        joins_without(group, give, read, caplog, how)


Frame = dict[str, Any]


def handed_over(group: Joiners, change: Callable[[list[Frame]], None]) -> Callable[[], None]:
    """Return what gives a snapshot whose frames are changed."""

    def give() -> None:
        store = group.nodes["a"].store
        store.give()
        (place,) = (group.packages / HANDED_OVER).glob("*.snapshot")
        with place.open("rb") as file:
            found = list(snapshots.frames(file))
        change(found)
        node, number, _kind = place.name.split(".")
        with store.facts.snapshots.giving(node, number) as write:
            for frame in found:
                write(frame)

    return give


OF_ANOTHER: list[Frame] = [
    {"store": "another"},
    {"schema": 3},
    {"format": 2},
    {"followed": {"../a": ["", 0]}},
    {"followed": {"a": ["../x", 0]}},
    {"awaited": [["../x-1-py3-none-any.whl", "a", '[null, ""]', 1]]},
    {"followed": 1},
    {"node": "a\nb"},
    {"awaited": [1]},
]


def test_a_snapshot_of_another_index_is_not_used(
    group: Joiners, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    for said in OF_ANOTHER:
        give = handed_over(group, lambda frames, said=said: frames[0].update(said))  # type: ignore[misc]
        joins_without(group, give, read, caplog, said)


def test_rows_of_a_snapshot_that_cannot_be_used_are_left_out(group: Joiners, caplog: pytest.LogCaptureFixture) -> None:
    name = wheel("p", "1")[0]
    wrong: list[Any] = []

    def change(frames: list[Frame]) -> None:
        said = next(one for one in frames[1]["files"] if one[0][0] == name)
        (row, metadata, provenance) = said
        for column, value in (
            (0, "../../p-9-py3-none-any.whl"),
            (0, ".wheelhouse/p-9-py3-none-any.whl"),
            (0, "/etc/p-9-py3-none-any.whl"),
            (1, "large"),
            (1, 2**70),
            (4, 5),
        ):
            other = list(row)
            other[column] = value
            wrong.append([other, metadata, provenance])
        wrong.extend(([row[:3], metadata, provenance], [row, 5, provenance], [row, metadata, "[]"]))
        # Another inode, and metadata that are not the file's.
        wrong.extend(([[row[0], row[1], row[2], row[3] + 1, *row[4:]], metadata, provenance], [row, "other", ""]))
        frames[1]["files"] = [one for one in frames[1]["files"] if one != said] + wrong
        frames.insert(-1, {"removed": [["p", "p-7.tar.gz", 1, 2, 3], ["../p", "p-7.tar.gz", "a", 2, 3], 1]})
        frames.insert(-1, {"decided": [["../p", "{}"], ["p", "{}"], ["p"], 1]})
        frames[-1]["end"] += len(wrong) - 1

    c = group.lose()
    group.join(handed_over(group, change))
    assert len(wrong) > 10
    with c.store.catalogue.reading() as known:
        assert not [path for path in known.paths() if "9" in path]
        assert "p-7.tar.gz" not in known.removed_of(["p"]).get("p", {})
    assert not (c.folder.parent / "p-9-py3-none-any.whl.metadata").exists()
    group.check()


def test_without_another_node_that_lives_all_files_are_read_at_once(
    group: Joiners, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "_ALIVE_SECONDS", 0.0)
    c = group.lose()
    c.store.pause = lambda _seconds: pytest.fail("it waits")
    c.store.prepare()
    c.look()
    assert len(read) == 5
    group.check()


def test_a_node_that_gets_no_answer_reads_all_files(
    group: Joiners, read: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(joining, "_ANSWER_SECONDS", 0.3)
    group.lose()
    group.join(lambda: time.sleep(0.05))
    assert "No other node gives" in caplog.text
    assert len(read) == 5
    group.check()


@pytest.mark.parametrize("what", ["wish", "answer", "sign"])
def test_a_node_that_cannot_ask_reads_all_files(
    group: Joiners, read: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError("the shared folder is full")

    group.lose()
    with monkeypatch.context() as patched:
        patched.setattr(snapshots.Snapshots, what, fail)
        group.join(lambda: None)
    assert len(read) == 5
    group.check()


def test_a_rebuild_reads_all_files(group: Joiners, read: list[str]) -> None:
    c = group.nodes["c"]
    c.store.forget()
    c.look()
    assert len(read) == 5
    group.check()


def test_what_a_node_has_left_that_never_came_back_is_removed(group: Joiners) -> None:
    store = group.nodes["c"].store
    store.facts.snapshots.wish({})
    group.nodes["a"].store.facts.snapshots.prune()
    (wish,) = (group.packages / HANDED_OVER).iterdir()
    os.utime(wish, (time.time() - 7200, time.time() - 7200))
    group.nodes["a"].store.facts.snapshots.prune()
    assert not wish.exists()
