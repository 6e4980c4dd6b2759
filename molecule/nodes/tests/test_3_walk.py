"""No order of requests and failures shows anywhere what should not be there: random walks over all hosts beside a model."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from threading import Thread
from uuid import uuid4

from tests.support import packages
from tests.support.nodes import (
    WEB,
    Node,
    differs,
    not_served,
    sha256,
    stale,
    wait_until_healed,
)

# In make test-long all scenarios get as many as the longest of them.
STEPS = 2000 if os.environ.get("WHEELHOUSE_LONG") else int(os.environ.get("WHEELHOUSE_STEPS", "60"))
# In the long walk, how many steps lie between two losses of power.
STEPS_BETWEEN_POWER = 250
VERSIONS = ("1.0", "2.0", "3.0")
KINDS = {"upload": 8, "remove": 3, "yank": 1, "unyank": 1, "page": 6, "file": 2, "fault": 2, "killed": 1}


class Model:
    """What the index must show.

    Attributes:
        files: by project, content by file name.
        first: what was first accepted by a name, by project and version: no other content may have it.
        yanked: the names of files that are.
    """

    def __init__(self, prefix: str, folder: Path) -> None:
        self.files: dict[str, dict[str, bytes]] = {f"{prefix}-{letter}": {} for letter in "abcd"}
        self.first: dict[tuple[str, str], Path] = {}
        self.yanked: set[str] = set()
        self._folder = folder

    def file(self, project: str, version: str, dice: random.Random) -> Path:
        """Return a file to upload: the first of its name, or one with another content."""
        first = self.first.get((project, version))
        if first and dice.random() < 0.5:
            return first
        folder = self._folder / uuid4().hex
        folder.mkdir()
        return packages.wheel(folder, project, version, padding=os.urandom(500))

    def of(self, project: str) -> tuple[dict[str, bytes], frozenset[str]]:
        """Return what the pages of a project say."""
        return self.files[project], frozenset(self.yanked.intersection(self.files[project]))


class Walk:
    """One walk: its hosts, what is wrong with them, and what was found.

    Attributes:
        steps: what was done, for people.
        stale: what hosts that were well showed wrongly.
        questions: how many pages of hosts were compared.
        counts: how often each kind of step was made.
    """

    def __init__(self, nodes: list[Node], model: Model, dice: random.Random) -> None:
        self.steps: list[str] = []
        self.stale: list[str] = []
        self.questions = 0
        self.counts: Counter[str] = Counter()
        self._nodes, self._model, self._dice = nodes, model, dice
        # At most one host at a time has a fault: until which step, and what it is.
        self._fault: tuple[Node, int, AbstractContextManager[None]] | None = None

    def end_fault(self) -> None:
        """Mend what is wrong, and wait until the host is well."""
        if self._fault:
            node, _until, fault = self._fault
            self._fault = None
            fault.__exit__(None, None, None)
            node.wait_until_well(90)

    def step(self) -> None:
        """Do one thing, and compare what all hosts show of its project."""
        if self._fault and self._fault[1] <= len(self.steps):
            self.end_fault()
        dice, model = self._dice, self._model
        (kind,) = dice.choices(list(KINDS), list(KINDS.values()))
        project, version, node = dice.choice(sorted(model.files)), dice.choice(VERSIONS), dice.choice(self._nodes)
        self.steps.append(f"{kind} of {project} {version} on {node.name}, fault of {self._fault and self._fault[0]}")
        self.counts[kind] += 1
        if kind == "fault":
            self._begin_fault(node)
        elif kind in ("page", "file"):
            self._read(node, project, version, kind)
        else:
            self._change(node, project, version, kind)
        expected, yanked = model.of(project)
        for one in self._nodes:
            self.questions += 1
            if said := self._compared(one, partial(stale, one, project, expected, yanked)):
                self.stale.append(f"step {len(self.steps)}, {self.steps[-1]}: {said}")
        assert not self.stale

    def _compared(self, node: Node, ask: Callable[[], str]) -> str:
        """Return what a question comes to; a host with a fault need not answer."""
        try:
            return ask()
        except (OSError, AssertionError):
            if self._fault and self._fault[0] is node:
                return ""
            raise

    def _begin_fault(self, node: Node) -> None:
        if self._fault:
            return
        others = [one for one in self._nodes if one is not node]
        name = self._dice.choice(("pypi-server", "nginx", "containers", "cut"))
        fault = {
            "pypi-server": lambda: node.without("pypi-server"),
            "nginx": lambda: node.without("nginx"),
            "containers": lambda: node.without(),
            "cut": lambda: node.cut_off(others, WEB),
        }[name]()
        fault.__enter__()
        self.steps[-1] += f": {name}"
        self._fault = (node, len(self.steps) + self._dice.randint(1, 8), fault)

    def lose_power(self) -> None:
        """A host loses its power, and has it back after a few steps."""
        self.end_fault()
        node = self._dice.choice(self._nodes)
        self.steps.append(f"power of {node.name}")
        self.counts["power"] += 1
        node.power_off()
        self._fault = (node, len(self.steps) + 1000, _Powered(node))
        for _ in range(5):
            self.step()
        self.end_fault()

    def _read(self, node: Node, project: str, version: str, kind: str) -> None:
        expected, yanked = self._model.of(project)
        name = f"{packages.escaped(project)}-{version}-py3-none-any.whl"
        if node.health() != 200:
            return

        def ask() -> str:
            if kind == "page":
                return differs(node, project, expected, yanked)
            if name in expected:
                return not_served(node, project, name, expected[name])
            status = node.get(f"/packages/{name}").status
            return "" if status == 404 else f"{node.name} answers {status} for {name}, which is not there"

        said = self._compared(node, ask)
        assert not said or node.health() != 200, said

    def _change(self, node: Node, project: str, version: str, kind: str) -> None:
        model, key = self._model, (project, version)
        name = f"{packages.escaped(project)}-{version}-py3-none-any.whl"
        file = model.file(project, version, self._dice)
        there = name in model.files[project]
        kills = kind == "killed"
        kind = self._dice.choice(("upload", "upload", "remove", "yank")) if kills else kind
        right = {
            "upload": 200 if model.first.get(key, file) == file else 409,
            "remove": 200 if there else 404,
            "yank": 200 if there else 404,
            "unyank": 200 if there else 404,
        }[kind]

        def ask(one: Node) -> int:
            if kind == "upload":
                return one.upload(file)
            return one.ask("remove_pkg" if kind == "remove" else kind, name=project, version=version)

        was_well = node.health() == 200
        status = self._killed(node, ask) if kills and not self._fault else ask(node)
        if status in (0, 502, 503, 504):
            assert kills or not was_well or (self._fault and self._fault[0] is node), f"{status}, and it is well"
            # It may have happened; who wants it done asks another.
            (other,) = [one for one in self._nodes if one is not node and not (self._fault and self._fault[0] is one)][
                :1
            ]
            status = ask(other)
            # What is removed twice was there the first time.
            right = status if kind == "remove" and status == 404 else right
        assert status == right, f"{status} instead of {right}"
        if kind == "upload" and status == 200:
            model.first[key] = file
            model.files[project][name] = file.read_bytes()
        elif kind == "remove":
            model.files[project].pop(name, None)
        elif status == 200:
            (model.yanked.add if kind == "yank" else model.yanked.discard)(name)

    def _killed(self, node: Node, ask: Callable[[Node], int]) -> int:
        """Kill pypi-server in mid-request, start it again, and return what was answered."""
        found: list[int] = []
        thread = Thread(target=lambda: found.append(ask(node)))
        thread.start()
        time.sleep(self._dice.random() * 0.1)
        with node.without("pypi-server"):
            thread.join()
        node.wait_until_well(90)
        self.counts["kills in mid-request"] += 1
        return found[0]


class _Powered(AbstractContextManager[None]):
    """At the end of it the host has power again."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __exit__(self, *_: object) -> None:
        self._node.power_on()


def test_random_walks_over_all_hosts_show_what_the_model_says(
    nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    seed = int(os.environ.get("WHEELHOUSE_SEED", random.randrange(10**9)))
    model = Model(project, tmp_path)
    walk = Walk(nodes, model, random.Random(seed))
    began = time.monotonic()
    try:
        while len(walk.steps) < STEPS:
            if len(walk.steps) % STEPS_BETWEEN_POWER == STEPS_BETWEEN_POWER - 1:
                walk.lose_power()
            walk.step()
    except BaseException:
        print(f"WHEELHOUSE_SEED={seed}, step {len(walk.steps)}; the last ones:", *walk.steps[-12:], sep="\n  ")
        raise
    finally:
        walk.end_fault()
        took = time.monotonic() - began
        figures["random walk"] = (
            f"{len(walk.steps)} steps in {took:.0f} s, seed {seed}: {dict(walk.counts)}; {len(walk.stale)} stale answers"
            f" of {walk.questions}"
        )
    for node in nodes:
        node.wait_until_well()
    wait_until_healed(nodes[0])
    for node in nodes:
        for name in model.files:
            assert differs(node, name, *model.of(name)) == ""
            for file, content in model.files[name].items():
                assert not_served(node, name, file, content) == ""
                on_disk = node.host.check_output(f"sha256sum /home/pypi/pypi-server/packages/{file}").split()[0]
                assert on_disk == sha256(content)
