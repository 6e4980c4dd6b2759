"""Uploads, removals and decisions that end at every single step: killed there, or refused by a disk that is full."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import packages as made
from tests.support.attestations import attestation
from tests.support.index import Index, in_a_child

OLD, NEW = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl"
OTHER, LATER = "other-1.0-py3-none-any.whl", "later-1.0-py3-none-any.whl"
# What is looked at in each step; of these, what needs room on the disk.
STEPS = {"open", "os.link", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "sqlite3.connect"}
NEED_ROOM = {"open", "os.link", "os.mkdir", "sqlite3.connect"}
# All of them take a minute.
LOOKED_AT = range(1, 150, 1 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 8)


def upload(name: str) -> Callable[[Index], int]:
    return lambda index: index.upload(name, made.file(name, b"new")).status


def attested(name: str, content: bytes) -> Callable[[Index], int]:
    field = json.dumps([attestation(name, made.file(name, content))])
    return lambda index: index.upload(name, made.file(name, content), attestations=field).status


def remove(name: str, version: str) -> Callable[[Index], int]:
    return lambda index: index.remove(name, version).status


def ask(action: str, **fields: str) -> Callable[[Index], int]:
    return lambda index: index.ask(action, name="foo", **fields).status


def restore(index: Index) -> int:
    for file in index.store.facts.trash.files():
        index.store.restore_removed(file, check=False)
    index.store.write_pending()
    return 200


def look(index: Index) -> int:
    index.keeper.step()
    return 200


OPERATIONS: dict[str, Callable[[Index], int]] = {
    "a release": upload(NEW),
    "a project": upload(OTHER),
    "another file of the same name": upload(OLD),
    "the last release": remove("foo", "1.0"),
    "a release with attestations": attested(NEW, b"new"),
    "attestations of a release": attested(OLD, b"old"),
    "what was copied in": look,
    "what comes back": restore,
}

# What packages/ has, at once.
CHANGING = [
    name for name in OPERATIONS if name not in ("what was copied in", "attestations of a release", "what comes back")
]
YANK, QUARANTINE = (
    ask("yank", version="1.0", reason="broken"),
    ask("set_status", status="quarantined", reason="malware"),
)
# What is decided, after what was decided before.
DECISIONS: dict[str, tuple[Callable[[Index], int], Callable[[Index], int] | None]] = {
    "a yank": (YANK, None),
    "another yank": (ask("yank", version="1.0", reason="worse"), YANK),
    "the end of a yank": (ask("unyank", version="1.0"), YANK),
    "a status": (ask("set_status", status="deprecated"), YANK),
    "a quarantine": (QUARANTINE, YANK),
    "the end of a quarantine": (ask("set_status", status="active"), QUARANTINE),
}


def prepared(folder: Path, operation: str) -> Index:
    folder.mkdir()
    index = Index(folder, overwrite=True)
    assert index.upload(OLD, made.file(OLD, b"old")).status == 200
    index.keeper.step()
    if operation == "what was copied in":
        (index.packages / "nested").mkdir()
        (index.packages / "nested" / NEW).write_bytes(made.file(NEW, b"copied"))
        index.keeper._thorough_at = 0.0
    if operation == "what comes back":
        assert index.remove("foo", "1.0").status == 200
    return index


def kept(index: Index) -> list[bytes]:
    """Return what there is of the release that was there first: in packages/, and in the trash."""
    trash = [file.place.read_bytes() for file in index.store.facts.trash.files()]
    return trash + [content for name, content in index.stored().items() if name == OLD]


def steps(number: int, events: set[str], then: Callable[[], None]) -> None:
    """Have something done at the so-manieth step from now on. It cannot be undone: only in a child."""
    left = [number]

    def look(event: str, values: tuple[object, ...]) -> None:
        # Of opened files those that are written; not descriptors that are open already.
        reading = event == "open" and not int(str(values[2] or 0)) & (os.O_WRONLY | os.O_RDWR)
        if event in events and not reading and not (event == "open" and isinstance(values[0], int)):
            left[0] -= 1
            if left[0] == 0:
                then()

    sys.addaudithook(look)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_killed_at_whatever_step_the_next_start_mends(in_memory: Path, operation: str) -> None:
    for step in LOOKED_AT:
        folder = in_memory / str(step)
        index = prepared(folder, operation)

        def killed(index: Index = index, step: int = step) -> int:
            steps(step, STEPS, lambda: os.kill(os.getpid(), signal.SIGKILL))
            OPERATIONS[operation](index)
            return 0

        code = in_a_child(killed)
        again = Index(folder, overwrite=True)
        assert not list((folder / "packages/.incoming").iterdir()), f"step {step}"
        again.keeper.step()
        assert again.said() == again.truth(), f"step {step}"
        assert again.projects() == set(again.truth()), f"step {step}"
        metadata, provenance = (
            {str(path.relative_to(folder / "index/packages")) for path in (folder / "index/packages").rglob(kind)}
            for kind in ("*.metadata", "*.provenance")
        )
        assert metadata == {f"{path}.metadata" for files in again.truth().values() for path in files}, f"step {step}"
        assert {path.replace(".provenance", ".metadata") for path in provenance} <= metadata, f"step {step}"
        if "attestations" in operation:
            # The client had no answer, and sends it again.
            assert OPERATIONS[operation](again) == 200, f"step {step}"
            name = NEW if operation == "a release with attestations" else OLD
            assert (folder / f"index/packages/{name}.provenance").exists(), f"step {step}"
        assert not list((folder / "index/.staging").iterdir()), f"step {step}"
        if operation in ("the last release", "what comes back"):
            assert kept(again) == [made.file(OLD, b"old")], f"step {step}"
            assert OPERATIONS[operation](again) in (200, 404), f"step {step}"
            assert (OLD in again.stored()) == (operation == "what comes back"), f"step {step}"
            assert again.said() == again.truth(), f"step {step}"
        if code == 0:
            assert step > 5
            return
        assert code == -signal.SIGKILL
    raise AssertionError("it has more steps than are looked at")


@pytest.mark.parametrize("operation", CHANGING)
def test_whatever_the_disk_has_no_room_for_nothing_of_it_is_left(in_memory: Path, operation: str) -> None:
    for step in LOOKED_AT:
        folder = in_memory / str(step)
        index = prepared(folder, operation)
        before = index.truth()

        def refused(index: Index = index, step: int = step) -> int:
            def full() -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            steps(step, NEED_ROOM, full)
            return {200: 0, 507: 1}[OPERATIONS[operation](index)]

        code = in_a_child(refused)
        assert code in (0, 1), f"step {step}"
        after = index.truth()
        # A removal may be refused and done all the same, as nothing is needed for it.
        assert (after == before) if code else (after != before), f"step {step}"
        assert index.said() == after, f"step {step}"
        assert index.projects() == set(after), f"step {step}"
        assert not list((folder / "packages/.incoming").iterdir()), f"step {step}"
        assert not list((folder / "index/.staging").iterdir()), f"step {step}"
        assert {path.name for path in (folder / "index/simple").iterdir() if path.is_dir()} == set(after)
        assert index.upload(LATER, made.file(LATER)).status == 200
        if code == 0 and step > 40:
            return


State = tuple[dict[str, object], dict[str, str], set[str]]


def state(index: Index) -> State:
    """Return what the page says of status and yanks, and which files are served."""
    page = json.loads((index.pages / "simple/foo/index.json").read_text())
    yanked = {file["filename"]: file.get("yanked", "") for file in page["files"]}
    return page.get("project-status", {}), yanked, set(index.stored())


def undecided(folder: Path, decision: str) -> Index:
    """Return an index on which something is to be decided."""
    _change, before = DECISIONS[decision]
    folder.mkdir()
    index = Index(folder)
    for name in (OLD, "foo-1.0.tar.gz", NEW):
        assert index.upload(name, made.file(name)).status == 200
    index.keeper.step()
    assert before is None or before(index) == 200
    return index


@pytest.fixture
def before_and_after(in_memory: Path, decision: str) -> tuple[State, State]:
    """The state of such an index before and after the decision."""
    index = undecided(in_memory / "decided", decision)
    before = state(index)
    assert DECISIONS[decision][0](index) == 200
    after = state(index)
    shutil.rmtree(in_memory / "decided")
    assert before != after
    return before, after


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_that_is_killed_at_whatever_step_is_taken_whole_or_not_at_all(
    in_memory: Path, decision: str, before_and_after: tuple[State, State]
) -> None:
    change, _before = DECISIONS[decision]
    before, after = before_and_after
    found: set[str] = set()
    for step in LOOKED_AT:
        index = undecided(in_memory / str(step), decision)
        assert state(index) == before

        def killed(index: Index = index, step: int = step) -> int:
            steps(step, STEPS, lambda: os.kill(os.getpid(), signal.SIGKILL))
            change(index)
            return 0

        code = in_a_child(killed)
        again = Index(index.packages.parent)
        again.keeper.step()
        now = state(again)
        assert now in (before, after), f"step {step}"
        found.add("after" if now == after else "before")
        assert again.said() == again.truth(), f"step {step}"
        assert again.projects() == set(again.truth()), f"step {step}"
        # The client had no answer, and sends it again.
        assert change(again) == 200, f"step {step}"
        assert state(again) == after, f"step {step}"
        if code == 0:
            assert found == {"before", "after"}
            return
        assert code == -signal.SIGKILL
    raise AssertionError("it has more steps than are looked at")


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_for_which_the_disk_has_no_room_is_taken_whole_or_not_at_all(
    in_memory: Path, decision: str, before_and_after: tuple[State, State]
) -> None:
    change, _before = DECISIONS[decision]
    before, after = before_and_after
    for step in LOOKED_AT:
        index = undecided(in_memory / str(step), decision)
        assert state(index) == before

        def refused(index: Index = index, step: int = step) -> int:
            def full() -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            steps(step, NEED_ROOM, full)
            return {200: 0, 503: 2, 507: 1}[change(index)]

        code = in_a_child(refused)
        # There is room again.
        again = Index(index.packages.parent)
        again.keeper.step()
        assert state(again) in ((after,) if code in (0, 2) else (before, after)), f"step {step}: {code}"
        assert change(again) == 200, f"step {step}"
        assert state(again) == after, f"step {step}"
        if code == 0 and step > 40:
            return
