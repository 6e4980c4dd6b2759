"""All that happens to an index, for half an hour at once: nothing fails, nothing is lost, nothing grows."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Index, Login, form
from tests.support.fleet import bad_answers, reading
from tests.support.long import only_long
from tests.support.playbook import applied, site

pytestmark = only_long
testinfra_hosts = ["ansible://pypi-backup"]
SECONDS = float(os.environ.get("WHEELHOUSE_SOAK_SECONDS", "1800"))
# Releases that stay of each project, and of nightly builds after a prune.
KEPT, NIGHTLY = 20, 5
# How much more there may be in the last quarter of the time than in the second: for what a run or a reload holds at the moment,
# and for what the catalogue knows of each file that was removed.
SLACK = {"memory_mb": 15.0, "open_files": 40.0, "processes": 6.0, "disk_mb": 5.0}
REMOVED_MB = 0.001
# Of the account's processes, which are those of the containers; and disk beside packages and logs.
LOOK = r"""
import json, os, subprocess, sys
home = sys.argv[1]
uid, found = os.stat(home).st_uid, {"memory_mb": 0, "open_files": 0, "processes": 0}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat(f"/proc/{pid}").st_uid == uid:
            status = open(f"/proc/{pid}/status").read()
            found["memory_mb"] += int(status.split("RssAnon:")[1].split()[0]) / 1000
            found["open_files"] += len(os.listdir(f"/proc/{pid}/fd"))
            found["processes"] += 1
    except (OSError, IndexError):
        pass
du = subprocess.run(["du", "-s", "--exclude=./packages", "--exclude=./logs", "."], cwd=home, stdout=subprocess.PIPE)
found["disk_mb"] = int(du.stdout.split()[0]) / 1000
print(json.dumps(found))
"""


class Publisher(Thread):
    """Publishes a project's releases, one after the other, and removes the oldest.

    Attributes:
        stored: the digest of each file that there has to be, by its name.
        removed: how many were removed.
        errors: what was not as it has to be.
    """

    def __init__(self, index: Index, login: Login, folder: Path, project: str, version: str, kept: int | None) -> None:
        super().__init__(daemon=True)
        self.stored: dict[str, str] = {}
        self.removed = 0
        self.errors: list[str] = []
        self.project = project
        self._index, self._login, self._folder, self._version, self._kept = index, login, folder, version, kept
        self._done = Event()

    def run(self) -> None:
        """Publish."""
        number = 0
        while not self._done.wait(0.5):
            try:
                self._step(self._version.format(number))
            except (OSError, HTTPException) as error:
                self.errors.append(repr(error))
            number += 1

    def stop(self) -> None:
        """End after the step that is under way."""
        self._done.set()
        self.join()

    def _step(self, version: str) -> None:
        file = packages.wheel(self._folder, self.project, version, os.urandom(20_000))
        self._expect(200, "upload", self._index.upload(self._login, file).status)
        self.stored[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        file.unlink()
        page = self._index.request(f"/simple/{self.project}/", self._login)
        if file.name.encode() not in page.body:
            self.errors.append(f"{file.name} is not on its page after its upload: {page.status}")
        if self._kept and len(self.stored) > self._kept:
            oldest = next(iter(self.stored))
            del self.stored[oldest]
            body, headers = form({":action": "remove_pkg", "name": self.project, "version": oldest.split("-")[1]})
            self._expect(200, "removal", self._index.request("/", self._login, "POST", body, headers).status)
            self._expect(404, "removed file", self._index.request(f"/packages/{oldest}", self._login).status)
            self.removed += 1

    def _expect(self, wanted: int, what: str, status: int) -> None:
        if status != wanted:
            self.errors.append(f"{what}: {status}")


@pytest.fixture(scope="module")
def backed_up() -> Iterator[None]:
    """Another test has turned backups off."""
    site()
    yield
    site()


@pytest.mark.usefixtures("backed_up")
def test_nothing_fails_is_lost_or_grows(
    host: Any,
    index: Index,
    publisher: Login,
    reader: Login,
    variables: dict[str, Any],
    home: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    soak = f"soak-{uuid4().hex}"
    keep = [{"names": [f"{soak}-nightly"], "kinds": ["dev"], "newest": NIGHTLY}]
    fixed = packages.wheel(tmp_path, f"{soak}-read", padding=os.urandom(20_000))
    assert index.upload(publisher, fixed).status == 200
    publishers = [Publisher(index, publisher, tmp_path, f"{soak}-{number}", "1.{}", KEPT) for number in range(3)]
    nightly = Publisher(index, publisher, tmp_path, f"{soak}-nightly", "1.0.dev{}", None)
    seen: list[dict[str, float]] = []
    until = time.monotonic() + SECONDS
    with reading(index, reader, f"/simple/{soak}-read/", f"/packages/{fixed.name}", "/simple/") as client:
        for one in (*publishers, nightly):
            one.start()
        number = 0
        while time.monotonic() < until:
            more = [{"name": f"user-{number}", "password": f"password-{number}"}]
            applied("wheelhouse.pypi.users", pypi_users=[*variables["pypi_users"], *more])
            site("--tags", "nginx,stack", pypi_max_upload=f"{2 + number % 2}g")
            applied("wheelhouse.pypi.backup")
            applied("wheelhouse.pypi.prune", pypi_keep=keep)
            seen.append(json.loads(host.check_output("python3 -c %s %s", LOOK, home)))
            number += 1
        for one in (*publishers, nightly):
            one.stop()
    grown = growth(seen)
    with capsys.disabled():
        print(
            f"\n{number} turns; {len(client.reads)} reads; {sum(one.removed for one in publishers)} removals; {grown}"
        )
    assert bad_answers(client) == {}
    assert [error for one in (*publishers, nightly) for error in one.errors] == []
    for one in publishers:
        assert stored(index, reader, one.project, one.stored) == one.stored
    newest = list(nightly.stored)[-NIGHTLY:]
    assert {*newest} <= stored(index, reader, nightly.project, nightly.stored).keys()
    applied("wheelhouse.pypi.backup")
    # Every page and file, beside those of the snapshot.
    applied("wheelhouse.pypi.drill")
    allowed = {**SLACK, "disk_mb": SLACK["disk_mb"] + REMOVED_MB * sum(one.removed for one in publishers)}
    assert {what: more for what, more in grown.items() if more > allowed[what]} == {}, seen


def stored(index: Index, login: Login, project: str, names: dict[str, str]) -> dict[str, str]:
    """Return the digests of the files on a project's page, as they are downloaded."""
    page = index.request(f"/simple/{project}/", login, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    listed = [file["filename"] for file in json.loads(page.body)["files"]]
    assert {*listed} <= names.keys()
    return {name: hashlib.sha256(index.request(f"/packages/{name}", login).body).hexdigest() for name in listed}


def growth(seen: list[dict[str, float]]) -> dict[str, float]:
    """Return how much more there is in the last quarter of the time than in the second, which is warm."""
    quarter = max(len(seen) // 4, 1)
    early, late = seen[quarter : 2 * quarter] or seen[:1], seen[-quarter:]
    return {
        what: round(statistics.median(one[what] for one in late) - statistics.median(one[what] for one in early), 2)
        for what in SLACK
    }
