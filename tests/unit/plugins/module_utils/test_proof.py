"""What a run asks of an index before it takes a change for one that works; the index is one that can be wrong in many ways."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import proof

CONTENT = b"a wheel"
REHEARSED = b"Nothing was changed, as this was a rehearsal.\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = {"url": "../../packages/a-1.whl", "size": 7, "hashes": {"sha256": SHA256}, "core-metadata": {"sha256": SHA256}}
ALL = ["a refusal", "a login", "pages of both forms", "a file and its metadata", "a removal", "an upload"]


class Faulty:
    """An index with a file; ``answers`` has those that differ from a good one's, by method, path and form."""

    def __init__(self) -> None:
        self.projects: list[str] = ["a"]
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[str] = []
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                faulty._answer(self, b"")

            def do_POST(self) -> None:
                faulty._answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        accept = request.headers.get("Accept", "")
        form = "json" if "json" in accept else "html" if "html" in accept else ""
        action = re.search(rb"(file_upload|remove_pkg)", body)
        words = [request.command, request.path, form, action[1].decode() if action else ""]
        if not request.headers.get("Authorization"):
            words.append("closed")
        key = " ".join(word for word in words if word)
        self.asked.append(key)
        status, kind, content = self.answers.get(key) or self._good(request.path, form, "closed" in words)
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.end_headers()
        request.wfile.write(content)

    def _good(self, path: str, form: str, closed: bool) -> tuple[int, str, bytes]:
        if closed:
            return 401, "text/plain", b"Unknown login"
        if form == "json":
            page = {"projects": [{"name": name} for name in self.projects]} if path == "/simple/" else {"files": [FILE]}
            return 200, proof.JSON, json.dumps(page).encode()
        return 200, "text/html; charset=utf-8" if form else "application/zip", CONTENT if path != "/" else REHEARSED


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    monkeypatch.setattr(proof, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(proof, "LOGIN_SECONDS", 0)
    index = Faulty()
    Thread(target=index.server.serve_forever, args=(0.05,), daemon=True).start()
    yield index
    index.server.shutdown()
    index.server.server_close()


def test_what_works_is_named(faulty: Faulty) -> None:
    assert proof.Index(faulty.url, "x").prove(refuses=True) == ALL
    assert "GET /packages/a-1.whl.metadata" in faulty.asked
    faulty.projects = []
    assert proof.Index(faulty.url, "x").prove(refuses=True) == [one for one in ALL if "file" not in one]


@pytest.mark.parametrize(
    ("request_", "answer", "words", "service"),
    [
        ("GET /simple/ closed", (200, "text/html", b"open"), "/simple/ without a login answers 200: open", "nginx"),
        (
            "GET /simple/ html",
            (401, "text/plain", b"no"),
            "/simple/ with a login as text/html answers 401: no",
            "nginx",
        ),
        ("GET /simple/ json", (200, "text/html", b""), "/simple/ as application/vnd.pypi", "nginx"),
        ("GET /simple/ json", (200, proof.JSON, b"{"), "cannot be read", "nginx"),
        ("GET /simple/a/ json", (200, proof.JSON, b"[]"), "/simple/a/ as application/vnd.pypi", "nginx"),
        ("GET /packages/a-1.whl", (200, "application/zip", b"else"), "/packages/a-1.whl has another SHA-256", "nginx"),
        (
            "GET /packages/a-1.whl.metadata",
            (404, "text/plain", b"no"),
            "a-1.whl.metadata with a login answers 404",
            "nginx",
        ),
        ("POST / file_upload", (500, "text/plain", b"broken"), "an upload answers 500: broken", "pypi-server"),
        ("POST / file_upload", (200, "text/plain", b"Published a"), "an upload answers 200: Published", "pypi-server"),
        ("POST / remove_pkg", (503, "text/plain", b"away"), "a removal answers 503: away", "pypi-server"),
    ],
)
def test_what_does_not_work_is_named_with_the_service_to_blame(
    faulty: Faulty, request_: str, answer: tuple[int, str, bytes], words: str, service: str
) -> None:
    faulty.answers[request_] = answer
    with pytest.raises(proof.Failed, match=re.escape(words)) as failed:
        proof.Index(faulty.url, "x").prove(refuses=True)
    assert failed.value.service == service


def test_a_login_that_nginx_does_not_know_uploads_nothing(faulty: Faulty) -> None:
    """With pypi_anonymous_uploads, NGINX passes both on without a login."""
    faulty.answers["POST / remove_pkg"] = (403, "text/plain", b"Log in to delete")
    faulty.answers["POST / file_upload"] = (200, "text/plain", b"Published wheelhouse_proof-0-py3-none-any.whl.")
    with pytest.raises(proof.Failed, match="a removal answers 403"):
        proof.Index(faulty.url, "x").prove(refuses=True)
    assert "POST / file_upload" not in faulty.asked


def test_one_damaged_file_does_not_speak_against_the_index(faulty: Faulty) -> None:
    faulty.projects = ["damaged", "a"]
    faulty.answers["GET /simple/damaged/ html"] = (404, "text/plain", b"removed")
    assert proof.Index(faulty.url, "x").prove(refuses=True) == ALL


def test_an_open_index_is_one_that_answers_without_a_login(faulty: Faulty) -> None:
    with pytest.raises(proof.Failed, match="answers 401"):
        proof.Index(faulty.url, "x").prove_closed(refuses=False)
    faulty.answers["GET /simple/ closed"] = (200, "text/html", b"open")
    assert proof.Index(faulty.url, "x").prove_closed(refuses=False) == []


def test_nothing_that_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "PATIENCE_SECONDS", 0)
    index = Faulty()
    index.server.server_close()
    with pytest.raises(proof.Failed, match=r"GET /simple/ gets no answer: .*refused"):
        proof.Index(index.url, "x").prove(refuses=True)


def test_nginx_takes_the_token_for_minutes_and_it_can_change_nothing() -> None:
    token = proof.new_token()
    assert re.fullmatch("wheelhouse_[0-9a-f]{72}", token) and token != proof.new_token()
    assert proof.entry(token, 12) == f'"{hashlib.sha256(token.encode()).hexdigest()}" "12 _proof read rehearse";\n'
