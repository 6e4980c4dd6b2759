"""A name that was taken by mistake is given back: upstream answers for it, and what was known of it is shown before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.common import disk
from wheelhouse_index.fact_store.recording import ConflictError

from tests.support.index import in_a_child
from tests.support.index_server import program
from tests.support.outlet import listed
from tests.support.packages import file
from tests.support.public import Public

WHEEL = "demo-1.0-py3-none-any.whl"


def give_back(public: Public, *words: str) -> tuple[int, dict[str, Any], str]:
    done = program(public.index.folder, "give-back", *words)
    print(done.stdout, done.stderr)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture
def taken(public: Public) -> Public:
    """An index that has a private file by the name of a public project."""
    public.put(shadowed=["demo"])
    public.outlet.serve("demo", listed("demo-9.0.tar.gz"))
    assert public.index.upload(WHEEL, file(WHEEL)).status == 200
    public.index.ask("set_status", name="demo", status="deprecated")
    return public


def is_public(public: Public) -> bool:
    return not hasattr(public.ask("/page/demo"), "status")


def test_a_name_is_given_back_once_it_has_no_files(taken: Public) -> None:
    code, shown, _error = give_back(taken, "--check", "Demo")
    assert (code, shown["files"]) == (0, [WHEEL])
    assert [(one["file"], one["login"], one["source"]) for one in shown["published"]] == [
        (WHEEL, "publisher", "upload")
    ]
    code, _shown, error = give_back(taken, "demo")
    assert code == 1 and error == f"give-back: demo has files: {WHEEL}. Remove them first.\n"
    assert taken.index.remove("demo", "1.0").status == 200
    taken.index.look()
    assert not is_public(taken), "a name stays private when its last file is removed"
    code, shown, _error = give_back(taken, "demo")
    assert (code, shown["files"], len(shown["published"])) == (0, [], 1)
    assert is_public(taken)
    for _ in range(3):
        taken.index.look()
        taken.restart()
    assert is_public(taken) and taken.marks.is_open(), "nothing claims it again"
    assert not taken.index.store.facts.claims.has("demo")
    done = program(taken.index.folder, "list", "--project", "demo")
    assert f"give_back - demo {WHEEL}" in done.stdout, done.stdout
    # It may be taken once more.
    assert taken.index.upload(WHEEL, file(WHEEL, b"other")).status == 200
    assert not is_public(taken)


def test_what_cannot_be_given_back_gets_one_line(taken: Public) -> None:
    for words, line in (
        (["other"], "give-back: other is not private on this index.\n"),
        ([], "usage: python3 -m wheelhouse_index give-back [--check] NAME\n"),
        (["../x"], "usage: python3 -m wheelhouse_index give-back [--check] NAME\n"),
    ):
        code, _shown, error = give_back(taken, *words)
        assert code and error == line
    taken.index.ask("set_status", name="demo", status="quarantined")
    code, _shown, error = give_back(taken, "demo")
    assert (code == 1 and "quarantine" in error) or "has files" in error


@pytest.mark.parametrize("steps", range(6))
def test_a_name_of_which_anything_is_left_stays_private(
    taken: Public, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill the process before each of its removals, and before the last write to disk."""
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
        for target, name in ((Path, "unlink"), (Path, "rmdir"), (os, "unlink"), (disk, "sync")):
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
