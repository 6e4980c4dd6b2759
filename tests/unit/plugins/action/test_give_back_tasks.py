"""The tasks of the playbook give_back.yml, run by Ansible on the index itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import asked
from tests.support.asked import Playbook, said

WHEEL = "torch-1.0-py3-none-any.whl"
UPSTREAM = "https://public.example.org/simple/"
PLAY = asked.play("give_back")
POLICY = {
    "digest": "0123456789ab",
    "upstreams": [{"url": UPSTREAM, "names": [], "hosts": ["public.example.org"], "no_upload_time": "refuse"}],
    "private": ["acme-*"],
    "shadowed": [],
    "minimum_age": 0,
    "denied": [],
    "allowed": [],
    "exempt": [],
    "freshness": 600,
}
CONFIRMED = ("-e", "pypi_project=Torch", "-e", "pypi_give_back_confirm=torch")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with a file of a project that upstream has, too."""
    home = asked.index(tmp_path, monkeypatch, [WHEEL])
    (home / "upstreams.json").write_text(json.dumps(POLICY))
    asked.scan(home)
    return home


def is_private(home: Path) -> bool:
    return (home / "packages/.wheelhouse/names/torch").exists()


def test_a_name_is_shown_then_given_back_and_a_second_run_changes_nothing(playbook: Playbook, home: Path) -> None:
    shown = playbook(PLAY, "-e", "pypi_project=torch")
    assert '"torch is private on this index. Nothing was changed."' in said(shown), shown.stdout
    assert f'"{WHEEL}: published 2026-09-21T14:13:20Z (copied), by no login, still here"' in said(shown), shown.stdout
    refused = playbook(PLAY, *CONFIRMED)
    assert refused.returncode == 2 and f"torch still has files: {WHEEL}. Remove them first" in said(refused)
    (home / "packages" / WHEEL).unlink()
    asked.scan(home)
    checked = playbook(PLAY, "--check", "--diff", *CONFIRMED)
    assert f'"torch would be given back: {UPSTREAM} answers for it."' in said(checked), checked.stdout
    assert "changed=1" in checked.stdout and is_private(home)
    done = playbook(PLAY, *CONFIRMED)
    assert f'"torch was given back: {UPSTREAM} answers for it."' in said(done) and ", removed" in said(done)
    assert "changed=1" in done.stdout and not is_private(home)
    again = playbook(PLAY, *CONFIRMED)
    assert again.returncode == 0 and "changed=0" in again.stdout
    assert "torch is not private on this index: there is nothing to give back." in said(again)


BAD_INPUT: asked.Rows = {
    "nothing": ({}, "pypi_project: missing; name the project, as in -e pypi_project=torch"),
    "path": ({"pypi_project": "../x"}, "pypi_project: '../x' is not the name of a project"),
    "other": (
        {"pypi_project": "torch", "pypi_give_back_confirm": "torc"},
        "pypi_give_back_confirm: 'torc' is another name than pypi_project ('torch')",
    ),
    "reserved": (
        {"pypi_project": "acme-x", "pypi_give_back_confirm": "acme-x"},
        "pypi_private_names: acme-* reserves acme-x for private packages",
    ),
}


@pytest.mark.one_core
def test_bad_input_fails_with_one_message(playbook: Playbook, home: Path, tmp_path: Path) -> None:
    asked.refused(playbook, PLAY, BAD_INPUT, tmp_path)
    assert is_private(home)
