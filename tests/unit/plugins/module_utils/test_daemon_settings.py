# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings go into daemon.json, and come out of it, as if nobody had been there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils.daemon_settings import (
    Record,
    SettingsError,
    Step,
    as_diff,
    done,
    parse,
    refusal,
    secrets,
    steps,
)

HAND = {"log-driver": "journald", "log-opts": {"tag": "x"}}


def stored(record: Record) -> Record:
    """The record as the next run reads it."""
    return Record.parse(record.text())


class Host:
    """A host that runs one after the other for some indexes."""

    def __init__(self, live: dict[str, Any] | None) -> None:
        self.live = live
        self.record = Record()

    def plan(self, instance: str, settings: dict[str, Any]) -> list[Step]:
        return steps(self.live, self.record, instance, settings)

    def run(self, instance: str, settings: dict[str, Any], until: int | None = None) -> list[Step]:
        """Apply the steps; ``until`` kills the run after so many, before the engine has heard of the last."""
        found = self.plan(instance, settings)
        for step in found[:until]:
            self.live, self.record = step.content, stored(step.record)
        if until is None and found:
            self.record = stored(done(found[-1].record))
            assert not self.record.pending
        return found


@pytest.mark.parametrize("live", [None, {}, HAND, {"debug": True}, {"log-opts": {}}, {"labels": ["a=b"]}])
@pytest.mark.parametrize(
    "settings",
    [
        {"live-restore": True},
        {"log-opts": {"max-size": "5m"}},
        {"log-opts": {"tag": "mine", "max-file": "3"}, "log-driver": "local"},
        {"debug": False, "labels": []},
        {"log-opts": {}},
        {"proxies": {"http-proxy": "http://proxy.example.com"}, "default-address-pools": [{"base": "10.0.0.0/8"}]},
    ],
)
def test_what_was_put_in_comes_out(live: dict[str, Any] | None, settings: dict[str, Any]) -> None:
    host = Host(live)
    host.run("dev", settings)
    for key, value in settings.items():
        assert host.live is not None
        assert host.live[key] == ({**(live or {}).get(key, {}), **value} if isinstance(value, dict) else value)
    for key in set(live or {}) - set(settings):
        assert host.live and host.live[key] == (live or {})[key]
    assert host.plan("dev", settings) == []
    host.run("dev", {})
    assert host.live == live
    assert host.record.is_empty()
    assert host.plan("dev", {}) == []


def test_a_key_that_goes_leaves_the_others() -> None:
    host = Host(dict(HAND))
    host.run("dev", {"log-opts": {"tag": "mine", "max-size": "5m"}, "debug": True})
    host.run("dev", {"log-opts": {"max-size": "5m"}})
    assert host.live == {"log-driver": "journald", "log-opts": {"tag": "x", "max-size": "5m"}}
    assert stored(host.record).text() == host.record.text()


@pytest.mark.parametrize(
    ("by_hand", "left"),
    [
        # What somebody has made of our value is theirs.
        ({"log-opts": {"max-size": "9m"}}, {"log-opts": {"max-size": "9m"}}),
        ({}, {}),
        # What somebody has put beside it stays.
        ({"log-opts": {"max-size": "5m", "tag": "x"}}, {"log-opts": {"tag": "x"}}),
        ({"log-opts": {"max-size": "5m"}, "debug": True}, {"debug": True}),
    ],
)
def test_changes_by_hand_are_kept(by_hand: dict[str, Any], left: dict[str, Any]) -> None:
    host = Host({})
    host.run("dev", {"log-opts": {"max-size": "5m"}})
    host.live = by_hand
    host.run("dev", {})
    assert host.live == left


def test_a_value_changed_by_hand_is_put_right_and_is_what_comes_back() -> None:
    host = Host({})
    host.run("dev", {"mtu": 1400})
    host.live = {"mtu": 1300}
    host.run("dev", {"mtu": 1400})
    assert host.live == {"mtu": 1400}
    host.run("dev", {})
    assert host.live == {"mtu": 1300}


def test_two_indexes_share_what_both_want() -> None:
    host = Host({"debug": False})
    host.run("dev", {"debug": True, "log-opts": {"max-size": "5m"}})
    assert not any(step.keys for step in host.run("release", {"debug": True}))
    host.run("dev", {})
    assert host.live == {"debug": True}
    assert list(host.record.indexes) == ["release"]
    host.run("release", {})
    assert host.live == {"debug": False}
    assert host.record.is_empty()


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ({"log-opts": {"max-size": "6m", "tag": "x"}}, "log-opts.max-size"),
        ({"log-opts": "x"}, "log-opts"),
        ({"log-opts": {"max-size": {"a": 1}}}, "log-opts.max-size"),
        ({"debug": 1}, "debug"),
        ({"log-opts": {}, "debug": True}, ""),
        ({"log-opts": {"tag": "x"}}, ""),
    ],
)
def test_indexes_that_contradict_each_other_are_both_named(other: dict[str, Any], where: str) -> None:
    host = Host(None)
    host.run("release", {"log-opts": {"max-size": "5m"}, "debug": True})
    if not where:
        host.run("dev", other)
        return
    with pytest.raises(SettingsError) as error:
        host.plan("dev", other)
    assert f"the indexes dev and release want different values of {where}, and" in str(error.value)


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        pytest.param({}, {"debug": True}, [(["debug"], False)], id="reload"),
        pytest.param({}, {"log-driver": "local"}, [(["log-driver"], True)], id="restart"),
        pytest.param({"mtu": 1400}, {}, [(["mtu"], True)], id="restart for what goes"),
        pytest.param({}, {"runtimes": {"a": {}}}, [(["runtimes"], False)], id="a runtime comes"),
        pytest.param({"runtimes": {"a": {}}}, {}, [(["runtimes"], True)], id="runtimes go"),
        pytest.param({"max-concurrent-downloads": 5}, {}, [(["max-concurrent-downloads"], False)], id="default by itself"),
        pytest.param({"features": {"a": True}}, {"features": {"a": False}}, [(["features"], True)], id="below a key"),
        pytest.param(
            {"registry-mirrors": ["https://mirror.example.com"]}, {},
            [(["registry-mirrors"], False), ([], False)], id="what goes is emptied first",
        ),
        pytest.param(
            {}, {"live-restore": True, "mtu": 1400},
            [(["live-restore", "mtu"], False), (["live-restore", "mtu"], True)], id="containers outlive the restart",
        ),
        pytest.param(
            {"live-restore": True, "mtu": 1400}, {},
            [(["live-restore", "mtu"], False), (["live-restore", "mtu"], True)], id="or come back as they should",
        ),
        pytest.param({"debug": True, "mtu": 1400}, {}, [(["debug", "mtu"], True)], id="a restart forgets by itself"),
    ],
)  # fmt: skip
def test_what_the_engine_needs(
    before: dict[str, Any], after: dict[str, Any], seen: list[tuple[list[str], bool]]
) -> None:
    host = Host(None)
    host.run("dev", before)
    found = host.run("dev", after)
    assert [(step.keys, step.restart) for step in found] == seen


def test_the_engine_is_told_what_to_forget() -> None:
    host = Host({"debug": True})
    host.run("dev", {"live-restore": True, "labels": ["a=b"]})
    first, last = host.plan("dev", {})
    assert first.content == {"debug": True, "live-restore": False, "labels": []}
    assert last.content == {"debug": True}


@pytest.mark.parametrize("killed_after", [1, 2])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"live-restore": True, "debug": True}, {}),
        ({"live-restore": True, "mtu": 1400}, {"debug": True}),
        ({}, {"live-restore": True, "mtu": 1400}),
        ({}, {"debug": True}),
    ],
)
def test_a_killed_run_is_made_up_for(first: dict[str, Any], second: dict[str, Any], killed_after: int) -> None:
    host = Host({"mtu": 1500})
    host.run("dev", first)
    planned = host.plan("dev", second)
    host.run("dev", second, until=killed_after)
    if killed_after <= len(planned) and host.record.pending:
        assert "dev" in host.record.indexes, "the survey finds that there is something to do"
        again = host.plan("dev", second)
        assert set(host.record.pending) <= set(again[0].keys)
        assert any(step.restart for step in again) == any(step.restart for step in planned)
    host.run("dev", second)
    assert host.live == {"mtu": 1500, **second}
    assert host.plan("dev", second) == []
    host.run("dev", {})
    assert host.live == {"mtu": 1500}
    assert host.record.is_empty()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"debug": tru}', "is not JSON (Expecting value at line 1, column 11)"),
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
    ],
)
def test_a_broken_file_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse(text, "/etc/docker/daemon.json")
    assert f"/etc/docker/daemon.json {said}" in str(error.value)


def test_an_empty_file_is_what_the_engine_takes_it_for() -> None:
    assert parse(" \n", "x") == {}


def test_a_file_of_another_shape_is_an_error() -> None:
    with pytest.raises(SettingsError, match="log-opts has keys in it, and in"):
        steps({"log-opts": "x"}, Record(), "dev", {"log-opts": {"max-size": "5m"}})


@pytest.mark.parametrize("text", ["[]", "{}", '{"indexes": [], "before": [], "made": [], "pending": []}', "x"])
def test_a_record_that_no_run_has_written_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        Record.parse(text)


@pytest.mark.parametrize(
    ("settings", "hidden"),
    [
        ({"proxies": {"http-proxy": "http://me:S3cret@proxy.example.com"}}, {"me:S3cret", "S3cret"}),
        ({"proxies": {"https-proxy": "me:S3cret@proxy.example.com:3128"}}, {"me:S3cret", "S3cret"}),
        ({"registry-mirrors": ["https://t0ken@mirror.example.com", "https://a.example.com"]}, {"t0ken"}),
        ({"log-opts": {"splunk-token": "S3cret", "splunk-url": "https://splunk.example.com"}}, {"S3cret"}),
        ({"hosts": ["ssh://root@example.com"], "labels": ["owner=alice@example.com"], "mtu": 1400}, set()),
    ],
)
def test_secrets_are_known(settings: dict[str, Any], hidden: set[str]) -> None:
    assert secrets(settings) == hidden


def test_a_diff_shows_no_secret_and_that_one_has_changed() -> None:
    old, new = ({"proxies": {"http-proxy": f"http://me:S3cret{n}@proxy.example.com"}} for n in (1, 2))
    diff = as_diff("daemon.json", old, new, secrets([old, new]))
    assert "S3cret" not in json.dumps(diff)
    assert '"http://***@proxy.example.com"' in diff["after"]
    assert "what is hidden here has changed" in diff["after"]


def test_refusals_of_the_engine() -> None:
    said = (
        "unable to configure the Docker daemon with file x: the following directives are specified both as a flag and "
        "in the configuration file: hosts: (from flag: [fd://], from file: [tcp://127.0.0.1:2375]), data-root: (from "
        "flag: /a, from file: /b)\n"
    )
    assert "pypi_docker_daemon: hosts and data-root are on the command line of the engine too (hosts: (" in refusal(
        said, "x"
    )
    assert refusal("unknown\n", "x").endswith("the engine refuses these settings, and x stays as it is: unknown")
