"""What the script of uninstall.yml takes, and what it does not follow."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMER = ROOT / "roles" / "pypi" / "files" / "remove_timer.sh"
SCRIPT = ROOT / "roles" / "stack" / "files" / "remove.sh"


def remove(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the script without Docker."""
    arguments = [str(home), "data", "remove", "none", "nginx/nginx.conf nginx/conf.d/pypi.conf"]
    command = ["sh", "-c", SCRIPT.read_text(encoding="utf-8"), "remove.sh", *arguments]
    return subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)


def test_nginx_files_are_removed_by_name_and_what_is_beside_them_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("nginx/nginx.conf", "nginx/conf.d/pypi.conf", "nginx/conf.d/own.conf"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    done = remove(home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["removed nginx/nginx.conf", "removed nginx/conf.d/pypi.conf", "left nginx "]
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["own.conf"]


def test_what_was_said_of_upstreams_is_removed_with_the_index(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "pypiserver").mkdir(parents=True)
    (home / "pypiserver/upstreams.json").touch()
    done = remove(home)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["removed pypiserver"]), done.stderr
    assert not (home / "pypiserver").exists()


def test_packages_that_other_hosts_share_are_never_deleted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("packages/a-1.whl", "packages/.wheelhouse/nodes/pypi-1/seen", "nginx/nginx.conf"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    done = remove(home)
    assert done.returncode == 1
    assert "is shared by several hosts" in done.stderr and "Run without it" in done.stderr
    assert done.stdout == ""
    assert (home / "nginx/nginx.conf").exists() and (home / "packages/a-1.whl").exists()


def test_results_of_backups_are_removed_and_what_others_keep_in_these_folders_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("backup/last.json", "backup/cache/x", ".drill/x", ".import/x", "drill/own", "restore/own"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    (home / "backup/own").mkdir()
    done = remove(home)
    assert done.returncode == 0, done.stderr
    left = sorted(str(path.relative_to(home)) for path in home.rglob("*"))
    assert left == ["backup", "backup/own", "drill", "drill/own", "restore", "restore/own"]
    (home / "backup/own").rmdir()
    assert remove(home).returncode == 0 and not (home / "backup").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="a link of another account takes root")
@pytest.mark.parametrize(("name", "file"), [("packages", "kept"), ("nginx/tls", "key.pem"), ("index", "kept")])
def test_a_link_is_followed_if_it_is_roots_alone(tmp_path: Path, name: str, file: str) -> None:
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    elsewhere.mkdir()
    (elsewhere / file).write_text("theirs")
    (home / name).parent.mkdir(parents=True)
    (home / "docker-compose.yml").touch()
    (home / name).symlink_to(elsewhere)
    os.chown(home / name, 65534, 65534, follow_symlinks=False)
    done = remove(home)
    assert done.returncode == 1
    assert f"{home}/{name} is a symbolic link of nobody, and root follows none but its own: remove it" in done.stderr
    assert (elsewhere / file).exists() and (home / "docker-compose.yml").exists()
    os.chown(home / name, 0, 0, follow_symlinks=False)
    done = remove(home)
    assert done.returncode == 0, done.stderr
    assert not (elsewhere / file).exists()
    assert elsewhere.is_dir()


# Fails as systemd does for a unit that it does not know; "active" is a file that stop removes.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>{log}
case $1 in
is-active) [ -e {active} ] ;;
stop) [ -e {active} ] || {{ echo "Unit $2 not loaded." >&2; exit 5; }}; {stop} ;;
esac
"""


def remove_timer(folder: Path, mode: str, stop: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script on a folder instead of /etc, with a systemd that knows one timer."""
    active, log = folder / "active", folder / "log"
    program = folder / "bin/systemctl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SYSTEMCTL.format(log=log, active=active, stop=stop or f"rm {active}"))
    program.chmod(0o755)
    script = TIMER.read_text(encoding="utf-8").replace("/etc/", f"{folder}/")
    names = [str(folder / "own/rotate.sh"), str(folder / "own/certbot")]
    command = ["sh", "-c", script, "remove_timer.sh", mode, "unit", *names]
    environment = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def make_timer(folder: Path) -> list[Path]:
    """Put all that a timer has below a folder; return what the script removes, in its order."""
    units = folder / "systemd/system"
    certbot, wanted = folder / "own/certbot", units / "timers.target.wants/unit.timer"
    for name in (folder / "own/rotate.sh", certbot / "live/x", units / "unit.timer", units / "unit.service"):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.touch()
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to(units / "unit.timer")
    (folder / "active").touch()
    return [folder / "own/rotate.sh", certbot, wanted, units / "unit.timer", units / "unit.service"]


def test_a_timer_is_removed_with_its_files_and_a_check_names_them(tmp_path: Path) -> None:
    all_of_it = make_timer(tmp_path)
    named = ["removed the running unit.timer", *(f"removed {path}" for path in all_of_it)]
    check = remove_timer(tmp_path, "check")
    assert (check.returncode, check.stdout.splitlines()) == (0, named)
    assert all(path.exists() for path in all_of_it) and (tmp_path / "active").exists()
    done = remove_timer(tmp_path, "remove")
    assert (done.returncode, done.stdout.splitlines()) == (0, named), done.stderr
    assert not any(path.exists() or path.is_symlink() for path in all_of_it)
    calls = (tmp_path / "log").read_text().splitlines()
    assert calls.index("stop unit.timer unit.service") < calls.index("daemon-reload")
    again = remove_timer(tmp_path, "remove")
    assert (again.returncode, again.stdout) == (0, ""), again.stderr


@pytest.mark.parametrize("left", range(5))
def test_a_removal_goes_on_from_wherever_a_run_was_killed(tmp_path: Path, left: int) -> None:
    all_of_it = make_timer(tmp_path)
    (tmp_path / "active").unlink()
    for path in all_of_it[:left]:
        subprocess.run(["rm", "-r", path], check=True)
    done = remove_timer(tmp_path, "remove")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"removed {path}" for path in all_of_it[left:]]
    assert "daemon-reload" in (tmp_path / "log").read_text()


def test_a_timer_that_does_not_stop_keeps_its_files(tmp_path: Path) -> None:
    all_of_it = make_timer(tmp_path)
    done = remove_timer(tmp_path, "remove", stop="exit 1")
    assert done.returncode == 1
    assert "systemd does not stop unit.timer: `systemctl status unit.timer` says why." in done.stderr
    assert all(path.exists() for path in all_of_it)
