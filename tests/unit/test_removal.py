"""What the script of remove.yml takes, and what it does not follow."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "roles" / "stack" / "files" / "remove.sh"


def test_every_file_that_role_nginx_writes_is_removed() -> None:
    tasks = yaml.safe_load((ROOT / "roles/nginx/tasks/main.yml").read_text(encoding="utf-8"))
    (written,) = (
        task["wheelhouse.pypi.config_files"]["files"] for task in tasks if "wheelhouse.pypi.config_files" in task
    )
    named = set(re.findall(r"nginx/[\w./]+", SCRIPT.read_text(encoding="utf-8")))
    assert {f"nginx/{name}" for name in written} <= named


def test_a_link_is_followed_in_a_tree_of_roots_alone(tmp_path: Path) -> None:
    """Run as the account would have it: where `.` does not belong to root, what a link leads to stays."""
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    for theirs in (True, False):
        elsewhere.mkdir()
        (elsewhere / "kept").write_text("kept")
        home.mkdir(exist_ok=True)
        (home / "packages").symlink_to(elsewhere)
        stat = tmp_path / "stat"
        stat.write_text(f"#!/bin/sh\necho {998 if theirs else 0}\n")
        stat.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        command = ["sh", "-c", SCRIPT.read_text(encoding="utf-8"), "remove.sh", str(home), "data", "remove", "none"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert "removed packages" in done.stdout, done.stdout + done.stderr
        assert (elsewhere / "kept").exists() == theirs
        assert not (home / "packages").is_symlink()
        for left in elsewhere.iterdir():
            left.unlink()
        elsewhere.rmdir()
