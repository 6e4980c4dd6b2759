"""The tasks of the playbook yank.yml, run by Ansible on the index itself; and what all tasks say that ask it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import asked
from tests.support.asked import Playbook, said

WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
PLAY = asked.play("yank")
RELEASE = ("-e", "pypi_project=foo", "-e", "pypi_version=1.0")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with two files of a release."""
    return asked.index(tmp_path, monkeypatch, (WHEEL, SDIST))


def yanked(home: Path) -> dict[str, str]:
    document = json.loads((home / "index/simple/foo/index.json").read_text())
    return {file["filename"]: file["yanked"] for file in document["files"] if "yanked" in file}


def test_a_check_says_what_a_run_does_and_a_second_run_changes_nothing(playbook: Playbook, home: Path) -> None:
    variables = (*RELEASE, "-e", """pypi_reason='it is "broken" & $HOME {x}'""")
    checked = playbook(PLAY, "--check", "--diff", *variables)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f'"Files to be yanked: 2. Unchanged: 0.", "{WHEEL}", "{SDIST}"' in said(checked)
    assert "changed=1" in checked.stdout and yanked(home) == {}
    done = playbook(PLAY, *variables)
    assert f'"Files yanked: 2. Unchanged: 0.", "{WHEEL}", "{SDIST}"' in said(done)
    assert "changed=1" in done.stdout
    assert yanked(home) == dict.fromkeys([WHEEL, SDIST], 'it is "broken" & $HOME {x}')
    again = playbook(PLAY, *variables)
    assert '"Files yanked: 0. Unchanged: 2."' in said(again)
    assert "changed=0" in again.stdout
    back = playbook(PLAY, *RELEASE, "-e", "pypi_unyank=true")
    assert '"Files unyanked: 2. Unchanged: 0."' in said(back)
    assert yanked(home) == {}


BAD_INPUT: asked.Rows = {
    "nothing": (
        {},
        "pypi_project, pypi_file, pypi_login: missing; name a release (-e pypi_project=NAME -e pypi_version=VERSION)",
    ),
    "missing": (
        {"pypi_file": "foo-2.0.tar.gz"},
        "pypi_file: foo-2.0.tar.gz is not on this index: nothing was changed.",
    ),
    "number": (
        {"pypi_project": "foo", "pypi_version": 1.0},
        "pypi_version: 1.0 is not a text; quote it where it is set, as in pypi_version: '1.10'",
    ),
    "blank": (
        {"pypi_project": "foo", "pypi_version": "1.0", "pypi_file": ""},
        "pypi_file: empty; give a value, or leave it out",
    ),
    "bell": (
        {"pypi_project": "foo", "pypi_version": "1.0", "pypi_reason": "a\x07b"},
        "A reason is one line of at most 1000 printable characters.",
    ),
    "maybe": (
        {"pypi_project": "foo", "pypi_version": "1.0", "pypi_unyank": "maybe"},
        "pypi_unyank: 'maybe' is neither true nor false",
    ),
}


@pytest.mark.one_core
def test_bad_input_fails_with_one_message(playbook: Playbook, home: Path, tmp_path: Path) -> None:
    asked.refused(playbook, PLAY, BAD_INPUT, tmp_path)
    assert yanked(home) == {}


@pytest.mark.one_core
def test_an_index_that_does_not_run_is_named(playbook: Playbook, home: Path) -> None:
    (home / "containers").write_text("")
    done = playbook(PLAY, *RELEASE, "--check")
    assert done.returncode == 2
    assert "pypi_instance: the index internal does not run on this host; run wheelhouse.pypi.site first" in said(done)
    (home / "bin/docker").write_text("#!/bin/sh\nexit 1\n")
    done = playbook(PLAY, *RELEASE)
    assert done.returncode == 2
    assert "Docker does not answer on this host: nothing was changed. Start it, then run this again" in said(done)


@pytest.mark.one_core
@pytest.mark.parametrize(
    ("says", "code", "messages"),
    [
        ("echo No such container >&2", 1, ["No such container", "The run in the container ended with 1"]),
        # What Docker itself says of a process that it cannot start.
        ("echo OCI runtime exec failed", 126, ["OCI runtime exec failed", "The run in the container ended with 126"]),
        ("true", 137, ["The run in the container ended with 137, and did not say what it has done. Run it again"]),
    ],
)
def test_an_index_that_cannot_do_it_fails_the_run(
    playbook: Playbook, home: Path, says: str, code: int, messages: list[str]
) -> None:
    docker = home / "bin/docker"
    docker.write_text(docker.read_text().replace("shift 4", f"{says}; exit {code}"))
    done = playbook(PLAY, *RELEASE)
    assert done.returncode == 2 and "changed=0" in done.stdout, done.stdout
    assert all(message in said(done) for message in messages), done.stdout


@pytest.mark.one_core
def test_a_yank_that_the_change_log_lacks_is_said(playbook: Playbook, home: Path) -> None:
    docker = home / "bin/docker"
    docker.write_text(docker.read_text().replace('WHEELHOUSE_LOGS="$HOME"', "WHEELHOUSE_LOGS=/nonexistent"))
    done = playbook(PLAY, *RELEASE)
    assert done.returncode == 0 and yanked(home)
    assert "The change log lacks this, as logs/ cannot be written to: foo" in said(done)
