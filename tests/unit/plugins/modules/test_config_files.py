"""config_files on the host: nothing goes live that the checker has not seen and accepted as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import config_files

Run = Callable[..., dict[str, Any]]
FILES = {"main.conf": "include conf.d/*\n", "conf.d/site.conf": "site 1\n"}
# Accepts a set without the word "bad" in any of its files; tells where it looked, and what was there.
CHECKER = [
    sys.executable,
    "-c",
    "import pathlib, sys\n"
    "root = pathlib.Path(sys.argv[1])\n"
    "names = sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file())\n"
    "print(root, *names)\n"
    "bad = [n for n in names if 'bad' in (root / n).read_text()]\n"
    "sys.exit(f'bad word in {root}/{bad[0]}' if bad else 0)\n",
    "{staged}",
]


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_first_run_creates_and_second_run_is_quiet(run_module: Run, tmp_path: Path) -> None:
    first = run_module(config_files, path=f"{tmp_path}/x", files=FILES, validate=CHECKER)
    assert first["changed"]
    assert first["content_changed"]
    assert first["validated"]
    assert (first["created"], first["updated"]) == (sorted(FILES), [])
    assert tree(tmp_path / "x") == FILES
    second = run_module(config_files, path=f"{tmp_path}/x", files=FILES, validate=["/bin/false"])
    assert not second["changed"]
    assert not second["content_changed"]
    assert not second["validated"]
    assert second["diff"] == []


def test_check_mode_says_the_same_and_touches_nothing(run_module: Run, tmp_path: Path) -> None:
    predicted = run_module(config_files, check=True, path=str(tmp_path), files=FILES, validate=CHECKER)
    assert list(tmp_path.iterdir()) == []
    real = run_module(config_files, path=str(tmp_path), files=FILES, validate=CHECKER)
    for result in (predicted, real):
        result.pop("invocation", None)  # of ansible-core up to 2.20
        del result["logged"]
    assert predicted == real


def test_a_refused_set_leaves_the_live_one(run_module: Run, tmp_path: Path) -> None:
    run_module(config_files, path=str(tmp_path), files=FILES)
    for check in (True, False):
        new = {**FILES, "conf.d/site.conf": "bad\n", "conf.d/more.conf": "fine\n"}
        result = run_module(config_files, check=check, path=str(tmp_path), files=new, validate=CHECKER)
        assert result["failed"]
        assert f"bad word in {tmp_path}/conf.d/site.conf" in result["msg"], "the message names live, not staged, files"
        assert result["refused"] == ["conf.d/more.conf", "conf.d/site.conf"]
        assert tree(tmp_path) == FILES
        assert not list(tmp_path.glob(".staged*"))


def test_a_refused_first_set_leaves_no_folder(run_module: Run, tmp_path: Path) -> None:
    result = run_module(config_files, path=f"{tmp_path}/x/y", files={"a": "bad"}, validate=CHECKER)
    assert result["failed"]
    assert list(tmp_path.iterdir()) == []


def test_the_checker_sees_the_future_folder(run_module: Run, tmp_path: Path) -> None:
    """The new set, and what is shown beside it on purpose."""
    run_module(
        config_files,
        path=str(tmp_path),
        files={"conf.d/hand.inc": "", "tls/key.pem": "key", "x": ""},
    )
    result = run_module(
        config_files,
        path=str(tmp_path),
        files=FILES,
        stage_also=["tls/*", "conf.d/*"],
        validate=CHECKER,
    )
    assert result["stdout"].split()[1:] == ["conf.d/hand.inc", "conf.d/site.conf", "main.conf", "tls/key.pem"]
    assert (tmp_path / "tls" / "key.pem").read_text() == "key"


def test_drift_of_modes_is_repaired_without_the_checker(run_module: Run, tmp_path: Path) -> None:
    run_module(config_files, path=str(tmp_path), files=FILES)
    (tmp_path / "main.conf").chmod(0o666)
    for check in (True, False):
        result = run_module(config_files, check=check, path=str(tmp_path), files=FILES, validate=["/bin/false"])
        assert result["changed"]
        assert not result["content_changed"]
        assert result["updated"] == ["main.conf"]
        assert (result["diff"][0]["before"], result["diff"][0]["after"]) == ("mode: 0666\n", "mode: 0600\n")
    assert (tmp_path / "main.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "arguments", [{"validate": ["no-such-checker"]}, {"validate": CHECKER, "owner": "no-such-user"}]
)
def test_a_bare_host_is_spared_the_checker_in_check_mode_only(
    run_module: Run, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    predicted = run_module(config_files, check=True, path=f"{tmp_path}/x", files=FILES, **arguments)
    assert predicted["changed"]
    assert not predicted["validated"]
    assert list(tmp_path.iterdir()) == []
    real = run_module(config_files, path=f"{tmp_path}/x", files=FILES, **arguments)
    assert real["failed"]
    assert "no-such" in real["msg"]
    assert not (tmp_path / "x").exists()


def test_the_checker_is_no_shell_command(run_module: Run, tmp_path: Path) -> None:
    run_module(
        config_files, path=str(tmp_path), files=FILES, validate=["true", f"; touch {tmp_path}/owned", "$HOME", "`id`"]
    )
    assert not (tmp_path / "owned").exists()


def test_a_full_file_system_is_told_and_leaves_the_old_files(run_module: Run, tmp_path: Path) -> None:
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting a small tmpfs is not allowed here")
    try:
        run_module(config_files, path=str(tmp_path), files=FILES)
        result = run_module(config_files, path=str(tmp_path), files={**FILES, "big": "x" * 100_000}, validate=CHECKER)
        assert result["failed"]
        assert "no space left" in result["msg"]
        assert tree(tmp_path) == FILES
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"files": {}}, "no file in the set"),
        ({"files": {"../x": ""}}, "relative to the folder"),
        ({"files": FILES, "mode": "rw"}, "mode must be octal"),
        ({"files": FILES, "stage_also": ["/etc/*"]}, "relative to the folder"),
        ({"files": FILES, "path": "relative"}, "must be absolute"),
    ],
)
def test_wrong_arguments(run_module: Run, tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    result = run_module(config_files, **{"path": f"{tmp_path}/x", **arguments})
    assert result["failed"]
    assert words in result["msg"]
    assert not (tmp_path / "x").exists()


def test_staging_is_for_the_owner_alone(run_module: Run, tmp_path: Path) -> None:
    show = [
        sys.executable,
        "-c",
        "import os, sys; print(oct(os.stat(sys.argv[1]).st_mode), os.stat(sys.argv[1]).st_uid)",
        "{staged}",
    ]
    result = run_module(config_files, path=str(tmp_path), files=FILES, owner=str(os.getuid()), validate=show)
    assert result["stdout"].split() == ["0o40700", str(os.getuid())]


def test_whole_files_stay_out_of_the_journal(run_module: Run, tmp_path: Path) -> None:
    result = run_module(config_files, path=str(tmp_path), files={"a": "line of a file\n"})
    assert result["logged"]
    assert "line of a file" not in str(result["logged"])
    again = run_module(config_files, path=str(tmp_path), files={"a": "another line\n"})
    assert "another line" not in str(again["logged"])
    assert (again["diff"][0]["before"], again["diff"][0]["after"]) == ("line of a file\n", "another line\n")


def test_new_files_and_those_of_a_program_are_shown_by_name(run_module: Run, tmp_path: Path) -> None:
    arguments = {"path": str(tmp_path), "shown_by_name": ["program/*"]}
    files = {"program/sub/a.py": "a\n" * 3, "program/b.py": "b\n", "settings": "old\n"}
    first = run_module(config_files, files=files, **arguments)
    assert first["diff"] == [{"prepared": f"# {tmp_path}\n+ program/: b.py\n+ program/sub/: a.py\n+ settings\n"}]
    changed = run_module(config_files, files={"program/sub/a.py": "c\n", "settings": "new\n"}, **arguments)
    names, settings = changed["diff"]
    assert names == {"prepared": f"# {tmp_path}\n~ program/sub/: a.py\n"}
    assert (settings["before"], settings["after"]) == ("old\n", "new\n")


def test_what_is_not_in_the_set_is_removed_with_it(run_module: Run, tmp_path: Path) -> None:
    """As a program's modules are that a release no longer has; what no pattern names stays."""
    old = {"program/a.py": "old\n", "program/sub/c.py": "c\n", "program/notes": "mine\n", "settings": "1\n"}
    run_module(config_files, path=str(tmp_path), files=old)
    (tmp_path / "program/link.py").symlink_to("/etc/passwd")
    new = {"program/sub/a.py": "a\n", "settings": "1\n"}
    arguments: dict[str, Any] = {
        "path": str(tmp_path),
        "shown_by_name": ["program/*"],
        "remove_others": ["program/*.py", "program/*/*.py"],
    }
    before = tree(tmp_path)
    refused = run_module(config_files, files={**new, "program/sub/a.py": "bad\n"}, validate=CHECKER, **arguments)
    assert refused["failed"]
    assert tree(tmp_path) == before, "a refused set removes nothing"
    predicted = run_module(config_files, check=True, files=new, validate=CHECKER, **arguments)
    assert tree(tmp_path) == before
    real = run_module(config_files, files=new, validate=CHECKER, **arguments)
    for result in (predicted, real):
        assert result["removed"] == ["program/a.py", "program/link.py", "program/sub/c.py"]
        assert (result["created"], result["updated"]) == (["program/sub/a.py"], [])
        names = {line for line in result["diff"][0]["prepared"].splitlines() if line[0] != "#"}
        assert names == {"- program/: a.py, link.py", "+ program/sub/: a.py", "- program/sub/: c.py"}
        assert result["stdout"].split()[1:] == ["program/sub/a.py", "settings"], "the checker sees what is to be there"
    assert tree(tmp_path) == {**new, "program/notes": "mine\n"}
    assert not (tmp_path / "program/link.py").is_symlink()
    assert Path("/etc/passwd").is_file()
    assert not run_module(config_files, files=new, validate=["/bin/false"], **arguments)["changed"]
