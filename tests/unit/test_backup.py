"""The program of the role backup beside an imitated restic: what it asks for, keeps, and says of failures."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("wheelhouse_backup", ROOT / "roles/backup/files/backup.py")
assert _SPEC and _SPEC.loader
backup = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(backup)

OWN = "index=one.example.com/pypi-server"
RESTIC = """#!/bin/sh
echo "$*" >>{folder}/asked
case "$*" in
{more}
backup*) cat {folder}/summary ;;
snapshots*) cat {folder}/snapshots ;;
esac
"""
SUMMARY = {
    "message_type": "summary",
    "snapshot_id": "abcdef123456",
    "total_files_processed": 3,
    "total_bytes_processed": 300,
    "data_added": 100,
}


def snapshot(number: int, *tags: str) -> dict[str, Any]:
    return {
        "id": f"{number:064x}",
        "time": f"2026-11-{number:02d}T02:30:00.123456789+01:00",
        "hostname": "h",
        "tags": tags,
    }


@pytest.fixture
def restic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A repository; ``arrange`` says what restic answers."""

    def arrange(*snapshots: dict[str, Any], more: str = "", **settings: Any) -> Any:
        (tmp_path / "restic").write_text(RESTIC.format(folder=tmp_path, more=more))
        (tmp_path / "restic").chmod(0o755)
        (tmp_path / "snapshots").write_text(json.dumps(snapshots))
        (tmp_path / "summary").write_text(json.dumps(SUMMARY) + "\n")
        (tmp_path / "asked").touch()
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("WHEELHOUSE_VIEW", str(tmp_path))
        given: dict[str, Any] = {
            "home": str(tmp_path),
            "host": "one.example.com",
            "instance": "pypi-server",
            "repository": "/r",
        }
        given |= {"password": "S3cret", "environment": {}, "schedule": "hourly", "keep": {"daily": 7}, "account": "1:1"}
        return backup.Restic({**given, "image": "image", **settings})

    return arrange


def store(home: Path, number: str) -> None:
    names = home / "packages/.wheelhouse/names"
    names.mkdir(parents=True)
    (names / "demo").touch()
    (names.parent / "format").write_text(json.dumps({"format": 1, "id": number}))
    # What the unit shows of it.
    (home / "store").symlink_to("packages")


@pytest.mark.parametrize(
    ("code", "errors", "said"),
    [
        (12, "Fatal: wrong password or no key found", "pypi_backup_password: it does not open"),
        (1, "Fatal: wrong password or no key found", "pypi_backup_password: it does not open"),
        (11, "unable to create lock in backend: repository is already locked by PID 7 on h", "it is locked (unable"),
        (
            1,
            "Fatal: unable to create lock in backend: repository is already locked exclusively by PID 7",
            "it is locked",
        ),
        (
            10,
            "Fatal: repository does not exist: unable to open config file: stat /r/config: no such file",
            backup.MISSING,
        ),
        (1, "Fatal: unable to open config file: stat /r/config: no such file or directory\nIs there", backup.MISSING),
        (
            1,
            "Fatal: unable to open config file: Head: dial tcp: connection refused\nIs there a repo",
            "cannot be reached",
        ),
        (1, "Fatal: pack is damaged", "restic failed: Fatal: pack is damaged"),
        (3, "", "restic failed: restic ended with 3"),
    ],
)
def test_a_failure_of_restic_names_the_remedy(code: int, errors: str, said: str) -> None:
    assert said in backup.problem(code, errors)


@pytest.mark.parametrize(
    "text", ["2026-11-29T02:30:00.123456789+01:00", "2026-11-29T01:30:00.1Z", "2026-11-29T01:30:00Z"]
)
def test_times_of_restic_are_read(text: str) -> None:
    assert backup.moment(text).timestamp() // 1 == 1795915800


def test_a_backup_tags_forgets_checks_and_keeps_its_result(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "store-1")
    made = restic(snapshot(1, OWN, "store=store-1"))
    backup.backup(made)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["version", "unlock", "snapshots", "backup", "forget", "check"]
    assert f"--tag {OWN} --tag store=store-1" in asked[3] and "authentication files store/.wheelhouse" in asked[3]
    assert "--keep-daily 7" in asked[4] and "--tag store=store-1 " in asked[4] and OWN not in asked[4]
    assert "S3cret" not in str(asked)
    last = json.loads((tmp_path / "backup/last.json").read_text())
    assert (last["outcome"], last["succeeded"], last["snapshot"]) == ("ok", last["started"], "abcdef123456")
    assert (tmp_path / "backup/last.json").stat().st_mode & 0o777 == 0o600
    shown = tmp_path / "backup/shown/last.json"
    assert json.loads(shown.read_text()) == {key: last[key] for key in ("outcome", "succeeded", "overdue", "finished")}
    ahead = backup.moment(last["overdue"]) - backup.moment(last["started"])
    assert 3600 <= ahead.total_seconds() <= 7200
    assert (shown.parent.stat().st_mode & 0o777, shown.stat().st_mode & 0o777) == (0o755, 0o644)

    lasting(tmp_path, checked=ago(days=8))
    with pytest.raises(backup.BackupError, match="restic failed: no"):
        backup.backup(restic(snapshot(1, OWN, "store=store-1"), more="check*) echo no >&2; exit 1 ;;"))
    failed = json.loads((tmp_path / "backup/last.json").read_text())
    assert (failed["outcome"], failed["succeeded"], failed["overdue"]) == ("failed", last["succeeded"], last["overdue"])
    assert failed["error"] == "restic failed: no"


def opened(home: Path) -> list[str]:
    """What restic was asked for since the last time; each of it but its version opens the repository."""
    asked = [line.split()[0] for line in (home / "asked").read_text().splitlines()]
    (home / "asked").write_text("")
    return [word for word in asked if word != "version"]


def lasting(home: Path, **changed: Any) -> None:
    """Change the result of the last backup."""
    last = json.loads((home / "backup/last.json").read_text()) | changed
    backup.write(home / "backup/last.json", {key: value for key, value in last.items() if value is not None})


def ago(**age: float) -> str:
    return (datetime.now(UTC) - timedelta(**age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_after_the_first_backup_restic_opens_the_repository_once(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "store-1")
    made = restic()
    (tmp_path / "summary").write_text(json.dumps({**SUMMARY, "snapshot_id": "abcdef123456" + "0" * 52}) + "\n")
    backup.backup(made)
    assert opened(tmp_path) == ["unlock", "snapshots", "backup", "forget", "check"]
    made = restic(more=f"""backup*) echo "$*" >{tmp_path}/words; cat {tmp_path}/summary ;;""")
    assert backup.backup(made)["outcome"] == "ok"
    assert opened(tmp_path) == ["backup"]
    # Only a repository that has that snapshot takes this, and part of an id is looked for nowhere else.
    assert "--parent abcdef1234560000 " in (tmp_path / "words").read_text()


@pytest.mark.parametrize(
    ("changed", "settings", "is_due"),
    [
        ({}, {}, False),
        ({"checked": ago(days=6)}, {}, False),
        # A timer is not exact.
        ({"checked": ago(days=7, minutes=-10)}, {}, True),
        ({"checked": ago(days=-1)}, {}, True),
        ({"outcome": "failed"}, {}, True),
        ({}, {"keep": {"daily": 8}}, True),
        # Of a release that did it each time; and damaged ones.
        ({"keep": None, "checked": None}, {}, True),
        *(({"checked": text}, {}, True) for text in ("", "yesterday", 5, None, "2026-11-29T02:30:00")),
        ({"outcome": None}, {}, True),
    ],
)
def test_once_a_week_a_backup_forgets_and_checks(
    restic: Any, tmp_path: Path, changed: dict[str, Any], settings: dict[str, Any], is_due: bool
) -> None:
    store(tmp_path, "store-1")
    backup.backup(restic())
    opened(tmp_path)
    lasting(tmp_path, **changed)
    before = json.loads((tmp_path / "backup/last.json").read_text()).get("checked")
    last = backup.backup(restic(**settings))
    assert opened(tmp_path) == ["backup", "forget", "check"][: 3 if is_due else 1]
    assert last["checked"] == (last["started"] if is_due else before)
    # The next one knows.
    assert backup.backup(restic(**settings))["outcome"] == "ok"
    assert opened(tmp_path) == ["backup"]


@pytest.mark.parametrize("changed", ["repository", "store", "snapshot", "failed", "removed"])
def test_what_may_be_another_repository_is_looked_into_first(restic: Any, tmp_path: Path, changed: str) -> None:
    store(tmp_path, "store-1")
    backup.backup(restic())
    opened(tmp_path)
    last = json.loads((tmp_path / "backup/last.json").read_text())
    foreign, more, settings = snapshot(1, "index=two/pypi-server", "store=x"), "", {}
    if changed == "repository":
        settings = {"repository": "/other"}
    elif changed == "store":
        (tmp_path / "packages/.wheelhouse/format").write_text(json.dumps({"format": 1, "id": "x"}))
        foreign = snapshot(1, OWN, "store=store-1")
    elif changed == "removed":
        more = "*--parent*) echo 'Fatal: invalid id: no matching ID found for prefix' >&2; exit 1 ;;"
    else:
        # A backup that failed names no snapshot.
        left = {"snapshot": {**last, "snapshot": ""}, "failed": {**last, "outcome": "failed"}}[changed]
        left.pop("store") if changed == "snapshot" else left.pop("snapshot")
        backup.write(tmp_path / "backup/last.json", left)
    with pytest.raises(backup.BackupError, match="of another index"):
        backup.backup(restic(foreign, more=more, **settings))
    assert opened(tmp_path) == ["backup"] * (changed == "removed") + ["unlock", "snapshots"]


@pytest.mark.parametrize("command", ["backup", "forget", "check"])
def test_locks_are_removed_only_where_one_is_in_the_way(restic: Any, tmp_path: Path, command: str) -> None:
    store(tmp_path, "store-1")
    backup.backup(restic())
    opened(tmp_path)
    locked = "echo 'unable to create lock in backend: repository is already locked by PID 7 on h' >&2; exit 1"
    lasting(tmp_path, checked=ago(days=8))
    # A killed process has left it.
    made = restic(
        more=f"unlock) touch {tmp_path}/free ;;\n{command}*) [ -e {tmp_path}/free ] || {{ {locked}; }}; cat {tmp_path}/summary ;;"
    )
    assert backup.backup(made)["outcome"] == "ok"
    others = ["backup", "forget", "check"]
    place = others.index(command)
    assert opened(tmp_path) == [*others[: place + 1], "unlock", *others[place:]]
    lasting(tmp_path, checked=ago(days=8))
    # One that runs is not.
    with pytest.raises(
        backup.BackupError, match=r"it is locked \(unable to create lock.*by PID 7 on h\); wait until that"
    ):
        backup.backup(restic(more=f"{command}*) {locked} ;;"))
    assert opened(tmp_path) == [*others[: place + 1], "unlock", command]


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("restic 0.14.0 compiled with go1.19.8 on linux/amd64", []),
        ("restic 0.15.0 compiled with go1.19.8 on linux/amd64", ["--no-scan"]),
        ("restic 0.18.0-dev (compiled manually)", ["--no-scan"]),
        ("restic 1.0.0", ["--no-scan"]),
        ("another", []),
    ],
)
def test_a_release_that_need_not_count_files_does_not(restic: Any, said: str, option: list[str]) -> None:
    assert restic(more=f"version*) echo '{said}' ;;").once() == option


@pytest.mark.parametrize(
    ("schedule", "zone", "times"),
    [
        ("2099-01-01 02:30", "Asia/Kolkata", ["2098-12-31T21:00:00Z"]),
        ("2099-*-01 02:30 UTC", "Asia/Kolkata", ["2099-01-01T02:30:00Z", "2099-02-01T02:30:00Z"]),
        ("2000-01-01", "UTC", []),
    ],
)
def test_the_next_times_of_a_schedule_are_in_utc(
    restic: Any, monkeypatch: pytest.MonkeyPatch, schedule: str, zone: str, times: list[str]
) -> None:
    monkeypatch.setenv("TZ", zone)
    assert backup.calendar(restic(schedule=schedule)) == times


def test_without_rules_nothing_is_forgotten(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "store-1")
    backup.backup(restic(keep={}))
    assert "forget" not in (tmp_path / "asked").read_text()


def test_snapshots_of_another_index_and_of_another_store_are_refused(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "store-1")
    with pytest.raises(backup.BackupError, match=r"of another index \(index=two/pypi-server\)"):
        backup.backup(restic(snapshot(1, "index=two/pypi-server", "store=x")))
    with pytest.raises(
        backup.BackupError, match=r"restore it with wheelhouse\.pypi\.restore, or give a new repository"
    ):
        backup.backup(restic(snapshot(1, OWN, "store=x")))
    assert "backup" not in [line.split()[0] for line in (tmp_path / "asked").read_text().splitlines()]


def test_an_empty_index_is_set_up_beside_its_snapshots_and_not_backed_up(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "new")
    (tmp_path / "packages/.wheelhouse/names/demo").unlink()
    made = restic(snapshot(1, OWN, "store=old"))
    assert backup.check(made) == {"restic": True, "missing": False, "late": "", "rescheduled": False}
    with pytest.raises(backup.BackupError, match=r"restore it with wheelhouse\.pypi\.restore"):
        backup.backup(made)


def test_without_its_store_nothing_is_backed_up_or_forgotten(restic: Any, tmp_path: Path) -> None:
    with pytest.raises(backup.BackupError, match=r"format is missing or damaged: mount packages/"):
        backup.backup(restic(snapshot(1, OWN, "store=store-1")))
    assert not (tmp_path / "asked").read_text()
    assert json.loads((tmp_path / "backup/last.json").read_text())["outcome"] == "failed"


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({}, ""),
        ({"outcome": "ok", "succeeded": "2026-11-01T02:30:00Z", "overdue": "9026-11-03T02:30:00Z"}, ""),
        ({"outcome": "ok", "succeeded": "2026-11-01T02:30:00Z", "overdue": ""}, ""),
        (
            {"outcome": "ok", "succeeded": "2026-11-01T02:30:00Z", "overdue": "2026-11-03T02:30:00Z"},
            "the last backup is of 2026-11-01T02:30:00Z, and another is overdue since 2026-11-03T02:30:00Z",
        ),
        ({"outcome": "failed", "error": "no room"}, "the last backup failed: no room"),
    ],
)
def test_a_run_says_that_backups_fail_or_do_not_run(last: dict[str, str], said: str) -> None:
    assert backup.late(last, is_rescheduled=False) == said


def test_another_schedule_changes_when_a_backup_is_overdue(restic: Any, tmp_path: Path) -> None:
    last = {"outcome": "ok", "succeeded": "2026-11-01T02:30:00Z", "overdue": "2026-11-01T04:00:00Z"}
    backup.write(tmp_path / "backup/last.json", {**last, "schedule": "hourly"})
    made = restic(schedule="2099-*-01 02:30 UTC")
    assert backup.check(made) == {"restic": True, "missing": False, "late": "", "rescheduled": True}
    assert backup.reschedule(made) == {"changed": True}
    for place in ("last.json", "shown/last.json"):
        found = json.loads((tmp_path / "backup" / place).read_text())
        assert (found["succeeded"], found["overdue"]) == (last["succeeded"], "2099-02-01T02:30:00Z")
    assert backup.reschedule(made) == {"changed": False}


def test_without_a_backup_there_is_none_to_be_overdue(restic: Any, tmp_path: Path) -> None:
    assert backup.reschedule(restic()) == {"changed": False}
    assert not (tmp_path / "backup/last.json").exists()


def test_snapshots_of_the_hosts_store_are_its_own_under_any_name(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "store-1")
    (tmp_path / "packages/.wheelhouse/names/demo").touch()
    made = restic(snapshot(1, "index=two/pypi-server", "store=store-1"), snapshot(2, OWN, "store=x"))
    assert backup.check(made) == {"restic": True, "missing": False, "late": "", "rescheduled": False}
    assert made.chosen("latest")["id"].endswith("1")
    backup.backup(made)


@pytest.mark.parametrize("place", ["link", "link-above", "fifo", "folder"])
def test_what_the_account_puts_in_the_place_of_the_stores_id_is_not_read(tmp_path: Path, place: str) -> None:
    store(tmp_path, "store-1")
    assert backup.store_id(tmp_path / "packages") == "store-1"
    folder = tmp_path / "packages/.wheelhouse"
    if place == "link-above":
        folder = folder.rename(tmp_path / "elsewhere")
        (tmp_path / "packages/.wheelhouse").symlink_to(folder)
    else:
        (folder / "format").rename(tmp_path / "elsewhere")
        {
            "link": lambda path: path.symlink_to(tmp_path / "elsewhere"),
            "fifo": os.mkfifo,
            "folder": os.mkdir,
        }[place](folder / "format")
    assert backup.store_id(tmp_path / "packages") == ""


@pytest.mark.parametrize(
    ("error", "is_fine"),
    [
        ({"error": {"Op": "lstat", "Path": "x", "Err": 2}, "item": "VIEW/files/x-1.tar.gz"}, True),
        ({"error": {"message": "open VIEW/files/x: no such file or directory"}, "item": "VIEW/files/x"}, True),
        ({"error": {"message": "lstat VIEW/store/x: no such file or directory"}, "item": "VIEW/store/x"}, True),
        ({"error": {"message": "lstat VIEW/files: no such file or directory"}, "item": "VIEW/files"}, False),
        ({"error": {"Op": "open", "Path": "x", "Err": 13}, "item": "VIEW/files/x"}, False),
        ({"error": {"message": "read VIEW/files/x: input/output error"}, "item": "VIEW/files/x"}, False),
        ({"error": {"message": "lstat x: no such file or directory"}, "item": "VIEW/authentication/x"}, False),
        (None, False),
    ],
)
def test_a_file_that_was_removed_meanwhile_fails_no_backup(
    restic: Any, tmp_path: Path, error: dict[str, Any] | None, is_fine: bool
) -> None:
    store(tmp_path, "store-1")
    lines = [json.dumps({"message_type": "error", "during": "archival", **error})] if error else []
    (tmp_path / "errors").write_text("\n".join([*lines, "Warning: not all read"]).replace("VIEW", str(tmp_path)))
    made = restic(more=f"backup*) cat {tmp_path}/summary; cat {tmp_path}/errors >&2; exit 3 ;;")
    if is_fine:
        assert backup.backup(made)["outcome"] == "ok"
    else:
        said = error["item"].removeprefix("VIEW/") if error else "Warning: not all read"
        with pytest.raises(backup.BackupError, match=f"lacks what cannot be read: {said}"):
            backup.backup(made)
        assert "forget" not in (tmp_path / "asked").read_text()


def program(made: Any, *words: str) -> subprocess.Popen[str]:
    """The program as a process, with its settings on standard input."""
    command = [sys.executable, str(ROOT / "roles/backup/files/backup.py"), *words, "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(made.settings))
    process.stdin.close()
    return process


def test_one_backup_restore_or_drill_runs_at_a_time(restic: Any, tmp_path: Path) -> None:
    store(tmp_path, "store-1")
    made = restic(more=f"check*) flock --nonblock {tmp_path}/backup/lock true || echo held >{tmp_path}/lock ;;")
    assert program(made, "backup").wait() == 0
    assert (tmp_path / "lock").read_text() == "held\n"


def test_an_older_snapshot_comes_with_the_newest_decisions_of_its_store(restic: Any, tmp_path: Path) -> None:
    names = ("store=a", "store=a", "store=b")
    made = restic(*(snapshot(number, OWN, tag) for number, tag in enumerate(names, 1)), account="0:0")
    assert made.newest_like(f"{1:064x}") == made.newest_like(f"{2:064x}") == f"{2:064x}"
    backup.unpacked(made, f"{1:064x}", tmp_path / ".restore", newest=f"{2:064x}")
    first, second = (line for line in (tmp_path / "asked").read_text().splitlines() if line.startswith("restore"))
    assert f"restore {1:064x} --verify --exclude /authentication" in first
    assert f"restore {2:064x} --include /store/.wheelhouse/projects" in second


@pytest.mark.parametrize(("free", "is_enough"), [(10**9 + 99, False), (10**9 + 100, True)])
def test_a_disk_is_not_filled_and_what_a_killed_run_left_does_not_count(
    restic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, is_enough: bool
) -> None:
    made = restic(snapshot(1, OWN), more="""stats*) echo '{"total_size": 4196}' ;;""")
    (tmp_path / ".drill").mkdir()
    (tmp_path / ".drill/left").write_bytes(bytes(4096))
    usage = shutil._ntuple_diskusage(10**12, 0, free)
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda _place: usage)
    if is_enough:
        assert backup.look(made, "latest")["bytes"] == 4196
    else:
        with pytest.raises(backup.BackupError, match="takes 4,196 of them, with 1,000,000,000 to spare; make room"):
            backup.look(made, "latest")
    assert (tmp_path / ".drill/left").exists()


def test_a_container_sees_no_logins_and_a_drill_writes_to_its_folder_alone(tmp_path: Path) -> None:
    for name in ("authentication", "pypiserver", "index", ".drill", "disk"):
        (tmp_path / name).mkdir()
    (tmp_path / "packages").symlink_to("disk")
    drill = backup._mounts_of_drill(tmp_path)
    assert [option for option in drill if not option.endswith(",readonly")] == [
        f"--mount=type=bind,src={tmp_path}/.drill,dst=/wheelhouse/.drill"
    ]
    assert f"--mount=type=bind,src={tmp_path}/disk,dst=/wheelhouse/packages,readonly" in drill
    assert "--tmpfs=/wheelhouse/authentication:ro" in backup._mounts_of_restore(tmp_path)


def test_a_restore_sees_folders_that_are_links_to_a_larger_disk(restic: Any, tmp_path: Path) -> None:
    for name in ("packages", "logs"):
        (tmp_path / f"disk/{name}").mkdir(parents=True)
    made = restic(account="994:994")
    made.home.joinpath("packages").symlink_to(tmp_path / "disk/packages")
    made.home.joinpath("logs").symlink_to("disk/logs")
    (tmp_path / "docker").write_text(f"""#!/bin/sh\nprintf '%s\\n' "$@" >{tmp_path}/said; echo '{{"files": 1}}'\n""")
    (tmp_path / "docker").chmod(0o755)
    assert backup.in_container(made, "/wheelhouse", "restore", "/wheelhouse/.restore", "0") == {"files": 1}
    said = (tmp_path / "said").read_text().splitlines()
    for name in ("packages", "logs"):
        assert f"--mount=type=bind,src={tmp_path}/disk/{name},dst=/wheelhouse-{name}" in said
        assert f"--env=WHEELHOUSE_{name.upper()}=/wheelhouse-{name}" in said
    assert "--env=WHEELHOUSE_INDEX=/wheelhouse/index" in said


def test_what_was_unpacked_is_brought_in_with_what_other_nodes_say(
    restic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = """stats*) echo '{"total_size": 1}' ;;"""
    elsewhere = {"node-2": {"files": {"a-1.tar.gz": ["2026-11-30T10:00:00.000000Z", "a", True]}, "unread": []}}
    made = restic(snapshot(1, OWN), more=size, account=f"{os.getuid()}:{os.getgid()}", began=5, elsewhere=elsewhere)
    with pytest.raises(
        backup.BackupError, match=r"no snapshot is unpacked on this host; run wheelhouse\.pypi\.restore"
    ):
        backup.restore(made)
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh\nprintf '%s\\n' "$@" >{tmp_path}/said; cat >{tmp_path}/given; echo '{{"files": 1}}'\n"""
    )
    (tmp_path / "docker").chmod(0o755)
    made.settings["found"] = backup.look(made, "latest")
    found = backup.unpack(made)
    assert found == {"snapshot": f"{1:064x}", "began": 1793496600, "time": snapshot(1)["time"], "bytes": 1}
    assert [line.split()[0] for line in (tmp_path / "asked").read_text().splitlines()] == [
        "snapshots",
        "stats",
        "restore",
    ]
    assert (tmp_path / ".restore").is_dir()
    assert backup.restore(made) == {"files": 1}
    assert json.loads((tmp_path / "given").read_text()) == elsewhere
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-3:] == ["restore", "/wheelhouse/.restore", "5"] and "--interactive" in said
    # Others see arguments.
    assert not any("node-2" in word for word in said)
    assert not (tmp_path / ".restore").exists()

    made = restic(snapshot(1, OWN), more=f"{size}\nrestore*) echo no >&2; exit 1 ;;")
    made.settings["found"] = backup.look(made, "latest")
    with pytest.raises(backup.BackupError, match="restic failed: no"):
        backup.unpack(made)
    assert not (tmp_path / ".restore").exists()
    made.settings["found"]["bytes"] = 10**18
    with pytest.raises(backup.BackupError, match="make room first"):
        backup.unpack(made)


def test_a_drill_that_is_ended_removes_its_folder(restic: Any, tmp_path: Path) -> None:
    size = """stats*) echo '{"total_size": 1}' ;;"""
    made = restic(snapshot(1, OWN), more=f"{size}\nrestore*) kill -TERM $PPID; exec sleep 60 ;;", account="0:0")
    assert program(made, "drill").wait() == 128 + signal.SIGTERM
    assert "restore" in (tmp_path / "asked").read_text() and not (tmp_path / ".drill").exists()
    assert json.loads((tmp_path / "backup/drill.json").read_text())["outcome"] == "failed"


def test_a_snapshot_is_chosen_by_its_id_or_is_the_newest_of_this_index(restic: Any) -> None:
    made = restic(snapshot(2, OWN), snapshot(1, OWN), snapshot(3, "index=two/x"))
    assert made.chosen("latest")["id"].endswith("2")
    assert made.chosen(f"{3:064x}")["id"].endswith("3")
    with pytest.raises(backup.BackupError, match="'000000' is not the id of one snapshot; newest ones are 00000000"):
        made.chosen("000000")
    with pytest.raises(backup.BackupError, match="has no snapshot yet"):
        restic().chosen("latest")


def test_what_does_not_fit_is_refused(restic: Any, tmp_path: Path) -> None:
    made = restic(snapshot(1, OWN), more="""stats*) echo '{"total_size": 999999999999999999}' ;;""")
    with pytest.raises(
        backup.BackupError, match="bytes free, and snapshot 00000000 takes 999,999,999,999,999,999 of them"
    ):
        backup.look(made, "latest")


def test_a_repository_that_was_there_is_not_made_again(restic: Any, tmp_path: Path) -> None:
    missing = "cat*) echo 'Fatal: unable to open config file: stat /r/config: no such file or directory' >&2; exit 1 ;;"
    assert backup.check(restic(more=missing)) == {"restic": True, "missing": True, "late": "", "rescheduled": False}
    made = restic()
    backup.write(tmp_path / "backup/last.json", {"repository": backup.fingerprint(made)})
    with pytest.raises(backup.BackupError, match="backups were made there; mount or bring it back"):
        backup.check(restic(more=missing))
    assert backup.check(restic(more=missing, repository="/other"))["missing"]


@pytest.mark.parametrize("more", ["backup*) echo damaged ;;", "snapshots*) echo damaged ;;"])
def test_an_answer_that_is_none_is_a_failure_that_is_kept(
    restic: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    store(tmp_path, "store-1")
    (tmp_path / "settings").write_text(json.dumps(restic(more=more).settings))
    monkeypatch.setattr("sys.stdin", (tmp_path / "settings").open())
    assert backup.main(["backup", "-"]) == 1
    error = json.loads((tmp_path / "backup/last.json").read_text())["error"]
    assert "then run again" in error and capsys.readouterr().err == error + "\n"


def test_what_is_wrong_is_one_line_without_a_password(
    restic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = restic(more="cat*) echo 'Fatal: wrong password or no key found' >&2; exit 1 ;;")
    monkeypatch.setattr("sys.stdin", (tmp_path / "settings").open("w+"))
    (tmp_path / "settings").write_text(json.dumps(made.settings))
    assert backup.main(["check", "-"]) == 1
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1 and "it does not open the repository" in shown.err
    assert "S3cret" not in shown.err + shown.out
