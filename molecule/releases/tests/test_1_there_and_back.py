"""0.1.0, this release, 0.1.0 and this one again, on one host: nothing that was published is lost, and all logins go on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.collection import ROOT
from tests.support import packages
from tests.support.clients import BIN, NOBODY, Index, Login, form
from tests.support.playbook import Run, applied, site

# Release 0.1.0: the last commit before the first changelog fragment of the next one.
RELEASE = "f3e4d6536c29a45894943c95eab8e3a698866f7c"
PUBLISHER, READER = Login("publisher", "publisher-password"), Login("reader", "reader-password")
TOKEN = Login("__token__", "wheelhouse_" + "e" * 64 + "62ef73dc")
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the collection of 0.1.0, built and installed as users do."""
    home = tmp_path_factory.mktemp("release")
    source, galaxy = home / "source", [str(BIN / "ansible-galaxy"), "collection"]
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "archive", "--output", str(home / "source.tar"), RELEASE]
    subprocess.run(git, check=True)
    shutil.unpack_archive(home / "source.tar", source, filter="data")
    subprocess.run([*galaxy, "build", str(source), "--output-path", str(home)], check=True)
    install = [*galaxy, "install", "--no-deps", "--force", "-p", str(home)]
    with collection(home):
        subprocess.run([*install, str(next(home.glob("wheelhouse-pypi-*.tar.gz")))], check=True)
    return home


@contextmanager
def collection(folder: Path) -> Iterator[None]:
    """Run the playbooks of another collection meanwhile."""
    changed = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "WHEELHOUSE_MODULES": str(folder)}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def change(index: Index, action: str, project: str, version: str) -> None:
    body, headers = form({":action": action, "name": project, "version": version})
    answer = index.request("/", PUBLISHER, "POST", body, headers)
    assert answer.status == 200, answer


def pages(index: Index) -> dict[str, Any]:
    """Return what each project's page says of its files, by project; and fetch each file."""
    projects = json.loads(index.request("/simple/", READER, headers=JSON).body)["projects"]
    found = {}
    for project in (entry["name"] for entry in projects):
        page = json.loads(index.request(f"/simple/{project}/", READER, headers=JSON).body)
        for file in page["files"]:
            assert index.request(f"/packages/{file['filename']}", READER).status == 200, file
        keys = ("filename", "hashes", "size", "upload-time", "yanked", "core-metadata", "requires-python")
        found[project] = [{key: file.get(key) for key in keys} for file in page["files"]]
    return found


def published(index: Index, folder: Path, by: str) -> None:
    """Publish by password and by token; yank one release, remove one."""
    for login, project in ((PUBLISHER, f"{by}-tools"), (TOKEN, f"acme-{by}")):
        for version in ("1.0", "1.1", "1.2"):
            answer = index.upload(login, packages.wheel(folder, project, version))
            assert answer.status == 200, answer
    change(index, "yank", f"{by}-tools", "1.1")
    change(index, "remove_pkg", f"acme-{by}", "1.1")


def are_right(index: Index) -> None:
    """Fail if a login gets more or less than the inventory says."""
    for login, expected in ((READER, 200), (TOKEN, 200), (NOBODY, 401), (Login("reader", "wrong"), 401)):
        assert index.request("/simple/", login).status == expected, login.name
    assert index.upload(READER, packages.wheel(Path("/tmp"), "by-a-reader")).status == 403
    assert index.upload(TOKEN, packages.wheel(Path("/tmp"), "not-of-acme")).status == 403


def test_there_and_back(host: Any, index: Index, older: Path, home: str, tmp_path: Path) -> None:
    with collection(older):
        site()
    assert not host.file(f"{home}/.previous").exists, "this was made by this release"
    published(index, tmp_path, "first")
    known = pages(index)
    assert [file["yanked"] for file in known["first-tools"]] == [None, True, None]

    upgraded = site()
    assert upgraded.proved_candidate
    assert pages(index) == known
    are_right(index)
    published(index, tmp_path, "second")
    change(index, "unyank", "first-tools", "1.1")
    # What 0.1.0 does not know: a removal that can be taken back.
    known = pages(index)
    assert "1.1" not in str([file["filename"] for file in known["acme-second"]])

    with collection(older):
        site()
        assert site().changed == 0
        assert pages(index) == known
        are_right(index)
        published(index, tmp_path, "third")
        known = pages(index)

    again = site()
    assert again.proved_candidate
    assert pages(index) == known
    are_right(index)
    assert site().changed == 0
    report = tmp_path / "doctor.json"
    examined(report)
    (found,) = json.loads(report.read_text()).values()
    wrong = [
        one for one in found["findings"] if one["check"] in ("store", "answer", "containers") and one["level"] != "ok"
    ]
    assert not wrong, wrong


def examined(report: Path) -> Run:
    return applied("wheelhouse.pypi.doctor", pypi_doctor_report=str(report), pypi_doctor_read="all")
