"""What NGINX makes of requests by itself: forms of pages, redirects, caches of clients, foreign pages, links, refusals."""

# ruff: noqa: E501 - what clients send is easier to read in long lines

from __future__ import annotations

import json
import os
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Index, Login
from tests.support.stack import Stack, eventually

PUBLISHER = Login("owner", "owner-password")
JSON, HTML, PEP_HTML = "application/vnd.pypi.simple.v1+json", "text/html", "application/vnd.pypi.simple.v1+html"
ACCEPTS = [
    ("pip 20.3 to 22.1, pex, easy_install", "text/html", HTML),
    ("pip 22.2 and later, pdm, pipenv, hatch", f"{JSON}, {PEP_HTML}; q=0.1, text/html; q=0.01", JSON),
    ("uv", f"{JSON}, {PEP_HTML};q=0.2, text/html;q=0.01", JSON),
    ("poetry", f"{JSON}, */*;q=0.1", JSON),
    ("PEP 691's example", "application/vnd.pypi.simple.latest+json, application/vnd.pypi.simple.latest+html;q=0.2, text/html;q=0.01", JSON),
    ("Firefox", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
    ("Chrome", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", HTML),
    ("curl, requests", "*/*", HTML),
    ("nothing", "", HTML),
    ("JSON less than HTML", f"{JSON};q=0.1, text/html;q=0.9", HTML),
    ("JSON less than HTML without a weight", f"{JSON};q=0.9, text/html", HTML),
    ("JSON more, with more digits", f"text/html;q=0.55, {JSON};q=0.555", JSON),
    ("JSON less, in the third digit", f"text/html;q=0.556, {JSON};q=0.555", HTML),
    ("1.0 is more than 0.999", f"text/html;q=0.999, {JSON};q=1.000", JSON),
    ("both the same: JSON says more", f"text/html;q=0.5, {JSON};q=0.50", JSON),
    ("both without a weight", f"text/html, {JSON}", JSON),
    ("JSON refused", f"{JSON};q=0, */*", HTML),
    ("JSON refused in another spelling", f"{JSON} ; Q=0.000", HTML),
    ("HTML refused", f"{JSON};q=0.1, text/html;q=0", JSON),
    ("all types more than JSON", f"{JSON};q=0.1, */*;q=0.5", HTML),
    ("text of all kinds more than JSON", f"{JSON};q=0.2, text/*;q=0.5", HTML),
    ("JSON with a parameter", f"{JSON};charset=utf-8;q=0.1, text/html;q=0.2", HTML),
    ("the other name of HTML", f"{PEP_HTML}", PEP_HTML),
    ("the other name of HTML, less", f"{PEP_HTML};q=0.1, text/html;q=0.2", HTML),
    ("the other name of HTML, more than JSON", f"{JSON};q=0.3, {PEP_HTML};q=0.4, text/html;q=0.1", PEP_HTML),
    ("JSON alone", JSON, JSON),
    ("JSON alone, with a weight", f"{JSON};q=0.5", JSON),
    ("the latest JSON", "application/vnd.pypi.simple.latest+json", JSON),
    ("the latest HTML", "application/vnd.pypi.simple.latest+html", PEP_HTML),
    ("the other name of HTML, without a weight", f"{PEP_HTML}, {JSON};q=0.1", PEP_HTML),
    ("types of other servers", "application/json, application/xml;q=0.1", HTML),
    ("weights that are none count as 1", f"{JSON};q=a, text/html;q=", JSON),
]  # fmt: skip


@pytest.fixture(scope="module")
def project(host: Any, index: Index, home: str) -> str:
    """A project of one sdist, copied in."""
    name = f"request-{uuid4().hex[:8]}"
    put(host, home, f"{packages.escaped(name)}-1.0.tar.gz")
    pages = ("/simple/", f"/simple/{name}/")

    # At first pypi-server answers, which packs nothing.
    def on_disk() -> bool:
        answers = [index.request(page, PUBLISHER) for page in pages]
        return all(one.status == 200 and "Accept-Encoding" in one.headers.get("vary", "") for one in answers)

    eventually(on_disk, f"the pages of {name} are on disk", 30)
    return name


def put(host: Any, home: str, file: str) -> None:
    """Copy an sdist in, as an administrator does; its name and version are those of the file's name."""
    name, _dash, version = file.removesuffix(".tar.gz").rpartition("-")
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        entry.size = len(text)
        archive.addfile(entry, BytesIO(text))
    script = f"import sys; open({f'{home}/packages/{file}'!r}, 'wb').write(bytes.fromhex({content.getvalue().hex()!r}))"
    host.check_output("setpriv --reuid pypi --regid pypi --clear-groups python3 -c %s", script)


@pytest.mark.parametrize(("accept", "form"), [case[1:] for case in ACCEPTS], ids=[case[0] for case in ACCEPTS])
def test_a_page_is_in_the_form_that_a_client_likes_best(index: Index, project: str, accept: str, form: str) -> None:
    for path in ("/simple/", f"/simple/{project}/"):
        answer = index.request(path, PUBLISHER, headers={"Accept": accept} if accept else {})
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, form), accept
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
        assert answer.body.startswith(b"{") == (form == JSON)


@pytest.mark.parametrize("host_header", ["pypi.example.com:8443", "localhost:9999", "[::1]"])
def test_no_redirect_names_a_host(index: Index, project: str, host_header: str) -> None:
    spelled = project.replace("-", "_").upper()
    paths = [
        f"/{project}",
        f"/{project}/",
        f"/simple/{project}",
        f"/simple/{spelled}/",
        f"/simple//{spelled}",
        "/simple",
    ]
    paths += ["/packages", f"/{spelled}/json", f"/+simple/{spelled}/", f"//{project}/", "/%2f%2felsewhere.example.com"]
    seen = 0
    for path in paths:
        answer = index.request(path, PUBLISHER, headers={"Host": host_header})
        if 300 <= answer.status < 400:
            seen += 1
            location = answer.headers["location"]
            assert location.startswith("/") and not location.startswith("//"), (path, location)
    assert seen >= 6


def test_where_hatch_and_pipenv_look_and_the_public_indexs_json(index: Index, project: str) -> None:
    for path in (f"/+simple/{project}/", f"/%2Bsimple/{project}/", f"/simple//{project}/"):
        answer = index.request(path, PUBLISHER)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert b"<a href=" in answer.body
    for path in (f"/{project}/json", f"/pypi/{project}/json"):
        answer = index.request(path, PUBLISHER)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), path
        assert "1.0" in json.loads(answer.body)["releases"]
        assert index.request(path).status == 401


def test_files_are_kept_by_clients_and_pages_are_asked_for(index: Index, project: str) -> None:
    file = index.request(f"/packages/{packages.escaped(project)}-1.0.tar.gz", PUBLISHER)
    assert (file.status, file.headers["cache-control"]) == (200, "private, max-age=31536000, immutable")
    page = index.request(f"/simple/{project}/", PUBLISHER)
    assert page.headers["cache-control"] == "no-cache"
    again = index.request(f"/simple/{project}/", PUBLISHER, headers={"If-None-Match": page.headers["etag"]})
    assert again.status == 304
    assert "cache-control" not in index.request("/packages/none-1.0.tar.gz", PUBLISHER).headers


def test_what_is_listed_can_be_fetched_whatever_letters_its_name_has(host: Any, index: Index, home: str) -> None:
    name = f"odd{uuid4().hex[:8]}"
    for file in (
        f"{name}-1.0+local.1.tar.gz",
        f"{name}-1!2.0.tar.gz",
        f"{name}-1.0~x.tar.gz",
        f"{name.upper()}-3.0.tar.gz",
    ):
        put(host, home, file)

    def files() -> list[dict[str, Any]]:
        answer = index.request(f"/simple/{name}/", PUBLISHER, headers={"Accept": JSON})
        return json.loads(answer.body)["files"] if answer.status == 200 else []

    eventually(lambda: len(files()) >= 3, "they are listed", 20)
    for listed in files():
        assert index.request(listed["url"].removeprefix("../.."), PUBLISHER).status == 200, listed


FOREIGN = [
    {"Origin": "https://elsewhere.example.com"},
    {"Origin": "null"},
    {"Origin": "https://pypi.example.com.elsewhere.example.com"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://elsewhere.example.com", "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_can_not_have_a_browser_publish_or_remove(index: Index, headers: dict[str, str]) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Host": "pypi.example.com"}
    answer = index.request("/", PUBLISHER, "POST", b":action=remove_pkg&name=x&version=1", {**form, **headers})
    assert (answer.status, answer.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert "a page of another site" in answer.reason
    assert answer.body == answer.reason.encode() + b"\n"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://pypi.example.com:81", "Sec-Fetch-Site": "same-origin"}],
    ids=str,
)
def test_clients_and_pages_of_the_index_itself_get_through(index: Index, headers: dict[str, str]) -> None:
    own = {"Content-Type": "application/x-www-form-urlencoded", "Host": "pypi.example.com:81", **headers}
    answer = index.request("/", PUBLISHER, "POST", b":action=remove_pkg&name=none&version=1", own)
    assert "another site" not in answer.reason
    assert answer.status == 404, answer


def test_a_token_in_the_place_of_a_name_is_in_no_log(index: Index, stack: Stack) -> None:
    token, mark = f"pypi-{uuid4().hex}", uuid4().hex
    for method in ("GET", "POST"):
        index.request(f"/?{mark}", Login(token, "x"), method)
    index.request(f"/simple/?{mark}", Login("reader", "wrong"))
    assert {line["user"] for line in stack.requests(f"/?{mark}")} == {"?"}
    assert {line["user"] for line in stack.requests(f"/simple/?{mark}")} == {"reader"}
    time.sleep(1.5)
    for service in ("nginx", "auth", "pypi-server"):
        assert token not in "\n".join(stack.log(service)), service


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "/etc/pypi-auth/.htpasswd", "/etc/pypi-auth/credentials.conf", "/etc/pypi-nginx/nginx.conf"],
)
def test_a_link_among_the_pages_leads_nowhere(host: Any, index: Index, home: str, target: str) -> None:
    name = f"link-{uuid4().hex[:8]}"
    folder = f"{home}/index/simple/{name}"
    files = ("index.html", "index.html.gz", "index.json", "index.json.gz")
    links = " && ".join(f"ln -s {target} {folder}/{file}" for file in files)
    host.check_output(
        f"mkdir {folder} && {links} && ln -s {target} {home}/index/packages/{name}-1.0.tar.gz.metadata"
        f" && ln -s /etc/pypi-auth {home}/index/simple/{name}x && ln -s {target} {home}/packages/{name}-1.0.tar.gz"
        f" && ln -s {target} {home}/index/json/{name}.json"
    )
    try:
        paths = [f"/simple/{name}/", f"/+simple/{name}/", f"/{name}/json", f"/pypi/{name}/json"]
        paths += [f"/packages/{name}-1.0.tar.gz", f"/packages/{name}-1.0.tar.gz.metadata", f"/simple/{name}x/"]
        for path in paths:
            for headers in ({}, {"Accept-Encoding": "gzip"}, {"Accept": JSON}):
                assert index.request(path, PUBLISHER, headers=headers).status == 404, (path, headers)
    finally:
        host.check_output(f"rm -rf {folder} {folder}x {home}/packages/{name}* {home}/index/*/{name}*")


@pytest.mark.parametrize(
    ("login", "method", "path", "headers", "status", "said"),
    [
        (NOBODY, "POST", "/", {}, 401, "check user name and password"),
        (Login("owner", "wrong"), "POST", "/", {}, 401, "check user name and password"),
        (Login("reader", "reader-password"), "POST", "/", {}, 403, "need one with the right to make them"),
        (PUBLISHER, "POST", "/simple/", {}, 405, "uploads are a POST to the address of the index itself"),
        (PUBLISHER, "POST", "/legacy/", {}, 405, "uploads are a POST to the address of the index itself"),
        (PUBLISHER, "POST", "/", {"Content-Length": "99999999999"}, 413, "larger than this index takes, 5g"),
    ],
)
def test_a_refusal_says_why_in_the_status_line_and_in_the_body(
    index: Index, login: Login, method: str, path: str, headers: dict[str, str], status: int, said: str
) -> None:
    answer = index.request(path, login, method, None if headers else b"x" * 100000, headers)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert said in answer.reason
    assert answer.body == answer.reason.encode() + b"\n"
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_publishers_see_it(index: Index, tmp_path: Path, project: str) -> None:
    file = packages.wheel(tmp_path, project)
    for login, said in (
        (Login("owner", "wrong"), "check user name and password"),
        (Login("reader", "reader-password"), "need one with the right to make them"),
    ):
        done = index.twine_upload(login, file)
        assert said in " ".join((done.stdout + done.stderr).split()), done.stdout + done.stderr


def test_a_refused_upload_is_logged_as_what_it_was(index: Index, stack: Stack) -> None:
    mark = uuid4().hex
    index.request(f"/?{mark}", Login("reader", "reader-password"), "POST", b"x" * 100000)
    (line,) = stack.requests(f"/?{mark}")
    assert (line["method"], line["route"], line["status"], line["user"]) == ("POST", "upload", 403, "reader")


@pytest.mark.usefixtures("small_cache")
def test_an_upload_needs_no_room_under_nginx(index: Index, project: str, tmp_path: Path) -> None:
    file = packages.wheel(tmp_path, f"roomy-{uuid4().hex[:8]}", padding=os.urandom(8 * 1024 * 1024))
    assert index.upload(PUBLISHER, file).status == 200
    assert index.request(f"/simple/{project}/", PUBLISHER).status == 200


@pytest.mark.parametrize("name", ["a\x01b", "a\r\nX-Wheelhouse-Rights", "a\x7f"], ids=repr)
def test_a_name_with_control_characters_goes_nowhere(index: Index, name: str) -> None:
    answer = index.request("/simple/", Login(name, "x"))
    assert (answer.status, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8"), answer
    assert answer.body.count(b"\n") == 1
