"""The script that starts a stack beside the one that serves; Docker is a script that says what it was asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "roles" / "stack" / "files" / "candidate.sh"
UP = """test -L "$2/nginx" && test -z "$(ls "$2/index")" && ls "$2/packages" >&2; cat >&2; echo "$@"
[ "$WRONG" = 0 ] || echo "x is restarting" >&2; exit "$WRONG" """
DOCKER = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$*" in
*project=dev*) echo $SERVES ;;
'ps --all'*) echo left ;;
'network ls'*) echo net ;;
'logs --tail'*) echo emerg ;;
'port '*) echo $PORT; [ -n "$PORT" ] ;;
esac
"""


def call(
    home: Path, verb: str, serves: str = "nginx", wrong: int = 0, port: str = "8080/tcp -> 127.0.0.1:32768"
) -> subprocess.CompletedProcess[str]:
    """Run it."""
    (home / "nginx").mkdir(parents=True, exist_ok=True)
    docker = home.parent / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    account = f"{os.getuid()}:{os.getgid()}"
    words = [SCRIPT.read_text(), "candidate.sh", verb, str(home), "dev", "beside-dev", account, "9", UP]
    environment = {
        "PATH": f"{home.parent}:/usr/bin:/bin",
        "ASKED": str(home.parent / "asked"),
        "SERVES": serves,
        "WRONG": str(wrong),
        "PORT": port,
    }
    return subprocess.run(
        ["sh", "-c", *words], env=environment, input="the file", capture_output=True, text=True, check=False
    )


def test_a_candidate_has_the_files_and_a_release_and_folders_of_its_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".previous").mkdir(parents=True)
    done = call(home, "up")
    assert (done.returncode, done.stdout) == (0, "127.0.0.1:32768\n"), done.stderr
    assert done.stderr == "wheelhouse_candidate-0.tar.gz\nthe file"
    assert (home / ".candidate").stat().st_mode & 0o777 == 0o700
    done = call(home, "down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (home / ".candidate").exists()
    asked = (tmp_path / "asked").read_text()
    assert "rm --force --volumes left\n" in asked and "network rm net\n" in asked


@pytest.mark.parametrize(("proved", "serves"), [(False, "nginx"), (True, "")])
def test_where_nothing_serves_or_was_proved_there_is_none_and_what_a_killed_run_left_is_removed(
    tmp_path: Path, proved: bool, serves: str
) -> None:
    home = tmp_path / "home"
    (home / ".candidate/packages").mkdir(parents=True)
    if proved:
        (home / ".previous").mkdir()
    done = call(home, "up", serves)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (home / ".candidate").exists()


def test_ansible_has_no_variable_of_the_environment_to_put_in() -> None:
    """Its module command expands those, whoever the shell is that would."""
    for script in SCRIPT.parent.glob("*.sh"):
        assert not [
            name for name in ("PWD", "HOME", "PATH", "USER", "TMPDIR", "HOSTNAME") if f"${name}" in script.read_text()
        ]


def test_a_candidate_that_does_not_start_says_why(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".previous").mkdir(parents=True)
    done = call(home, "up", wrong=1)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("x is restarting\n")


def test_a_candidate_whose_nginx_ended_is_no_missing_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".previous").mkdir(parents=True)
    done = call(home, "up", port="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("NGINX has ended right after its start. Its last lines:\nemerg\n")
