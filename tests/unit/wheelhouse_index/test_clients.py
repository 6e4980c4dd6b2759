"""pip and uv against the files as they are: they resolve without downloading a wheel that they do not install."""

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

UV = Path(sys.executable).with_name("uv")

pytestmark = pytest.mark.skipif(not UV.exists(), reason="the clients are in .venv")


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


def test_uv_resolves_without_downloading_a_wheel(served: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = served
    (tmp_path / "requirements.in").write_text("app\n")
    command = ["pip", "compile", "--no-cache", "--no-config", "--default-index", address, "--generate-hashes"]
    text = run([UV, *command, "--python", sys.executable, tmp_path / "requirements.in"])
    assert re.findall(r"^[a-z]+==[0-9.]+", text, re.M) == ["app==1.0", "leaf==1.0", "library==1.5"]
    assert downloaded(asked) == [], asked
    assert "GET /packages/app-1.0-py3-none-any.whl.metadata" in asked


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


TWINE = ["twine", "upload", "--non-interactive", "--disable-progress-bar", "-u", "a", "-p", "b", "--verbose"]
UV_PUBLISH = [
    "uv",
    "publish",
    "--no-cache",
    "--no-config",
    "--username",
    "a",
    "--password",
    "b",
    "--trusted-publishing=never",
]


@pytest.mark.parametrize(
    "publish", [[*TWINE, "--attestations", "--repository-url"], [*UV_PUBLISH, "--publish-url"]], ids=["twine", "uv"]
)
def test_publishers_send_attestations_and_installers_read_the_page(tmp_path: Path, publish: list[str]) -> None:
    index = Index(tmp_path, url="https://pypi.example.com")
    file = made.wheel(tmp_path, "app", "1.0")
    sent = attestation(file.name, file.read_bytes())
    beside = tmp_path / f"{file.name}.publish.attestation"
    beside.write_text(json.dumps(sent))
    program, *words = publish
    with serving(index) as (address, _asked):
        command: list[str | Path] = [UV.with_name(program), *words, f"{address}/", file, beside]
        print(run(command))
        kept = json.loads((index.pages / f"packages/{file.name}.provenance").read_text())
        assert [bundle["attestations"] for bundle in kept["attestation_bundles"]] == [[sent]]
        page = f"{address}/simple/"
        (listed,) = json.loads((index.pages / "simple/app/index.json").read_text())["files"]
        assert listed["provenance"] == f"https://pypi.example.com/packages/{file.name}.provenance"
        pip = [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--no-deps", "--index-url", page]
        run([*pip, "--dest", tmp_path / "pip", "app"])
        uv: list[str | Path] = [UV, "pip", "install", "--no-cache", "--no-config", "--python", sys.executable]
        run([*uv, "--default-index", page, "--target", tmp_path / "uv", "app"])
    assert (tmp_path / "pip" / file.name).read_bytes() == file.read_bytes()
    assert (tmp_path / "uv" / "app-1.0.dist-info").is_dir()


@pytest.mark.parametrize("name", ["poetry", "pdm"])
def test_other_installers_read_a_page_that_names_provenance_as_well(tmp_path: Path, name: str) -> None:
    command, tools = INSTALLERS[name]
    tools[-1].install()
    index = Index(tmp_path, url="https://pypi.example.com")
    file = made.wheel(tmp_path, "app", "1.0")
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


@pytest.mark.parametrize(
    "publish", [[*TWINE, "--attestations", "--repository-url"], [*UV_PUBLISH, "--publish-url"]], ids=["twine", "uv"]
)
def test_publishers_show_why_attestations_are_refused(tmp_path: Path, publish: list[str]) -> None:
    index = Index(tmp_path)
    file = made.wheel(tmp_path, "app", "1.0")
    beside = tmp_path / f"{file.name}.publish.attestation"
    beside.write_text(json.dumps(attestation("app-2.0-py3-none-any.whl", file.read_bytes())))
    program, *words = publish
    with serving(index) as (address, _asked):
        command: list[str | Path] = [UV.with_name(program), *words, f"{address}/", file, beside]
        with pytest.raises(AssertionError, match=r"another\s+file") as shown:
            run(command)
    print(shown.value)
    assert index.stored() == {}
