"""The checks: their own logic, without the tools that they run."""

from __future__ import annotations

from pathlib import Path

from tests.checks import archive, importer, lint


def test_findings_of_the_importer() -> None:
    output = "Importing\nWARNING: no README\nFound role\nERROR: it failed\nINFO: nothing\n"
    assert importer.findings(output) == ["no README", "it failed"]


def test_linters_get_the_files_that_are_theirs() -> None:
    files = [Path(name) for name in (".ci/run", ".yamllint", "a.yml", "b.py", "tests/ground/bootstrap.sh", "docs/a.md")]
    found = lint.linters(files)
    assert found["yamllint"][-2:] == [".yamllint", "a.yml"]
    assert found["shellcheck"][1:] == [".ci/run", "tests/ground/bootstrap.sh"]


def test_an_archive_has_what_users_need_and_nothing_else() -> None:
    needed = [*archive.NEEDED, "MANIFEST.json", "roles/docker/vars/Debian-12.yml", "inventories/aws/pypi.aws_ec2.yml"]
    unwanted = [
        "tests/unit/a.py",
        "Makefile",
        ".gitignore",
        "plugins/modules/__pycache__/a.pyc",
        "changelogs/fragments/1.yml",
        "inventories/demo/hosts.yml",
    ]
    assert archive.unwanted([*needed, *unwanted]) == unwanted
    assert archive.missing([*needed, "roles/users/README.md"], ["users"]) == ["roles/users/meta/main.yml"]
