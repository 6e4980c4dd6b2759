"""Requests that no client of good will sends: each is refused or harmless, none is an error of the server."""

# ruff: noqa: E501 - tables of odd requests are easier to read in long lines

from __future__ import annotations

import base64
import itertools
import socket
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.clients import Index, Login
from tests.support.stack import Stack, eventually

PUBLISHER = Login("owner", "owner-password")
AUTHORIZATION = PUBLISHER.header()["Authorization"]

UP = [
    "..",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "..%2f..",
    "..%5c..",
    "%252e%252e",
    "..;",
    "....//",
    "%c0%ae%c0%ae",
    "..%00",
    "%uff0e",
]
TARGETS = ["authentication/.htpasswd", "etc/passwd"]
TRAVERSAL = [
    f"{prefix}{up}/{up}/{target}"
    for prefix, up, target in itertools.product(("/packages/", "/simple/", "/"), UP, TARGETS)
]
LETTERS = [
    "%00",
    "%0d%0aX-Injected:%201",
    "%0a",
    "%09",
    "%7f",
    "%ff",
    "%fe%ff",
    "%e2%80%ae",
    "%22",
    "%3cscript%3e",
    "%5c",
    "%25",
    "%",
]
ODD_PATHS = [
    f"{prefix}a{letter}b{end}"
    for prefix, letter, end in itertools.product(("/packages/", "/simple/", "/"), LETTERS, ("", "/"))
]
HIDDEN = [
    "/packages/.incoming/x", "/packages/.htaccess", "/packages/.git/config", "/.env", "/.git/HEAD", "/.htpasswd",
    "/packages/.a-1.0.whl", "/packages//a-1.0.whl", "/packages/./a-1.0.whl", "/packages/a-1.0.whl/", "/_verdict/login",
    "/_upload", "/@pypiserver", "/_refused/401", "/index.html/", "/simple/index.html", "/simple/index.json", "/nginx/nginx.conf",
    "/health", "/RPC2", "/packages/a.whl%20", "/packages/a.whl.", "/packages/a.php", "/simple/?" + "a=b&" * 500,
]  # fmt: skip
CHUNKED = "0\r\n\r\n"
HEADERS = [
    *(f"Content-Length: {value}" for value in ("-1", "+5", "0x5", "5 5", "5,5", "1e3", "", "a", "9" * 30, "5\r\nContent-Length: 6")),
    *(
        f"Transfer-Encoding: {value}"
        for value in ("chunked, chunked", "identity", "gzip", "x", "chunked\x0b", " chunked x", "gzip, chunked", "Chunked;a")
    ),
    "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked",
    "X-Big: " + "a" * 40000, "\r\n".join(f"X-{n}: {'a' * 300}" for n in range(200)), ": empty", "no colon at all", "X\x00Y: 1",
    "X-Nul: a\x00b", "Range: bytes=0-,0-,0-,0-,0-", "Range: bytes=9-1", "Range: bytes=" + "0-," * 900, "If-Modified-Since: never",
    "Authorization: Basic", "Authorization: Basic ====", "Authorization: Basic " + "A" * 5000, "Authorization: Bearer x",
    "Authorization: Basic " + base64.b64encode(b"\x00\xff:\x00").decode(), "Authorization: Basic " + base64.b64encode(b"no colon").decode(),
    "Authorization: Basic " + base64.b64encode(b"a\r\nb:c").decode(), "Expect: nonsense", "Upgrade: h2c\r\nConnection: Upgrade",
    "Host: a b", "Host: ../..", "Host: x\r\nHost: y", "Host: " + "a" * 9000, "Accept: " + "application/json," * 400,
    "X-Forwarded-For: 127.0.0.1", "X-Wheelhouse-Login: owner", "X-Wheelhouse-Peer: x", "Cookie: " + "a=b; " * 300,
]  # fmt: skip
LINES = [
    "GET / HTTP/9.9", "GET / HTTP/3.0", "GET / HTTP/1.1 extra", "GET /", "GET", "", "get / HTTP/1.1", "GET  / HTTP/1.1",
    "G\x00T / HTTP/1.1", "GET /" + "a" * 9000 + " HTTP/1.1", "GET http://elsewhere.example.com/simple/ HTTP/1.1",
    "GET //elsewhere.example.com/%2f.. HTTP/1.1", "CONNECT elsewhere.example.com:443 HTTP/1.1", "TRACE / HTTP/1.1", "OPTIONS * HTTP/1.1",
    "PRI * HTTP/2.0", "GET \\ HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /a b HTTP/1.1", "PROPFIND / HTTP/1.1", "COPY /packages/a.whl HTTP/1.1",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "M" * 300 + " / HTTP/1.1",
]  # fmt: skip
EDGE = "multipart/form-data; boundary=edge"
ACTION = b'--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n'


def _content(filename: str, content: bytes = b"x", name: str = "content") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


BODIES = [
    (EDGE, b""), (EDGE, b"--edge--\r\n"), (EDGE, b"--edge"), (EDGE, b"nothing of the kind"), (EDGE, ACTION), (EDGE, ACTION + b"--edge--"),
    (EDGE, ACTION[:-2]), (EDGE, b"--edge\r\n\r\n--edge--"), (EDGE, b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--"),
    (EDGE, b"--edge\r\nContent-Disposition: " + b"a" * 9000 + b"\r\n\r\nx\r\n--edge--"), (EDGE, (b"--edge\r\n\r\n" * 2000) + b"--edge--"),
    (EDGE, b'--edge\r\nContent-Disposition: form-data; name=":action"\r\n\r\n\xff\xfe\r\n--edge--'), (EDGE, b"\x00" * 5000),
    (EDGE, b'--edge\r\nContent-Disposition: form-data; name=":action"; filename="x"\r\n\r\nfile_upload\r\n--edge--'),
    ("multipart/form-data", ACTION), ("multipart/form-data; boundary=", ACTION), ("multipart/form-data; boundary=" + "b" * 300, ACTION),
    ("multipart/form-data; boundary=\"", ACTION), ("multipart/mixed; boundary=edge", ACTION), ("application/json", b'{":action": 1}'),
    ("application/json", b"{"), ("application/x-www-form-urlencoded", b":action=file_upload"), ("text/xml", b"<!DOCTYPE x>"),
    ("application/x-www-form-urlencoded", b"%%%=&&&=%ff"), ("", ACTION), ("\xe9", ACTION), (EDGE + "; charset=nonsense", ACTION),
]  # fmt: skip
NAMES = [
    "../../etc/passwd", "..\\..\\a-1.0.tar.gz", "/etc/cron.d/a-1.0.tar.gz", ".hidden-1.0.tar.gz", "a-1.0.tar.gz\x00.whl", "", ".", "..",
    "a b-1.0.tar.gz", "a-1.0.exe.sh", "a.php", "-1.0.tar.gz", "a" * 300 + "-1.0.tar.gz", "con-1.0.tar.gz/..", "ä-1.0.tar.gz",
    "a-1.0.tar.gz;rm -rf x", "$(id)-1.0.tar.gz", "a-1.0.whl", "index.html", "a-1.0.tar.gz%00", "a\r\nX: y-1.0.tar.gz", "\udcff-1.0.tar.gz",
]  # fmt: skip


def ask(index: Index, request: bytes) -> int:
    """Send bytes; return the status of the answer, and 0 where the connection was closed without one."""
    parts = urlsplit(index.url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), 2) as connection:
        try:
            connection.sendall(request)
            answer = connection.recv(65536)
        except (ConnectionError, TimeoutError):
            # NGINX waits for what was said to come, or has had enough.
            return 0
    words = answer.split(b" ", 2)
    return int(words[1]) if answer.startswith(b"HTTP/") and len(words) > 1 else 0


def raw(line: str, *headers: str, body: bytes = b"", login: bool = True) -> bytes:
    """Return the bytes of a request."""
    lines = [
        line,
        *([] if any(one.lower().startswith("host:") for one in headers) else ["Host: pypi.example.com"]),
        *headers,
    ]
    if login and not any(one.startswith("Authorization") for one in headers):
        lines.append(f"Authorization: {AUTHORIZATION}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", "replace") + body


def upload(kind: str, body: bytes) -> bytes:
    return raw("POST / HTTP/1.1", f"Content-Type: {kind}", f"Content-Length: {len(body)}", body=body)


REQUESTS: list[tuple[str, bytes]] = [
    *((f"path {path}", raw(f"GET {path} HTTP/1.1")) for path in (*TRAVERSAL, *ODD_PATHS, *HIDDEN)),
    *((f"header {header[:60]!r}", raw("GET /simple/ HTTP/1.1", header, body=CHUNKED.encode())) for header in HEADERS),
    *(
        (f"upload with header {header[:60]!r}", raw("POST / HTTP/1.1", header, body=CHUNKED.encode()))
        for header in HEADERS
    ),
    *((f"line {line[:60]!r}", raw(line)) for line in LINES),
    *((f"line without login {line[:60]!r}", raw(line, login=False)) for line in LINES),
    *((f"body {body[:60]!r} as {kind[:40]}", upload(kind, body)) for kind, body in BODIES),
    *((f"file {name[:60]!r}", upload(EDGE, ACTION + _content(name) + b"--edge--\r\n")) for name in NAMES),
]


def test_none_of_more_than_two_hundred_bad_requests_is_an_error_of_the_server(
    host: Any, index: Index, reader: Login, home: str
) -> None:
    assert len({request for _what, request in REQUESTS}) > 200
    before = host.check_output(
        f"find {home} -path {home}/nginx_cache -prune -o -path {home}/index -prune -o -type f -print | sort"
    )
    answers = {what: ask(index, request) for what, request in REQUESTS}
    assert {what: status for what, status in answers.items() if status >= 500} == {}
    # Of what is no HTTP at all, some get no answer.
    assert sum(status == 0 for status in answers.values()) < 20, answers
    leaks = [
        what for what, status in answers.items() if status == 200 and ("passwd" in what or what.startswith("line COPY"))
    ]
    assert leaks == []
    assert index.request("/simple/", reader).status == 200
    after = host.check_output(
        f"find {home} -path {home}/nginx_cache -prune -o -path {home}/index -prune -o -type f -print | sort"
    )
    assert set(after.split()) - set(before.split()) <= {
        f"{home}/packages/{name}" for name in ("a-1.0.whl", "-1.0.tar.gz")
    }


def test_they_are_in_the_log(stack: Stack) -> None:
    for path in ("/packages/..;/..;/etc/passwd", "/simple/a%ffb", "/packages/.git/config"):
        # NGINX writes its log once a second.
        eventually(lambda path=path: path in "\n".join(stack.log("nginx")), f"{path} is in the log", 10)  # type: ignore[misc]


def test_a_path_writes_no_header(index: Index, reader: Login) -> None:
    for path in ("/simple/a%0d%0aX-Injected:%201", "/a%0d%0aX-Injected:%201", "/simple/A%0d%0aX-Injected:%201/"):
        assert "x-injected" not in index.request(path, reader).headers


@pytest.mark.parametrize(
    "link", ["/etc/passwd", "/data/authentication/.htpasswd", "access_project-1.0-py3-none-any.whl"]
)
def test_links_do_not_lead_out_of_packages(host: Any, index: Index, reader: Login, home: str, link: str) -> None:
    host.check_output(f"ln -s {link} {home}/packages/linked-1.0.tar.gz")
    try:
        assert index.request("/packages/linked-1.0.tar.gz", reader).status == 404
    finally:
        host.check_output(f"rm {home}/packages/linked-1.0.tar.gz")


def test_an_archive_that_would_explode_is_stored_unopened(host: Any, index: Index, tmp_path: Path) -> None:
    content, name = BytesIO(), f"bomb_{uuid4().hex}"
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", bytes(300 * 1024 * 1024))
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    file = tmp_path / f"{name}-1.0-py3-none-any.whl"
    file.write_bytes(content.getvalue())
    assert index.upload(PUBLISHER, file).status == 200
    assert index.request(f"/packages/{file.name}", PUBLISHER).body == file.read_bytes()
    assert index.request(f"/packages/{file.name}.metadata", PUBLISHER).status in (200, 404)


def test_a_client_that_never_ends_its_headers_is_cut_off(index: Index) -> None:
    parts = urlsplit(index.url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), 25) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        try:
            left = connection.recv(1000)
        except ConnectionResetError:
            left = b""
    assert left == b"" or left.startswith(b"HTTP/1.1 408")
