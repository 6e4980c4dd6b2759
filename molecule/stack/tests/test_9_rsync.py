"""rsync itself, with and without --delete, leaves what lasts: upload times, yanks, and what a name stands for."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Answer, Index, Login, form
from tests.support.long import only_long
from tests.support.stack import Stack, eventually

# As docs/releases.md has it; the second folder holds what arrives.
EXCLUDED = "--exclude /.wheelhouse --exclude /.incoming"
NAME = "pypi-stack"
MIRROR, KEPT = "/root/mirror", "/root/kept"
# What an rsync is slow enough for to be killed in the middle of a file: KiB, and KiB a second. It writes 256 KiB at once.
LARGE, RATE = 2048, 1024
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


class Copied:
    """An index into which another host's rsync copies."""

    def __init__(self, host: Any, index: Index, publisher: Login, stack: Stack) -> None:
        self.host, self.index, self.publisher, self.stack = host, index, publisher, stack
        self.packages = f"{stack.home}/packages"

    def rsync(self, options: str = "", source: str = MIRROR) -> None:
        """Copy the mirror into the index, and wait until it has looked."""
        self.host.check_output(f"rsync --archive --chown pypi:pypi {options} {source}/ {self.packages}/")
        self.looked()

    @contextmanager
    def slowly(self, options: str) -> Iterator[int]:
        """Begin to copy the mirror into the index; give the id of the group of processes that does, and end it."""
        words = f"--archive --chown pypi:pypi --bwlimit {RATE} {EXCLUDED} {options}"
        begin = f"setsid rsync {words} {MIRROR}/ {self.packages}/ >/dev/null 2>&1 & echo $!"
        process = int(self.host.check_output(begin))
        try:
            yield process
        finally:
            self.host.run(f"kill -s KILL -- -{process}")

    def looked(self) -> None:
        """Wait until the index has looked at what is there now."""
        # What is copied afterwards is found by the same look, or by a later one.
        mark = f"mark-{uuid4().hex[:8]}"
        content = b64encode(packages.file(f"{mark}-1.0.zip")).decode()
        place = f"{self.packages}/{mark}-1.0.zip"
        self.host.check_output(f"echo {content} | base64 --decode >{place} && chown pypi: {place}")
        eventually(lambda: bool(self.files(mark)), "the index has looked at what was copied", 90)
        self.host.check_output(f"rm {place}")

    def upload(self, file: Path) -> Answer:
        return self.index.upload(self.publisher, file)

    def files(self, project: str, is_away: bool = False) -> dict[str, dict[str, Any]]:
        """Return the files on a project's page, by name; while pypi-server is away, a page that disk lacks is not known."""
        answer = self.index.request(f"/simple/{project}/", self.publisher, headers=JSON)
        assert answer.status in (200, 404, *([503] if is_away else [])), answer
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
    # It is tried again, and said again, once a minute.
    assert len(set(said)) == 1 and "'trunk' is not a valid version" in said[0], said


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


@only_long
@pytest.mark.parametrize(
    ("killed", "signal", "options"),
    [
        # It leaves a hidden file.
        ("rsync", "KILL", ""),
        # It leaves the part by the file's name, and may be read.
        ("rsync", "TERM", "--partial"),
        # It has written by the file's name from the beginning.
        ("pypi-server", "KILL", "--inplace"),
    ],
    ids=["rsync", "rsync-partial", "pypi-server"],
)
def test_a_copy_in_which_something_is_killed_tears_nothing_and_another_one_completes_it(
    copied: Copied, tmp_path: Path, killed: str, signal: str, options: str
) -> None:
    known = copied.published(tmp_path)
    project = known.name.partition("-1.0")[0].replace("_", "-")
    before = copied.files(project)
    new = f"new-{uuid4().hex[:8]}"
    padding = os.urandom(LARGE * 1024)
    whole = {
        f"{packages.escaped(new)}-{version}": packages.file(f"{packages.escaped(new)}-{version}", padding)
        for version in ("1.0-py3-none-any.whl", "1.0.tar.gz")
    }
    for name, content in {**whole, known.name: known.read_bytes()}.items():
        (tmp_path / name).write_bytes(content)
        subprocess.run(["docker", "cp", tmp_path / name, f"{NAME}:{MIRROR}/"], check=True, capture_output=True)
    # The known file is the same with another time.
    copied.host.check_output(f"touch --date 2024-03-01T10:00:00Z {MIRROR}/*")
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()}

    def listed(is_away: bool = False) -> dict[str, str]:
        """Return the new files on their page, with digests; the known ones are as they were."""
        assert copied.files(project) == before
        return {name: file["hashes"]["sha256"] for name, file in copied.files(new, is_away).items()}

    def parts() -> dict[str, int]:
        """Return the sizes of what there is of the new files, by name."""
        found = f"find {copied.packages} -maxdepth 1 -name '*{packages.escaped(new)}*' -printf '%f %s\\n'"
        return {name: int(size) for name, size in map(str.split, copied.host.check_output(found).splitlines())}

    with copied.slowly(options) as process:
        eventually(
            lambda: any(0 < size < LARGE * 1024 for name, size in parts().items() if ".tar.gz" in name),
            "a part of the second file has been written",
            20,
        )
        assert listed().items() <= digests.items()
        if killed == "rsync":
            copied.host.check_output(f"kill -s {signal} -- -{process}")
            eventually(lambda: copied.host.run(f"kill -0 {process}").rc != 0, "rsync has ended", 10)
        else:
            copied.host.check_output(f"kill -s {signal} {copied.stack.inspect('pypi-server')['State']['Pid']}")
        torn = parts()
        print(torn)
        assert sorted(size < LARGE * 1024 for size in torn.values()) == [False, True]
        while killed != "rsync" and copied.host.run(f"kill -0 {process}").rc == 0:
            assert listed(is_away=True).items() <= digests.items()
            time.sleep(0.5)
    copied.stack.wait_until_healthy("pypi-server")
    if killed == "rsync":
        copied.looked()
        assert listed() == {name: digests[name] for name, size in torn.items() if size == len(whole.get(name, b""))}
    copied.rsync(EXCLUDED)
    assert listed() == digests
    assert {file["upload-time"] for file in copied.files(new).values()} == {"2024-03-01T10:00:00.000000Z"}
    claims = " ".join(f"{copied.packages}/.wheelhouse/names/{name}" for name in (project, new))
    copied.host.check_output(f"ls {claims}")
    (tmp_path / "other").mkdir()
    other = copied.upload(packages.wheel(tmp_path / "other", project, padding=b"another content"))
    assert other.status == 409, other
