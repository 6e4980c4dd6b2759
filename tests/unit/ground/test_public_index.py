"""The stand-in for public indexes: what it serves, and each of its faults."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.ground import public_index
from tests.ground.public_index import FILES, HTML, JSON, PAGES, WHEELS, servers
from tests.support import packages
from tests.support.clients import Answer, Login
from tests.support.public_index import PublicIndex, forbidden, names_in

MEGABYTES = 3


class Served:
    """A stand-in on ports of its own."""

    def __init__(self, folder: Path, projects: Path) -> None:
        self.index, self.control = servers(folder, projects, megabytes=MEGABYTES)
        for server in (self.index, self.control):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.authority = folder / "tls" / "authority.pem"
        self.port = self.index.server_port
        self.public = PublicIndex("127.0.0.1", self.control.server_port)

    def get(
        self,
        path: str,
        host: str = PAGES,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        seconds: float = 20,
    ) -> Answer:
        """Ask a host of it, over TLS, with its authority."""
        context = ssl.create_default_context(cafile=str(self.authority))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        connection = http.client.HTTPConnection(host, self.port, timeout=seconds)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def page(self, project: str) -> dict[str, Any]:
        """Return a project's page as JSON."""
        answer = self.get(f"/simple/{project}/", headers={"Accept": JSON})
        assert answer.status == 200, answer
        return dict(json.loads(answer.body))

    def file(self, entry: Mapping[str, Any], **more: Any) -> Answer:
        """Return what is at the address of a page's entry."""
        return self.get(re.sub(r"^https://[^/]+", "", entry["url"]), FILES, **more)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One with two releases of a real project, of which one was yanked."""
    projects = tmp_path_factory.mktemp("projects")
    for version in ("8.1.8", "8.2.2"):
        packages.wheel(projects, "click", version, more="Requires-Python: >=3.7\n")
    found = Served(tmp_path_factory.mktemp("public"), projects)
    yield found
    for server in (found.index, found.control):
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def healthy(served: Served) -> Iterator[None]:
    """Each test begins without faults and with an empty log."""
    served.public.reset()
    yield
    served.public.heal()


def test_a_page_says_what_is_true_of_real_files(served: Served) -> None:
    page = served.page("click")
    assert page["meta"]["api-version"] == "1.4" and page["name"] == "click"
    assert page["versions"] == ["8.1.8", "8.2.2"]
    first, second = page["files"]
    assert not first["yanked"] and "Unintended" in second["yanked"]
    assert first["requires-python"] == ">=3.7"
    assert first["upload-time"] < second["upload-time"]
    for entry in (first, second):
        body = served.file(entry).body
        assert len(body) == entry["size"] and hashlib.sha256(body).hexdigest() == entry["hashes"]["sha256"]
        metadata = served.file({"url": entry["url"] + ".metadata"}).body
        assert hashlib.sha256(metadata).hexdigest() == entry["core-metadata"]["sha256"]
        assert served.get(re.sub(r"^https://[^/]+", "", entry["provenance"])).status == 200
    assert served.public.page("click") == page
    assert served.public.content(second["filename"]) == body
    served.public.publish("docopt-ng")
    assert served.page("docopt-ng")["project-status"]["status"] == "archived"


def test_pages_have_forms_tags_and_one_address(served: Served) -> None:
    accepts = {
        "": "text/html; charset=utf-8",
        JSON: JSON,
        f"{HTML}, {JSON};q=0.5": HTML,
        "text/html": "text/html; charset=utf-8",
    }
    for accept, kind in accepts.items():
        answer = served.get("/simple/young/", headers={"Accept": accept})
        assert answer.headers["content-type"] == kind, accept
        assert served.get("/simple/young/", headers={"Accept": accept}, method="HEAD").body == b""
        tag = {"If-None-Match": answer.headers["etag"], "Accept": accept}
        assert served.get("/simple/young/", headers=tag).status == 304
        packed = served.get("/simple/young/", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        assert gzip.decompress(packed.body) == answer.body
    assert served.get("/simple/Young").headers["location"] == "/simple/young/"
    assert served.get("/simple/nothing/").status == 404
    listed = [one["name"] for one in json.loads(served.get("/simple/", headers={"Accept": JSON}).body)["projects"]]
    assert {"click", "young", "stranger"} <= set(listed) and "torch" not in listed
    assert b'<a href="click/">click</a>' in served.get("/simple/").body
    assert len(served.page("many")["files"]) == 5000
    assert len(served.page("sized-12")["files"]) == 12


def test_files_come_in_parts(served: Served) -> None:
    (entry,) = served.page("big")["files"]
    assert entry["size"] > MEGABYTES * 1024 * 1024
    whole = served.file(entry).body
    assert hashlib.sha256(whole).hexdigest() == entry["hashes"]["sha256"]
    for asked, first, last in (("bytes=0-99", 0, 100), (f"bytes={2**20}-", 2**20, None), ("bytes=-7", -7, None)):
        part = served.file(entry, headers={"Range": asked})
        assert part.status == 206 and part.body == whole[first:last], asked
    assert served.file(entry, headers={"Range": "bytes=99999999-"}).status == 416
    assert served.file(entry, headers={"Range": "bytes=0-9", "If-Range": '"another"'}).status == 200
    assert served.file(entry, headers={"If-None-Match": part.headers["etag"]}).status == 304
    assert served.file(entry, method="HEAD").headers["content-length"] == str(entry["size"])
    (local,) = served.page("local")["files"]
    assert "%2Bcpu" in local["url"] and served.file(local).status == 200


def test_wheels_want_a_login_and_say_little(served: Served) -> None:
    assert served.get("/whl/torch/", WHEELS).status == 401
    login = Login(*public_index.LOGIN).header()
    page = served.get("/whl/torch/", WHEELS, {**login, "Accept": JSON})
    assert (
        page.headers["content-type"].startswith("text/html") and b"sha256=" in page.body and b"data-" not in page.body
    )
    (address,) = re.findall(r'href="([^"#]+)#', page.body.decode())
    assert served.get(address, WHEELS).status == 401
    assert served.get(address, WHEELS, login).status == 200
    assert served.get("/simple/torch/").status == 404
    assert served.get("/whl/click/", WHEELS, login).status == 404


@pytest.mark.parametrize("scope", ["pages", "files"])
def test_faults_of_pages_and_files(served: Served, scope: str) -> None:
    (entry,) = served.page("evil")["files"]
    path = "/simple/evil/" if scope == "pages" else re.sub(r"^https://[^/]+", "", entry["url"])
    host = PAGES if scope == "pages" else FILES
    good = served.get(path, host).body

    def broken(mode: str) -> type[BaseException]:
        with served.public.fault(mode, scope), pytest.raises((OSError, http.client.HTTPException)) as found:
            served.get(path, host, seconds=2)
        return found.type

    for status in ("401", "403", "404", "500"):
        with served.public.fault(status, scope):
            assert served.get(path, host).status == int(status)
    with served.public.fault("429", scope, seconds=7):
        assert served.get(path, host).headers["retry-after"] == "7"
    with served.public.fault("redirect", scope):
        assert served.get(path, host).headers["location"] == f"https://elsewhere.example.net{path}"
    with served.public.fault("headers", scope):
        assert "stranger" in served.get(path, host).headers["set-cookie"]
    with served.public.fault("500", scope, project="click"):
        assert served.get(path, host).status == 200
    assert broken("half") is http.client.IncompleteRead
    assert issubclass(broken("reset"), (ConnectionResetError, ssl.SSLError, http.client.IncompleteRead))
    assert broken("hang") is TimeoutError
    assert broken("stranger") is ssl.SSLCertVerificationError
    for mode in ("slow", "drip"):
        began = time.monotonic()
        with served.public.fault(mode, scope, seconds=1):
            assert served.get(path, host).body == good
        assert time.monotonic() - began > 0.8, mode
    served.public.latency(0.2)
    began = time.monotonic()
    assert served.get(path, host).body == good
    assert time.monotonic() - began > 0.2


def test_faults_of_pages_alone(served: Served) -> None:
    wanted = {"Accept": JSON}

    def spoilt(mode: str) -> Answer:
        with served.public.fault(mode, "pages"):
            return served.get("/simple/young/", headers=wanted)

    good = served.page("young")
    with pytest.raises(json.JSONDecodeError):
        json.loads(spoilt("invalid").body)
    assert spoilt("type").headers["content-type"] == "text/plain"
    assert json.loads(spoilt("api2").body)["meta"]["api-version"] == "2.0"
    assert json.loads(spoilt("name").body)["name"] == "another"
    assert len(spoilt("huge").body) > 40_000_000
    assert spoilt("html").headers["content-type"].startswith("text/html")
    for mode, sign in (("host", "elsewhere"), ("dotted", "/../"), ("encoded", "%2e%2e"), ("login", "user:password@")):
        page = json.loads(spoilt(f"one-{mode}").body)
        assert page["files"][0] == good["files"][0]
        assert sign in page["files"][1]["url"]
    assert json.loads(spoilt("one-nohash").body)["files"][1]["hashes"] == {}


def test_it_runs_alone_with_nothing_but_the_standard_library(tmp_path: Path) -> None:
    package = tmp_path / "public_index"
    package.mkdir()
    for module in Path(public_index.__file__).parent.glob("*.py"):
        shutil.copy(module, package)
    command = [sys.executable, "-S", "-m", "public_index", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "{serve,names,install}" in done.stdout, done.stderr


def test_altered_bytes_are_as_many(served: Served) -> None:
    (entry,) = served.page("evil")["files"]
    good = served.file(entry)
    with served.public.fault("altered", "files"):
        bad = served.file(entry)
    assert bad.headers["etag"] == good.headers["etag"] and len(bad.body) == len(good.body) and bad.body != good.body


def test_projects_come_and_go(served: Served) -> None:
    served.public.publish("Newcomer", "1.0", days=0, requires=["click"], yanked="bad", time="none")
    (entry,) = served.page("newcomer")["files"]
    assert entry["yanked"] == "bad" and "upload-time" not in entry
    assert b"Requires-Dist: click" in served.file({"url": entry["url"] + ".metadata"}).body
    served.public.status("newcomer", "quarantined")
    assert served.page("newcomer")["files"] == []
    served.public.withdraw("newcomer")
    served.public.status("newcomer", "active")
    assert served.get("/simple/newcomer/").status == 404
    assert served.page("acme-anything")["versions"] == ["99.0"], "strangers have all names"


def test_the_log_tells_what_was_asked_for(served: Served) -> None:
    served.get("/simple/click/", headers={"Cookie": "a=b"})
    served.get("/simple/%61cme-secret/")
    served.get("/packages/00/acme_secret-99.0-py3-none-any.whl.metadata", FILES)
    served.get("/simple/click/", "elsewhere.example.net")
    first, *_rest = log = served.public.log()
    assert first["host"] == PAGES and first["status"] == 200 and first["bytes"] > 100
    found = forbidden(log, ["internal-tools"], ["acme-"])
    assert [line.partition(":")[0] for line in found] == ["says cookie", "private", "private", "elsewhere"]
    assert not forbidden(log[:1], ["click-extra"], ["cli-"])[1:]
    for path in ("/simple/Acme.Secret/", "/simple/x/%252e%252e/ACME__secret", "/whl/?name=acme-secret"):
        assert "acme-secret" in names_in(path)
