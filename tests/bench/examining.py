"""Figures of what looks at an index: the doctor beside sha256sum, and the list of downloads beside jq."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .figures import Figure
from .hosts import SERVING, WORK, BenchError, ask, play, send
from .pace import Pace, in_turn
from .recovery import VARIABLES, releases
from .rollout import HOME, seconds

DOCTOR = "wheelhouse.pypi.doctor"
_LINES = 1_000_000
_PROJECT = "project-00007"
_LOG = f"{HOME}/logs/bench"
_LINE = (
    '{{"time":"2026-11-22T11:30:12+00:00","client":"192.0.2.50","user":"reader","method":"GET","route":"{}","uri":"{}",'
    '"status":200,"bytes":2034,"received":412,"seconds":0.000,"upstream_seconds":"","verdict_cache":"HIT","verdict":"204",'
    '"agent":"pip/26.3 {{\\"ci\\":null,\\"cpu\\":\\"x86_64\\",\\"implementation\\":{{\\"name\\":\\"CPython\\"}}}}"}}\n'
)
_OURS = f"""docker exec --env WHEELHOUSE_LOGS=/data/logs/bench pypi-server-pypi-server-1 \
    python3 -m wheelhouse_index downloads --project {_PROJECT} --json | wc -l"""
# No pattern: those of jq are slow.
_JQ = f"""jq --compact-output 'select((.route == "file" or .route == "public") and .method == "GET"
        and (.status == 200 or .status == 206)
        and (.uri | startswith("/packages/{_PROJECT.replace("-", "_")}-") and endswith(".whl")))
    | {{time, user, client, uri, agent}}' {_LOG}/access.log | wc -l"""
_SUMS = f"find {HOME}/packages/ -name '*.whl' -print0 | xargs -0 -n 64 -P $(nproc) sha256sum >/dev/null"
_DELTA = re.compile(r'Compare files, facts and pages\].*?"delta": "(\d+):(\d+):([\d.]+)"', re.DOTALL)


def doctor(pace: Pace) -> Iterator[Figure]:
    """The doctor's look at all files, facts and pages on the host, and sha256sum of the files on all cores."""
    whole: list[float] = []

    def look() -> float:
        output: list[str] = []
        whole.append(
            seconds(lambda: output.append(play(DOCTOR, "-v", variables={**VARIABLES, "pypi_doctor_read": "all"})))
        )
        if not (found := _DELTA.search(output[0])):
            raise BenchError(f"{DOCTOR} does not say how long its look took:\n{output[0][-3000:]}")
        return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])

    here, there = in_turn(pace.slow_rounds, look, lambda: seconds(lambda: ask(SERVING, "sh", "-c", _SUMS)))
    yield Figure.quotient("doctor_vs_sha256sum", here, there)
    yield Figure.of("doctor_run_s", "s", whole)
    yield Figure.of("sha256sum_s", "s", there)


def audit(pace: Pace) -> Iterator[Figure]:
    """Who downloaded a project, from a long log: the index's command, and jq with the same filter."""
    ask(SERVING, "sh", "-c", "apt-get -qq update && apt-get -qq install --yes jq >/dev/null")
    with TemporaryDirectory(dir=WORK) as folder:
        found = _write(Path(folder) / "access.log", [one.file for one in releases("project", pace.files)])
        send(SERVING, Path(folder), _LOG)

    def lines(command: str) -> float:
        said: list[str] = []
        took = seconds(lambda: said.append(ask(SERVING, "sh", "-c", command)))
        if said[0].strip() != str(found):
            raise BenchError(f"{said[0].strip()} downloads were listed instead of {found}:\n{command}")
        return _LINES / took

    here, there = in_turn(pace.slow_rounds, partial(lines, _OURS), partial(lines, _JQ))
    ask(SERVING, "rm", "-r", _LOG)
    yield Figure.quotient("audit_vs_jq", here, there)
    yield Figure.of("audit_lines_per_second", "lines/s", here)


def _write(log: Path, files: list[str]) -> int:
    """Write an access log as installers leave it: page, metadata and file in turn; return how many files are of the project."""
    count = 0
    with log.open("w", encoding="utf-8") as written:
        for number in range(_LINES):
            file = files[number // 3 % len(files)]
            page = f"/simple/{file.partition('-')[0].replace('_', '-')}/"
            uri = (page, f"/packages/{file}.metadata", f"/packages/{file}")[number % 3]
            count += number % 3 == 2 and page == f"/simple/{_PROJECT}/"
            written.write(_LINE.format("file" if number % 3 else "project", uri))
    return count
