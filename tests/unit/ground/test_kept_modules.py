"""What tests/ground/callbacks/kept_modules.py keeps from one run of ansible-playbook to the next."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.collection import ROOT

PLAY = "- {hosts: all, gather_facts: false, tasks: [ansible.builtin.ping: {data: '{{ said }}'}]}\n"


def run(folder: Path, said: str) -> dict[str, tuple[int, int]]:
    """Run a play with a folder for what is packed; return the packages in it, each with its inode and time."""
    (folder / "play.yml").write_text(PLAY)
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", "-v", "-e", f"said={said}", "play.yml"],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/ground/callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "kept_modules",
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
            "WHEELHOUSE_MODULES": str(folder / "kept"),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert f'"ping": "{said}"' in done.stdout
    assert list((folder / "tmp").iterdir()) == []
    found = [path for path in (folder / "kept").rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def test_a_module_is_packed_once_and_without_arguments(tmp_path: Path) -> None:
    first = run(tmp_path, "first-secret")
    assert [name.partition("-")[0] for name in first] == ["ansible.modules.ping"]
    assert run(tmp_path, "second-secret") == first
    (package,) = (path for path in (tmp_path / "kept").rglob("ansible.modules.ping*") if path.suffix != ".lock")
    assert b"-secret" not in package.read_bytes()


def archive(**files: bytes) -> bytes:
    """Return a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return content.getvalue()


def test_bytecode_is_added_that_python_takes_without_the_module(tmp_path: Path) -> None:
    given = archive(package=archive(**{"said.py": b"print('said')"}))
    script = ROOT / "tests/ground/files/add_bytecode.py"
    done = subprocess.run([sys.executable, str(script)], input=given, capture_output=True, check=True)
    with (
        zipfile.ZipFile(io.BytesIO(done.stdout)) as every,
        zipfile.ZipFile(io.BytesIO(every.read("package"))) as package,
    ):
        assert package.read("said.py") == b"print('said')"
        alone = archive(**{"said.pyc": package.read("said.pyc")})
    (tmp_path / "alone.zip").write_bytes(alone)
    command = [sys.executable, "-c", "import said"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / "alone.zip")}, capture_output=True, check=True)
    assert done.stdout == b"said\n"
