"""Whether addresses answer: each status is an answer, and none is a failure of the module."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules.answer_info import asked, trusted


class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status that is the path."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("status", [200, 301, 401, 503])
def test_a_status_is_an_answer_and_redirects_are_not_followed(address: str, status: int) -> None:
    found = asked(f"{address}/{status}", trusted(True, None), 3, 5)
    assert (found["status"], found["error"]) == (status, "")
    assert found["milliseconds"] > 0


def test_authorities_of_companies_are_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict() -> ssl.SSLContext:
        # As Python 3.13 has it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    context = trusted(True, None)
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_no_answer_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        found = asked(url, trusted(False, "/missing.pem"), 3, 5)
    assert (found["status"], found["milliseconds"]) == (0, 0.0)
    assert "refused" in found["error"]
