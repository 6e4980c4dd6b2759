# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module with package managers that answer as a table says, and a folder in the place of /etc."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils import package_managers as managers
from ansible_collections.wheelhouse.pypi.plugins.module_utils import package_sources as sources
from ansible_collections.wheelhouse.pypi.plugins.modules import docker_packages

from tests.unit.plugins.module_utils.test_openpgp import ONE, ONES, TWO, TWOS

URL = "https://download.docker.com/linux/debian"
NAMES = ["docker-ce", "docker-compose-plugin"]
BY_HAND = f"deb [signed-by=/etc/apt/keyrings/docker.gpg] {URL} trixie stable\n"


class Host:
    """A host on which commands succeed but for those named, and install what they are asked for."""

    def __init__(self, etc: Path) -> None:
        """Take the folder that stands for /etc."""
        self.etc = etc
        self.installed: dict[str, str] = {}
        # Of all of them, as dpkg abbreviates it.
        self.state = "ii"
        self.keys: list[str] = []
        self.available: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}
        self.commands: list[list[str]] = []

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.etc)): path.read_text() for path in self.etc.rglob("*") if path.is_file()}

    def run_command(self, _module: Any, command: list[str], **_options: Any) -> tuple[int, str, str]:
        """Answer as the real command would."""
        self.commands.append(command)
        line = " ".join(command)
        for start, errors in self.failing.items():
            if start in line:
                return 100, "", errors
        if command[0] == "dpkg-query":
            return (
                0,
                "".join(
                    f"{self.state} |{name}|{version}\n" for name, version in self.installed.items() if name in command
                ),
                "",
            )
        if "gpg-pubkey" in command:
            return 0, "".join(f"{key}\n" for key in self.keys), ""
        if command[:2] == ["rpm", "--query"]:
            return 0, "".join(f"{name}|{version}|{name}-{version}\n" for name, version in self.installed.items()), ""
        if command[:2] == ["rpm", "--import"]:
            self.keys.append("908355d3-6b0334dd")
        if command[:2] == ["rpm", "--erase"]:
            self.keys.remove(command[2].removeprefix("gpg-pubkey-"))
        if "madison" in command:
            return 0, "".join(f" {name} | {one} | {URL} trixie/stable Packages\n" for name, one in self.available), ""
        if "repoquery" in command:
            return 0, "".join(f"{name}|{one}\n" for name, one in self.available), ""
        if "install" in command and "--simulate" not in command:
            for name in command[command.index("install") + 1 :]:
                if name.endswith("-"):
                    self.installed.pop(name[:-1])
                else:
                    self.installed[name] = "1"
        return 0, "amd64\n" if "--print-architecture" in command else "", ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host whose /etc is a folder here."""
    for name in ("APT_ENTRY", "APT_KEY", "APT_CA", "APT_ACCESS", "DNF_ENTRY", "DNF_KEY", "DNF_CA"):
        monkeypatch.setattr(sources, name, getattr(sources, name).replace("/etc", str(tmp_path)))
    for cls in (managers.Apt, managers.Dnf):
        monkeypatch.setattr(cls, "folders", tuple(one.replace("/etc", str(tmp_path)) for one in cls.folders))
    trusted = tuple(one.replace("/etc", str(tmp_path)) for one in managers._APT_TRUSTED)
    monkeypatch.setattr(managers, "_APT_TRUSTED", trusted)
    for folder in ("apt/sources.list.d", "apt/trusted.gpg.d", "yum.repos.d"):
        (tmp_path / folder).mkdir(parents=True)
    made = Host(tmp_path)
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda module, *args, **kwargs: made.run_command(module, *args, **kwargs)
    )
    return made


def arguments(manager: str = "apt", key: bytes = ONE, **changes: Any) -> dict[str, Any]:
    repository = {
        "url": URL,
        "release": "trixie",
        "key": key.decode(),
        "key_url": "https://unused",
        "fingerprint": ONES,
    }
    common = {
        "manager": manager,
        "source": "docker_ce",
        "packages": NAMES,
        "conflicting": ["docker.io", "podman-docker"],
    }
    return {**common, "repository": repository, **changes}


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_repository_key_and_packages_come_together(host: Host, run_module: Callable[..., Any], manager: str) -> None:
    done = run_module(docker_packages, **arguments(manager))
    assert done["changed"]
    assert done["installed"] == NAMES
    entry = host.etc / (
        "apt/sources.list.d/docker.sources" if manager == "apt" else "yum.repos.d/docker-ce-stable.repo"
    )
    assert entry.stat().st_mode & 0o777 == 0o644
    assert host.keys == ([] if manager == "apt" else ["908355d3-6b0334dd"])
    commands = len(host.commands)
    again = run_module(docker_packages, **arguments(manager))
    assert not again["changed"]
    # It asked what is installed, and no more.
    assert len(host.commands) <= commands + 2


@pytest.mark.parametrize(("manager", "requests"), [("apt", "docker-ce=5:28.5.2-1"), ("dnf", "docker-ce-5:28.5.2-1")])
def test_the_engine_comes_in_the_version_that_is_asked_for(
    host: Host, run_module: Callable[..., Any], manager: str, requests: str
) -> None:
    host.available = [("docker-ce", "5:29.0.0-1"), ("docker-ce", "5:28.5.2-1"), ("docker-compose-plugin", "2.40.0-1")]
    run_module(docker_packages, version="28.5", **arguments(manager))
    assert host.commands[-2][-2:] == [requests, "docker-compose-plugin"]


@pytest.mark.parametrize("version", [{}, {"version": "28.5"}])
@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_an_engine_that_only_lacks_compose_is_neither_upgraded_nor_changed(
    host: Host, run_module: Callable[..., Any], manager: str, version: dict[str, str]
) -> None:
    host.installed["docker-ce"] = "5:27.5.1-1"
    host.available = [("docker-ce", "5:28.5.2-1"), ("docker-compose-plugin", "2.40.0-1")]
    done = run_module(docker_packages, **version, **arguments(manager))
    assert done["installed"] == ["docker-compose-plugin"]
    asked = [command[command.index("install") + 1 :] for command in host.commands if "install" in command]
    assert {tuple(names) for names in asked} == {("docker-compose-plugin",)}


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_a_version_that_is_not_there_leaves_the_host_as_it_was(
    host: Host, run_module: Callable[..., Any], manager: str
) -> None:
    host.available = [("docker-ce", "5:29.0.0-1"), ("docker-ce", "5:28.5.2-1")]
    message = run_module(docker_packages, version="28.6", **arguments(manager))["msg"]
    assert "the source of docker-ce has no version 28.6. It has 29.0.0, 28.5.2. Name one of these" in message
    assert "What the run had added of the repository is taken back" in message
    assert host.files() == {}
    assert host.keys == []
    assert host.installed == {}


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_check_mode_shows_the_same_and_does_nothing(host: Host, run_module: Callable[..., Any], manager: str) -> None:
    done = run_module(docker_packages, check=True, **arguments(manager))
    assert done["changed"]
    assert done["installed"] == NAMES
    assert any(URL in one.get("after", "") for one in done["diff"])
    assert done["diff"][-1]["prepared"] == "# packages\n+ docker-ce\n+ docker-compose-plugin\n"
    # A key is named by its fingerprint, not shown.
    assert "mDME" not in str(done["diff"])
    assert host.files() == {}
    assert host.installed == {}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        pytest.param(TWO, f"has the fingerprint {TWOS}, and {ONES} is expected: it is not used", id="another"),
        pytest.param(ONE + TWO, f"has the fingerprint {ONES}, {TWOS}, and {ONES} is expected", id="one too many"),
        pytest.param(b"<html>", "cannot be used: it is no OpenPGP public key", id="no key"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_a_wrong_key_is_refused_before_anything_uses_it(
    host: Host, run_module: Callable[..., Any], manager: str, check: bool, key: bytes, said: str
) -> None:
    done = run_module(docker_packages, check=check, **arguments(manager, key))
    assert said in done["msg"]
    assert "Nothing has been changed" in done["msg"]
    assert host.files() == {}
    assert host.keys == []


def test_the_repositorys_proxy_is_that_of_its_key_and_of_nothing_else(
    host: Host, run_module: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "mirror.example.com")
    monkeypatch.delenv("https_proxy", raising=False)
    seen = []

    def fetched(url: str, **_options: Any) -> io.BytesIO:
        seen.append((url, os.environ.get("https_proxy"), os.environ.get("no_proxy")))
        return io.BytesIO(ONE)

    def running(_module: Any, command: list[str], **_options: Any) -> tuple[int, str, str]:
        assert (os.environ.get("https_proxy"), os.environ.get("no_proxy")) == (None, "mirror.example.com")
        return answer(_module, command)

    answer, host.run_command = host.run_command, running  # type: ignore[method-assign]
    monkeypatch.setattr(docker_packages, "open_url", fetched)
    wanted = arguments()
    wanted["repository"].update(key="", key_url=f"{URL}/gpg", proxy="http://proxy.example.com:3128")
    assert run_module(docker_packages, **wanted)["installed"] == NAMES
    assert seen == [(f"{URL}/gpg", "http://proxy.example.com:3128", None)]
    assert 'Proxy::download.docker.com "http://proxy.example.com:3128"' in "".join(host.files().values())


@pytest.mark.parametrize(
    ("manager", "where", "output", "said"),
    [
        ("apt", "Error-Mode=any", "W: ... NO_PUBKEY X\nE: The repository is not signed.", f"another key than {ONES}"),
        ("apt", " install ", "E: Failed to fetch https://download.docker.com/linux/x  Hash Sum mismatch", "altered"),
        ("dnf", "makecache", "Cannot download repomd.xml: Curl error (6)", "cannot be reached"),
        ("dnf", " install ", "Package docker-ce is not signed\nError: GPG check FAILED", "is not signed"),
        ("dnf", "--import", "key 1 import failed.", "another key"),
    ],
)
def test_a_bad_repository_leaves_the_host_as_it_was(
    host: Host, run_module: Callable[..., Any], manager: str, where: str, output: str, said: str
) -> None:
    old = host.etc / "apt/sources.list.d/docker.sources"
    old.write_text(f"Types: deb\nURIs: {URL}\nSuites: trixie\n")
    old.chmod(0o600)
    before = host.files()
    host.failing[where] = output
    done = run_module(docker_packages, **arguments(manager))
    assert done["failed"]
    assert said in done["msg"]
    assert "is taken back" in done["msg"]
    assert host.files() == before
    assert old.stat().st_mode & 0o777 == 0o600
    assert not (host.etc / "apt/keyrings").exists()
    assert host.keys == []


@pytest.mark.parametrize("state", ["ii", "iU", "iF", "iH"])
def test_a_repository_stays_when_packages_of_it_are_half_installed(
    host: Host, run_module: Callable[..., Any], state: str
) -> None:
    host.state = state

    def half(_module: Any, command: list[str], **_options: Any) -> tuple[int, str, str]:
        if "install" in command:
            host.installed["docker-ce"] = "1"
            return 100, "", "dpkg: error processing package docker-compose-plugin"
        return answer(_module, command)

    answer, host.run_command = host.run_command, half  # type: ignore[method-assign]
    done = run_module(docker_packages, **arguments())
    assert "Some packages are installed: the next run finishes it" in done["msg"]
    assert "apt/sources.list.d/docker.sources" in host.files()


@pytest.mark.parametrize("check", [True, False])
def test_what_others_have_left_is_named_in_one_message_and_stays(
    host: Host, run_module: Callable[..., Any], check: bool
) -> None:
    (host.etc / "apt/sources.list.d/docker.list").write_text(BY_HAND)
    (host.etc / "apt/trusted.gpg.d/docker.asc").write_bytes(ONE)
    host.installed["podman-docker"] = "5"
    before = host.files()
    done = run_module(docker_packages, check=check, **arguments())
    for said in ("docker.list", "the package podman-docker", "trusted.gpg.d/docker.asc", "pypi_docker_replace: true"):
        assert said in done["msg"]
    assert host.files() == before
    assert host.installed == {"podman-docker": "5"}


def test_with_replace_all_of_it_goes_and_what_is_beside_it_stays(host: Host, run_module: Callable[..., Any]) -> None:
    (host.etc / "apt/sources.list.d/docker.list").write_text(BY_HAND)
    (host.etc / "apt/sources.list").write_text(f"deb http://deb.debian.org/debian trixie main\n{BY_HAND}")
    keyring = host.etc / "apt/trusted.gpg"
    keyring.write_bytes(docker_packages.openpgp.binary(ONE) + docker_packages.openpgp.binary(TWO))
    host.installed["podman-docker"] = "5"
    done = run_module(docker_packages, replace=True, **arguments())
    assert done["changed"]
    assert len(done["removed"]) == 4
    assert not (host.etc / "apt/sources.list.d/docker.list").exists()
    assert (host.etc / "apt/sources.list").read_text() == "deb http://deb.debian.org/debian trixie main\n"
    assert keyring.read_bytes() == docker_packages.openpgp.binary(TWO)
    assert sorted(host.installed) == NAMES


def test_with_replace_a_bad_repository_takes_nothing_away(host: Host, run_module: Callable[..., Any]) -> None:
    (host.etc / "apt/sources.list.d/docker.list").write_text(BY_HAND)
    host.installed["podman-docker"] = "5"
    before = host.files()
    host.failing["Error-Mode=any"] = "E: The repository is not signed."
    done = run_module(docker_packages, replace=True, **arguments())
    assert "not signed" in done["msg"]
    assert host.files() == before
    assert host.installed == {"podman-docker": "5"}


@pytest.mark.parametrize(
    ("manager", "file", "text"),
    [
        (
            "apt",
            "apt/sources.list.d/docker.sources",
            "Types: deb\nURIs: {}\nSuites: trixie\n\nTypes: deb\nURIs: {}\nSuites: x\n",
        ),
        ("dnf", "yum.repos.d/docker-ce-stable.repo", "[docker-ce]\nbaseurl={}\n\n[other]\nbaseurl={}\n"),
    ],
)
@pytest.mark.parametrize("replace", [True, False])
def test_what_is_beside_dockers_entry_in_its_own_file_is_not_written_over(
    host: Host, run_module: Callable[..., Any], replace: bool, manager: str, file: str, text: str
) -> None:
    (host.etc / file).write_text(text.format(URL, "https://apt.example.com/other"))
    before = host.files()
    message = run_module(docker_packages, replace=replace, **arguments(manager))["msg"]
    assert "names https://apt.example.com/other as well. Move those to a file of their own" in message
    assert host.files() == before
    assert host.installed == {}


def test_a_key_alone_is_a_warning(host: Host, run_module: Callable[..., Any]) -> None:
    (host.etc / "apt/trusted.gpg.d/docker.asc").write_bytes(ONE)
    (host.etc / "apt/trusted.gpg.d/other.asc").write_bytes(TWO)
    done = run_module(docker_packages, **arguments())
    assert done["changed"]
    (warning,) = [one for one in done["warnings"] if "trusted.gpg.d" in one]
    assert "docker.asc, where apt trusts it for every repository" in warning
    assert "apt/trusted.gpg.d/docker.asc" in host.files()


def test_the_distributions_packages_need_no_repository(host: Host, run_module: Callable[..., Any]) -> None:
    (host.etc / "apt/sources.list.d/docker.list").write_text(BY_HAND)
    before = host.files()
    done = run_module(docker_packages, manager="apt", packages=["docker.io"], conflicting=["docker-ce"])
    assert done["installed"] == ["docker.io"]
    assert host.files() == before
