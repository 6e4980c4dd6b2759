"""The folders of the extension are layers: each imports only from those that its documentation lists above it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wheelhouse_index
import yaml

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "roles/pypiserver/files/wheelhouse_index"
LAYERS = re.findall(r"^    (\w+)/  +\S", str(wheelhouse_index.__doc__), re.M)


def folders() -> set[str]:
    return {path.parent.name for path in PACKAGE.glob("*/*.py")}


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of what a module imports of the extension, without that of the extension."""
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for one in node.names:
                assert not one.name.startswith("wheelhouse_index"), f"{path}: imports within the extension are relative"
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            assert module[:1] != ["wheelhouse_index"], f"{path}: imports within the extension are relative"
            if node.level:
                base = [*package[: len(package) + 1 - node.level], *module]
                yield from (".".join([*base, one.name]) for one in node.names)


def test_each_folder_imports_only_from_those_above_it() -> None:
    seen: set[tuple[str, str]] = set()
    wrong = []
    for path in sorted(PACKAGE.glob("*/*.py")):
        own = path.parent.name
        for name in imported(path):
            other = name.partition(".")[0]
            seen.add((own, other))
            if other not in LAYERS[: LAYERS.index(own) + 1]:
                wrong.append(f"{own}/{path.name} imports {name}")
    print(f"{len(seen)} ways between folders: {sorted(seen)}")
    assert not wrong
    assert ("server", "index") in seen, "the test sees imports"


def test_every_folder_is_documented_in_order_and_written_to_hosts() -> None:
    assert folders() == set(LAYERS), "the docstring of wheelhouse_index lists the folders"
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    _before, _heading, section = text.partition("\n## The extension of pypiserver\n")
    assert re.findall(r"^\| `(\w+)/` \|", section.partition("\n## ")[0], re.M) == LAYERS
    variables: dict[str, Any] = yaml.safe_load((ROOT / "roles/pypi/vars/main.yml").read_text(encoding="utf-8"))
    assert variables["__pypi_extension_folders"] == sorted(LAYERS)
    written = {
        path for pattern in ("*.py", "*.txt") for folder in ("", "*/") for path in PACKAGE.glob(folder + pattern)
    }
    there = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert there == written, "files of the extension that the role does not write"


def test_each_folder_says_what_it_is() -> None:
    for folder in LAYERS:
        assert ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8"))), folder
