"""The demo's words and refusals, and what it shows of Ansible; that it works is what newcomer.py proves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.ground import demo, images, newcomer, playbook
from tests.ground.shell import GroundError, step

SETTINGS = {
    "INDEX_URL": "http://127.0.0.1:8080",
    "INDEX_USER": "publisher",
    "INDEX_PASSWORD": "S3cret-of-the-publisher",
    "READER_USER": "reader",
    "READER_PASSWORD": "S3cret-of-the-reader",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without a demo, on a machine without an engine."""
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "HOME", tmp_path / ".demo")
    monkeypatch.setattr(demo, "ENV_FILE", tmp_path / ".demo" / "demo.env")
    monkeypatch.setattr(demo, "CLIENT", tmp_path / ".demo" / "client")
    monkeypatch.setattr(demo, "_state", lambda: "")
    monkeypatch.setattr(demo, "_port_is_free", lambda port: None)
    return tmp_path / ".demo"


def test_the_settings_are_made_once_for_their_owner_alone(home: Path) -> None:
    assert demo._kept("8123") is None
    made = demo._made("8123")
    assert made["INDEX_URL"] == "http://127.0.0.1:8123"
    assert made["INDEX_PASSWORD"] != made["READER_PASSWORD"]
    assert (home / "demo.env").stat().st_mode & 0o777 == 0o600
    assert demo._kept("") == demo._kept("8123") == made


def test_another_port_is_refused_while_the_demo_has_one(home: Path) -> None:
    demo._made("8123")
    with pytest.raises(GroundError, match=r"8123 already \(.demo/demo.env\). Run 'make demo-down' first"):
        demo._kept("8124")


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "８０８０", "80 80"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(GroundError, match="a port is a number from 1 to 65535"):
        demo.parse_port(text)


def test_the_closing_words_name_no_password_and_can_be_pasted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "origin", lambda bundle: "made for this test")
    text = demo.closing(SETTINGS, False, 12.3)
    assert "Nothing had to be changed, in 12 s" in text
    assert "S3cret" not in text
    commands = newcomer.pasted(text + "\n")
    assert "pip install" in commands
    assert "twine upload" in commands
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", "-c", commands], check=True)


def test_a_tool_that_fails_shows_what_it_said_but_no_password(home: Path) -> None:
    with pytest.raises(GroundError, match=r"sh failed with code 3.\nno way in for \*\*\*\*"):
        demo._run("trying", ["sh", "-c", "echo no way in for S3cret; exit 3"], hide=["S3cret"])


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - {name: Something is there, ansible.builtin.command: "true"}
    - {name: Something was there, ansible.builtin.command: "true", changed_when: false}
    - {name: Something is skipped, ansible.builtin.command: "true", when: false}
    - {name: Something fails, ansible.builtin.command: "sh -c 'echo because >&2; exit 1'", when: broken | bool}
"""


@pytest.mark.parametrize("broken", [False, True])
def test_of_ansible_one_sees_what_changes_and_what_fails(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(playbook, "LOGS", tmp_path)
    play, inventory = tmp_path / "play.yml", tmp_path / "hosts"
    play.write_text(PLAY)
    inventory.write_text("localhost ansible_python_interpreter={{ansible_playbook_python}}")
    with step("play") as now:
        if broken:
            with pytest.raises(GroundError, match="Ansible failed with code 2"):
                playbook.run(str(play), inventory, {"broken": True}, now)
        else:
            assert playbook.run(str(play), inventory, {"broken": False}, now) == playbook.Sums(4, 1)
        assert now.detail == "Something fails"
    said = capsys.readouterr().out
    assert re.search(r"^  Something is there … \d+\.\d s$", said, re.MULTILINE)
    assert not re.search(r"^ *(TASK .)?Something (was|is skipped)", said, re.MULTILINE)
    assert ("because" in said) is broken
    assert ("  Something fails\n  fatal: [localhost]: FAILED!" in said) is broken
