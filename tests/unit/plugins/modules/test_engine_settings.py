# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""engine_settings on the host: what goes live was judged, and what the engine does not take goes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.engine import Container, Engine, EngineError
from ansible_collections.wheelhouse.pypi.plugins.modules import engine_settings

Run = Callable[..., dict[str, Any]]
WEB = Container("1", "web", True, "2026-11-22T18:00:00Z", "0001-01-01T00:00:00Z", "always")
BACK = Container("1", "web", True, "2026-11-22T18:10:03Z", "2026-11-22T18:10:00Z", "always")
PROXY = {"proxies": {"http-proxy": "http://me:S3cret@proxy.example.com:3128"}}


class Imitation(Engine):
    """An engine that judges, reloads and restarts as it is told to, and notes with which file."""

    path: Path
    runs = True
    judges = "exit 0"
    fails_with = ""
    done: list[tuple[str, Any]]

    def program(self) -> str:
        script = self.path.parent.parent / "dockerd"
        script.write_text(f"#!/bin/sh\n{self.judges}\n")
        script.chmod(0o755)
        return str(script)

    def command(self) -> list[str]:
        return ["dockerd", "-H", "fd://"]

    def answers(self) -> bool:
        return self.runs

    def live_restore(self) -> bool:
        return False

    def containers(self) -> list[Container]:
        return [BACK if any(what == "restart" for what, _content in self.done) else WEB]

    def _take(self, what: str) -> None:
        text = self.path.read_text() if self.path.exists() else ""
        self.done.append((what, json.loads(text) if text else None))
        if self.fails_with and self.fails_with in text:
            raise EngineError(f"the engine did not like {text}")

    def reload(self) -> None:
        self._take("reload")

    def restart(self) -> None:
        self._take("restart")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Imitation]:
    class Fresh(Imitation):
        path = tmp_path / "docker" / "daemon.json"
        done: list[tuple[str, Any]] = []  # noqa: RUF012  (this class is made anew for each test)

    Fresh.path.parent.mkdir()
    monkeypatch.setattr(engine_settings, "Engine", Fresh)
    return Fresh


def apply(run_module: Run, engine: type[Imitation], settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return run_module(engine_settings, instance="dev", settings=settings, path=str(engine.path), **more)


def folder(engine: type[Imitation]) -> dict[str, str]:
    return {path.name: path.read_text() for path in engine.path.parent.iterdir()}


def test_a_reload_a_second_run_and_all_away_again(run_module: Run, engine: type[Imitation]) -> None:
    first = apply(run_module, engine, {"live-restore": True})
    assert (first["changed"], first["effect"], first["validated"]) == (True, "reload", True)
    assert engine.done == [("reload", {"live-restore": True})]
    assert engine.path.stat().st_mode & 0o777 == 0o600
    second = apply(run_module, engine, {"live-restore": True})
    assert (second["changed"], second["effect"]) == (False, "none")
    apply(run_module, engine, {})
    assert engine.done[1:] == [("reload", {"live-restore": False})]
    assert folder(engine) == {}


def test_a_restart_is_told_with_what_it_was_for_the_containers(run_module: Run, engine: type[Imitation]) -> None:
    engine.path.write_text('{"mtu": 1400}')
    engine.path.chmod(0o644)
    result = apply(run_module, engine, {"log-driver": "local"})
    assert engine.done == [("restart", {"mtu": 1400, "log-driver": "local"})]
    assert result["gaps"] == [{"name": "web", "seconds": 3.0}]
    assert result["warnings"] == [
        "The engine was restarted for log-driver. These containers were down meanwhile: web 3.0 s."
    ]
    assert engine.path.stat().st_mode & 0o777 == 0o644


def test_containers_outlive_the_restart_that_turns_live_restore_on(run_module: Run, engine: type[Imitation]) -> None:
    apply(run_module, engine, {"live-restore": True, "mtu": 1400})
    assert [what for what, _content in engine.done] == ["reload", "restart"]


def test_check_mode_says_what_would_be_and_touches_nothing(run_module: Run, engine: type[Imitation]) -> None:
    result = apply(run_module, engine, {"log-driver": "local"}, check=True)
    assert (result["changed"], result["effect"], result["validated"]) == (True, "restart", True)
    assert "would be restarted for log-driver, with these containers on it: web. They are down" in result["warnings"][0]
    assert engine.done == []
    assert folder(engine) == {}


def test_check_mode_on_a_host_without_an_engine(
    run_module: Run, engine: type[Imitation], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.path.parent.rmdir()
    monkeypatch.setattr(engine, "program", lambda self: "")
    monkeypatch.setattr(engine, "containers", lambda self: [])
    result = apply(run_module, engine, {"log-driver": "local"}, check=True)
    assert (result["changed"], result["validated"]) == (True, False)
    assert '"log-driver": "local"' in result["diff"][0]["after"]
    assert not engine.path.parent.exists()


def test_what_the_engine_refuses_does_not_go_live(run_module: Run, engine: type[Imitation]) -> None:
    engine.judges = 'echo "$@" >&2; cat "$3" >&2; exit 1'
    for check in (True, False):
        result = apply(run_module, engine, PROXY, check=check)
        assert result["failed"]
        assert f"stays as it is: --validate --config-file {engine.path} -H fd://" in result["msg"]
        assert "http://***@proxy.example.com:3128" in result["msg"]
    assert engine.done == []
    assert folder(engine) == {}


@pytest.mark.parametrize("settings", [{"mtu": 666}, {"shutdown-timeout": 666}, {"live-restore": True, "mtu": 666}])
def test_what_the_engine_does_not_take_goes_back(
    run_module: Run, engine: type[Imitation], settings: dict[str, Any]
) -> None:
    apply(run_module, engine, {"debug": True})
    before = folder(engine)
    engine.fails_with = "666"
    result = apply(run_module, engine, settings)
    assert result["failed"]
    assert "the engine did not like" in result["msg"]
    assert f"The old {engine.path} is back, and the engine " in result["msg"]
    assert engine.done[-1][1] == {"debug": True}
    assert folder(engine) == before


def test_a_reload_that_fails_is_taken_back_without_a_restart(run_module: Run, engine: type[Imitation]) -> None:
    engine.path.write_text('{"debug": true}')
    engine.fails_with = "live-restore"
    result = apply(run_module, engine, {"live-restore": True, "mtu": 1400})
    assert "is back, and the engine has it" in result["msg"]
    assert [what for what, _content in engine.done] == ["reload", "reload"]
    assert folder(engine) == {"daemon.json": '{"debug": true}'}


def test_an_engine_that_is_down_is_started_with_the_file(run_module: Run, engine: type[Imitation]) -> None:
    engine.runs = False
    result = apply(run_module, engine, {"debug": True})
    assert engine.done == [("restart", {"debug": True})]
    assert result["warnings"] == []


def test_without_a_restart_the_engine_takes_over_what_it_can(run_module: Run, engine: type[Imitation]) -> None:
    result = apply(run_module, engine, {"live-restore": True, "mtu": 1400}, restart=False)
    assert result["effect"] == "later"
    assert {what for what, _content in engine.done} == {"reload"}
    assert "live-restore, mtu: the engine takes this over when it starts the next time." in result["warnings"]


def test_no_secret_is_seen(run_module: Run, engine: type[Imitation], assert_no_secret: Callable[..., None]) -> None:
    shown = [apply(run_module, engine, PROXY)]
    shown.append(apply(run_module, engine, {"proxies": {"http-proxy": "http://me:S3cret2@proxy.example.com"}}))
    engine.fails_with = "S3cret3"
    shown.append(apply(run_module, engine, {"proxies": {"http-proxy": "http://me:S3cret3@proxy.example.com"}}))
    shown.append(apply(run_module, engine, {}))
    assert [one.get("failed", False) for one in shown] == [False, False, True, False]
    assert_no_secret(*shown)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "daemon.json is not JSON"),
        (b"[]", "daemon.json is not a JSON object"),
        (b'{"a": "\xff"}', "daemon.json is not text in UTF-8 (byte 7)"),
    ],
)
def test_a_broken_file_is_an_error_before_anything_changes_and_shows_no_secret(
    run_module: Run, engine: type[Imitation], text: bytes, said: str, assert_no_secret: Callable[..., None]
) -> None:
    engine.path.write_bytes(text)
    result = apply(run_module, engine, PROXY)
    assert said in result["msg"]
    assert_no_secret(result)
    assert engine.path.read_bytes() == text
    assert engine.done == []


def test_a_broken_record_is_an_error_that_says_what_it_is_for(run_module: Run, engine: type[Imitation]) -> None:
    (engine.path.parent / engine_settings.RECORD).write_text("{}")
    assert "It says what of daemon.json came from where" in apply(run_module, engine, {"debug": True})["msg"]


def test_a_link_is_not_replaced(run_module: Run, engine: type[Imitation], tmp_path: Path) -> None:
    engine.path.symlink_to(tmp_path / "elsewhere.json")
    assert "is a symbolic link" in apply(run_module, engine, {"debug": True})["msg"]


def test_an_engine_that_reads_another_file_is_an_error(
    run_module: Run, engine: type[Imitation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "command", lambda self: ["dockerd", "--config-file=/srv/daemon.json"])
    assert "is told to read /srv/daemon.json (--config-file)" in apply(run_module, engine, {"debug": True})["msg"]
    assert folder(engine) == {}
