"""A name that was taken by mistake is given back: upstream answers for it, and what was known of it is shown before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from wheelhouse_index.common import disk
from wheelhouse_index.fact_store.recording import ConflictError
from wheelhouse_index.files.entry import guessed
from wheelhouse_index.public.opening import Opening

from tests.support.index import Index, in_a_child
from tests.support.index_server import program
from tests.support.outlet import URL, listed
from tests.support.packages import file
from tests.support.public import Public, policy

WHEEL = "demo-1.0-py3-none-any.whl"
REFUSED = f"demo still has files: {WHEEL}. Remove them first (docs/releases.md#remove), then run this again"


def give_back(public: Public, *words: str, **variables: object) -> dict[str, Any]:
    done = program(public.index.folder, "give-back", *words, stdin=json.dumps(variables) + "\n")
    print(done.stdout, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == ("stop" in answer) and not done.stderr
    return answer


def stop(public: Public, **variables: object) -> str:
    """Return the one line that a run is refused with."""
    answer = give_back(public, **variables)
    assert not answer["changed"] and "\n" not in answer["stop"]
    return str(answer["stop"])


CONFIRMED = {"pypi_project": "Demo", "pypi_give_back_confirm": "demo"}


@pytest.fixture
def taken(public: Public, monkeypatch: pytest.MonkeyPatch) -> Public:
    """An index that has a private file by the name of a public project."""
    monkeypatch.setenv("WHEELHOUSE_UPSTREAMS", str(public.file))
    public.put(shadowed=["demo"])
    public.outlet.serve("demo", listed("demo-9.0.tar.gz"))
    assert public.index.upload(WHEEL, file(WHEEL)).status == 200
    public.index.ask("set_status", name="demo", status="deprecated")
    return public


def is_public(public: Public) -> bool:
    return not hasattr(public.ask("/page/demo"), "status")


def test_a_name_is_given_back_once_it_has_no_files(taken: Public) -> None:
    shown = give_back(taken, pypi_project="Demo")
    assert not shown["changed"]
    first, file_line, then = shown["messages"]
    assert first == "demo is private on this index. Nothing was changed."
    assert re.fullmatch(
        rf"{WHEEL}: published \d{{4}}-\d\d-\d\dT[\d:]{{8}}Z \(upload\) by publisher, still here", file_line
    )
    assert then == REFUSED + "."
    for check in ((), ("--check",)):
        assert give_back(taken, *check, **CONFIRMED)["stop"] == REFUSED
    assert taken.index.remove("demo", "1.0").status == 200
    taken.index.look()
    assert not is_public(taken), "a name stays private when its last file is removed"
    shown = give_back(taken, pypi_project="demo")
    assert shown["messages"][1].endswith(" by publisher, removed")
    assert shown["messages"][2] == f"To give it back to {URL}, add -e pypi_give_back_confirm=demo."
    checked = give_back(taken, "--check", **CONFIRMED)
    assert checked["changed"] and checked["messages"][0] == f"demo would be given back: {URL} answers for it."
    assert not is_public(taken), "a check changes nothing"
    done = give_back(taken, **CONFIRMED)
    assert done["changed"] and done["messages"][0] == f"demo was given back: {URL} answers for it."
    assert done["messages"][1:2] == shown["messages"][1:2]
    assert done["messages"][2].startswith("pypi_shadowed_names: demo lets an upload take demo again.")
    assert is_public(taken)
    again = give_back(taken, **CONFIRMED)
    nothing = "demo is not private on this index: there is nothing to give back."
    assert (again["changed"], again["messages"]) == (False, [nothing])
    for _ in range(3):
        taken.index.look()
        taken.restart()
    assert is_public(taken) and taken.marks.is_open(), "nothing claims it again"
    assert not taken.index.store.facts.claims.has("demo")
    listed_by = program(taken.index.folder, "list", "--project", "demo")
    assert f"give_back - demo {WHEEL}" in listed_by.stdout, listed_by.stdout
    # It may be taken once more.
    assert taken.index.upload(WHEEL, file(WHEEL, b"other")).status == 200
    assert not is_public(taken)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "pypi_project: missing; name the project, as in -e pypi_project=torch"),
        ({"pypi_give_back_confirm": "demo"}, "pypi_project: missing; name the project, as in -e pypi_project=torch"),
        ({"pypi_project": "../x"}, "pypi_project: '../x' is not the name of a project; give one such as torch"),
        (
            {"pypi_project": 1.1},
            "pypi_project: 1.1 is not a text; quote it where it is set, as in pypi_project: '1.10'",
        ),
        (
            {"pypi_project": "demo", "pypi_give_back_confirm": "dem"},
            "pypi_give_back_confirm: 'dem' is another name than pypi_project ('demo'); give the same one, or leave"
            " pypi_give_back_confirm out to see what is known of demo",
        ),
        (
            {"pypi_project": "x", "pypi_reason": "y"},
            "pypi_reason: unknown to the index that runs; run wheelhouse.pypi.site first",
        ),
        (
            {"pypi_project": "ACME.x", "pypi_give_back_confirm": "acme-x"},
            "pypi_private_names: acme-* reserves acme-x for private packages; remove or narrow it, run wheelhouse.pypi.site,"
            " then run this again",
        ),
    ],
)
def test_bad_input_gets_one_line(taken: Public, variables: dict[str, object], line: str) -> None:
    assert stop(taken, **variables) == line
    assert not is_public(taken)


def test_a_name_that_nothing_would_answer_for_stays(taken: Public) -> None:
    taken.index.remove("demo", "1.0")
    (upstream,) = policy()["upstreams"]
    taken.put(upstreams=[{**upstream, "names": ["torch*"]}])
    assert stop(taken, **CONFIRMED).startswith("pypi_upstreams: none answers for demo; add it to the names of one,")
    taken.file.write_text("{")
    assert "upstreams.json cannot be used" in stop(taken, **CONFIRMED)
    taken.file.unlink()
    assert stop(taken, **CONFIRMED).startswith("pypi_upstreams: this index has none, so nothing would answer for demo;")
    assert taken.index.store.facts.claims.has("demo")


def test_a_name_whose_files_are_in_quarantine_stays(taken: Public) -> None:
    taken.index.ask("set_status", name="demo", status="quarantined")
    taken.index.look()
    assert stop(taken, **CONFIRMED).startswith(f"demo has files in quarantine: {WHEEL}. Set its status to active")
    assert ", in quarantine" in give_back(taken, pypi_project="demo")["messages"][1]


def test_a_name_of_which_a_record_cannot_be_read_stays(taken: Public) -> None:
    taken.index.remove("demo", "1.0")
    (record,) = (taken.index.store.facts.records.folder / "demo").glob("*.json")
    record.write_text("{")
    assert stop(taken, **CONFIRMED).startswith(f"Who published files of demo cannot be read: {record}. Restore")


@pytest.mark.parametrize("path", ["demo-2.0-py3-none-any.whl", "later/demo-2.0-py3-none-any.whl"])
def test_a_name_stays_whose_file_was_copied_in_a_moment_ago(taken: Public, path: str) -> None:
    taken.index.remove("demo", "1.0")
    taken.index.look()
    place = taken.index.packages / path
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(file(place.name))
    assert stop(taken, **CONFIRMED) == f"demo has files: {path}. Remove them first."
    assert not is_public(taken) and taken.index.store.facts.claims.has("demo")
    taken.index.look()
    assert taken.index.listed("demo").keys() == {path}


def test_a_name_stays_whose_file_is_called_as_one_of_another_project(taken: Public) -> None:
    """Its content alone says whose it is."""
    taken.index.store.facts.claims.make(["demo-1"])
    name = "demo-1-1.tar.gz"
    assert guessed(name).project == "demo"
    (taken.index.packages / name).write_bytes(file(name, release=("demo-1", "1")))
    with pytest.raises(ConflictError, match=f"demo-1 has files: {name}"):
        taken.index.store.give_back("demo-1")
    assert taken.index.store.facts.claims.has("demo-1")


def test_a_name_stays_while_the_index_is_being_rebuilt(taken: Public) -> None:
    taken.index.remove("demo", "1.0")
    taken.index.look()
    taken.index.store.forget()
    assert stop(taken, **CONFIRMED).startswith(
        "Whether demo has files is being found out: private names are being collected."
    )
    assert taken.index.store.facts.claims.has("demo")
    taken.open()
    assert give_back(taken, **CONFIRMED)["changed"]


def test_a_name_stays_while_a_folder_cannot_be_read(taken: Public, monkeypatch: pytest.MonkeyPatch) -> None:
    taken.index.remove("demo", "1.0")
    folder = taken.index.packages.resolve() / "old"
    folder.mkdir()
    (folder / "demo-0.1-py3-none-any.whl").write_bytes(file("demo-0.1-py3-none-any.whl"))
    taken.index.look()
    scandir = os.scandir

    def failing(place: Any) -> Any:
        if str(place) == str(folder):
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing)
        taken.index.look()
        with pytest.raises(ConflictError, match=r"packages/old/ cannot be read\. Correct that"):
            taken.index.store.give_back("demo")
    taken.index.look()
    assert taken.index.listed("demo") and not is_public(taken)


def test_who_published_what_is_kept_where_the_files_are_away_for_a_while(taken: Public) -> None:
    """The folder that they are in is not mounted."""
    packages = taken.index.packages
    (packages / "old").mkdir()
    (packages / WHEEL).rename(packages / "old" / WHEEL)
    taken.index.look()
    record = taken.index.record("demo", WHEEL)
    decided = (taken.index.store.facts.decisions.folder / "demo.json").read_bytes()
    (packages / "old").rename(packages.parent / "unmounted")
    (packages / "old").mkdir()
    taken.index.look()
    assert give_back(taken, **CONFIRMED)["changed"] and is_public(taken)
    (aside,) = (packages / ".wheelhouse" / "given-back").iterdir()
    print(sorted(path.relative_to(aside) for path in aside.rglob("*")))
    assert aside.name.startswith("demo-20")
    assert json.loads((aside / "files" / f"{WHEEL}.json").read_text()) == record and record["login"] == "publisher"
    assert (aside / "projects").read_bytes() == decided
    (packages / "old").rmdir()
    (packages.parent / "unmounted").rename(packages / "old")
    taken.index.look()
    assert not is_public(taken) and taken.index.listed("demo")


@pytest.mark.parametrize("where", ["records", "claims"])
def test_a_name_that_is_given_back_while_the_keeper_looks_is_not_taken_again(
    taken: Public, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken.index.remove("demo", "1.0")
    taken.index.look()
    store = taken.index.store
    # As of another process: all projects are compared.
    taken.restart()
    store._learned = 0
    given: list[str] = []

    def meanwhile(do: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*words: Any) -> Any:
            if words in ((), ("demo",)) and not given:
                given.append("demo")
                Index(taken.index.folder).store.give_back("demo")
            return do(*words)

        return instead

    if where == "records":
        # Between the catalogue and the records.
        monkeypatch.setattr(store.facts.records, "listed", meanwhile(store.facts.records.listed))
        store.check_recorded()
    else:
        # Between the catalogue and the claims.
        opening = Opening(store, taken.file)
        opening.begin()
        monkeypatch.setattr(store.facts.claims, "names", meanwhile(store.facts.claims.names))
        opening.end()
    print(given, store.facts.claims.names(), os.listdir(store.facts.records.folder))
    assert given and not store.facts.claims.has("demo") and not store.facts.records.names("demo")
    monkeypatch.undo()
    taken.index.look()
    assert is_public(taken)


@pytest.mark.parametrize("steps", range(6))
def test_a_name_of_which_anything_is_left_stays_private(
    taken: Public, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill the process before each of its changes, and before each write to disk."""
    taken.index.remove("demo", "1.0")
    left = [steps]

    def killed(do: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*words: Any, **more: Any) -> Any:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return do(*words, **more)

        return instead

    def child() -> int:
        for target, name in ((os, "rename"), (os, "unlink"), (disk, "sync")):
            monkeypatch.setattr(target, name, killed(getattr(target, name)))
        taken.index.store.give_back("demo")
        return 0

    code = in_a_child(child)
    claimed = taken.index.store.facts.claims.has("demo")
    print(f"killed after {steps} steps: exit code {code}, claimed: {claimed}")
    taken.restart()
    taken.index.look()
    asked = len(taken.outlet.asked)
    if claimed:
        assert code == 9 and not is_public(taken) and len(taken.outlet.asked) == asked
    with_claim = taken.index.store.facts.claims.has("demo")
    assert with_claim == claimed
    if claimed:
        taken.index.store.give_back("demo")
    assert is_public(taken)
    with pytest.raises(ConflictError, match="not private"):
        taken.index.store.give_back("demo")
