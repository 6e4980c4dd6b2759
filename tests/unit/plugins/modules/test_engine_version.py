# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""engine_version on the host: another version only where it is asked for, and what that was for containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine import Container
from ansible_collections.wheelhouse.pypi.plugins.modules import engine_version

Run = Callable[..., dict[str, Any]]
GROUP = ("docker-ce", "docker-ce-cli")


def ce(version: str) -> str:
    return f"5:{version}-1~debian.13~trixie"


class Host:
    """A host with packages, and an engine that runs one container."""

    def __init__(self, version: str = "", live_restore: bool = False) -> None:
        self.packages = {name: ce(version) for name in GROUP} if version else {}
        self.held: set[str] = set()
        self.live = live_restore
        self.running = version
        self.stale = False
        # Whether the packages restart the engine.
        self.restarts = True
        self.started = 0
        self.calls: list[str] = []
        # What fetching lists says.
        self.trouble = ""

    def restart(self) -> None:
        self.calls.append("restart")
        self.running, self.stale = self.packages["docker-ce"].split(":")[1].split("-")[0], False
        self.started += 0 if self.live else 1

    def containers(self) -> list[Container]:
        at = f"2026-11-22T18:0{self.started}"
        return [Container("1", "web", True, f"{at}:02.5Z", f"{at}:00Z", "always")] if self.running else []


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], None]:
    def prepared(host: Host) -> None:
        class Packages(engine_version.Apt):
            def versions(self, names: list[str]) -> dict[str, str]:
                return dict(host.packages)

            def held(self, installed: dict[str, str]) -> set[str]:
                return set(host.held)

            def update(self, timeout: int) -> str:
                host.calls.append("refresh")
                return host.trouble

            def available(self, names: list[str]) -> dict[str, list[str]]:
                return {name: [ce(version) for version in ("26.2.0", "26.1.5", "26.1.4")] for name in GROUP}

            def install(self, requests: list[str], removed: list[str], downgrade: bool, timeout: int) -> None:
                assert downgrade
                host.calls.append("install")
                host.packages.update(dict(one.split("=") for one in requests))
                if host.restarts:
                    host.restart()
                else:
                    host.stale = True

            def hold(self, names: list[str], on: bool, timeout: int) -> None:
                host.calls.append("hold" if on else "unhold")
                host.held = host.held | set(names) if on else host.held - set(names)

        class Engine(engine_version.Engine):
            def version(self) -> str:
                return host.running

            def is_stale(self) -> bool:
                return host.stale

            def live_restore(self) -> bool:
                return host.live

            def restart(self) -> None:
                host.restart()

            def containers(self) -> list[Container]:
                return host.containers()

        monkeypatch.setattr(engine_version, "Apt", Packages)
        monkeypatch.setattr(engine_version, "Engine", Engine)
        monkeypatch.setattr(engine_version.shutil, "which", lambda name: f"/usr/bin/{name}")

    return prepared


def test_an_engine_that_fits_is_left_alone_and_held(run_module: Run, prepare: Callable[[Host], None]) -> None:
    host = Host("26.1.4")
    prepare(host)
    first = run_module(engine_version, version="26.1")
    assert first["changed"]
    assert first["diff"]["after"].splitlines() == [f"{name} {ce('26.1.4')} (held)" for name in GROUP]
    assert host.calls == ["hold"]
    assert not run_module(engine_version, version="26.1")["changed"]
    assert run_module(engine_version, version="26.1", hold=False)["changed"]
    assert host.held == set()
    assert not run_module(engine_version, version="26.1", hold=False)["changed"]
    assert host.calls == ["hold", "unhold"]


@pytest.mark.parametrize(
    ("live", "version", "seconds", "warning"),
    [
        (True, "26.1.5", [], ""),
        (
            False, "26.1.5", [2.5],
            "The engine was upgraded from 26.1.4 to 26.1.5. These containers were down meanwhile: web 2.5 s.",
        ),
        (
            True, "26.2", [],
            "The engine was upgraded from 26.1.4 to 26.2.0. All containers kept running. live-restore is made for "
            "upgrades within 26.1: restart containers that do not answer.",
        ),
    ],
)  # fmt: skip
def test_an_upgrade_and_what_it_was_for_containers(
    run_module: Run, prepare: Callable[[Host], None], live: bool, version: str, seconds: list[float], warning: str
) -> None:
    host = Host("26.1.4", live_restore=live)
    prepare(host)
    would = run_module(engine_version, version=version, check=True)
    assert would["changed"]
    assert "web" in would["warnings"][0]
    assert ("keep running" in would["warnings"][0]) is (live and version == "26.1.5")
    assert host.calls == []
    done = run_module(engine_version, version=version)
    assert [gap["seconds"] for gap in done["gaps"]] == seconds
    assert done["warnings"] == ([warning] if warning else [])
    assert host.calls == ["refresh", "install", "restart", "hold"]
    assert host.held == set(GROUP)
    assert not run_module(engine_version, version=version)["changed"]


def test_an_engine_that_its_packages_do_not_restart_is_restarted(
    run_module: Run, prepare: Callable[[Host], None]
) -> None:
    host = Host("26.1.4")
    host.restarts = False
    prepare(host)
    run_module(engine_version, version="26.1.5", hold=False)
    assert host.calls == ["refresh", "install", "restart"]
    assert host.running == "26.1.5"


def test_a_run_that_was_killed_before_the_restart_is_made_up_for(
    run_module: Run, prepare: Callable[[Host], None]
) -> None:
    host = Host("26.1.4")
    host.packages = {name: ce("26.1.5") for name in GROUP}
    host.stale = True
    prepare(host)
    (would,) = run_module(engine_version, version="26.1.5", hold=False, check=True)["warnings"]
    assert would.startswith("The engine would be restarted, as it still runs from a package that was replaced, with")
    done = run_module(engine_version, version="26.1.5", hold=False)
    assert host.calls == ["restart"]
    assert "it still ran from a package that was replaced" in done["warnings"][0]


def test_an_engine_of_the_version_is_not_restarted_because_somebody_else_renewed_its_package(
    run_module: Run, prepare: Callable[[Host], None]
) -> None:
    host = Host("26.1.5")
    host.stale = True
    prepare(host)
    run_module(engine_version, version="26.1.5", hold=False)
    assert host.calls == []


def test_a_version_that_is_nowhere_changes_nothing(run_module: Run, prepare: Callable[[Host], None]) -> None:
    host = Host("26.1.4")
    prepare(host)
    message = run_module(engine_version, version="27.0")["msg"]
    assert "the source of docker-ce has no version 27.0. It has 26.2.0, 26.1.5, 26.1.4" in message
    assert host.calls == ["refresh"]
    assert "check mode fetches none" in run_module(engine_version, version="27.0", check=True)["msg"]


def test_lists_that_cannot_be_fetched_are_told_where_the_version_is_missing(
    run_module: Run, prepare: Callable[[Host], None]
) -> None:
    host = Host("26.1.4")
    host.trouble = "E: Failed to fetch"
    prepare(host)
    assert (
        "New lists of packages were not fetched: E: Failed to fetch"
        in run_module(engine_version, version="27.0")["msg"]
    )
    assert run_module(engine_version, version="26.1.5")["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_repositories_that_cannot_be_asked_are_an_error_and_nothing_was_changed(
    run_module: Run, prepare: Callable[[Host], None], monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    def failing(_packages: Any, _names: list[str]) -> dict[str, list[str]]:
        raise engine_version.Failed("Error: Failed to download metadata for repo 'baseos'")

    host = Host("26.1.4")
    prepare(host)
    monkeypatch.setattr(engine_version.Apt, "available", failing)
    message = run_module(engine_version, version="26.1.5", check=check)["msg"]
    assert "Nothing was changed. The package manager said:\nError: Failed to download metadata" in message


def test_an_engine_that_is_from_no_package_is_an_error(run_module: Run, prepare: Callable[[Host], None]) -> None:
    prepare(Host())
    assert "is from none of the packages" in run_module(engine_version, version="26.1")["msg"]
