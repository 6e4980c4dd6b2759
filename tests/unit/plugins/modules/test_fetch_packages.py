# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module fetch_packages against a small index, and a second server that files may be on."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import fetch_packages

Run = Callable[..., dict[str, Any]]
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"
PASSWORD = "S3cret"
LOGIN = "Basic " + base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
MOMENT = 1_600_000_000


class Server(ThreadingHTTPServer):
    """Answers with what is in ``content``: by path a status, headers and a body; the first alone is asked for its login."""

    def __init__(self, login: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.login = login
        self.content: dict[str, tuple[int, dict[str, str], bytes]] = {}
        # What was asked, with the login that came along.
        self.asked: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str = "/simple/") -> str:
        """Return an address."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def page(self, path: str, page: Any) -> None:
        """Have a page: text is HTML, anything else JSON."""
        kind, body = (HTML, page) if isinstance(page, str) else (JSON, json.dumps(page))
        self.content[path] = (200, {"Content-Type": kind}, body.encode())

    def file(self, path: str, body: bytes, **headers: str) -> None:
        """Have a file."""
        self.content[path] = (200, headers, body)


class Handler(BaseHTTPRequestHandler):
    """Answers a request."""

    server: Server

    def do_GET(self) -> None:
        """Answer."""
        login = self.headers.get("Authorization", "")
        self.server.asked.append((self.path, login))
        status, headers, body = self.server.content.get(self.path, (404, {}, b""))
        if self.server.login and login != self.server.login:
            status, headers, body = 401, {}, b""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(name: str, url: str, content: bytes, **more: Any) -> dict[str, Any]:
    """Return a file as a page of JSON has it."""
    return {"filename": name, "url": url, "hashes": {"sha256": sha256(content)}, **more}


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """An index that wants a login, and another server."""
    found = Server(LOGIN), Server()
    yield found
    for server in found:
        server.shutdown()
        server.server_close()


@pytest.fixture
def index(servers: tuple[Server, Server]) -> Server:
    """The index, with a wheel and a yanked sdist of one project."""
    index = servers[0]
    index.page("/simple/", {"meta": {"api-version": "1.1"}, "projects": [{"name": "Foo"}]})
    wheel = entry(WHEEL, "../../files/wheel", b"wheel", size=5, **{"upload-time": "2020-09-13T12:26:40.123456Z"})
    sdist = entry(SDIST, index.url("/files/sdist"), b"sdist", yanked="broken\nbadly")
    index.page("/simple/foo/", {"files": [wheel, sdist, entry("foo-1.0.exe", "x", b"")]})
    index.file("/files/wheel", b"wheel")
    index.file("/files/sdist", b"sdist", **{"Last-Modified": "Sun, 13 Sep 2020 12:26:40 GMT"})
    return index


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an index that runs, as ``docker`` says."""
    (tmp_path / "home/packages").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text("#!/bin/sh\necho 0123456789ab\n")
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path / "home"


@pytest.fixture
def fetch(run_module: Run, home: Path, index: Server, assert_no_secret: Callable[..., None]) -> Run:
    def run(check: bool = False, **arguments: Any) -> dict[str, Any]:
        given = {"url": index.url(), "username": "reader", "password": PASSWORD, "instance": "x", "home": str(home)}
        index.asked.clear()
        found = run_module(
            fetch_packages, check=check, **{**given, "suffixes": [".whl", ".tar.gz"], "projects": [], **arguments}
        )
        assert_no_secret(found)
        return found

    return run


def fetched(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / ".import").iterdir()}


def failed(result: dict[str, Any]) -> str:
    """Return why it failed; it may have imported nothing, and does not look as if it had."""
    assert result["failed"] and not result["changed"], result
    assert result["msg"].startswith("pypi_import_from: ")
    return str(result["msg"])


def test_files_come_with_their_times_and_yanks_once(fetch: Run, home: Path, index: Server) -> None:
    would = fetch(check=True)
    assert (would["fetched"], would["changed"]) == ([WHEEL, SDIST], True)
    assert would["diff"]["prepared"] == f"+ {WHEEL}\n+ {SDIST}\n"
    assert not (home / ".import").exists()
    done = fetch()
    assert (done["fetched"], done["ignored"], done["changed"]) == ([WHEEL, SDIST], 1, False)
    assert done["yanked"] == would["yanked"] == [{"pypi_file": SDIST, "pypi_reason": "broken badly"}]
    assert fetched(home) == {WHEEL: b"wheel", SDIST: b"sdist"}
    assert (home / ".import" / WHEEL).stat().st_mtime_ns == MOMENT * 10**9 + 123_456_000
    assert (home / ".import" / SDIST).stat().st_mtime == MOMENT
    assert (home / ".import").stat().st_mode & 0o777 == 0o700
    (warning,) = done["warnings"]
    assert "is sent unencrypted" in warning


def test_what_is_there_with_the_right_hash_is_not_fetched_again(fetch: Run, home: Path, index: Server) -> None:
    fetch()
    (home / ".import" / SDIST).write_bytes(b"cut off")
    (home / ".import/removed-1.0.tar.gz").write_bytes(b"no longer on that index")
    assert fetch()["fetched"] == [WHEEL, SDIST]
    assert [path for path, _login in index.asked] == ["/simple/", "/simple/foo/", "/files/sdist"]
    assert fetched(home) == {WHEEL: b"wheel", SDIST: b"sdist"}
    (home / "packages" / WHEEL).write_bytes(b"wheel")
    (home / "packages" / SDIST).write_bytes(b"another one")
    done = fetch()
    assert (done["present"], done["fetched"], done["yanked"]) == (1, [], [])
    assert done["conflicts"] == [f"{SDIST}: the index has a file of this name with other content"]
    assert fetched(home) == {}


def test_pages_of_html_are_read(fetch: Run, home: Path, index: Server) -> None:
    index.page("/simple/", '<a href="/simple/foo/">Foo</a>')
    links = [
        f'<a href="{WHEEL}#md5={hashlib.md5(b"wheel").hexdigest()}" data-yanked>wheel</a>',
        f'<a href="/files/{SDIST.replace("-", "%2D")}#sha256-{sha256(b"sdist")}" data-requires-python="&gt;=3">sdist</a>',
        '<a href="/manual">manual</a><a href="foo-2.0.tar.gz">no hash</a>',
    ]
    index.page("/simple/foo/", f'<base href="/files/">{"".join(links)}')
    index.file(f"/files/{WHEEL}", b"wheel")
    index.file(f"/files/{SDIST.replace('-', '%2D')}", b"sdist")
    done = fetch()
    assert fetched(home) == {WHEEL: b"wheel", SDIST: b"sdist"}
    assert done["yanked"] == [{"pypi_file": WHEEL, "pypi_reason": ""}]
    assert done["refused"] == ["foo-2.0.tar.gz: its page has no hash of it, so that it cannot be verified"]


def test_the_login_goes_to_the_index_only(fetch: Run, home: Path, servers: tuple[Server, Server]) -> None:
    index, other = servers
    there = {"Location": other.url("/stored")}
    index.page(
        "/simple/foo/",
        {"files": [entry(WHEEL, other.url("/wheel"), b"wheel"), entry(SDIST, "/moved", b"sdist")]},
    )
    other.file("/wheel", b"wheel")
    other.file("/stored", b"sdist")
    index.content["/moved"] = (302, {"Location": "/moved/again"}, b"")
    index.content["/moved/again"] = (302, there, b"")
    fetch()
    assert fetched(home) == {WHEEL: b"wheel", SDIST: b"sdist"}
    assert {login for _path, login in index.asked} == {LOGIN}
    assert sorted(other.asked) == [("/stored", ""), ("/wheel", "")]


def test_files_that_cannot_be_had_are_named_and_the_rest_comes(fetch: Run, home: Path, index: Server) -> None:
    urls = {"missing": "/nowhere", "other": "/files/sdist", "local": "file:///etc/passwd", "..": "/files/sdist"}
    files = [entry(f"{name}-1.0.tar.gz", url, b"wheel") for name, url in urls.items()]
    twice = [entry("twice-1.0.tar.gz", "/files/sdist", content) for content in (b"sdist", b"wheel", b"sdist")]
    index.page("/simple/foo/", {"files": [*files, *twice, entry(WHEEL, "/files/wheel", b"wheel")]})
    (home / ".import").mkdir()
    (home / ".import/other-1.0.tar.gz").write_bytes(b"what an earlier page had")
    done = fetch()
    assert done["refused"] == [
        "..-1.0.tar.gz: its name is not that of a distribution file",
        "local-1.0.tar.gz: its address is neither https nor http",
        f"missing-1.0.tar.gz: the server 127.0.0.1:{index.server_port} answers 404",
        "other-1.0.tar.gz: its content is not what the sha256 on its page says; correct it there",
        "twice-1.0.tar.gz: pages have it more than once, with different hashes",
    ]
    assert fetched(home) == {WHEEL: b"wheel"}


def test_some_projects_come_and_names_need_no_list(fetch: Run, index: Server) -> None:
    index.page("/simple/", {"projects": [{"name": name} for name in ("foo", "bar", "Fo.Oo")]})
    index.page("/simple/fo-oo/", {"files": [entry("fo_oo-1.0.tar.gz", "/files/sdist", b"sdist")]})
    assert fetch(check=True, projects=["F*"])["fetched"] == ["fo_oo-1.0.tar.gz", WHEEL, SDIST]
    del index.content["/simple/"]
    assert fetch(check=True, projects=["Fo_oo"])["fetched"] == ["fo_oo-1.0.tar.gz"]
    assert "has no list of projects (404)" in failed(fetch())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"password": "wrong"}, "/simple/ answers 401; give pypi_import_username and pypi_import_password"),
        ({"username": ""}, "give both pypi_import_username"),
        ({"url": "http://reader:S3cret@127.0.0.1/"}, "the address has a login in it"),
        ({"url": "http:///simple"}, "is not the address of an index"),
        ({"url": "http://127.0.0.1:1/simple"}, "cannot be read from this host: [Errno 111] Connection refused"),
        ({"projects": ["bar*"]}, "lists no project that pypi_import_projects matches"),
        ({"projects": ["bar"]}, "no page has any file"),
    ],
)
def test_what_cannot_be_meant_fails_before_anything_changes(
    fetch: Run, home: Path, given: dict[str, Any], said: str
) -> None:
    assert said in failed(fetch(**given))
    assert not (home / ".import").exists()


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/simple/", (200, {"Content-Type": "image/png"}, b""), "no page of the simple API"),
        ("/simple/", (301, {"Location": "https://other/"}, b""), "redirects to https://other/"),
        ("/simple/", (200, {"Content-Type": HTML}, b"Welcome"), "lists no project"),
        ("/simple/foo/", (200, {"Content-Type": JSON}, b"[]"), "no page of the simple API"),
        ("/simple/foo/", (500, {}, b""), "it answers 500; run it again once it can"),
        ("/files/sdist", (403, {}, b""), "/files/sdist answers 403; give pypi_import_username"),
        ("/files/sdist", (503, {}, b""), "it answers 503; run it again once it can. Nothing was imported."),
        ("/files/sdist", (200, {"Content-Length": "9"}, b"sdist"), "ends early; run it again"),
    ],
)
def test_an_index_that_does_not_answer_as_one_fails_the_run(
    fetch: Run, index: Server, path: str, answer: tuple[int, dict[str, str], bytes], said: str
) -> None:
    index.content[path] = answer
    assert said in failed(fetch())


def test_a_disk_without_room_fails_before_anything_is_fetched(fetch: Run, home: Path, index: Server) -> None:
    index.page("/simple/foo/", {"files": [entry(WHEEL, "/files/wheel", b"wheel", size=2**60)]})
    for check in (True, False):
        assert "no room: fetching and importing takes" in failed(fetch(check=check))
    assert [path for path, _login in index.asked] == ["/simple/", "/simple/foo/"]


def test_an_index_that_does_not_run_is_named_before_anything_is_asked(fetch: Run, home: Path, index: Server) -> None:
    (home.parent / "bin/docker").write_text("#!/bin/sh\n")
    assert "the index x does not run on this host" in failed(fetch())
    assert index.asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another account")
def test_a_folder_of_another_account_is_not_used(fetch: Run, home: Path) -> None:
    (home / ".import").mkdir()
    os.chown(home / ".import", 65534, 65534)
    assert "is not root's; remove it" in failed(fetch())
