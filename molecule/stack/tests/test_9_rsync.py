"""rsync itself, with and without --delete, leaves what lasts: upload times, yanks, and what a name stands for."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Answer, Index, Login, form
from tests.support.stack import Stack, eventually

# As docs/releases.md has it; the second folder holds what arrives.
EXCLUDED = "--exclude /.wheelhouse --exclude /.incoming"
MIRROR, KEPT = "/root/mirror", "/root/kept"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


class Copied:
    """An index into which another host's rsync copies."""

    def __init__(self, host: Any, index: Index, publisher: Login, stack: Stack) -> None:
        self.host, self.index, self.publisher, self.stack = host, index, publisher, stack
        self.packages = f"{stack.home}/packages"

    def rsync(self, options: str = "", source: str = MIRROR) -> None:
        """Copy the mirror into the index, and wait until it has looked."""
        self.host.check_output(f"rsync --archive --chown pypi:pypi {options} {source}/ {self.packages}/")
        # What is copied afterwards is found by the same look, or by a later one.
        mark = f"mark-{uuid4().hex[:8]}"
        content = b64encode(packages.file(f"{mark}-1.0.zip")).decode()
        place = f"{self.packages}/{mark}-1.0.zip"
        self.host.check_output(f"echo {content} | base64 --decode >{place} && chown pypi: {place}")
        eventually(lambda: bool(self.files(mark)), "the index has looked at what was copied", 90)
        self.host.check_output(f"rm {place}")

    def upload(self, file: Path) -> Answer:
        return self.index.upload(self.publisher, file)

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        """Return the files on a project's page, by name."""
        answer = self.index.request(f"/simple/{project}/", self.publisher, headers=JSON)
        assert answer.status in (200, 404), answer
        return {file["filename"]: file for file in json.loads(answer.body)["files"]} if answer.status == 200 else {}

    def published(self, folder: Path) -> Path:
        """Upload a new project's release, and yank it; return its file."""
        project = f"kept-{uuid4().hex[:8]}"
        wheel = packages.wheel(folder, project)
        assert self.upload(wheel).status == 200
        body, headers = form({":action": "yank", "name": project, "version": "1.0", "reason": "broken"})
        assert self.index.request("/", self.publisher, "POST", body, headers).status == 200
        return wheel


@pytest.fixture
def copied(host: Any, index: Index, publisher: Login, stack: Stack) -> Iterator[Copied]:
    """The index, with rsync on its host; what is in packages/ afterwards is what was there before."""
    host.check_output(
        "command -v rsync || { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends rsync; }"
    )
    host.check_output(f"rm -rf {MIRROR} {KEPT} && mkdir --mode 700 {MIRROR}")
    found = Copied(host, index, publisher, stack)
    yield found
    if host.file(KEPT).exists:
        host.check_output(f"rsync --archive {KEPT}/ {found.packages}/")
        stack.wait_until_healthy("pypi-server")


def test_a_copy_has_its_own_time_once_and_for_good(copied: Copied, tmp_path: Path) -> None:
    project = f"copy-{uuid4().hex[:8]}"
    wheel = packages.wheel(tmp_path, project)
    old = f"{project}-trunk.zip"
    for name, content in ((wheel.name, wheel.read_bytes()), (old, packages.file(old, release=(project, "trunk")))):
        copied.host.check_output(f"echo {b64encode(content).decode()} | base64 --decode >{MIRROR}/{name}")
    copied.host.check_output(f"touch --date 2024-03-01T10:00:00Z {MIRROR}/*")
    copied.rsync(EXCLUDED)
    assert copied.files(project)[wheel.name]["upload-time"] == "2024-03-01T10:00:00.000000Z"
    copied.host.check_output(f"touch {MIRROR}/{wheel.name}")
    copied.rsync(EXCLUDED)
    assert copied.files(project)[wheel.name]["upload-time"] == "2024-03-01T10:00:00.000000Z"
    # An upload of the other one would be refused.
    assert set(copied.files(project)) == {wheel.name, old}
    said = [line for line in copied.stack.log("pypi-server") if f"{old} stays as it is, and no client can" in line]
    assert len(said) == 1 and "'trunk' is no version" in said[0], said


def test_what_rsync_deletes_stays_published_once(copied: Copied, tmp_path: Path) -> None:
    wheel = copied.published(tmp_path)
    project = wheel.name.partition("-1.0")[0].replace("_", "-")
    before = copied.files(project)[wheel.name]
    assert before["yanked"] == "broken"
    copied.host.check_output(f"cp --archive {copied.packages} {KEPT}")
    copied.rsync(f"--delete {EXCLUDED}")
    eventually(lambda: copied.files(project) == {}, "its page has no file", 30)
    (tmp_path / "other").mkdir()
    other = copied.upload(packages.wheel(tmp_path / "other", project, padding=b"another content"))
    assert other.status == 409 and b"was published before with other content" in other.body, other
    assert copied.upload(wheel).status == 200
    assert copied.files(project)[wheel.name] == before
    # An older copy of everything, in which nothing was yanked: what this index knows of counts.
    copied.host.check_output(f"rm {KEPT}/.wheelhouse/projects/*")
    copied.rsync("--delete --exclude /.incoming", KEPT)
    eventually(lambda: copied.files(project).get(wheel.name) == before, "the yank is there", 30)


def test_rsync_that_deletes_the_facts_changes_no_page_and_their_return_ends_it(copied: Copied, tmp_path: Path) -> None:
    wheel = copied.published(tmp_path)
    project = wheel.name.partition("-1.0")[0].replace("_", "-")
    before = copied.files(project)
    host = copied.host
    host.check_output(f"cp --archive {copied.packages} {KEPT} && cp --archive {KEPT}/*.whl {MIRROR}/")
    host.check_output(f"rsync --archive --chown pypi:pypi --delete {MIRROR}/ {copied.packages}/")
    assert not host.file(f"{copied.packages}/.wheelhouse").exists
    more = packages.wheel(tmp_path, f"more-{uuid4().hex[:8]}")
    eventually(lambda: copied.upload(more).status == 503, "uploads are refused", 30)
    assert copied.files(project) == before
    host.check_output(f"rsync --archive {KEPT}/.wheelhouse/ {copied.packages}/.wheelhouse/")
    copied.stack.wait_until_healthy("pypi-server")
    assert copied.upload(more).status == 200
    assert copied.files(project) == before
