"""A backup while uploads run, a drill, what is refused, and a host that comes back from its repository."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import packages
from tests.support.clients import Index, Login, form
from tests.support.playbook import applied, refused, says, site

NAME = "pypi-backup"
testinfra_hosts = [f"ansible://{NAME}"]
PASSWORD = "backup-password"
BACKUP, RESTORE, DRILL = (f"wheelhouse.pypi.{verb}" for verb in ("backup", "restore", "drill"))
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
CONFIRMED = {"pypi_restore_confirm": NAME}


@pytest.fixture(scope="module")
def files(index: Index, publisher: Login, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three projects are published, one release is yanked."""
    folder = tmp_path_factory.mktemp("dist")
    made = [packages.wheel(folder, "kept"), packages.sdist(folder, "kept"), packages.wheel(folder, "kept", "1.1")]
    made += [
        packages.wheel(folder, "later-closed"),
        packages.wheel(folder, "later-yanked"),
        packages.wheel(folder, "removed"),
    ]
    for file in made:
        assert index.upload(publisher, file).status == 200
    ask(index, publisher, "yank", name="kept", version="1.1", reason="broken")
    return made


def ask(index: Index, login: Login, action: str, **fields: str) -> None:
    body, headers = form({":action": action, **fields})
    answer = index.request("/", login, "POST", body, headers)
    assert answer.status == 200, answer


def page(index: Index, login: Login, project: str) -> dict[str, Any]:
    answer = index.request(f"/simple/{project}/", login, headers=JSON)
    return dict(json.loads(answer.body)) if answer.status == 200 else {"status": answer.status, "files": []}


def result(host: Any, home: str, name: str) -> dict[str, Any]:
    return dict(json.loads(host.check_output(f"cat {home}/backup/{name}.json")))


@contextmanager
def uploads(index: Index, login: Login, folder: Path) -> Iterator[list[str]]:
    """One release after the other is uploaded meanwhile; gives the names of those that were acknowledged."""
    done: list[str] = []
    stop = threading.Event()

    def upload() -> None:
        number = 0
        # With a pause: a backup needs the processor as well.
        while not stop.wait(0.05):
            file = packages.wheel(folder, "steady", f"1.{number}")
            if index.upload(login, file).status == 200:
                done.append(file.name)
            number += 1

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def test_a_backup_while_uploads_run_has_every_file_with_its_facts(
    host: Any, index: Index, publisher: Login, files: list[Path], home: str, tmp_path: Path
) -> None:
    with uploads(index, publisher, tmp_path) as done:
        before = list(done)
        shown = applied(BACKUP, "-vvv", "--diff").output
    assert PASSWORD not in shown
    assert len(done) > len(before), "nothing was uploaded meanwhile"
    last = result(host, home, "last")
    assert last["outcome"] == "ok" and last["succeeded"] == last["started"], last
    listed = host.check_output(f"RESTIC_PASSWORD={PASSWORD} restic --repo /srv/backup ls latest").splitlines()
    wheels = {
        line.removeprefix("/files/") for line in listed if line.startswith("/files/") and line.endswith((".whl", ".gz"))
    }
    assert {file.name for file in files} <= wheels and {*before} <= wheels
    records = {line.rpartition("/")[2] for line in listed if line.endswith(".json")}
    assert {f"{name}.json" for name in wheels} <= records, "a file has no record"
    assert not [line for line in listed if "/.incoming" in line]


def test_the_password_is_for_root_alone(host: Any, home: str) -> None:
    found = host.check_output(
        f"grep --recursive --files-with-matches {PASSWORD} /etc /home /run /srv/backup /var/log || true"
    )
    assert found.split() == ["/etc/wheelhouse.pypi/pypi-server/backup.json"]
    assert host.check_output(f"stat --format '%U %a' {found} {home}/backup {home}/backup/last.json").splitlines() == [
        "root 600",
        "root 700",
        "root 600",
    ]
    timer = host.check_output("systemctl show wheelhouse-pypi-server-backup.timer --property Persistent,UnitFileState")
    assert timer.splitlines() == ["Persistent=yes", "UnitFileState=enabled"]


@pytest.fixture
def asked(host: Any) -> Iterator[Callable[[], list[str]]]:
    """Makes a backup by the timer's unit; returns what restic is asked for meanwhile."""
    wrapper = "/usr/local/bin/restic"
    script = '#!/bin/sh\\necho "$1" >>/run/asked\\nexec /usr/bin/restic "$@"\\n'
    host.check_output(f"printf '{script}' >{wrapper} && chmod 755 {wrapper}")

    def made() -> list[str]:
        host.check_output("rm -f /run/asked && systemctl start wheelhouse-pypi-server-backup")
        return str(host.check_output("cat /run/asked")).split()

    yield made
    host.check_output(f"rm {wrapper} /run/asked")


def test_a_backup_opens_the_repository_once_where_it_has_the_last_snapshot(
    host: Any, home: str, asked: Callable[[], list[str]]
) -> None:
    assert asked() == ["version", "backup"]
    last = result(host, home, "last")
    assert last["outcome"] == "ok", last
    # The cache on the host still has it.
    host.check_output(f"rm /srv/backup/snapshots/{last['snapshot']}*")
    assert asked() == ["version", "backup", "unlock", "snapshots", "backup", "forget", "check"]
    again = result(host, home, "last")
    assert again["outcome"] == "ok" and again["files"] == last["files"], again


def test_a_drill_compares_every_page_and_leaves_nothing(
    host: Any, index: Index, publisher: Login, home: str, tmp_path: Path
) -> None:
    assert index.upload(publisher, packages.wheel(tmp_path, "newer")).status == 200
    applied(DRILL)
    drill = result(host, home, "drill")
    assert drill["outcome"] == "ok" and drill["problems"] == [], drill
    assert drill["newer"] >= 1 and drill["same"] >= 6 and drill["removed_since"] == drill["changed_since"] == 0, drill
    assert drill["rto_seconds"] > 0 and drill["rpo_seconds"] >= 0
    metrics = index.request("/metrics").body.decode()
    for name, time in (("backup", result(host, home, "last")["succeeded"]), ("drill", drill["finished"])):
        seconds = host.check_output(f"date --date {time} +%s")
        assert f"\nwheelhouse_{name}_success_seconds {seconds}\n" in metrics, metrics
    assert not host.file(f"{home}/.drill").exists


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "schedule": ({"pypi_backup_schedule": "at dawn"}, "pypi_backup_schedule: systemd does not understand 'at dawn'"),
    "password": ({"pypi_backup_password": "another"}, "pypi_backup_password: it does not open the repository"),
    "unreachable": (
        {"pypi_backup_repository": "rest:http://127.0.0.1:9/pypi"},
        "pypi_backup_repository: it cannot be reached",
    ),
    "of-another": (
        {"pypi_backup_repository": "/srv/other"},
        "its snapshots are of another index (index=elsewhere/pypi-server)",
    ),
}


@pytest.fixture(scope="module")
def other(host: Any) -> None:
    """A repository of another index."""
    restic = f"RESTIC_PASSWORD={PASSWORD} restic --repo /srv/other --no-cache"
    host.check_output(f"{restic} init && {restic} backup --tag index=elsewhere/pypi-server /etc/hostname")


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("case", REFUSED)
def test_a_backup_that_would_not_work_is_refused_and_the_old_one_stays(host: Any, case: str) -> None:
    variables, sentence = REFUSED[case]
    settings = "sha256sum /etc/wheelhouse.pypi/pypi-server/backup.* /etc/systemd/system/wheelhouse-*"
    before = host.check_output(settings)
    says(refused("--tags", "backup", **variables), sentence)
    assert host.check_output(settings) == before


def test_a_backup_by_other_settings_than_the_hosts_is_refused(host: Any, home: str) -> None:
    before = result(host, home, "last")
    says(refused(playbook=BACKUP, pypi_backup_keep={"daily": 3}), "run wheelhouse.pypi.site --tags backup first")
    assert result(host, home, "last") == before


def test_a_restore_that_is_not_meant_changes_nothing(host: Any, home: str) -> None:
    before = packages.on_host(host, home)
    says(refused(playbook=RESTORE), f"--extra-vars pypi_restore_confirm={NAME}")
    assert packages.on_host(host, home) == before


def test_a_restore_brings_back_what_was_lost_and_revives_nothing_that_was_revoked_since(
    host: Any, index: Index, publisher: Login, reader: Login, files: list[Path], home: str
) -> None:
    host.check_output(f"rm {home}/packages/{files[0].name}")
    ask(index, publisher, "remove_pkg", name="removed", version="1.0")
    ask(index, publisher, "yank", name="later-yanked", version="1.0", reason="leaks")
    ask(index, publisher, "set_status", name="later-closed", status="quarantined", reason="stolen login")
    host.check_output(f'sed --in-place \'s/"overdue": "2/"overdue": "1/\' {home}/backup/last.json')
    # A larger disk of root's; and the power failed while a line was written.
    host.check_output(f"mv {home}/logs /srv/logs && ln -s ../../../srv/logs {home}/logs")
    host.check_output("echo '{\"time\": ' >>$(ls /srv/logs/changes-*.log | tail -1)")
    shown = applied(RESTORE, **CONFIRMED).output
    says(shown, "and in the trash now")
    says(shown, "what they say was removed since the snapshot may be back: changes-")
    says(shown, "and another is overdue")
    says(shown, "1 file restored")
    assert index.request(f"/packages/{files[0].name}", reader).body == files[0].read_bytes()
    assert page(index, reader, "later-yanked")["files"][0]["yanked"] == "leaks"
    closed = page(index, reader, "later-closed")
    assert closed["files"] == [] and closed["project-status"]["status"] == "quarantined", closed
    assert index.request("/packages/later_closed-1.0-py3-none-any.whl", reader).status == 404
    assert index.request("/packages/removed-1.0-py3-none-any.whl", reader).status == 404
    # Published since.
    assert page(index, reader, "newer")["files"]


def test_a_host_that_lost_everything_comes_back_by_one_command(
    host: Any, index: Index, publisher: Login, reader: Login, home: str, tmp_path: Path
) -> None:
    applied(BACKUP)
    projects = ("kept", "later-closed", "later-yanked", "newer", "steady")
    before = {project: page(index, reader, project) for project in projects}
    stored = packages.on_host(host, home)
    host.check_output("docker rm --force $(docker ps --all --quiet)")
    host.check_output(f"rm -rf {home} /etc/wheelhouse.pypi && apt-get remove --yes restic")
    applied(RESTORE, "--check", **CONFIRMED)
    assert not host.file(home).exists
    applied(RESTORE, **CONFIRMED)
    assert {project: page(index, reader, project) for project in projects} == before
    assert packages.on_host(host, home) == stored
    installed = index.pip_install(reader, tmp_path / "site", "kept")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    # The name of a file is taken for good, and uploads go on.
    other = packages.wheel(tmp_path, "kept", padding=b"other")
    assert index.upload(publisher, other).status == 409
    assert index.upload(publisher, packages.wheel(tmp_path, "kept", "2.0")).status == 200
    applied(BACKUP)


def test_backups_are_turned_off(host: Any) -> None:
    without = {"pypi_backup_repository": ""}
    assert site("--tags", "backup", **without).changed == 1
    assert not host.run("ls /etc/systemd/system/wheelhouse-*backup* /etc/wheelhouse.pypi/pypi-server/backup.*").stdout
    assert site("--tags", "backup", **without).changed == 0
    assert host.file("/srv/backup/config").exists
