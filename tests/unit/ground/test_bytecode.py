"""What a virtual environment's programs import is compiled once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.ground import bytecode


def test_packages_are_compiled_wherever_bytecode_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    packages = tmp_path / "lib" / "site-packages"
    for name, text in {"good/a": "A = 1", "good/template": "{{ no }} Python", "ansible_collections/b": "B = 1"}.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / f"{name}.py").write_text(text, encoding="utf-8")
    bytecode.ensure(tmp_path)
    compiled = {file.name.partition(".")[0] for file in packages.rglob("*.pyc")}
    assert compiled == {"a"}
    said = subprocess.run(
        [sys.executable, "-v", "-c", "import good.a"],
        env={"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "code object from" in said.stderr and "good/__pycache__/a." in said.stderr, said.stderr
