"""Uploads for which there is no room, by a quota or on a disk: 507 with a line, nothing half stored, and the next one works."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Answer, Index, Login, form, upload_form
from tests.support.stack import Stack, eventually

MEGABYTE = 1024 * 1024
Files = Callable[[str], list[str]]
FULL = b"The disk of this index is full; nothing was stored. Ask its operator to make room.\n"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
RELOAD = "exec -T nginx nginx -c /etc/pypi-nginx/nginx.conf -s reload"


def left(host: Any, stack: Stack) -> str:
    """Return what uploads have left that are over."""
    return str(host.check_output(f"ls -A {stack.home}/packages/.incoming"))


# --- Quotas (molecule.yml: 3 MB for each of these projects) ---


@pytest.fixture
def limited() -> str:
    """A project with a quota, that no other test uses."""
    return f"quota-{uuid4().hex[:12]}"


def reason(project: str, used: str) -> str:
    return (
        f"does not fit into the quota of the project {project} (quota-*): {used} of 3 MiB are used. Nothing was stored. Remove"
        " files that are not needed, or ask the operator of this index to raise pypi_quotas."
    )


def in_one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a client has printed, without the breaks and bars that it puts into lines."""
    return " ".join((done.stdout + done.stderr).replace("│", " ").replace("╰─▶", " ").split())


@pytest.mark.parametrize("size", [2 * MEGABYTE, 40 * MEGABYTE], ids=["ends where the room does", "is not begun"])
def test_publishers_show_which_quota_is_used_up(
    host: Any, stack: Stack, index: Index, publisher: Login, tmp_path: Path, limited: str, files: Files, size: int
) -> None:
    first = packages.wheel(tmp_path, limited, "1.0", padding=os.urandom(2 * MEGABYTE))
    second = packages.wheel(tmp_path, limited, "2.0", padding=os.urandom(size))
    done = index.twine_upload(publisher, first)
    assert done.returncode == 0, done
    for upload in (index.twine_upload, index.uv_publish):
        done = upload(publisher, second)
        print(done.stdout, done.stderr)
        assert done.returncode != 0
        assert f"{second.name} {reason(limited, '2 MiB')}" in in_one_line(done)
    answer = index.upload(publisher, second)
    assert (answer.status, answer.reason) == (507, f"{second.name} {reason(limited, '2 MiB')}"), answer
    assert files(limited) == [first.name]
    assert left(host, stack) == ""
    # What is there already adds nothing.
    assert index.upload(publisher, first).status == 200
    body, headers = form({":action": "remove_pkg", "name": limited, "version": "1.0"})
    assert index.request("/", publisher, "POST", body, headers).status == 200
    small = packages.wheel(tmp_path, limited, "3.0", padding=os.urandom(2 * MEGABYTE))
    assert index.twine_upload(publisher, small).returncode == 0
    assert files(limited) == [small.name]


@pytest.fixture
def http_2(stack: Stack, host: Any, index: Index) -> Iterator[None]:
    """NGINX also takes HTTP/2, as it does with TLS."""
    file = f"{stack.home}/nginx/conf.d/http-2.conf"
    host.check_output(f"echo 'http2 on;' >{file} && chgrp pypi {file} && chmod 640 {file}")
    stack.compose(RELOAD)
    probe = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_version}", "--http2-prior-knowledge"]

    def speaks() -> bool:
        done = subprocess.run([*probe, f"{index.url}/"], capture_output=True, text=True, check=False, timeout=60)
        return done.stdout == "2"

    eventually(speaks, "NGINX speaks HTTP/2", 20)
    yield
    host.check_output(f"rm {file}")
    stack.compose(RELOAD)


@pytest.mark.usefixtures("http_2")
@pytest.mark.parametrize("size", [2 * MEGABYTE, 40 * MEGABYTE])
def test_a_used_up_quota_shows_over_http_2(
    index: Index, publisher: Login, tmp_path: Path, limited: str, files: Files, size: int
) -> None:
    first = packages.wheel(tmp_path, limited, "1.0", padding=os.urandom(2 * MEGABYTE))
    second = packages.wheel(tmp_path, limited, "2.0", padding=os.urandom(size))
    for file, version, status in ((first, "1.0", "200"), (second, "2.0", "507")):
        fields = {":action": "file_upload", "name": limited, "version": version}
        command = ["curl", "--silent", "--http2-prior-knowledge", "--user", f"{publisher.name}:{publisher.password}"]
        command += [word for name, value in fields.items() for word in ("--form-string", f"{name}={value}")]
        command += ["--form", f"content=@{file}", "--write-out", "%{http_code} %{http_version}", f"{index.url}/"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stdout.splitlines()[1]) == (0, f"{status} 2"), done
    assert done.stdout.splitlines()[0] == f"{second.name} {reason(limited, '2 MiB')}"
    assert files(limited) == [first.name]


# --- Full disks ---


@contextmanager
def on_a_disk_of_its_own(host: Any, stack: Stack, folder: str, megabytes: int) -> Iterator[str]:
    """Put a folder of the index on a small disk, in containers made for it; yield the folder."""
    place = f"{stack.home}/{folder}"
    # With the facts of this index: without them it would take no upload.
    facts = "cp -a {0}/.wheelhouse /var/tmp/facts" if folder == "packages" else "true"
    host.check_output(facts.format(place))
    owner = f"size={megabytes}m,mode=0700,uid=$(id -u pypi),gid=$(id -g pypi)"
    host.check_output(f"mount -t tmpfs -o {owner} tmpfs {place}")
    try:
        host.check_output(f"mv /var/tmp/facts {place}/.wheelhouse" if folder == "packages" else "true")
        stack.compose("up --detach --wait --force-recreate pypi-server nginx")
        yield place
    finally:
        host.check_output(f"umount --lazy {place}")
        stack.compose("up --detach --wait --force-recreate pypi-server nginx")


def fill(host: Any, place: str, left: int) -> None:
    """Fill a disk but for so many blocks; what was there to fill it makes way."""
    file = f"{place}/filler"
    host.check_output(
        f"rm -f {file}; free=$(stat -f -c %a {place}); [ $free -le {left} ] ||"
        f" dd if=/dev/zero of={file} bs=$(stat -f -c %S {place}) count=$((free - {left})) 2>/dev/null"
    )


def upload(index: Index, publisher: Login, folder: Path, project: str) -> tuple[Path, Answer]:
    file = packages.wheel(folder, project, padding=os.urandom(9000))
    body, headers = upload_form(file, name=project, version="1.0")
    return file, index.request("/", publisher, "POST", body, headers)


@pytest.mark.parametrize(("folder", "megabytes"), [("packages", 24), ("index", 200)])
def test_a_disk_that_is_full_at_any_step_leaves_nothing_behind_and_says_so(
    host: Any,
    stack: Stack,
    index: Index,
    publisher: Login,
    reader: Login,
    tmp_path: Path,
    project: str,
    files: Files,
    folder: str,
    megabytes: int,
) -> None:
    with on_a_disk_of_its_own(host, stack, folder, megabytes) as place:
        before, answer = upload(index, publisher, tmp_path, f"{project}-before")
        assert answer.status == 200, answer
        statuses: list[tuple[int, int]] = []
        refused: dict[str, Path] = {}
        # The file, its record and claim, the pages, the catalogue: each meets the end of the disk.
        for number, blocks in enumerate([0, *range(1, 24)]):
            fill(host, place, blocks)
            name = f"{project}-{number}x"
            file, answer = upload(index, publisher, tmp_path, name)
            statuses.append((blocks, answer.status))
            if answer.status == 200:
                assert files(name) == [file.name]
            else:
                assert (answer.status, answer.body) == (507, FULL), answer
                assert answer.reason == FULL.decode().strip()
                refused[name] = file
                assert files(name) == []
                assert host.run(f"test -e {stack.home}/packages/{file.name}").rc == 1
                assert host.run(f"ls {stack.home}/packages/.wheelhouse/files/{name}/*").rc != 0
            # Who only reads sees nothing of it.
            assert files(f"{project}-before") == [before.name]
            assert index.request(f"/packages/{before.name}", reader).status == 200
        print(statuses)
        assert statuses[0] == (0, 507)
        assert {status for _blocks, status in statuses} == {200, 507}
        assert left(host, stack) == ""
        host.check_output(f"rm {place}/filler")
        for name, file in refused.items():
            _same, answer = upload(index, publisher, file.parent, name)
            assert answer.status == 200, (name, answer)
            assert files(name) == [file.name]
        listed = {one["name"] for one in json.loads(index.request("/simple/", reader, headers=JSON).body)["projects"]}
        assert {f"{project}-before", *refused} <= listed


def test_full_logs_keep_no_upload_from_being_published(
    host: Any, stack: Stack, index: Index, publisher: Login, tmp_path: Path, project: str, files: Files
) -> None:
    with on_a_disk_of_its_own(host, stack, "logs", 1) as place:
        for number in range(4):
            fill(host, place, 0)
            file, answer = upload(index, publisher, tmp_path, f"{project}-{number}x")
            assert answer.status == 200, answer
            assert files(f"{project}-{number}x") == [file.name]
        # What the change log lacks is in the log of the container, whichever of them it was.
        own = "".join(host.run(f"docker logs {one}").stderr for one in stack.compose("ps -q pypi-server").split())
        assert f'"project": "{project}-0x"' in own, own
        host.check_output(f"rm {place}/filler")
        file, answer = upload(index, publisher, tmp_path, f"{project}-after")
        assert answer.status == 200, answer
        lines = host.check_output(f"cat {place}/changes-*.log").splitlines()
        assert json.loads(lines[-1])["project"] == f"{project}-after"
        assert all(json.loads(line)["action"] for line in lines), lines
        eventually(lambda: host.run(f"test -s {place}/access.log").rc == 0, "NGINX writes its log again", 20)
