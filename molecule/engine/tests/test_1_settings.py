"""daemon.json: what goes in, what the engine does with it, and what is left when it comes out."""

from __future__ import annotations

import json
from typing import Any

from tests.support import hosts, playbook

from .conftest import SETTINGS, Engine, said_gap

testinfra_hosts = ["ansible://pypi-engine"]

LIVE = {"live-restore": True}
MIRROR = {"registry-mirrors": ["https://mirror.example.com"]}
LOGIN = {"proxies": {"http-proxy": "http://me:S3cret-of-mine@proxy.example.com:3128"}}


def test_the_engine_has_its_settings(engine: Engine) -> None:
    assert engine.settings() == LIVE
    assert engine.info("LiveRestoreEnabled") == "true"


def test_what_can_be_reloaded_restarts_nothing(engine: Engine) -> None:
    process = engine.process()
    with engine.kept():
        done = engine.applied("--diff", pypi_docker_daemon={**LIVE, **MIRROR})
    assert done.changed == 1
    assert '+ "registry-mirrors": [' in done.message()
    assert engine.info("RegistryConfig.Mirrors") == "[https://mirror.example.com/]"
    assert engine.process() == process


def test_what_the_engine_refuses_changes_nothing(engine: Engine, host: Any) -> None:
    with hosts.untouched(host):
        message = engine.refused(pypi_docker_daemon={**LIVE, "hosts": ["tcp://127.0.0.1:2375"]})
    playbook.says(
        message, "pypi_docker_daemon: hosts is on the command line of the engine too", "systemctl edit docker"
    )


def test_what_the_engine_does_not_start_with_is_taken_back(engine: Engine) -> None:
    before = engine.settings()
    with engine.kept():
        message = engine.refused(pypi_docker_daemon={**LIVE, **MIRROR, "storage-driver": "zfs"})
    playbook.says(message, "the engine did not start", "zfs", "daemon.json is back, and the engine runs with it")
    assert engine.settings() == before


def test_another_index_may_not_want_the_opposite(engine: Engine, host: Any) -> None:
    with hosts.untouched(host):
        message = engine.refused(pypi_instance="release", pypi_docker_daemon={"live-restore": False})
    playbook.says(message, "the indexes pypi-server and release want different values of live-restore")


def test_containers_outlive_a_restart_with_live_restore_and_no_login_is_shown(engine: Engine) -> None:
    process = engine.process()
    with engine.kept():
        done = engine.applied("--diff", "-vvv", pypi_docker_daemon={**LIVE, **LOGIN})
    assert engine.process() != process
    assert engine.settings() == {**LIVE, **LOGIN}
    assert "The engine was restarted for registry-mirrors, proxies. All containers kept running." in done.message()
    assert "http://***@proxy.example.com:3128" in done.output
    # The variable itself is in the file of extra variables, which is not shown either.
    assert "S3cret-of-mine" not in done.output


def test_without_live_restore_the_gap_is_announced_measured_and_told(engine: Engine) -> None:
    wanted = {"log-driver": "local"}
    with engine.kept():
        would = engine.applied("--check", pypi_docker_daemon=wanted)
    playbook.says(would.message(), "with these containers on it: web. They are down meanwhile: live-restore is off.")
    done = engine.applied(pypi_docker_daemon=wanted)
    assert abs(said_gap(done) - engine.gap()) < 0.1
    engine.answers()
    assert engine.info("LoggingDriver") == "local"


def test_what_was_put_in_comes_out_and_what_an_administrator_has_put_beside_it_stays(engine: Engine, host: Any) -> None:
    host.check_output("printf %%s %s > %s", json.dumps({"log-driver": "local", "debug": True}), SETTINGS)
    assert engine.applied(pypi_docker_daemon={}).changed == 1
    assert engine.settings() == {"debug": True}
    assert engine.info("LoggingDriver") == "json-file"
    assert host.check_output("ls -A /etc/docker") == "daemon.json"


def test_a_broken_file_is_an_error(engine: Engine, host: Any) -> None:
    host.check_output("printf %%s %s > %s", '{"debug": true', SETTINGS)
    try:
        message = engine.refused(pypi_docker_daemon=LIVE)
    finally:
        host.check_output("rm %s", SETTINGS)
    playbook.says(message, "/etc/docker/daemon.json is not JSON", "Mend it, or move it away, and run again")
