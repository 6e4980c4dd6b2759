"""The change log: a line of JSON per change, kept by days."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wheelhouse_index.common.times import nanoseconds
from wheelhouse_index.fact_store.change_log import ChangeLog

from tests.support import packages as made
from tests.support.index import Index, sha256
from tests.support.index_server import Server
from tests.unit.wheelhouse_index.test_importing import imported

WHEEL = "foo-1.0-py3-none-any.whl"
DAY = 24 * 3600
FROM = {"X-Forwarded-For": "192.0.2.7"}


def noted(index: Index) -> list[dict[str, Any]]:
    """Return all lines, without their times."""
    lines = [json.loads(line) for file in sorted(index.logs.iterdir()) for line in file.read_text().splitlines()]
    assert all(nanoseconds(line.pop("time")) > 0 for line in lines)
    return lines


def test_each_change_is_noted_with_login_address_and_digest(index: Index) -> None:
    content = made.file(WHEEL)
    assert index.upload(WHEEL, content, FROM).status == 200
    # Nothing changes.
    assert index.upload(WHEEL, content, FROM).status == 200
    assert index.upload(WHEEL, made.file(WHEEL, b"other"), FROM).status == 409
    assert index.ask("yank", FROM, name="FOO", version="1.0.0", reason="broken\u00fc").status == 200
    assert index.ask("set_status", FROM, name="Foo", status="deprecated", reason="use bar").status == 200
    assert index.ask("set_status", FROM, name="foo", status="deprecated").status == 200
    assert "Nothing to do" in index.ask("set_status", FROM, name="foo", status="deprecated").text
    assert index.ask("unyank", FROM, filename="foo-1.0-py3-none-any.whl").status == 409
    assert index.ask("unyank", FROM, name="foo", version="1.0").status == 200
    assert index.ask("yank", FROM, filename=WHEEL).status == 200
    assert index.ask("remove_pkg", FROM, name="foo", version="1.0").status == 200
    who = {"login": "publisher", "address": "192.0.2.7"}
    files = {"project": "foo", "files": {WHEEL: sha256(content)}}
    assert noted(index) == [
        {"action": "file_upload", **who, **files},
        {"action": "yank", **who, **files, "version": "1", "reason": "broken\u00fc"},
        {"action": "set_status", **who, "project": "foo", "status": "deprecated", "reason": "use bar"},
        {"action": "set_status", **who, "project": "foo", "status": "deprecated"},
        {"action": "unyank", **who, **files, "version": "1"},
        {"action": "yank", **who, **files},
        {"action": "remove_pkg", **who, **files},
    ]
    (file,) = index.logs.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == (f"changes-{datetime.now(UTC):%Y-%m-%d}.log", 0o600)


def test_a_yank_in_quarantine_is_noted_with_its_digest_and_a_quarantine_that_does_not_move_as_well(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = made.file(WHEEL)
    assert index.upload(WHEEL, content).status == 200
    assert index.ask("set_status", name="foo", status="quarantined").status == 200
    assert index.ask("yank", filename=WHEEL).status == 200
    who, files = {"login": "publisher", "address": ""}, {"project": "foo", "files": {WHEEL: sha256(content)}}
    assert noted(index)[-1] == {"action": "yank", **who, **files}
    assert index.ask("set_status", name="foo", status="active").status == 200

    def refusing(*_paths: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refusing)
    assert index.ask("set_status", name="foo", status="quarantined").status == 503
    assert noted(index)[-1] == {"action": "set_status", **who, "project": "foo", "status": "quarantined"}


def test_an_import_is_noted(index: Index) -> None:
    content = made.file(WHEEL)
    assert imported(index, (WHEEL, content)) == [("imported", "")]
    assert imported(index, (WHEEL, content)) == [("present", "")]
    who = {"login": "", "address": ""}
    assert noted(index) == [{"action": "import", **who, "project": "foo", "files": {WHEEL: sha256(content)}}]


def test_what_is_too_old_is_removed_and_nothing_else(index: Index, in_memory: Path) -> None:
    days = {ago: f"changes-{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}.log" for ago in (0, 399, 400, 401, 5000)}
    others = {
        "access.log",
        "access-2020-01-01T00-00-00Z.log.gz",
        "changes-2020-01-01.log.gz",
        "changes-2020-01-01-kept.log",
    }
    others |= {
        "changes-2020.log",
        "changes-.log",
        "changes-2020-01-0\u0661.log",
        "changes-2020-01-02.log",
        "changes-2020-01-03.log",
    }
    for name in (*days.values(), *others - {"changes-2020-01-02.log", "changes-2020-01-03.log"}):
        (index.logs / name).touch()
    # Neither are ours: a link, and a folder.
    elsewhere = in_memory / "elsewhere.log"
    elsewhere.touch()
    (index.logs / "changes-2020-01-02.log").symlink_to(elsewhere)
    (index.logs / "changes-2020-01-03.log").mkdir()
    ChangeLog(index.logs).prune(400 * DAY)
    assert {path.name for path in index.logs.iterdir()} == {days[0], days[399], days[400], *others}
    assert elsewhere.exists()


def test_a_folder_that_is_a_link_is_left_as_it_is(in_memory: Path) -> None:
    elsewhere = in_memory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "changes-2020-01-01.log").touch()
    (in_memory / "logs").symlink_to(elsewhere)
    ChangeLog(in_memory / "logs").prune(DAY)
    assert (elsewhere / "changes-2020-01-01.log").exists()


def test_every_line_is_kept_for_the_time_that_is_set(in_memory: Path) -> None:
    """36 hours ago was yesterday or the day before: that day's file has lines that are younger."""
    days = {ago: f"changes-{datetime.now(UTC) - timedelta(hours=ago):%Y-%m-%d}.log" for ago in (0, 36, 60)}
    for name in days.values():
        (in_memory / name).touch()
    ChangeLog(in_memory).prune(36 * 3600)
    assert {path.name for path in in_memory.iterdir()} == {days[0], days[36]}


def test_a_log_that_cannot_be_written_to_stops_nothing_and_is_said(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(index.logs)
    assert index.upload(WHEEL, made.file(WHEEL)).status == 200
    assert "The change log cannot be written to" in caplog.text and WHEEL in caplog.text
    ChangeLog(index.logs).prune(DAY)


def test_a_server_keeps_it_for_the_time_that_compose_says(tmp_path: Path) -> None:
    days = {ago: f"changes-{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}.log" for ago in (0, 9, 11, 399)}
    (tmp_path / "logs").mkdir()
    for name in days.values():
        (tmp_path / "logs" / name).write_text("{}\n")
    for kept, left in ((400, (0, 9, 11, 399)), (10, (0, 9))):
        with Server(tmp_path, environment={"WHEELHOUSE_CHANGE_LOG_SECONDS": str(kept * DAY)}) as server:
            assert server.upload(WHEEL, made.file(WHEEL)).status == 200
            until = time.monotonic() + 20
            while {path.name for path in (tmp_path / "logs").iterdir()} != {days[ago] for ago in left}:
                assert time.monotonic() < until, sorted((tmp_path / "logs").iterdir())
                time.sleep(0.1)
            time.sleep(1)
        assert {path.name for path in (tmp_path / "logs").iterdir()} == {days[ago] for ago in left}
    assert (tmp_path / "logs" / days[0]).read_text().count("file_upload") == 1


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_line_for_which_there_is_no_room_is_not_begun(
    index: Index, caplog: pytest.LogCaptureFixture, room: int
) -> None:
    log = ChangeLog(index.logs)
    assert log.note("file_upload", project="before", files={})
    (file,) = index.logs.iterdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files cuts a line off as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + room, limits[1]))
    try:
        assert not log.note("file_upload", project="lost", files={WHEEL: "0" * 64})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert '"project": "lost"' in caplog.text, "what the file lacks is in the program's own log"
    assert log.note("file_upload", project="after", files={})
    assert [line["project"] for line in noted(index)] == ["before", "after"]
