"""pip, poetry and pdm against the files as they are. uv, and publishers: scenario index."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.clients.installers import INSTALLERS, Wanted
from tests.support import clients
from tests.support import packages as made
from tests.support.attestations import attestation
from tests.support.clients import Login
from tests.support.index import Index
from tests.support.served import serving

pytestmark = pytest.mark.skipif(not Path(sys.executable).with_name("uv").exists(), reason="the clients are in .venv")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """An index of a few releases, its address, and the requests that it has had."""
    index = Index(tmp_path)
    releases = [
        ("app", "1.0", "Requires-Dist: library<2\n"),
        ("app", "0.9", ""),
        ("library", "1.0", "Requires-Dist: leaf\n"),
        ("library", "1.5", "Requires-Dist: leaf>=1\n"),
        ("library", "2.0", ""),
        ("leaf", "1.0", ""),
        ("leaf", "2.0", "Requires-Python: >=4\n"),
    ]
    for name, version, more in releases:
        path = made.wheel(tmp_path, name, version, more=more)
        assert index.upload(path.name, path.read_bytes()).status == 200
    with serving(index) as (address, asked):
        yield f"{address}/simple/", asked


def run(command: Sequence[str | Path]) -> str:
    environment = {name: value for name, value in os.environ.items() if not re.match("(PIP|UV)_|.*proxy", name, re.I)}
    done = subprocess.run(
        command,
        env={**environment, "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def downloaded(asked: Sequence[str]) -> list[str]:
    return sorted(line.rpartition("/")[2] for line in asked if line.startswith("GET") and line.endswith(".whl"))


@pytest.mark.parametrize(
    ("words", "wheels"),
    [
        (["install", "--dry-run", "--ignore-installed"], []),
        (["download", "--dest", "kept"], ["app-1.0", "leaf-1.0", "library-1.5"]),
    ],
)
def test_pip_downloads_what_it_keeps_and_nothing_else(
    words: list[str], wheels: list[str], served: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = served
    monkeypatch.chdir(tmp_path)
    options = ["--isolated", "--no-cache-dir", "--disable-pip-version-check", "--index-url", address]
    run([sys.executable, "-m", "pip", *words, *options, "app"])
    assert downloaded(asked) == [f"{wheel}-py3-none-any.whl" for wheel in wheels], asked
    assert sum(line.startswith("GET /simple/") for line in asked) == 3


@pytest.mark.parametrize("name", ["poetry", "pdm"])
def test_other_installers_take_the_newest_build_from_a_page_that_names_provenance(tmp_path: Path, name: str) -> None:
    command, tools = INSTALLERS[name]
    tools[-1].install()
    index = Index(tmp_path, url="https://pypi.example.com")
    for build in ("2-", ""):
        file = made.wheel(tmp_path, "app", "1.0", padding=build.encode())
        assert index.upload(f"app-1.0-{build}py3-none-any.whl", file.read_bytes()).status == 200
    file = made.wheel(tmp_path, "app", "1.0").rename(tmp_path / "app-1.0-3-py3-none-any.whl")
    field = json.dumps([attestation(file.name, file.read_bytes())])
    assert index.upload(file.name, file.read_bytes(), attestations=field).status == 200
    html = (index.pages / "simple/app/index.html").read_text()
    assert f'data-provenance="https://pypi.example.com/packages/{file.name}.provenance"' in html
    (tmp_path / "wants").mkdir()
    with serving(index) as (address, asked):
        login = Login("reader", "reader-password")
        wanted = Wanted("app", "", f"{address}/simple/", clients.Index(address), login)
        done = command(tools[-1], tmp_path / "wants", wanted)
    print(done.stdout, *asked, sep="\n")
    assert done.returncode == 0
    assert list((tmp_path / "wants").rglob("app-1.0.dist-info"))
    assert downloaded(asked) == [file.name]
