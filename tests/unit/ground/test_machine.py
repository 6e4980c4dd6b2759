"""What the proving ground reads off a machine: its engine, control groups, apt, pip and authorities."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ground import capabilities, cgroups, engine, uvenv
from tests.ground.engine import Process, Started

DOCKERD = Process("dockerd", "S", 4711)
NOTE = Started("this-boot", 100, 4711)


@pytest.mark.parametrize(
    ("noted", "boot", "process", "current"),
    [
        (NOTE, "this-boot", DOCKERD, True),
        (NOTE, "next-boot", DOCKERD, False),
        (NOTE, "this-boot", None, False),
        (NOTE, "this-boot", Process("dockerd", "S", 9999), False),
        (NOTE, "this-boot", Process("sleep", "S", 4711), False),
        (Started("this-boot", 0, 0), "this-boot", None, True),
        (Started("last-boot", 0, 0), "this-boot", None, False),
    ],
)
def test_a_note_is_good_for_the_very_process(noted: Started, boot: str, process: Process | None, current: bool) -> None:
    assert engine.is_current(noted, boot, process) is current


@pytest.mark.parametrize("text", ["{", "[]", '{"boot": "x"}', '{"boot": "long ago", "pid": 1, "ticks": 1}'])
def test_a_note_that_is_broken_or_stale_is_removed(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "engine.json"
    note.write_text(text)
    monkeypatch.setattr(engine, "_STATE", note)
    assert engine.started() is None
    assert not note.exists()


@pytest.mark.parametrize(("others", "stopped"), [("", True), ("pypi-users", False)])
def test_an_engine_of_ours_is_stopped_when_nothing_runs_on_it(
    others: str, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(engine, "started", lambda: NOTE)
    monkeypatch.setattr(engine, "output", lambda command: others)
    monkeypatch.setattr(engine, "down", lambda: calls.append("down"))
    engine.retire()
    assert bool(calls) is stopped


CGROUPS = """\
#subsys_name	hierarchy	num_cgroups	enabled
cpu	1	89	1
memory	4	380	1
net_cls	15	35	1
net_prio	15	35	1
rdma	0	1	1
debug	0	1	0
"""


def test_controllers_that_were_mounted_together_are_mounted_together() -> None:
    assert cgroups.hierarchies(CGROUPS) == ["cpu", "memory", "net_cls,net_prio", "rdma"]


def test_only_what_is_missing_is_mounted() -> None:
    mounts = (
        "25 1 0:22 / /sys/fs/cgroup rw - tmpfs cgroup rw\n26 25 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    )
    commands = [" ".join(command) for command in cgroups.commands("cpu 1 1 1\nmemory 4 1 1\n", mounts)]
    assert commands == [
        "mkdir -p /sys/fs/cgroup/memory",
        "mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory",
        "mkdir -p /sys/fs/cgroup/systemd",
        "mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd",
    ]


@pytest.mark.parametrize(
    ("bounding", "missing"),
    [
        ("000001ffffffffff", {"SYS_RESOURCE"}),
        ("000001fffeffffff", {"SYS_RESOURCE"}),
        ("000001fffefeffff", {"SYS_RESOURCE", "SYS_MODULE"}),
    ],
)
def test_hosts_get_what_the_machine_has_but_one(bounding: str, missing: set[str]) -> None:
    found = capabilities.granted(f"Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t{bounding}\n")
    assert set(capabilities.NAMES) - set(found) == missing
    assert "BPF" not in found


@pytest.mark.parametrize(
    ("options", "environment", "bundle", "expected"),
    [
        ({}, {}, "", {}),
        (
            {"index-url": "https://pypi.example.com/simple", "cert": "/ca.pem"},
            {},
            "/etc/bundle",
            {"UV_DEFAULT_INDEX": "https://pypi.example.com/simple", "SSL_CERT_FILE": "/ca.pem"},
        ),
        ({"cert": "/ca.pem"}, {"SSL_CERT_FILE": "/mine.pem"}, "", {}),
        ({}, {}, "/etc/bundle", {"SSL_CERT_FILE": "/etc/bundle"}),
        ({"trusted-host": "a b"}, {}, "", {"UV_INSECURE_HOST": "a b"}),
    ],
)
def test_uv_gets_what_pip_knows(
    options: dict[str, str], environment: dict[str, str], bundle: str, expected: dict[str, str]
) -> None:
    assert uvenv.to_uv(options, environment, bundle) == expected


def test_pips_environment_wins_over_its_files() -> None:
    text = "global.index-url='https://a.example.com'\n:env:.index-url='https://b.example.com'\nlist.format='json'\n"
    assert uvenv.parse_pip_config(text) == {"index-url": "https://b.example.com"}
