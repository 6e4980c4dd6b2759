"""Whether hosts share a folder well enough: nodes are threads here, each with caches, clocks and links of its own."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import shared_folder
from ansible_collections.wheelhouse.pypi.plugins.modules.shared_folder import Trial, apart, listed, looked, stepped

NAMES = ["a", "b", "c"]


class OldNames(Trial):
    """A mount that keeps what it has read of a file, as with attribute-timeout."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.known: dict[str, str] = {}

    def read(self, path: str) -> str | None:
        if path not in self.known:
            text = super().read(path)
            # Also what another is about to write into.
            if not text:
                return text
            self.known[path] = text
        return self.known[path]


class OldAbsence(Trial):
    """A mount that keeps that a file was missing, as NFS does."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.absent: set[str] = set()
        self.meet_seconds = 0.3

    def read(self, path: str) -> str | None:
        text = None if path in self.absent else super().read(path)
        if text is None:
            self.absent.add(path)
        return text


class OtherInodes(Trial):
    def stamp(self, path: str) -> list[int] | None:
        found = super().stamp(path)
        return found and [found[0] + (self.node == "b"), *found[1:]]


class EachWins(Trial):
    def link(self, source: str, target: str) -> bool:
        return super().link(source, target) or "claim" in target


class Overwrites(Trial):
    def link(self, source: str, target: str) -> bool:
        Path(target).unlink(missing_ok=True)
        return super().link(source, target)


class LateClock(Trial):
    def clock(self) -> float:
        return time.time() - (60 if self.node == "b" else 0)


class NoLinks(Trial):
    def link(self, source: str, target: str) -> bool:
        raise PermissionError(1, "Operation not permitted", target)


def together(kind: type[Trial], *folders: Path) -> dict[str, list[str]]:
    """What each node says of its folder."""
    nodes = [
        kind(
            str(folder),
            "/srv/packages",
            "1",
            name,
            [one for one in NAMES if one != name],
            [one for one in NAMES if one != name],
        )
        for name, folder in zip(NAMES, folders)
    ]
    said: dict[str, list[str]] = {name: [] for name in NAMES}
    with ThreadPoolExecutor(len(NAMES)) as pool:
        for step in ("begin", "together", "end"):
            for name, found in zip(NAMES, pool.map(stepped, nodes, [step] * len(nodes))):
                said[name] += found
    print(said)
    return said


def test_a_folder_that_all_share_is_good_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "foo-1.0.tar.gz").touch()
    assert together(Trial, tmp_path, tmp_path, tmp_path) == {"a": [], "b": [], "c": []}
    assert [one.name for one in tmp_path.iterdir()] == ["foo-1.0.tar.gz"]


def test_nodes_that_do_not_share_it_are_named(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    said = together(Trial, tmp_path / "one", tmp_path / "one", tmp_path / "other")
    assert said["c"][0].startswith(
        "does not see within 2 s what a and b wrote: /srv/packages is not shared between them; "
    )
    assert said["a"][0].startswith(
        "does not see within 2 s what c wrote: /srv/packages is not shared between them; mount "
    )
    assert [*(tmp_path / "one").iterdir(), *(tmp_path / "other").iterdir()] == []


@pytest.mark.parametrize(
    ("kind", "node", "said"),
    [
        (OldNames, "a", "still sees files that b has just removed and replaced; turn off the caches of the mount "),
        (OldAbsence, "a", r"does not see within 0 s what [\w, ]+ writes; "),
        (OtherInodes, "a", r"sees inode, size or time of a file of b differently, [\d, \[\]]+ and not [\d, \[\]]+; turn off"),
        (LateClock, "a", r"has a clock that is 60 s apart from that of b; synchronise the clocks of all nodes \(chrony, "),
        (LateClock, "b", "has a clock that is 60 s apart from that of a; synchronise"),
        (Overwrites, "c", "a name that exists can be given to another file: there is no exclusive link; use another"),
        (NoLinks, "b", r"cannot work in /srv/packages: \[Errno 1\] .*; mount it for reading and writing, or use"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_a_remedy(tmp_path: Path, kind: type[Trial], node: str, said: str) -> None:
    found = together(kind, tmp_path, tmp_path, tmp_path)[node]
    pattern = said if "\\" in said else re.escape(said)
    assert any(re.match(pattern, one) for one in found), found
    assert list(tmp_path.iterdir()) == []


def test_two_winners_of_one_name_are_seen(tmp_path: Path) -> None:
    said = together(EachWins, tmp_path, tmp_path, tmp_path)
    assert any(found and found[0].startswith("was given a name that ") for found in said.values())


def test_one_node_alone_can_try(tmp_path: Path) -> None:
    node = Trial(str(tmp_path), "/srv/packages", "1", "a", [], [])
    assert [stepped(node, step) for step in ("begin", "together", "end")] == [[], [], []]


def test_what_a_killed_run_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    for name, age in ((".wheelhouse-trial-old", 7200), (".wheelhouse-trial-new", 60)):
        (tmp_path / name / "x").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    stepped(Trial(str(tmp_path), "", "1", "a", [], []), "begin")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".wheelhouse-trial-1", ".wheelhouse-trial-new"]


# -- before anything is written ---------------------------------------------------------------------------------------


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that looks like a mount, whose owner is 998."""
    folder, real = tmp_path / "packages", os.stat
    folder.mkdir()
    monkeypatch.setattr(
        shared_folder.os,
        "stat",
        lambda path: SimpleNamespace(st_mode=real(path).st_mode, st_dev=7 if path == str(folder) else 1, st_uid=998),
    )
    return folder


def test_a_mount_is_good(mounted: Path) -> None:
    assert looked(str(mounted), "998:998", []) == looked(str(mounted), "", []) == []


def test_a_folder_of_the_host_itself_is_not_mounted(tmp_path: Path) -> None:
    (problem,) = looked(str(tmp_path), "", [])
    assert problem.startswith(f"{tmp_path} is on a disk of the host itself: nothing is mounted there; mount the same")


def test_a_link_leads_to_a_mount(mounted: Path) -> None:
    link = mounted.with_name("link")
    link.symlink_to(mounted)
    (problem,) = looked(str(link), "", [])
    assert "on a disk of the host itself" in problem  # by the stand-in for stat, which knows one path


@pytest.mark.parametrize(("make", "said"), [(None, "does not exist"), ("file", "is not a folder")])
def test_a_path_without_a_folder(tmp_path: Path, make: str | None, said: str) -> None:
    if make:
        (tmp_path / "x").touch()
    (problem,) = looked(str(tmp_path / "x"), "", [])
    assert problem.startswith(f"{tmp_path}/x {said}; mount the same shared folder there on all nodes")


def test_the_account_is_the_owner(mounted: Path) -> None:
    (problem,) = looked(str(mounted), "997:998", [])
    assert problem.startswith(
        f"{mounted} belongs to uid 998, and the service account has uid 997 here; give it the same"
    )


def test_the_first_run_has_all_nodes(mounted: Path) -> None:
    (problem,) = looked(str(mounted), "", ["b", "c", "d"])
    assert problem.startswith(f"{mounted} has no index yet, and this run leaves out b, c and d; begin with all nodes")
    (mounted / ".wheelhouse").mkdir()
    (mounted / ".wheelhouse/format").touch()
    assert looked(str(mounted), "", ["b"]) == []


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(NAMES[:1]), listed(NAMES[:2]), listed(NAMES)] == ["a", "a and b", "a, b and c"]


# -- the module -------------------------------------------------------------------------------------------------------


def hang() -> list[str]:
    time.sleep(3)
    return []


def test_a_mount_that_hangs_is_left_alone() -> None:
    began = time.monotonic()
    assert apart(hang, 0.2) is None
    assert time.monotonic() - began < 2


def test_a_process_that_ends_early_is_no_success() -> None:
    assert apart(lambda: os._exit(3), 5) == ["the trial ended without a word; run again"]


def test_the_module_says_what_it_found(tmp_path: Path, run_module: Callable[..., dict[str, Any]]) -> None:
    result = run_module(shared_folder, step="begin", path=str(tmp_path), trial="1", node="a")
    assert result["changed"] is False
    assert "is on a disk of the host itself" in result["problems"][0]
    assert list(tmp_path.iterdir()) == []
