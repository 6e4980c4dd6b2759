"""What several hosts have lost comes back from the backup of one of them, and what another one has removed does not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.long import only_long
from tests.support.nodes import HOME, PACKAGES, Node, differs, not_served
from tests.support.playbook import applied, refused, says, site
from tests.support.stack import eventually

pytestmark = only_long

BACKUP, RESTORE = "wheelhouse.pypi.backup", "wheelhouse.pypi.restore"
SETTINGS = {"pypi_backup_repository": "/srv/backup", "pypi_backup_password": "backup-password"}


@pytest.fixture(scope="module", autouse=True)
def repository() -> None:
    """One node has a backup."""
    site("--limit", "pypi-nodes-1", "--tags", "backup", **SETTINGS)


def backed_up(node: Node) -> None:
    applied(BACKUP, "--limit", node.name, **SETTINGS)


def restored(node: Node) -> str:
    done = applied(RESTORE, "--limit", node.name, pypi_restore_confirm=node.name, **SETTINGS)
    return done.message()


def assert_shown(
    nodes: list[Node], project: str, files: dict[str, bytes], yanked: frozenset[str] = frozenset()
) -> None:
    """All nodes show and serve these files, soon."""
    for node in nodes:
        eventually(partial(_shows, node, project, files, yanked), f"{node} shows {sorted(files)}", 60)
        for name, content in files.items():
            assert not_served(node, project, name, content) == ""


def test_what_was_lost_comes_back_and_what_another_node_has_removed_does_not(
    nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    first, second, third = nodes
    lost, removed, yanked, later = (
        packages.wheel(tmp_path, project, version) for version in ("1.0", "2.0", "3.0", "4.0")
    )
    for node, file in zip((first, third, second), (lost, removed, yanked), strict=True):
        assert node.upload(file) == 200
    backed_up(first)
    assert second.ask("remove_pkg", name=project, version="2.0") == 200
    assert third.ask("yank", name=project, version="3.0") == 200
    assert third.upload(later) == 200
    first.host.check_output(f"rm {PACKAGES}/{lost.name}")
    left = {file.name: file.read_bytes() for file in (yanked, later)}
    assert_shown(nodes, project, left, frozenset({yanked.name}))
    says(
        refused("--limit", first.name, playbook=RESTORE, pypi_restore_confirm=second.name, **SETTINGS),
        "is not the name of",
    )
    said = restored(first)
    says(
        said,
        f"removed since the snapshot, and in the trash now (wheelhouse.pypi.trash, docs/releases.md#trash): {removed.name}",
    )
    assert "did not say what was removed" not in said
    assert_shown(nodes, project, left | {lost.name: lost.read_bytes()}, frozenset({yanked.name}))
    figures["a file is lost, and restored on one host"] = (
        "all list it again; what another host has removed since is in the trash"
    )


def test_an_empty_folder_gets_all_of_the_backup_while_all_show_their_pages(
    nodes: list[Node], tmp_path: Path, project: str, figures: dict[str, str]
) -> None:
    first, second, third = nodes
    files = [packages.wheel(tmp_path, project, f"{number}.0") for number in range(1, 4)]
    for node, file in zip(nodes, files, strict=True):
        assert node.upload(file) == 200
    contents = {file.name: file.read_bytes() for file in files}
    backed_up(first)
    # As another volume in its place: without the name of the store, nothing that is missing counts as removed.
    first.host.check_output(f"rm {PACKAGES}/.wheelhouse/format")
    eventually(lambda: first.host.run(f"find {PACKAGES} -mindepth 1 -delete").rc == 0, "nothing is there", 10)
    for node in nodes:
        eventually(partial(_is_unwell, node), f"{node} says that it is unwell", 30)
        assert differs(node, project, contents) == ""
    assert second.upload(packages.wheel(tmp_path, project, "9.0")) == 503
    # A node whose engine does not answer says nothing of removals.
    with third.without():
        says(restored(first), f"{third.name} did not say what was removed since the snapshot")
    for node in nodes:
        node.wait_until_well(90)
    assert_shown(nodes, project, contents)
    (tmp_path / "another").mkdir()
    another = packages.wheel(tmp_path / "another", project, "1.0", padding=b"another")
    assert [node.upload(another) for node in nodes] == [409] * 3
    new = packages.wheel(tmp_path, project, "5.0")
    assert third.upload(new) == 200
    assert_shown(nodes, project, contents | {new.name: new.read_bytes()})
    assert not first.host.file(f"{HOME}/.restore").exists
    figures["the shared folder is lost, and restored on one host"] = (
        "pages go on, uploads 503; all are well afterwards by themselves"
    )


def _shows(node: Node, project: str, files: dict[str, bytes], yanked: frozenset[str]) -> bool:
    return not differs(node, project, files, yanked)


def _is_unwell(node: Node) -> bool:
    return node.health() == 503
