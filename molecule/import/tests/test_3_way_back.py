"""The page about taking over says how to go back, and that works."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tests.support import packages
from tests.support.clients import Index, Login
from tests.support.playbook import refused, says
from tests.support.stack import eventually

testinfra_hosts = ["ansible://pypi-adopt"]
PAGE = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "docs" / "adopt.md"


def commands(kept: str) -> str:
    """Return what the page says to type, for the folder of copies that is there."""
    section = PAGE.read_text().partition("## How to go back")[2].partition("\n## ")[0]
    lines = re.findall(r"^# (.+)$", section, re.M)
    assert lines[0] == "cd /home/deploy/pypi-server", lines
    return " && ".join(re.sub(r"adopted/\d{4}-\d\d-\d\d-\d{6}", f"adopted/{kept}", line) for line in lines)


def test_the_old_server_is_back_with_its_logins_and_all_packages(host: Any, index: Index, tmp_path: Path) -> None:
    home = "/home/deploy/pypi-server"
    (kept,) = host.file(f"{home}/adopted").listdir()
    count = "find %s/packages -type f | wc -l"
    before = host.check_output(count, home)
    host.check_output(commands(kept))
    old = Index(f"{index.url}:8080")
    login = Login("plain", "plain-password")
    eventually(lambda: old.request("/simple/uploaded/", login).status == 200, "pypiserver answers")
    assert index.request("/packages/copied-1.0-py3-none-any.whl", login).status == 200
    assert host.check_output(count, home) == before
    # Larger than what NGINX keeps in memory: it has to write into its cache, on the way in and on the way out.
    large = packages.wheel(tmp_path, "large", padding=os.urandom(1_000_000))
    assert index.upload(login, large).status == 200
    assert index.request(f"/packages/{large.name}", login).body == large.read_bytes()
    says(refused(), "set pypi_adopt: true and run again")
