"""The tasks of prune.yml and trash.yml, run by Ansible on the index itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import asked
from tests.support import packages as made
from tests.support.asked import Playbook, said

WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
PRUNE, TRASH = (asked.play(one, pypi_trash="14d", pypi_keep=[], pypi_keep_files=[]) for one in ("prune", "trash"))
RULES = ("-e", json.dumps({"pypi_keep": [{"names": ["foo"], "kinds": ["local", "all"], "newest": 1}]}))


def stored(home: Path) -> set[str]:
    return {path.name for path in (home / "packages").iterdir() if path.is_file()}


def test_a_release_goes_and_comes_back(playbook: Playbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = asked.index(tmp_path, monkeypatch, (WHEEL, SDIST))
    for version in ("1.0.1", "1.0.2"):
        name = f"foo-{version}-py3-none-any.whl"
        (home / "packages" / name).write_bytes(made.file(name))
    refused = playbook(PRUNE)
    assert refused.returncode == 2 and "pypi_keep: missing; say what may go" in said(refused)
    lock = home / "requirements.txt"
    without = playbook(PRUNE, *RULES, "-e", json.dumps({"pypi_keep_files": [str(lock)]}))
    assert without.returncode == 2 and f"pypi_keep_files: {lock} cannot be read" in without.stdout + without.stderr
    assert {WHEEL, SDIST} < stored(home)
    lock.write_text("foo==1.0.1\n")
    rules = (*RULES, "-e", json.dumps({"pypi_keep_files": [str(lock)]}))
    asked.scan(home)
    checked = playbook(PRUNE, "--check", *rules)
    assert '"Releases to be removed: 1 (files: 2, ' in said(checked), checked.stdout + checked.stderr
    assert "which the disk gets back in 14d)." in said(checked) and "changed=1" in checked.stdout
    assert {WHEEL, SDIST} < stored(home)
    done = playbook(PRUNE, *rules)
    assert '"Releases removed: 1 (files: 2, ' in said(done), done.stdout + done.stderr
    assert stored(home) == {"foo-1.0.1-py3-none-any.whl", "foo-1.0.2-py3-none-any.whl"}
    again = playbook(PRUNE, *rules)
    assert again.returncode == 0 and "changed=0" in again.stdout
    shown = playbook(TRASH)
    assert '"Files in the trash: 2."' in said(shown) and "changed=0" in shown.stdout, shown.stdout + shown.stderr
    wrong = playbook(TRASH, "-e", json.dumps({"pypi_trash_do": "empty", "pypi_project": ""}))
    reason = "pypi_project: empty; give a value, or leave it out"
    assert wrong.returncode == 2 and reason in said(wrong), wrong.stdout
    back = playbook(TRASH, "-e", "pypi_trash_do=restore", "-e", "pypi_project=foo")
    assert '"Files that came back: 2."' in said(back) and "changed=1" in back.stdout, back.stdout + back.stderr
    assert {WHEEL, SDIST} < stored(home)
