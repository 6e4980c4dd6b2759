"""The collection's archive: what counts as a change of it, and where its files are found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import collection


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A git tree with tracked, new, ignored and deleted files."""
    for name in ("kept", "gone", "ignored", "folder/ünïcode file"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / ".gitignore").write_text("ignored\n", encoding="utf-8")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_text("new", encoding="utf-8")
    return tmp_path


def test_files_are_those_that_git_knows_or_would_take(tree: Path) -> None:
    assert [str(path) for path in collection.tracked(tree)] == [".gitignore", "folder/ünïcode file", "kept", "new"]


def test_digest_changes_with_content_name_and_mode(tree: Path) -> None:
    files = collection.tracked(tree)
    digests = {collection.digest(tree, files)}
    (tree / "kept").write_text("changed", encoding="utf-8")
    digests.add(collection.digest(tree, files))
    (tree / "kept").chmod(0o755)
    digests.add(collection.digest(tree, files))
    (tree / "kept").rename(tree / "moved")
    digests.add(collection.digest(tree, collection.tracked(tree)))
    assert len(digests) == 4
    assert collection.digest(tree, collection.tracked(tree)) in digests


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("tests", ["plugins/a.py", "docs/tests.md", "x.tar.gz"]),
        ("*.tar.gz", ["tests/a.py", "plugins/a.py", "docs/tests.md"]),
        (".*", ["tests/a.py", "plugins/a.py", "docs/tests.md", "x.tar.gz"]),
        ("plugins/a.py", ["tests/a.py", "docs/tests.md", "x.tar.gz"]),
    ],
)
def test_what_an_archive_does_not_take_does_not_count(pattern: str, left: list[str]) -> None:
    files = ["tests/a.py", "plugins/a.py", "docs/tests.md", "x.tar.gz"]
    assert [str(path) for path in collection.shipped(map(Path, files), [pattern])] == left


def test_links_lead_to_this_tree() -> None:
    home = collection.develop() / collection.FOLDER
    assert (home / "galaxy.yml").resolve() == collection.ROOT / "galaxy.yml"
    assert (home / "plugins" / "modules").is_dir()
