"""What the playbook yank.yml has the index do, and what ``list`` tells of it: both as programs, as in the container."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.commands import yanking
from wheelhouse_index.fact_store.change_log import ChangeLog
from wheelhouse_index.index.store import Store

from tests.support import packages as made
from tests.support.index import Index, sha256
from tests.support.index_server import environment_of, program
from tests.unit.wheelhouse_index.test_change_log import noted
from tests.unit.wheelhouse_index.test_importing import imported

ONE, SDIST, TWO = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-2.0-py3-none-any.whl"
OTHER, BAR = "foo-3.0-py3-none-any.whl", "bar-1.0-py3-none-any.whl"
RELEASE = {"pypi_project": "Foo", "pypi_version": "1.0.0"}
TODAY = time.strftime("%Y-%m-%d", time.gmtime())


def as_login(login: str) -> dict[str, str]:
    return {"X-Wheelhouse-Login": login, "X-Forwarded-For": "192.0.2.7"}


@pytest.fixture
def index(in_memory: Path) -> Index:
    """An index with files of two logins."""
    found = Index(in_memory)
    for name, login in ((ONE, "ci"), (SDIST, "ci"), (TWO, "ci"), (OTHER, "alice"), (BAR, "ci")):
        assert found.upload(name, made.file(name), as_login(login)).status == 200
    found.keeper.step()
    return found


def asked(index: Index, *options: str, **variables: Any) -> dict[str, Any]:
    """Return what the playbook gets; fails where it is refused."""
    done = program(index.folder, "yank", *options, stdin=json.dumps(variables))
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def refused(index: Index, monkeypatch: pytest.MonkeyPatch, **variables: Any) -> str:
    """Return why the index does not do it; nothing may change. In this process, as that is quicker."""
    before, answers = everything(index), list[str]()
    for name, value in environment_of(index.folder).items():
        monkeypatch.setenv(name, value)
    assert yanking.main(False, io.StringIO(json.dumps(variables)), answers.append) == 1
    answer = json.loads(answers[0])
    assert answer["changed"] == []
    assert everything(index) == before
    return str(answer["stop"])


def everything(index: Index) -> dict[str, bytes]:
    """Return pages, facts and change log."""
    folders = (index.pages / "simple", index.packages / ".wheelhouse", index.logs)
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def yanked(index: Index, project: str = "foo") -> dict[str, Any]:
    document = json.loads((index.pages / "simple" / project / "index.json").read_text())
    return {file["filename"]: file["yanked"] for file in document["files"] if "yanked" in file}


def listed(index: Index, *options: str) -> list[dict[str, Any]]:
    done = program(index.folder, "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_release_is_yanked_once_and_taken_back(index: Index) -> None:
    variables = {**RELEASE, "pypi_reason": "breaks on Python 3.9"}
    before = everything(index)
    would = asked(index, "--check", **variables)
    assert would == {"changed": [ONE, SDIST], "same": 0, "warnings": []}
    assert everything(index) == before
    assert asked(index, **variables) == would
    assert yanked(index) == {ONE: "breaks on Python 3.9", SDIST: "breaks on Python 3.9"}
    files = {name: sha256(made.file(name)) for name in (ONE, SDIST)}
    line = {"login": "", "address": "", "project": "foo", "version": "1", "files": files}
    assert noted(index)[-1] == {"action": "yank", **line, "reason": "breaks on Python 3.9"}
    before = everything(index)
    assert asked(index, **variables) == {"changed": [], "same": 2, "warnings": []}
    assert everything(index) == before
    assert asked(index, **RELEASE, pypi_reason="other")["changed"] == [ONE, SDIST]
    assert asked(index, "--check", **RELEASE, pypi_unyank=True)["changed"] == [ONE, SDIST]
    assert asked(index, **RELEASE, pypi_unyank="true")["changed"] == [ONE, SDIST]
    assert noted(index)[-1] == {"action": "unyank", **line}
    assert yanked(index) == {}
    assert asked(index, **RELEASE, pypi_unyank=True) == {"changed": [], "same": 2, "warnings": []}


def test_a_file_is_yanked_alone(index: Index) -> None:
    assert asked(index, pypi_file=SDIST)["changed"] == [SDIST]
    assert yanked(index) == {SDIST: True}
    assert asked(index, pypi_file=SDIST)["same"] == 1
    assert asked(index, pypi_file=SDIST, pypi_unyank=True)["changed"] == [SDIST]
    assert yanked(index) == {}


def test_of_a_list_each_is_yanked_and_what_is_not_there_is_a_warning(index: Index) -> None:
    wanted = [
        {"pypi_file": name, "pypi_reason": reason} for name, reason in ((SDIST, "old"), ("no-1.zip", ""), (BAR, ""))
    ]
    for changed, same in (([BAR, SDIST], 0), ([], 2)):
        done = program(index.folder, "yank", stdin=json.dumps(wanted))
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["changed"], answer["same"]) == (0, changed, same)
        (warning,) = answer["warnings"]
        assert warning.startswith("pypi_file: no-1.zip is not on this index")
    assert (yanked(index), yanked(index, "bar")) == ({SDIST: "old"}, {BAR: True})


def test_what_a_login_published_is_yanked_and_what_others_did_is_not(index: Index) -> None:
    own = {"pypi_login": "ci", "pypi_since": TODAY}
    would = asked(index, "--check", **own, pypi_reason="leaked token")
    assert asked(index, **own, pypi_reason="leaked token") == would
    assert would["changed"] == sorted([ONE, SDIST, TWO, BAR])
    assert yanked(index) == dict.fromkeys([ONE, SDIST, TWO], "leaked token")
    assert yanked(index, "bar") == {BAR: "leaked token"}
    assert asked(index, **own, pypi_reason="leaked token") == {"changed": [], "same": 4, "warnings": []}
    # The server finds nothing to do.
    again = Index(index.packages.parent)
    again.keeper.step()
    assert yanked(again) == dict.fromkeys([ONE, SDIST, TWO], "leaked token")
    assert asked(index, **own, pypi_unyank=True)["changed"] == would["changed"]
    assert yanked(index) == {}


def test_a_run_that_dies_half_way_leaves_pages_to_the_server_and_the_rest_to_the_next_run(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = yanking.Request(login="ci", since=f"{TODAY}T00:00:00.000000Z")
    decide = index.store.decide

    def fails_at_foo(project: str, *arguments: Any, **options: Any) -> bool:
        if project == "foo":
            raise OSError(28, "No space left on device")
        return decide(project, *arguments, **options)

    monkeypatch.setattr(index.store, "decide", fails_at_foo)
    run = yanking.Yank(index.store, ChangeLog(index.logs), request, False, yanking.Outcome())
    with pytest.raises(OSError):
        run.run()
    assert run.outcome.changed == [BAR]
    line = {"login": "", "address": "", "project": "bar", "files": {BAR: sha256(made.file(BAR))}}
    assert noted(index)[-1] == {"action": "yank", **line}
    assert (yanked(index), yanked(index, "bar")) == ({}, {})
    index.keeper.step()
    assert yanked(index, "bar") == {BAR: True}
    assert asked(index, pypi_login="ci", pypi_since=TODAY)["changed"] == sorted([ONE, SDIST, TWO])


def test_a_full_disk_is_said(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any, **_options: Any) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "decide", fails)
    assert refused(index, monkeypatch, **RELEASE) == "the disk of the index is full; make room, then run it again"


def test_the_time_that_list_says_is_a_bound_that_includes_its_file(index: Index) -> None:
    (event,) = [event for event in listed(index, "--login", "ci") if event["file"] == TWO]
    assert asked(index, "--check", pypi_login="ci", pypi_since=event["time"])["changed"] == [BAR, TWO]


def test_taking_back_a_batch_leaves_a_whole_release_yanked_and_says_so(index: Index) -> None:
    assert index.ask("yank", name="foo", version="1.0", reason="on purpose").status == 200
    own = {"pypi_login": "ci", "pypi_since": TODAY}
    assert len(asked(index, **own, pypi_reason="leaked token")["changed"]) == 4
    back = asked(index, **own, pypi_unyank=True)
    assert len(back["changed"]) == 4
    assert back["warnings"] == [
        f"Yanked as before with the whole release; unyank that by pypi_project and pypi_version: {ONE}, {SDIST}"
    ]
    assert yanked(index) == dict.fromkeys([ONE, SDIST], "on purpose")


def test_what_was_removed_or_is_in_quarantine_is_yanked_when_it_is_back(index: Index) -> None:
    assert index.remove(filename=TWO).status == 200
    assert index.ask("set_status", name="bar", status="quarantined").status == 200
    assert asked(index, pypi_login="ci", pypi_since=TODAY)["changed"] == sorted([ONE, SDIST, TWO, BAR])
    assert index.ask("set_status", name="bar", status="active").status == 200
    assert index.upload(TWO, made.file(TWO), as_login("alice")).status == 200
    assert yanked(index, "bar") == {BAR: True}
    assert yanked(index)[TWO] is True


@pytest.mark.parametrize("what", [{"pypi_project": "bar", "pypi_version": "1.0"}, {"pypi_file": BAR}])
def test_a_release_of_a_quarantined_project_can_be_yanked(index: Index, what: dict[str, str]) -> None:
    assert index.ask("set_status", name="bar", status="quarantined").status == 200
    assert asked(index, **what, pypi_reason="malware")["changed"] == [BAR]
    assert index.ask("set_status", name="bar", status="active").status == 200
    assert yanked(index, "bar") == {BAR: "malware"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "pypi_project, pypi_file, pypi_login: missing; name a release (-e pypi_project=NAME -e pypi_version=VERSION)"),
        ({**RELEASE, "pypi_file": SDIST}, f"pypi_project ('Foo'), pypi_version ('1.0.0'), pypi_file ('{SDIST}'): more than"),
        ({"pypi_project": "foo"}, "pypi_version: missing beside pypi_project ('foo'); name a release"),
        ({"pypi_version": "1.0"}, "pypi_project: missing beside pypi_version ('1.0')"),
        ({"pypi_login": "ci"}, "pypi_since: missing beside pypi_login ('ci')"),
        ({"pypi_since": TODAY}, f"pypi_login: missing beside pypi_since ('{TODAY}')"),
        ({"pypi_project": "foo", "pypi_version": " "}, "pypi_version: empty; give a value, or leave it out"),
        ({**RELEASE, "pypi_file": ""}, "pypi_file: empty; give a value, or leave it out"),
        (
            {"pypi_project": "foo", "pypi_version": 1.1},
            "pypi_version: 1.1 is not a text; quote it where it is set, as in pypi_version: '1.10'",
        ),
        (
            {"pypi_project": "foo", "pypi_version": "9"},
            "pypi_project, pypi_version: foo 9 is not on this index: nothing was changed. "
            "There is 1.0, 2.0, 3.0; correct pypi_version.",
        ),
        ({"pypi_project": "fooo", "pypi_version": "1.0"}, "There is no file of this project; correct pypi_project."),
        ({"pypi_file": "foo-9.tar.gz"}, "pypi_file: foo-9.tar.gz is not on this index: nothing was changed. Give the name"),
        ({"pypi_file": "../../etc/passwd"}, "pypi_file: ../../etc/passwd is not on this index"),
        (
            {"pypi_login": "cii", "pypi_since": TODAY},
            "pypi_login: 'cii' has not published anything on this index. These have: alice, ci; correct it",
        ),
        ({"pypi_login": "ci", "pypi_since": "yesterday"}, "pypi_since: 'yesterday' is not a day or a time; give a day (UTC)"),
        ({"pypi_login": "ci", "pypi_since": "2026-02-30"}, "pypi_since: '2026-02-30' is not a day or a time"),
        ({"pypi_login": "ci", "pypi_since": "9999-01-01"}, "pypi_since: '9999-01-01' is in the future"),
        ({**RELEASE, "pypi_reason": "a\x1b[2Jb"}, "pypi_reason: 'a\\x1b[2Jb': A reason is one line of at most 1000 printable"),
        ({**RELEASE, "pypi_reason": "x" * 10_000}, "… (10000 characters): A reason is one line of at most 1000"),
        ({**RELEASE, "pypi_unyank": "maybe"}, "pypi_unyank: 'maybe' is neither true nor false; give -e pypi_unyank=true"),
        ({**RELEASE, "pypi_unyank": ""}, "pypi_unyank: '' is neither true nor false; give -e pypi_unyank=true"),
        ({**RELEASE, "pypi_unyank": True, "pypi_reason": "x"}, "pypi_reason: 'x' does not go with pypi_unyank"),
        ({**RELEASE, "pypi_later": "x"}, "pypi_later: unknown to the index that runs; run wheelhouse.pypi.site first"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_the_variable_and_the_remedy(
    index: Index, monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], said: str
) -> None:
    message = refused(index, monkeypatch, **variables)
    assert said in message
    assert "\n" not in message and len(message) < 500, message


def test_facts_that_cannot_be_used_stop_it(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    (index.packages / ".wheelhouse/format").unlink()
    assert "packages/.wheelhouse/format is missing: restore" in refused(index, monkeypatch, **RELEASE)
    done = program(index.folder, "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("list: packages/.wheelhouse/format is missing: restore")


def test_a_fact_that_cannot_be_read_is_named_and_the_others_are_yanked(index: Index) -> None:
    damaged = index.packages / ".wheelhouse/files/foo" / f"{TWO}.json"
    damaged.write_text('{"sha256": ')
    ran = program(index.folder, "yank", stdin=json.dumps({"pypi_login": "ci", "pypi_since": TODAY}))
    done = json.loads(ran.stdout)
    # Whose file that is may be what the run is for: it is no success.
    assert (ran.returncode, done["changed"]) == (1, sorted([ONE, SDIST, BAR]))
    assert done["stop"].startswith(
        f"1 facts cannot be read, so it is unknown whose files these are: {damaged}. All others"
    )
    found = program(index.folder, "list")
    assert (found.returncode, found.stderr) == (1, f"list: cannot be read, and left out: {damaged}\n")
    assert ONE in found.stdout and SDIST in found.stdout


def test_each_event_is_listed_once_in_the_order_of_time(index: Index) -> None:
    assert index.ask("yank", as_login("alice"), name="Foo", version="1.0", reason="broken").status == 200
    assert imported(index, ("baz-1.0.tar.gz", made.file("baz-1.0.tar.gz"))) == [("imported", "")]
    assert asked(index, pypi_file=BAR)["changed"] == [BAR]
    assert index.ask("unyank", as_login("alice"), name="foo", version="1.0.0").status == 200
    assert index.ask("remove_pkg", as_login("alice"), name="foo", version="2.0").status == 200
    assert index.ask("set_status", as_login("bob"), name="bar", status="deprecated", reason="use foo").status == 200
    found = listed(index)
    assert [event["time"] for event in found] == sorted(event["time"] for event in found)
    assert [(event["action"], event["login"], event.get("file", event.get("version", ""))) for event in found] == [
        ("published", "ci", ONE), ("published", "ci", SDIST), ("published", "ci", TWO), ("published", "alice", OTHER),
        ("published", "ci", BAR), ("yanked", "alice", "1"), ("imported", "", "baz-1.0.tar.gz"), ("yanked", "", BAR),
        ("unyanked", "alice", "1"), ("removed", "alice", TWO), ("status", "bob", ""),
    ]  # fmt: skip
    assert found[0] == {
        "time": found[0]["time"], "action": "published", "login": "ci", "project": "foo", "file": ONE,
        "sha256": sha256(made.file(ONE)), "address": "192.0.2.7",
    }  # fmt: skip
    assert {event["action"] for event in listed(index, "--login", "alice")} == {
        "published",
        "yanked",
        "unyanked",
        "removed",
    }
    assert {event["project"] for event in listed(index, "--project", "Bar")} == {"bar"}
    assert [event["action"] for event in listed(index, "--login", "")] == ["imported", "yanked"]
    assert listed(index, "--since", found[-2]["time"]) == found[-2:]
    assert listed(index, "--since", TODAY) == found
    assert index.ask("yank", as_login("alice"), name="foo", version="1.0").status == 200
    assert listed(index)[-1]["version"] == "1"
    plain = program(index.folder, "list", "--project", "bar", "--login", "bob").stdout
    assert plain == f"{found[-1]['time']} status bob bar deprecated (use foo)\n"
    none = program(index.folder, "list", "--login", "unknown")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "list: nothing matches\n")


def test_without_the_change_log_what_the_facts_say_is_left(index: Index) -> None:
    assert index.ask("yank", as_login("alice"), name="foo", version="1.0", reason="broken").status == 200
    before = [{**event, "address": ""} for event in listed(index)]
    for file in index.logs.iterdir():
        file.unlink()
    assert [{**event, "address": ""} for event in listed(index)] == before
    assert before[-1]["action"] == "yanked"


def test_nothing_in_a_line_reaches_the_terminal_unprinted(index: Index) -> None:
    place = index.packages / ".wheelhouse/projects/foo.json"
    assert index.ask("yank", name="foo", version="1.0", reason="REASON").status == 200
    place.write_text(place.read_text().replace("REASON", "a\\u001b[2J\\nb"))
    (index.logs / f"changes-{TODAY}.log").write_text("no JSON\n")
    done = program(index.folder, "list", "--login", "publisher")
    assert done.stdout.endswith("yanked publisher foo 1 (a?[2J?b)\n")
    assert done.stderr == f"list: cannot be read, and left out: {index.logs}/changes-{TODAY}.log, line 1\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "yesterday"], "list: argument --since: 'yesterday' is not a day or a time; give one such as 2026-11-20"),
        (["--since"], "list: argument --since: expected one argument"),
        (["--project", "a b/.."], "list: argument --project: 'a b/..' is not the name of a project"),
        (["--logi", "ci"], "list: unrecognized arguments: --logi ci"),
        (["ci"], "list: unrecognized arguments: ci"),
    ],
)  # fmt: skip
def test_bad_options_get_one_line(index: Index, options: list[str], said: str) -> None:
    done = program(index.folder, "list", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1, done.stderr


def test_a_reader_that_has_enough_is_no_error(index: Index) -> None:
    own = environment_of(index.folder)
    script = f"set -o pipefail; {sys.executable} -m wheelhouse_index list | true"
    done = subprocess.run(["bash", "-c", script], env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
