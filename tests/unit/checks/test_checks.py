"""The checks: their own logic, without the tools that they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import venvs
from tests.checks import archive, importer, lint, sanity


def test_pip_of_ansible_test_hands_on_to_uv(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "$MARK" "$@"\n', encoding="utf-8")
    uv.chmod(0o755)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = [str(venv / "bin" / "python"), "-"]
    script = sanity.get_pip(uv, {"MARK": "it's"})
    subprocess.run(python, input=script, text=True, check=True)
    command = [python[0], "-m", "pip", "install", "--disable-pip-version-check", "-r", "a.txt"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["it's", "pip", "install", "-r", "a.txt", "--quiet", "--python", python[0]]


def test_ansible_test_judges_the_collection_and_not_its_tests() -> None:
    names = [
        "plugins/a.py",
        "roles/x/tasks/main.yml",
        "tests/unit/a.py",
        "molecule/a/b.py",
        "tests/sanity/ignore-2.19.txt",
        "findings/a.sh",
    ]
    assert [str(path) for path in sanity.wanted(map(Path, names))] == [names[0], names[1], names[4]]


def test_findings_of_the_importer() -> None:
    output = "Importing\nWARNING: no README\nFound role\nERROR: it failed\nINFO: nothing\n"
    assert importer.findings(output) == ["no README", "it failed"]


@pytest.mark.parametrize(
    "name",
    [
        "tests/unit/a.py",
        "molecule/default/molecule.yml",
        "Makefile",
        "requirements-dev.txt",
        ".gitignore",
        "plugins/modules/__pycache__/a.pyc",
        "roles/users/files/.cache/x",
        "roles/users/templates/a.orig",
        "changelogs/fragments/1.yml",
        "inventories/demo/vault_password",
        "uv-1.0-py3-none-any.whl",
    ],
)
def test_files_that_users_do_not_need(name: str) -> None:
    assert archive.unwanted([name]) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "MANIFEST.json",
        "README.md",
        "requirements.txt",
        "playbooks/site.yml",
        "plugins/module_utils/htpasswd.py",
        "roles/nginx/templates/pypi.conf.j2",
        "roles/docker/vars/Debian-12.yml",
        "roles/pypiserver/files/wheelhouse_backend/backend.py",
        "inventories/example/group_vars/pypi/vault.yml.example",
        "inventories/aws/pypi.aws_ec2.yml",
        "inventories/gcp/group_vars/pypi_staging/vault.yml.example",
        "docs/variables.md",
    ],
)
def test_files_that_users_need(name: str) -> None:
    assert archive.unwanted([name]) == []


def test_what_an_archive_lacks() -> None:
    names = [*archive.NEEDED, "roles/users/README.md"]
    assert archive.missing(names, ["users"]) == ["roles/users/meta/main.yml"]


def test_linters_get_the_files_that_are_theirs() -> None:
    files = [Path(name) for name in (".ci/run", ".yamllint", "a.yml", "b.py", "tests/ground/bootstrap.sh", "docs/a.md")]
    found = lint.linters(files)
    assert found["yamllint"][-2:] == [".yamllint", "a.yml"]
    assert found["shellcheck"][1:] == [".ci/run", "tests/ground/bootstrap.sh"]


def test_oldest_core_replaces_what_development_has() -> None:
    command = venvs.install_command("core-2.18", Path("/venv/bin/uv"))
    assert command[-4:] == [
        "-r",
        str(venvs.ROOT / "requirements-dev.txt"),
        "--override",
        str(venvs.ROOT / "tests/requirements/core-2.18.txt"),
    ]
    assert "--override" not in venvs.install_command("importer", Path("/venv/bin/uv"))
