# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine says of itself and its containers, and what a restart was for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import engine
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine import (
    Container,
    Engine,
    EngineError,
    Gap,
    command_of,
    containers,
    flags,
    gaps,
    moment,
    told,
)

NEVER = "0001-01-01T00:00:00Z"
AT = "2026-11-22T18:00:{:06.3f}Z"


def one(name: str, started: float, finished: float = -1, running: bool = True, policy: str = "always") -> Container:
    return Container(
        f"id-{name}", name, running, AT.format(started), NEVER if finished < 0 else AT.format(finished), policy
    )


def test_containers_are_read() -> None:
    line = "4b5f|/web|true|2026-11-22T18:00:01.5Z|0001-01-01T00:00:00Z|unless-stopped"
    found = containers([line, "Error: No such object: 77", ""])
    assert found == [Container("4b5f", "web", True, "2026-11-22T18:00:01.5Z", NEVER, "unless-stopped")]


def test_moments() -> None:
    assert moment("1970-01-01T00:01:00Z") == 60
    assert moment("2026-11-22T18:00:01.123456789Z") - moment("2026-11-22T18:00:00Z") == pytest.approx(1.123456789)


@pytest.mark.parametrize(
    ("before", "after", "found", "said"),
    [
        ([], [], [], "No container was running."),
        ([one("web", 1)], [one("web", 1)], [], "All containers kept running."),
        (
            [one("web", 1), one("db", 2)],
            [one("web", 14.25, finished=10), one("db", 2)],
            [Gap("web", 4.2)],
            "These containers were down meanwhile: web 4.2 s. The others kept running.",
        ),
        (
            [one("web", 1), one("job", 1, policy="no")],
            [one("web", 12, finished=10), one("job", 1, finished=10, running=False)],
            [Gap("web", 2.0), Gap("job", None)],
            "web 2.0 s. These have no restart policy, and do not run any more: job.",
        ),
        ([one("gone", 1)], [], [Gap("gone", None)], "These should have come back, and did not: gone. `docker start`"),
        ([one("off", 1, running=False)], [one("off", 1, running=False)], [], "No container was running."),
        # An engine that was killed noted no end.
        ([one("web", 1)], [one("web", 9, finished=20)], [Gap("web", 0.0)], "web 0.0 s"),
    ],
)
def test_gaps(before: list[Container], after: list[Container], found: list[Gap], said: str) -> None:
    assert gaps(before, after) == found
    assert said in told(before, found)


@pytest.mark.parametrize(
    ("command", "kept", "path"),
    [
        ("dockerd -H fd:// --containerd=/run/c.sock", ["-H", "fd://", "--containerd=/run/c.sock"], ""),
        ("dockerd --config-file /etc/d.json --debug", ["--debug"], "/etc/d.json"),
        ("dockerd --config-file=/etc/d.json", [], "/etc/d.json"),
        ("dockerd -H fd:// $DOCKER_OPTS", ["-H", "fd://"], ""),
        ("", [], ""),
    ],
)
def test_flags(command: str, kept: list[str], path: str) -> None:
    assert flags(command.split()) == (kept, path)


def test_the_command_of_a_unit() -> None:
    unit = (
        "ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS ; ignore_errors=no ; }\n"
    )
    assert command_of(unit) == ["/usr/sbin/dockerd", "-H", "fd://", "$DOCKER_OPTS"]
    assert command_of("ExecStart=\n") == []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with an engine as process 7, on systemd."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "run/docker.pid").write_text("7")
    process = tmp_path / "proc/7"
    process.mkdir(parents=True)
    (process / "comm").write_text("dockerd\n")
    (process / "cmdline").write_text("/usr/sbin/dockerd\0-H\0fd://\0")
    (process / "exe").symlink_to("/usr/sbin/dockerd")
    monkeypatch.setattr(engine.shutil, "which", lambda name, path="": f"/usr/bin/{name}")
    monkeypatch.setattr(engine, "START_SECONDS", 0)
    monkeypatch.setattr(engine, "RELOAD_SECONDS", 0.1)
    return tmp_path


class Commands:
    """Imitates run_command: answers by the first words of a command that fit."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        self.answers = answers
        self.seen: list[str] = []

    def __call__(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        self.seen.append(" ".join(command))
        return next((answer for words, answer in self.answers.items() if words in "_".join(command)), (0, "", ""))


def test_the_running_engine_is_found(host: Path) -> None:
    found = Engine(Commands(), str(host))
    assert found.pid() == 7
    assert found.command() == ["/usr/sbin/dockerd", "-H", "fd://"]
    assert not found.is_stale()
    (host / "proc/7/exe").unlink()
    (host / "proc/7/exe").symlink_to("/usr/sbin/dockerd (deleted)")
    assert found.is_stale()


def test_a_number_that_is_somebody_elses_by_now_is_not_the_engine(host: Path) -> None:
    (host / "proc/7/comm").write_text("bash\n")
    commands = Commands(systemctl_show=(0, "ExecStart={ path=x ; argv[]=x --debug ; }", ""))
    found = Engine(commands, str(host))
    assert found.pid() == 0
    assert not found.is_stale()
    assert found.command() == ["x", "--debug"]
    with pytest.raises(EngineError, match="process is not known"):
        found.reload()


def test_a_restart_that_fails_says_the_engines_own_words(host: Path) -> None:
    commands = Commands(
        systemctl_restart=(1, "", "Job failed.\n"),
        journalctl=(0, "level=info starting\nfailed to start daemon: no such driver: zfs\n", ""),
    )
    with pytest.raises(EngineError) as error:
        Engine(commands, str(host)).restart()
    assert str(error.value) == (
        "the engine did not start: Job failed. It said: failed to start daemon: no such driver: zfs"
    )


@pytest.mark.parametrize(
    ("systemd", "command"), [(True, "systemctl restart docker.service"), (False, "service docker restart")]
)
def test_who_restarts_the_engine(host: Path, systemd: bool, command: str) -> None:
    if not systemd:
        (host / "run/systemd/system").rmdir()
    commands = Commands(docker_version=(0, "26.1.5\n", ""))
    Engine(commands, str(host)).restart()
    assert command in commands.seen
    assert any(seen.startswith("systemctl") for seen in commands.seen) is systemd


@pytest.mark.parametrize(("event", "taken"), [("reload\n", True), ("", False)])
def test_a_reload_is_what_the_engine_confirms(
    host: Path, monkeypatch: pytest.MonkeyPatch, event: str, taken: bool
) -> None:
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(engine.os, "kill", lambda *sent: signals.append(sent))
    found = Engine(Commands(docker_events=(0, event, "")), str(host))
    if taken:
        found.reload()
    else:
        with pytest.raises(EngineError, match="did not reload"):
            found.reload()
    assert signals == [(7, engine.signal.SIGHUP)]
