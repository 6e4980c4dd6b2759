"""Releases that are removed or pruned, and come back; uploads stop while the disk has room for all else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import packages
from tests.support.clients import Answer, Index, Login
from tests.support.playbook import applied, says, site
from tests.support.stack import Stack

TRASH, PRUNE = "wheelhouse.pypi.trash", "wheelhouse.pypi.prune"
Files = Callable[[str], list[str]]
Page = Callable[[str], dict[str, Any]]


def wheel(project: str, version: str) -> str:
    return f"{packages.escaped(project)}-{version}-py3-none-any.whl"


def installs(index: Index, reader: Login, folder: Path, what: str) -> bool:
    done = index.pip_install(reader, folder, "--no-deps", what)
    print(done.stdout, done.stderr)
    return done.returncode == 0


def test_a_removed_release_comes_back_as_it_was(
    host: Any,
    stack: Stack,
    index: Index,
    reader: Login,
    remove: Callable[[str, str], Answer],
    page: Page,
    uploaded: Path,
    project: str,
    tmp_path: Path,
) -> None:
    before = page(f"/simple/{project}/")
    assert remove(project, "1.0").status == 200
    trash = f"{stack.home}/packages/.wheelhouse/trash"
    assert host.run(f"find {trash} -name {uploaded.name}").stdout.count("\n") == 1
    # Neither page nor file is served, by whatever path.
    assert not installs(index, reader, tmp_path / "removed", project)
    place = host.check_output(f"cd {stack.home}/packages && find .wheelhouse/trash -name {uploaded.name}")
    for path in (f"/packages/{uploaded.name}", f"/packages/{place}", f"/packages/%2ewheelhouse/{place[12:]}"):
        assert index.request(path, reader).status == 404, path
    shown = applied(TRASH, pypi_project=project)
    assert shown.changed == 0
    says(shown.message(), f"{uploaded.name}: {project}, ", ", removed 20")
    named = {"pypi_trash_do": "restore", "pypi_project": project}
    would = applied(TRASH, "--check", "--diff", **named, pypi_version="1.0")
    says(would.message(), "Files that would come back: 1.", uploaded.name)
    assert not installs(index, reader, tmp_path / "checked", project)
    done = applied(TRASH, **named, pypi_version="1.0")
    assert done.changed == 1
    says(done.message(), "Files that came back: 1.", uploaded.name)
    assert page(f"/simple/{project}/") == before
    assert installs(index, reader, tmp_path / "back", f"{project}==1.0")
    assert host.check_output(f"stat --format %U {stack.home}/packages/{uploaded.name}") == "pypi"


def test_rules_are_shown_then_applied_and_lock_files_are_obeyed(
    index: Index, publisher: Login, reader: Login, files: Files, project: str, tmp_path: Path
) -> None:
    every = [f"1.0.dev{number}" for number in range(1, 5)] + ["1.0"]
    for version in every:
        assert index.upload(publisher, packages.wheel(tmp_path, project, version)).status == 200
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"{project}==1.0.dev1 --hash=sha256:{'0' * 64}\n")
    rules = {"pypi_keep": [{"names": [project], "kinds": ["dev"], "newest": 1}], "pypi_keep_files": [str(lock)]}
    would = applied(PRUNE, "--check", "--diff", **rules)
    says(
        would.message(),
        "Releases to be removed: 2 (files: 2, ",
        "which the disk gets back in 14d).",
        f"{project} 1.0.dev3 (files: 1, ",
    )
    assert files(project) == [wheel(project, version) for version in every]
    done = applied(PRUNE, **rules)
    assert done.changed == 1
    says(done.message(), "Releases removed: 2 (files: 2, ")
    assert files(project) == [wheel(project, version) for version in ("1.0.dev1", "1.0.dev4", "1.0")]
    assert not installs(index, reader, tmp_path / "removed", f"{project}==1.0.dev2")
    assert installs(index, reader, tmp_path / "locked", f"{project}==1.0.dev1")


def test_uploads_stop_below_the_reserve_and_all_else_goes_on(
    index: Index,
    publisher: Login,
    remove: Callable[[str, str], Answer],
    uploaded: Path,
    files: Files,
    project: str,
    tmp_path: Path,
) -> None:
    second = packages.wheel(tmp_path, project, "2.0")
    try:
        # No disk has as much left.
        site("--tags", "stack", pypi_disk_reserve="99%")
        answer = index.upload(publisher, second)
        assert answer.status == 507, answer
        said = f"{second.name} does not fit on the disk of this index: "
        assert (
            answer.reason.startswith(said)
            and "have to stay so (pypi_disk_reserve). Nothing was stored." in answer.reason
        )
        done = index.twine_upload(publisher, second)
        print(done.stdout, done.stderr)
        assert done.returncode != 0 and "does not fit on the disk" in done.stdout + done.stderr
        assert files(project) == [uploaded.name]
        assert remove(project, "1.0").status == 200
        assert files(project) == []
    finally:
        site("--tags", "stack")
    assert index.upload(publisher, second).status == 200
