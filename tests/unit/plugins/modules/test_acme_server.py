# Copyright: (c) 2026, The wheelhouse.pypi developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ACME server is one, is none, or is away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.wheelhouse.pypi.plugins.modules import acme_server

ANSWERS = {
    "/directory": b'{"newOrder": "https://acme.example.com/new-order"}',
    "/page": b"<html>Welcome</html>",
    "/list": b"[]",
    "/other": b'{"error": "no such path"}',
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in ANSWERS else 404)
        self.end_headers()
        self.wfile.write(ANSWERS.get(self.path, b""))

    def log_message(self, *_arguments: Any) -> None:
        return


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/directory", ""),
        ("/page", "no ACME server"),
        ("/list", "no ACME server"),
        ("/other", "names no newOrder"),
        ("/missing", "it does not answer: "),
    ],
)
def test_what_answers(url: str, path: str, said: str) -> None:
    found = acme_server.problem(url + path)
    assert said in found
    assert bool(found) == bool(said)


def test_a_server_that_is_away_is_named_with_the_variable(run_module: Callable[..., dict[str, Any]]) -> None:
    result = run_module(acme_server, directory="http://127.0.0.1:9/directory")
    assert result["failed"]
    assert result["msg"].startswith("pypi_acme_directory: a certificate is needed of http://127.0.0.1:9/directory, and")
    assert "does not answer" in result["msg"]
    assert "what is in force stays so" in result["msg"]


def test_authorities_that_are_none_are_said_so(url: str) -> None:
    assert "cannot be read" in acme_server.problem(url + "/directory", "no PEM at all")
