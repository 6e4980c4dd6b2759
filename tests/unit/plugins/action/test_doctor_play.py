"""The playbook doctor.yml where no host can be examined."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Playbook = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("options", [(), ("--check",), ("--limit", "one")])
def test_the_report_of_another_day_does_not_stand_where_no_host_could_be_examined(
    playbook: Playbook, tmp_path: Path, options: tuple[str, ...]
) -> None:
    report = tmp_path / "doctor.json"
    report.write_text('{"one": {"level": "ok", "findings": []}}')
    done = playbook(
        "- import_playbook: wheelhouse.pypi.doctor",
        *("-e", "pypi_hosts=all", "-e", f"pypi_doctor_report={report}", "-e", "pypi_instance=no/name", *options),
        hosts="one,two,",
    )
    assert done.returncode == 2 and "Invalid variables" in done.stdout, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert list(found) == (["one"] if "--limit" in options else ["one", "two"])
    assert {one["level"] for one in found.values()} == {"error"}
    assert found["one"]["findings"][0]["text"] == "could not be examined"


@pytest.mark.one_core
def test_a_slip_on_the_command_line_is_refused(playbook: Playbook) -> None:
    play = "- import_playbook: wheelhouse.pypi.doctor"
    done = playbook(play, "-e", "pypi_hosts=all", "-e", "pypi_doctor_read=some", hosts="one,")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Give -e pypi_doctor_read=all or a size such as 10g" in done.stdout
