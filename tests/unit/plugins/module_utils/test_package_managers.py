# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What apt and dnf are told to do, and what they are kept from, where they answer as a table says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import package_managers as managers

SIMULATED = """NOTE: This is only a simulation!
Remv docker.io [26.1.5+dfsg1-9+b10]
Remv docker-extension [1.0]
Inst docker-ce (5:28.5.2-1 Docker CE:trixie [amd64])
Conf docker-ce (5:28.5.2-1 Docker CE:trixie [amd64])
"""


class Module:
    """A module whose commands say what the table has for a word in them; others say nothing."""

    def __init__(self, answers: dict[str, tuple[int, str, str]]) -> None:
        """Take the table."""
        self.answers = answers
        self.run_command_environ_update = {"LC_ALL": "C"}
        self.commands: list[list[str]] = []

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        """Note the command, and answer."""
        self.commands.append(command)
        return next((answer for word, answer in self.answers.items() if word in command), (0, "", ""))


@pytest.mark.parametrize(
    ("removed", "unasked"),
    [
        ([], "docker-extension, docker.io"),
        (["docker.io"], "docker-extension"),
        (["docker.io", "docker-extension", "runc"], ""),
    ],
)
def test_apt_removes_nothing_that_nobody_named(removed: list[str], unasked: str) -> None:
    module = Module({"--simulate": (0, SIMULATED, "")})
    apt = managers.Apt(module)
    if unasked:
        with pytest.raises(managers.Refused, match=f"apt would remove {unasked} to install docker-ce,"):
            apt.install(["docker-ce"], removed, False, 5)
    else:
        apt.install(["docker-ce"], removed, False, 5)
    assert len(module.commands) == (1 if unasked else 2)
    assert all(command[-1 - len(removed)] == "docker-ce" for command in module.commands)


def test_settings_in_place_of_the_hosts_count_for_every_command() -> None:
    module = Module({"repoquery": (0, "docker-ce|3:26.1.5-1.el9", "")})
    dnf = managers.Dnf(module, "/srv/dnf.conf")
    dnf.available(["docker-ce"], fresh=True)
    dnf.install(["docker-ce"], [], False, 5)
    dnf.hold(["docker-ce"], True, 5)
    asked = [command[1] for command in module.commands if command[0] == "dnf"]
    assert asked == ["--config=/srv/dnf.conf"] * 3
    managers.Apt(module, "/srv/apt.conf")
    assert module.run_command_environ_update == {"LC_ALL": "C", "APT_CONFIG": "/srv/apt.conf"}


def test_holding_asks_no_repository_and_says_what_to_do_where_dnf_cannot_hold() -> None:
    module = Module({"versionlock": (1, "", "No such command: versionlock."), "install": (1, "", "Error: no network")})
    dnf = managers.Dnf(module)
    with pytest.raises(managers.Refused, match="cannot be held at it: this dnf has no versionlock") as raised:
        dnf.hold(["docker-ce"], True, 5)
    assert "pypi_docker_hold: false" in str(raised.value)
    assert "Error: no network" in str(raised.value)
    assert ["--disablerepo=*" in command for command in module.commands if "versionlock" in command] == [True]


@pytest.mark.parametrize("fails", [True, False])
def test_locks_come_back_when_what_they_made_way_for_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool
) -> None:
    locks = tmp_path / "versionlock.list"
    locks.write_text("# by hand\ndocker-ce-3:26.1.4-1.el9.*\n")
    before = locks.read_text()
    monkeypatch.setattr(managers, "_LOCKS", (str(locks), str(tmp_path / "versionlock.toml")))

    class Deleting(Module):
        def run_command(self, command: list[str], **options: Any) -> tuple[int, str, str]:
            if "delete" in command:
                assert "docker-ce" in command
                locks.write_text("# by hand\n")
            return super().run_command(command, **options)

    dnf = managers.Dnf(Deleting({"install": (1, "", "no space left")} if fails else {}))
    try:
        with dnf.unlocked(["docker-ce"], 5):
            assert locks.read_text() == "# by hand\n"
            dnf.install(["docker-ce-26.1.5"], [], True, 5)
    except managers.Failed:
        assert fails
    assert locks.read_text() == (before if fails else "# by hand\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["versionlock.list"]
