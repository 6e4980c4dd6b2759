"""Several nodes with upstreams: no node serves a public page under a name whose upload was accepted by another one.

Nodes, their servers' threads and NGINX are played by one thread and a clock of its own, so that whatever may come between two
steps does come: uploads elsewhere while a node reads on, or while it waits for upstream, cuts, pauses, kills.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wheelhouse_index.common import boot
from wheelhouse_index.fact_store.journal import Nodes, Place
from wheelhouse_index.fact_store.recording import ConflictError
from wheelhouse_index.public.gate import Reply
from wheelhouse_index.server import peers as peers_module
from wheelhouse_index.server.peers import Peers

from tests.support import outlet as stand_in
from tests.support.long import some
from tests.support.outlet import Outlet, listed
from tests.support.packages import file
from tests.support.public import Public

NAMES = ("a", "b", "c")
PROJECTS = tuple(f"demo{number}" for number in range(40))


class AtOnce:
    """A thread that does its work when it is started."""

    def __init__(self, target: Callable[..., object], args: tuple[Any, ...], daemon: bool) -> None:
        assert daemon
        self.start = lambda: target(*args)

    def join(self) -> None:
        """It has ended."""


class Clock:
    """The time of all hosts; what is due happens while one of them waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[Node] = []
        # Called now and then while time passes.
        self.between: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            waiting = [node for node in self.due if not node.busy and not node.stopped]
            first = min(waiting, key=lambda node: node.next, default=None)
            if first is None or first.next > until:
                break
            self.now = max(self.now, first.next)
            first.step()
        self.now = max(self.now, until)


class Node:
    """A node whose server is the test."""

    def __init__(self, folder: Path, name: str, outlet: Outlet, clock: Clock, freshness: float) -> None:
        folder.mkdir()
        (folder / "packages").symlink_to(folder.parent / "shared")
        self.name, self.clock, self.outlet = name, clock, outlet
        self.public = Public(folder, outlet, nodes=Nodes.of_text(name, " ".join(NAMES)), freshness=freshness)
        self.public.put(shadowed=["demo*"])
        self.public.restart()
        self.store = self.public.index.store
        self.public.index.keeper.looks = lambda: name == NAMES[0]
        self.peers = self._peers()
        # The shared folder and the other nodes are out of reach; its processes do nothing for a while.
        self.cut = self.stopped = self.busy = False
        self.next = clock.now
        self.store.tell = self.tell
        self._break()

    def _peers(self) -> Peers:
        return Peers(self.store, self.public.index.folder / "none", self.public.index.settings.freshness)

    def _break(self) -> None:
        """Have the shared folder out of reach when the node is cut off, and slow at any time."""
        journals = self.store.facts.journals
        for owner, name in (
            (self.store, "catch_up"),
            (self.store, "gather_names"),
            (journals, "see"),
            (journals, "seen"),
        ):
            setattr(owner, name, self._reached(getattr(owner, name)))

    def _reached(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def reached(*arguments: Any) -> Any:
            self.clock.between()
            if self.cut:
                raise OSError("the shared folder does not answer")
            done = do(*arguments)
            self.clock.between()
            return done

        return reached

    def step(self) -> None:
        self.busy = True
        try:
            self.peers.step()
        finally:
            self.busy = False
            self.next = self.clock.now + self.peers._contact / peers_module._LOOKS

    def tell(self, place: Place) -> None:
        self.peers.tell(place)

    def restart(self) -> None:
        """Kill its server and start another one."""
        self.store.facts.marks.close()
        self.peers = self._peers()
        self.connect(self.others)
        self.public.restart()
        self.public.index.keeper.looks = lambda: self.name == NAMES[0]

    def connect(self, others: dict[str, Node]) -> None:
        """Have others answer when this one asks them to read on."""
        self.others = others
        for peer in self.peers._others:
            peer._asked = self._asking(others[peer.name])  # type: ignore[method-assign, assignment]
            # The same thread may be here already.
            peer._lock = nullcontext()  # type: ignore[assignment]

    def _asking(self, other: Node) -> Callable[[Place], bool]:
        def asked(place: Place) -> bool:
            if self.cut or other.cut or other.stopped:
                return False
            try:
                return other.store.catch_up(self.name, place).get(self.name, Place()) >= place
            except OSError:
                return False

        return asked

    def upload(self, project: str, version: str) -> bool:
        """Upload a file; return whether it was accepted."""
        if self.cut or self.stopped or self.busy:
            return False
        name = f"{project}-{version}-py3-none-any.whl"
        return self.public.index.upload(name, file(name)).status == 200

    def get(self, project: str) -> str:
        """Ask for a page as clients do: NGINX answers by what is on disk, and asks the server where that does not say."""
        facts = self.store.facts
        if self.public.index.listed(project):
            return "private"
        mark = facts.marks.folder / self.public.digest / project / ".page"
        if facts.lease.holds() and mark.exists():
            return "public" if not facts.marks.has_name(project) and facts.lease.holds() else "cut off"
        if facts.marks.has_name(project):
            return "404"
        if not (facts.lease.holds() and facts.marks.is_open()):
            return "503"
        if self.stopped:
            return "502"
        said = self.public.ask(f"/page/{project}")
        if isinstance(said, Reply):
            # lease.js looks once more.
            return "public" if not facts.marks.has_name(project) and facts.lease.holds() else "cut off"
        return str(said.status)


@contextmanager
def group(folder: Path, monkeypatch: pytest.MonkeyPatch, freshness: float = 2.0) -> Iterator[tuple[Clock, list[Node]]]:
    """Three nodes that serve public projects, all well."""
    clock = Clock()
    shim = SimpleNamespace(
        monotonic=lambda: clock.now, time_ns=lambda: int(clock.now * 1e9), sleep=clock.wait, time=lambda: clock.now
    )
    monkeypatch.setattr(peers_module, "time", shim)
    monkeypatch.setattr(peers_module, "threading", SimpleNamespace(Thread=AtOnce, Lock=threading.Lock))
    monkeypatch.setattr(boot, "now", lambda: clock.now)
    (folder / "shared").mkdir()
    with stand_in.outlet() as outlet:
        for project in PROJECTS:
            outlet.serve(project, listed(f"{project}-9.0-py3-none-any.whl"))
        nodes = [Node(folder / name, name, outlet, clock, freshness) for name in NAMES]
        others = {node.name: node for node in nodes}
        clock.due = nodes
        for node in nodes:
            node.connect(others)
            node.public.open()
        clock.wait(freshness)
        yield clock, nodes


def test_a_public_project_comes_from_each_node(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with group(in_memory, monkeypatch) as (_clock, nodes):
        assert [node.get("demo0") for node in nodes] == ["public"] * 3
        assert [node.get("nothing") for node in nodes] == ["404"] * 3


def test_a_name_that_turns_private_on_one_node_is_private_on_the_next_request_to_each(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with group(in_memory, monkeypatch) as (clock, nodes):
        for node in nodes:
            assert node.get("demo0") == "public"
        began = clock.now
        assert nodes[1].upload("demo0", "1.0")
        assert clock.now == began, "no node is waited for"
        assert [node.get("demo0") for node in nodes] == ["private"] * 3
        # Nor after it was removed.
        assert nodes[2].public.index.remove("demo0", "1.0").status == 200
        assert [node.get("demo0") for node in nodes] == ["404"] * 3


@pytest.mark.parametrize("fault", ["cut", "stopped"])
@pytest.mark.parametrize("freshness", [2.0, 30.0])
def test_a_node_that_is_away_serves_nothing_public_from_its_cache_when_the_upload_is_answered(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, fault: str, freshness: float
) -> None:
    with group(in_memory, monkeypatch, freshness) as (clock, nodes):
        away = nodes[2]
        assert away.get("demo0") == away.get("demo1") == "public"
        setattr(away, fault, True)
        assert away.get("demo0") == "public", "its lease holds for a while"
        assert nodes[0].upload("demo0", "1.0")
        assert [away.get("demo0"), away.get("demo1")] == ["503", "503"]
        # Now it is known to be away, and nothing waits for it.
        began = clock.now
        assert nodes[0].upload("demo2", "1.0")
        assert clock.now == began
        asked = len(away.outlet.asked)
        setattr(away, fault, False)
        clock.wait(freshness)
        assert [away.get("demo0"), away.get("demo1"), away.get("demo2")] == ["private", "public", "private"]
        assert not [path for path in away.outlet.asked[asked:] if path.endswith(("/demo0", "/demo2"))]


def test_an_answer_of_upstream_that_comes_after_the_lease_is_not_served(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with group(in_memory, monkeypatch) as (_clock, nodes):
        away = nodes[2]

        def slow(path: str) -> None:
            if path.endswith("/demo0") and not away.cut:
                away.cut = True
                assert nodes[0].upload("demo0", "1.0")

        away.outlet.before = slow
        assert away.get("demo0") == "503"
        assert not away.public.marked() or away.get("demo0") == "503"


def then(owner: Any, name: str, before: Callable[[], object], after: Callable[[], object]) -> None:
    """Have something happen just before and after a method does its work for the next time."""
    do = getattr(owner, name)

    def overtaken(*arguments: Any) -> Any:
        setattr(owner, name, do)
        before()
        found = do(*arguments)
        after()
        return found

    setattr(owner, name, overtaken)


def nothing() -> None:
    """Do nothing."""


def test_a_node_that_comes_back_is_waited_for_from_its_first_word_on(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with group(in_memory, monkeypatch) as (_clock, nodes):
        away = nodes[2]
        assert away.get("demo1") == "public"
        away.stopped = True
        assert nodes[0].upload("demo0", "1.0")
        away.stopped = False
        accepted = []
        then(away.store, "gather_names", nothing, lambda: accepted.append(nodes[0].upload("demo1", "1.0")))
        away.step()
        assert accepted == [True]
        assert away.get("demo1") != "public"


def test_a_node_is_not_given_up_because_the_shared_folder_is_slow(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with group(in_memory, monkeypatch) as (clock, nodes):
        first, _second, third = nodes
        assert third.get("demo1") == "public"
        (peer,) = [peer for peer in first.peers._others if peer.name == "c"]
        peer._asked = lambda _place: False  # type: ignore[method-assign, assignment]
        asked, answered = threading.Event(), threading.Event()
        third.stopped = True

        def slow() -> None:
            clock.now += 4
            asked.set()
            assert answered.wait(20)

        then(first.store.facts.journals, "seen", lambda: None if asked.is_set() else slow(), nothing)
        accepted: list[bool] = []
        # Of the other one it knows that it has read: the first question is about this one.
        uploading = threading.Thread(target=lambda: accepted.append(first.upload("demo0", "1.0")))
        uploading.start()
        assert asked.wait(20)
        third.stopped = False

        def answer() -> None:
            # Its word is new, and it has read nothing yet.
            answered.set()
            uploading.join(20)

        then(third.store, "catch_up", answer, nothing)
        then(third.store, "gather_names", nothing, lambda: accepted.append(first.upload("demo1", "1.0")))
        third.step()
        assert accepted == [True, True]
        assert third.get("demo1") != "public"


def test_journals_that_are_lost_while_a_node_is_away_hide_no_name(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with group(in_memory, monkeypatch) as (clock, nodes):
        away = nodes[2]
        away.cut = True
        before = {path: path.read_bytes() for path in (in_memory / "shared/.wheelhouse/nodes/a").glob("*.journal")}
        assert nodes[0].upload("demo0", "1.0")
        for path in (in_memory / "shared/.wheelhouse/nodes/a").glob("*.journal"):
            path.write_bytes(before[path]) if path in before else path.unlink()
        away.cut = False
        clock.wait(3)
        assert away.get("demo1") == "public"
        assert away.get("demo0") in ("404", "private")


def test_a_lease_of_another_boot_or_of_the_future_is_none(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with group(in_memory, monkeypatch) as (clock, nodes):
        facts = nodes[0].store.facts
        place = facts.marks.folder / ".lease"
        assert facts.lease.holds()
        right = place.read_text()
        for wrong in (right.replace(right[:4], "0000"), "", right[:-20], "x", right.replace(right.split()[1], "nan")):
            place.write_text(wrong)
            assert not facts.lease.holds(), wrong
        place.write_text(right)
        assert facts.lease.holds()
        clock.now -= 500
        assert not facts.lease.holds()


def test_names_that_are_removed_by_hand_close_it(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with group(in_memory, monkeypatch) as (_clock, nodes):
        away = nodes[2]
        assert nodes[0].upload("demo0", "1.0")
        for path in sorted((away.store.facts.marks.folder / ".private").iterdir()):
            path.unlink()
        assert away.get("demo1") == "503"
        away.public.open()
        assert away.store.facts.marks.names() == {"demo0"}
        assert away.get("demo1") == "public"


def test_a_name_that_is_given_back_is_public_on_all_nodes(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with group(in_memory, monkeypatch) as (_clock, nodes):
        assert nodes[0].upload("demo0", "1.0")
        assert nodes[1].public.index.remove("demo0", "1.0").status == 200
        nodes[2].store.give_back("demo0")
        assert [node.get("demo0") for node in nodes] == ["public"] * 3
        assert nodes[0].upload("demo0", "2.0")
        assert [node.get("demo0") for node in nodes] == ["private"] * 3


@pytest.mark.parametrize("moment", ["before the claim is removed", "after that", "while it is recorded"])
def test_a_name_that_is_published_while_it_is_given_back_stays_private(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    with group(in_memory, monkeypatch) as (clock, nodes):
        a, b, _c = nodes
        assert a.upload("demo0", "1.0")
        assert a.public.index.remove("demo0", "1.0").status == 200

        def publish() -> None:
            # a cannot be told yet: it has its lock.
            with monkeypatch.context() as patched:
                patched.setattr(b.store, "tell", lambda _place: None)
                assert b.upload("demo0", "2.0")

        def give_back() -> None:
            # Nor can b.
            with monkeypatch.context() as patched:
                patched.setattr(a.store, "tell", lambda _place: None)
                a.store.give_back("demo0")

        if moment == "while it is recorded":
            then(b.store, "_journal", give_back, nothing)
            assert b.upload("demo0", "2.0")
        else:
            hooks = (publish, nothing) if moment == "before the claim is removed" else (nothing, publish)
            then(a.store.facts, "give_back", *hooks)
            with pytest.raises(ConflictError, match="was published on another host at this moment"):
                a.store.give_back("demo0")
        for _round in range(3):
            clock.wait(2)
            assert a.store.facts.claims.has("demo0")
            assert [node.get("demo0") for node in nodes] == ["private"] * 3


def walk(clock: Clock, nodes: list[Node], chance: random.Random, steps: int) -> dict[str, int]:
    """Do things at random, and look after each whether a private name is served as public; return how often what was seen."""
    private: set[str] = set()
    free = list(PROJECTS)
    seen: dict[str, int] = {}
    depth = 0

    def upload() -> None:
        nonlocal depth
        depth += 1
        node = chance.choice(nodes)
        project = chance.choice(PROJECTS if chance.random() < 0.2 else free[:8] or PROJECTS)
        if node.upload(project, f"{len(private)}.{chance.randrange(10**6)}"):
            private.add(project)
            if project in free:
                free.remove(project)
            check([project])
        depth -= 1

    def check(projects: list[str]) -> None:
        for node in nodes:
            for project in projects:
                was_private = project in private
                said = node.get(project)
                seen[said] = seen.get(said, 0) + 1
                assert not (was_private and said == "public"), f"{node.name} serves {project}"

    def between() -> None:
        if depth < 2 and chance.random() < 0.25:
            clock.now += chance.choice((0.0, 0.1, 0.5, 1.0, nodes[0].peers._contact, 3.0))
            if chance.random() < 0.3:
                upload()

    def asked(_path: str) -> None:
        if depth < 2 and chance.random() < 0.2:
            upload()

    clock.between = between
    nodes[0].outlet.before = asked
    for _step in range(steps):
        node = chance.choice(nodes)
        match chance.randrange(9):
            case 0 | 1:
                upload()
            case 2:
                node.cut = not node.cut
            case 3:
                node.stopped = not node.stopped
            case 4 if not node.cut and not node.stopped:
                node.restart()
                node.public.index.look()
            case 5 if not node.cut and not node.stopped:
                node.public.index.look()
            case 6:
                # Most of them are on their feet most of the time.
                for one in nodes:
                    one.cut = one.stopped = False
            case _:
                clock.wait(chance.choice((0.1, 0.4, 1.0, 2.0, nodes[0].peers._contact + 1)))
        check([*free[:4], *chance.sample(sorted(private), min(len(private), 3))])
    clock.between = lambda: None
    nodes[0].outlet.before = lambda _path: None
    for one in nodes:
        one.cut = one.stopped = False
    for _round in range(3):
        clock.wait(nodes[0].peers._contact + 1)
        for one in nodes:
            one.public.index.look()
    check(sorted(private))
    for one in nodes:
        assert all(one.get(project) in ("private", "404") for project in private)
        assert one.get(free[0]) == "public"
    return seen


@pytest.mark.parametrize("freshness", [2.0, 10.0])
@pytest.mark.parametrize("seed", some(range(8), 4))
def test_whatever_happens_no_node_serves_a_public_page_of_a_private_name(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, seed: int, freshness: float
) -> None:
    with group(in_memory, monkeypatch, freshness) as (clock, nodes):
        seen = walk(clock, nodes, random.Random(seed), 40)
    print(seen)
    assert seen.get("public") and seen.get("private")
