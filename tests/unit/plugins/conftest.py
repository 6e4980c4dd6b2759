"""What the plugins' tests share: the collection where Ansible expects it, and modules run as Ansible runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.collection import ROOT, develop

# Ansible's name for the collection has to be importable before the tests are.
COLLECTIONS = str(develop())
sys.path.insert(0, COLLECTIONS)

# Every secret of the tests begins with one of these, so that a search for them finds any.
SECRETS = ("S3cret", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$apr1$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs ansible-playbook and is about ansible-core."""
    for item in items:
        runs_plays = "kept_modules" in getattr(item, "fixturenames", ())
        if runs_plays and "plugin_utils" not in item.path.parts and not item.get_closest_marker("one_core"):
            item.add_marker("other_cores")


@pytest.fixture(scope="session")
def assert_no_secret() -> Callable[..., None]:
    """Search texts and structures for any password or hash of these tests."""

    def search(*texts: Any) -> None:
        for text in texts:
            shown = text if isinstance(text, str) else json.dumps(text, default=repr)
            found = [secret for secret in SECRETS if secret in shown]
            assert not found, f"{found} in {shown}"

    return search


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Call a module's main() with arguments, as Ansible does; return what it prints, warns of and logs."""
    from ansible.module_utils import basic

    def run(module: Any, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        internal = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}
        monkeypatch.setattr(
            basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}}).encode()
        )
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        logged: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "log", lambda self, message, **_options: logged.append(message))
        # Ansible keeps warnings for the process, which here outlives the module.
        warnings: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, warning: warnings.append(warning))
        with pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out), "warnings": warnings, "logged": logged}

    return run


@pytest.fixture(scope="session")
def kept_modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which ansible-playbook uses what it has packed in earlier runs of this session."""
    return {
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/ground/callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "kept_modules",
        "WHEELHOUSE_MODULES": str(tmp_path_factory.mktemp("modules")),
    }


@pytest.fixture
def playbook(tmp_path: Path, kept_modules: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a play's text with the real ansible-playbook; hosts are names on this machine."""

    def run(text: str, *options: str, hosts: str = "localhost,") -> subprocess.CompletedProcess[str]:
        path = tmp_path / "play.yml"
        path.write_text(text)
        environment = dict(
            os.environ,
            **kept_modules,
            ANSIBLE_COLLECTIONS_PATH=COLLECTIONS,
            ANSIBLE_LOCAL_TEMP=str(tmp_path / "tmp"),
            ANSIBLE_REMOTE_TEMP=str(tmp_path / "tmp"),
            ANSIBLE_PYTHON_INTERPRETER=sys.executable,
            ANSIBLE_NOCOLOR="1",
        )
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", hosts, "-c", "local", *options, str(path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=tmp_path,
        )

    return run
