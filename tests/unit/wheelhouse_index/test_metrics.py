"""Metrics: what the log tells is counted once, whatever happens to the log, and alerts and dashboard name what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from wheelhouse_index.server import traffic
from wheelhouse_index.server.app import Application
from wheelhouse_index.server.metrics import METRICS, Metrics
from wheelhouse_index.server.traffic import LOCK, STATE, Traffic

from tests.ground import apt
from tests.ground.shell import proxies
from tests.support.certificates import authority, server
from tests.support.index import Index, call
from tests.support.long import only_long

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "docs/monitoring"
PAGES = 'wheelhouse_requests_total{route="project",status="200"}'
DAMAGED, GAPS, UNREAD = (f"wheelhouse_log_{what}" for what in ("damaged_lines_total", "gaps_total", "unread_bytes"))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log with one request, which was there before anything was counted."""
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder, line())
    return folder


@pytest.fixture
def counted(logs: Path, tmp_path: Path) -> Callable[..., dict[str, float]]:
    """Scrape; counting has begun."""
    Traffic(logs, tmp_path).counts()
    return lambda most=traffic.MOST_BYTES: dict(Traffic(logs, tmp_path, most).counts())


def line(**changed: Any) -> str:
    said: dict[str, Any] = {"time": "2026-11-22T11:30:12+00:00", "client": "192.0.2.50", "user": "bob", "method": "GET"}
    said |= {"route": "project", "uri": "/simple/hello/", "status": 200, "bytes": 100, "received": 50, "seconds": 0.004}
    return json.dumps({**said, "verdict_cache": "HIT", "verdict": "204", "agent": "pip", **changed}) + "\n"


def write(logs: Path, text: str, name: str = "access.log") -> None:
    with open(logs / name, "a", encoding="utf-8") as file:
        file.write(text)


def rotate(logs: Path, name: str) -> None:
    """Do what rotate.sh does until NGINX writes to the new file."""
    (logs / ".reopen").touch()
    os.link(logs / "access.log", logs / name)
    (logs / "new").touch()
    (logs / "new").rename(logs / "access.log")


def test_each_line_is_counted_by_what_it_says(logs: Path, counted: Callable[..., dict[str, float]]) -> None:
    write(logs, line() + line(seconds=0.3, bytes=1) + line(status=404, verdict_cache="MISS"))
    write(
        logs,
        line(status=401, verdict="401", verdict_cache="EXPIRED")
        + line(status=401, verdict="401", user="", verdict_cache="BYPASS"),
    )
    for route, statuses in {"upload": (200, 403, 507, 503), "removal": (200, 404), "yank": (200, 200)}.items():
        for status in statuses:
            write(logs, line(route=route, method="POST", status=status, verdict_cache=""))
    write(logs, line(route="public", cache="HIT", rule="", verdict_cache=""))
    write(logs, line(route="public", cache="", rule="minimum-age", status=403))
    found = counted()
    assert found[PAGES] == 2
    assert found['wheelhouse_sent_bytes_total{route="project"}'] == 401
    assert found['wheelhouse_received_bytes_total{route="upload"}'] == 200
    buckets = {
        limit: found[f'wheelhouse_request_seconds_bucket{{route="project",le="{limit}"}}']
        for limit in ("0.005", "0.1", "0.5", "+Inf")
    }
    assert buckets == {"0.005": 4, "0.1": 4, "0.5": 5, "+Inf": 5}
    assert found['wheelhouse_request_seconds_sum{route="project"}'] == pytest.approx(0.316)
    assert found['wheelhouse_verdicts_total{cache="hit"}'] == 3
    assert found['wheelhouse_verdicts_total{cache="missed"}'] == 2
    assert found["wheelhouse_refused_logins_total"] == 1
    results = ("accepted", "refused", "full", "failed")
    for route, those in {"upload": [1, 1, 1, 1], "removal": [1, 1, 0, 0], "yank": [2, 0, 0, 0]}.items():
        assert [found[f'wheelhouse_changes_total{{route="{route}",result="{result}"}}'] for result in results] == those
    assert found['wheelhouse_upstream_requests_total{cache="hit"}'] == 1
    assert found['wheelhouse_upstream_refusals_total{rule="minimum-age"}'] == 1
    assert (found[DAMAGED], found[GAPS], found[UNREAD]) == (0, 0, 0)
    assert counted() == found


def test_a_torn_line_is_counted_when_it_is_whole_and_what_is_no_line_is_said(
    logs: Path, counted: Callable[..., dict[str, float]]
) -> None:
    text = line()
    write(logs, text + text[:40])
    assert counted()[PAGES] == 1
    wrong: list[dict[str, Any]] = [
        {"route": 'x"} 1\n'},
        {"route": 5},
        {"status": "many"},
        {"seconds": None},
        {"cache": "HIT 1"},
        {"verdict_cache": []},
    ]
    write(logs, text[40:] + 'x\n[]\n{"route": "a"}\n' + "".join(line(**one) for one in wrong))
    found = counted()
    assert (found[PAGES], found[DAMAGED]) == (2, 9)


def test_rotation_loses_nothing_and_counts_nothing_twice(logs: Path, counted: Callable[..., dict[str, float]]) -> None:
    write(logs, line())
    rotate(logs, "access-1.log")
    assert counted()[PAGES] == 1
    # NGINX holds these back, and has not opened the new one yet; a line is cut off by a crash.
    write(logs, line() * 2, "access-1.log")
    assert counted()[PAGES] == 3
    write(logs, line()[:20], "access-1.log")
    write(logs, line())
    assert counted()[PAGES] == 3
    (logs / ".reopen").unlink()
    found = counted()
    assert (found[PAGES], found[DAMAGED], found[GAPS]) == (4, 1, 0)
    # Twice between two scrapes.
    for name in ("access-2.log", "access-3.log"):
        rotate(logs, name)
        write(logs, line())
    (logs / ".reopen").unlink()
    assert (counted()[PAGES], counted()[GAPS]) == (6, 0)


def test_what_was_compressed_before_it_was_counted_is_a_gap(
    logs: Path, counted: Callable[..., dict[str, float]]
) -> None:
    write(logs, line())
    for name in ("access-1.log", "access-2.log"):
        rotate(logs, name)
        write(logs, line())
    (logs / ".reopen").unlink()
    (logs / "access-1.log").unlink()
    assert (counted()[PAGES], counted()[GAPS]) == (2, 1)
    # A new log that is longer and got the inode of the old one.
    (logs / "access-2.log").unlink()
    (logs / "access.log").write_text(line(time="2026-11-23T00:00:00+00:00") * 5)
    assert (counted()[PAGES], counted()[GAPS]) == (7, 2)


def test_a_scrape_reads_so_much_and_the_next_one_reads_on(logs: Path, counted: Callable[..., dict[str, float]]) -> None:
    size = len(line())
    write(logs, line() * 25)
    most = size * 10 + 5
    assert [(found[PAGES], found[UNREAD]) for found in (counted(most), counted(most), counted(most))] == [
        (10, 15 * size),
        (20, 5 * size),
        (25, 0),
    ]
    write(logs, "x" * 3 * most + "\n" + line())
    assert [counted(most)[PAGES] for _scrape in range(4)][-1] == 26
    # Of a file that was rotated as well.
    write(logs, line() * 25)
    rotate(logs, "access-1.log")
    (logs / ".reopen").unlink()
    write(logs, line())
    assert [counted(most)[PAGES] for _scrape in range(3)] == [36, 46, 52]


def test_counting_begins_again_where_the_counts_are_lost_and_nothing_fails(
    logs: Path, tmp_path: Path, counted: Callable[..., dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(logs, line())
    counted()
    for damage in ("", "[]", "{}"):
        (tmp_path / STATE).write_text(damage)
        assert PAGES not in counted()
    # A full disk: the same is counted again, once.
    write(logs, line())
    with monkeypatch.context() as patched:
        patched.setattr(traffic.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        assert [counted()[PAGES] for _scrape in range(2)] == [1, 1]
    assert counted()[PAGES] == 1
    shutil.rmtree(logs)
    assert counted()[PAGES] == 1


def _scrape(logs: Path, folder: Path, times: int) -> list[float]:
    return [Traffic(logs, folder, 4000).counts().get(PAGES, 0) for _scrape in range(times)]


def test_processes_that_scrape_at_once_count_each_line_once(
    logs: Path, tmp_path: Path, counted: Callable[..., dict[str, float]]
) -> None:
    write(logs, line() * 500)
    with ProcessPoolExecutor(3) as pool:
        seen = list(pool.map(_scrape, [logs] * 3, [tmp_path] * 3, [100] * 3))
    assert all(values == sorted(values) for values in seen), "a counter fell"
    assert counted()[PAGES] == 500
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["logs", STATE, LOCK])


def exposed(text: str) -> dict[str, float]:
    """Return the series of an answer; fails where it is not in Prometheus's format."""
    found: dict[str, float] = {}
    kinds: dict[str, str] = {}
    for said in text.splitlines():
        if said.startswith("# TYPE "):
            _hash, _type, name, kind = said.split(" ")
            assert name not in kinds, "a metric comes in one block"
            kinds[name] = kind
        elif not said.startswith("# HELP "):
            series, value = said.rsplit(" ", 1)
            assert re.fullmatch(r'\w+(\{\w+="[^"\\]*"(,\w+="[^"\\]*")*\})?', series), said
            assert series not in found and series.startswith(list(kinds)[-1]), said
            found[series] = float(value)
    return found


def test_prometheus_reads_what_is_known_of_an_index(index: Index, tmp_path: Path) -> None:
    metrics = Metrics(index.store, index.settings, tmp_path)
    index.application = Application(index.store, None, metrics)
    index.upload("hello-1.0.tar.gz", b"no archive")
    write(index.logs, line())
    before = exposed(index.get("/metrics").text)
    assert before["wheelhouse_problems"] == 0
    assert not {name for name in before if "certificate" in name or "backup" in name or "drill" in name}
    write(index.logs, line() + line(seconds=99) + line(route="file"))
    (tmp_path / "last.json").write_text(
        '{"outcome": "failed", "succeeded": "2026-11-29T02:31:07Z", "overdue": "2026-12-01T02:30:00Z"}'
    )
    (tmp_path / "drill.json").write_text('{"outcome": "ok", "finished": "2026-11-29T02:31:08Z"}')
    for days in (90, 365 * 40):
        end = server("a", signer=authority(days=days + 9), days=days)
        der = end.certificate.public_bytes(serialization.Encoding.PEM).decode().split("-----")[2]
        answer = call(index.application, "/metrics", {"X-Certificate": "".join(der.split())})
        found = exposed(answer.text)
        assert found["wheelhouse_certificate_not_after_seconds"] == end.certificate.not_valid_after_utc.timestamp()
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert (found["wheelhouse_backup_failed"], found["wheelhouse_backup_success_seconds"]) == (1, 1795919467)
    assert found["wheelhouse_backup_overdue_seconds"] == 1796092200
    assert found["wheelhouse_drill_success_seconds"] == 1795919468
    assert found[PAGES] == 2
    assert (
        found['wheelhouse_disk_size_bytes{folder="packages"}'] > found['wheelhouse_disk_free_bytes{folder="logs"}'] > 0
    )
    assert not [said for said in answer.text.splitlines() if "bob" in said or "hello" in said]


def named(text: str) -> set[str]:
    return set(re.findall(r"\bwheelhouse_\w+", text))


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_alerts_and_dashboard_name_metrics_that_there_are(file: str) -> None:
    found = named((MONITORING / file).read_text(encoding="utf-8"))
    known = {f"{name}_{part}" for name, (kind, _help) in METRICS.items() if kind == "histogram" for part in ("bucket",)}
    assert len(found) > 10
    assert found <= known | set(METRICS)


def test_the_dashboard_is_json_and_each_metric_is_documented() -> None:
    panels = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    assert len({panel["title"] for panel in panels}) == len(panels) > 9
    assert named((ROOT / "docs/metrics.md").read_text(encoding="utf-8")) == set(METRICS)


def test_each_alert_is_tried_and_names_its_host() -> None:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    tried = (ROOT / "tests/unit/monitoring/alerts_test.yml").read_text(encoding="utf-8")
    assert {rule["alert"] for rule in rules} == set(re.findall(r'alertname="(\w+)"', tried))
    assert all("$labels.instance" in rule["annotations"]["summary"] for rule in rules)


@only_long
def test_alerts_fire_on_what_is_wrong_and_stay_silent_on_a_healthy_index(tmp_path: Path) -> None:
    apt.update()
    # Not installed: its server would run on this machine.
    subprocess.run(
        ["apt-get", "-q", "download", "prometheus"], cwd=tmp_path, check=True, env={**os.environ, **proxies()}
    )
    (package,) = tmp_path.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path / "prometheus"], check=True)
    promtool = str(tmp_path / "prometheus/usr/bin/promtool")
    test = [promtool, "test", "rules", str(ROOT / "tests/unit/monitoring/alerts_test.yml")]
    done = subprocess.run(test, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
