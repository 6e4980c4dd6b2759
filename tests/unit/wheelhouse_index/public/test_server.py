"""The socket on which NGINX asks about public projects."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from wheelhouse_index.public.gate import MOST
from wheelhouse_index.public.server import PublicServer
from wheelhouse_index.requests.sockets import Sockets

from tests.support.index_server import Server
from tests.support.outlet import FILES_HOST, Outlet, listed
from tests.support.packages import file
from tests.support.public import Public, policy

WHEEL = "demo-1.0-py3-none-any.whl"


def connected(place: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(place))
    return connection


def ask(place: Path, path: str, digest: str, form: str = "json") -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("localhost", timeout=20)
    with connected(place) as connection.sock:
        connection.request("GET", path, headers={"X-Policy": digest, "X-Form": form})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, dict(answer.headers), body


def ask_free(place: Path, path: str, digest: str) -> int:
    """Return the status of an answer, once it is neither 503 nor 504.

    The names of private projects may still be collected; and a thread is free a moment after its answer is there.
    """
    until = time.monotonic() + 20
    while (status := ask(place, path, digest)[0]) in (503, 504) and time.monotonic() < until:
        time.sleep(0.02)
    return status


@contextmanager
def served(public: Public, most: int) -> Iterator[Path]:
    sockets = Sockets(public.outlet.place.parent, "own")
    with sockets.listen_public() as listening:
        PublicServer(listening, public.gate, sockets.stopping, most).start()
        try:
            yield sockets.public
        finally:
            sockets.stopping.set()


def test_nginx_gets_pages_and_where_files_are(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    with served(public, 4) as place:
        assert place.stat().st_mode & 0o777 == 0o600
        status, headers, body = ask(place, "/page/demo", public.digest)
        assert (status, headers["Connection"], headers["Content-Encoding"]) == (200, "close", "gzip")
        assert json.loads(gzip.decompress(body))["files"][0]["filename"] == WHEEL
        path = f"/file/demo/{FILES_HOST}/packages/{WHEEL}"
        status, headers, body = ask(place, path, public.digest)
        assert (status, body, headers["Content-Length"]) == (200, b"", "0")
        assert headers["X-Accel-Redirect"] == path.replace("/file/", "/_public/")
        status, headers, body = ask(place, "/why/demo", public.digest)
        assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert body == b"Nothing of demo is held back.\n"
        status, headers, body = ask(place, "/page/other", public.digest)
        assert (status, headers["X-Accel-Expires"]) == (404, "60")
        assert body == b"There is no project other on this index.\n"


@pytest.mark.parametrize(
    "sent", [b"", b"\r\n", b"POST /page/demo HTTP/1.1\r\n\r\n", b"GET " + b"x" * 9000, b"\xff\xff\r\n\r\n"]
)
def test_what_is_no_request_harms_nothing(public: Public, sent: bytes) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    with served(public, 1) as place:
        with connected(place) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile("rb").read()
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
        assert ask_free(place, "/page/demo", public.digest) == 200
    assert public.outlet.asked == ["/kept/0/demo"]


def test_more_requests_than_there_are_threads_are_refused_at_once(public: Public) -> None:
    public.outlet.serve("demo", listed(WHEEL))
    public.restart(patience=20)
    refused = threading.Event()
    public.outlet.before = lambda _path: refused.wait(20)
    with served(public, 2) as place, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, place, "/page/demo", public.digest) for _ in range(8)]
        found = [answer.result() for answer in itertools.islice(as_completed(asked), 6)]
        assert [status for status, *_ in found] == [504] * 6
        assert {headers["Retry-After"] for _status, headers, _body in found} == {"1"}
        refused.set()
        assert sorted(answer.result()[0] for answer in asked) == [200, 200, *[504] * 6]
        assert ask_free(place, "/page/demo", public.digest) == 200


def test_upstreams_that_hang_leave_room_for_another_one(public: Public) -> None:
    upstream = dict(policy()["upstreams"][0])
    named = [{**upstream, "url": f"https://{host}.example.org/", "names": [f"{host}-*"]} for host in ("one", "two")]
    public.put(upstreams=[*named, upstream])
    public.restart(patience=20)
    public.outlet.serve("demo", listed(WHEEL))
    ended = threading.Event()
    public.outlet.before = lambda path: None if path.endswith("/demo") else ended.wait(20)
    with served(public, MOST) as place, ThreadPoolExecutor(100) as pool:
        asked = [
            pool.submit(ask, place, f"/page/{host}-{number}", public.digest)
            for host in ("one", "two")
            for number in range(50)
        ]
        refused = [answer.result() for answer in itertools.islice(as_completed(asked), 100 - 2 * 28)]
        assert {status for status, *_ in refused} == {504}
        assert {headers["Retry-After"] for _status, headers, _body in refused} == {"1"}
        print(len(refused), "refused;", sum(not answer.done() for answer in asked), "wait")
        assert ask_free(place, "/page/demo", public.digest) == 200
        ended.set()


def test_a_server_decides_in_all_of_its_processes_and_opens_when_it_has_looked(in_memory: Path, outlet: Outlet) -> None:
    outlet.serve("demo", listed(WHEEL))
    outlet.serve("mine", listed("mine-9.0.tar.gz"))
    content = policy(shadowed=["mine"])
    upstreams = in_memory / "upstreams.json"
    upstreams.write_text(json.dumps(content))
    digest = str(content["digest"])
    (in_memory / "packages").mkdir()
    (in_memory / "packages" / "theirs-1.0.tar.gz").write_bytes(file("theirs-1.0.tar.gz"))
    outlet.serve("theirs", listed("theirs-9.0.tar.gz"))
    own = {"WHEELHOUSE_UPSTREAMS": str(upstreams), "WHEELHOUSE_OUTLET": str(outlet.place)}
    with Server(in_memory, environment=own) as server:
        place = server.sockets / server.name / "public.sock"
        assert ask_free(place, "/page/demo", digest) == 200
        assert ask(place, "/page/theirs", digest)[0] == 404
        assert ask(place, "/page/mine", digest)[0] == 200
        assert server.upload("mine-1.0-py3-none-any.whl", file("mine-1.0-py3-none-any.whl")).status == 200
        found = {ask(place, "/page/mine", digest)[0] for _ in range(20)}
        assert found == {404}
        answer = server.upload(WHEEL, file(WHEEL))
        print(answer)
        assert answer.status == 409 and "pypi_shadowed_names: demo" in answer.text
        public_folder = in_memory / "index" / "public"
        assert (public_folder / digest / "demo" / ".page").exists()
        assert not (public_folder / digest / "mine").exists()
        server.kill()
        (in_memory / "packages" / "demo-1.0.tar.gz").write_bytes(file("demo-1.0.tar.gz"))
        server.start()
        asked = len(outlet.asked)
        found = {ask(place, "/page/demo", digest)[0] for _ in range(5)}
        print(found)
        assert found <= {503, 404}
        assert outlet.asked[asked:] == []
    assert "theirs" not in outlet.projects()


def test_what_killed_workers_have_not_compared_is_asked_for_once_more(in_memory: Path, outlet: Outlet) -> None:
    outlet.serve("demo", listed(WHEEL))
    content = policy()
    upstreams = in_memory / "upstreams.json"
    upstreams.write_text(json.dumps(content))
    digest = str(content["digest"])
    (in_memory / "packages").mkdir()
    own = {"WHEELHOUSE_UPSTREAMS": str(upstreams), "WHEELHOUSE_OUTLET": str(outlet.place)}
    with Server(in_memory, environment=own) as server:
        place = server.sockets / server.name / "public.sock"
        path = f"{FILES_HOST}/packages/{WHEEL}"
        assert ask_free(place, f"/file/demo/{path}", digest) == 200
        mark = in_memory / "index" / "public" / digest / "demo" / path
        assert mark.exists()
        for worker in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
            os.kill(int(worker), signal.SIGKILL)
        until = time.monotonic() + 30
        while mark.exists():
            assert time.monotonic() < until, "NGINX serves it without asking"
            time.sleep(0.05)
        assert ask_free(place, f"/file/demo/{path}", digest) == 200
