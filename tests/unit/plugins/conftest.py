# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plugins' tests share: the collection where Ansible expects it, and modules run as Ansible runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
# Every secret of the tests begins with one of these, so that a search for them finds any.
SECRETS = ("S3cret", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$apr1$")


def _collection_root() -> str:
    """Folder with ansible_collections/wheelhouse/pypi in it: the one that this checkout is in, or one that links to it."""
    if CHECKOUT.parts[-3:] == ("ansible_collections", "wheelhouse", "pypi"):
        return str(CHECKOUT.parents[2])
    folder = tempfile.mkdtemp(prefix="collections-")
    parent = Path(folder, "ansible_collections", "wheelhouse")
    parent.mkdir(parents=True)
    (parent / "pypi").symlink_to(CHECKOUT, target_is_directory=True)
    return folder


def _found() -> bool:
    try:
        return importlib.util.find_spec("ansible_collections.wheelhouse.pypi") is not None
    except ModuleNotFoundError:
        return False


COLLECTIONS = ""
if not _found():
    COLLECTIONS = _collection_root()
    sys.path.insert(0, COLLECTIONS)
    importlib.invalidate_caches()


def pytest_unconfigure() -> None:
    """Remove the link that was made for this run, never what it leads to."""
    link = Path(COLLECTIONS, "ansible_collections", "wheelhouse", "pypi")
    if COLLECTIONS and link.is_symlink() and Path(COLLECTIONS).name.startswith("collections-"):
        link.unlink()
        os.removedirs(link.parent)


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
    """Call a module's main() with arguments, as Ansible does; return what it prints, ``failed`` included."""
    from ansible.module_utils import basic

    def run(module: Any, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        internal = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(basic.AnsibleModule, "_log_invocation", lambda self: None)
        with pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def playbook(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Run a play's text with the real ansible-playbook; hosts are names on this machine."""

    def run(text: str, *options: str, hosts: str = "localhost,") -> subprocess.CompletedProcess[str]:
        path = tmp_path / "play.yml"
        path.write_text(text)
        environment = dict(
            os.environ,
            ANSIBLE_COLLECTIONS_PATH=COLLECTIONS or os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""),
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

    yield run
