"""What the script of remove.yml takes, and what it does not follow."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
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


def remove(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the script without Docker."""
    command = ["sh", "-c", SCRIPT.read_text(encoding="utf-8"), "remove.sh", str(home), "data", "remove", "none"]
    return subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="a link of another account takes root")
@pytest.mark.parametrize(("name", "file"), [("packages", "kept"), ("nginx/tls", "key.pem"), ("index", "kept")])
def test_a_link_is_followed_if_it_is_roots_alone(tmp_path: Path, name: str, file: str) -> None:
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    elsewhere.mkdir()
    (elsewhere / file).write_text("theirs")
    (home / name).parent.mkdir(parents=True)
    (home / "docker-compose.yml").touch()
    (home / name).symlink_to(elsewhere)
    os.chown(home / name, 65534, 65534, follow_symlinks=False)
    done = remove(home)
    assert done.returncode == 1
    assert f"{home}/{name} is a symbolic link of nobody, and root follows none but its own: remove it" in done.stderr
    assert (elsewhere / file).exists() and (home / "docker-compose.yml").exists()
    os.chown(home / name, 0, 0, follow_symlinks=False)
    done = remove(home)
    assert done.returncode == 0, done.stderr
    assert not (elsewhere / file).exists()
    assert elsewhere.is_dir()
