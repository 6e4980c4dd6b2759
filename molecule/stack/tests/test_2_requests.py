"""How a request is served: pages from disk, uploads on disk, the access log."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login, upload_form
from tests.support.stack import SlowUpload, Stack, eventually, traffic

# Files that a process of NGINX has open below nginx_cache/ or /tmp, where bodies would be spooled.
SPOOLED = "find /proc/[0-9]*/fd -lname '*/client_body/*' -o -lname '/var/cache/nginx/*' 2>/dev/null"


def sorted_sums(files: Iterable[Path]) -> list[str]:
    """Return what sha256sum says of files, in the order of their names."""
    return [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in sorted(files)]


def fresh(index: Index, publisher: Login, folder: Path) -> str:
    """Publish a new project, and return the address of its page."""
    name = f"project-{uuid4().hex}"
    assert index.upload(publisher, packages.wheel(folder, name)).status == 200
    return f"/simple/{name}/"


def test_a_page_comes_from_disk(index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack) -> None:
    page = fresh(index, publisher, tmp_path)
    first, again = (index.request(page, login) for login in (reader, publisher))
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    # pypiserver was not asked.
    assert {line["upstream_seconds"] for line in stack.requests(page)} == {""}


def test_verdicts_are_in_memory_and_no_login_is_on_disk(host: Any, index: Index, reader: Login, stack: Stack) -> None:
    index.request("/simple/", reader)
    index.request("/packages/", reader)
    secret = base64.b64encode(f"{reader.name}:{reader.password}".encode()).decode()
    assert stack.compose(f"exec -T nginx grep -rlF {secret} /tmp/verdicts") != ""
    assert stack.compose("exec -T nginx stat --file-system --format %T /tmp") == "tmpfs"
    found = host.run(f"grep -rlF {secret} {stack.home}")
    assert found.stdout == "", f"a login is on disk: {found.stdout}"


@pytest.mark.parametrize("login", [NOBODY, Login("reader", "wrong"), Login("stranger", "reader-password")])
def test_access_is_decided_before_disk_and_pypiserver(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, login: Login
) -> None:
    page = fresh(index, publisher, tmp_path)
    for path in (page, f"/packages/?{uuid4().hex}"):
        assert index.request(path, reader).status == 200
        answer = index.request(path, login)
        assert answer.status == 401
        assert b"project-" not in answer.body
        assert index.request(path, reader).status == 200


def test_an_upload_is_written_once_while_it_arrives(
    host: Any, index: Index, publisher: Login, tmp_path: Path, stack: Stack
) -> None:
    file = packages.wheel(tmp_path, f"slow-{uuid4().hex}", padding=os.urandom(16 * 1024 * 1024))
    upload = SlowUpload(index, publisher, file)

    def written() -> bool:
        sizes = host.check_output(f"find {stack.home}/packages/.incoming -type f -printf '%s '").split()
        # The last of it may be in a buffer still.
        return max(map(int, sizes), default=0) > upload.sent - 3 * 1024 * 1024

    eventually(written, f"{upload.sent} bytes are in packages/.incoming", 20)
    assert host.run(SPOOLED).stdout == ""
    assert not host.file(f"{stack.home}/packages/{file.name}").exists
    assert upload.finish() == 200
    there = host.check_output(f"sha256sum {stack.home}/packages/{file.name}").split()[0]
    assert there == hashlib.sha256(file.read_bytes()).hexdigest()
    assert host.check_output(f"ls -A {stack.home}/packages/.incoming") == ""


def test_uploads_at_the_same_time_are_kept_apart(
    host: Any, index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack
) -> None:
    names = [f"apart-{uuid4().hex}" for _ in range(12)]
    files = [packages.wheel(tmp_path, name, padding=os.urandom(1024 * 1024)) for name in names]
    # Every one of these pages is asked of pypiserver, in between.
    with traffic(index, reader, "/no/such/page", clients=2), ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda file: index.upload(publisher, file).status, files)) == {200}
    sums = host.check_output(f"cd {stack.home}/packages && sha256sum " + " ".join(file.name for file in sorted(files)))
    assert sums.splitlines() == sorted_sums(files)


def test_a_refusal_in_mid_body_is_seen(index: Index, publisher: Login) -> None:
    """pypi-server answers while NGINX is still writing to it: the connection must not break, nor NGINX make a 502 of it."""
    body = bytes(64 * 1024 * 1024)
    for _ in range(10):
        answer = index.request("/", publisher, "POST", body, {"Content-Type": "application/json"})
        assert (answer.status, answer.reason) == (
            400,
            "Send a form: Content-Type: multipart/form-data with a boundary.",
        ), answer


@pytest.mark.parametrize("size", [1, 1000, 5_000_000], ids="chunks of {}".format)
def test_a_body_without_a_length_is_taken(index: Index, publisher: Login, tmp_path: Path, size: int) -> None:
    file = packages.wheel(tmp_path, f"chunked-{uuid4().hex}", padding=os.urandom(500 if size == 1 else 2_000_000))
    body, headers = upload_form(file)
    # http.client sends what it cannot know the length of in chunks.
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    answer = index.request("/", publisher, "POST", pieces, headers)  # type: ignore[arg-type]
    assert answer.status == 200, answer


def test_one_login_holds_its_own_share_of_uploads_and_no_more(
    index: Index, publisher: Login, tmp_path: Path, host: Any, stack: Stack
) -> None:
    held = packages.wheel(tmp_path, "held")
    slow = [SlowUpload(index, publisher, held) for _ in range(50)]
    try:
        file = packages.wheel(tmp_path, f"beside-{uuid4().hex}")
        answers = []

        def refused() -> bool:
            answers.append(index.upload(publisher, file))
            if answers[-1].status == 429:
                return True
            # It may have come before one of the others, which then was the one too many.
            slow.append(SlowUpload(index, publisher, held))
            return False

        eventually(refused, "it is refused")
        assert answers[-1].headers.get("retry-after") == "5", answers[-1]
        assert answers[-1].reason.startswith("Too many uploads at once - one login may have 50, all together 256."), (
            answers
        )
        # Strangers who know its name do not count, and other logins go on.
        assert index.upload(Login(publisher.name, "wrong"), file).status == 401
        assert index.upload(Login("newcomer", "newcomer-password"), file).status == 200
    finally:
        for upload in slow:
            upload.give_up()
    eventually(lambda: index.upload(publisher, file).status == 200, "its share is free again", 10)
    assert host.check_output(f"ls -A {stack.home}/packages/.incoming") == ""


def test_a_large_upload_may_be_a_publishers_first_request(index: Index, tmp_path: Path) -> None:
    # No verdict is cached: the auth service is asked about a request with a large body.
    file = packages.wheel(tmp_path, f"first-{uuid4().hex}", padding=os.urandom(4 * 1024 * 1024))
    assert index.upload(Login("newcomer", "newcomer-password"), file).status == 200


def test_an_upload_without_the_right_is_refused_before_it_is_sent(index: Index, reader: Login, tmp_path: Path) -> None:
    file = packages.wheel(tmp_path, "unwanted", padding=bytes(4 * 1024 * 1024))
    headers = {"Content-Type": "multipart/form-data; boundary=edge", "Content-Length": str(file.stat().st_size)}
    # The answer is there though nothing of the body was sent.
    assert index.request("/", reader, "POST", None, headers).status == 403
    assert index.request("/", NOBODY, "POST", None, headers).status == 401


def test_a_line_of_the_access_log_says_who_asked_for_what(
    index: Index, publisher: Login, reader: Login, tmp_path: Path, stack: Stack
) -> None:
    page = fresh(index, publisher, tmp_path)
    answers = [index.request(page, login) for login in (reader, reader, NOBODY)]
    eventually(lambda: len(stack.requests(page)) == 3, "three requests are in the access log", 10)
    # Each of NGINX's processes writes its own lines, once a second.
    lines = sorted(stack.requests(page), key=lambda line: int(line["status"]))
    assert [line["user"] for line in lines] == ["reader", "reader", ""], lines
    assert [line["status"] for line in lines] == [200, 200, 401], lines
    assert [line["bytes"] for line in lines] == [len(answer.body) for answer in answers], lines
    for line in lines:
        assert (line["method"], line["route"], line["uri"]) == ("GET", "project", page), line
        assert line["client"].count(".") == 3, line
        assert 0 <= line["seconds"] < 60, line
        assert line["time"].startswith("20"), line


def test_the_access_log_says_how_long_pypiserver_took(index: Index, reader: Login, stack: Stack) -> None:
    uri = f"/packages/?{uuid4().hex}"
    assert index.request(uri, reader).status == 200
    (line,) = stack.requests(uri)
    assert float(line["upstream_seconds"].split()[-1]) >= 0, line


def test_routes_have_names_in_the_access_log(index: Index, publisher: Login, tmp_path: Path, stack: Stack) -> None:
    file = packages.wheel(tmp_path, f"named-{uuid4().hex}", padding=os.urandom(3_333_333))
    mark = f"?{uuid4().hex}"
    assert index.upload(publisher, file).status == 200
    routes = {
        f"/{mark}": "front",
        f"/simple/{mark}": "projects",
        f"/packages/{mark}": "files",
        f"/packages/{file.name}{mark}": "file",
        f"/no-such-project/{mark}": "other",
    }
    for uri in routes:
        index.request(uri, publisher)
    assert {uri: stack.requests(uri)[0]["route"] for uri in routes} == routes
    (upload,) = (line for line in stack.requests("/") if 3_333_333 < line["received"] < 3_400_000)
    assert (upload["method"], upload["route"], upload["status"]) == ("POST", "upload", 200), upload


def test_odd_requests_leave_lines_that_can_be_parsed(index: Index, reader: Login, stack: Stack) -> None:
    uri = f"/simple/%22%5C%0A{uuid4().hex}/?a=\\"
    index.request(uri, reader, headers={"User-Agent": 'a "quoted" \\ agent\t\xe9'})
    (line,) = stack.requests(uri)
    assert '"quoted"' in line["agent"]


def test_no_password_is_in_a_log(index: Index, publisher: Login, reader: Login, stack: Stack) -> None:
    for login in (publisher, reader, Login("reader", "wrong-password")):
        index.request("/simple/", login)
    logs = "\n".join(line for service in ("nginx", "auth", "pypi-server") for line in stack.log(service))
    assert '"user":"publisher"' in logs
    for login in (publisher, reader, Login("reader", "wrong-password")):
        assert login.password not in logs
        assert login.header()["Authorization"].split()[1] not in logs
