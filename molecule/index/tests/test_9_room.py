"""Uploads for which there is no room, by a quota or on a disk: 507 with a line, nothing half stored, and the next one works."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import Answer, Index, Login, form, upload_form
from tests.support.stack import Stack, eventually

NAME = "pypi-index"
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
def http_2(stack: Stack, host: Any) -> Iterator[str]:
    """NGINX also takes HTTP/2, as it does with TLS; how to speak it, on the host."""
    file = f"{stack.home}/nginx/conf.d/http-2.conf"
    host.check_output(f"echo 'http2 on;' >{file} && chgrp pypi {file} && chmod 640 {file}")
    stack.compose(RELOAD)
    # The host's own curl: 7.88 of Debian 12 takes it as an error that a stream ends before it has sent all.
    curl = "curl --silent --show-error --http2-prior-knowledge --write-out '%{http_code} %{http_version}'"
    probe = f"{curl} --output /dev/null http://127.0.0.1:8080/"
    eventually(lambda: host.run(probe).stdout == "401 2", "NGINX speaks HTTP/2", 20)
    yield curl
    host.check_output(f"rm {file} /var/tmp/*.whl")
    stack.compose(RELOAD)


@pytest.mark.parametrize("size", [2 * MEGABYTE, 40 * MEGABYTE], ids=["ends where the room does", "is not begun"])
def test_a_used_up_quota_shows_over_http_2(
    host: Any, http_2: str, publisher: Login, tmp_path: Path, limited: str, files: Files, size: int
) -> None:
    first = packages.wheel(tmp_path, limited, "1.0", padding=os.urandom(2 * MEGABYTE))
    second = packages.wheel(tmp_path, limited, "2.0", padding=os.urandom(size))
    for file, version, said in (
        (first, "1.0", f"Published {first.name}.\n200 2"),
        (second, "2.0", f"{second.name} {reason(limited, '2 MiB')}\n507 2"),
    ):
        subprocess.run(["docker", "cp", str(file), f"{NAME}:/var/tmp/"], check=True, capture_output=True)
        fields = {":action": "file_upload", "name": limited, "version": version}
        words = " ".join(f"--form-string {name}={value}" for name, value in fields.items())
        login = f"--user {publisher.name}:{publisher.password}"
        done = host.run(f"{http_2} {login} {words} --form content=@/var/tmp/{file.name} http://127.0.0.1:8080/")
        assert (done.rc, done.stdout) == (0, said), done
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
    # What others write meanwhile takes the last blocks from dd, which then fails: the disk is as full as it should be.
    host.check_output(
        f"rm -f {file}; free=$(stat -f -c %a {place}); [ $free -le {left} ] ||"
        f" dd if=/dev/zero of={file} bs=$(stat -f -c %S {place}) count=$((free - {left})) 2>/dev/null;"
        f" [ $(stat -f -c %a {place}) -le {left} ]"
    )


def upload(index: Index, publisher: Login, folder: Path, project: str) -> tuple[Path, Answer]:
    file = packages.wheel(folder, project, padding=os.urandom(9000))
    body, headers = upload_form(file, name=project, version="1.0")
    return file, index.request("/", publisher, "POST", body, headers)


def test_a_full_disk_leaves_nothing_behind_and_says_so(
    host: Any, stack: Stack, index: Index, publisher: Login, tmp_path: Path, project: str, files: Files
) -> None:
    with on_a_disk_of_its_own(host, stack, "packages", 24) as place:
        large = packages.wheel(tmp_path, project, "1.0", padding=os.urandom(16 * MEGABYTE))
        larger = packages.wheel(tmp_path, project, "2.0", padding=os.urandom(16 * MEGABYTE))
        small = packages.wheel(tmp_path, project, "3.0")
        assert index.upload(publisher, large).status == 200
        answer = index.upload(publisher, larger)
        assert (answer.status, answer.reason, answer.body) == (507, FULL.decode().strip(), FULL), answer
        assert left(host, stack) == ""
        assert files(project) == [large.name]
        assert index.upload(publisher, small).status == 200
        assert files(project) == [large.name, small.name]
        host.check_output(f"rm {place}/{large.name}")
        assert index.upload(publisher, larger).status == 200
        # The file, its record and the claim of its project: each meets the end of the disk.
        meet_the_end(host, stack, index, publisher, tmp_path, project, files, place, range(8))


def test_no_room_for_pages_leaves_no_file_either(
    host: Any, stack: Stack, index: Index, publisher: Login, tmp_path: Path, project: str, files: Files
) -> None:
    with on_a_disk_of_its_own(host, stack, "index", 200) as place:
        before, answer = upload(index, publisher, tmp_path, project)
        assert answer.status == 200, answer
        # Pages, metadata and the catalogue: the same.
        meet_the_end(host, stack, index, publisher, tmp_path, project, files, place, (*range(0, 24, 2), 64))
        assert files(project) == [before.name]


def meet_the_end(
    host: Any,
    stack: Stack,
    index: Index,
    publisher: Login,
    folder: Path,
    project: str,
    files: Files,
    place: str,
    blocks: Sequence[int],
) -> None:
    """Upload small files to a disk with room for so many blocks; what was refused has left nothing, and works later."""
    statuses: dict[int, int] = {}
    refused: dict[str, Path] = {}
    known = files(project)
    for number in blocks:
        fill(host, place, number)
        name = f"{project}-{number}x"
        file, answer = upload(index, publisher, folder, name)
        statuses[number] = answer.status
        if answer.status == 200:
            assert files(name) == [file.name]
        else:
            assert (answer.status, answer.reason, answer.body) == (507, FULL.decode().strip(), FULL), answer
            refused[name] = file
            assert files(name) == []
            tree = f"{stack.home}/packages"
            found = host.check_output(f"find {tree} -name {file.name} -o -path '{tree}/.wheelhouse/files/{name}/*'")
            assert found == "", found
        # Who only reads sees nothing of it.
        assert files(project) == known
    print(statuses)
    assert statuses[0] == 507 and statuses[blocks[-1]] == 200
    assert left(host, stack) == ""
    host.check_output(f"rm {place}/filler")
    for name, file in refused.items():
        _same, answer = upload(index, publisher, file.parent, name)
        assert (answer.status, files(name)) == (200, [file.name]), answer


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
