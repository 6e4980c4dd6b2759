"""The logs in the tree: who asked for what and who changed what outlives containers, and is kept for the time that is set.

The access log is rotated without losing a line, and never stops NGINX.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login
from tests.support.playbook import site
from tests.support.stack import Stack, eventually, traffic

SERVICE, TIMER = "wheelhouse-pypi-server-logs.service", "wheelhouse-pypi-server-logs.timer"

TEN_DAYS, THIRTY_DAYS = {"pypi_change_log_retention": "10d"}, {"pypi_log_retention": "30d"}


@pytest.fixture(scope="module")
def logs(stack: Stack) -> str:
    return f"{stack.home}/logs"


def lines(host: Any, logs: str, uri: str) -> list[dict[str, Any]]:
    """Return what all files of the log say about an address, as docs/operations.md reads them."""
    # Agents may have sent bytes that are no text: other lines are left out on the host.
    found = host.run(f"zcat --force {logs}/access*.log* | grep --text --fixed-strings -- {shlex.quote(uri)}")
    return [line for line in map(json.loads, found.stdout.splitlines()) if line["uri"].startswith(uri)]


@pytest.fixture
def by_hand(host: Any) -> Iterator[None]:
    """Keep the timer from rotating between two steps of a test, which counts what its own rotations do."""
    host.check_output(f"systemctl stop {TIMER}")
    eventually(
        lambda: host.run(f"systemctl is-active {SERVICE}").stdout.strip() in ("inactive", "failed"),
        "the last one ends",
        60,
    )
    yield
    host.check_output(f"systemctl start {TIMER}")


def rotate(host: Any) -> None:
    """Run the timer's service now, in the hour after the last time."""
    # As often as tests want to, which is more often than systemd starts a service in a row.
    host.check_output(f"systemctl reset-failed {SERVICE}; systemctl start {SERVICE}")


def larger(host: Any, logs: str) -> None:
    """Make the log larger than pypi_log_max_size, with a line that can be parsed."""
    line = json.dumps({"uri": "/filler", "agent": "x" * 1000})
    # By one write: between several of them NGINX may write a line of its own.
    host.check_output(
        f"yes '{line}' | head --lines 3500"
        f" | dd of={logs}/access.log bs=8M iflag=fullblock oflag=append conv=notrunc status=none"
    )


@pytest.mark.usefixtures("by_hand")
def test_it_waits_for_the_disk_of_the_logs_and_does_nothing_without_them(host: Any, logs: str) -> None:
    asked = f"systemctl show --value --property RequiresMountsFor,ConditionResult,Result {SERVICE}"
    host.check_output(f"mv {logs} {logs}.away")
    try:
        rotate(host)
        assert set(host.check_output(asked).split()) == {logs, "no", "success"}
    finally:
        host.check_output(f"mv {logs}.away {logs}")
    rotate(host)
    assert "yes" in host.check_output(asked).split()


def test_both_logs_outlive_containers_and_engine_and_only_the_account_reads_them(
    host: Any, index: Index, publisher: Login, stack: Stack, logs: str, tmp_path: Path
) -> None:
    wheel = packages.wheel(tmp_path, f"kept-{uuid4().hex[:8]}")
    uri = f"/simple/?{uuid4().hex}"
    assert index.upload(publisher, wheel).status == 200
    assert index.request(uri, publisher).status == 200
    eventually(lambda: len(lines(host, logs, uri)) == 1, "the request is in the log", 10)
    before = stack.running()
    stack.compose("down")
    try:
        host.check_output("systemctl restart docker.service")
        assert len(lines(host, logs, uri)) == 1
        found = host.check_output(f"cat {logs}/changes-*.log | grep --fixed-strings {wheel.name}")
    finally:
        stack.compose("up --detach --wait")
    (line,) = map(json.loads, found.splitlines())
    assert (line["action"], line["login"], list(line["files"])) == ("file_upload", "publisher", [wheel.name])
    assert line["address"] and line["time"].startswith("20"), line
    assert stack.running()["nginx"] != before["nginx"]
    assert index.request(uri, NOBODY).status == 401
    eventually(lambda: len(lines(host, logs, uri)) == 2, "both requests are in the log", 10)
    assert [(line["user"], line["status"]) for line in lines(host, logs, uri)] == [("publisher", 200), ("", 401)]
    assert not [line for line in stack.log("nginx") if uri in line and '"status":200' in line], "docker has kept it"
    file = host.file(f"{logs}/access.log")
    assert (file.user, file.mode) == ("pypi", 0o600)


def test_both_logs_are_kept_for_the_times_that_are_set(host: Any, stack: Stack, logs: str) -> None:
    timer = host.service(TIMER)
    assert (timer.is_running, timer.is_enabled) == (True, True)
    day = {days: host.check_output(f"date --utc --date '{days} days ago' +%F") for days in (9, 11)}
    ago = {days: f"{logs}/changes-{day[days]}.log" for days in day}
    foreign = [f"{logs}/changes-2020-01-01.log", f"{logs}/changes-2020-01-02.txt"]
    host.check_output(
        f"setpriv --reuid pypi --clear-groups --regid pypi touch {' '.join([*ago.values(), foreign[1]])}"
        f" && echo kept >/root/kept && ln --symbolic /root/kept {foreign[0]}"
    )
    before = stack.running()
    try:
        checked = site("--tags", "stack", "--check", "--diff", **TEN_DAYS, **THIRTY_DAYS).output
        for shown in ("WHEELHOUSE_CHANGE_LOG_SECONDS", "rotate.sh", "-' rotate 129600"):
            assert shown in checked, checked
        assert all(host.file(file).exists for file in ago.values())
        site("--tags", "stack", **TEN_DAYS, **THIRTY_DAYS)
        eventually(lambda: not host.file(ago[11]).exists, "a file of 11 days ago is removed", 30)
        assert host.file(ago[9]).exists
        assert host.file(foreign[0]).is_symlink and host.file(foreign[1]).exists
        assert host.file("/root/kept").content_string == "kept\n"
        after = stack.running()
        assert [service for service in after if after[service] != before[service]] == ["pypi-server"]
        # The script is all that the other time is in.
        assert site("--tags", "stack", **TEN_DAYS).changed == 1
        assert stack.running() == after
    finally:
        host.check_output(f"rm --force {' '.join([*ago.values(), *foreign])} /root/kept")
        site("--tags", "stack")


@pytest.mark.usefixtures("by_hand")
def test_rotation_loses_no_line_while_requests_run(host: Any, index: Index, reader: Login, logs: str) -> None:
    mark = f"/simple/?{uuid4().hex}"
    before = set(host.check_output(f"ls {logs}").split())
    with traffic(index, reader, mark) as answers:
        for _ in range(3):
            larger(host, logs)
            rotate(host)
    assert len(answers) > 100
    assert set(answers) == {"200"}
    eventually(lambda: len(lines(host, logs, mark)) == len(answers), f"{len(answers)} lines are in the log", 15)
    names = set(host.check_output(f"cd {logs} && ls access*").split()) - before
    # The last one waits until no process of NGINX can have it open.
    assert [name.endswith(".gz") for name in names if name != "access.log"].count(True) == 2, names
    assert host.file(f"{logs}/access.log").size < 3 * 1024 * 1024
    modes = host.check_output(f"find {logs} -type f -printf '%u %m\\n' | sort -u")
    assert modes == "pypi 600"


@pytest.mark.usefixtures("by_hand")
def test_the_index_says_who_downloaded_a_file(
    host: Any, index: Index, publisher: Login, reader: Login, stack: Stack, logs: str, tmp_path: Path
) -> None:
    def downloads(*options: str) -> list[dict[str, str]]:
        asked = " ".join(["downloads", "--json", *map(shlex.quote, options)])
        said = stack.compose(f"exec -T pypi-server python3 -m wheelhouse_index {asked}")
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    wheel = packages.wheel(tmp_path, f"asked-for-{uuid4().hex[:8]}")
    project = wheel.name.partition("-")[0].replace("_", "-")
    assert index.upload(publisher, wheel).status == 200
    assert index.pip_install(reader, tmp_path / "installed", project).returncode == 0
    eventually(lambda: len(downloads("--project", project)) == 1, "the download is in the log", 10)
    (found,) = downloads("--file", wheel.name, "--login", reader.name)
    assert (found["login"], found["project"], found["version"]) == (reader.name, project, "1.0")
    assert found["agent"].startswith("pip/"), found
    assert downloads("--project", project, "--login", publisher.name) == []
    # The first rotation moves the line to another file, the next one compresses that.
    for _ in range(2):
        larger(host, logs)
        rotate(host)
    assert downloads("--project", project) == [found]
    (hidden,) = downloads("--project", project, "--pseudonyms")
    assert hidden["login"] not in ("", reader.name)


@pytest.mark.usefixtures("by_hand")
def test_a_small_log_is_rotated_once_a_day_and_what_is_too_old_is_removed(host: Any, logs: str) -> None:
    rotate(host)
    before = set(host.check_output(f"ls {logs}").split())
    rotate(host)
    assert set(host.check_output(f"ls {logs}").split()) == before
    # A day later.
    host.check_output(f"touch --date '1 day ago' {logs}/.since && echo '{{\"uri\": \"/\"}}' >>{logs}/access.log")
    rotate(host)
    (new,) = set(host.check_output(f"ls {logs}").split()) - before
    # 90 days later it is there, and 92 days later it is not.
    host.check_output(f"touch --date '90 days ago' {logs}/{new}")
    rotate(host)
    assert host.file(f"{logs}/{new}.gz").exists
    host.check_output(f"touch --date '92 days ago' {logs}/{new}.gz")
    rotate(host)
    assert not host.file(f"{logs}/{new}.gz").exists


@pytest.mark.usefixtures("by_hand")
def test_the_first_line_after_a_long_silence_is_kept(host: Any, index: Index, reader: Login, logs: str) -> None:
    rotate(host)
    # Half a year without a request.
    host.check_output(f"truncate --size 0 {logs}/access.log && touch --date '180 days ago' {logs}/.since")
    rotate(host)
    uri = f"/simple/?{uuid4().hex}"
    assert index.request(uri, reader).status == 200
    eventually(lambda: len(lines(host, logs, uri)) == 1, "the request is in the log", 10)
    for _ in range(3):
        rotate(host)
    assert len(lines(host, logs, uri)) == 1


@pytest.mark.usefixtures("by_hand")
def test_nginx_serves_where_the_log_cannot_be_written_to_and_takes_it_up_when_it_can(
    host: Any, index: Index, reader: Login, stack: Stack, logs: str
) -> None:
    host.check_output(f"mv {logs}/access.log /root/ && chmod 500 {logs}")
    try:
        stack.compose("restart nginx")
        stack.wait_until_healthy("nginx")
        assert index.request("/simple/", reader).status == 200
        assert "Permission denied" in "\n".join(stack.log("nginx"))
    finally:
        host.check_output(f"chmod 700 {logs} && mv /root/access.log {logs}/")
    rotate(host)
    uri = f"/simple/?{uuid4().hex}"
    assert index.request(uri, reader).status == 200
    eventually(lambda: len(lines(host, logs, uri)) == 1, "the request is in the log", 10)


@pytest.mark.usefixtures("by_hand")
def test_the_account_need_not_be_able_to_pass_the_folders_above(host: Any, stack: Stack, logs: str) -> None:
    above = Path(stack.home).parent
    mode = host.file(str(above)).mode
    rotated = f"find {logs} -name 'access-*' | wc -l"
    before = int(host.check_output(rotated))
    host.check_output(f"chmod 0700 {above}")
    try:
        larger(host, logs)
        rotate(host)
    finally:
        host.check_output(f"chmod {mode:o} {above}")
    assert int(host.check_output(rotated)) == before + 1


@pytest.mark.usefixtures("by_hand")
def test_a_folder_that_is_not_the_accounts_is_named_and_left_alone(host: Any, logs: str) -> None:
    larger(host, logs)
    before = host.check_output(f"ls {logs}")
    owner = host.file(logs).user
    host.check_output(f"chown root {logs}")
    try:
        assert host.run(f"systemctl reset-failed {SERVICE}; systemctl start {SERVICE}").rc != 0
        reason = f"{logs} belongs to root, and not to {owner}: run the playbook wheelhouse.pypi.site again"
        said = f"journalctl --unit {SERVICE} --lines 20 --output cat"
        eventually(lambda: reason in host.check_output(said), "the service says why", 10)
        assert host.check_output(f"ls {logs}") == before
    finally:
        host.check_output(f"chown {owner} {logs}")
    rotate(host)
    assert host.check_output(f"ls {logs}") != before
